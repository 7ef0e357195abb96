//! Pages that are taken while another process appends to the log.

use super::Checker;
use super::sides::{Judged, bounded};
use super::verdict::StreamReport;
use keyhole_log::error::Error;
use keyhole_log::model::PageRequest;

/// The stream's name in the report.
pub const STREAM: &str = "appending";

/// Appends a batch in another process; false once nothing is left to append.
pub type Appender<'a> = dyn FnMut() -> Result<bool, Error> + 'a;

/// Compares the sides while the log grows: a batch, then `per_batch` requests, until the appender is
/// done and every request was asked once; requests are asked again from the first as needed.
///
/// Each request, which should name no `up_to`, is asked twice: for a state of the log that both
/// sides are told of, and for whatever state the subject sees.
///
/// Errors: those of [`super::verify`], and the appender's.
pub fn live(
    checker: &mut Checker<'_, '_>,
    requests: &[PageRequest],
    per_batch: usize,
    appender: &mut Appender<'_>,
) -> Result<StreamReport, Error> {
    let mut report = StreamReport::new(STREAM);
    let mut queue = requests.iter().cycle();
    let mut asked = 0;
    let mut growing = true;
    while growing || asked < requests.len() {
        if growing {
            growing = appender()?;
        }
        for request in queue.by_ref().take(per_batch.max(1)) {
            asked += 1;
            checker.at_both_snapshots(&mut report, request)?;
            let total = requests.len().max(asked);
            checker.progress(&report, asked as u64, total as u64)?;
            if checker.is_over(&report) {
                return Ok(report);
            }
        }
    }
    Ok(report)
}

impl Checker<'_, '_> {
    fn at_both_snapshots(&mut self, report: &mut StreamReport, request: &PageRequest) -> Result<(), Error> {
        let high_water = match self.sides.ask_reference(request) {
            Err(Error::BadCell { .. }) => {
                report.unshown += 1;
                return Ok(());
            }
            page => page?.high_water,
        };
        let judged = self.sides.judge(&bounded(request, high_water))?;
        self.take(report, judged)?;
        if self.is_over(report) {
            return Ok(());
        }
        let judged = self.sides.judge_at_subjects_snapshot(request)?;
        if let Judged::Equal(page) = &judged
            && page.high_water < high_water
        {
            return Err(Error::Engine(format!(
                "the log went back: a page sees events up to {}, one before saw {high_water}",
                page.high_water
            )));
        }
        self.take(report, judged)
    }
}
