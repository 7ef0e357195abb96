//! What is written about a policy, and into one.

use super::*;

#[test]
fn the_policy_that_is_written_at_first_is_the_default_one_and_holds_every_key() {
    let text = template::text();
    let written = Policy::parse(&text).unwrap_or_else(|problems| panic!("{}", problem::listed(&problems)));
    let default = Policy::default();
    assert_eq!((&written.ceilings, &written.limits), (&default.ceilings, &default.limits));
    assert_eq!((&written.serve, &written.scratch), (&default.serve, &default.scratch));
    assert!(written.stanzas.is_empty() && written.keys.is_empty());
    for key in key::KEYS.iter().filter(|key| !key.section.contains('.')) {
        assert!(text.contains(&format!("{} = ", key.name)), "{}", key.path());
    }
    for row in
        show::rows(&written).iter().filter(|row| row.key != "version" && !row.key.starts_with("strategy."))
    {
        assert!(row.from.starts_with("line "), "{row:?}");
    }
}

#[test]
fn every_key_is_shown_with_where_it_comes_from_and_when_it_changes() {
    let policy = with_environment(
        &format!("[host]\nmemory = \"16MiB\"\n{}", stanza("limits = { rows = 9 }\nfunctions = [\"max\"]")),
        &[("KEYHOLE_LIMITS_ROWS", "7_000")],
    )
    .unwrap();
    let rows = show::rows(&policy);
    let row = |key: &str| {
        let row = rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key} is not shown"));
        (row.value.as_str(), row.from.as_str(), row.changes)
    };
    assert_eq!(row("host.memory"), ("\"16MiB\"", "line 3", "restart"));
    assert_eq!(row("host.instances"), ("64", "default", "restart"));
    assert_eq!(row("limits.memory"), ("\"16MiB\"", "engine ceiling host.memory", "reload"));
    assert_eq!(row("limits.rows"), ("7_000", "environment KEYHOLE_LIMITS_ROWS", "reload"));
    assert_eq!(row("limits.guest_time"), ("\"50ms\"", "default", "reload"));
    assert_eq!(row("serve.active"), ("\"keyset\"", "default", "first start"));
    assert_eq!(row("strategy.fast.limits.rows"), ("9", "line 6", "reload"));
    assert_eq!(row("strategy.fast.functions"), ("[\"max\"]", "line 7", "reload"));
    assert_eq!(row("strategy.fast.columns"), ("[]", "default", "reload"));
    assert_eq!(row("strategy.fast.quota"), ("\"1GiB\"", "scratch.quota", "reload"));
    assert_eq!(row("strategy.fast.digest"), (format!("\"{DIGEST}\"").as_str(), "line 5", "reload"));
    assert_eq!(row("strategy.baseline.limits.log_lock"), ("\"1m\"", "built in", "reload"));
    for key in key::KEYS.iter().filter(|key| !key.section.starts_with("strategy") && !key.default.is_empty())
    {
        assert!(rows.iter().any(|row| row.key == key.path()), "{} is not shown", key.path());
    }
}

/// docs/policy.md is made from the table: `KEYHOLE_BLESS=1` writes it.
#[test]
fn the_documentation_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md");
    let text = docs::markdown();
    if std::env::var_os("KEYHOLE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stands == text, "docs/policy.md is out of date: run this test with KEYHOLE_BLESS=1");
    for key in key::KEYS.iter() {
        assert!(text.contains(&format!("| `{}` |", key.name)), "{}", key.path());
    }
}

fn used() -> allow::Used {
    allow::Used {
        interfaces: vec!["scratch", "log"],
        columns: vec!["created_at", "id"],
        functions: vec!["max"],
        most: vec![("rows", 51), ("memory", 1_179_648)],
        ..allow::Used::default()
    }
}

const APPROVAL: allow::Approval<'static> =
    allow::Approval { by: "Ada \"A.\" L.", at: "2026-11-20", reason: "10 % faster # really", audit: None };

const OTHER: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn what_was_used_is_what_the_written_stanza_grants() {
    let before = "version = 1\n# mine\n[limits]\nrows = 9_000 # enough\n";
    let digest = DIGEST.strip_prefix("sha256:").unwrap();
    let approval = allow::Approval { audit: Some(OTHER), ..APPROVAL };
    let text =
        allow::add(before, &allow::stanza("fast", Path::new("x/fast.wasm"), digest, &used(), &approval));
    assert!(text.starts_with(before), "what stood there is untouched");
    let old = Policy::parse(before).unwrap();
    allow::check_edit(&old, &text, "fast", &used()).unwrap();
    let policy = Policy::parse(&text).unwrap();
    let fast = &policy.stanzas["fast"];
    assert_eq!(fast.grants.interfaces, ["log", "scratch"]);
    assert_eq!(fast.grants.columns, ["id", "created_at"]);
    assert_eq!(fast.grants.functions, ["max"]);
    assert!(fast.grants.wasi.is_empty() && fast.grants.virtual_tables.is_empty());
    assert_eq!(fast.file.as_deref(), Some(Path::new("x/fast.wasm")));
    assert_eq!(fast.approved.by.as_deref(), Some("Ada \"A.\" L."));
    assert_eq!(fast.approved.reason.as_deref(), Some("10 % faster # really"));
    assert_eq!(fast.approved.audit.as_deref(), Some(OTHER));
    assert_eq!(fast.grants.limits.rows, 9_000);
}

#[test]
fn an_edit_that_would_do_more_than_that_is_refused() {
    let old = Policy::parse("version = 1").unwrap();
    let digest = DIGEST.strip_prefix("sha256:").unwrap();
    let stanza = allow::stanza("fast", Path::new("fast.wasm"), digest, &used(), &APPROVAL);
    let more = stanza.replace("functions = [\"max\"]", "functions = [\"max\", \"upper\"]");
    assert!(allow::check_edit(&old, &allow::add("version = 1", &more), "fast", &used()).is_err());
    let two = format!("{stanza}\n{}", stanza.replace("[strategy.fast]", "[strategy.other]"));
    assert!(allow::check_edit(&old, &allow::add("version = 1", &two), "fast", &used()).is_err());
    assert!(allow::check_edit(&old, "version = 1\nlimits = 3", "fast", &used()).is_err());
}

#[test]
fn a_new_version_never_widens_its_grants() {
    let before = format!(
        "version = 1\n{}# the end\n",
        stanza("# what it reads\ncolumns = [\"id\"] # no more\nlimits = { rows = 9 }")
    );
    let old = Policy::parse(&before).unwrap();
    let text = allow::replace(&before, "fast", Path::new("new.wasm"), OTHER, &APPROVAL).unwrap();
    allow::check_edit(&old, &text, "fast", &used()).unwrap();
    let new = Policy::parse(&text).unwrap();
    let (was, is) = (&old.stanzas["fast"], &new.stanzas["fast"]);
    assert_eq!(is.digest.as_deref(), Some(OTHER));
    assert_eq!(format!("{:?}", is.grants), format!("{:?}", was.grants), "whatever the new version used");
    for kept in ["# what it reads", "columns = [\"id\"] # no more", "# the end", "limits = { rows = 9 }"] {
        assert!(text.contains(kept), "{kept} is gone:\n{text}");
    }
    assert!(allow::replace(&before, "slow", Path::new("new.wasm"), OTHER, &APPROVAL).is_err());
}

#[test]
fn the_lines_for_what_was_denied_hold_what_was_granted_and_what_was_not() {
    let grants = Grants { columns: vec!["id"], ..Grants::none() };
    let denials = [
        ("read", "log.audit_events.actor_id"),
        ("read", "log.audit_events.payload_offset"),
        ("function", "UPPER"),
        ("pragma", "table_info"),
        ("read", "log.audit_events.action"),
    ];
    let lines = lines::for_denials("fast", &grants, denials.into_iter()).unwrap();
    assert_eq!(
        lines,
        "[strategy.fast]\ncolumns = [\"id\", \"action\", \"actor_id\"]\nfunctions = [\"upper\"]\n"
    );
    assert_eq!(
        lines::for_denials("fast", &grants, [("pragma", "x")].into_iter()),
        None,
        "no policy grants that"
    );
    assert_eq!(lines::for_denials("keyset", &grants, denials.into_iter()), None, "built in");
}
