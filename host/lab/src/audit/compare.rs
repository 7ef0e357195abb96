//! Whether the subject is right: the streams and walks of `verify`, for as long as there is time.
//!
//! Requests are drawn in turn from every stream, so that little time means fewer pages of each and not
//! none of some.

use std::time::{Duration, Instant};

use super::facts::{Correctness, StreamFacts};
use crate::contract::Stream;
use crate::error::Error;
use crate::page::Page;
use crate::verify::classify::classify;
use crate::verify::shrink::shrink;
use crate::verify::sides::{Case, Judged, Sides};
use crate::verify::verdict::rule_of_three;
use crate::verify::walk::walk;
use crate::verify::{Finding, Names, WalkStream};

/// Requests that a shrink may send: a difference needs a name here, not its smallest example.
const TRIES: u32 = 24;

/// How often, and after what pause, a request that came too late is asked again.
const LATE_TRIES: u32 = 4;
const LATE_PAUSE: Duration = Duration::from_millis(50);

/// Both strategies, what they are called, and how long there is time.
pub struct Comparison<'a> {
    /// Both strategies.
    pub sides: Sides<'a>,
    /// What a command that repeats a request calls them.
    pub names: Names<'a>,
    /// When to end.
    pub until: Instant,
    /// Told of each page that was compared.
    pub progress: &'a dyn Fn(),
}

/// The sum over streams.
pub fn correctness(streams: Vec<StreamFacts>, events: u64) -> Correctness {
    let sum = |count: fn(&StreamFacts) -> u64| streams.iter().map(count).sum::<u64>();
    let equal = sum(|stream| stream.differing) == 0;
    let non_empty = sum(|stream| stream.non_empty);
    Correctness {
        equal,
        pages: sum(|stream| stream.pages),
        non_empty,
        events,
        bound: rule_of_three(non_empty).filter(|_| equal),
        streams,
    }
}

impl Comparison<'_> {
    /// Compares over these streams, each up to its first difference. Returns what came of each, and how
    /// many events the pages held.
    pub fn streams(&mut self, streams: &[Stream]) -> Result<(Vec<StreamFacts>, u64), Error> {
        let mut facts: Vec<_> = streams.iter().map(|stream| Tally::new(stream.name)).collect();
        let longest = streams.iter().map(|stream| stream.requests.len()).max().unwrap_or(0);
        for index in 0..longest {
            for (stream, tally) in streams.iter().zip(&mut facts) {
                let Some(request) = stream.requests.get(index).filter(|_| tally.facts.differing == 0) else {
                    continue;
                };
                if Instant::now() >= self.until {
                    return Ok(settle(facts));
                }
                crate::interrupt::check()?;
                match self.sides.judge(request)? {
                    Judged::Equal(page) => tally.count(&page),
                    Judged::Differs(case) => self.differs(tally, &case)?,
                }
                (self.progress)();
            }
        }
        Ok(settle(facts))
    }

    /// Compares whole walks, by page and by cursor. One that time ends counts as far as it came.
    pub fn walks(&mut self, streams: &[WalkStream]) -> Result<(Vec<StreamFacts>, u64), Error> {
        let mut facts = Vec::new();
        for stream in streams {
            let mut tally = Tally::new(stream.name);
            for each in &stream.walks {
                let (until, progress) = (self.until, self.progress);
                let mut late = false;
                let outcome = walk(each, &mut self.sides, &mut |page| {
                    tally.count(page);
                    progress();
                    late = Instant::now() >= until;
                    if late { Err(Error::Interrupted) } else { crate::interrupt::check() }
                });
                match outcome {
                    Err(Error::Interrupted) if late && !crate::interrupt::requested() => break,
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
        Ok(settle(facts))
    }

    fn differs(&mut self, tally: &mut Tally, case: &Case) -> Result<(), Error> {
        if self.was_late_once(case)? {
            tally.count(&case.reference);
            return Ok(());
        }
        let smallest = shrink(case, &mut self.sides, TRIES)?;
        let smallest = smallest.as_ref().unwrap_or(case);
        let kind = match &smallest.subject {
            Err(error) if error.code() != "lie" => error.observed(),
            _ => classify(case, smallest, &mut self.sides)?.to_string(),
        };
        let found = Finding::of(self.names, &tally.facts.name, kind, &case.request, smallest);
        tally.count(&case.reference);
        tally.facts.differing = 1;
        tally.facts.refused = case.subject.is_err();
        tally.facts.kind = Some(found.kind);
        tally.facts.what = Some(found.what);
        tally.facts.repeat = Some(found.repeat);
        Ok(())
    }
}

impl Comparison<'_> {
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

struct Tally {
    facts: StreamFacts,
    events: u64,
}

impl Tally {
    fn new(name: &str) -> Self {
        Self { facts: StreamFacts { name: name.to_owned(), ..StreamFacts::default() }, events: 0 }
    }

    fn count(&mut self, page: &Page) {
        self.facts.pages += 1;
        self.facts.non_empty += u64::from(!page.is_empty());
        self.events += page.len() as u64;
    }
}

fn settle(tallies: Vec<Tally>) -> (Vec<StreamFacts>, u64) {
    let events = tallies.iter().map(|tally| tally.events).sum();
    (tallies.into_iter().map(|tally| tally.facts).collect(), events)
}
