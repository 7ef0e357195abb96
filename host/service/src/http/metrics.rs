//! `/metrics`: what was counted while requests were answered, and how the service is doing now, as `OpenMetrics` text.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::Answered;
use crate::status::{ScratchState, ShadowState, Standing, State};

/// The media type.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the histograms, in seconds: from an empty page to the end of a request's time.
const BOUNDS: [f64; 14] =
    [25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 2.0];

/// Labels of a series.
type Labels<const N: usize> = [(&'static str, String); N];

/// How many connections are open.
pub(super) type OpenConnections = Gauge<i64, AtomicI64>;

/// What is counted. Strategies are named by the policy alone, so there are few series of each.
pub(super) struct Metrics {
    registry: Registry,
    answers: Family<Labels<2>, Counter>,
    requests: Family<Labels<1>, Counter>,
    errors: Family<Labels<2>, Counter>,
    denials: Family<Labels<1>, Counter>,
    served: Family<Labels<1>, Histogram>,
    waited: Histogram,
    unchanged: Counter,
    /// Open connections of viewers.
    pub(super) connections: OpenConnections,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let histogram = || Histogram::new(BOUNDS);
        let mut metrics = Self {
            registry: Registry::with_prefix("keyhole"),
            answers: Family::default(),
            requests: Family::default(),
            errors: Family::default(),
            denials: Family::default(),
            served: Family::new_with_constructor(histogram),
            waited: histogram(),
            unchanged: Counter::<u64, AtomicU64>::default(),
            connections: Gauge::default(),
        };
        let all = &mut metrics.registry;
        all.register("http_answers", "Answers by status and problem", metrics.answers.clone());
        all.register("requests", "Page requests that a strategy was given", metrics.requests.clone());
        all.register("errors", "Page requests without a page, by code", metrics.errors.clone());
        all.register("denials", "What a strategy was denied", metrics.denials.clone());
        let served = "From a worker's taking up a request to its page";
        all.register_with_unit("request", served, Unit::Seconds, metrics.served.clone());
        let waited = "From a request's arrival to a worker";
        all.register_with_unit("wait", waited, Unit::Seconds, metrics.waited.clone());
        all.register("unchanged", "Answers 304, without a strategy", metrics.unchanged.clone());
        all.register("http_connections", "Open connections of viewers", metrics.connections.clone());
        metrics
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

    /// Everything as text: what was counted, and how the service is doing now.
    pub(super) fn exposition(&self, state: State, in_flight: u64) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        let mut now = Registry::with_prefix("keyhole");
        now.register_collector(Box::new(Now { state, in_flight }));
        encode_registry(&mut text, &now)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// How the service is doing at one moment.
#[derive(Debug)]
struct Now {
    state: State,
    in_flight: u64,
}

/// The series of one metric: the labels and the value of each.
type Series = Vec<(Vec<(&'static str, String)>, f64)>;

#[expect(clippy::cast_precision_loss, reason = "a figure of more than 2^53 is a figure all the same")]
fn real(number: u64) -> f64 {
    number as f64
}

/// The one series of a metric without labels.
fn one(number: f64) -> Series {
    vec![(Vec::new(), number)]
}

fn count(number: u64) -> Series {
    one(real(number))
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = &self.state;
        let (active, swap) = (state.active.iter(), state.last_swap.iter());
        let active = active.map(|active| (labels(active), 1.0)).collect();
        let swap = swap.map(|swap| (vec![("why", swap.why.clone())], real(swap.took_us) / 1e6)).collect();
        let high_water = state.high_water.map_or(Vec::new(), |id| count(id.max(0).unsigned_abs()));
        let compared = &state.compared;
        for (name, help, series) in [
            ("ready", "Whether pages are answered as they should be", count(state.ready.into())),
            ("active", "The strategy that serves", active),
            ("workers", "Threads that answer", count(state.workers as u64)),
            ("queued", "Requests that wait for a worker", count(state.queued as u64)),
            ("queue_limit", "Requests that may wait", count(state.queue_limit as u64)),
            ("http_requests_in_flight", "Requests whose answer is not taken yet", count(self.in_flight)),
            ("swap_last_seconds", "How long the last swap took", swap),
            ("log_high_water", "The log's largest id", high_water),
            ("strategy_in_flight", "Requests that it is answering", self.each(|s| Some(s.in_flight))),
            ("breaker_failures", "Failures within the window", self.each(|s| Some(s.breaker.failures))),
            ("breaker_allowed", "Failures that open it", self.each(|s| Some(s.breaker.allowed))),
            ("scratch_lag_events", "Events that scratch does not cover", self.scratch(|s| s.lag)),
            ("scratch_bytes", "Bytes of scratch on disk", self.scratch(|s| s.bytes)),
            ("scratch_quota_bytes", "Bytes that it may have", self.scratch(|s| s.quota)),
            ("scratch_quarantined_events", "Events with an odd cell", self.scratch(|s| s.quarantined)),
            (
                "scratch_scrub_compared_events",
                "Events compared in the running round",
                self.scratch(|s| s.scrub.compared),
            ),
            ("scratch_scrub_events", "Events that the round has in all", self.scratch(|s| s.scrub.of)),
            ("scratch_scrub_ended_seconds", "When the last round ended, since 1970", self.scrubs_ended()),
            ("shadow_share", "Share of the requests that a shadow gets", self.shadow(|s| s.share)),
            ("shadow_requests", "Requests on which it is to be compared", self.shadow(|s| real(s.requests))),
            ("reference_share", "Share of the pages that is compared", one(compared.share)),
        ] {
            write(&mut encoder, name, help, MetricType::Gauge, &series)?;
        }
        let behind = "Samples that comparison did not keep up with";
        let in_its_place =
            "Requests that the reference answered in its place, since an odd cell may have touched them";
        let undecided = "Samples that could not be decided";
        for (name, help, series) in [
            ("swaps", "Swaps of the active strategy", count(state.swaps)),
            ("shed", "Requests that were turned away because too many waited", count(state.shed)),
            ("strategy_answered", "Requests that it has answered", self.each(|s| Some(s.answered))),
            ("strategy_by_reference", in_its_place, self.each(|s| Some(s.by_reference))),
            ("breaker_trips", "How often it opened", self.each(|s| Some(s.breaker.trips))),
            ("scratch_dropped", "How often scratch did not fit the log", self.scratch(|s| s.dropped)),
            ("scratch_scrub_rounds", "Rounds of comparison that ended", self.scratch(|s| s.scrub.rounds)),
            (
                "log_history_changes",
                "How often the log's history was found changed",
                self.scratch(|s| s.scrub.found),
            ),
            (
                "log_payload_faults",
                "Payloads found changed, or no line of their own",
                self.scratch(|s| s.scrub.faults),
            ),
            ("shadow_compared", "Requests on which it was equal", self.shadow(|s| real(s.compared))),
            ("shadow_dropped", behind, self.shadow(|s| real(s.dropped))),
            ("shadow_undecided", undecided, self.shadow(|s| real(s.undecided))),
            ("reference_equal", "Served pages that the reference gave, too", count(compared.equal)),
            ("reference_different", "Served pages that it did not give", count(compared.different)),
            ("reference_dropped", behind, count(compared.dropped)),
            ("reference_undecided", undecided, count(compared.undecided)),
        ] {
            write(&mut encoder, name, help, MetricType::Counter, &series)?;
        }
        Ok(())
    }
}

impl Now {
    /// A figure of every strategy that serves or did. One that is there twice, as itself and retiring, is shown once.
    fn each(&self, figure: impl Fn(&Standing) -> Option<u64>) -> Series {
        let all = self.state.active.iter().chain(&self.state.good).chain(&self.state.retiring);
        let mut series = Series::new();
        for strategy in all {
            let labels = labels(strategy);
            if let Some(value) = figure(strategy)
                && !series.iter().any(|(known, _)| *known == labels)
            {
                series.push((labels, real(value)));
            }
        }
        series
    }

    fn scratch(&self, figure: impl Fn(&ScratchState) -> u64) -> Series {
        self.each(|strategy| strategy.scratch.as_ref().map(&figure))
    }

    fn scrubs_ended(&self) -> Series {
        self.each(|strategy| {
            let ended = strategy.scratch.as_ref()?.scrub.ended.as_ref()?;
            ended.parse::<jiff::Timestamp>().ok()?.as_second().try_into().ok()
        })
    }

    fn shadow(&self, figure: impl Fn(&ShadowState) -> f64) -> Series {
        let staged = self.state.staged.iter();
        let shadows = staged.filter_map(|staged| Some((staged, staged.shadow.as_ref()?)));
        shadows.map(|(staged, shadow)| (vec![("strategy", staged.name.clone())], figure(shadow))).collect()
    }
}

fn labels(strategy: &Standing) -> Vec<(&'static str, String)> {
    vec![("strategy", strategy.name.clone()), ("digest", strategy.digest.clone())]
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    kind: MetricType,
    series: &Series,
) -> fmt::Result {
    if series.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    for (labels, value) in series {
        if labels.is_empty() {
            return write_one(metric, kind, *value);
        }
        write_one(metric.encode_family(labels)?, kind, *value)?;
    }
    Ok(())
}

fn write_one(metric: MetricEncoder<'_>, kind: MetricType, value: f64) -> fmt::Result {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(metric),
        _ => ConstGauge::new(value).encode(metric),
    }
}
