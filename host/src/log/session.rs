//! One worker's hold on the log: a connection, the payload file, and one snapshot at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;
use crate::guards::{self, Guard};
use crate::ledger::{Ledger, Phase};
use crate::limits::Limits;
use crate::log::budget::{Budget, Canceller};
use crate::log::connection::{self, Use, patiently};
use crate::log::gate::{Author, Gate};
use crate::log::heap;
use crate::log::marks::Marks;
use crate::log::payload::PayloadFile;
use crate::log::{Identity, Log};
use crate::page::Span;
use crate::policy::Grants;

/// How every statement of the host's own begins, and no strategy's may.
pub const HOST: &str = "/*keyhole*/";

/// The slot of a claim in its call; the bits above are the call's number.
const SLOT_BITS: u32 = 12;

/// The most claims that the slot can number.
pub const MOST_CLAIMS: u64 = 1 << SLOT_BITS;

/// Calls after which numbers would repeat: a warm instance never serves as many.
pub const MOST_CALLS: u32 = 1 << (32 - SLOT_BITS);

struct LogFiles {
    log: Log,
    database: Identity,
    payloads: PayloadFile,
    marks: Arc<Marks>,
}

/// A connection and what the running call has used of it.
///
/// [`begin`](Self::begin) takes a snapshot, [`end`](Self::end) gives the log's lock back; in between a
/// strategy's calls arrive. A session stays on one thread from `begin` to `end`.
pub struct Session {
    pub(super) connection: Connection,
    pub(super) gate: Arc<Gate>,
    pub(super) budget: Arc<Budget>,
    pub(super) limits: Limits,
    pub(super) author: Author,
    pub(super) quota: u64,
    pub(super) claims: Vec<i64>,
    /// What the running call has done so far.
    pub ledger: Ledger,
    /// The last error that a host call of the running call returned.
    pub refused: Option<Error>,
    keep_notes: bool,
    files: Option<LogFiles>,
    scratch: Option<(PathBuf, Identity)>,
    /// Whether the running request is this session's own to end.
    entered: bool,
    seen_version: Option<i64>,
    high_water: i64,
    call: u32,
    locked: Option<Instant>,
    /// Payload lines read in this call, and which event's lie where.
    pub(super) payload_bytes: Vec<u8>,
    pub(super) payload_spans: Vec<(i64, Span)>,
}

impl Session {
    /// Opens a session for pages. `scratch` is the strategy's database, if it has one.
    pub fn for_pages(log: &Log, scratch: Option<PathBuf>, grants: &Grants) -> Result<Self, Error> {
        Self::for_pages_within(Arc::default(), log, scratch, grants)
    }

    /// The same, within a budget that outlives the session: a worker's.
    pub(crate) fn for_pages_within(
        budget: Arc<Budget>,
        log: &Log,
        scratch: Option<PathBuf>,
        grants: &Grants,
    ) -> Result<Self, Error> {
        let (limits, gate) = (grants.limits.clone(), Gate::new(grants));
        // A session that was lost in mid-call left it armed.
        budget.disarm();
        let database = Identity::of(&log.database)?;
        let payloads = PayloadFile::open(&log.payloads)?;
        let files = LogFiles { log: log.clone(), database, payloads, marks: log.marks.of(database) };
        let scratch = scratch.map(|path| Identity::of(&path).map(|identity| (path, identity))).transpose()?;
        let connection = patiently(limits.busy_wait, || {
            connection::open(
                Use::Pages(log, scratch.as_ref().map(|(path, _)| path.as_path())),
                &gate,
                &budget,
            )
        })?;
        Ok(Self::new(connection, gate, budget, limits, Author::Page, Some(files), scratch))
    }

    /// Opens a session for refreshes of the scratch database at `path`, which may grow to the quota
    /// granted; `used` measures how large it and what belongs to it have become, in bytes.
    pub fn for_refresh(
        path: PathBuf,
        grants: &Grants,
        used: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let quota = grants.scratch_quota;
        let (gate, budget) = (Gate::new(grants), Arc::new(Budget::default()));
        budget.watch_disk(move || used() > quota);
        let connection = connection::open(Use::Refresh(&path), &gate, &budget)?;
        let identity = Identity::of(&path)?;
        let limits = grants.limits.for_refresh();
        let mut session =
            Self::new(connection, gate, budget, limits, Author::Refresh, None, Some((path, identity)));
        session.quota = quota;
        Ok(session)
    }

    fn new(
        connection: Connection,
        gate: Arc<Gate>,
        budget: Arc<Budget>,
        limits: Limits,
        author: Author,
        files: Option<LogFiles>,
        scratch: Option<(PathBuf, Identity)>,
    ) -> Self {
        Self {
            connection,
            gate,
            budget,
            limits,
            author,
            quota: 0,
            claims: Vec::new(),
            ledger: Ledger::default(),
            refused: None,
            keep_notes: false,
            files,
            scratch,
            entered: false,
            seen_version: None,
            high_water: 0,
            call: 0,
            locked: None,
            payload_bytes: Vec::new(),
            payload_spans: Vec::new(),
        }
    }

    /// Takes a snapshot for one page: scratch first, then the log, so that scratch never covers an
    /// event that the snapshot does not hold.
    ///
    /// Fails with `LogReplaced` or `ScratchUnfit` where the session has to be opened anew.
    pub fn begin(&mut self) -> Result<(), Error> {
        let began = Phase::begin();
        self.start_call();
        let Some(files) = &self.files else {
            return Err(Error::Engine("a session for refreshes has no log".to_owned()));
        };
        if Identity::of(&files.log.database)? != files.database && guards::on(Guard::LogIdentity) {
            return Err(Error::LogReplaced { path: files.log.database.clone() });
        }
        files.payloads.check_in_place()?;
        if let Some((path, identity)) = &self.scratch
            && Identity::of(path).ok() != Some(*identity)
        {
            return Err(Error::ScratchUnfit { why: "its file was replaced".to_owned() });
        }
        // Waiting for the writer is not the strategy's time: its budget begins with the snapshot.
        self.budget.disarm();
        let wait = self.limits.busy_wait;
        let pinned = patiently(wait, || self.budget.check_cancelled().and_then(|()| self.pin()));
        self.budget.arm(&self.limits);
        match pinned {
            Ok((high_water, covered)) => {
                self.high_water = high_water;
                self.ledger.high_water = high_water;
                self.ledger.covered = covered;
            }
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        let locked = Instant::now();
        self.locked = Some(locked);
        self.budget.lock_log(&self.limits);
        if let Err(error) = self.check_scratch_fits() {
            self.end();
            return Err(error);
        }
        self.ledger.phases.snapshot = began.elapsed();
        Ok(())
    }

    /// Starts a refresh slice: one transaction on scratch, for the events up to `through`.
    pub fn begin_refresh(&mut self, through: i64) -> Result<(), Error> {
        self.start_call();
        self.high_water = through;
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| self.classify(error))
    }

    /// Makes a refresh slice last.
    pub fn commit_refresh(&mut self) -> Result<(), Error> {
        let outcome = self.connection.execute_batch("COMMIT").map_err(|error| self.classify(error));
        self.finish();
        outcome
    }

    /// Ends the snapshot and gives the log's lock back. Does nothing where there is none.
    pub fn end(&mut self) {
        // An interrupt would keep the transaction open. Nothing of the strategy's runs from here on.
        self.budget.disarm();
        if !self.connection.is_autocommit() {
            // The transaction only read; SQLite ends it even where the rollback reports an error.
            let _ =
                self.connection.prepare_cached("/*keyhole*/ ROLLBACK").and_then(|mut end| end.raw_execute());
        }
        if let Some(locked) = self.locked.take() {
            self.ledger.phases.log_lock = locked.elapsed();
        }
        self.budget.unlock_log();
    }

    /// Without memory or disk SQLite ends the transaction: what follows would see another snapshot, or
    /// write what no rollback takes back.
    pub fn check_transaction(&self) -> Result<(), Error> {
        if !self.connection.is_autocommit() {
            return Ok(());
        }
        Err(match (self.author, &self.refused) {
            (Author::Refresh, Some(Error::ScratchFull { quota })) => Error::ScratchFull { quota: *quota },
            (Author::Refresh, _) => {
                Error::ScratchRefused { why: "it went on after its transaction was lost".to_owned() }
            }
            _ => Error::Budget { limit: "sql_memory", allowed: heap::PAGE_BYTES },
        })
    }

    /// How long the log has been locked by now; nothing where it is not.
    pub fn locked_for(&self) -> Duration {
        self.locked.map_or(Duration::ZERO, |locked| locked.elapsed())
    }

    /// Ends the call: the budget no longer applies.
    pub fn finish(&mut self) {
        self.end();
        if std::mem::take(&mut self.entered) {
            self.budget.leave();
        }
    }

    /// A handle that cancels the running call from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.budget)
    }

    /// Whether the running call is cancelled.
    pub fn cancelled(&self) -> bool {
        self.budget.cancelled()
    }

    fn start_call(&mut self) {
        self.ledger.begin();
        self.refused = None;
        self.claims.clear();
        self.payload_bytes.clear();
        self.payload_spans.clear();
        self.call = (self.call + 1) % MOST_CALLS;
        if std::mem::take(&mut self.entered) {
            self.budget.leave();
        }
        self.entered = self.budget.enter();
        self.budget.arm(&self.limits);
    }

    fn pin(&self) -> Result<(i64, Option<i64>), Error> {
        let run = || -> rusqlite::Result<(i64, Option<i64>)> {
            if self.connection.is_autocommit() {
                self.connection.prepare_cached("/*keyhole*/ BEGIN")?.raw_execute()?;
            }
            let covered = match self.scratch {
                Some(_) => Some(
                    self.connection
                        .prepare_cached("/*keyhole*/ SELECT last FROM scratch.keyhole_coverage")?
                        .query_row([], |row| row.get(0))?,
                ),
                None => None,
            };
            let high_water: Option<i64> = self
                .connection
                .prepare_cached("/*keyhole*/ SELECT max(id) FROM log.audit_events")?
                .query_row([], |row| row.get(0))?;
            Ok((high_water.unwrap_or(0), covered))
        };
        run().map_err(|error| self.classify(error))
    }

    /// Whenever another connection has written to the log since the last look, the last event that
    /// scratch covers must still be the one that it took in.
    fn check_scratch_fits(&mut self) -> Result<(), Error> {
        if self.scratch.is_none() {
            return Ok(());
        }
        let version: i64 = self
            .connection
            .prepare_cached("/*keyhole*/ PRAGMA log.data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|error| self.classify(error))?;
        if self.seen_version == Some(version) {
            return Ok(());
        }
        let stored: Option<(i64, String)> = self
            .connection
            .prepare_cached("/*keyhole*/ SELECT last, last_row FROM scratch.keyhole_coverage WHERE n > 0")
            .and_then(|mut statement| {
                statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(|error| self.classify(error))?;
        if let Some((last, stored)) = stored {
            let present = self.row_text(last)?;
            if present.as_deref() != Some(stored.as_str()) {
                return Err(Error::ScratchUnfit {
                    why: format!("event {last} is not the one that it covers"),
                });
            }
        }
        self.seen_version = Some(version);
        Ok(())
    }

    /// The largest id of the snapshot; 0 where the log is empty.
    pub fn high_water(&self) -> i64 {
        self.high_water
    }

    /// The session's limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Handles for these ids, in order.
    pub fn fetch(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        self.needs_log("fetch")?;
        let first = self.claims.len();
        if ids.len() as u64 > self.handles_left(first) {
            return Err(Error::Budget { limit: "handles", allowed: self.limits.handles });
        }
        self.claims.extend_from_slice(ids);
        self.mint_from(first)
    }

    /// The id behind a handle; None for a handle of another call.
    pub fn claimed(&self, handle: u32) -> Option<i64> {
        let slot = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        let ours = handle >> SLOT_BITS == self.call || !guards::on(Guard::HandleCall);
        ours.then(|| self.claims.get(slot).copied()).flatten()
    }

    /// Keeps the strategy's notes from now on, or drops them.
    pub fn keep_notes(&mut self, keep: bool) {
        self.keep_notes = keep;
    }

    /// A note of the strategy's.
    pub fn note(&mut self, text: &str) {
        if self.keep_notes {
            self.ledger.note(text);
        }
    }

    pub(super) fn handles_left(&self, held: usize) -> u64 {
        self.limits.handles.min(MOST_CLAIMS).saturating_sub(held as u64)
    }

    pub(super) fn mint_from(&mut self, first: usize) -> Result<Vec<u32>, Error> {
        let mark = self.call << SLOT_BITS;
        let slots = (first..self.claims.len()).map(|slot| u32::try_from(slot).map(|slot| mark | slot));
        let handles: Vec<u32> =
            slots.collect::<Result<_, _>>().map_err(|_| Error::Engine("too many claims".to_owned()))?;
        self.ledger.handles += handles.len() as u64;
        Ok(handles)
    }

    pub(super) fn needs_log(&mut self, what: &str) -> Result<(), Error> {
        if self.files.is_some() {
            Ok(())
        } else {
            Err(self.deny("refresh", &format!("{what}, while scratch is refreshed")))
        }
    }

    pub(super) fn deny(&mut self, rule: &'static str, object: &str) -> Error {
        self.ledger.denied(rule, object);
        Error::Denied { rule, object: object.to_owned() }
    }

    pub(super) fn classify(&self, error: rusqlite::Error) -> Error {
        let path = match (&self.files, &self.scratch) {
            (Some(files), _) => &files.log.database,
            (None, Some((path, _))) => path,
            (None, None) => return Error::Sqlite(error),
        };
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => {
                match self.budget.error(&self.limits).unwrap_or(Error::Interrupted) {
                    Error::Budget { limit: "scratch_quota", .. } => Error::ScratchFull { quota: self.quota },
                    other => other,
                }
            }
            Some(rusqlite::ErrorCode::DiskFull) if self.files.is_none() => {
                Error::ScratchFull { quota: self.quota }
            }
            _ => connection::classify(error, path),
        }
    }

    /// What is known of the log's events; None for a session that has no log.
    pub(super) fn marks(&self) -> Option<&Marks> {
        self.files.as_ref().map(|files| &*files.marks)
    }

    pub(super) fn scratch_is_attached(&self) -> bool {
        self.scratch.is_some()
    }

    pub(super) fn payload_file(&mut self) -> Result<&mut PayloadFile, Error> {
        match &mut self.files {
            Some(files) => Ok(&mut files.payloads),
            None => Err(Error::Engine("a session for refreshes has no payloads".to_owned())),
        }
    }

    /// The connection, for the host's own work on scratch and feed.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}
