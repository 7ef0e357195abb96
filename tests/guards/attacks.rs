//! Attacks that no strategy makes: clients, files, and statements by themselves.

use std::path::Path;

use keyhole::contract::dataset::NOW;
use keyhole::contract::seed::seed;
use keyhole::engine::Engine;
use keyhole::error::Error;
use keyhole::limits::{Ceilings, Limits};
use keyhole::log::Log;
use keyhole::log::session::Session;
use keyhole::page::{Cursors, Filter, Key, Page, PageRequest, Pager, Position};
use keyhole::policy::Grants;
use keyhole::strategy::{Instances, Strategy, Worker};
use rusqlite::Connection;

type Attack = fn(&Path) -> String;

/// The attack of that name.
pub(crate) fn find(name: &str) -> Option<Attack> {
    Some(match name {
        "cursor-of-another-filter" => cursor_of_another_filter,
        "huge-page" => huge_page,
        "log-replaced" => log_replaced,
        "many-rows" => many_rows,
        "payload-without-end" => payload_without_end,
        "payloads-without-end" => payloads_without_end,
        "pragma-in-explain" => pragma_in_explain,
        _ => return None,
    })
}

const EVERYTHING: Filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };

/// A client takes a cursor to another question than the one that it was given for.
fn cursor_of_another_filter(folder: &Path) -> String {
    let cursors = Cursors::open(&folder.join("state"), "log".to_owned()).unwrap();
    let cursor = cursors.mint(Key { created_at: 5, id: 7 }, 9, &EVERYTHING);
    let other = Filter { actor_id: Some(3), ..EVERYTHING };
    told(cursors.read(&cursor, &other).map(|_| "taken".to_owned()))
}

/// A client asks for a page of two thousand events.
fn huge_page(folder: &Path) -> String {
    let limits = Limits { handles: 4096, payload_bytes: 1 << 30, ..Limits::default() };
    told(worker(folder, limits).page(&request(2000)).map(said))
}

/// Another log is renamed over the one that is open.
fn log_replaced(folder: &Path) -> String {
    let mut worker = worker(folder, Limits::default());
    worker.page(&request(10)).unwrap();
    let other = folder.join("other");
    std::fs::create_dir(&other).unwrap();
    seed(&other, NOW, 100, true, &mut |_| Ok(())).unwrap();
    std::fs::rename(other.join("audit.db"), folder.join("audit.db")).unwrap();
    told(worker.page(&request(10)).map(|page| format!("high-water {}", page.high_water)))
}

/// A statement returns more rows than are allowed.
fn many_rows(folder: &Path) -> String {
    let mut session = session(folder, Limits { rows: 100, ..Limits::default() });
    session.begin().unwrap();
    let rows = session.query("SELECT id FROM audit_events", &[]);
    told(rows.map(|rows| format!("{} rows", rows.cells.len())))
}

/// The newest event's line in the payload file is joined with the next one's.
fn payload_without_end(folder: &Path) -> String {
    let log = Connection::open(folder.join("audit.db")).unwrap();
    let newest =
        "SELECT payload_offset + payload_len - 1 FROM audit_events ORDER BY created_at DESC, id DESC LIMIT 1";
    let end: i64 = log.query_row(newest, [], |row| row.get(0)).unwrap();
    drop(log);
    let path = folder.join("payloads.jsonl");
    let mut payloads = std::fs::read(&path).unwrap();
    payloads[usize::try_from(end).unwrap()] = b' ';
    std::fs::write(&path, payloads).unwrap();
    told(worker(folder, Limits::default()).page(&request(10)).map(said))
}

/// A page's payloads are larger than what a request may read.
fn payloads_without_end(folder: &Path) -> String {
    told(worker(folder, Limits { payload_bytes: 1000, ..Limits::default() }).page(&request(10)).map(said))
}

/// A pragma is denied, and then explained to the operator.
fn pragma_in_explain(folder: &Path) -> String {
    let mut session = session(folder, Limits::default());
    session.begin().unwrap();
    let sql = "PRAGMA query_only = OFF";
    session.query(sql, &[]).unwrap_err();
    session.finish();
    session.explain(sql);
    let on: i64 = session.connection().query_row("PRAGMA query_only", [], |row| row.get(0)).unwrap();
    format!("query_only is {on}")
}

fn session(folder: &Path, limits: Limits) -> Session {
    let grants = Grants { limits, ..Grants::local() };
    Session::for_pages(&Log::open(folder).unwrap(), None, &grants).unwrap()
}

/// The host's own twin of the baseline: honest, and quick enough for two thousand events.
fn worker(folder: &Path, limits: Limits) -> Worker {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    let grants = Grants { limits, ..Grants::local() };
    let strategy = Strategy::native_baseline("native-baseline", b"", grants);
    Worker::new(&engine, &strategy, Instances::Fresh, &Log::open(folder).unwrap(), None)
}

fn request(page_size: u32) -> PageRequest {
    PageRequest { filter: EVERYTHING, position: Position::Page(1), page_size, up_to: None }
}

#[allow(clippy::needless_pass_by_value, reason = "each attack hands over what it made")]
fn said(page: Page) -> String {
    format!("page of {}", page.len())
}

fn told(outcome: Result<String, Error>) -> String {
    outcome.unwrap_or_else(|error| error.observed())
}
