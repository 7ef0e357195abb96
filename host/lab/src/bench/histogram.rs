//! What was measured: three histograms of nanoseconds.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::phases::Phases;
use keyhole_log::error::Error;
use keyhole_log::units::whole_nanos;

/// Longest time that a histogram tells apart; more is counted as this.
const LONGEST: Duration = Duration::from_mins(1);
/// Three significant figures: an error below 0.1 % of the value, in 220 KB a histogram.
const FIGURES: u8 = 3;

/// The times of a number of requests, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Histograms {
    /// From a worker taking the request to its rendered bytes.
    pub(super) service: Histogram<u64>,
    /// From the request's entry to a worker taking it.
    pub(super) queue: Histogram<u64>,
    /// Both together: what a client sees.
    pub(super) latency: Histogram<u64>,
    /// Where their time went.
    pub(super) phases: Phases,
    /// How many of the pages held events.
    pub(super) non_empty: u64,
}

impl Histograms {
    /// Of no request yet.
    pub(super) fn new() -> Result<Self, Error> {
        let (service, queue, latency) = (empty()?, empty()?, empty()?);
        Ok(Self { service, queue, latency, phases: Phases::default(), non_empty: 0 })
    }

    /// Counts one request that entered, was taken, and was answered at these moments.
    pub(super) fn record(&mut self, entered: Duration, taken: Duration, answered: Duration) {
        self.service.saturating_record(whole_nanos(answered.saturating_sub(taken)));
        self.queue.saturating_record(whole_nanos(taken.saturating_sub(entered)));
        self.latency.saturating_record(whole_nanos(answered.saturating_sub(entered)));
    }

    /// Adds another one's requests.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), Error> {
        for (sum, part) in [
            (&mut self.service, &other.service),
            (&mut self.queue, &other.queue),
            (&mut self.latency, &other.latency),
        ] {
            sum.add(part).map_err(failed)?;
        }
        self.phases.add(other.phases);
        self.non_empty += other.non_empty;
        Ok(())
    }

    /// Forgets everything and keeps the memory, whose pages are then already there.
    pub(super) fn clear(&mut self) {
        self.service.reset();
        self.queue.reset();
        self.latency.reset();
        self.phases = Phases::default();
        self.non_empty = 0;
    }
}

/// What a histogram holds, without its empty places: a round's few hundred times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(Vec<(u64, u64)>);

impl Counts {
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        Self(histogram.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect())
    }

    /// A histogram that holds the same.
    pub(super) fn histogram(&self) -> Result<Histogram<u64>, Error> {
        let mut histogram = empty()?;
        for &(value, count) in &self.0 {
            histogram.saturating_record_n(value, count);
        }
        Ok(histogram)
    }
}

fn empty() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1, whole_nanos(LONGEST), FIGURES).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Engine(format!("histogram: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn of(service: impl IntoIterator<Item = Duration>) -> Histograms {
        let mut times = Histograms::new().unwrap();
        service.into_iter().for_each(|time| times.record(Duration::ZERO, Duration::ZERO, time));
        times
    }

    #[test]
    fn percentiles_are_within_a_thousandth_of_the_exact_ones() {
        let times = of((1..=10_000).map(Duration::from_micros));
        for (quantile, exact) in [(0.5, 5_000_000_u64), (0.9, 9_000_000), (0.99, 9_900_000)] {
            let measured = times.service.value_at_quantile(quantile);
            assert!(measured.abs_diff(exact) * 1_000 <= exact, "{measured} is not {exact}");
        }
    }

    #[test]
    fn a_histogram_is_bounded_at_both_ends_instead_of_losing_a_request() {
        let service = of([Duration::ZERO, Duration::from_hours(1)]).service;
        assert_eq!((service.len(), service.min()), (2, 0));
        assert!(service.max() >= whole_nanos(LONGEST));
    }

    #[test]
    fn latency_is_time_in_queue_and_service_time() {
        let mut times = Histograms::new().unwrap();
        let at = Duration::from_nanos;
        times.record(at(100), at(130), at(190));
        assert_eq!((times.queue.max(), times.service.max(), times.latency.max()), (30, 60, 90));
    }

    #[test]
    fn counts_make_the_histogram_that_they_were_taken_from() {
        let nanos = [0, 1, 999, 1_000, 1_234_567, 1_234_567, u64::from(u32::MAX) * 100];
        let times = of(nanos.map(Duration::from_nanos));
        assert_eq!(Counts::of(&times.service).histogram().unwrap(), times.service);
        assert_eq!(Counts::default().histogram().unwrap().len(), 0);
    }

    #[test]
    fn merged_histograms_count_every_request_once() {
        let (mut sum, mut part) = (of([]), of([Duration::from_nanos(5)]));
        part.non_empty = 1;
        sum.add(&part).unwrap();
        sum.add(&part).unwrap();
        assert_eq!((sum.service.len(), sum.non_empty), (2, 2));
        part.clear();
        assert_eq!((part.service.len(), part.non_empty), (0, 0));
    }
}
