//! `seed`: makes the contract's data set.

use crate::cli::{Common, SeedArgs};
use crate::commands::output::{Output, remark};
use crate::commands::progress::Bar;
use crate::contract::dataset::{self, PAYLOAD_DIGEST, ROWS_DIGEST};
use crate::contract::{Seeded, Step, seed};
use crate::error::Error;
use crate::interrupt;

/// Runs the verb.
pub fn run(common: &Common, args: &SeedArgs) -> Result<u8, Error> {
    let seeded = make(common, args)?;
    let mut output = Output::open(common)?;
    let matches = contract_digests(args).map(|expected| {
        expected == (seeded.payload_digest.as_str(), Some(seeded.rows_digest.as_str()))
            || (expected.1.is_none() && expected.0 == seeded.payload_digest)
    });
    if common.json {
        output.json(&serde_json::json!({
            "data": common.data, "rows": seeded.rows, "now": args.now,
            "payload_bytes": seeded.payload_bytes, "database_bytes": seeded.database_bytes,
            "payload_digest": seeded.payload_digest, "rows_digest": seeded.rows_digest,
            "matches_contract": matches,
        }))?;
    } else {
        output.line(&format!("{} events in {}", seeded.rows, common.data.display()))?;
        output.line(&format!(
            "payloads.jsonl  {} bytes  sha256 {}",
            seeded.payload_bytes, seeded.payload_digest
        ))?;
        output.line(&format!(
            "audit.db        {} bytes  sha256 of its rows {}",
            seeded.database_bytes, seeded.rows_digest
        ))?;
        match matches {
            Some(true) => output.line("both are the contract's")?,
            Some(false) => output.line("they are NOT the contract's")?,
            None => {}
        }
    }
    output.flush()?;
    Ok(u8::from(matches == Some(false)))
}

/// Makes the data set, with a progress bar.
pub fn make(common: &Common, args: &SeedArgs) -> Result<Seeded, Error> {
    let bar = Bar::new(common, "making the data set");
    seed(&common.data, args.now, args.rows, args.short_payloads, &mut |step| {
        match step {
            Step::Anew(left) => remark(
                common,
                &format!(
                    "a seed was killed in {}: the {left} bytes that it left are removed, and the data set is made anew",
                    common.data.display()
                ),
            ),
            Step::Written(rows) => bar.at(rows, args.rows),
        }
        interrupt::check()
    })
}

/// The contract's digests, where this data set has one: of the payloads, and with its `now` of the
/// rows.
fn contract_digests(args: &SeedArgs) -> Option<(&'static str, Option<&'static str>)> {
    let whole = args.rows == dataset::ROWS && !args.short_payloads;
    whole.then_some((PAYLOAD_DIGEST, (args.now == dataset::NOW).then_some(ROWS_DIGEST)))
}
