//! Whole walks by cursor, however large the log: all of them held against one ordered scan of the log itself.
//!
//! An OFFSET strategy cannot be walked through a large log: the cost grows with the square of its length. The
//! scan can, and shares nothing with a strategy but the log.

use super::Checker;
use super::compare::first_difference;
use super::sides::{Case, Sides, reference_failed};
use super::verdict::StreamReport;
use super::walk::Walk;
use keyhole_log::error::Error;
use keyhole_log::model::{Event, Key, Page, PageRequest, Position};
use keyhole_log::survey::ordered::Ordered;

/// The stream's name in the report.
pub const STREAM: &str = "whole";

/// The events of a log in its one order.
pub trait InOrder {
    /// The largest id that is shown.
    fn up_to(&self) -> i64;

    /// The next events; none at the end.
    fn range(&mut self) -> Result<Page, Error>;
}

impl InOrder for Ordered {
    fn up_to(&self) -> i64 {
        Ordered::up_to(self)
    }

    fn range(&mut self) -> Result<Page, Error> {
        Ordered::range(self)
    }
}

/// Walks the subject by cursor, each walk beside the scan, up to the first difference: every event in every
/// field, in order, and nothing after the last. `ranges` says in how many ranges the scan is expected to end.
///
/// Errors: as [`super::verify`]; and where the reference answers as the subject does and the scan does not.
pub fn whole(
    checker: &mut Checker<'_, '_>,
    walks: &[Walk],
    scan: &mut dyn InOrder,
    ranges: u64,
) -> Result<StreamReport, Error> {
    let mut report = StreamReport::new(STREAM);
    let up_to = scan.up_to();
    let mut walking: Vec<Walking<'_>> = walks.iter().map(|walk| Walking::new(walk, up_to)).collect();
    for done in 1.. {
        let range = scan.range()?;
        if range.is_empty() {
            break;
        }
        for event in range.events() {
            for walk in &mut walking {
                if let Some(case) = walk.meet(&event, &mut checker.sides, &mut report)? {
                    checker.differs(&mut report, &case)?;
                    return Ok(report);
                }
            }
        }
        checker.progress(&report, done, ranges.max(done))?;
    }
    for walk in &mut walking {
        if let Some(case) = walk.end(&mut checker.sides, &mut report)? {
            checker.differs(&mut report, &case)?;
            return Ok(report);
        }
    }
    Ok(report)
}

/// One walk, and how far it has come.
struct Walking<'a> {
    walk: &'a Walk,
    up_to: i64,
    page: Page,
    /// Events of the page that the scan has met.
    met: usize,
    last: Option<Key>,
}

impl<'a> Walking<'a> {
    fn new(walk: &'a Walk, up_to: i64) -> Self {
        let page = Page::empty(request(walk, up_to, None), up_to);
        Self { walk, up_to, page, met: 0, last: None }
    }

    /// Holds the scan's event against the walk's next one, where the walk is of such events.
    fn meet(
        &mut self,
        event: &Event<'_>,
        sides: &mut Sides<'_>,
        report: &mut StreamReport,
    ) -> Result<Option<Box<Case>>, Error> {
        if !self.walk.filter.matches(event.created_at, event.actor_id, event.action) {
            return Ok(None);
        }
        let first = self.last.is_none();
        if self.met == self.page.len()
            && (first || self.page.is_full())
            && let Some(case) = self.turn(sides)?
        {
            return Ok(Some(case));
        }
        let ours = self.page.get(self.met);
        if ours != Some(*event) {
            return self.differs(sides).map(Some);
        }
        self.met += 1;
        self.last = Some(event.key());
        if self.met == self.page.len() {
            report.count(&self.page);
        }
        Ok(None)
    }

    /// After the scan's last event the page must be used up, and the one after it empty.
    fn end(&mut self, sides: &mut Sides<'_>, report: &mut StreamReport) -> Result<Option<Box<Case>>, Error> {
        if self.met == self.page.len()
            && let Some(case) = self.turn(sides)?
        {
            return Ok(Some(case));
        }
        if self.met < self.page.len() {
            return self.differs(sides).map(Some);
        }
        report.count(&self.page);
        Ok(None)
    }

    /// Asks for the next page. The case, where there is no answer. An event that cannot be shown is gone past, as the
    /// scan goes past it: those before it are asked for one by one.
    fn turn(&mut self, sides: &mut Sides<'_>) -> Result<Option<Box<Case>>, Error> {
        let mut request = request(self.walk, self.up_to, self.last);
        loop {
            match sides.ask_subject(&request) {
                Ok(Ok(page)) => {
                    (self.page, self.met) = (page, 0);
                    return Ok(None);
                }
                Ok(failed) => {
                    let reference = sides.ask_reference(&request)?;
                    return Ok(Some(Box::new(Case { request, subject: failed, reference })));
                }
                Err(Error::BadCell { after: Some(after), .. }) if request.page_size == 1 => {
                    request.position = Position::After(after);
                }
                Err(Error::BadCell { after: Some(_), .. }) => request.page_size = 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The page is not what the scan shows. The reference has the last word: only against it can the
    /// difference be named.
    fn differs(&self, sides: &mut Sides<'_>) -> Result<Box<Case>, Error> {
        let request = self.page.request.clone();
        let reference = sides.ask_reference(&request)?;
        if first_difference(&self.page, &reference).is_none() {
            let line = serde_json::to_string(&request).unwrap_or_default();
            return Err(reference_failed(&format!("its page is not what the log holds in order: {line}")));
        }
        Ok(Box::new(Case { request, subject: Ok(self.page.clone()), reference }))
    }
}

fn request(walk: &Walk, up_to: i64, last: Option<Key>) -> PageRequest {
    PageRequest {
        filter: walk.filter.clone(),
        position: last.map_or(Position::Page(1), Position::After),
        page_size: walk.page_size,
        up_to: Some(up_to),
    }
}
