//! `seed`: makes the contract's data set.

use crate::args::{Common, time};
use crate::results::Protected;
use crate::verbs::output::{Output, remark};
use crate::verbs::progress::Progress;
use keyhole_log::dataset::{Seeded, Step, generator, seed};
use keyhole_log::error::Error;
use keyhole_log::interrupt;

/// Options of `seed`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The data set's `now`: Unix seconds or RFC 3339.
    #[arg(long, value_parser = time, default_value_t = generator::NOW, allow_negative_numbers = true, value_name = "T")]
    pub now: i64,
    /// How many events; rows beyond 50,000 go on drawing from the same generator.
    #[arg(long, default_value_t = generator::ROWS, value_name = "N")]
    pub rows: u64,
    /// Shorter payload lines with the same columns, for logs of millions of events.
    #[arg(long)]
    pub short_payloads: bool,
}

/// Runs the verb: 1 where the data set is to be the contract's, and is not.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let seeded = make(common, args.now, args.rows, args.short_payloads)?;
    let matches = seeded.is_contracts(args.now, args.short_payloads);
    let Seeded { rows, payload_bytes, database_bytes, payload_digest, rows_digest } = &seeded;
    let report = serde_json::json!({
        "data": common.data, "rows": rows, "now": args.now, "payload_bytes": payload_bytes,
        "database_bytes": database_bytes, "payload_digest": payload_digest, "rows_digest": rows_digest,
        "matches_contract": matches,
    });
    output.show(&report, || {
        format!(
            "{rows} events in {}\n\
             payloads.jsonl  {payload_bytes} bytes  sha256 {payload_digest}\n\
             audit.db        {database_bytes} bytes  sha256 of its rows {rows_digest}\n{}",
            common.data.display(),
            match matches {
                Some(true) => "both are the contract's\n",
                Some(false) => "they are NOT the contract's\n",
                None => "",
            }
        )
    })?;
    Ok(u8::from(matches == Some(false)))
}

/// Makes the data set, and says how far it is.
pub(super) fn make(common: &Common, now: i64, rows: u64, short_payloads: bool) -> Result<Seeded, Error> {
    Protected::check_new(common, &common.data)?;
    let bar = Progress::new(common, "making the data set");
    seed(&common.data, now, rows, short_payloads, &mut |step| {
        match step {
            Step::Anew(left) => remark(
                common,
                &format!(
                    "a seed was killed in {}: the {left} bytes that it left are removed, and the data set is made anew",
                    common.data.display()
                ),
            ),
            Step::Written(done) => bar.at(done, rows),
        }
        interrupt::check()
    })
}
