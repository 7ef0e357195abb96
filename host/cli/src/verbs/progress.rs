//! How far long work is: a bar where standard error is a terminal, and lines elsewhere, one for each stage and one
//! every ten seconds, with what remains. Work that is over within a second or two says nothing.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::output::say;
use crate::args::Common;
use keyhole_log::units::grouped;

/// Work that is over sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Work that is over sooner says no line: unlike a bar, a line stays.
const SILENCE: Duration = Duration::from_secs(2);

/// From one line to the next: often enough to see that it goes on, and seldom enough for a log of a night's run.
const EVERY: Duration = Duration::from_secs(10);

/// How far long work is, for people: on standard error, unless they want quiet.
pub struct Progress {
    way: Way,
}

enum Way {
    Quiet,
    Bar(Bar),
    Lines(Lines),
}

impl Progress {
    /// Progress of what the words say, which is not shown yet.
    pub fn new(common: &Common, what: impl Into<String>) -> Self {
        let what = what.into();
        let way = if common.quiet {
            Way::Quiet
        } else if std::io::stderr().is_terminal() {
            Way::Bar(Bar { began: Instant::now(), what: Mutex::new(what), drawn: Mutex::default() })
        } else {
            Lines::new(what).map_or(Way::Quiet, Way::Lines)
        };
        Self { way }
    }

    /// So much is done, of so much.
    pub fn at(&self, done: u64, all: u64) {
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => bar.at(done, all),
            Way::Lines(lines) => lines.at(done, all),
        }
    }

    /// Another stage of the work begins.
    pub fn stage(&self, what: &str) {
        match &self.way {
            Way::Quiet => {}
            Way::Bar(bar) => bar.stage(what),
            Way::Lines(lines) => lines.stage(what),
        }
    }
}

/// A bar. It goes when all is done, or when it is dropped.
struct Bar {
    began: Instant,
    what: Mutex<String>,
    drawn: Mutex<Option<ProgressBar>>,
}

impl Bar {
    fn at(&self, done: u64, all: u64) {
        if self.began.elapsed() < PATIENCE {
            return;
        }
        let mut drawn = lock(&self.drawn);
        if done >= all {
            // What follows, if anything does, gets a bar of its own.
            clear(drawn.take());
            return;
        }
        let bar = drawn.get_or_insert_with(|| {
            let bar = ProgressBar::new(all).with_message(lock(&self.what).clone());
            match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        bar.set_length(all);
        bar.set_position(done);
    }

    fn stage(&self, what: &str) {
        what.clone_into(&mut lock(&self.what));
        clear(lock(&self.drawn).take());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        clear(lock(&self.drawn).take());
    }
}

fn clear(bar: Option<ProgressBar>) {
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Lines, said by a thread of their own: work that hangs is seen to hang.
struct Lines {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the work tells the thread.
struct Shared {
    began: Instant,
    done: AtomicU64,
    all: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The stage, and when it began.
    what: String,
    since: Instant,
    /// Whether a line about the stage was said.
    is_said: bool,
    is_over: bool,
}

impl Lines {
    /// None where no thread can be had: then there are no lines.
    fn new(what: String) -> Option<Self> {
        let now = Instant::now();
        let shared = Arc::new(Shared {
            began: now,
            done: AtomicU64::new(0),
            all: AtomicU64::new(0),
            state: Mutex::new(State { what, since: now, is_said: false, is_over: false }),
            changed: Condvar::new(),
        });
        let told = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || told.tell()).ok()?;
        Some(Self { shared, thread: Some(thread) })
    }

    fn at(&self, done: u64, all: u64) {
        self.shared.all.store(all, Relaxed);
        self.shared.done.store(done, Relaxed);
    }

    fn stage(&self, what: &str) {
        let mut state = lock(&self.shared.state);
        self.shared.end(&state);
        self.at(0, 0);
        *state = State { what: what.to_owned(), since: Instant::now(), is_said: false, is_over: false };
        if self.shared.began.elapsed() >= SILENCE {
            state.is_said = true;
            say(&format!("keyhole: {what}"));
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        self.shared.end(&state);
        state.is_over = true;
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A thread that says lines has no result.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Says how far it is, now and then, until it is over.
    fn tell(&self) {
        let mut state = lock(&self.state);
        let mut wait = SILENCE;
        loop {
            let woken = self.changed.wait_timeout_while(state, wait, |state| !state.is_over);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            if state.is_over {
                return;
            }
            let (done, all) = (self.done.load(Relaxed), self.all.load(Relaxed));
            // Where all is done, something else is at work, which says so itself; a stage was just told of as it began.
            let was_told = state.is_said && state.since.elapsed() < SILENCE;
            if (all == 0 || done < all) && !was_told {
                say(&format!("keyhole: {}", line(&state.what, done, all, state.since.elapsed())));
                state.is_said = true;
            }
            wait = EVERY;
        }
    }

    /// Says that a stage is over, if it was said to be at work.
    fn end(&self, state: &State) {
        let (done, all) = (self.done.load(Relaxed), self.all.load(Relaxed));
        if state.is_said && all > 0 && done >= all {
            say(&format!("keyhole: {}: done in {}", state.what, lasting(state.since.elapsed())));
        }
    }
}

/// How far a stage is, in a line.
fn line(what: &str, done: u64, all: u64, since: Duration) -> String {
    if all == 0 {
        return format!("{what}, for {} so far", lasting(since));
    }
    let mut line = format!("{what}: {} of {}", grouped(done), grouped(all));
    if let Some(left) = left(done, all.saturating_sub(done), since) {
        line += &format!(", about {} left", lasting(left));
    }
    line
}

/// How long what is left will take, if it goes on as it went so far.
pub(super) fn left(done: u64, left: u64, since: Duration) -> Option<Duration> {
    since.checked_mul(u32::try_from(left).ok()?)?.checked_div(u32::try_from(done).ok()?)
}

/// A time as people say it.
pub(super) fn lasting(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_much_is_done_and_what_remains() {
        let seconds = Duration::from_secs;
        assert_eq!(line("comparing", 1_500, 6_000, seconds(5)), "comparing: 1,500 of 6,000, about 15 s left");
        assert_eq!(line("comparing", 1, 100, seconds(10)), "comparing: 1 of 100, about 17 min left");
        assert_eq!(line("comparing", 0, 100, seconds(2)), "comparing: 0 of 100");
        assert_eq!(line("copying the log", 0, 0, seconds(11)), "copying the log, for 11 s so far");
        assert_eq!(line("x", u64::MAX, u64::MAX, seconds(1)), format!("x: {0} of {0}", grouped(u64::MAX)));
    }
}
