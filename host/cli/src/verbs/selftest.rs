//! `selftest`: plays the hostile strategies that the binary carries, on this machine, beside whatever runs
//! there, and shows which limit stopped each.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::cli::{Common, SelftestArgs};
use crate::commands::output::Output;
use crate::commands::progress::Bar;
use crate::error::Error;
use crate::selftest::cases::{self, Case};
use crate::selftest::child::{self, Player};
use crate::selftest::report::{Report, Row, render};
use crate::selftest::stage::Stage;
use crate::selftest::{coverage, own};

/// One attack: the limit that it reaches for, its name, what is expected.
type Attack = (String, &'static str, &'static [&'static str]);

/// Runs the verb: 0 if every limit struck, 1 if one did not.
pub fn run(common: &Common, args: &SelftestArgs) -> Result<u8, Error> {
    let began = Instant::now();
    let mut output = Output::open(common)?;
    let folder = tempfile::tempdir().map_err(|source| Error::io(std::env::temp_dir(), source))?;
    let stage = Stage::make(folder.path())?;
    let attacks = attacks(args.quick);
    let bar = Bar::new(common, "attacks");
    let mut rows = Vec::with_capacity(attacks.len());
    let mut player = Player::start(&stage)?;
    for (done, (limit, name, expected)) in (0..).zip(&attacks) {
        bar.at(done, attacks.len() as u64);
        let outcome = player.play(name)?;
        if outcome.is_err() {
            player = Player::start(&stage)?;
        }
        rows.push(Row::new(limit.clone(), name, expected, outcome));
    }
    drop((bar, player));
    let report = Report::of(rows, coverage::uncovered(), args.quick, began.elapsed().as_secs_f64());
    if common.json {
        output.json(&report)?;
    } else {
        output.write(render(&report).as_bytes())?;
    }
    output.flush()?;
    Ok(u8::from(!report.sound))
}

/// Plays attacks as it is told on standard input.
pub fn play(common: &Common) -> Result<u8, Error> {
    child::serve(&common.data)?;
    Ok(0)
}

/// The attacks to be played, sorted by what they reach for; the quick ones are one for each limit.
fn attacks(quick: bool) -> Vec<Attack> {
    let of_strategies = cases::all()
        .filter(|case| !quick || !is_slow(case))
        .filter_map(|case| Some((coverage::guard_of(case)?, case.name, case.expected)));
    let of_others =
        own::ROWS.iter().map(|row| (row.limit.to_owned(), row.name, std::slice::from_ref(&row.expected)));
    let mut attacks: Vec<Attack> = of_strategies.chain(of_others).collect();
    // Stable: the first row of the table stands first.
    attacks.sort_by(|one, other| one.0.cmp(&other.0));
    let mut seen = BTreeSet::new();
    attacks.retain(|(limit, ..)| !quick || seen.insert(limit.clone()));
    attacks
}

/// A count to 100,000, a refresh that spins for its five seconds.
fn is_slow(case: &Case) -> bool {
    case.times > 1_000 || case.name == "spin-in-refresh"
}
