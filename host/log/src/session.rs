//! One worker's hold on the log: a connection, the payload file, and one snapshot at a time.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::access::Access;
use crate::authorizer::{Author, Authorizer};
use crate::budget::{Budget, Canceller};
use crate::connection::{self, Opened, Use, patiently};
use crate::error::{Bound, Error, PayloadFault};
use crate::fingerprints::Fingerprints;
use crate::grants::{Grants, Instances};
use crate::hold::Hold;
use crate::ledger::{Ledger, Phase};
use crate::limits::{Limits, MOST_CALLS, MOST_CLAIMS, SLOT_BITS};
use crate::model::{Page, Row, Span};
use crate::payload::{PayloadFile, Payloads};
use crate::reader_gate::{ReadPermit, ReaderGate};
use crate::snapshot::{Pinned, Snapshot};
use crate::statement::StatementRunner;
use crate::value::{Rows, Value};
use crate::{Identity, Log, json};

const _: () = assert!(Instances::MOST_USES < MOST_CALLS, "a warm instance would use a call's number twice");

/// The log's files as a session for pages has them open.
struct LogFiles {
    log: Log,
    database: Identity,
    payloads: PayloadFile,
    fingerprints: Arc<Fingerprints>,
    reader_gate: Arc<ReaderGate>,
    /// How the log is read over the connection; None where it is closed until the next snapshot.
    access: Option<Access>,
    /// What keeps the side files of WAL mode there while it is open.
    hold: Option<Arc<Hold>>,
    /// Whether the log's writer wrote to what the last snapshot was read from.
    disproved: bool,
}

/// Which event's id a strategy claims behind each handle. A handle is the event's slot in its call, and the call's
/// own number above that.
#[derive(Default)]
struct Claims {
    ids: Vec<i64>,
    call: u32,
}

impl Claims {
    fn begin_call(&mut self) {
        self.ids.clear();
        self.call = (self.call + 1) % MOST_CALLS;
    }

    fn room(&self, limits: &Limits) -> u64 {
        limits.handles.min(MOST_CLAIMS).saturating_sub(self.ids.len() as u64)
    }

    /// Handles for these ids, in order.
    fn claim(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        let first = self.ids.len();
        self.ids.extend_from_slice(ids);
        let handle = |slot| u32::try_from(slot).map(|slot| self.call << SLOT_BITS | slot);
        let handles = (first..self.ids.len()).map(handle).collect::<Result<_, _>>();
        handles.map_err(|_| Error::Engine("too many claims".to_owned()))
    }

    fn id(&self, handle: u32) -> Option<i64> {
        let slot = (handle & ((1 << SLOT_BITS) - 1)) as usize;
        if handle >> SLOT_BITS == self.call { self.ids.get(slot).copied() } else { None }
    }
}

/// How long the plans of all texts of one call may take to be made, after it: an honest one takes a tenth of a
/// millisecond, a join of 64 tables four seconds.
const PLANNING: Duration = Duration::from_millis(250);

/// A connection and what the running call has used of it.
///
/// [`begin`](Self::begin) takes a snapshot, [`end`](Self::end) gives the log's lock back; in between a
/// strategy's calls arrive. A session stays on one thread from `begin` to `end`.
pub struct Session {
    pub(crate) statements: StatementRunner,
    /// What the running call has done so far.
    pub ledger: Ledger,
    /// The last error that a host call of the running call returned.
    pub refused: Option<Error>,
    keep_notes: bool,
    /// Whether payloads that cannot be shown have a stand-in.
    stand_ins: bool,
    claims: Claims,
    /// The payloads that the running call has read.
    payloads: Payloads,
    /// None for a session for refreshes.
    files: Option<LogFiles>,
    scratch: Option<(PathBuf, Identity)>,
    /// Whether the running request is this session's own to end.
    entered: bool,
    /// SQLite's count of changes to the log at the last look whether scratch fits it.
    seen_version: Option<i64>,
    /// The largest id at that look.
    seen_high_water: i64,
    /// Whether the log was written to, and nobody has asked yet.
    moved: bool,
    high_water: i64,
    /// Whether scratch has events in quarantine.
    quarantine: bool,
    /// The running call's hold on the log.
    permit: Option<ReadPermit>,
}

impl Session {
    /// Opens a session for pages. `scratch` is the strategy's database, if it has one.
    pub fn for_pages(log: &Log, scratch: Option<PathBuf>, grants: &Grants) -> Result<Self, Error> {
        Self::for_pages_within(Arc::default(), log, scratch, grants)
    }

    /// Opens a session for pages within a budget that outlives it: a worker's.
    pub fn for_pages_within(
        budget: Arc<Budget>,
        log: &Log,
        scratch: Option<PathBuf>,
        grants: &Grants,
    ) -> Result<Self, Error> {
        let (limits, authorizer) = (grants.limits.clone(), Authorizer::new(grants));
        // A session that was lost in mid-call left it armed.
        budget.disarm();
        let database = Identity::of(&log.database)?;
        let payloads = PayloadFile::open(&log.payloads)?;
        let (fingerprints, reader_gate) = (log.fingerprints.of(database), ReaderGate::of(&log.database)?);
        let scratch = scratch.map(|path| Identity::of(&path).map(|identity| (path, identity))).transpose()?;
        let purpose = Use::Pages(&log.database, scratch.as_ref().map(|(path, _)| path.as_path()));
        let Opened { connection, access, hold } =
            patiently(limits.busy_wait, || connection::open(purpose, &authorizer, &budget))?;
        let log = log.clone();
        let files =
            LogFiles { log, database, payloads, fingerprints, reader_gate, access, hold, disproved: false };
        let statements = StatementRunner {
            connection,
            authorizer,
            budget,
            limits,
            author: Author::Page,
            database: files.log.database.clone(),
            has_scratch: scratch.is_some(),
            bound: Arc::new(Mutex::new(Bound::Quota(0))),
            longest_value: Cell::new(u64::MAX),
        };
        let mut session = Self::new(statements, Some(files), scratch);
        session.rest()?;
        Ok(session)
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
        let (authorizer, budget) = (Authorizer::new(grants), Arc::new(Budget::default()));
        let struck = Arc::clone(&bound);
        budget.watch_disk(move || {
            let outgrown = outgrown();
            if let Some(bound) = outgrown {
                *struck.lock().unwrap_or_else(PoisonError::into_inner) = bound;
            }
            outgrown.is_some()
        });
        let Opened { connection, .. } = connection::open(Use::Refresh(&path), &authorizer, &budget)?;
        let identity = Identity::of(&path)?;
        let statements = StatementRunner {
            connection,
            authorizer,
            budget,
            limits: grants.limits.for_refresh(),
            author: Author::Refresh,
            database: path.clone(),
            has_scratch: true,
            bound,
            longest_value: Cell::new(u64::MAX),
        };
        Ok(Self::new(statements, None, Some((path, identity))))
    }

    fn new(
        statements: StatementRunner,
        files: Option<LogFiles>,
        scratch: Option<(PathBuf, Identity)>,
    ) -> Self {
        Self {
            statements,
            ledger: Ledger::default(),
            refused: None,
            keep_notes: false,
            stand_ins: false,
            claims: Claims::default(),
            payloads: Payloads::default(),
            files,
            scratch,
            entered: false,
            seen_version: None,
            seen_high_water: 0,
            moved: false,
            high_water: 0,
            quarantine: false,
            permit: None,
        }
    }

    /// Takes a snapshot for one page: scratch first, then the log, so that scratch never covers an
    /// event that the snapshot does not hold.
    ///
    /// Fails with `LogReplaced` or `ScratchUnfit` where the session has to be opened anew.
    pub fn begin(&mut self) -> Result<(), Error> {
        let began = Phase::begin();
        self.begin_call();
        let Some(files) = &self.files else {
            return Err(Error::Engine("a session for refreshes has no log".to_owned()));
        };
        if Identity::of(&files.log.database)? != files.database {
            return Err(Error::LogReplaced { path: files.log.database.clone() });
        }
        files.payloads.check_in_place()?;
        if let Some((path, identity)) = &self.scratch
            && Identity::of(path).ok() != Some(*identity)
        {
            return Err(Error::ScratchUnfit { why: "its file was replaced".to_owned() });
        }
        // Waiting for the writer is not the strategy's time: its budget begins with the snapshot.
        self.statements.budget.disarm();
        let pinned = patiently(self.statements.limits.busy_wait, || self.pin());
        self.statements.budget.arm(&self.statements.limits);
        match pinned {
            Ok((Pinned { high_water, covered, quarantine }, permit)) => {
                self.permit = Some(permit);
                self.high_water = high_water;
                self.quarantine = quarantine;
                self.ledger.high_water = high_water;
                self.ledger.covered = covered;
            }
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        self.statements.budget.lock_log(&self.statements.limits);
        let mut seen_version = self.seen_version;
        let fits = self.snapshot().check_scratch_fits(&mut seen_version);
        let looked_before = self.seen_version.is_some();
        self.seen_version = seen_version;
        match fits {
            Ok(true) => self.log_moved(looked_before),
            Ok(false) => {}
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        self.ledger.phases.snapshot = began.elapsed();
        Ok(())
    }

    /// Somebody has written to the log since the look before, if there was one.
    fn log_moved(&mut self, looked_before: bool) {
        self.moved = true;
        // Nothing came in, so that something was changed: what is known of rows need not hold any more.
        if let Some(files) = &self.files
            && looked_before
            && self.high_water <= self.seen_high_water
        {
            files.log.forget_events();
        }
        self.seen_high_water = self.high_water;
    }

    /// Whether the log was written to between a snapshot of this session's and the one before, or this is the first;
    /// said once.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Opens the log as it lies now, where that is another way than before, and takes a snapshot.
    fn pin(&mut self) -> Result<(Pinned, ReadPermit), Error> {
        self.statements.budget.check_cancelled()?;
        let Some(files) = &mut self.files else {
            return Err(Error::Engine("a session for refreshes has no log".to_owned()));
        };
        files.disproved = false;
        let permit = files.reader_gate.enter()?;
        if !files
            .access
            .map_or(Ok(false), |access| access.still_holds(&files.reader_gate, &files.log.database))?
        {
            self.open_log()?;
        }
        match Snapshot::pin(&self.statements) {
            Ok(pinned) => Ok((pinned, permit)),
            Err(error) => {
                // Nothing is locked while a commit is waited for.
                self.rest()?;
                Err(error)
            }
        }
    }

    /// Opens the log, whatever was open before.
    fn open_log(&mut self) -> Result<(), Error> {
        let Some(files) = &mut self.files else { return Ok(()) };
        files.access = None;
        let purpose = Use::Pages(&files.log.database, self.scratch.as_ref().map(|(path, _)| path.as_path()));
        let StatementRunner { authorizer, budget, .. } = &self.statements;
        let Opened { connection, access, hold } = connection::open(purpose, authorizer, budget)?;
        files.access = access;
        self.statements.connection = connection;
        files.hold = hold;
        // The count of changes is the connection's own.
        self.seen_version = None;
        Ok(())
    }

    /// Closes a connection that must not stay open between two snapshots.
    fn rest(&mut self) -> Result<(), Error> {
        if let Some(files) = &mut self.files
            && files.access == Some(Access::Shared)
        {
            files.access = None;
            self.statements.connection = connection::empty()?;
            files.hold = None;
        }
        Ok(())
    }

    /// Whether what was read of the last snapshot is one snapshot. It need not be where the log was read without
    /// a lock, and its writer came meanwhile: then nothing that was made of it counts, not even an error.
    pub fn is_proved(&self) -> bool {
        self.files.as_ref().is_none_or(|files| !files.disproved)
    }

    /// Ends the snapshot and gives the log's lock back. Does nothing where there is none.
    pub fn end(&mut self) {
        let StatementRunner { connection, budget, .. } = &self.statements;
        // An interrupt would keep the transaction open. Nothing of the strategy's runs from here on.
        budget.disarm();
        if !connection.is_autocommit() {
            // The transaction only read; SQLite ends it even where the rollback reports an error.
            let _ = connection.prepare_cached("/*keyhole*/ ROLLBACK").and_then(|mut end| end.raw_execute());
        }
        budget.unlock_log();
        if let Some(permit) = self.permit.take() {
            self.ledger.phases.log_lock = permit.lasted();
            if let Some(LogFiles { access: Some(access), reader_gate, disproved, .. }) = &mut self.files {
                *disproved = !access.is_proved(reader_gate).unwrap_or(false);
            }
        }
        // Where memory is out, the next snapshot meets that.
        let _ = self.rest();
    }

    /// Starts a refresh slice: one transaction on scratch, for the events up to `through`.
    pub fn begin_refresh(&mut self, through: i64) -> Result<(), Error> {
        self.begin_call();
        self.high_water = through;
        self.transact("BEGIN IMMEDIATE")
    }

    /// Makes a refresh slice last.
    pub fn commit_refresh(&mut self) -> Result<(), Error> {
        let outcome = self.transact("COMMIT");
        self.finish();
        outcome
    }

    fn transact(&self, sql: &str) -> Result<(), Error> {
        self.statements.connection.execute_batch(sql).map_err(|error| self.statements.classify(error))
    }

    fn begin_call(&mut self) {
        self.ledger.begin();
        self.refused = None;
        self.claims.begin_call();
        self.payloads.clear();
        let StatementRunner { budget, limits, .. } = &self.statements;
        if std::mem::take(&mut self.entered) {
            budget.leave();
        }
        self.entered = budget.enter();
        budget.arm(limits);
    }

    /// Ends the call: the budget no longer applies.
    pub fn finish(&mut self) {
        self.end();
        if std::mem::take(&mut self.entered) {
            self.statements.budget.leave();
        }
    }

    /// Without memory or disk SQLite ends the transaction: what follows would see another snapshot, or
    /// write what no rollback takes back.
    pub fn check_transaction(&self) -> Result<(), Error> {
        if !self.statements.connection.is_autocommit() {
            return Ok(());
        }
        Err(match (self.statements.author, &self.refused) {
            (Author::Refresh, Some(Error::ScratchFull { bound })) => Error::ScratchFull { bound: *bound },
            (Author::Refresh, _) => {
                Error::ScratchRefused { why: "it went on after its transaction was lost".to_owned() }
            }
            _ => self.statements.without_memory(),
        })
    }

    /// Runs one SELECT of the strategy's and returns its rows.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows, Error> {
        self.check_goes_on()?;
        self.statements.query(&mut self.ledger, sql, params)
    }

    /// Runs one SELECT of the strategy's whose first column is an id, and claims those events.
    pub fn select(&mut self, sql: &str, params: &[Value]) -> Result<Vec<u32>, Error> {
        self.needs_log("select")?;
        self.check_goes_on()?;
        let room = self.claims.room(&self.statements.limits);
        let ids = self.statements.select(&mut self.ledger, sql, params, room)?;
        self.claim(&ids)
    }

    /// Handles for these ids, in order.
    pub fn fetch(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        self.needs_log("fetch")?;
        let limits = &self.statements.limits;
        if ids.len() as u64 > self.claims.room(limits) {
            return Err(Error::Budget { limit: "handles", allowed: limits.handles });
        }
        self.claim(ids)
    }

    fn claim(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        let handles = self.claims.claim(ids)?;
        self.ledger.handles += handles.len() as u64;
        Ok(handles)
    }

    /// The ids that the running call has claimed so far, in order.
    pub fn claims(&self) -> &[i64] {
        &self.claims.ids
    }

    /// The id behind a handle; None for a handle of another call.
    pub fn claimed(&self, handle: u32) -> Option<i64> {
        self.claims.id(handle)
    }

    /// Runs one statement of a refresh and returns how many rows it changed.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        self.execute_groups(sql, params, true)
    }

    /// Runs one statement of a refresh once for each group of parameters.
    pub fn execute_many(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        self.execute_groups(sql, params, false)
    }

    fn execute_groups(&mut self, sql: &str, params: &[Value], once: bool) -> Result<u64, Error> {
        if self.statements.author != Author::Refresh {
            return Err(self.ledger.deny("write", "scratch, while a page is answered"));
        }
        self.check_goes_on()?;
        self.statements.execute(&mut self.ledger, sql, params, once)
    }

    /// Reads an event's payload line for the strategy, once a call.
    pub fn payload(&mut self, id: i64) -> Result<&[u8], Error> {
        let span = if let Some(span) = self.payloads.span(id) {
            span
        } else {
            self.statements.budget.check(&self.statements.limits)?;
            let place = self.snapshot().payload_place(id)?;
            let (offset, len, after) = place.ok_or(Error::UnknownEvent { id })?;
            let span = match self.read_payload(id, offset, len) {
                Err(error) if self.stand_ins && error.hidden().is_some() => self.payloads.stand_in(),
                outcome => outcome.map_err(|error| match after {
                    Some(key) if error.event().is_some() => error.at(key),
                    _ => error,
                })?,
            };
            self.payloads.remember(id, span);
            span
        };
        Ok(self.payloads.line(span))
    }

    /// The error that names an event, with the event's key.
    fn with_key(&self, id: i64, error: Error) -> Error {
        match self.snapshot().key(id) {
            Ok(Some(key)) if error.event().is_some() => error.at(key),
            _ => error,
        }
    }

    /// What is wrong with the payload of an event that the strategy has read and says to be corrupt, if that is JSON
    /// which decoders of the common kind do not take. None where there is nothing to it.
    pub fn undecodable(&self, id: i64) -> Option<Error> {
        let line = self.payloads.line(self.payloads.span(id)?);
        let why =
            format!("it is JSON that the strategy's decoder does not take: {}", json::undecodable(line)?);
        Some(self.with_key(id, Error::PayloadCorrupt { id, fault: PayloadFault::Decoder, why, after: None }))
    }

    /// Gives every row of the page its payload, in the page's own buffer. Payloads that the strategy
    /// has read in this call are not read again.
    ///
    /// Fails with [`Error::Unshown`] at the first event that cannot be shown: its payload is corrupt, or too large, or
    /// shares a byte of the file with that of an event further on.
    pub fn fill_payloads(&mut self, page: &mut Page) -> Result<(), Error> {
        // A file may claim any length.
        let lengths = page.rows.iter().filter_map(|row| usize::try_from(row.payload_len).ok());
        let wanted = lengths.fold(0, usize::saturating_add);
        let allowed = usize::try_from(self.statements.limits.payload_bytes).unwrap_or(usize::MAX);
        self.payloads.reserve(wanted.min(allowed));
        let shared = if self.stand_ins { None } else { shared_bytes(&page.rows) };
        let mut read = 0;
        for index in 0..page.rows.len() {
            let Some(row) = page.rows.get_mut(index) else { break };
            let len = u64::try_from(row.payload_len).unwrap_or_default();
            let outcome = match (&shared, self.payloads.span(row.id)) {
                (Some((first, why)), _) if *first == index => Err(Error::PayloadCorrupt {
                    id: row.id,
                    fault: PayloadFault::Place,
                    why: why.clone(),
                    after: None,
                }),
                (_, Some(span)) => Ok(span),
                (_, None) => self.read_payload(row.id, row.payload_offset, row.payload_len),
            };
            match outcome {
                Ok(span) => row.payload = span,
                Err(error) if self.stand_ins && error.event().is_some() => {
                    row.payload = self.payloads.stand_in();
                }
                Err(error) => {
                    let error = if_too_large(error, row.id, len, read);
                    return Err(page.unshown(index, error));
                }
            }
            read += len;
        }
        page.payloads = self.payloads.take();
        Ok(())
    }

    /// Reads a line. One that is longer than any request may read is its own fault.
    fn read_payload(&mut self, id: i64, offset: i64, len: i64) -> Result<Span, Error> {
        let Some(files) = &mut self.files else {
            return Err(Error::Engine("a session for refreshes has no payloads".to_owned()));
        };
        let allowed = self.statements.limits.payload_bytes;
        let room = allowed.saturating_sub(self.ledger.payload_bytes);
        match self.payloads.read(&mut files.payloads, id, offset, len, room) {
            Ok(span) => {
                self.ledger.payload_reads += 1;
                self.ledger.payload_bytes += u64::from(span.len);
                Ok(span)
            }
            Err(Error::Budget { .. }) => {
                let error = Error::Budget { limit: "payload_bytes", allowed };
                Err(if_too_large(error, id, u64::try_from(len).unwrap_or_default(), 0))
            }
            Err(error) => Err(error),
        }
    }

    /// Fills in the plans of the running call's statements, but for those that `known` knows already.
    ///
    /// A plan that cannot be had says why.
    pub fn explain_new(&mut self, known: impl Fn(&str) -> bool) {
        let statements = self.ledger.statements();
        let new = statements.filter(|statement| statement.plan.is_empty() && !known(&statement.sql));
        let texts: Vec<String> = new.map(|statement| statement.sql.clone()).collect();
        let armed = self.statements.budget.arm_after(PLANNING);
        for sql in texts {
            let plan = self.explain(&sql);
            if let Some(statement) = self.ledger.statement(&sql) {
                statement.plan = plan;
            }
        }
        if armed {
            self.statements.budget.disarm();
        }
    }

    /// SQLite's plan for a text that has run already, or was refused.
    ///
    /// A plan that takes too long says so instead.
    pub fn explain(&mut self, sql: &str) -> Vec<String> {
        let closed = self.files.as_ref().is_some_and(|files| files.access.is_none());
        if closed {
            let wait = self.statements.limits.busy_wait;
            if let Err(error) = patiently(wait, || self.open_log()) {
                return vec![format!("no plan: {error}")];
            }
        }
        let armed = self.statements.budget.arm_after(PLANNING);
        let plan = self.statements.explain(sql);
        if armed {
            self.statements.budget.disarm();
        }
        if closed {
            // Where memory is out, the next snapshot meets that.
            let _ = self.rest();
        }
        plan
    }

    /// The host's own reading of the running call's snapshot.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            statements: &self.statements,
            fingerprints: self.files.as_ref().map(|files| &*files.fingerprints),
            high_water: self.high_water,
            quarantine: self.quarantine,
        }
    }

    /// The largest id of the snapshot; 0 where the log is empty.
    pub fn high_water(&self) -> i64 {
        self.high_water
    }

    /// A handle that cancels the running call from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.statements.budget)
    }

    /// Whether the running call is cancelled.
    pub fn cancelled(&self) -> bool {
        self.statements.budget.cancelled()
    }

    /// How long the log has been locked by now; nothing where it is not.
    pub fn locked_for(&self) -> Duration {
        self.permit.as_ref().map_or(Duration::ZERO, ReadPermit::lasted)
    }

    /// Steps of SQLite's virtual machine that the running call has taken, as far as they were counted.
    pub fn steps(&self) -> u64 {
        self.statements.budget.steps()
    }

    /// The session's limits.
    pub fn limits(&self) -> &Limits {
        &self.statements.limits
    }

    /// Keeps the strategy's notes from now on, or drops them.
    pub fn keep_notes(&mut self, keep: bool) {
        self.keep_notes = keep;
    }

    /// From now on a payload that cannot be shown is a stand-in, the same for everybody: for pages that are compared with
    /// each other and shown to nobody, so that one event does not keep all others from being compared.
    pub fn use_stand_ins(&mut self) {
        self.stand_ins = true;
    }

    /// A note of the strategy's.
    pub fn note(&mut self, text: &str) {
        if self.keep_notes {
            self.ledger.note(text);
        }
    }

    /// The connection, for the host's own work on scratch and feed.
    pub fn connection(&self) -> &Connection {
        &self.statements.connection
    }

    /// Fails where the running call's time is up or its transaction lost: before each of its statements.
    fn check_goes_on(&self) -> Result<(), Error> {
        self.statements.budget.check(&self.statements.limits)?;
        self.check_transaction()
    }

    fn needs_log(&mut self, what: &str) -> Result<(), Error> {
        if self.files.is_some() {
            return Ok(());
        }
        Err(self.ledger.deny("refresh", &format!("{what}, while scratch is refreshed")))
    }
}

/// The error of a payload of `len` bytes that was not read, after `read` bytes of those before it on its page: where they
/// are more than any request may read, no strategy has used up the budget.
fn if_too_large(error: Error, id: i64, len: u64, read: u64) -> Error {
    match error {
        Error::Budget { limit: "payload_bytes", allowed } if read.saturating_add(len) > allowed => {
            let read = if len > allowed { 0 } else { read };
            Error::PayloadTooLarge { id, len, read, allowed, after: None }
        }
        error => error,
    }
}

/// The first event of a page whose payload shares a byte of the file with that of another one, by its place on the page,
/// and which one.
fn shared_bytes(rows: &[Row]) -> Option<(usize, String)> {
    // Newest first, so most pages lie in the file from back to front, and one look at each pair is enough.
    let apart = |pair: &[Row]| match pair {
        [later, earlier] => {
            earlier.payload_len >= 0
                && earlier
                    .payload_offset
                    .checked_add(earlier.payload_len)
                    .is_some_and(|end| end <= later.payload_offset)
        }
        _ => true,
    };
    if rows.windows(2).all(apart) {
        return None;
    }
    let span = |(index, row): (usize, &Row)| {
        let end = row.payload_offset.checked_add(row.payload_len)?;
        (row.payload_offset >= 0 && row.payload_len > 0).then_some((row.payload_offset, end, index))
    };
    let mut spans: Vec<_> = rows.iter().enumerate().filter_map(span).collect();
    spans.sort_unstable();
    let mut furthest: Option<(i64, usize)> = None;
    let mut found: Option<(usize, String)> = None;
    for (start, end, index) in spans {
        if let Some((reach, holder)) = furthest.filter(|(reach, _)| start < *reach) {
            let (first, other) = (index.min(holder), index.max(holder));
            if found.as_ref().is_none_or(|(known, _)| first < *known) {
                let other = rows.get(other).map_or(0, |row| row.id);
                let shared = end.min(reach) - 1;
                found = Some((
                    first,
                    format!("it shares bytes {start} to {shared} of the file with event {other}"),
                ));
            }
        }
        if furthest.is_none_or(|(reach, _)| end > reach) {
            furthest = Some((end, index));
        }
    }
    found
}
