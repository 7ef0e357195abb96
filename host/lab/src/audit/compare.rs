//! Whether the subject is right: the streams and walks of `verify`, for as long as there is time.
//!
//! Requests are drawn in turn from every stream, so that little time means fewer pages of each and not
//! none of some.

use std::time::{Duration, Instant};

use super::facts::StreamFacts;
use keyhole_log::error::Error;
use keyhole_proof::streams::Stream;
use keyhole_proof::verify::classify::classify;
use keyhole_proof::verify::shrink::shrink;
use keyhole_proof::verify::sides::{Case, Judged, Sides};
use keyhole_proof::verify::walk::walk;
use keyhole_proof::verify::{Finding, Names, WalkStream};

/// Requests that a shrink may send: a difference needs a name here, not its smallest example.
const TRIES: u32 = 24;

/// How often, and after what pause, a request that came too late is asked again.
const LATE_TRIES: u32 = 4;
const LATE_PAUSE: Duration = Duration::from_millis(50);

/// Both strategies, what they are called, and how long there is time.
pub(super) struct TimedComparison<'a> {
    /// Both strategies.
    pub(super) sides: Sides<'a>,
    /// What a command that repeats a request calls them.
    pub(super) names: Names<'a>,
    /// When to end.
    pub(super) until: Instant,
    /// Told of each page that was compared.
    pub(super) progress: &'a dyn Fn(),
}

impl TimedComparison<'_> {
    /// Compares over these streams, each up to its first difference. Returns what came of each.
    pub(super) fn streams(&mut self, streams: &[Stream]) -> Result<Vec<StreamFacts>, Error> {
        let mut facts: Vec<_> = streams.iter().map(|each| stream(each.name)).collect();
        let longest = streams.iter().map(|stream| stream.requests.len()).max().unwrap_or(0);
        for index in 0..longest {
            for (stream, found) in streams.iter().zip(&mut facts) {
                let Some(request) = stream.requests.get(index).filter(|_| found.differing == 0) else {
                    continue;
                };
                if Instant::now() >= self.until {
                    return Ok(facts);
                }
                keyhole_log::interrupt::check()?;
                match self.sides.judge(request)? {
                    Judged::Equal(page) => found.count(&page),
                    Judged::Differs(case) => self.differs(found, &case)?,
                    // It is the log's fault, and both say so.
                    Judged::Unshown => {}
                }
                (self.progress)();
            }
        }
        Ok(facts)
    }

    /// Compares whole walks, by page and by cursor. One that time ends counts as far as it came.
    pub(super) fn walks(&mut self, streams: &[WalkStream]) -> Result<Vec<StreamFacts>, Error> {
        let mut facts = Vec::new();
        for walks in streams {
            let mut tally = stream(walks.name);
            for each in &walks.walks {
                let (until, progress) = (self.until, self.progress);
                let mut late = false;
                let outcome = walk(each, &mut self.sides, &mut |page| {
                    tally.count(page);
                    progress();
                    late = Instant::now() >= until;
                    if late { Err(Error::Interrupted) } else { keyhole_log::interrupt::check() }
                });
                match outcome {
                    Err(Error::Interrupted) if late && !keyhole_log::interrupt::requested() => break,
                    Err(error) => return Err(error),
                    Ok(Some(case)) => {
                        self.differs(&mut tally, &case)?;
                        break;
                    }
                    Ok(None) => {}
                }
            }
            facts.push(tally);
        }
        Ok(facts)
    }

    fn differs(&mut self, facts: &mut StreamFacts, case: &Case) -> Result<(), Error> {
        if self.was_late_once(case)? {
            facts.count(&case.reference);
            return Ok(());
        }
        let smallest = shrink(case, &mut self.sides, TRIES)?;
        let smallest = smallest.as_ref().unwrap_or(case);
        let kind = match &smallest.subject {
            Err(error) if error.code() != "lie" => error.observed(),
            _ => classify(case, smallest, &mut self.sides)?.to_string(),
        };
        let found = Finding::of(self.names, &facts.name, kind, &case.request, smallest);
        facts.count(&case.reference);
        facts.differing = 1;
        facts.refused = case.subject.is_err();
        facts.kind = Some(found.kind);
        facts.what = Some(found.what);
        facts.repeat = Some(found.repeat);
        Ok(())
    }

    /// On a machine that is busy with something else, a time limit strikes an honest strategy, too. One
    /// that overruns does so however often it is asked.
    fn was_late_once(&mut self, case: &Case) -> Result<bool, Error> {
        let of_time = |error: &Error| {
            matches!(error, Error::Budget { limit: "guest_time" | "wall_time" | "log_lock", .. })
        };
        if !case.subject.as_ref().is_err_and(of_time) {
            return Ok(false);
        }
        for _ in 0..LATE_TRIES {
            std::thread::sleep(LATE_PAUSE);
            if let Judged::Equal(_) = self.sides.judge(&case.request)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn stream(name: &str) -> StreamFacts {
    StreamFacts { name: name.to_owned(), ..StreamFacts::default() }
}
