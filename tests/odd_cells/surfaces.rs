//! The same on the surfaces that people and programs use.

use serde_json::{Value, json};

use super::{ODD, spoil, write_log};
use crate::support::answers::run_unhurried;
use crate::support::{Place, STRATEGIES, code, refused, stderr, stdout};

/// One kind of each, with what is told of it.
const KINDS: [(&str, &str, &str); 7] = [
    ("created_at", "1005.5", "real 1005.5"),
    ("actor_id", "'system'", "text 'system'"),
    ("actor_id", "NULL", "NULL"),
    ("action", "CAST(x'6cff' AS TEXT)", "text that is not UTF-8"),
    ("resource_type", "x'616263'", "a BLOB of 3 bytes"),
    ("payload_offset", "'x'", "text 'x'"),
    ("id", "0", "0, and events are numbered from 1"),
];

#[test]
fn the_command_line_tells_event_column_and_what_was_found_and_gives_every_other_page() {
    for (column, cell, found) in KINDS {
        let place = Place::new();
        let data = place.path("log");
        write_log(&data);
        let odd = spoil(&data, (column, cell));
        for strategy in STRATEGIES {
            let newest = run_unhurried(&place, &data, &["page", strategy, "--page-size", "3", "--json"]);
            assert_eq!(code(&newest), 0, "{strategy}: {}", stderr(&newest));
            let page: Value = serde_json::from_str(&stdout(&newest)).unwrap();
            let ids: Vec<i64> = page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["id"].as_i64().unwrap())
                .collect();
            assert_eq!(ids, [48, 47, 46], "{strategy}");
            let whole = run_unhurried(&place, &data, &["page", strategy, "--page-size", "48", "--json"]);
            let error = refused(&whole, 2, "bad-cell");
            let told = format!("event {odd} cannot be shown: its {column} holds {found}");
            assert!(error.to_string().contains(&told), "{strategy}: {error}");
        }
        let listed = stdout(&place.keyhole().args(["scratch", "list", "--json"]).output().unwrap());
        let listed: Value = serde_json::from_str(&listed).unwrap();
        for scratch in listed["scratch"].as_array().unwrap() {
            let expected = json!({"events": 1, "first": [{"id": odd, "column": column, "found": found}]});
            assert_eq!(scratch["quarantine"], expected);
        }
        let words = stdout(&place.keyhole().args(["scratch", "list"]).output().unwrap());
        for word in ["quarantine", column, found] {
            assert!(words.contains(word), "{word:?} is not in {words}");
        }
    }
}

#[test]
fn a_strategy_is_verified_on_a_log_that_has_odd_cells() {
    let place = Place::new();
    let data = place.path("log");
    write_log(&data);
    for kind in [("created_at", "1005.5"), ("action", "NULL")] {
        spoil(&data, kind);
        for strategy in ["keyset", "baseline"] {
            let args = ["verify", strategy, "--requests", "200", "--json"];
            let verified = place.run(&data, &args);
            assert_eq!(code(&verified), 0, "{strategy}: {}", stderr(&verified));
            let report: Value = serde_json::from_str(&stdout(&verified)).unwrap();
            assert_eq!(report["equal"], true, "{report}");
            let unshown =
                report["streams"].as_array().unwrap().iter().filter_map(|stream| stream["unshown"].as_u64());
            assert!(unshown.sum::<u64>() > 0, "some pages hold event {ODD}: {report}");
        }
    }
}
