//! `demo`: the main job, from an empty folder to the comparison.

use crate::verbs::output::Output;
use crate::verbs::{Setup, bench as bench_verb, seed, verify as verify_verb};
use keyhole_lab::bench::Options;
use keyhole_log::dataset::fingerprint;
use keyhole_log::dataset::generator::{self, ROWS, ROWS_DIGEST};
use keyhole_log::error::Error;
use keyhole_log::survey::digest::rows_digest;
use keyhole_proof::verify;
use keyhole_runtime::embedded::{BASELINE_MANIFEST, BASELINE_SOURCES};

/// Options of `demo`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Requests of each stream, for the proof and for the measurement.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub requests: usize,
}

/// Runs the verb: a minute or two on two cores.
pub fn run(setup: &Setup, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let (data, baseline) = (prepare(setup, output)?, baseline(output, setup.common.json)?);
    let log = setup.log()?;
    let proof = verify_verb::compare(setup, ("keyset", "baseline"), |comparison| {
        comparison.prove(&log, generator::SEED, args.requests)
    })?;
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
        &Options {
            logs: vec![setup.common.data.clone()],
            strategies: names.map(str::to_owned).to_vec(),
            instances: setup.common.instances,
            requests: args.requests.max(1),
            ..Options::default()
        },
    )?
    .report;
    if setup.common.json {
        output.json(&serde_json::json!({
            "data": data, "baseline_sources": baseline, "verify": proof, "bench": measured,
        }))?;
    } else {
        output.line("\n4. Side by side: the same requests, interleaved rounds\n")?;
        output.write(bench_verb::shown(setup, &measured).as_bytes())?;
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
        seed::make(&setup.common, generator::NOW, ROWS, false)?;
    }
    let log = setup.log()?;
    let profile = setup.profile(&log)?;
    let digest = rows_digest(&log)?;
    let known = digest == ROWS_DIGEST;
    if let (ROWS, Some(now)) = (profile.rows, profile.contract_now) {
        fingerprint::check(&log, now, &digest)?;
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
