//! `selftest`: plays the hostile strategies that the binary carries, on this machine, beside whatever runs
//! there, and shows which limit stopped each.

use crate::args::Common;
use crate::verbs::output::Output;
use crate::verbs::progress::Progress;
use keyhole_lab::selftest::play;
use keyhole_lab::selftest::report::render;
use keyhole_log::error::Error;

/// Options of `selftest`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// One attack on each limit only.
    #[arg(long)]
    pub quick: bool,
}

/// Runs the verb: 0 if every limit struck, 1 if one did not.
pub fn run(common: &Common, args: &Args, output: &mut Output) -> Result<u8, Error> {
    let bar = Progress::new(common, "attacks");
    let report = play(args.quick, &|done, all| bar.at(done, all))?;
    drop(bar);
    output.show(&report, || render(&report))?;
    Ok(u8::from(!report.sound))
}
