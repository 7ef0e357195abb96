//! The work on a scratch: filling, refreshing, checking its fit, dropping it. One process at a time.

mod comparing;
mod intake;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::scratch::backoff::{Backoff, Subject};
use crate::scratch::fit::Coverage;
use crate::scratch::hold;
use crate::scratch::lines::Walk;
use crate::scratch::meter::Meter;
use crate::scratch::room::Room;
use crate::scratch::tenancy::Tenancy;
use crate::scratch::watch::Watch;
use crate::scratch::writeback::Writeback;
use crate::scratch::{Progress, Refreshed, blocks, disk, tables};
use crate::strategy::Strategy;
use keyhole_log::error::Error;
use keyhole_log::feed::Feeder;
use keyhole_log::quarantine;
use keyhole_log::session::Session;
use keyhole_log::usage::Usage;
use keyhole_log::version::LogVersion;
use keyhole_log::{Identity, Log};

pub use comparing::Scrubbed;

/// Reasons kept for which scratch was dropped.
const DROPS: usize = 16;

/// A log that was written to since may have us look again after so many times as long as the last look took.
const REST: u32 = 10;

/// How soon a sound scratch is looked at again for damage: a look reads all of it, and a strategy, or a
/// log, that fails on every page must not have it read for every page.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// A look at a scratch that found it sound.
pub(super) struct Sound {
    at: Instant,
    took: Duration,
    version: LogVersion,
}

impl Sound {
    /// Whether that still says something, on a log of this version. A log that was written to may have been changed.
    fn holds(&self, version: &LogVersion) -> bool {
        let age = self.at.elapsed();
        age < LOOK_AGAIN && (self.version == *version || age < self.took * REST)
    }
}

/// Keeps one scratch up with its log.
pub(super) struct Keeper {
    pub(super) engine: Engine,
    pub(super) strategy: Arc<Strategy>,
    pub(super) log: Log,
    pub(super) folder: PathBuf,
    pub(super) path: PathBuf,
    /// What it may have beside the others.
    pub(super) room: Arc<Room>,
    /// Its use by this process.
    pub(super) tenancy: Tenancy,
    /// When it was last looked at for damage and had none.
    pub(super) sound: Mutex<Option<Sound>>,
    /// Why it was dropped, the first times.
    pub(super) drops: Mutex<Vec<String>>,
    /// Counted up whenever it is dropped: a page that was begun before is not answered from it.
    pub(super) generation: AtomicU64,
    /// How its log's history was changed, as far as that was not asked for yet.
    pub(super) findings: Mutex<Vec<String>>,
    /// Whether this process has compared it, or filled it.
    pub(super) opened: AtomicBool,
    /// Whether that comparison is to go on beside the pages.
    pub(super) unfinished: AtomicBool,
    /// The commits that its pages notice.
    pub(super) watch: Watch,
    /// How far the look at its events' payload lines is.
    pub(super) lines: Mutex<Walk>,
    /// How its refreshes failed.
    pub(super) failures: Backoff,
    pub(super) progress: Option<Progress>,
    /// What its refreshes did.
    pub(super) usage: Mutex<Usage>,
    /// What the last of them took.
    pub(super) refreshed: Mutex<Option<Refreshed>>,
}

/// How far to go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Only once many events are uncovered, or where there is no scratch.
    IfDue,
    /// Up to the log's last event.
    ToTheEnd,
}

impl Keeper {
    /// Sees to it that scratch is there and fits the log, and refreshes it.
    pub(super) fn bring_up(&self, effort: Effort) -> Result<(), Error> {
        self.unless_it_just_failed(|keeper| keeper.catch_up(effort))
    }

    /// Works on scratch with the lock held, unless the strategy failed at it a short while ago.
    fn unless_it_just_failed(&self, work: impl FnOnce(&Self) -> Result<(), Error>) -> Result<(), Error> {
        self.failures.check(self.subject(), Instant::now())?;
        let _lock = self.lock()?;
        // Whoever had the lock may have failed meanwhile.
        let began = Instant::now();
        self.failures.check(self.subject(), began)?;
        let outcome = work(self);
        self.tenancy.tell();
        self.failures.record(outcome, self.subject(), began, Instant::now())
    }

    fn subject(&self) -> Subject {
        Subject { log: Identity::of(&self.log.database).ok(), scratch: Identity::of(&self.path).ok() }
    }

    fn catch_up(&self, effort: Effort) -> Result<(), Error> {
        // One feeder for the check and the feed: it goes on reading the file that was checked, even
        // if another one is renamed over it meanwhile.
        let feeder = Feeder::open(&self.log)?;
        if self.path.exists()
            && let Some(why) = self.misfit_at_opening(&feeder)?
        {
            self.differed(why)?;
        }
        if self.path.exists() {
            let session = self.session(&self.path)?;
            // Checkpoints are made apart from the commits.
            session
                .connection()
                .execute_batch("PRAGMA scratch.synchronous=NORMAL; PRAGMA wal_autocheckpoint=0")?;
            let outcome = self.feed_and_refresh(session, &feeder, effort);
            return outcome.and_then(|(session, coverage)| self.covers(&session, &coverage)).or_else(
                |error| {
                    match error {
                        // Whatever made the tables unfit to go on from, filling them anew mends it.
                        Error::GaveUp { .. }
                        | Error::ScratchRefused { .. }
                        | Error::BadLog { .. }
                        | Error::Sqlite(_)
                        | Error::Sql { .. }
                        | Error::Trapped { .. } => {
                            self.drop_because(error.to_string()).and_then(|()| self.fill(&feeder))
                        }
                        other => Err(other),
                    }
                },
            );
        }
        self.fill(&feeder)
    }

    /// One refresher a scratch, across processes.
    fn lock(&self) -> Result<File, Error> {
        self.tenancy.begin()?;
        let file = hold::refresher(&self.folder)?;
        self.tenancy.tell();
        Ok(file)
    }

    fn session(&self, path: &Path) -> Result<Box<Session>, Error> {
        let grants = &self.strategy.grants;
        let meter = Meter::start(path, grants.scratch_quota, Arc::clone(&self.room));
        let mut session = Session::for_refresh(path.to_owned(), grants, move || meter.outgrown())?;
        session.keep_notes(grants.notes);
        let connection = session.connection();
        disk::keep_temporary_files_beside(connection, &self.folder)?;
        let pages = grants.scratch_quota / 4096;
        connection.execute_batch(&format!(
            "PRAGMA scratch.max_page_count={pages};
             PRAGMA scratch.cache_size=-65536; PRAGMA feed.cache_size=-16384;
             CREATE TABLE feed.events ({})",
            feed_columns(&grants.columns)
        ))?;
        blocks::create_beside_feed(connection)?;
        quarantine::collect(connection)?;
        Ok(Box::new(session))
    }

    /// Takes down what scratch covers by now, and its quarantine.
    fn covers(&self, session: &Session, coverage: &Coverage) -> Result<(), Error> {
        self.tenancy.covers(coverage, quarantine::summary(session.connection())?);
        Ok(())
    }

    /// Fills it anew if it does not fit the log or is damaged. Whether that was so, or it is not the file any more that was
    /// used; not looked into where it has just been found sound.
    pub(super) fn mend(&self, used: Option<Identity>) -> Result<bool, Error> {
        let is_another = || Identity::of(&self.path).ok() != used;
        let mut sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let version = LogVersion::of(&self.log.database)?;
        if sound.as_ref().is_some_and(|last| last.holds(&version)) {
            return Ok(is_another());
        }
        let _lock = self.lock()?;
        // Whoever had the lock may have mended it.
        if is_another() {
            return Ok(true);
        }
        let feeder = Feeder::open(&self.log)?;
        match self.misfit_anywhere(&feeder)? {
            Some(why) => self.differed(why)?,
            None if self.is_sound() => {
                *sound = Some(Sound { at: Instant::now(), took: began.elapsed(), version });
                return Ok(false);
            }
            None => self.drop_because("it is damaged".to_owned())?,
        }
        self.fill_again(&feeder).map(|()| true)
    }

    /// Fills it anew after it was dropped, and takes down how that went.
    fn fill_again(&self, feeder: &Feeder) -> Result<(), Error> {
        let began = Instant::now();
        let outcome = self.fill(feeder);
        self.tenancy.tell();
        self.failures.record(outcome, self.subject(), began, Instant::now())
    }

    fn is_sound(&self) -> bool {
        let verdict = |session: Box<Session>| {
            let check = "PRAGMA scratch.quick_check(1)";
            session.connection().query_row(check, [], |row| row.get::<_, String>(0)).map_err(Error::from)
        };
        self.session(&self.path).and_then(verdict).is_ok_and(|verdict| verdict == "ok")
    }

    fn drop_because(&self, why: String) -> Result<(), Error> {
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        if drops.len() < DROPS {
            drops.push(why);
        }
        self.drop_files()
    }

    /// Drops it because it does not fit the log any more.
    fn differed(&self, why: String) -> Result<(), Error> {
        // What is known of the log's rows is from the same time.
        self.log.forget_events();
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < DROPS {
            findings.push(why.clone());
        }
        drop(findings);
        self.drop_because(why)
    }

    fn drop_files(&self) -> Result<(), Error> {
        self.generation.fetch_add(1, AcqRel);
        self.tenancy.covers(&Coverage::nothing(), quarantine::Summary::default());
        disk::remove(&self.folder)
    }

    /// Fills a new file from the log's first event on, and puts it in place when it is whole.
    fn fill(&self, feeder: &Feeder) -> Result<(), Error> {
        let (draft, began) = (self.folder.join("filling.db"), Instant::now());
        let remove = || {
            for suffix in ["", "-journal", "-wal", "-shm"] {
                let _ = fs::remove_file(self.folder.join(format!("filling.db{suffix}")));
            }
        };
        remove();
        let outcome = (|| {
            // Before the first row is read: what is committed from now on makes it another one.
            let version = LogVersion::of(&self.log.database)?;
            self.watch.set_base(version.clone(), feeder.last()?.unwrap_or(0));
            self.opened.store(true, Release);
            let session = self.session(&draft)?;
            // Until it is renamed nobody reads the file, and a torn one is thrown away.
            session
                .connection()
                .execute_batch("PRAGMA scratch.journal_mode=MEMORY; PRAGMA scratch.synchronous=OFF")?;
            tables::create(session.connection(), &version)?;
            let (session, coverage) = {
                let _writeback = Writeback::start(&draft)?;
                self.feed_and_refresh(session, feeder, Effort::ToTheEnd)?
            };
            let quarantine = quarantine::summary(session.connection())?;
            session.connection().execute_batch("PRAGMA scratch.journal_mode=WAL")?;
            drop(session);
            // A write-ahead log that a killed process left would be played into the new file.
            self.drop_files()?;
            File::open(&draft)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&draft, &self.path))
                .map_err(|source| Error::io(&draft, source))?;
            self.tenancy.covers(&coverage, quarantine);
            Ok(())
        })();
        remove();
        let mut refreshed = self.refreshed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refreshed) = refreshed.as_mut() {
            refreshed.took = began.elapsed();
        }
        outcome
    }
}

fn feed_columns(columns: &[&str]) -> String {
    let typed = columns.iter().map(|&column| match column {
        "id" => "id INTEGER PRIMARY KEY".to_owned(),
        "created_at" | "actor_id" => format!("{column} INTEGER NOT NULL"),
        _ => format!("{column} TEXT NOT NULL"),
    });
    typed.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use keyhole_log::Log;
    use keyhole_log::grants::Grants;
    use keyhole_log::limits::Ceilings;

    use crate::engine::Engine;
    use crate::scratch::Scratch;
    use crate::strategy::Strategy;

    /// The meter measures what was written now and then; SQLite keeps to this at every page.
    #[test]
    fn sqlite_lets_scratch_have_no_more_pages_than_the_quota() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("payloads.jsonl"), "").unwrap();
        rusqlite::Connection::open(folder.path().join("audit.db"))
            .unwrap()
            .execute_batch(
                "CREATE TABLE audit_events (id INTEGER PRIMARY KEY, created_at, actor_id, action, resource_type,
                    resource_id, payload_offset, payload_len);
                 CREATE INDEX idx_created_at ON audit_events (created_at)",
            )
            .unwrap();
        let log = Log::open(folder.path()).unwrap();
        let engine = Engine::new(&Ceilings::default()).unwrap();
        let grants = Grants { scratch_quota: 1 << 20, ..Grants::local() };
        let strategy = Strategy::native_keyset("native-keyset", b"", grants);
        let scratch = Scratch::new(&engine, &strategy, &log, folder.path(), None);
        std::fs::create_dir_all(&scratch.keeper.folder).unwrap();
        let session = scratch.keeper.session(scratch.path()).unwrap();
        let pages = "PRAGMA scratch.max_page_count";
        let pages: i64 = session.connection().query_row(pages, [], |row| row.get(0)).unwrap();
        assert_eq!(pages, 256);
        let fill =
            "CREATE TABLE scratch.x AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)
            SELECT zeroblob(4096) FROM n LIMIT 300";
        let full = session.connection().execute_batch(fill).unwrap_err();
        assert_eq!(full.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull), "{full}");
    }
}
