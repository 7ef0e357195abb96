//! Scratch may be deleted, damaged, copied or outgrown at any time: pages stay right.

mod changed;
mod kept;
mod total;

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyhole_log::Log;
use keyhole_log::grants::Instances;
use keyhole_log::grants::{Grants, KEY_COLUMNS};
use keyhole_log::limits::Ceilings;
use keyhole_log::model::Pager;
use keyhole_runtime::embedded;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::page::parse;
use keyhole_runtime::registry;
use keyhole_runtime::scratch::Scratch;
use keyhole_runtime::strategy::Strategy;
use serde_json::Value;

use crate::support::writer::{Conversation, Model, Writer, ids, whole_log};
use crate::support::{Place, code, digest, stderr, stdout};

/// Asks a new process for one page.
fn page(place: &Place, data: &Path, page: u64) -> Vec<i64> {
    let page = page.to_string();
    let output = place.run(data, &["page", "keyset", "--page", &page, "--page-size", "50"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    ids(&serde_json::from_str::<Value>(&stdout(&output)).unwrap())
}

fn assert_pages(place: &Place, data: &Path, model: &Model) {
    for number in [1, 2, 20] {
        assert_eq!(page(place, data, number), model.ids(&whole_log(number, 50), i64::MAX), "page {number}");
    }
}

/// The folder of the one scratch in the place's cache.
fn scratch_folder(place: &Place) -> PathBuf {
    let mut folders = fs::read_dir(place.path("cache/scratch")).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    assert!(folders.next().is_none());
    folder
}

#[test]
fn a_cache_that_is_deleted_between_requests_is_made_anew() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let model = Model::of(&data);
    assert_pages(&place, &data, &model);
    fs::remove_dir_all(place.path("cache")).unwrap();
    assert_pages(&place, &data, &model);
    fs::remove_file(scratch_folder(&place).join("scratch.db")).unwrap();
    assert_pages(&place, &data, &model);
}

#[test]
fn a_cache_that_is_deleted_during_a_conversation_is_made_anew() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let model = Model::of(&data);
    for strategy in ["keyset", "native-keyset"] {
        let mut conversation = Conversation::start(&place, &data, strategy);
        for number in 1..=6 {
            let query = whole_log(number, 50);
            assert_eq!(ids(&conversation.ask(&query)), model.ids(&query, i64::MAX));
            fs::remove_dir_all(place.path("cache")).unwrap();
        }
        conversation.end();
    }
}

#[test]
fn the_scratch_of_another_log_is_dropped() {
    let (place, other) = (Place::new(), Place::new());
    let (data, other_data) = (place.small_data(2_000), other.path("other"));
    let made = other.run(&other_data, &["seed", "--rows", "2000", "--now", "1600000000"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    page(&place, &data, 1);
    page(&other, &other_data, 1);
    fs::copy(scratch_folder(&other).join("scratch.db"), scratch_folder(&place).join("scratch.db")).unwrap();
    assert_pages(&place, &data, &Model::of(&data));
}

#[test]
fn a_write_ahead_log_that_was_left_behind_is_not_played_into_a_new_scratch() {
    let place = Place::new();
    let data = place.small_data(3_000);
    let mut conversation = Conversation::start(&place, &data, "keyset");
    conversation.ask(&whole_log(1, 50));
    let mut writer = Writer::start(&data);
    writer.append(1_200);
    let wal = scratch_folder(&place).join("scratch.db-wal");
    while fs::metadata(&wal).map_or(0, |file| file.len()) == 0 {
        conversation.ask(&whole_log(1, 50));
        std::thread::sleep(Duration::from_millis(5));
    }
    // As after a SIGKILL between the removal of the two files.
    let left = fs::read(&wal).unwrap();
    drop(conversation);
    fs::remove_file(scratch_folder(&place).join("scratch.db")).unwrap();
    fs::write(&wal, left).unwrap();
    assert_pages(&place, &data, &Model::of(&data));
}

#[test]
fn a_damaged_scratch_is_filled_anew_and_never_answers_wrongly() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let model = Model::of(&data);
    page(&place, &data, 1);
    let path = scratch_folder(&place).join("scratch.db");
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let damaged = |offset: usize, bytes: &[u8]| {
        let mut damaged = whole.clone();
        damaged[offset..offset + bytes.len()].copy_from_slice(bytes);
        damaged
    };
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), whole[..100].to_vec(), whole[..4096].to_vec()];
    cases.extend([pages / 4, pages / 2, pages - 1].map(|page| whole[..page * 4096].to_vec()));
    cases.extend([
        whole[..whole.len() - 1000].to_vec(),
        vec![b'x'; whole.len()],
        damaged(0, b"x"),
        damaged(18, &[9, 9]),
    ]);
    // The kind of a page, and a page blank, throughout the file.
    cases.extend((1..pages).step_by(5).map(|page| damaged(page * 4096, &[0xff])));
    cases.extend((0..pages).step_by(7).map(|page| damaged(page * 4096, &[0; 4096])));
    for (case, damaged) in cases.iter().enumerate() {
        fs::write(&path, damaged).unwrap();
        for number in [1, 20] {
            let found = page(&place, &data, number);
            assert_eq!(found, model.ids(&whole_log(number, 50), i64::MAX), "case {case}, page {number}");
        }
    }
}

#[test]
fn a_scratch_that_is_damaged_during_a_conversation_is_filled_anew() {
    let place = Place::new();
    let data = place.own_data();
    let model = Model::of(&data);
    page(&place, &data, 1);
    let path = scratch_folder(&place).join("scratch.db");
    let mut conversation = Conversation::start(&place, &data, "keyset");
    conversation.ask(&whole_log(1, 50));
    let file = fs::File::options().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    for page in 1..len / 4096 {
        file.write_all_at(&[0xff; 4096], page * 4096).unwrap();
    }
    conversation.assert_pages(&model, [500, 1, 777]);
    fs::File::options()
        .write(true)
        .open(scratch_folder(&place).join("scratch.db"))
        .unwrap()
        .set_len(8192)
        .unwrap();
    conversation.assert_pages(&model, [300, 2]);
    conversation.end();
}

#[test]
fn two_processes_that_start_on_an_empty_cache_both_answer() {
    let place = Place::new();
    let data = place.own_data();
    let model = Model::of(&data);
    let mut conversations: Vec<_> = (0..3).map(|_| Conversation::start(&place, &data, "keyset")).collect();
    for conversation in &mut conversations {
        let query = whole_log(40, 50);
        assert_eq!(ids(&conversation.ask(&query)), model.ids(&query, i64::MAX));
    }
    let names = fs::read_dir(scratch_folder(&place)).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with("filling")));
}

#[test]
fn late_arrivals_with_small_ids_are_noticed_at_the_next_refresh() {
    for strategy in ["keyset", "native-keyset"] {
        let place = Place::new();
        let data = place.small_data(3_000);
        let mut writer = Writer::start(&data);
        // A gap, as a writer leaves that draws its ids elsewhere.
        writer.carry_out("insert 3500 1766000000");
        let mut conversation = Conversation::start(&place, &data, strategy);
        conversation.ask(&whole_log(1, 50));
        writer.carry_out("insert 3200 1767052801");
        writer.carry_out("insert 3100 1766500000");
        writer.append(1_100);
        let model = Model::of(&data);
        let right = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            ids(&conversation.ask(&whole_log(1, 1000))) == model.ids(&whole_log(1, 1000), i64::MAX)
        });
        assert!(right, "{strategy}: the refresh has not taken in what came in below");
        conversation.assert_pages(&model, 1..=84);
        conversation.end();
        // A new process looks at once.
        writer.carry_out("insert 3300 1767052802");
        let model = Model::of(&data);
        assert_eq!(page(&place, &data, 3), model.ids(&whole_log(3, 50), i64::MAX));
    }
}

#[test]
fn thousands_of_events_that_another_process_appended_are_taken_in() {
    let place = Place::new();
    let data = place.own_data();
    let mut conversation = Conversation::start(&place, &data, "keyset");
    conversation.ask(&whole_log(1, 50));
    let mut model = Model::of(&data);
    let mut writer = Writer::start(&data);
    // Long enough for a page to read the tail itself, and too long for that.
    for events in [5_000, 12_000] {
        model.add(&writer.append(events));
        conversation.assert_pages(&model, [1, 400, 1_000]);
    }
    assert_pages(&place, &data, &model);
}

#[test]
fn an_empty_log_has_no_pages_until_its_first_events_arrive() {
    for strategy in ["keyset", "native-keyset", "baseline"] {
        let place = Place::new();
        let data = place.small_data(0);
        let mut conversation = Conversation::start(&place, &data, strategy);
        assert_eq!(conversation.ask(&whole_log(1, 50))["count"], 0);
        let mut writer = Writer::start(&data);
        for events in [1, 100, 2_000, 10] {
            writer.append(events);
            let model = Model::of(&data);
            conversation.assert_pages(&model, [1, 2, 40]);
        }
        conversation.end();
    }
}

#[test]
fn nobody_else_may_look_into_scratch() {
    let place = Place::new();
    let data = place.small_data(100);
    page(&place, &data, 1);
    for folder in [scratch_folder(&place), place.path("cache"), place.path("cache/scratch")] {
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
}

#[test]
fn a_strategy_that_outgrows_its_quota_stops_and_harms_nobody() {
    let place = Place::new();
    let data = place.own_data();
    let (engine, log) = (Engine::new(&Ceilings::default()).unwrap(), Log::open(&data).unwrap());
    let before = digest(&data.join("audit.db"));
    let full = 1 << 20;
    let grants = Grants { columns: KEY_COLUMNS.to_vec(), scratch_quota: full, ..Grants::local() };
    let sandboxed =
        Strategy::load(&engine, "keyset", Path::new("keyset"), embedded::KEYSET, grants.clone()).unwrap();
    let native = Strategy::native_keyset("native-keyset", embedded::KEYSET, grants);
    for strategy in [sandboxed, native] {
        let scratch = Scratch::new(&engine, &strategy, &log, &place.path("cache"), None);
        for _ in 0..2 {
            let error = scratch.ensure_filled().unwrap_err();
            assert_eq!((error.code(), error.exit_code()), ("scratch-full", 1), "{error}");
            let left: u64 = fs::read_dir(scratch.path().parent().unwrap())
                .unwrap()
                .map(Result::unwrap)
                .filter(|entry| entry.file_name() != "about.json")
                .map(|entry| entry.metadata().unwrap().len())
                .sum();
            assert_eq!(left, 0, "what was written is gone again");
        }
        let mut worker = Worker::new(&engine, &strategy, Instances::Fresh, &log, Some(scratch));
        let request = parse::request(&whole_log(1, 50).to_string(), None).unwrap();
        assert_eq!(worker.page(&request).unwrap_err().code(), "scratch-full");
    }
    let baseline = registry::strategy(&engine, "baseline").unwrap();
    let mut worker = Worker::new(&engine, &baseline, Instances::Fresh, &log, None);
    let request = parse::request(&whole_log(9, 50).to_string(), None).unwrap();
    assert_eq!(worker.page(&request).unwrap().len(), 50);
    assert_eq!(digest(&data.join("audit.db")), before);
}

#[test]
fn a_page_tells_what_taking_in_late_events_took_the_checkpoint_apart() {
    let place = Place::new();
    let data = place.small_data(2_000);
    let asked = |strategy: &str| {
        let output = place.run(&data, &["page", strategy, "--ledger", "--json"]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()["ledger"].take()
    };
    let filled = asked("keyset")["scratch"]["refreshed"].take();
    assert_eq!(
        (&filled["filled"], &filled["events"], &filled["wal_bytes"]),
        (&true.into(), &2_000.into(), &0.into())
    );
    assert!(filled["us"]["took"].as_f64() >= filled["us"]["transactions"].as_f64());
    assert_eq!(asked("keyset")["scratch"]["refreshed"], Value::Null, "nothing was taken in");

    let mut writer = Writer::start(&data);
    writer.append(1_000);
    drop(writer);
    let ledger = asked("keyset");
    let refreshed = &ledger["scratch"]["refreshed"];
    assert_eq!((&refreshed["filled"], &refreshed["events"]), (&false.into(), &1_000.into()), "{refreshed}");
    let number = |path: &str| refreshed.pointer(path).and_then(Value::as_f64).unwrap();
    assert!(number("/wal_bytes") > 10_000.0 && number("/us/checkpoint") > 0.0, "{refreshed}");
    assert!(number("/us/transactions") > 0.0 && number("/memory") > 0.0, "{refreshed}");
    assert_eq!(ledger["covered"], 3_000);
    assert!(ledger["scratch"]["bytes"].as_u64() > Some(100_000) && ledger["us"]["page"].is_f64(), "{ledger}");
    assert_eq!(asked("native-baseline")["scratch"], Value::Null);
}
