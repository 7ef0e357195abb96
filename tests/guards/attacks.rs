//! Attacks beyond the zoo: clients, files, statements by themselves, and strategies under other terms than those
//! of their case.

mod clients;
mod compiled;
mod files;
mod sql;
mod strangers;

use std::path::Path;

use keyhole::engine::Engine;
use keyhole::error::Error;
use keyhole::limits::{Ceilings, Limits};
use keyhole::log::Log;
use keyhole::log::session::Session;
use keyhole::page::{Filter, Page, PageRequest, Position};
use keyhole::policy::Grants;
use keyhole::strategy::{Instances, Strategy, Worker};

/// An attack on the log in a folder: what is observed.
type Attack = fn(&Path) -> String;

/// The attack of that name.
pub(crate) fn find(name: &str) -> Option<Attack> {
    let lists = [clients::ATTACKS, compiled::ATTACKS, files::ATTACKS, sql::ATTACKS, strangers::ATTACKS];
    lists.into_iter().flatten().find(|(known, _)| *known == name).map(|(_, attack)| *attack)
}

const EVERYTHING: Filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };

fn request(page_size: u32) -> PageRequest {
    PageRequest { filter: EVERYTHING, position: Position::Page(1), page_size, up_to: None }
}

/// The host's own twin of the baseline: honest, and quick enough for two thousand events.
fn worker(log: &Log, limits: Limits) -> Worker {
    let engine = Engine::new(&Ceilings::default()).unwrap();
    let grants = Grants { limits, ..Grants::local() };
    let strategy = Strategy::native_baseline("native-baseline", b"", grants);
    Worker::new(&engine, &strategy, Instances::Fresh, log, None)
}

fn session(folder: &Path, limits: Limits) -> Session {
    let grants = Grants { limits, ..Grants::local() };
    Session::for_pages(&Log::open(folder).unwrap(), None, &grants).unwrap()
}

#[allow(clippy::needless_pass_by_value, reason = "each attack hands over what it made")]
fn said(page: Page) -> String {
    format!("page of {}, high-water {}", page.len(), page.high_water)
}

fn told(outcome: Result<String, Error>) -> String {
    outcome.unwrap_or_else(|error| error.observed())
}

/// The same, with a refusal's own first reason.
fn told_why(outcome: Result<String, Error>) -> String {
    match outcome {
        Err(Error::Refused { reasons, .. }) => reasons.first().cloned().unwrap_or_default(),
        outcome => told(outcome),
    }
}

/// Whether something takes little of this process's memory, or more than that.
fn memory_of<T>(most: u64, play: impl FnOnce() -> T) -> (T, &'static str) {
    let read = |name: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    // From here on the peak is counted anew.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = read("VmRSS:");
    let outcome = play();
    let taken = read("VmHWM:").saturating_sub(before);
    (outcome, if taken <= most { "in little memory" } else { "in much memory" })
}
