//! The strategy's tables in scratch, and how wide their buckets are.

use crate::host::{Param, Rows, Writer, integer};

/// A bucket with more children than this is split; more buckets than this at the top get a level
/// above them. About what one page of SQLite holds: a level costs a page or two.
pub(crate) const MAX_CHILDREN: u32 = if cfg!(any(test, fuzzing)) { 4 } else { 64 };

/// How many children a new bucket gets at most: the rest is room for late arrivals.
pub(crate) const FULL: u32 = MAX_CHILDREN * 3 / 4;

/// Which columns an event shares with the others of a series: (actor, action).
pub(crate) const FAMILIES: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

/// What a series' row stands for: its events' actor and action, each NULL where it is any.
///
/// `n` counts its keys and `height` the levels of buckets above them; `oldest` and `newest` bound
/// their `created_at`.
const SERIES: &str = "CREATE TABLE IF NOT EXISTS scratch.series (
    series INTEGER PRIMARY KEY,
    actor_id INTEGER,
    action TEXT,
    n INTEGER NOT NULL,
    height INTEGER NOT NULL,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
)";

const SERIES_LOOKUP: &str = "CREATE UNIQUE INDEX IF NOT EXISTS scratch.series_of_filter
    ON series (actor_id, action)";

/// The keys in order, once for each series that they belong to.
const KEYS: &str = "CREATE TABLE IF NOT EXISTS scratch.keys (
    series INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (series, created_at, id)
) WITHOUT ROWID";

/// A counted B+tree over each long series. A bucket of level 1 covers a run of keys, one of a higher
/// level a run of buckets of the level below; `n` counts keys and `fanout` children. A bucket starts
/// at (`created_at`, `id`), the first of each level at the least key there can be, and ends where
/// the next one starts: so every key, whenever it arrives, has its bucket.
const BUCKETS: &str = "CREATE TABLE IF NOT EXISTS scratch.buckets (
    series INTEGER NOT NULL,
    level INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    fanout INTEGER NOT NULL,
    PRIMARY KEY (series, level, created_at, id)
) WITHOUT ROWID";

/// One row. The tables answer for ids up to `covered`. While that is 0 the first fill may be under
/// way: it goes up to the id `filling`, and `step` is the next one to do.
const PROGRESS: &str = "CREATE TABLE IF NOT EXISTS scratch.progress (
    covered INTEGER NOT NULL,
    filling INTEGER NOT NULL,
    step INTEGER NOT NULL
)";

const FIRST_PROGRESS: &str = "INSERT INTO scratch.progress (covered, filling, step)
    SELECT 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM scratch.progress)";

/// The row of `progress`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) covered: i64,
    pub(crate) filling: i64,
    pub(crate) step: i64,
}

impl State {
    /// Reads it; makes all tables where there are none.
    pub(crate) fn open<W: Writer>(writer: &mut W) -> Result<Self, W::Error> {
        // Partial, so that the few buckets that need work are found without looking at the rest.
        let overflowing = format!(
            "CREATE INDEX IF NOT EXISTS scratch.overflowing
             ON buckets (level) WHERE fanout > {MAX_CHILDREN}"
        );
        let tables = [SERIES, SERIES_LOOKUP, KEYS, BUCKETS, &overflowing, PROGRESS];
        for statement in tables.into_iter().chain([FIRST_PROGRESS]) {
            writer.execute(statement, &[])?;
        }
        let rows = writer.query("SELECT covered, filling, step FROM scratch.progress", &[])?;
        if rows.is_empty() {
            return Err(W::broken("the progress row is missing"));
        }
        Ok(Self {
            covered: integer::<W>(&rows, 0, 0)?,
            filling: integer::<W>(&rows, 0, 1)?,
            step: integer::<W>(&rows, 0, 2)?,
        })
    }

    /// Writes it back.
    pub(crate) fn save<W: Writer>(&self, writer: &mut W) -> Result<(), W::Error> {
        let params = [self.covered, self.filling, self.step].map(Param::Integer);
        let sql = "UPDATE scratch.progress SET covered = ?1, filling = ?2, step = ?3";
        writer.execute(sql, &params).map(drop)
    }
}
