#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;
use crate::bench::fakes::{FakeClock, contender, plan};
use crate::bench::run::run;
use crate::bench::tally::Tally;

fn measured() -> Vec<MixRun> {
    let clock = FakeClock::new();
    let mut sides = [contender("slow", &clock, 1, 3_000_000), contender("./my guest.wasm", &clock, 1, 1_000)];
    run(&plan(40, 4, 1), &mut sides, &|_, _| (), &clock, &mut |_| Ok(())).unwrap()
}

#[test]
fn an_interval_log_is_read_back_as_what_was_measured() {
    let runs = measured();
    let folder = tempfile::tempdir().unwrap();
    keep(folder.path(), &runs, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)).unwrap();
    for (file, measure) in
        [("dense.service.hlog", Measure::Service), ("dense.latency.hlog", Measure::Latency)]
    {
        let log = std::fs::read(folder.path().join(file)).unwrap();
        let mut tags = Vec::new();
        let mut sums = [Tally::new().unwrap().service, Tally::new().unwrap().service];
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
                    let histogram = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).unwrap();
                    let tag = interval.tag().unwrap().as_str().to_owned();
                    sums[usize::from(tag == "my_guest.wasm")].add(&histogram).unwrap();
                    tags.push(tag);
                }
            }
        }
        assert_eq!(tags, ["slow", "my_guest.wasm", "my_guest.wasm", "slow"], "as the rounds were run");
        for (outcome, sum) in runs[0].outcomes.iter().zip(&sums) {
            assert_eq!(measure.whole(outcome), sum);
        }
    }
}

#[test]
fn a_percentile_table_has_the_form_that_viewers_read() {
    let mut tally = Tally::new().unwrap();
    for micros in [1_000, 2_000, 3_000, 4_000] {
        tally.record(Duration::ZERO, Duration::ZERO, Duration::from_micros(micros));
    }
    let table = hgrm(&tally.service);
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("       Value     Percentile TotalCount 1/(1-Percentile)"));
    assert_eq!(lines.next(), Some(""));
    assert_eq!(lines.next(), Some("       1.000 0.000000000000          1           1.00"));
    let rest: Vec<&str> = lines.collect();
    let (rows, foot) = rest.split_at(rest.len() - 3);
    assert!(rows.contains(&"       2.001 0.500000000000          2           2.00"), "{table}");
    assert_eq!(rows.last(), Some(&"       4.002 1.000000000000          4"), "{table}");
    assert_eq!(
        foot,
        [
            "#[Mean    =        2.500, StdDeviation   =        1.118]",
            "#[Max     =        4.002, Total count    =            4]",
            "#[Buckets =           26, SubBuckets     =         2048]",
        ]
    );
}

#[test]
fn a_file_is_left_for_each_mix_strategy_and_measure_and_none_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    keep(&folder.path().join("new"), &measured(), SystemTime::UNIX_EPOCH).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(folder.path().join("new"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "dense.latency.hlog",
            "dense.my_guest.wasm.latency.hgrm",
            "dense.my_guest.wasm.service.hgrm",
            "dense.service.hlog",
            "dense.slow.latency.hgrm",
            "dense.slow.service.hgrm",
        ]
    );
    assert_eq!(plain("../../etc/passwd"), ".._.._etc_passwd");
    assert_eq!(plain("dense, workers=1"), "dense_workers=1");
}

#[test]
fn an_empty_histogram_has_a_table_without_a_number_that_is_none() {
    let table = hgrm(&Tally::new().unwrap().service);
    assert!(!table.contains("NaN") && !table.contains("inf"), "{table}");
}
