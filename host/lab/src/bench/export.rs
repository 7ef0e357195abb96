//! What a run leaves for other tools: interval logs (`.hlog`) and percentile tables (`.hgrm`) of
//! `HdrHistogram`, which its own viewers read and merge; and the report as JSON.

use std::fmt::Write as _;
use std::time::SystemTime;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::histogram::Counts;
use super::report::Report;
use super::run::{MixRun, Outcome, Round};
use keyhole_log::error::Error;
use keyhole_log::units::float;

/// Rows of a percentile table for each halving of what is left above.
const TICKS: u32 = 5;

/// Nanoseconds of a millisecond: what both kinds of file count in.
const MILLI: f64 = 1e6;

/// A measure of requests, and where its times lie.
struct Measure {
    name: &'static str,
    whole: fn(&Outcome) -> &Histogram<u64>,
    round: fn(&Round) -> &Counts,
}

const SERVICE: Measure =
    Measure { name: "service", whole: |outcome| &outcome.times.service, round: |round| &round.service };
const LATENCY: Measure =
    Measure { name: "latency", whole: |outcome| &outcome.times.latency, round: |round| &round.latency };

/// The name of the report among the files that are kept.
pub const REPORT: &str = "bench.json";

/// What an interval log begins with.
pub const INTERVALS: &str = "#[Histogram log format version 1.3]";

/// What a comment of it says, after the name of the measure and before that of the mix.
pub const OF_A_MIX: &str = " times of the mix ";

/// What a percentile table begins with.
pub const PERCENTILES: &str = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";

/// A file of the run for other tools, whole in memory.
#[derive(Clone, Debug)]
pub struct KeptFile {
    /// Its name, without a folder.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// For each mix, MIX.service.hlog and MIX.latency.hlog with an interval for each round of each strategy, tagged
/// with its name; for each strategy MIX.STRATEGY.service.hgrm and …latency.hgrm; and bench.json. `origin` is the
/// moment of the run's clock at zero.
pub(super) fn export(
    runs: &[MixRun<'_>],
    report: &Report,
    origin: SystemTime,
) -> Result<Vec<KeptFile>, Error> {
    let mut files = Vec::new();
    let mut keep = |name: String, bytes: Vec<u8>| files.push(KeptFile { name, bytes });
    for run in runs {
        let mix = plain(&run.mix.name);
        for measure in [&SERVICE, &LATENCY] {
            let name = measure.name;
            keep(format!("{mix}.{name}.hlog"), hlog(run, measure, origin)?);
            for outcome in &run.outcomes {
                let file = format!("{mix}.{}.{name}.hgrm", plain(&outcome.strategy));
                keep(file, hgrm((measure.whole)(outcome)).into_bytes());
            }
        }
    }
    let json = serde_json::to_vec_pretty(report).map_err(|error| Error::Engine(error.to_string()))?;
    keep(REPORT.to_owned(), json);
    Ok(files)
}

/// A name that is one word in a file name and in a tag.
fn plain(name: &str) -> String {
    let keep = |character: char| character.is_ascii_alphanumeric() || "-_=.".contains(character);
    let words = name.split(|character| !keep(character)).filter(|word| !word.is_empty() && *word != ".");
    words.collect::<Vec<_>>().join("_")
}

/// The interval log: values in nanoseconds, the column that is for people in milliseconds.
fn hlog(run: &MixRun<'_>, measure: &Measure, origin: SystemTime) -> Result<Vec<u8>, Error> {
    #[expect(clippy::needless_pass_by_value, reason = "errors of several types, each at its end")]
    fn failed(error: impl ToString) -> Error {
        Error::Engine(format!("interval log: {}", error.to_string()))
    }
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(INTERVALS.trim_start_matches('#'))
        .add_comment(&format!("{}{OF_A_MIX}{}, in nanoseconds", measure.name, plain(&run.mix.name)))
        .with_start_time(origin)
        .with_base_time(origin)
        .with_max_value_divisor(MILLI)
        .begin_log_with(&mut log, &mut serializer)
        .map_err(failed)?;
    let mut rounds: Vec<(&str, &Round)> = Vec::new();
    for outcome in &run.outcomes {
        rounds.extend(outcome.rounds.iter().map(|round| (outcome.strategy.as_str(), round)));
    }
    rounds.sort_by_key(|(_, round)| round.started);
    for (strategy, round) in rounds {
        let times = (measure.round)(round).histogram()?;
        writer
            .write_histogram(&times, round.started, round.wall, Tag::new(&plain(strategy)))
            .map_err(failed)?;
    }
    drop(writer);
    Ok(log)
}

/// The percentile table, in milliseconds, as every viewer of `HdrHistogram` reads it.
fn hgrm(histogram: &Histogram<u64>) -> String {
    let milli = |nanos: u64| float(nanos) / MILLI;
    let mut text = PERCENTILES.to_owned();
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
    let (most, count) = (milli(histogram.max()), histogram.len());
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(text, "#[Max     = {most:12.3}, Total count    = {count:12}]");
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]", histogram.buckets());
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::bench::fakes::{FakeClock, plan, report, target};
    use crate::bench::histogram::Histograms;
    use crate::bench::plan::Plan;
    use crate::bench::run::run;

    fn measured(plan: &Plan) -> Vec<MixRun<'_>> {
        let clock = FakeClock::default();
        let mut sides = [target("slow", &clock, 1, 3_000_000), target("./my guest.wasm", &clock, 1, 1_000)];
        run(plan, &mut sides, &|_, _| (), &clock, &mut |_| Ok(())).unwrap()
    }

    #[test]
    fn an_interval_log_is_read_back_as_what_was_measured() {
        let plan = plan(40, 4, 1);
        let runs = measured(&plan);
        for measure in [&SERVICE, &LATENCY] {
            let log = hlog(&runs[0], measure, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)).unwrap();
            let mut tags = Vec::new();
            let mut sums = [(); 2].map(|()| Histograms::new().unwrap().service);
            let mut last = Duration::ZERO;
            for entry in IntervalLogIterator::new(&log) {
                match entry.unwrap() {
                    LogEntry::StartTime(at) | LogEntry::BaseTime(at) => {
                        assert_eq!(at, Duration::from_secs(1_000));
                    }
                    LogEntry::Interval(interval) => {
                        assert!(interval.start_timestamp() >= last);
                        last = interval.start_timestamp();
                        let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
                        let times = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).unwrap();
                        let tag = interval.tag().unwrap().as_str().to_owned();
                        sums[usize::from(tag == "my_guest.wasm")].add(&times).unwrap();
                        tags.push(tag);
                    }
                }
            }
            assert_eq!(tags, ["slow", "my_guest.wasm", "my_guest.wasm", "slow"], "as the rounds were run");
            for (outcome, sum) in runs[0].outcomes.iter().zip(&sums) {
                assert_eq!((measure.whole)(outcome), sum);
            }
        }
    }

    #[test]
    fn a_percentile_table_has_the_form_that_viewers_read() {
        let mut times = Histograms::new().unwrap();
        for micros in [1_000, 2_000, 3_000, 4_000] {
            times.record(Duration::ZERO, Duration::ZERO, Duration::from_micros(micros));
        }
        let table = hgrm(&times.service);
        assert!(table.starts_with(concat!(
            "       Value     Percentile TotalCount 1/(1-Percentile)\n\n",
            "       1.000 0.000000000000          1           1.00\n",
        )));
        assert!(table.contains("\n       2.001 0.500000000000          2           2.00\n"), "{table}");
        assert!(table.ends_with(concat!(
            "\n       4.002 1.000000000000          4\n",
            "#[Mean    =        2.500, StdDeviation   =        1.118]\n",
            "#[Max     =        4.002, Total count    =            4]\n",
            "#[Buckets =           26, SubBuckets     =         2048]\n",
        )));
        let empty = hgrm(&Histograms::new().unwrap().service);
        assert!(!empty.contains("NaN") && !empty.contains("inf"), "{empty}");
    }

    #[test]
    fn a_file_is_kept_for_each_mix_strategy_and_measure_with_a_name_that_is_one() {
        let plan = plan(40, 4, 1);
        let json = report(&plan, &mut [target("slow", &FakeClock::default(), 1, 1)], &FakeClock::default());
        let kept = export(&measured(&plan), &json, SystemTime::UNIX_EPOCH).unwrap();
        let mut files: Vec<&str> = kept.iter().map(|file| file.name.as_str()).collect();
        files.sort_unstable();
        assert_eq!(
            files,
            [
                "bench.json",
                "dense.latency.hlog",
                "dense.my_guest.wasm.latency.hgrm",
                "dense.my_guest.wasm.service.hgrm",
                "dense.service.hlog",
                "dense.slow.latency.hgrm",
                "dense.slow.service.hgrm",
            ]
        );
        for file in &kept {
            let begins = |with: &str| file.bytes.starts_with(with.as_bytes());
            match file.name.rsplit_once('.').unwrap().1 {
                "hlog" => assert!(begins(INTERVALS)),
                "hgrm" => assert!(begins(PERCENTILES)),
                _ => assert_eq!(file.name, REPORT),
            }
        }
        assert_eq!(plain("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(plain("dense, workers=1"), "dense_workers=1");
    }
}
