//! `/metrics`: what was counted, and how the service is doing now, as `OpenMetrics` text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::serve::front::Front;
use crate::service::status::{Standing, State};

/// The media type.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything as text.
pub(super) fn scrape(front: &Front) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode_registry(&mut text, &front.figures.registry)?;
    let mut now = Registry::with_prefix("keyhole");
    now.register_collector(Box::new(Now { state: front.service.state(), places: front.places.taken() }));
    encode_registry(&mut text, &now)?;
    encode_eof(&mut text)?;
    Ok(text)
}

/// How the service is doing at one moment.
#[derive(Debug)]
struct Now {
    state: State,
    places: usize,
}

/// The strategies of one figure, with the figure's value for each.
type Each = Vec<(Vec<(&'static str, String)>, f64)>;

#[expect(clippy::cast_precision_loss, reason = "a figure of more than 2^53 is a figure all the same")]
fn real(number: u64) -> f64 {
    number as f64
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = &self.state;
        let one = |number: f64| vec![(Vec::new(), number)];
        let few = |number: usize| one(real(number as u64));
        for (name, help, values) in [
            ("ready", "Whether pages are answered as they should be", one(f64::from(u8::from(state.ready)))),
            ("active", "The strategy that serves", self.active()),
            ("workers", "Threads that answer", few(state.workers)),
            ("queued", "Requests that wait for a worker", few(state.queued)),
            ("queue_limit", "Requests that may wait", few(state.queue_limit)),
            ("http_requests_in_flight", "Requests whose answer is not taken yet", few(self.places)),
            ("swap_last_seconds", "How long the last swap took", self.last_swap()),
            (
                "log_high_water",
                "The log's largest id",
                state.high_water.map_or(Vec::new(), |id| one(real(id.max(0).unsigned_abs()))),
            ),
            (
                "strategy_in_flight",
                "Requests that it is answering",
                self.standing(|one| Some(real(one.in_flight))),
            ),
            (
                "breaker_failures",
                "Failures within the window",
                self.standing(|one| Some(real(one.breaker.failures))),
            ),
            (
                "breaker_allowed",
                "Failures that open it",
                self.standing(|one| Some(real(one.breaker.allowed))),
            ),
            (
                "scratch_lag_events",
                "Events that scratch does not cover",
                self.standing(|one| one.scratch.as_ref().map(|scratch| real(scratch.lag))),
            ),
            (
                "scratch_bytes",
                "Bytes of scratch on disk",
                self.standing(|one| one.scratch.as_ref().map(|scratch| real(scratch.bytes))),
            ),
            (
                "scratch_quota_bytes",
                "Bytes that it may have",
                self.standing(|one| one.scratch.as_ref().map(|scratch| real(scratch.quota))),
            ),
            ("shadow_share", "Share of the requests that a shadow gets", self.shadow(|shadow| shadow.share)),
            (
                "shadow_requests",
                "Requests on which it is to be compared",
                self.shadow(|shadow| real(shadow.requests)),
            ),
            ("reference_share", "Share of the pages that is compared", one(state.compared.share)),
        ] {
            write(&mut encoder, name, help, MetricType::Gauge, &values)?;
        }
        for (name, help, values) in [
            ("swaps", "Swaps of the active strategy", one(real(state.swaps))),
            ("shed", "Requests that were turned away because too many waited", one(real(state.shed))),
            (
                "strategy_answered",
                "Requests that it has answered",
                self.standing(|one| Some(real(one.answered))),
            ),
            ("breaker_trips", "How often it opened", self.standing(|one| Some(real(one.breaker.trips)))),
            (
                "scratch_dropped",
                "How often scratch did not fit the log",
                self.standing(|one| one.scratch.as_ref().map(|scratch| real(scratch.dropped))),
            ),
            (
                "shadow_compared",
                "Requests on which it was equal",
                self.shadow(|shadow| real(shadow.compared)),
            ),
            (
                "shadow_dropped",
                "Samples that comparison did not keep up with",
                self.shadow(|shadow| real(shadow.dropped)),
            ),
            (
                "shadow_undecided",
                "Samples that could not be decided",
                self.shadow(|shadow| real(shadow.undecided)),
            ),
            ("reference_equal", "Served pages that the reference gave, too", one(real(state.compared.equal))),
            ("reference_different", "Served pages that it did not give", one(real(state.compared.different))),
            (
                "reference_dropped",
                "Samples that comparison did not keep up with",
                one(real(state.compared.dropped)),
            ),
            ("reference_undecided", "Samples that could not be decided", one(real(state.compared.undecided))),
        ] {
            write(&mut encoder, name, help, MetricType::Counter, &values)?;
        }
        Ok(())
    }
}

impl Now {
    fn active(&self) -> Each {
        let active = self.state.active.iter();
        active
            .map(|one| (vec![("strategy", one.name.clone()), ("digest", one.digest.clone())], 1.0))
            .collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of one swap")]
    fn last_swap(&self) -> Each {
        let swap = self.state.last_swap.iter();
        swap.map(|swap| (vec![("why", swap.why.clone())], swap.took_us as f64 / 1e6)).collect()
    }

    /// A figure of every strategy that serves or did. One that is there twice, as itself and retiring, is shown once.
    fn standing(&self, figure: impl Fn(&Standing) -> Option<f64>) -> Each {
        let all = self.state.active.iter().chain(&self.state.good).chain(&self.state.retiring);
        let mut each: Each = Vec::new();
        for one in all {
            let labels = vec![("strategy", one.name.clone()), ("digest", one.digest.clone())];
            if let Some(value) = figure(one)
                && !each.iter().any(|(known, _)| *known == labels)
            {
                each.push((labels, value));
            }
        }
        each
    }

    fn shadow(&self, figure: impl Fn(&crate::service::status::ShadowState) -> f64) -> Each {
        let staged = self.state.staged.iter();
        let shadows = staged.filter_map(|staged| Some((staged, staged.shadow.as_ref()?)));
        let label = |name: &str| vec![("strategy", name.to_owned())];
        shadows.map(|(staged, shadow)| (label(&staged.name), figure(shadow))).collect()
    }
}

fn write(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    kind: MetricType,
    values: &Each,
) -> fmt::Result {
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    if let [(labels, value)] = values.as_slice()
        && labels.is_empty()
    {
        return write_one(metric, kind, *value);
    }
    for (labels, value) in values {
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
