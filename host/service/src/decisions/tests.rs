use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A log with this many records.
fn log(records: usize) -> (tempfile::TempDir, Decisions) {
    let folder = tempfile::tempdir().unwrap();
    let log = Decisions::open(&folder.path().join("state"));
    for number in 0..records {
        log.record(&decision(number)).unwrap();
    }
    (folder, log)
}

fn decision(number: usize) -> Decision {
    Decision {
        digest: Some("sha256:ab".to_owned()),
        count: (number == 2).then_some(u64::MAX),
        by: (number == 1).then(|| "ada".to_owned()),
        ..Decision::new(Event::Load, "./fast.wasm", format!("number {number}, \"quoted\" \u{1b}[31m"))
    }
}

fn sound(log: &Decisions) -> bool {
    check(log, &[]).unwrap().sound
}

/// What a check finds once the log holds these bytes instead.
fn checked_with(log: &Decisions, bytes: impl AsRef<[u8]>) -> Checked {
    fs::write(log.path(), bytes).unwrap();
    check(log, &[]).unwrap()
}

fn lines(log: &Decisions) -> Vec<Vec<u8>> {
    fs::read(log.path()).unwrap().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn a_log_that_was_left_alone_is_sound_and_private() {
    let (folder, log) = log(4);
    let checked = check(&log, &[]).unwrap();
    assert!(checked.sound && checked.records == 4 && checked.repaired == 0, "{checked:?}");
    for (path, mode) in [(log.path(), 0o600), (log.head_path(), 0o600), (folder.path().join("state"), 0o700)]
    {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
    let mut seen = Vec::new();
    each(&log, |record| seen.push(record)).unwrap();
    assert_eq!(seen[1].who, "ada");
    assert!(seen[0].who.contains("uid"), "{}", seen[0].who);
    assert_eq!(seen[2].count, Some((1 << 53) - 1));
    assert!(seen[0].at.parse::<jiff::Timestamp>().is_ok());
    assert!(seen[0].reason.contains("\\u{1b}[31m"), "{}", seen[0].reason);
}

#[test]
fn every_flipped_bit_is_found() {
    let (_folder, log) = log(2);
    for path in [log.path(), log.head_path()] {
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(!sound(&log), "bit {bit} of {}: {:?}", path.display(), String::from_utf8_lossy(&flipped));
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(sound(&log));
}

#[test]
fn every_cut_is_found_at_the_end_too() {
    let (_folder, log) = log(3);
    let whole = fs::read(log.path()).unwrap();
    for length in 0..whole.len() {
        assert!(!checked_with(&log, &whole[..length]).sound, "cut to {length} bytes");
    }
    fs::remove_file(log.path()).unwrap();
    assert!(!sound(&log), "the whole log is gone");
}

#[test]
fn every_line_removed_repeated_exchanged_or_put_in_is_found_with_its_place() {
    let (_folder, log) = log(5);
    let whole = lines(&log);
    let first_fault_with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        let checked = checked_with(&log, lines.concat());
        assert!(!checked.sound && checked.head.is_none());
        (checked.faults[0].seq, checked.faults[0].line)
    };
    for at in 0..whole.len() {
        let place = u64::try_from(at).unwrap() + 1;
        let here = (place, place);
        assert_eq!(first_fault_with(&|lines| _ = lines.remove(at)), here, "removed {at}");
        let repeated = first_fault_with(&|lines| lines.insert(at, whole[at].clone()));
        assert_eq!(repeated, (place + 1, place + 1), "repeated {at}");
        for other in at + 1..whole.len() {
            assert_eq!(first_fault_with(&|lines| lines.swap(at, other)), here, "exchanged {at} and {other}");
        }
        assert_eq!(first_fault_with(&|lines| lines.insert(at, b"\n".to_vec())), here, "blank line at {at}");
    }
}

#[test]
fn an_edit_is_one_fault_with_line_and_byte() {
    let (_folder, log) = log(5);
    let mut edited = lines(&log);
    let text = String::from_utf8(edited[2].clone()).unwrap();
    edited[2] = text.replace("number 2", "number 3").into_bytes();
    let faults = checked_with(&log, edited.concat()).faults;
    let byte: usize = edited[..2].iter().map(Vec::len).sum();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!((faults[0].seq, faults[0].line, faults[0].byte), (3, 3, u64::try_from(byte).unwrap()));
    assert!(faults[0].what.contains("edited"), "{faults:?}");
}

#[test]
fn a_log_written_anew_is_found_by_a_head_kept_elsewhere() {
    let (_folder, log) = log(4);
    let kept: Head = check(&log, &[]).unwrap().head.unwrap().parse().unwrap();
    assert!(check(&log, std::slice::from_ref(&kept)).unwrap().sound);
    log.record(&decision(9)).unwrap();
    assert!(check(&log, std::slice::from_ref(&kept)).unwrap().sound, "the log may have gone on");

    // Whoever may write the folder can make a whole new chain, head and all.
    let forged = Decisions::open(tempfile::tempdir().unwrap().path());
    for number in 10..16 {
        forged.record(&decision(number)).unwrap();
    }
    fs::copy(forged.path(), log.path()).unwrap();
    fs::copy(forged.head_path(), log.head_path()).unwrap();
    assert!(sound(&log));
    let checked = check(&log, &[kept]).unwrap();
    assert!(checked.faults.len() == 1 && checked.faults[0].line == 4, "{checked:?}");
}

#[test]
fn a_broken_end_is_not_continued() {
    let (_folder, log) = log(3);
    let whole = fs::read(log.path()).unwrap();
    let two: usize = lines(&log)[..2].iter().map(Vec::len).sum();
    let mut edited = whole.clone();
    edited[two + 20] ^= 1;
    for (broken, why) in [
        (&whole[..two], "the last record is gone"),
        (&whole[..two + 10], "most of the last record is gone"),
        (&whole[..0], "all is gone"),
        (&edited[..], "the last record was edited"),
    ] {
        fs::write(log.path(), broken).unwrap();
        let error = log.record(&decision(7)).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("bad-decisions", 2), "{why}");
        assert_eq!(fs::read(log.path()).unwrap(), broken, "{why}: the evidence stays");
    }
    fs::write(log.path(), &whole).unwrap();
    log.record(&decision(7)).unwrap();
    assert!(sound(&log));
}

#[test]
fn an_append_that_was_cut_short_anywhere_is_passed_over_by_a_record() {
    let (_folder, log) = log(2);
    let (before, head) = (fs::read(log.path()).unwrap(), fs::read(log.head_path()).unwrap());
    log.record(&decision(2)).unwrap();
    let after = fs::read(log.path()).unwrap();
    for length in before.len() + 1..after.len() {
        fs::write(log.head_path(), &head).unwrap();
        let torn = checked_with(&log, &after[..length]);
        assert!(torn.faults.len() == 1 && torn.faults[0].torn, "{length}: {torn:?}");

        log.record(&decision(3)).unwrap();
        let checked = check(&log, &[]).unwrap();
        // Only the newline was missing: then the record is there.
        let repaired = u64::from(length < after.len() - 1);
        assert!(checked.sound && checked.repaired == repaired, "{length}: {checked:?}");
        assert!(fs::read(log.path()).unwrap().starts_with(&after[..length]), "the remains stay");
    }
}

#[test]
fn a_repair_that_was_cut_short_is_passed_over_as_well() {
    let (_folder, log) = log(1);
    let head = fs::read(log.head_path()).unwrap();
    let mut torn = fs::read(log.path()).unwrap();
    torn.extend_from_slice(b"{\"half");
    fs::write(log.path(), &torn).unwrap();
    log.record(&decision(1)).unwrap();
    let after = fs::read(log.path()).unwrap();
    for length in torn.len() + 1..after.len() {
        fs::write(log.path(), &after[..length]).unwrap();
        fs::write(log.head_path(), &head).unwrap();
        log.record(&decision(2)).unwrap();
        assert!(sound(&log), "{length}: {:?}", check(&log, &[]).unwrap());
        // A change of what was passed over is a change of the log.
        let mut changed = fs::read(log.path()).unwrap();
        changed[torn.len() - 1] ^= 1;
        assert!(!checked_with(&log, &changed).sound, "{length}");
    }
}

#[test]
fn a_lost_head_is_made_anew_only_over_a_sound_chain() {
    let (_folder, log) = log(3);
    fs::remove_file(log.head_path()).unwrap();
    assert!(sound(&log));
    log.record(&decision(3)).unwrap();
    assert!(log.kept_head().unwrap().is_some_and(|head| head.seq == 4));

    fs::remove_file(log.head_path()).unwrap();
    let mut edited = fs::read(log.path()).unwrap();
    edited[20] ^= 1;
    fs::write(log.path(), edited).unwrap();
    assert_eq!(log.record(&decision(4)).unwrap_err().code(), "bad-decisions");
}

#[test]
fn many_writers_make_one_chain() {
    let (_folder, log) = log(0);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    log.record(&decision(writer * 10 + number)).unwrap();
                }
            });
        }
    });
    let checked = check(&log, &[]).unwrap();
    assert!(checked.sound && checked.records == 80, "{checked:?}");
}

#[test]
fn no_decision_makes_a_line_too_long_or_two_lines() {
    let (_folder, log) = log(0);
    for text in ["\u{1b}", "\u{10ffff}", "\"", "\\", "\n", "é", "\u{202e}"] {
        let text = text.repeat(100_000);
        let long = Decision {
            event: Event::Refuse,
            strategy: text.clone(),
            digest: Some(text.clone()),
            policy: Some(text.clone()),
            by: Some(text.clone()),
            reason: text.clone(),
            request: Some(text.clone()),
            count: Some(3),
        };
        log.record(&long).unwrap();
    }
    let lines = lines(&log);
    assert!(lines.len() == 7 && lines.iter().all(|line| line.len() < super::record::MOST_LINE / 2));
    assert!(sound(&log));
}

#[test]
fn a_link_in_the_place_of_the_log_is_not_followed() {
    let (folder, log) = log(0);
    let target = folder.path().join("target");
    fs::write(&target, "").unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    std::os::unix::fs::symlink(&target, log.path()).unwrap();
    assert!(log.record(&decision(0)).is_err());
    assert_eq!(fs::read(&target).unwrap(), b"");
}

#[test]
fn a_head_is_written_as_it_is_read() {
    let (_folder, log) = log(1);
    let head = log.kept_head().unwrap().unwrap();
    assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
    let others = [head.to_string().to_uppercase(), format!("+{head}"), format!("{head} ")];
    for bad in ["", "1", ":", "0:00", "1:zz"].into_iter().chain(others.iter().map(String::as_str)) {
        assert!(bad.parse::<Head>().is_err(), "{bad}");
    }
}
