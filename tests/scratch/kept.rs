//! `scratch list` and `scratch drop`: what is kept is shown, and nothing that somebody uses is let go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use super::{page, scratch_folder};
use crate::support::writer::{Conversation, Model, ids, whole_log};
use crate::support::{Place, code, stderr, stdout};

/// A log of so many events, in a folder of that name.
pub(super) fn log(place: &Place, name: &str, rows: u64) -> PathBuf {
    let folder = place.path(name);
    let made = place.run(&folder, &["seed", "--rows", &rows.to_string()]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    folder
}

/// Runs `scratch` with these words and --json: the exit code and what it printed.
pub(super) fn scratch(place: &Place, words: &[&str]) -> (i32, Value) {
    let ran = place.keyhole().arg("scratch").args(words).arg("--json").output().unwrap();
    let said = if stdout(&ran).is_empty() { stderr(&ran) } else { stdout(&ran) };
    (code(&ran), serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")))
}

/// What is listed of the scratch of the log in that folder; null where it has none.
pub(super) fn listed(place: &Place, data: &Path) -> Value {
    let (code, listed) = scratch(place, &["list"]);
    assert_eq!(code, 0);
    let database = data.canonicalize().unwrap().join("audit.db").display().to_string();
    let mut lines = listed["scratch"].as_array().unwrap().iter();
    lines
        .find(|line| line["log"] == database && line["strategies"][0] != "native-keyset")
        .cloned()
        .unwrap_or_default()
}

#[test]
fn what_is_kept_is_listed_with_whose_it_is_and_how_much_it_covers() {
    let place = Place::new();
    assert_eq!(scratch(&place, &["list"]).1["scratch"], json!([]), "no cache is an empty one");
    let (small, large) = (log(&place, "a", 300), log(&place, "b", 2_000));
    let native = place.run(&small, &["page", "native-keyset"]);
    assert_eq!(code(&native), 0, "{}", stderr(&native));
    page(&place, &small, 1);
    page(&place, &large, 1);

    let (_, all) = scratch(&place, &["list"]);
    let lines = all["scratch"].as_array().unwrap();
    assert_eq!(lines.len(), 3, "{all}");
    assert_eq!(lines[0], listed(&place, &large), "the last used stands first");
    for (data, rows, names) in [(&small, 300, json!(["keyset"])), (&large, 2_000, json!(["keyset"]))] {
        let line = listed(&place, data);
        assert_eq!((&line["covered"], &line["strategies"]), (&json!(rows), &names), "{line}");
        assert_eq!((&line["in_use"], &line["trouble"]), (&json!(false), &Value::Null), "{line}");
        let folder = place.path("cache/scratch").join(line["folder"].as_str().unwrap());
        assert!(line["bytes"].as_u64() >= Some(fs::metadata(folder.join("scratch.db")).unwrap().len()));
    }
    let sum: u64 = lines.iter().map(|line| line["bytes"].as_u64().unwrap()).sum();
    assert_eq!((&all["bytes"], &all["total"]), (&json!(sum), &json!(4_u64 << 30)));

    let mut conversation = Conversation::start(&place, &small, "keyset");
    conversation.ask(&whole_log(1, 50));
    assert_eq!(listed(&place, &small)["in_use"], true);
    let words = stdout(&place.keyhole().args(["scratch", "list"]).output().unwrap());
    for word in ["3 kept", "native-keyset", "2,000", "yes"] {
        assert!(words.contains(word), "{word:?} is not in {words}");
    }
    conversation.end();
    assert_eq!(listed(&place, &small)["in_use"], false);
}

#[test]
fn one_that_a_reader_has_open_is_not_let_go_and_is_once_the_reader_was_killed() {
    let place = Place::new();
    let data = log(&place, "a", 2_000);
    let model = Model::of(&data);
    let mut reader = Conversation::start(&place, &data, "keyset");
    reader.ask(&whole_log(1, 50));
    for words in [&["drop", "keyset"][..], &["drop", "--all"]] {
        let (code, said) = scratch(&place, words);
        assert_eq!((code, &said["dropped"], &said["in_use"][0]["covered"]), (1, &json!([]), &json!(2_000)));
        let query = whole_log(7, 50);
        assert_eq!(ids(&reader.ask(&query)), model.ids(&query, i64::MAX));
    }
    let refused = place.keyhole().args(["scratch", "drop", "keyset"]).output().unwrap();
    assert_eq!(code(&refused), 1);
    assert!(stdout(&refused).contains("in use, so it stays"), "{}", stdout(&refused));
    // SIGKILL: nothing of the process's own can give the lock back.
    drop(reader);
    let (code, said) = scratch(&place, &["drop", "keyset"]);
    assert_eq!(
        (code, &said["dropped"][0]["covered"], &said["in_use"]),
        (0, &json!(2_000), &json!([])),
        "{said}"
    );
    assert_eq!(fs::read_dir(place.path("cache/scratch")).unwrap().count(), 0);
    assert_eq!(page(&place, &data, 3), model.ids(&whole_log(3, 50), i64::MAX), "it is filled anew");
}

#[test]
fn a_name_that_fits_several_names_none_unless_all_are_meant() {
    let place = Place::new();
    let (first, second) = (log(&place, "a", 200), log(&place, "b", 300));
    page(&place, &first, 1);
    page(&place, &second, 1);
    let line = listed(&place, &first);
    let (folder, digest) = (line["folder"].as_str().unwrap(), line["digest"].as_str().unwrap());
    let bare = digest.strip_prefix("sha256:").unwrap();
    for name in ["keyset", digest, &digest[..15], &bare[..4]] {
        let (code, said) = scratch(&place, &["drop", name]);
        assert_eq!((code, &said["code"]), (2, &json!("bad-request")), "{name}: {said}");
        let words = said["message"].as_str().unwrap();
        assert!(words.contains("fits 2") && words.contains(folder) && words.contains("--all"), "{words}");
    }
    for name in ["baseline", &bare[..3], &folder[..16], "", "..", "/"] {
        let (code, said) = scratch(&place, &["drop", name]);
        assert_eq!((code, &said["code"]), (2, &json!("bad-request")), "{name}: {said}");
        assert!(said["message"].as_str().unwrap().starts_with("there is no scratch"), "{said}");
    }
    let (code, said) = scratch(&place, &["drop"]);
    assert_eq!((code, &said["code"]), (2, &json!("bad-request")), "{said}");
    let (code, said) = scratch(&place, &["drop", folder]);
    assert_eq!((code, &said["dropped"][0]["folder"]), (0, &json!(folder)), "{said}");
    assert_eq!((listed(&place, &first), &listed(&place, &second)["covered"]), (Value::Null, &json!(300)));
    page(&place, &first, 1);
    let (code, said) = scratch(&place, &["drop", "keyset", "--all"]);
    assert_eq!((code, said["dropped"].as_array().unwrap().len()), (0, 2), "{said}");
}

#[test]
fn a_damaged_or_hostile_description_is_told_and_harms_nobody() {
    let place = Place::new();
    let data = log(&place, "a", 500);
    let model = Model::of(&data);
    page(&place, &data, 1);
    let folder = scratch_folder(&place);
    let (about, name) = (folder.join("about.json"), folder.file_name().unwrap().to_str().unwrap().to_owned());
    let whole = fs::read(&about).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        (0..whole.len()).step_by(9).map(|length| whole[..length].to_vec()).collect();
    damaged.extend([vec![0xff; 100], vec![b'['; 100_000], b"{\"format\":2}".to_vec()]);
    for bytes in damaged {
        fs::write(&about, &bytes).unwrap();
        let (code, said) = scratch(&place, &["list"]);
        let line = &said["scratch"][0];
        assert_eq!((code, &line["folder"], &line["covered"]), (0, &json!(name), &Value::Null), "{said}");
        assert!(line["trouble"].as_str().unwrap().starts_with("about.json"), "{said}");
    }
    fs::remove_file(&about).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &about).unwrap();
    assert!(scratch(&place, &["list"]).1["scratch"][0]["trouble"].is_string());
    fs::remove_file(&about).unwrap();
    let hostile = json!({
        "format": 1, "strategies": ["\u{1b}[2Jkeyset"], "digest": "é", "log": "\u{202e}x\n", "covered": u64::MAX,
    });
    fs::write(&about, hostile.to_string()).unwrap();
    let shown = place.keyhole().args(["scratch", "list"]).output().unwrap();
    assert_eq!(code(&shown), 0);
    assert!(!stdout(&shown).contains(['\u{1b}', '\u{202e}']), "{}", stdout(&shown));
    // Its strategy writes it anew.
    assert_eq!(page(&place, &data, 2), model.ids(&whole_log(2, 50), i64::MAX));
    assert_eq!(listed(&place, &data)["covered"], 500);
    fs::write(&about, b"x").unwrap();
    assert_eq!(scratch(&place, &["drop", &name]).0, 0, "and its folder's name names it still");
    assert!(!folder.exists());
}

#[test]
fn what_is_no_scratch_is_neither_listed_nor_let_go() {
    let place = Place::new();
    let data = log(&place, "a", 100);
    page(&place, &data, 1);
    let root = place.path("cache/scratch");
    let elsewhere = place.path("elsewhere");
    let link = root.join("0123456789abcdef-0123456789abcdef");
    for folder in [&root.join("notes"), &elsewhere] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("mine"), b"mine").unwrap();
    }
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    assert_eq!(scratch(&place, &["list"]).1["scratch"].as_array().unwrap().len(), 1);
    let (code, said) = scratch(&place, &["drop", "--all"]);
    assert_eq!((code, said["dropped"].as_array().unwrap().len()), (0, 1));
    assert!(link.is_symlink());
    for folder in [root.join("notes"), elsewhere] {
        assert_eq!(fs::read(folder.join("mine")).unwrap(), b"mine");
    }
}

#[test]
fn pages_stay_right_while_scratch_is_let_go_again_and_again() {
    let place = Place::new();
    let data = log(&place, "a", 1_000);
    let model = Model::of(&data);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drops = scope.spawn(|| {
            let mut dropped = 0;
            while !over.load(Relaxed) {
                let (_, said) = scratch(&place, &["drop", "--all"]);
                dropped += said["dropped"].as_array().map_or(0, Vec::len);
            }
            dropped
        });
        let pages = || {
            (1..=20).all(|number| page(&place, &data, number) == model.ids(&whole_log(number, 50), i64::MAX))
        };
        let right = std::panic::catch_unwind(std::panic::AssertUnwindSafe(pages));
        over.store(true, Relaxed);
        assert!(right.unwrap());
        assert!(drops.join().unwrap() > 0, "nothing was let go meanwhile");
    });
}
