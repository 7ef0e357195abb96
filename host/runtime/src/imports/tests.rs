//! Each import as a component calls it, without a component.

use std::time::{Duration, Instant};

use keyhole_log::error::{Error, PayloadFault};
use keyhole_log::grants::Grants;
use keyhole_log::limits::Limits;
use keyhole_log::session::Session;
use keyhole_log::{Log, dataset};
use tempfile::TempDir;
use wasmtime::component::Resource;

use super::visible;
use crate::bindings::types::{self, Host as _, Value};
use crate::bindings::{EventHandle, Refusal, diagnostics, log, payloads, scratch};
use crate::memory::GuestMemory;
use crate::state::State;

/// An instance that holds this session.
pub(crate) fn state(session: Option<Session>) -> State {
    State {
        session: session.map(Box::new),
        memory: GuestMemory::new(&Limits::default()),
        fuel: None,
        began: Instant::now(),
        in_host: Duration::ZERO,
        wasi: None,
    }
}

/// An instance that answers a page of a log of a hundred events, in the folder.
pub(crate) fn paging() -> (TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    dataset::seed(folder.path(), 1_767_052_800, 100, true, &mut |_| Ok(())).unwrap();
    let minute = Duration::from_mins(1);
    let limits = Limits { log_lock: minute, wall_time: minute, ..Limits::default() };
    let grants = Grants { limits, ..Grants::local() };
    let mut session = Session::for_pages(&Log::open(folder.path()).unwrap(), None, &grants).unwrap();
    session.keep_notes(true);
    session.begin().unwrap();
    (folder, state(Some(session)))
}

fn refused<T>(outcome: Result<T, Refusal>) -> types::Error {
    match outcome {
        Err(Refusal::Error(error)) => error,
        Err(Refusal::Trap(trap)) => panic!("{trap}"),
        Ok(_) => panic!("it was not refused"),
    }
}

fn trapped<T>(outcome: Result<T, Refusal>) -> String {
    match outcome {
        Err(Refusal::Trap(trap)) => trap.to_string(),
        Err(Refusal::Error(error)) => panic!("{error:?}"),
        Ok(_) => panic!("it did not trap"),
    }
}

fn calls(state: &State) -> Vec<(&'static str, u64)> {
    let ledger = &state.session.as_ref().unwrap().ledger;
    ledger.calls().map(|(name, count, _)| (name, count)).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn the_log_answers_and_each_call_is_counted() {
    let (folder, mut state) = paging();
    assert_eq!(log::Host::high_water(&mut state).unwrap(), 100);
    let sql = "SELECT id, action FROM audit_events WHERE id = ?1";
    let rows = log::Host::query(&mut state, sql.to_owned(), vec![Value::Integer(7)]).unwrap();
    assert_eq!(rows.columns, ["id", "action"]);
    assert!(matches!(rows.cells[..], [Value::Integer(7), Value::Text(_)]));
    let sql = "SELECT id FROM audit_events WHERE id IN (3, 5) ORDER BY id DESC";
    let handles = log::Host::select(&mut state, sql.to_owned(), Vec::new()).unwrap();
    let more = log::Host::fetch(&mut state, vec![9]).unwrap();
    let handles: Vec<u32> = handles.iter().chain(&more).map(Resource::rep).collect();
    let keys: Vec<types::Key> = handles
        .iter()
        .map(|&handle| log::HostEvent::key(&mut state, Resource::new_own(handle)).unwrap())
        .collect();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [5, 3, 9]);
    assert!(keys.iter().all(|key| key.created_at > 1_000_000_000));
    log::HostEvent::drop(&mut state, Resource::new_own(handles[0])).unwrap();
    let before = state.session.as_ref().unwrap().ledger.boundary_bytes;
    let line = payloads::Host::read(&mut state, Resource::new_own(handles[1])).unwrap();
    let lines = std::fs::read_to_string(folder.path().join("payloads.jsonl")).unwrap();
    assert_eq!(line, (lines.lines().nth(2).unwrap().to_owned() + "\n").into_bytes());
    assert_eq!(state.session.as_ref().unwrap().ledger.boundary_bytes, before + line.len() as u64);
    diagnostics::Host::note(&mut state, "a note".to_owned()).unwrap();
    assert_eq!(state.session.as_ref().unwrap().ledger.notes(), "a note");
    let expected = ["high-water", "query", "select", "fetch", "key", "read", "note"];
    let counted = calls(&state);
    assert_eq!(counted.len(), expected.len(), "{counted:?}");
    assert!(
        counted.iter().all(|(name, count)| *count == if *name == "log.event.key" { 3 } else { 1 }),
        "{counted:?}"
    );
    assert!(state.in_host > Duration::ZERO && state.in_host < state.began.elapsed());
}

#[test]
fn a_refusal_is_kept_by_the_host_and_a_limit_counts_as_a_denial() {
    let (_folder, mut state) = paging();
    let denied =
        refused(log::Host::query(&mut state, "SELECT payload_len FROM audit_events".to_owned(), Vec::new()));
    assert!(matches!(&denied, types::Error::Denied(denial) if denial.rule == "read"), "{denied:?}");
    let flood = refused(log::Host::fetch(&mut state, (0..5_000).collect()));
    assert!(matches!(&flood, types::Error::Budget(overrun) if overrun.limit == "handles"), "{flood:?}");
    assert!(matches!(
        refused(scratch::Host::execute(&mut state, "DELETE FROM x".to_owned(), Vec::new())),
        types::Error::Denied(_)
    ));
    assert!(matches!(
        refused(scratch::Host::execute_many(&mut state, "DELETE FROM x".to_owned(), Vec::new())),
        types::Error::Denied(_)
    ));
    let session = state.session.as_ref().unwrap();
    assert!(session.ledger.denials().any(|denial| denial == ("limit", "handles")));
    assert!(matches!(session.refused, Some(Error::Denied { rule: "write", .. })));
}

#[test]
fn a_handle_of_another_call_traps_and_so_does_a_call_outside_of_a_request() {
    let (_folder, mut state) = paging();
    let strange = || Resource::<EventHandle>::new_own(77);
    assert!(trapped(log::HostEvent::key(&mut state, strange())).contains("a handle of another call"));
    assert!(trapped(payloads::Host::read(&mut state, strange())).contains("a handle of another call"));
    let unknown = log::Host::fetch(&mut state, vec![5_000]).unwrap().remove(0);
    assert!(matches!(refused(log::HostEvent::key(&mut state, unknown)), types::Error::UnknownEvent(5_000)));
    let mut idle = self::state(None);
    assert!(
        log::Host::high_water(&mut idle).is_err()
            && diagnostics::Host::note(&mut idle, String::new()).is_err()
    );
    assert!(trapped(log::Host::query(&mut idle, String::new(), Vec::new())).contains("outside of a request"));
    let trap = Refusal::Trap(wasmtime::Error::msg("a trap"));
    assert!(idle.convert_error(trap).is_err());
    let busy = idle.convert_error(Refusal::Error(types::Error::Busy));
    assert!(matches!(busy, Ok(types::Error::Busy)));
}

#[test]
fn a_refresh_writes_to_its_own_tables() {
    let folder = tempfile::tempdir().unwrap();
    let grants = Grants::local();
    let mut session = Session::for_refresh(folder.path().join("scratch.db"), &grants, || None).unwrap();
    session.begin_refresh(7).unwrap();
    let mut state = state(Some(session));
    assert_eq!(log::Host::high_water(&mut state).unwrap(), 7);
    scratch::Host::execute(&mut state, "CREATE TABLE scratch.x (y)".to_owned(), Vec::new()).unwrap();
    let three = (1..=3).map(Value::Integer).collect();
    let insert = "INSERT INTO scratch.x VALUES (?)".to_owned();
    assert_eq!(scratch::Host::execute_many(&mut state, insert, three).unwrap(), 3);
    let update = "UPDATE scratch.x SET y = ?1 WHERE y > 1".to_owned();
    assert_eq!(scratch::Host::execute(&mut state, update, vec![Value::Integer(9)]).unwrap(), 2);
}

#[test]
fn a_guest_sees_of_an_error_what_it_may_branch_on() {
    let budget = |limit| Error::Budget { limit, allowed: 5 };
    for limit in ["sql_bytes", "sql_weight", "value_bytes", "result_bytes"] {
        assert!(matches!(visible(&budget(limit)), types::Error::TooLarge(overrun) if overrun.limit == limit));
    }
    assert!(matches!(visible(&budget("rows")), types::Error::Budget(overrun) if overrun.allowed == 5));
    assert!(matches!(visible(&Error::Busy), types::Error::Busy));
    assert!(
        matches!(visible(&Error::Sql { what: "near".to_owned() }), types::Error::Sql(what) if what == "near")
    );
    let corrupt =
        Error::PayloadCorrupt { id: 9, fault: PayloadFault::Place, why: String::new(), after: None };
    assert!(matches!(visible(&corrupt), types::Error::PayloadCorrupt(9)));
    assert!(matches!(visible(&Error::UnknownEvent { id: 8 }), types::Error::UnknownEvent(8)));
    let path = std::path::PathBuf::from("/secret");
    let recovery = Error::LogNeedsRecovery { path: path.clone(), what: "" };
    assert!(matches!(visible(&recovery), types::Error::LogNeedsRecovery));
    assert!(
        matches!(visible(&Error::LogReplaced { path }), types::Error::Other(code) if !code.contains("secret"))
    );
}
