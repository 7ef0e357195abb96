//! The errors that host code branches on: one list of codes for the command line, HTTP and logs.

mod blame;
mod bound;
pub mod codes;
mod lie;
mod observed;
mod remedy;
mod spent;
mod system;
mod unshown;

use std::path::{Path, PathBuf};

use crate::key::Key;
use crate::limits;

pub use bound::Bound;
pub use lie::Lie;
pub use observed::{LIMIT, observed_denial, over_ceiling};
pub use spent::Spent;
pub use system::words;
pub use unshown::{PayloadFault, Unshown, WayOn};

/// Why a component is not the one that a policy means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its code: `digest-mismatch`, `signature-missing`, `signature-invalid` or `signed-by-another`.
    pub code: &'static str,
    /// What was found.
    pub what: String,
}

/// Everything that can keep a page, or a verb, from being answered.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// The request itself makes no sense.
    #[error("{what}")]
    BadRequest {
        /// What is wrong with it.
        what: String,
    },
    /// A cursor that this host did not mint, or minted for another question.
    #[error("the cursor is not valid: {why}")]
    BadCursor {
        /// Which check it failed.
        why: &'static str,
    },
    /// The log's writer held its lock for longer than the request may wait.
    #[error("the log's writer holds its lock")]
    Busy,
    /// As many requests of the strategy run as it may have at once.
    #[error("{at_once} requests of the strategy run already, which is its share")]
    Crowded {
        /// Its share.
        at_once: u32,
    },
    /// As many requests wait as the service lets wait.
    #[error("{waiting} requests wait already, which is as many as may")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// The service takes no more requests: it is about to end.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// No strategy serves.
    #[error("no strategy serves: {why}")]
    NothingServes {
        /// What became of the one that did.
        why: String,
    },
    /// A strategy has not come as far in its life as the order needs.
    #[error("{name}: {why}")]
    NotReady {
        /// The strategy.
        name: String,
        /// How far it is, and what is missing.
        why: String,
    },
    /// A component once served a page that the reference says is wrong.
    #[error("{name} (sha256:{digest}) is a proven liar: {why}")]
    ProvenLiar {
        /// The name that it would have.
        name: String,
        /// SHA-256 of its component, in hex.
        digest: String,
        /// What it served, and when.
        why: String,
    },
    /// No proven liar has that digest.
    #[error("no proven liar, or more than one, has a digest that begins with {digest:?}")]
    NoSuchLiar {
        /// The digest, or its first digits.
        digest: String,
    },
    /// What the state folder says of the service cannot be read as that.
    #[error("{} cannot be read as what it is: {what}", path.display())]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// There is no log where one was looked for.
    #[error("there is no log: {} does not exist", path.display())]
    NoLog {
        /// The database that was looked for.
        path: PathBuf,
    },
    /// The log cannot be opened or read as a log.
    #[error("{what}")]
    BadLog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A writer was killed in mid-commit and left its journal, or commits that are not in the database yet.
    #[error("{what}")]
    LogNeedsRecovery {
        /// The log's database.
        path: PathBuf,
        /// What was left.
        what: &'static str,
    },
    /// A file of the log was replaced while it was open.
    #[error("the log's file was replaced by another one")]
    LogReplaced {
        /// The file.
        path: PathBuf,
    },
    /// The decision log does not end as it was left, so it is not continued.
    #[error("the decision log is broken: {what}")]
    BadDecisions {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An event's payload is not one whole JSON line of the payload file.
    #[error("the payload of event {id} is corrupt: {why}")]
    PayloadCorrupt {
        /// The event.
        id: i64,
        /// Whether it is the place of the line that is wrong, or what stands there.
        fault: PayloadFault,
        /// What was found.
        why: String,
        /// The key that a walk goes on after; None where nobody has looked for it.
        after: Option<Key>,
    },
    /// An event's payload is larger than a request may read, alone or with those of the page before it.
    #[error("{}", unshown::too_large(*id, *len, *read, *allowed))]
    PayloadTooLarge {
        /// The event.
        id: i64,
        /// Bytes of its payload.
        len: u64,
        /// Bytes of the page's payloads before it; 0 where its own are too many by themselves.
        read: u64,
        /// How many the request may read.
        allowed: u64,
        /// The key that a walk goes on after; None where nobody has looked for it.
        after: Option<Key>,
    },
    /// An event of a page could not be shown, by `source`, and where on the page it stands.
    #[error("{source}")]
    Unshown {
        /// Where it stands, and how a walk goes on.
        place: Box<Unshown>,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A cell of an event does not hold what its column should, so the event cannot be shown.
    #[error("event {event} cannot be shown: its {column} holds {found}")]
    BadCell {
        /// The event.
        event: i64,
        /// The column.
        column: &'static str,
        /// What was found there, fit to be shown and short.
        found: String,
        /// The place in the order from which a walk goes on past the event; None where its time has none, or where the
        /// limits left no time to see whether the page holds the event.
        after: Option<Key>,
    },
    /// A strategy asked for something that its policy does not grant.
    #[error("denied by rule {rule}: {object}")]
    Denied {
        /// The rule's name.
        rule: &'static str,
        /// What it was applied to.
        object: String,
    },
    /// A limit of the request is used up.
    #[error("over the limit {limit} ({})", limits::amount(limit, *allowed))]
    Budget {
        /// The limit's name, as in the policy.
        limit: &'static str,
        /// Its value.
        allowed: u64,
    },
    /// A limit on time passed while the machine had next to no time for the request, twice in a row.
    #[error(
        "the machine was too busy: {limit} ({}) passed while the request took {spent}",
        limits::amount(limit, *allowed)
    )]
    Starved {
        /// The limit's name, as in the policy.
        limit: &'static str,
        /// Its value, in milliseconds.
        allowed: u64,
        /// What the request used.
        spent: Spent,
    },
    /// SQLite refused a strategy's statement.
    #[error("SQLite refused the strategy's statement: {what}")]
    Sql {
        /// SQLite's words.
        what: String,
    },
    /// A strategy used an event that the snapshot does not hold.
    #[error("there is no event {id}")]
    UnknownEvent {
        /// The id that was claimed.
        id: i64,
    },
    /// A strategy used a handle that is not of its running call.
    #[error("the strategy used {what}")]
    BadHandle {
        /// Which kind of handle.
        what: &'static str,
    },
    /// A strategy's answer is wrong.
    #[error("the strategy lied ({}): {detail}", kind.name())]
    Lied {
        /// How.
        kind: Lie,
        /// Which event, and what is wrong with it.
        detail: String,
    },
    /// The strategy trapped.
    #[error("the strategy trapped: {what}")]
    Trapped {
        /// The trap, one line.
        what: String,
        /// What the strategy noted before, escaped; empty if nothing.
        note: String,
    },
    /// The strategy gave up with an error of its own.
    #[error("the strategy gave up: {what}")]
    GaveUp {
        /// Its words, escaped.
        what: String,
    },
    /// The component cannot be let in.
    #[error("{} cannot be loaded: {}", path.display(), reasons.join("; "))]
    Refused {
        /// The file, or the strategy's name.
        path: PathBuf,
        /// Each reason.
        reasons: Vec<String>,
    },
    /// The policy grants the component nothing, or not all that it asks for.
    #[error("{} is not let in: {}", path.display(), reasons.join("; "))]
    NotGranted {
        /// The file.
        path: PathBuf,
        /// Each reason.
        reasons: Vec<String>,
        /// The lines of a policy that would let it in; empty if none would.
        lines: String,
    },
    /// The component is not the one that its section of the policy means.
    #[error("{} is not what the policy means: {}", path.display(), faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join("; "))]
    Unproven {
        /// The file.
        path: PathBuf,
        /// Each fault.
        faults: Vec<Fault>,
    },
    /// The policy cannot be read as one.
    #[error("the policy in {} is not valid:{}", path.display(), mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
    BadPolicy {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it: for each mistake its place, what it is, and how to mend it.
        mistakes: Vec<String>,
    },
    /// Scratch no longer fits the log; it is dropped and filled anew.
    #[error("scratch does not fit the log: {why}")]
    ScratchUnfit {
        /// What differs.
        why: String,
    },
    /// What a refresh says of its tables cannot be.
    #[error("the strategy's refresh is refused: {why}")]
    ScratchRefused {
        /// What it said.
        why: String,
    },
    /// Scratch has reached its quota, or the total of all strategies.
    #[error("scratch has reached {bound}")]
    ScratchFull {
        /// Which of both.
        bound: Bound,
    },
    /// No strategy of that name.
    #[error("there is no strategy named {name}")]
    NoSuchStrategy {
        /// The name.
        name: String,
    },
    /// No component file of that path.
    #[error("there is no strategy: {}", system::of_file(path, source))]
    NoComponent {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Two strategies answered the same request differently.
    #[error("{what}")]
    Differs {
        /// Which, and what they were asked.
        what: String,
    },
    /// Another error, and the lines of a policy that would have kept it away.
    #[error("{source}")]
    Ungranted {
        /// The lines.
        lines: String,
        /// The error.
        source: Box<Error>,
    },
    /// Another error, and during what it happened.
    #[error("{what}: {source}")]
    During {
        /// What was being done.
        what: String,
        /// The error.
        source: Box<Error>,
    },
    /// A refresh failed, and is not tried again before a while has passed.
    #[error("{source} (its refresh is tried again in {} s at the earliest)", retry_after.as_secs().max(1))]
    Repeated {
        /// When it may be tried again.
        retry_after: std::time::Duration,
        /// How it failed.
        source: std::sync::Arc<Error>,
    },
    /// A result may not be written where it was to go. Nothing there was touched.
    #[error("nothing is written to {}: {why}", path.display())]
    NotWritten {
        /// The path, as it was named.
        path: PathBuf,
        /// What is against it.
        why: String,
        /// What to do.
        fix: &'static str,
    },
    /// A file operation failed.
    #[error("{}", system::of_file(path, source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Whoever asked for the page no longer wants it.
    #[error("the request was cancelled")]
    Cancelled,
    /// SQLite failed in a statement of the host's own.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The engine failed in a way that no other case names.
    #[error("engine: {0}")]
    Engine(String),
}

impl Error {
    /// Shorthand for [`Error::Io`].
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), source }
    }

    /// The same error, with what was being done.
    #[must_use]
    pub fn during(self, what: impl Into<String>) -> Self {
        Self::During { what: what.into(), source: Box::new(self) }
    }

    /// Shorthand for [`Error::BadLog`].
    pub fn bad_log(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::BadLog { path: path.as_ref().to_owned(), what: what.into() }
    }

    /// Shorthand for [`Error::BadRequest`].
    pub fn bad_request(what: impl Into<String>) -> Self {
        Self::BadRequest { what: what.into() }
    }

    /// The error's code: stable, one word, the same on every surface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest { .. } => "bad-request",
            Self::BadCursor { .. } => "bad-cursor",
            Self::Busy => "busy",
            Self::Crowded { .. } => "crowded",
            Self::Overloaded { .. } => "overloaded",
            Self::ShuttingDown => "shutting-down",
            Self::NothingServes { .. } => "nothing-serves",
            Self::NotReady { .. } => "not-ready",
            Self::ProvenLiar { .. } => "proven-liar",
            Self::BadState { .. } => "bad-state",
            Self::NoLog { .. } => "no-log",
            Self::BadLog { .. } => "bad-log",
            Self::LogNeedsRecovery { .. } => "log-needs-recovery",
            Self::LogReplaced { .. } => "log-replaced",
            Self::BadDecisions { .. } => "bad-decisions",
            Self::PayloadCorrupt { .. } => "payload-corrupt",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::Starved { .. } => "starved",
            Self::BadCell { .. } => "bad-cell",
            Self::Denied { .. } => "denied",
            Self::Budget { .. } => "budget",
            Self::Sql { .. } => "sql",
            Self::UnknownEvent { .. } => "unknown-event",
            Self::BadHandle { .. } => "handle",
            Self::Lied { .. } => "lie",
            Self::Trapped { .. } => "trapped",
            Self::GaveUp { .. } => "gave-up",
            Self::Refused { .. } => "refused",
            Self::NotGranted { .. } => "not-granted",
            Self::Unproven { faults, .. } => faults.first().map_or("digest-mismatch", |fault| fault.code),
            Self::BadPolicy { .. } => "bad-policy",
            Self::ScratchUnfit { .. } => "scratch-unfit",
            Self::ScratchRefused { .. } => "scratch-refused",
            Self::ScratchFull { .. } => "scratch-full",
            Self::NoSuchStrategy { .. } | Self::NoComponent { .. } | Self::NoSuchLiar { .. } => {
                "no-such-strategy"
            }
            Self::Differs { .. } => "differs",
            Self::During { source, .. } | Self::Ungranted { source, .. } | Self::Unshown { source, .. } => {
                source.code()
            }
            Self::Repeated { source, .. } => source.code(),
            Self::NotWritten { .. } => "not-written",
            Self::Io { .. } => "io",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
            Self::Sqlite(_) => "sqlite",
            Self::Engine(_) => "engine",
        }
    }
}
