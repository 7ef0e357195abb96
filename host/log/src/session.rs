//! One worker's hold on the log: a connection, the payload file, and one snapshot at a time.

mod claims;
mod snapshot;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::{Bound, Error};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::log::budget::{Budget, Canceller};
use crate::log::connection::{self, Use, patiently};
use crate::log::gate::{Author, Gate};
use crate::log::marks::Marks;
use crate::log::payload::PayloadFile;
use crate::log::turnstile::{Pass, Turnstile};
use crate::log::{Identity, Log};
use crate::page::Span;
use crate::policy::Grants;

pub use claims::{MOST_CALLS, MOST_CLAIMS};

/// How every statement of the host's own begins, and no strategy's may.
pub const HOST: &str = "/*keyhole*/";

struct LogFiles {
    log: Log,
    database: Identity,
    payloads: PayloadFile,
    marks: Arc<Marks>,
    turnstile: Arc<Turnstile>,
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
    /// The bound on scratch: the quota, or whichever struck.
    bound: Arc<Mutex<Bound>>,
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
    /// The running call's hold on the log.
    locked: Option<Pass>,
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
        let (marks, turnstile) = (log.marks.of(database), Turnstile::of(&log.database)?);
        let files = LogFiles { log: log.clone(), database, payloads, marks, turnstile };
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
    /// granted; `outgrown` says which bound it, and what belongs to it, has outgrown. It is asked often, by the
    /// thread that runs the statements.
    pub fn for_refresh(
        path: PathBuf,
        grants: &Grants,
        outgrown: impl Fn() -> Option<Bound> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let bound = Arc::new(Mutex::new(Bound::Quota(grants.scratch_quota)));
        let (gate, budget) = (Gate::new(grants), Arc::new(Budget::default()));
        let struck = Arc::clone(&bound);
        budget.watch_disk(move || {
            let outgrown = outgrown();
            if let Some(bound) = outgrown {
                *struck.lock().unwrap_or_else(PoisonError::into_inner) = bound;
            }
            outgrown.is_some()
        });
        let connection = connection::open(Use::Refresh(&path), &gate, &budget)?;
        let identity = Identity::of(&path)?;
        let limits = grants.limits.for_refresh();
        let mut session =
            Self::new(connection, gate, budget, limits, Author::Refresh, None, Some((path, identity)));
        session.bound = bound;
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
            bound: Arc::new(Mutex::new(Bound::Quota(0))),
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

    /// The session's limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
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
                    Error::Budget { limit: "scratch_quota", .. } => {
                        Error::ScratchFull { bound: self.bound() }
                    }
                    other => other,
                }
            }
            Some(rusqlite::ErrorCode::DiskFull) if self.files.is_none() => {
                Error::ScratchFull { bound: self.bound() }
            }
            _ => connection::classify(error, path),
        }
    }

    /// The bound that struck; the quota, where SQLite itself kept to it.
    fn bound(&self) -> Bound {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner)
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
