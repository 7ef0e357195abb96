//! The two strategies side by side, and how one request to both can end.

use super::compare::{Difference, first_difference};
use keyhole_log::error::Error;
use keyhole_log::model::{Page, PageRequest, Pager};

/// How often a request is sent again where the log's writer held its lock, or the machine was too busy. Each attempt has already
/// waited as long as its budget lets it.
const ATTEMPTS_WHILE_BUSY: u32 = 10;

/// How often a request is sent at most where a time limit struck. On a busy machine one strikes an
/// honest strategy too, once in a while; a strategy that overruns does so every time.
const ATTEMPTS_OVER_TIME: u32 = 3;

/// The strategy under judgement and the one that it is judged by.
pub struct Sides<'a> {
    /// The strategy under judgement.
    pub subject: &'a mut dyn Pager,
    /// The trusted one.
    pub reference: &'a mut dyn Pager,
}

/// How one request to both sides ended.
#[derive(Debug)]
pub enum Judged {
    /// With the same page, here the subject's.
    Equal(Page),
    /// With a difference.
    Differs(Box<Case>),
    /// With no page, since an event that cannot be shown is on it, or could be: it has an odd cell.
    Unshown,
}

/// A request on which the sides differ.
#[derive(Debug)]
pub struct Case {
    /// What was asked.
    pub request: PageRequest,
    /// The subject's page, or its failure: always one that [`Error::blames_strategy`].
    pub subject: Result<Page, Error>,
    /// The right page, for the snapshot of the subject's.
    pub reference: Page,
}

impl Case {
    /// The largest id that the subject could show.
    pub fn bound(&self) -> i64 {
        let page = self.subject.as_ref().unwrap_or(&self.reference);
        bound(&self.request, page)
    }

    /// What differs first, in words.
    pub fn words(&self) -> String {
        match &self.subject {
            Err(error) => error.to_string(),
            Ok(page) => first_difference(page, &self.reference)
                .as_ref()
                .map_or_else(String::new, Difference::to_string),
        }
    }
}

impl Sides<'_> {
    /// Asks both. Where the log has grown in between, so that the answers may rightly differ, the
    /// reference is asked again for the subject's snapshot.
    ///
    /// Errors: whatever keeps the comparison from being made, which is every failure of the reference,
    /// and those of the subject that it is not to blame for.
    pub fn judge(&mut self, request: &PageRequest) -> Result<Judged, Error> {
        let subject = match self.ask_subject(request) {
            Err(error @ Error::BadCell { .. }) => return self.unshown(request, error),
            subject => subject?,
        };
        // After the subject: the log only grows, so the reference can see all that the subject saw.
        let mut reference = match self.ask_reference(request) {
            Err(Error::BadCell { after: None, .. }) => return Ok(Judged::Unshown),
            reference => reference?,
        };
        if let Ok(page) = &subject
            && bound(request, page) != bound(request, &reference)
            && first_difference(page, &reference).is_some()
        {
            reference = self.ask_reference(&bounded(request, bound(request, page)))?;
        }
        Ok(judged(request, subject, reference))
    }

    /// Asks both, the reference for exactly the snapshot that the subject saw.
    pub fn judge_at_subjects_snapshot(&mut self, request: &PageRequest) -> Result<Judged, Error> {
        let subject = match self.ask_subject(request) {
            Err(error @ Error::BadCell { .. }) => return self.unshown(request, error),
            subject => subject?,
        };
        let reference = match &subject {
            Ok(page) => self.ask_reference(&bounded(request, bound(request, page)))?,
            Err(_) => self.ask_reference(request)?,
        };
        Ok(judged(request, subject, reference))
    }

    /// The subject's page holds an event that cannot be shown: so must the reference's.
    fn unshown(&mut self, request: &PageRequest, error: Error) -> Result<Judged, Error> {
        let Some((id, Some(_))) = error.event() else {
            // Its limits left it no time to see whether the page holds the event.
            return Ok(Judged::Unshown);
        };
        match self.ask_reference(request) {
            Err(Error::BadCell { event, after, .. }) if event == id || after.is_none() => Ok(Judged::Unshown),
            Err(other) => Err(other),
            Ok(_) => Err(error),
        }
    }

    /// Asks the reference alone.
    pub fn ask_reference(&mut self, request: &PageRequest) -> Result<Page, Error> {
        ask(self.reference, request).map_err(|error| {
            if error.blames_strategy() { reference_failed(&error.to_string()) } else { error }
        })
    }

    /// Asks the subject alone: its page, or the failure that it is to blame for.
    pub fn ask_subject(&mut self, request: &PageRequest) -> Result<Result<Page, Error>, Error> {
        match ask(self.subject, request) {
            Err(error) if !error.blames_strategy() => Err(error),
            answer => Ok(answer),
        }
    }
}

/// The same request for an earlier, or a fixed, state of the log.
pub fn bounded(request: &PageRequest, up_to: i64) -> PageRequest {
    PageRequest { up_to: Some(up_to), ..request.clone() }
}

/// A reference that fails decides nothing, so this is an error of the run and blames no strategy.
pub(crate) fn reference_failed(what: &str) -> Error {
    Error::Engine(format!("the reference cannot serve as one: {what}"))
}

fn bound(request: &PageRequest, page: &Page) -> i64 {
    request.up_to.map_or(page.high_water, |up_to| up_to.min(page.high_water))
}

fn judged(request: &PageRequest, subject: Result<Page, Error>, reference: Page) -> Judged {
    match subject {
        Ok(page) if first_difference(&page, &reference).is_none() => Judged::Equal(page),
        subject => Judged::Differs(Box::new(Case { request: request.clone(), subject, reference })),
    }
}

fn ask(pager: &mut dyn Pager, request: &PageRequest) -> Result<Page, Error> {
    let mut attempts = 1;
    loop {
        match pager.page(request).map_err(Error::unplaced) {
            Err(Error::Busy | Error::Starved { .. }) if attempts < ATTEMPTS_WHILE_BUSY => attempts += 1,
            Err(
                Error::Budget { limit: "guest_time" | "wall_time" | "log_lock", .. }
                | Error::BadCell { after: None, .. },
            ) if attempts < ATTEMPTS_OVER_TIME => {
                attempts += 1;
            }
            answer => return answer,
        }
    }
}
