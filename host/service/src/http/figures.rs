//! What is counted while requests are answered.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::service::Answered;

/// Labels of a series.
type Labels<const N: usize> = [(&'static str, String); N];

/// Bounds of the histograms, in seconds: from an empty page to the end of a request's time.
const BOUNDS: [f64; 14] =
    [25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 2.0];

/// The series. Strategies are named by the policy alone, so there are few of each.
pub(super) struct Figures {
    /// All of them, under their names.
    pub(super) registry: Registry,
    answers: Family<Labels<2>, Counter>,
    requests: Family<Labels<1>, Counter>,
    errors: Family<Labels<2>, Counter>,
    denials: Family<Labels<1>, Counter>,
    served: Family<Labels<1>, Histogram>,
    waited: Histogram,
    unchanged: Counter,
    /// Connections that are open.
    pub(super) connections: Gauge<i64, AtomicI64>,
}

impl Figures {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("keyhole");
        let histogram = || Histogram::new(BOUNDS);
        let figures = Self {
            answers: Family::default(),
            requests: Family::default(),
            errors: Family::default(),
            denials: Family::default(),
            served: Family::new_with_constructor(histogram),
            waited: histogram(),
            unchanged: Counter::<u64, AtomicU64>::default(),
            connections: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("http_answers", "Answers by status and problem", figures.answers.clone());
        registry.register("requests", "Page requests that a strategy was given", figures.requests.clone());
        registry.register("errors", "Page requests without a page, by code", figures.errors.clone());
        registry.register("denials", "What a strategy was denied", figures.denials.clone());
        registry.register_with_unit(
            "request",
            "From a worker's taking up a request to its page",
            Unit::Seconds,
            figures.served.clone(),
        );
        registry.register_with_unit(
            "wait",
            "From a request's arrival to a worker",
            Unit::Seconds,
            figures.waited.clone(),
        );
        registry.register("unchanged", "Answers 304, without a strategy", figures.unchanged.clone());
        registry.register("http_connections", "Open connections of viewers", figures.connections.clone());
        Self { registry, ..figures }
    }

    /// Counts an answer of any kind.
    pub(super) fn answer(&self, status: u16, code: Option<&'static str>) {
        let labels = [("status", status.to_string()), ("code", code.unwrap_or_default().to_owned())];
        self.answers.get_or_create(&labels).inc();
    }

    /// Counts what a strategy made of a request.
    pub(super) fn page(&self, answered: &Answered) {
        let strategy = || answered.strategy.to_string();
        let labels = [("strategy", strategy())];
        self.requests.get_or_create(&labels).inc();
        self.served.get_or_create(&labels).observe(answered.served.as_secs_f64());
        self.waited.observe(answered.waited.as_secs_f64());
        if answered.denied > 0 {
            self.denials.get_or_create(&labels).inc_by(answered.denied);
        }
        if let Err(error) = &answered.page {
            let labels = [("strategy", strategy()), ("code", error.code().to_owned())];
            self.errors.get_or_create(&labels).inc();
        }
    }

    /// Counts a request that nobody waited for any longer than that.
    pub(super) fn overdue(&self, waited: Duration) {
        self.waited.observe(waited.as_secs_f64());
    }

    /// Counts an answer that needed no strategy.
    pub(super) fn unchanged(&self) {
        self.unchanged.inc();
    }
}
