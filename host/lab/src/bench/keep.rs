//! What a run leaves for other tools: interval logs (`.hlog`) and percentile tables (`.hgrm`) of
//! `HdrHistogram`, which its own viewers read and merge.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::run::{MixRun, Outcome, float};
use crate::error::Error;

/// Rows of a percentile table for each halving of what is left above.
const TICKS: u32 = 5;

/// Nanoseconds of a millisecond: what both kinds of file count in.
const MILLI: f64 = 1e6;

/// A measure of requests, and which of its tallies holds it.
#[derive(Clone, Copy)]
enum Measure {
    Service,
    Latency,
}

impl Measure {
    const ALL: [Self; 2] = [Self::Service, Self::Latency];

    fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Latency => "latency",
        }
    }

    fn whole(self, outcome: &Outcome) -> &Histogram<u64> {
        match self {
            Self::Service => &outcome.tally.service,
            Self::Latency => &outcome.tally.latency,
        }
    }
}

/// Writes, for each mix, MIX.service.hlog and MIX.latency.hlog with an interval for each round of each
/// strategy, tagged with its name; and for each strategy MIX.STRATEGY.service.hgrm and …latency.hgrm.
/// `origin` is the moment of the run's clock at zero.
pub fn keep(folder: &Path, runs: &[MixRun], origin: SystemTime) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
    let write = |name: String, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::io(&path, source))
    };
    for run in runs {
        for measure in Measure::ALL {
            let (mix, of) = (plain(&run.mix), measure.name());
            write(format!("{mix}.{of}.hlog"), &hlog(run, measure, origin)?)?;
            for outcome in &run.outcomes {
                let name = format!("{mix}.{}.{of}.hgrm", plain(&outcome.strategy));
                write(name, hgrm(measure.whole(outcome)).as_bytes())?;
            }
        }
    }
    Ok(())
}

/// A name that is one word in a file name and in a tag.
fn plain(name: &str) -> String {
    let keep = |character: char| character.is_ascii_alphanumeric() || "-_=.".contains(character);
    let words = name.split(|character| !keep(character)).filter(|word| !word.is_empty() && *word != ".");
    words.collect::<Vec<_>>().join("_")
}

/// The interval log: values in nanoseconds, the column that is for people in milliseconds.
fn hlog(run: &MixRun, measure: Measure, origin: SystemTime) -> Result<Vec<u8>, Error> {
    let failed = |error: String| Error::Engine(format!("interval log: {error}"));
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("{} times of the mix {}, in nanoseconds", measure.name(), plain(&run.mix)))
        .with_start_time(origin)
        .with_base_time(origin)
        .with_max_value_divisor(MILLI)
        .begin_log_with(&mut log, &mut serializer)
        .map_err(|error| failed(error.to_string()))?;
    let mut rounds: Vec<_> = run
        .outcomes
        .iter()
        .flat_map(|outcome| outcome.rounds.iter().map(|round| (plain(&outcome.strategy), round)))
        .collect();
    rounds.sort_by_key(|(_, round)| round.started);
    for (strategy, round) in rounds {
        let counts = match measure {
            Measure::Service => &round.service,
            Measure::Latency => &round.latency,
        };
        writer
            .write_histogram(&counts.histogram()?, round.started, round.wall, Tag::new(&strategy))
            .map_err(|error| failed(error.to_string()))?;
    }
    drop(writer);
    Ok(log)
}

/// The percentile table, in milliseconds, as every viewer of `HdrHistogram` reads it.
fn hgrm(histogram: &Histogram<u64>) -> String {
    let milli = |nanos: u64| float(nanos) / MILLI;
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut seen = 0;
    for at in histogram.iter_quantiles(TICKS) {
        seen += at.count_since_last_iteration();
        let (value, quantile) = (milli(at.value_iterated_to()), at.quantile_iterated_to());
        // Writing to a String cannot fail.
        let _ = if quantile < 1.0 {
            writeln!(text, "{value:12.3} {quantile:2.12} {seen:10} {:14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(text, "{value:12.3} {quantile:2.12} {seen:10}")
        };
    }
    let (mean, deviation) = (histogram.mean() / MILLI, histogram.stdev() / MILLI);
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(
        text,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        milli(histogram.max()),
        histogram.len()
    );
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]", histogram.buckets());
    text
}

#[cfg(test)]
#[path = "keep_tests.rs"]
mod tests;
