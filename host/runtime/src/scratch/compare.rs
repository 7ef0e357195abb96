//! What scratch was made from, held against what the log holds now: event by event, in short read transactions, from
//! where the last process stopped.
//!
//! A *round* goes from the first covered event to the last. It is named by the log's version when it began: once it
//! has ended without a difference, all that scratch covers is what the log held in that version, since events that are taken
//! in meanwhile are read later than that. Where the log still has this version, nothing needs to be compared.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::scratch::blocks;
use crate::scratch::fit::Coverage;
use keyhole_log::Log;
use keyhole_log::connection;
use keyhole_log::digests::RowDigest;
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::version::LogVersion;

/// Differences after which a comparison stops: it is known by then that all has to be made anew.
const MOST: u64 = 10_000;

/// Differences that are named.
const NAMED: usize = 20;

/// For how long others are looked for once something differs.
const NAMING: Duration = Duration::from_millis(250);

/// Makes the table in a new scratch, which is about to be filled from a log of this version: as good as compared.
pub(super) fn create(scratch: &Connection, version: &LogVersion) -> rusqlite::Result<()> {
    scratch.execute_batch(
        "CREATE TABLE scratch.keyhole_compared (version TEXT NOT NULL, ended INTEGER NOT NULL, rounds INTEGER NOT NULL,
            round TEXT, position INTEGER, events INTEGER NOT NULL)",
    )?;
    let insert = "INSERT INTO scratch.keyhole_compared VALUES (?1, ?2, 0, NULL, NULL, 0)";
    scratch.execute(insert, (named(version), now())).map(drop)
}

/// Where a comparison begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the first event, in the log's version of now.
    Anew,
    /// Where the last one stopped; with the first event, if that ended its round.
    GoOn,
}

/// What a piece of a round came to.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Events that were compared.
    pub(super) events: u64,
    /// Events that were compared in the round by now, and that it has in all.
    pub(super) round: u64,
    pub(super) of: u64,
    /// Whether that was the round's end.
    pub(super) ended: bool,
    /// What differs.
    pub(super) differences: Differences,
}

/// An event that is not in the log as it was when scratch took it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// The log does not hold it any more.
    Erased(i64),
    /// Its row is another one.
    Rewritten(i64),
    /// It came in between events that were there.
    Added(i64),
}

/// What differs between a log and what a scratch was made from.
#[derive(Debug, Default)]
pub(super) struct Differences {
    first: Vec<Difference>,
    count: u64,
}

impl Differences {
    pub(super) fn are_none(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, difference: Difference) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(difference);
        }
    }

    /// Takes in how two runs of events differ, each in ascending order of id.
    fn take_in(&mut self, kept: &[RowDigest], found: &[RowDigest]) {
        if kept == found {
            return;
        }
        let (mut kept, mut found) = (kept.iter().peekable(), found.iter().peekable());
        loop {
            match (kept.peek(), found.peek()) {
                (Some(old), new) if new.is_none_or(|new| old.id < new.id) => {
                    self.add(Difference::Erased(old.id));
                    kept.next();
                }
                (Some(old), Some(new)) if old.id == new.id => {
                    if old.digest != new.digest {
                        self.add(Difference::Rewritten(old.id));
                    }
                    kept.next();
                    found.next();
                }
                (_, Some(new)) => {
                    self.add(Difference::Added(new.id));
                    found.next();
                }
                // An event without another one beside it is taken by the first arm.
                (_, None) => return,
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erased(id) => write!(out, "event {id} was erased"),
            Self::Rewritten(id) => write!(out, "event {id} was rewritten"),
            Self::Added(id) => write!(out, "event {id} was added later"),
        }
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.first.iter().map(Difference::to_string).collect();
        write!(out, "the log's history was changed: {}", named.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            others => write!(out, ", and {others} more"),
        }
    }
}

/// A round that is under way.
struct Round {
    version: String,
    /// The last event that was compared; None before the first.
    position: Option<i64>,
    events: u64,
}

impl Round {
    fn begin(log: &Log) -> Result<Self, Error> {
        Ok(Self { version: named(&LogVersion::of(&log.database)?), position: None, events: 0 })
    }

    fn load(scratch: &Connection) -> rusqlite::Result<Option<Self>> {
        scratch.query_row("SELECT round, position, events FROM scratch.keyhole_compared", [], |row| {
            let version: Option<String> = row.get(0)?;
            let (position, events) = (row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs());
            Ok(version.map(|version| Self { version, position, events }))
        })
    }

    fn store(&self, scratch: &Connection) -> rusqlite::Result<()> {
        let update = "UPDATE scratch.keyhole_compared SET round = ?1, position = ?2, events = ?3";
        scratch.execute(update, (&self.version, self.position, self.events.cast_signed())).map(drop)
    }

    fn end(&self, scratch: &Connection) -> rusqlite::Result<()> {
        let update = "UPDATE scratch.keyhole_compared
            SET version = ?1, ended = ?2, rounds = rounds + 1, round = NULL, position = NULL, events = 0";
        scratch.execute(update, (&self.version, now())).map(drop)
    }
}

/// A connection for the host's own work on a scratch that is there. Only with the refresher's lock held.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let scratch = connection::to_scratch(path)?;
    // How far a comparison came may be lost: then it is made again.
    scratch.execute_batch("PRAGMA scratch.synchronous=NORMAL")?;
    Ok(scratch)
}

/// Whether a whole round was made since the log has this version.
pub(super) fn is_of(scratch: &Connection, version: &LogVersion) -> rusqlite::Result<bool> {
    let compared: String =
        scratch.query_row("SELECT version FROM scratch.keyhole_compared", [], |row| row.get(0))?;
    Ok(version.is_settled() && compared == version.to_string())
}

/// Compares on until the round ends, or `stop` says so: it is asked after each read transaction. How far it came is
/// kept in scratch, unless something differs: then scratch has to go. Only with the refresher's lock held.
pub(super) fn piece(
    scratch: &Connection,
    feeder: &Feeder,
    log: &Log,
    start: Start,
    stop: impl Fn() -> bool,
) -> Result<Piece, Error> {
    let (mut piece, covers) = (Piece::default(), Coverage::load(scratch)?);
    let running = if start == Start::GoOn { Round::load(scratch)? } else { None };
    let mut round = match running {
        Some(round) => round,
        None => Round::begin(log)?,
    };
    let (mut kept, mut found, mut differed) = (Vec::new(), Vec::new(), None::<Instant>);
    // A scratch that covers nothing was made from nothing.
    let covers = covers.filter(|covers| covers.n > 0);
    piece.ended = covers.is_none();
    piece.of = covers.as_ref().map_or(0, |covers| covers.n);
    while let (false, Some(covers)) = (piece.ended, &covers) {
        keyhole_log::interrupt::check()?;
        if kept.is_empty() {
            blocks::after(scratch, round.position, &mut kept)?;
        }
        let through = kept.last().map_or(covers.last, |row| row.id);
        let all = feeder.digests(&covers.key, round.position, through, &mut found)?;
        let reached = found.last().filter(|_| !all).map_or(through, |row| row.id);
        let compared = kept.partition_point(|row| row.id <= reached);
        piece.differences.take_in(kept.get(..compared).unwrap_or_default(), &found);
        kept.drain(..compared);
        piece.events += found.len() as u64;
        round.events += found.len() as u64;
        round.position = Some(reached);
        piece.ended = reached >= covers.last;
        // Others that differ are to be named, too, but scratch has to go soon.
        let naming =
            !piece.differences.are_none() && differed.get_or_insert_with(Instant::now).elapsed() < NAMING;
        if piece.differences.count >= MOST || (stop() && !naming) {
            break;
        }
    }
    piece.round = round.events;
    if piece.differences.are_none() {
        if piece.ended { round.end(scratch)? } else { round.store(scratch)? }
    }
    Ok(piece)
}

/// A version's name, by which it is known again; none that is, where it may be the next one's, too.
fn named(version: &LogVersion) -> String {
    if version.is_settled() { version.to_string() } else { String::new() }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::scratch::tables;

    /// A log of these ids, and a scratch that was made from it.
    struct Made {
        log: Log,
        writer: Connection,
        scratch: Connection,
        _folder: tempfile::TempDir,
    }

    impl Made {
        fn of(ids: impl IntoIterator<Item = i64>, fed_at_once: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("payloads.jsonl"), "").unwrap();
            let writer = Connection::open(folder.path().join("audit.db")).unwrap();
            writer
                .execute_batch(
                    "PRAGMA synchronous=OFF;
                     CREATE TABLE audit_events (id INTEGER PRIMARY KEY, created_at, actor_id, action, resource_type,
                        resource_id, payload_offset, payload_len);
                     CREATE INDEX idx_created_at ON audit_events (created_at); BEGIN",
                )
                .unwrap();
            for id in ids {
                writer
                    .execute(
                        "INSERT INTO audit_events VALUES (?1, ?1 * 10, ?1 % 7, 'A', 'T', 'R', 0, 1)",
                        [id],
                    )
                    .unwrap();
            }
            writer.execute_batch("COMMIT").unwrap();
            let log = Log::open(folder.path()).unwrap();
            let path = folder.path().join("scratch.db");
            let scratch = connection::to_scratch(&path).unwrap();
            let made = Self { log, writer, scratch, _folder: folder };
            made.fill(fed_at_once);
            made
        }

        fn fill(&self, fed_at_once: usize) {
            let (feeder, mut rows) = (Feeder::open(&self.log).unwrap(), Vec::new());
            tables::create(&self.scratch, &LogVersion::of(&self.log.database).unwrap()).unwrap();
            blocks::create_beside_feed(&self.scratch).unwrap();
            let mut covers = Coverage::nothing();
            while !feeder
                .digests(&covers.key, (covers.n > 0).then_some(covers.last), i64::MAX, &mut rows)
                .unwrap()
                || !rows.is_empty()
            {
                for rows in rows.chunks(fed_at_once) {
                    blocks::gather(&self.scratch, rows).unwrap();
                    covers.extend(rows);
                }
            }
            covers.store(&self.scratch, &self.log, &feeder).unwrap();
        }

        /// Compares in pieces of one read transaction each.
        fn differences(&self) -> Vec<Difference> {
            let (feeder, mut start, mut all) = (Feeder::open(&self.log).unwrap(), Start::Anew, Vec::new());
            loop {
                let piece = piece(&self.scratch, &feeder, &self.log, start, || true).unwrap();
                all.extend(piece.differences.first);
                // What differs is not kept: here it is, to see the rest.
                if piece.ended || !all.is_empty() {
                    let whole =
                        super::piece(&self.scratch, &feeder, &self.log, Start::Anew, || false).unwrap();
                    assert!(all.is_empty() || whole.differences.first.starts_with(&all));
                    return whole.differences.first;
                }
                start = Start::GoOn;
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Change {
        Insert(i64),
        Delete(i64),
        Update(i64, usize),
        Swap(i64, i64),
    }

    const COLUMNS: [&str; 7] =
        ["created_at", "actor_id", "action", "resource_type", "resource_id", "payload_offset", "payload_len"];

    fn a_change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (1i64..400).prop_map(Change::Insert),
            (1i64..400).prop_map(Change::Delete),
            (1i64..400, 0usize..7).prop_map(|(id, column)| Change::Update(id, column)),
            (1i64..400, 1i64..400).prop_map(|(one, other)| Change::Swap(one, other)),
        ]
    }

    /// All rows as SQLite itself shows them: the model.
    fn rows(writer: &Connection) -> BTreeMap<i64, String> {
        let quoted = COLUMNS.map(|column| format!("quote({column})")).join(" || ");
        let mut rows = writer.prepare(&format!("SELECT id, {quoted} FROM audit_events")).unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
        #[test]
        fn exactly_the_changed_events_are_named(
            ids in proptest::collection::btree_set(1i64..400, 1..200),
            changes in proptest::collection::vec(a_change(), 0..6),
            fed_at_once in prop_oneof![Just(1usize), 2usize..70, Just(600)],
        ) {
            let made = Made::of(ids, fed_at_once);
            let before = rows(&made.writer);
            for change in changes {
                let writer = &made.writer;
                match change {
                    Change::Insert(id) => writer.execute(
                        "INSERT OR IGNORE INTO audit_events VALUES (?1, 5, NULL, x'00', 2.5, 'R', 0, 1)", [id]),
                    Change::Delete(id) => writer.execute("DELETE FROM audit_events WHERE id = ?1", [id]),
                    Change::Update(id, column) => writer.execute(
                        &format!("UPDATE audit_events SET {} = 'x' WHERE id = ?1", COLUMNS[column]), [id]),
                    Change::Swap(one, other) => writer.execute(
                        "UPDATE audit_events SET created_at = (SELECT created_at FROM audit_events WHERE id = ?1 + ?2 - id)
                         WHERE id IN (?1, ?2) AND EXISTS (SELECT 1 FROM audit_events WHERE id = ?1 + ?2 - audit_events.id)",
                        [one, other]),
                }.unwrap();
            }
            let (after, last) = (rows(&made.writer), *before.keys().last().unwrap());
            let mut expected = Vec::new();
            for id in 1..=last {
                match (before.get(&id), after.get(&id)) {
                    (Some(_), None) => expected.push(Difference::Erased(id)),
                    (None, Some(_)) => expected.push(Difference::Added(id)),
                    (old, new) if old != new => expected.push(Difference::Rewritten(id)),
                    _ => {}
                }
            }
            expected.truncate(NAMED);
            prop_assert_eq!(made.differences(), expected);
        }
    }

    #[test]
    fn a_comparison_goes_on_where_it_stopped_and_ends_with_the_version_that_it_began_with() {
        let made = Made::of(1..=12_000, 5_000);
        let feeder = Feeder::open(&made.log).unwrap();
        let version = LogVersion::of(&made.log.database).unwrap();
        assert!(is_of(&made.scratch, &version).unwrap(), "what was just filled needs no comparison");
        let run = |start| piece(&made.scratch, &feeder, &made.log, start, || true).unwrap();
        let first = run(Start::Anew);
        assert!(!first.ended && first.events > 0);
        let state = || {
            let both = "SELECT rounds, events FROM scratch.keyhole_compared";
            made.scratch.query_row(both, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
        };
        assert_eq!(state(), (0, first.events.cast_signed()));
        // What is erased behind the position is not seen before the next round, whose version is another one.
        made.writer.execute("DELETE FROM audit_events WHERE id = 1", []).unwrap();
        let mut events = first.events;
        loop {
            let piece = run(Start::GoOn);
            assert!(piece.differences.are_none(), "{}", piece.differences);
            events += piece.events;
            assert_eq!((piece.round, piece.of), (events, 12_000));
            if piece.ended {
                break;
            }
        }
        assert_eq!((events, state()), (12_000, (1, 0)));
        assert!(is_of(&made.scratch, &version).unwrap());
        assert!(!is_of(&made.scratch, &LogVersion::of(&made.log.database).unwrap()).unwrap());
        let next = run(Start::GoOn);
        assert_eq!(next.differences.to_string(), "the log's history was changed: event 1 was erased");
    }

    #[test]
    fn many_differences_are_counted_and_the_first_are_named() {
        let made = Made::of(1..=600, 600);
        made.writer.execute("UPDATE audit_events SET action = NULL", []).unwrap();
        let feeder = Feeder::open(&made.log).unwrap();
        let piece = piece(&made.scratch, &feeder, &made.log, Start::GoOn, || false).unwrap();
        let told = piece.differences.to_string();
        assert!(
            told.contains("event 20 was rewritten, and 580 more") && !told.contains("event 21 "),
            "{told}"
        );
    }
}
