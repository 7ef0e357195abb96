//! A writer beside pages, through every change of its journal mode.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::writer::{Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, SetOnDrop};

use super::{MODES, patience};

/// How long a commit may take beside a reader: `log_lock`, and what a busy machine adds.
const LONGEST: f64 = 1_000.0;

#[test]
fn a_writer_in_any_journal_mode_never_fails_beside_pages_which_see_each_commit() {
    for mode in MODES {
        for strategy in ["keyset", "native-baseline"] {
            let place = Place::new();
            let data = place.small_data(300);
            let mut model = Model::of(&data);
            let mut writer = Writer::start(&data);
            writer.tell(&format!("mode {mode}"));
            let mut reader = Conversation::under(&place, &data, strategy, &patience(&place));
            for _ in 0..20 {
                for commit in writer.carry_out("append 6 2 0") {
                    assert!(commit.wait_ms < LONGEST, "{mode}, {strategy}: {} ms", commit.wait_ms);
                    model.add(&commit.events);
                }
                reader.assert_pages(&model, [1, 2]);
            }
            if mode == "wal" {
                writer.tell("checkpoint TRUNCATE");
                assert_eq!(std::fs::metadata(data.join("audit.db-wal")).unwrap().len(), 0);
                reader.assert_pages(&model, [1]);
            }
            reader.end();
        }
    }
}

#[test]
fn one_reader_follows_its_writer_through_opening_closing_checkpoints_and_every_change_of_mode() {
    for strategy in ["keyset", "native-keyset", "native-baseline"] {
        let place = Place::new();
        let data = place.small_data(300);
        let mut model = Model::of(&data);
        let mut writer = Writer::start(&data);
        let mut reader = Conversation::under(&place, &data, strategy, &patience(&place));
        reader.assert_pages(&model, [1]);
        for order in [
            "mode wal",
            "reopen",
            "checkpoint PASSIVE",
            "mode delete",
            "mode wal",
            "checkpoint TRUNCATE",
            "reopen",
            "mode persist",
            "reopen",
            "mode wal",
            "checkpoint RESTART",
            "mode truncate",
            "mode memory",
            "mode wal",
            "reopen",
            "reopen",
            "mode off",
            "mode delete",
        ] {
            writer.tell(order);
            reader.assert_pages(&model, [1]);
            model.add(&writer.append(3));
            reader.assert_pages(&model, [1, 2]);
        }
        writer.tell("close");
        reader.assert_pages(&model, [1]);
        reader.end();
    }
}

/// A program that opens the log for each event and closes it again: in WAL mode it makes and removes the side files
/// each time.
#[test]
fn a_writer_that_opens_and_closes_for_each_event_neither_fails_nor_finds_a_file_of_ours() {
    let place = Place::new();
    let data = place.small_data(300);
    let mut model = Model::of(&data);
    let mut writer = Writer::start(&data);
    writer.tell("mode wal");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (place, data, over) = (&place, &data, &over);
        scope.spawn(move || {
            let _over = SetOnDrop(over);
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(6) {
                model.add(&writer.append(1));
                writer.tell("reopen");
            }
            writer.tell("close");
            // By now nobody reads in WAL mode for longer than a page.
            let mut reader = Conversation::under(place, data, "native-baseline", &patience(place));
            reader.assert_pages(&model, [1]);
            reader.end();
        });
        scope.spawn(move || {
            let mut reader = Conversation::under(place, data, "native-baseline", &patience(place));
            while !over.load(SeqCst) {
                let page = ids(&reader.ask(&whole_log(1, 20)));
                assert_eq!(page.len(), 20);
            }
            reader.end();
        });
    });
    // A last one, beside whom nobody reads, tidies up.
    Writer::start(&data).tell("reopen");
    let left: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
