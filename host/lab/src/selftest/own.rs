//! Limits that no strategy can reach for: the client's page size, and the patience with the log's writer.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::selftest::cases;
use crate::selftest::run::Outcome;
use crate::selftest::stage::Stage;
use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::grants::{Grants, Instances};
use keyhole_log::limits::Limits;
use keyhole_log::model::Pager;
use keyhole_runtime::embedded::BASELINE;
use keyhole_runtime::engine::Engine;
use keyhole_runtime::page::Worker;
use keyhole_runtime::strategy::Strategy;

/// A row that is not a strategy's.
pub struct Row {
    /// What it does.
    pub name: &'static str,
    /// The limit that it trips.
    pub limit: &'static str,
    /// What is observed.
    pub expected: &'static str,
    run: fn(&Engine, &Log) -> Result<Error, Error>,
}

/// All of them.
pub const ROWS: &[Row] = &[
    Row { name: "client-asks-too-much", limit: "page_size", expected: "bad-request", run: ask_too_much },
    Row { name: "writer-holds-the-lock", limit: "busy_wait", expected: "busy", run: hold_the_lock },
];

/// The row of that name.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// Plays a row.
pub fn run(engine: &Engine, stage: &Stage, row: &Row) -> Result<Outcome, Error> {
    let place = stage.place(row.name)?;
    let log = place.copy_of(&stage.log()?)?;
    let began = Instant::now();
    let error = (row.run)(engine, &log)?;
    let observed = error.observed();
    Ok(Outcome {
        as_expected: observed == row.expected,
        observed: vec![observed],
        detail: error.to_string(),
        took_ms: began.elapsed().as_secs_f64() * 1e3,
        budget_ms: None,
    })
}

fn ask_too_much(engine: &Engine, log: &Log) -> Result<Error, Error> {
    let limits = Limits::default();
    let page_size = limits.page_size + 1;
    refusal(engine, log, limits, page_size)
}

fn hold_the_lock(engine: &Engine, log: &Log) -> Result<Error, Error> {
    let writer = Connection::open(&log.database)?;
    writer.execute_batch("BEGIN EXCLUSIVE")?;
    let limits = Limits { busy_wait: Duration::from_millis(100), ..Limits::default() };
    refusal(engine, log, limits, 10)
}

/// What an honest strategy's request is refused with.
fn refusal(engine: &Engine, log: &Log, limits: Limits, page_size: u32) -> Result<Error, Error> {
    let request = cases::newest(page_size);
    let grants = Grants { limits, ..Grants::local() };
    let honest = Strategy::native_baseline("native-baseline", BASELINE, grants);
    let mut worker = Worker::new(engine, &honest, Instances::Fresh, log, None);
    match worker.page(&request) {
        Err(error) => Ok(error),
        Ok(_) => Err(Error::Engine("an honest page was served where none may be".to_owned())),
    }
}
