//! What was measured: three histograms of nanoseconds.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::phases::Phases;
use crate::error::Error;

/// Longest time that a histogram tells apart; more is counted as this.
const LONGEST: Duration = Duration::from_mins(1);
/// Three significant figures: an error below 0.1 % of the value, in 220 KB a histogram.
const FIGURES: u8 = 3;

/// The times of a number of requests, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From a worker taking the request to its rendered bytes.
    pub service: Histogram<u64>,
    /// From the request's entry to a worker taking it.
    pub queue: Histogram<u64>,
    /// Both together: what a client sees.
    pub latency: Histogram<u64>,
    /// Where their time went.
    pub phases: Phases,
    /// How many of the pages held events.
    pub non_empty: u64,
}

impl Tally {
    /// A tally of nothing.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            service: empty()?,
            queue: empty()?,
            latency: empty()?,
            phases: Phases::default(),
            non_empty: 0,
        })
    }

    /// Counts one request that entered, was taken, and was answered at these moments.
    pub fn record(&mut self, entered: Duration, taken: Duration, answered: Duration) {
        self.service.saturating_record(nanos(answered.saturating_sub(taken)));
        self.queue.saturating_record(nanos(taken.saturating_sub(entered)));
        self.latency.saturating_record(nanos(answered.saturating_sub(entered)));
    }

    /// Adds another tally's requests.
    pub fn add(&mut self, other: &Self) -> Result<(), Error> {
        for (sum, part) in [
            (&mut self.service, &other.service),
            (&mut self.queue, &other.queue),
            (&mut self.latency, &other.latency),
        ] {
            sum.add(part).map_err(|error| Error::Engine(format!("histogram: {error}")))?;
        }
        self.phases.add(other.phases);
        self.non_empty += other.non_empty;
        Ok(())
    }

    /// Forgets everything and keeps the memory, whose pages are then already there.
    pub fn clear(&mut self) {
        self.service.reset();
        self.queue.reset();
        self.latency.reset();
        self.phases = Phases::default();
        self.non_empty = 0;
    }
}

/// What a histogram holds, without its empty places: a round's few hundred times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(u64, u64)>);

impl Counts {
    /// What that histogram holds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self(histogram.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect())
    }

    /// A histogram that holds it.
    pub fn histogram(&self) -> Result<Histogram<u64>, Error> {
        let mut histogram = empty()?;
        for &(value, count) in &self.0 {
            histogram.saturating_record_n(value, count);
        }
        Ok(histogram)
    }
}

fn empty() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1, nanos(LONGEST), FIGURES)
        .map_err(|error| Error::Engine(format!("histogram: {error}")))
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn percentiles_are_within_a_thousandth_of_the_exact_ones() {
        let mut tally = Tally::new().unwrap();
        for micros in 1..=10_000 {
            tally.record(Duration::ZERO, Duration::ZERO, Duration::from_micros(micros));
        }
        for (quantile, exact) in [(0.5, 5_000_000_u64), (0.9, 9_000_000), (0.99, 9_900_000)] {
            let measured = tally.service.value_at_quantile(quantile);
            assert!(measured.abs_diff(exact) * 1_000 <= exact, "{measured} is not {exact}");
        }
    }

    #[test]
    fn a_tally_is_bounded_at_both_ends_instead_of_losing_a_request() {
        let mut tally = Tally::new().unwrap();
        tally.record(Duration::ZERO, Duration::ZERO, Duration::ZERO);
        tally.record(Duration::ZERO, Duration::ZERO, Duration::from_hours(1));
        assert_eq!(tally.service.len(), 2);
        assert_eq!(tally.service.min(), 0);
        assert!(tally.service.max() >= nanos(LONGEST));
    }

    #[test]
    fn latency_is_time_in_queue_and_service_time() {
        let mut tally = Tally::new().unwrap();
        let at = Duration::from_nanos;
        tally.record(at(100), at(130), at(190));
        assert_eq!(tally.queue.max(), 30);
        assert_eq!(tally.service.max(), 60);
        assert_eq!(tally.latency.max(), 90);
    }

    #[test]
    fn counts_make_the_histogram_that_they_were_taken_from() {
        let mut tally = Tally::new().unwrap();
        for time in [0, 1, 999, 1_000, 1_234_567, 1_234_567, u64::from(u32::MAX) * 100] {
            tally.record(Duration::ZERO, Duration::ZERO, Duration::from_nanos(time));
        }
        assert_eq!(Counts::of(&tally.service).histogram().unwrap(), tally.service);
        assert_eq!(Counts::default().histogram().unwrap().len(), 0);
    }

    #[test]
    fn merged_tallies_count_every_request_once() {
        let (mut sum, mut part) = (Tally::new().unwrap(), Tally::new().unwrap());
        part.record(Duration::ZERO, Duration::ZERO, Duration::from_nanos(5));
        part.non_empty = 1;
        sum.add(&part).unwrap();
        sum.add(&part).unwrap();
        assert_eq!((sum.service.len(), sum.non_empty), (2, 2));
        part.clear();
        assert_eq!((part.service.len(), part.non_empty), (0, 0));
    }
}
