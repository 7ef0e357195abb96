//! Whether two strategies answer alike: streams and walks, comparison, naming, shrinking, verdict.
//!
//! A failure of the subject that it is to blame for is a difference. Any other failure, and every
//! failure of the reference, leaves the question open and is an error of the run.

pub mod classify;
pub mod compare;
#[cfg(test)]
pub(crate) mod fakes;
pub mod live;
mod prove;
pub mod report;
pub mod shrink;
pub mod sides;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod walk;
pub mod whole;

pub use live::live;
pub use prove::Comparison;
pub use report::render;
pub use verdict::{Finding, Names, Report, Side, StreamReport};
pub use walk::{Walk, WalkStream, walks, whole_walks};
pub use whole::{InOrder, whole};

use crate::streams::Stream;
use keyhole_log::error::Error;
use keyhole_log::model::Pager;
use sides::{Case, Judged, Sides};

/// Hears how far a stream has come: its name, how many of its requests or walks are done, of how
/// many. Called after every page; an error from it ends the run.
pub type Progress<'a> = dyn FnMut(&str, u64, u64) -> Result<(), Error> + 'a;

/// Two strategies under comparison.
pub struct Checker<'a, 'p> {
    /// Both strategies.
    pub sides: Sides<'a>,
    /// What the report calls them.
    pub names: Names<'a>,
    /// Whether to compare the rest of a stream after a difference, to count how many pages differ.
    pub count_on: bool,
    /// Who hears how far it has come.
    pub progress: &'a mut Progress<'p>,
}

/// Compares the subject with the reference over streams and walks, in that order, each up to its
/// first difference.
///
/// Errors: every failure of the reference or of the log, `Interrupted`, and those of `progress`.
pub fn verify(
    subject: &mut dyn Pager,
    reference: &mut dyn Pager,
    names: Names<'_>,
    streams: &[Stream],
    walks: &[WalkStream],
    progress: &mut Progress<'_>,
) -> Result<Report, Error> {
    let mut checker = Checker { sides: Sides { subject, reference }, names, count_on: false, progress };
    checker.verify(streams, walks)
}

impl Checker<'_, '_> {
    /// Compares over streams and walks, in that order.
    ///
    /// Errors: as [`verify`].
    pub fn verify(&mut self, streams: &[Stream], walks: &[WalkStream]) -> Result<Report, Error> {
        let mut reports = Vec::with_capacity(streams.len() + walks.len());
        for stream in streams {
            reports.push(self.stream(stream)?);
        }
        for stream in walks {
            reports.push(self.walks(stream)?);
        }
        Ok(Report::of(self.names, reports))
    }

    fn stream(&mut self, stream: &Stream) -> Result<StreamReport, Error> {
        let mut report = StreamReport::new(stream.name);
        let total = stream.requests.len() as u64;
        for (request, done) in stream.requests.iter().zip(1..) {
            let judged = self.sides.judge(request)?;
            self.take(&mut report, judged)?;
            self.progress(&report, done, total)?;
            if self.is_over(&report) {
                break;
            }
        }
        Ok(report)
    }

    fn walks(&mut self, stream: &WalkStream) -> Result<StreamReport, Error> {
        let mut report = StreamReport::new(stream.name);
        let total = stream.walks.len() as u64;
        for (each, done) in stream.walks.iter().zip(0..) {
            let progress = &mut *self.progress;
            let difference = walk::walk(each, &mut self.sides, &mut |page| {
                report.count(page);
                progress(stream.name, done, total)
            })?;
            if let Some(case) = difference {
                self.differs(&mut report, &case)?;
            }
            self.progress(&report, done + 1, total)?;
            if self.is_over(&report) {
                break;
            }
        }
        Ok(report)
    }

    fn take(&mut self, report: &mut StreamReport, judged: Judged) -> Result<(), Error> {
        match judged {
            Judged::Equal(page) => {
                report.count(&page);
                Ok(())
            }
            Judged::Differs(case) => self.differs(report, &case),
            Judged::Unshown => {
                report.unshown += 1;
                Ok(())
            }
        }
    }

    /// Names and shrinks the first difference of a stream, and counts every one.
    fn differs(&mut self, report: &mut StreamReport, case: &Case) -> Result<(), Error> {
        report.count_differing(&case.reference);
        if report.differences.is_empty() {
            let smallest = shrink::shrink(case, &mut self.sides, shrink::TRIES)?;
            let smallest = smallest.as_ref().unwrap_or(case);
            let kind = classify::classify(case, smallest, &mut self.sides)?.to_string();
            let finding = Finding::of(self.names, &report.name, kind, &case.request, smallest);
            report.differences.push(finding);
        }
        Ok(())
    }

    fn is_over(&self, report: &StreamReport) -> bool {
        report.differing > 0 && !self.count_on
    }

    fn progress(&mut self, report: &StreamReport, done: u64, total: u64) -> Result<(), Error> {
        (self.progress)(&report.name, done, total)
    }
}
