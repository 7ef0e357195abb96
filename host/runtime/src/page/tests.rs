//! The checks of a page on a real log: what an answer that is not the page betrays.

use std::time::Duration;

use keyhole_log::Log;
use keyhole_log::dataset;
use keyhole_log::error::{Error, Lie, PayloadFault};
use keyhole_log::grants::{Grants, KEY_COLUMNS};
use keyhole_log::limits::Limits;
use keyhole_log::model::{Filter, Key, PageRequest, Position};
use keyhole_log::session::Session;
use keyhole_log::value::Value;
use tempfile::TempDir;

use crate::page::check;
use crate::page::judge::{self, Stop};

fn log_of(rows: u64) -> (TempDir, Log) {
    let folder = tempfile::tempdir().unwrap();
    dataset::seed(folder.path(), 1_767_052_800, rows, true, &mut |_| Ok(())).unwrap();
    let log = Log::open(folder.path()).unwrap();
    (folder, log)
}

fn session(log: &Log, limits: Limits) -> Session {
    let mut session =
        Session::for_pages(log, None, &Grants { columns: KEY_COLUMNS.to_vec(), limits, ..Grants::local() })
            .unwrap();
    session.begin().unwrap();
    session
}

fn asked(from_ts: i64, to_ts: i64, position: Position, page_size: u32) -> PageRequest {
    let filter = Filter { from_ts, to_ts, actor_id: None, action: None };
    PageRequest { filter, position, page_size, up_to: None }
}

/// The log's keys, newest first.
fn keys(session: &mut Session) -> Vec<Key> {
    let sql = "SELECT created_at, id FROM audit_events ORDER BY created_at DESC, id DESC";
    let cells = session.query(sql, &[]).unwrap().cells;
    let integer = |cell: &Value| match cell {
        Value::Integer(integer) => *integer,
        other => panic!("{other:?}"),
    };
    cells.chunks(2).map(|row| Key { created_at: integer(&row[0]), id: integer(&row[1]) }).collect()
}

fn lie(session: &Session, request: &PageRequest, claims: &[Key]) -> Option<Lie> {
    let ids: Vec<i64> = claims.iter().map(|key| key.id).collect();
    match check::read(session.snapshot(), request, &ids) {
        Ok(_) => None,
        Err(Error::Lied { kind, .. }) => Some(kind),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_run_of_neighbours_outside_the_window_or_before_the_cursor_is_no_page() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let all = keys(&mut session);
    let cut = (101..1_900).find(|&at| all[at - 1].created_at != all[at].created_at).unwrap();
    let (older, newer) = (all[cut].created_at, all[cut - 1].created_at);
    for page in [1, 2] {
        let after_all = asked(newer, i64::MAX, Position::Page(page), 20);
        assert!(lie(&session, &after_all, &all[cut..cut + 20]).is_some(), "older than the window");
        let before_all = asked(i64::MIN, older, Position::Page(page), 20);
        assert!(lie(&session, &before_all, &all[cut - 20..cut]).is_some(), "newer than the window");
    }
    let cursor = asked(i64::MIN, i64::MAX, Position::After(all[50]), 20);
    assert!(lie(&session, &cursor, &all[50..70]).is_some());
    assert!(lie(&session, &cursor, &all[50..52]).is_some());
    let of_one = |request: PageRequest| PageRequest {
        filter: Filter { action: Some("nothing".to_owned()), ..request.filter },
        ..request
    };
    assert_eq!(lie(&session, &of_one(cursor), &[]), None);
}

#[test]
fn without_a_filter_an_early_end_is_seen_however_much_is_left_out() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let all = keys(&mut session);
    let first = asked(i64::MIN, i64::MAX, Position::Page(1), 50);
    let next = asked(i64::MIN, i64::MAX, Position::After(all[9]), 50);
    for (request, claims) in
        [(&first, &all[..0]), (&first, &all[..7]), (&next, &all[..0]), (&next, &all[10..12])]
    {
        assert_eq!(lie(&session, request, claims), Some(Lie::EarlyEnd));
    }
    assert_eq!(lie(&session, &next, &all[10..60]), None);
    assert_eq!(lie(&session, &asked(i64::MIN, i64::MAX, Position::After(all[1_999]), 50), &[]), None);
}

#[test]
fn an_event_left_out_late_in_a_long_page_is_missed() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let mut claims = keys(&mut session);
    claims.remove(800);
    let request = asked(i64::MIN, i64::MAX, Position::Page(1), 1_000);
    assert_eq!(lie(&session, &request, &claims[..1_000]), Some(Lie::DroppedEvent));
}

#[test]
fn a_second_with_very_many_events_is_paged_through() {
    let (folder, log) = log_of(10);
    let writer = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
    let many = "WITH RECURSIVE n(i) AS (VALUES (11) UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
        INSERT INTO audit_events SELECT i, 9999999999, 1, 'A', 'B', 'C', 0, 1 FROM n";
    writer.execute_batch(many).unwrap();
    drop(writer);
    let session = session(&log, Limits { log_lock: Duration::from_mins(1), ..Limits::default() });
    let key = |id| Key { created_at: 9_999_999_999, id };
    let claims: Vec<Key> = (30..50).rev().map(key).collect();
    let deep = asked(i64::MIN, i64::MAX, Position::Page(19_998), 20);
    assert_eq!(lie(&session, &deep, &claims), None);
    let ids: Vec<i64> = claims.iter().map(|key| key.id).collect();
    let next = asked(i64::MIN, i64::MAX, Position::After(key(50)), 20);
    assert!(!check::read(session.snapshot(), &next, &[]).unwrap().proved, "what was not read proves nothing");
    assert_eq!(check::read(session.snapshot(), &next, &ids).unwrap().len(), 20);
}

/// A strategy may read the payload of any event, and report one that is corrupt, in order to lead a walk past others.
#[test]
fn only_an_event_of_the_page_has_a_place_from_which_a_walk_goes_on() {
    let (_folder, log) = log_of(2_000);
    let mut session = session(&log, Limits::default());
    let all = keys(&mut session);
    let placed = |request: &PageRequest, claims: &[Key], event: Key| {
        let (fault, why) = (PayloadFault::NotJson, String::new());
        let error = Error::PayloadCorrupt { id: event.id, fault, why, after: Some(event) };
        let ids: Vec<i64> = claims.iter().map(|key| key.id).collect();
        let error = check::place(session.snapshot(), request, &ids, error);
        assert_eq!((error.hidden(), error.code()), (Some(event.id), "payload-corrupt"));
        error.unshown().map(|place| (place.before, place.start, place.after, place.up_to))
    };
    let place = |first: Key, before: u32, event: Key| Some((before, first.just_before(), event, 2_000));
    let first = asked(i64::MIN, i64::MAX, Position::Page(1), 50);
    assert_eq!(placed(&first, &[], all[7]), place(all[0], 7, all[7]));
    assert_eq!(placed(&first, &all[..50], all[49]), place(all[0], 49, all[49]));
    assert_eq!(placed(&first, &all[50..100], all[50]), None, "it is on the next page");
    assert_eq!(placed(&first, &[all[1_200]], all[1_200]), None);
    let next = asked(i64::MIN, i64::MAX, Position::After(all[9]), 20);
    assert_eq!(placed(&next, &[], all[10]), place(all[10], 0, all[10]));
    assert_eq!(placed(&next, &[], all[9]), None, "it was on the page before");
    // Of a page by number the host knows what the strategy claims, if that passes as a page.
    let third = asked(i64::MIN, i64::MAX, Position::Page(3), 50);
    assert_eq!(placed(&third, &all[100..150], all[110]), place(all[100], 10, all[110]));
    assert_eq!(placed(&third, &[], all[110]), None);
    let mut swapped = all[100..150].to_vec();
    swapped.swap(3, 4);
    assert_eq!(placed(&third, &swapped, all[110]), None);
    assert_eq!(placed(&third, &[&all[100..109], &all[110..151]].concat(), all[110]), None);
}

/// A log in which event 100 has a real time, its keys but for that event, and a session with a scratch that knows so.
fn quarantined() -> (TempDir, Session, Vec<Key>, i64) {
    let (folder, log) = log_of(200);
    let writer = rusqlite::Connection::open(folder.path().join("audit.db")).unwrap();
    let second: i64 =
        writer.query_row("SELECT created_at FROM audit_events WHERE id = 100", [], |row| row.get(0)).unwrap();
    // Two more share its second: one before it in the order of ids, one after.
    writer.execute("UPDATE audit_events SET created_at = ?1 WHERE id IN (99, 101)", [second]).unwrap();
    writer.execute("UPDATE audit_events SET created_at = created_at + 0.5 WHERE id = 100", []).unwrap();
    let engine = crate::engine::Engine::new(&keyhole_log::limits::Ceilings::default()).unwrap();
    let grants = Grants { columns: KEY_COLUMNS.to_vec(), ..Grants::local() };
    let strategy = crate::strategy::Strategy::native_keyset("native-keyset", b"", grants.clone());
    let scratch = crate::scratch::Scratch::new(&engine, &strategy, &log, folder.path(), None);
    scratch.refresh().unwrap();
    let mut session = Session::for_pages(&log, Some(scratch.path().to_owned()), &grants).unwrap();
    session.begin().unwrap();
    let mut bare = Session::for_pages(&log, None, &grants).unwrap();
    bare.begin().unwrap();
    let sql = "SELECT created_at, id FROM audit_events WHERE id <> 100 ORDER BY created_at DESC, id DESC";
    let cells = bare.query(sql, &[]).unwrap().cells;
    let integer =
        |cell: &Value| if let Value::Integer(integer) = cell { *integer } else { panic!("{cell:?}") };
    let keys =
        cells.chunks(2).map(|row| Key { created_at: integer(&row[0]), id: integer(&row[1]) }).collect();
    (folder, session, keys, second)
}

/// What comes of these claims: the ids shown, or the error's code and the event that it names.
fn judged(
    session: &mut Session,
    request: &PageRequest,
    claims: Result<&[i64], Error>,
) -> Result<Vec<i64>, String> {
    session.begin().unwrap();
    let page = judge::page(session, request, claims.map(<[i64]>::to_vec), true);
    session.finish();
    match page {
        Ok(page) => Ok(page.ids().collect()),
        Err(Stop::OddTail) => Err("odd tail".to_owned()),
        Err(Stop::Error(error)) => {
            Err(format!("{} {}", error.observed(), error.event().map_or(0, |(id, _)| id)))
        }
    }
}

#[test]
fn an_odd_event_excuses_no_claim_but_what_its_stand_in_explains() {
    let (_folder, mut session, keys, second) = quarantined();
    let at = keys.iter().position(|key| key.created_at == second).unwrap();
    let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
    // In the log the odd event comes before its second's, in the feed between the two others.
    assert_eq!(ids[at..at + 2], [101, 99]);
    let window = |position, page_size| asked(i64::MIN, i64::MAX, position, page_size);
    let after = |place: usize| Position::After(keys[place]);
    let bad_cell = || Error::BadCell { event: 100, column: "created_at", found: String::new(), after: None };

    // A page with the odd event on it fails by its name, whatever is claimed of it in good faith.
    let holds = window(after(at - 2), 3);
    for claims in [&[ids[at - 1], 100, 101][..], &[ids[at - 1], 101, 100]] {
        assert_eq!(judged(&mut session, &holds, Ok(claims)), Err("bad-cell 100".to_owned()));
    }
    // Where the feed's order puts the odd event on a page that does not hold it, the reference answers.
    let behind = window(after(at), 2);
    assert_eq!(judged(&mut session, &behind, Ok(&[100, 99])), Ok(ids[at + 1..at + 3].to_vec()));
    assert!(session.ledger.by_reference);
    assert_eq!(judged(&mut session, &behind, Err(bad_cell())), Ok(ids[at + 1..at + 3].to_vec()));
    // Elsewhere the odd event is no excuse.
    let first = window(Position::Page(1), 3);
    assert_eq!(judged(&mut session, &first, Ok(&ids[..3])), Ok(ids[..3].to_vec()));
    assert!(!session.ledger.by_reference);
    for claims in
        [&[ids[0], ids[1], 100][..], &[ids[0], 100, ids[2]], &[ids[0], ids[2], ids[3]], &[ids[0]], &[]]
    {
        let said = judged(&mut session, &first, Ok(claims)).unwrap_err();
        assert!(said.starts_with("lie:"), "{claims:?}: {said}");
    }
    for claims in [&[100, 100][..], &[100, ids[at + 4], ids[at + 3]], &[100, 100_000]] {
        let said = judged(&mut session, &window(after(at), 3), Ok(claims)).unwrap_err();
        assert!(said.starts_with("lie:"), "{claims:?}: {said}");
    }
}

#[test]
fn a_page_that_a_stand_in_could_have_moved_is_the_references_however_right_it_looks() {
    let (_folder, mut session, keys, second) = quarantined();
    let at = keys.iter().position(|key| key.created_at == second).unwrap();
    let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
    // Page n of size 1 in the feed's order: event 101 where the log has the odd one.
    let number = u64::try_from(at).unwrap() + 1;
    let page = |number| asked(i64::MIN, i64::MAX, Position::Page(number), 1);
    assert_eq!(judged(&mut session, &page(number), Ok(&[101])), Err("bad-cell 100".to_owned()));
    assert_eq!(judged(&mut session, &page(number + 1), Ok(&[100])), Ok(vec![101]));
    // The window's last second: the feed has the odd event within, so that all pages come one event late.
    let within = |number| asked(i64::MIN, second, Position::Page(number), 2);
    assert_eq!(
        judged(&mut session, &within(2), Ok(&[ids[at + 1], ids[at + 2]])),
        Ok(ids[at + 2..at + 4].to_vec())
    );
    assert!(session.ledger.by_reference);
}
