//! The log is alive: pages stay exact while CPython's `sqlite3` appends to it, refreshes included, and
//! its commits do not wait for Keyhole's readers.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use keyhole_log::Log;
use keyhole_log::dataset::Random;
use keyhole_log::grants::Instances;
use keyhole_log::model::Pager;
use keyhole_runtime::page::Worker;
use keyhole_runtime::page::parse;
use keyhole_runtime::registry;
use serde_json::{Value, json};

use crate::support::writer::{Commit, Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, SetOnDrop};

/// A request like any that a client may send, over a log whose times lie in the contract's month.
fn any_request(random: &mut Random) -> Value {
    let (newest, day) = (1_767_052_800, 86_400);
    let to_ts = newest + 2 * day - random.randint(0, 20) * day;
    let actor_id = (random.below(4) == 0).then(|| random.randint(1, 2000));
    let action = (random.below(3) == 0).then(|| *random.choice(&["LOGIN", "UPDATE", "EXPORT", "NONE"]));
    json!({
        "from_ts": to_ts - random.randint(0, 30) * day, "to_ts": to_ts, "actor_id": actor_id, "action": action,
        "page": if actor_id.is_some() { random.randint(1, 2) } else { random.randint(1, 200) },
        "page_size": *random.choice(&[10, 20, 50]),
    })
}

/// How often the conversations' scratch was refreshed is not told; that it must have been, is: more
/// events were appended than may lie uncovered.
const APPENDED: u32 = 2_600;

#[test]
fn pages_of_both_strategies_are_equal_at_every_snapshot_while_a_writer_appends() {
    let place = Place::new();
    let data = place.own_data();
    let mut model = Model::of(&data);
    let mut random = Random::new(3);
    let mut keyset = Conversation::start(&place, &data, "keyset");
    let mut baseline = Conversation::start(&place, &data, "baseline");
    keyset.ask(&whole_log(1, 10));

    let mut writer = Writer::start(&data);
    writer.order(&format!("append {APPENDED} 5 2"));
    let mut snapshots = 0;
    let mut writing = true;
    while writing {
        let Some(commit) = writer.commit() else { break };
        model.add(&commit.events);
        let before = model.high_water();
        let mut query = any_request(&mut random);

        // The newest event that both have seen: from here on one log for both.
        query["up_to"] = json!(before);
        let (one, other) = (keyset.ask(&query), baseline.ask(&query));
        assert_eq!(one["events"], other["events"], "{query}");
        assert_eq!(ids(&one), model.ids(&query, before), "{query}");

        // Whatever log it sees: one that ended with one of the commits since.
        query.as_object_mut().unwrap().remove("up_to");
        let page = ids(&keyset.ask(&query));
        let mut bounds = vec![before];
        loop {
            let Some(commit) = writer.commit() else {
                // Said once: asking again would wait for ever.
                writing = false;
                break;
            };
            model.add(&commit.events);
            bounds.push(model.high_water());
            let seen = bounds.iter().any(|&bound| model.ids(&query, bound) == page);
            if seen && bounds.len() > 1 {
                break;
            }
            assert!(bounds.len() < 200, "no snapshot of the log has this page: {query}\n{page:?}");
        }
        assert!(bounds.iter().any(|&bound| model.ids(&query, bound) == page), "{query}\n{page:?}");
        snapshots += 1;
    }
    assert!(snapshots > 20, "{snapshots}");
    println!("{snapshots} snapshots compared over {APPENDED} appended events");

    // And when it has stopped, every kind of request once more.
    for _ in 0..100 {
        let query = any_request(&mut random);
        let page = keyset.ask(&query);
        assert_eq!(ids(&page), model.ids(&query, i64::MAX), "{query}");
        assert_eq!(page["events"], baseline.ask(&query)["events"], "{query}");
    }
    keyset.end();
    baseline.end();
}

#[test]
fn a_conversation_takes_in_what_was_appended_once_it_is_too_much_to_read_each_time() {
    let place = Place::new();
    let data = place.own_data();
    let mut keyset = Conversation::start(&place, &data, "keyset");
    keyset.ask(&whole_log(1, 10));
    Writer::start(&data).append(APPENDED);
    // The first page after it starts the refresh beside the pages.
    let covered = std::iter::repeat_with(|| {
        keyset.ask(&whole_log(1, 10));
        std::thread::sleep(std::time::Duration::from_millis(20));
        covered(&place)
    });
    let full = 50_000 + i64::from(APPENDED);
    assert_eq!(covered.take(500).find(|&covered| covered == full), Some(full));
    keyset.end();
}

/// How far the one scratch in the place's cache reaches.
fn covered(place: &Place) -> i64 {
    let folder = std::fs::read_dir(place.path("cache/scratch")).unwrap().next().unwrap().unwrap().path();
    let scratch = rusqlite::Connection::open(folder.join("scratch.db")).unwrap();
    scratch.query_row("SELECT last FROM keyhole_coverage", [], |row| row.get(0)).unwrap()
}

/// The waits of 150 commits of ten events each, beside a reader that never rests.
fn waits_beside(strategy: &str, deep: u64) -> Vec<f64> {
    let place = Place::new();
    let data = place.own_data();
    let mut reader = Conversation::start(&place, &data, strategy);
    reader.ask(&whole_log(1, 50));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut page = 1;
            while !over.load(Ordering::Relaxed) {
                page = page % deep + 1;
                reader.ask(&whole_log(page, 50));
            }
        });
        let _over = SetOnDrop(&over);
        waits(&data)
    })
}

fn waits(data: &Path) -> Vec<f64> {
    let commits: Vec<Commit> = Writer::start(data).carry_out("append 1500 10 10");
    let mut waits: Vec<f64> = commits.iter().map(|commit| commit.wait_ms).collect();
    waits.sort_unstable_by(f64::total_cmp);
    waits
}

#[test]
fn commits_wait_no_longer_beside_keyset_and_its_refresh_than_beside_an_offset_reader() {
    for attempt in 1..=3 {
        let (offset, keyset) = (waits_beside("native-baseline", 1000), waits_beside("keyset", 1000));
        let alone = {
            let place = Place::new();
            waits(&place.own_data())
        };
        println!("waits of {} commits, in ms     median   maximum", keyset.len());
        for (name, waits) in [("no reader", &alone), ("OFFSET reader", &offset), ("keyset, refresh", &keyset)]
        {
            println!("{name:<30} {:>8.2} {:>9.2}", waits[waits.len() / 2], waits[waits.len() - 1]);
        }
        if keyset[keyset.len() - 1] <= offset[offset.len() - 1] + 25.0 {
            return;
        }
        println!("attempt {attempt}: the longest wait is over the bound");
    }
    panic!("a commit waited more than 25 ms longer beside keyset than beside the OFFSET reader, three times");
}

/// SQLite lets a reader in without a look at the writer as long as another one of its process reads: readers
/// that overlap without end would keep the writer waiting until it gives up, after five seconds.
#[test]
fn readers_of_one_process_that_overlap_without_end_let_the_writer_in() {
    let place = Place::new();
    let data = place.small_data(3_000);
    let (engine, log) = (crate::support::engine(), Log::open(&data).unwrap());
    let reader = registry::strategy(&engine, "native-baseline").unwrap();
    let request = parse::request(&whole_log(20, 50).to_string(), None).unwrap();
    let over = AtomicBool::new(false);
    let commits = std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut worker = Worker::new(&engine, &reader, Instances::Fresh, &log, None);
                while !over.load(Ordering::Relaxed) {
                    worker.page(&request).unwrap();
                }
            });
        }
        let _over = SetOnDrop(&over);
        Writer::start(&data).carry_out("append 50 5 20")
    });
    let longest = commits.iter().map(|commit| commit.wait_ms).fold(0.0, f64::max);
    println!("longest wait of {} commits beside eight readers: {longest:.1} ms", commits.len());
    assert_eq!(commits.len(), 10);
}
