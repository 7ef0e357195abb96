//! `demo`: the main job, from an empty folder to the comparison.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::bench;
use crate::cli::{BenchArgs, DemoArgs, SeedArgs, VerifyArgs};
use crate::commands::output::Output;
use crate::commands::verify::Comparison;
use crate::commands::{Setup, bench as bench_verb, seed};
use crate::contract::dataset::{self, ROWS, ROWS_DIGEST};
use crate::contract::fingerprint::fingerprint;
use crate::error::Error;
use crate::log::Log;
use crate::log::digest::rows_digest;
use crate::registry::{BASELINE_MANIFEST, BASELINE_SOURCES};
use crate::verify;

/// Runs the verb.
pub fn run(setup: &Setup, args: &DemoArgs) -> Result<u8, Error> {
    let mut output = setup.output()?;
    let (data, baseline) = (prepare(setup, &mut output)?, baseline(&mut output, setup.common.json)?);
    let log = setup.log()?;
    let question = VerifyArgs {
        strategy: "keyset".to_owned(),
        reference: "baseline".to_owned(),
        requests: args.requests,
        queries: None,
        seed: dataset::SEED,
    };
    let proof = Comparison::new(setup, &question).prove(&log)?;
    if !setup.common.json {
        output.line("\n3. The proof that nothing changes: keyset against baseline\n")?;
        output.write(verify::render(&proof).as_bytes())?;
        output.flush()?;
    }
    if !proof.equal {
        return Ok(1);
    }
    let names = ["baseline", "keyset", "keyset-warm", "native-baseline", "native-keyset"];
    let measured = bench_verb::measure(
        setup,
        &BenchArgs {
            strategies: names.map(str::to_owned).to_vec(),
            mix: vec!["contract".to_owned(), "dense".to_owned()],
            requests: args.requests.max(1),
            warmup: 100,
            concurrency: 4,
            rounds: 10,
            seed: dataset::SEED,
            ..BenchArgs::default()
        },
        &log,
    )?;
    if setup.common.json {
        output.json(&serde_json::json!({
            "data": data, "baseline_sources": baseline, "verify": proof, "bench": measured,
        }))?;
    } else {
        output.line("\n4. Side by side: the same requests, interleaved rounds\n")?;
        output.write(bench::render(&measured).as_bytes())?;
        output.line(&format!("\nThe log in {} was only read.", setup.common.data.display()))?;
        output.line(&format!(
            "Scratch, which may be deleted at any time, lies in {}.",
            setup.cache().display()
        ))?;
        output.line(&format!("The key that signs cursors lies in {}.", setup.state().display()))?;
        output.line("`keyhole bench --json --out FILE` writes the figures to a file.")?;
    }
    output.flush()?;
    Ok(0)
}

/// Makes the log if there is none, and compares a log of the contract's with its digest.
fn prepare(setup: &Setup, output: &mut Output) -> Result<serde_json::Value, Error> {
    let folder = &setup.common.data;
    let fresh = !folder.join("audit.db").exists() && !folder.join("payloads.jsonl").exists();
    if fresh {
        let args = SeedArgs { now: dataset::NOW, rows: dataset::ROWS, short_payloads: false };
        seed::make(&setup.common, &args)?;
    }
    let log = Log::open(folder)?;
    let profile = setup.profile(&log)?;
    let digest = rows_digest(&log)?;
    let known = digest == ROWS_DIGEST;
    if let (ROWS, Some(now)) = (profile.rows, profile.contract_now) {
        check_whole(&log, now, &digest)?;
    }
    if !setup.common.json {
        output.line(&format!(
            "1. The log: {} events in {}{}",
            profile.rows,
            folder.display(),
            if fresh { ", made now" } else { "" }
        ))?;
        output.line(&format!("   sha256 of its rows {digest}"))?;
        output.line(match (known, profile.contract_now) {
            (true, _) => "   equal to the contract's",
            (false, Some(_)) => "   the contract's data set with another `now`, or with events added",
            (false, None) => "   not the contract's data set; it is only read",
        })?;
        output.flush()?;
    }
    Ok(
        serde_json::json!({"rows": profile.rows, "rows_digest": digest, "made": fresh, "is_the_contracts": known}),
    )
}

/// A log that begins as the contract's data set and has as many rows must be that data set.
fn check_whole(log: &Log, now: i64, rows_digest: &str) -> Result<(), Error> {
    let drawn = [false, true].map(|short_payloads| fingerprint(now, ROWS, short_payloads));
    let Some(expected) = drawn.iter().find(|drawn| drawn.rows == rows_digest) else {
        let what =
            format!("it begins as the contract's data set, but its rows have the digest {rows_digest}");
        return Err(Error::BadLog { path: log.database.clone(), what });
    };
    let digest = digest_of(&log.payloads, expected.payload_bytes)?;
    if digest != expected.payloads {
        let what = format!("its rows are the contract's, but its payloads have the digest {digest}");
        return Err(Error::BadLog { path: log.payloads.clone(), what });
    }
    Ok(())
}

/// SHA-256 of a file's first bytes.
fn digest_of(path: &Path, bytes: u64) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    let mut read = || -> std::io::Result<()> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?.take(bytes));
        loop {
            let chunk = file.fill_buf()?;
            let held = chunk.len();
            if held == 0 {
                return Ok(());
            }
            hasher.update(chunk);
            file.consume(held);
        }
    };
    read().map_err(|source| Error::io(path, source))?;
    Ok(crate::hex(&hasher.finalize()))
}

/// Compares the sources of the embedded baseline with the digests that it was frozen with.
fn baseline(output: &mut Output, json: bool) -> Result<bool, Error> {
    let frozen = BASELINE_SOURCES == BASELINE_MANIFEST;
    if !json {
        let files = BASELINE_MANIFEST.lines().count();
        output.line(&format!(
            "\n2. The baseline: {files} source files, {}",
            if frozen { "each as it was frozen" } else { "CHANGED since they were frozen" }
        ))?;
    }
    if frozen {
        return Ok(true);
    }
    let changed: Vec<&str> = BASELINE_SOURCES
        .lines()
        .filter(|line| !BASELINE_MANIFEST.lines().any(|kept| kept == *line))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    Err(Error::Differs {
        what: format!("the baseline is frozen, but its sources changed: {}", changed.join(", ")),
    })
}
