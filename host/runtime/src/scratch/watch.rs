//! What is made of a commit that the log's writer made while pages are answered: nothing, where it only appended; else a
//! comparison starts at once, which pages wait for a moment.
//!
//! A page notices a commit by SQLite's own count. The largest id, and the count of commits, tell an append from anything
//! else, as far as they can: a commit that appends *and* rewrites looks like an append, so that events are counted
//! again now and then, and a service compares all of them in turn.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::scratch::compare::Start;
use keyhole_log::version::LogVersion;

/// How long a page waits, at most, for a comparison that a commit started: small logs are right at the first page after
/// a change. Also how long the refresher's lock is held for a piece of one.
pub(super) const PATIENCE: Duration = Duration::from_millis(50);

/// After a comparison that found nothing, the next one starts no sooner than so many times as long as it took: a
/// writer with a table of its own beside the log's, or VACUUM, has us compare for a tenth of the time.
const REST: u32 = 10;

/// The same for counts, which every append may cause.
const REST_OF_COUNTS: u32 = 50;

/// The shortest rest, and that after an error, such as a log that is locked.
const SHORTEST: Duration = Duration::from_millis(20);
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

/// What is to be done, the more urgent the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// Count the covered events.
    Count,
    /// Go on with a comparison that was not ended.
    GoOn,
    /// Compare all of them, in the log's version of now.
    Anew,
}

impl Job {
    /// Where its comparison begins; None for a count.
    pub(super) fn start(self) -> Option<Start> {
        match self {
            Self::Count => None,
            Self::GoOn => Some(Start::GoOn),
            Self::Anew => Some(Start::Anew),
        }
    }
}

/// What was learnt by a job.
pub(super) enum Learnt {
    /// Everything fits.
    Fits,
    /// The count is another one.
    Miscounted,
    /// Scratch was dropped.
    Differed,
    /// It could not be done now.
    Failed,
}

/// The commits that one scratch's pages noticed, and what they led to.
#[derive(Default)]
pub(super) struct Watch {
    now: Mutex<Now>,
    changed: Condvar,
    /// Whether a comparison that pages wait for is under way.
    comparing: AtomicBool,
    ended: AtomicBool,
}

#[derive(Default)]
struct Now {
    /// The log when a page last noticed a commit, and its largest id then.
    base: Option<(LogVersion, i64)>,
    wanted: Option<Job>,
    /// Since when a comparison has been wanted and could start, or runs.
    comparing: Option<Instant>,
    compare_after: Option<Instant>,
    count_after: Option<Instant>,
    thread: Option<JoinHandle<()>>,
    running: bool,
}

/// What a commit was, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// There was none.
    None,
    /// Events were appended.
    Appended,
    /// Something else, or something besides.
    Other,
}

impl Watch {
    /// Takes down what the log was when scratch was last known to fit it.
    pub(super) fn set_base(&self, version: LogVersion, high_water: i64) {
        self.now().base = Some((version, high_water));
    }

    /// What has been committed since the last such look, by the log's version and largest id.
    pub(super) fn judge(&self, version: &LogVersion, high_water: i64) -> Commit {
        match self.now().base.replace((version.clone(), high_water)) {
            None => Commit::None,
            Some((before, _)) if version.is_settled() && before == *version => Commit::None,
            Some((before, last)) => {
                let came_in = high_water.saturating_sub(last);
                let explained =
                    version.commits_since(&before).is_none_or(|commits| i64::from(commits) <= came_in);
                if came_in > 0 && explained { Commit::Appended } else { Commit::Other }
            }
        }
    }

    /// Wants a job to be done. True if a thread has to be started for it.
    pub(super) fn want(&self, job: Job) -> bool {
        let mut now = self.now();
        now.wanted = now.wanted.max(Some(job));
        if job == Job::Anew && now.comparing.is_none() && now.may_compare() {
            now.comparing = Some(Instant::now());
            self.comparing.store(true, Relaxed);
        }
        self.changed.notify_all();
        !std::mem::replace(&mut now.running, true)
    }

    /// Keeps the thread that was started, or takes down that it could not be.
    pub(super) fn started(&self, thread: Option<JoinHandle<()>>) {
        let mut now = self.now();
        if thread.is_none() {
            now.running = false;
            self.no_longer_comparing(&mut now);
        }
        now.thread = thread;
    }

    /// The next job of the thread, once its rest is over; None where nothing is wanted: then the thread ends.
    pub(super) fn next(&self) -> Option<Job> {
        let mut now = self.now();
        loop {
            let job = if self.is_ended() { None } else { now.wanted };
            let Some(job) = job else {
                now.running = false;
                self.no_longer_comparing(&mut now);
                return None;
            };
            let after = if job == Job::Count { now.count_after } else { now.compare_after };
            let rest = after.map_or(Duration::ZERO, |after| after.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                now.wanted = None;
                if job == Job::Anew {
                    now.comparing.get_or_insert_with(Instant::now);
                    self.comparing.store(true, Relaxed);
                }
                return Some(job);
            }
            now = self.changed.wait_timeout(now, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes down how a job ended that took so long.
    pub(super) fn done(&self, job: Job, took: Duration, learnt: &Learnt) {
        let mut now = self.now();
        let rest = |times| Some(Instant::now() + took.saturating_mul(times).max(SHORTEST));
        match learnt {
            Learnt::Fits if job == Job::Count => now.count_after = rest(REST_OF_COUNTS),
            Learnt::Fits => now.compare_after = rest(REST),
            Learnt::Miscounted => now.wanted = now.wanted.max(Some(Job::Anew)),
            Learnt::Differed => now.compare_after = None,
            Learnt::Failed => {
                let after = Some(Instant::now() + AFTER_AN_ERROR);
                (now.compare_after, now.count_after) = (after, after);
                now.wanted = now.wanted.max(Some(job));
            }
        }
        // A comparison that was wanted during a count is still to come.
        if job != Job::Count {
            self.no_longer_comparing(&mut now);
        }
    }

    fn no_longer_comparing(&self, now: &mut Now) {
        now.comparing = None;
        self.comparing.store(false, Relaxed);
        self.changed.notify_all();
    }

    /// Waits until a comparison that a commit started has ended, but no longer than until it is so old.
    pub(super) fn settle(&self) {
        if !self.is_comparing() {
            return;
        }
        let mut now = self.now();
        while let Some(since) = now.comparing {
            let left = PATIENCE.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            now = self.changed.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether a comparison that pages wait for is under way. Asked by every page.
    pub(super) fn is_comparing(&self) -> bool {
        self.comparing.load(Relaxed)
    }

    /// Whether something more urgent is wanted than a count.
    pub(super) fn wants_comparison(&self) -> bool {
        self.now().wanted > Some(Job::Count)
    }

    /// Whether the scratch is being let go of.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// Has the thread end, and waits for it.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
        let thread = {
            let mut now = self.now();
            self.changed.notify_all();
            now.thread.take()
        };
        if let Some(thread) = thread {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn may_compare(&self) -> bool {
        self.compare_after.is_none_or(|after| after <= Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn an_append_is_told_from_everything_else_by_ids_and_commits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE other (x)").unwrap();
        let watch = Watch::default();
        let last = || writer.query_row("SELECT coalesce(max(id), 0) FROM t", [], |row| row.get(0)).unwrap();
        let judge = || watch.judge(&LogVersion::of(&path).unwrap(), last());
        assert_eq!(judge(), Commit::None, "there was no look before");
        let append = "INSERT INTO t (x) VALUES (1)";
        for (commits, expected) in [
            (&[append][..], Commit::Appended),
            (&["INSERT INTO t (x) VALUES (1), (2), (3)"], Commit::Appended),
            (&[append, append, append], Commit::Appended),
            (&[], Commit::None),
            (&["UPDATE t SET x = 2 WHERE id = 2"], Commit::Other),
            (&["DELETE FROM t WHERE id = 3"], Commit::Other),
            (&["INSERT INTO other VALUES (1)"], Commit::Other),
            (&["VACUUM"], Commit::Other),
            // Among appends that were noticed together with it.
            (&[append, "DELETE FROM t WHERE id = 1", append], Commit::Other),
            (&[append, "DELETE FROM t WHERE id = (SELECT max(id) FROM t)"], Commit::Other),
        ] {
            for sql in commits {
                writer.execute_batch(sql).unwrap();
            }
            assert_eq!(judge(), expected, "{commits:?}");
        }
    }

    #[test]
    fn commits_that_change_nothing_have_us_compare_for_a_tenth_of_the_time() {
        let watch = Watch::default();
        assert!(watch.want(Job::Anew), "a thread is needed");
        assert!(!watch.want(Job::Anew), "there is one");
        assert!(watch.is_comparing());
        assert_eq!(watch.next(), Some(Job::Anew));
        let took = Duration::from_millis(30);
        watch.done(Job::Anew, took, &Learnt::Fits);
        let began = Instant::now();
        watch.want(Job::Anew);
        assert!(!watch.is_comparing(), "no page waits for one that rests");
        assert_eq!(watch.next(), Some(Job::Anew));
        assert!(began.elapsed() >= took * (REST - 1), "{:?}", began.elapsed());
        watch.done(Job::Anew, took, &Learnt::Differed);
        watch.want(Job::Anew);
        assert!(watch.is_comparing(), "one that found something is no reason to rest");
        watch.end();
        assert_eq!(watch.next(), None);
    }

    #[test]
    fn a_page_waits_for_a_comparison_until_that_is_old_and_no_other_page_waits_after_that() {
        let watch = Watch::default();
        watch.settle();
        watch.want(Job::Anew);
        let began = Instant::now();
        watch.settle();
        assert!(began.elapsed() >= PATIENCE);
        let began = Instant::now();
        watch.settle();
        assert!(began.elapsed() < PATIENCE / 2);
        std::thread::scope(|scope| {
            assert_eq!(watch.next(), Some(Job::Anew));
            watch.done(Job::Anew, Duration::ZERO, &Learnt::Differed);
            watch.want(Job::Anew);
            let waiting = scope.spawn(|| watch.settle());
            watch.done(Job::Anew, Duration::ZERO, &Learnt::Fits);
            waiting.join().unwrap();
        });
        assert!(!watch.is_comparing());
    }
}
