//! Strategies that are wrong or hostile on purpose, and what an operator sees of them.

pub mod cases;
pub mod child;
pub mod coverage;
pub mod own;
pub mod report;
pub mod run;
pub mod stage;
pub mod zoo;

use std::collections::BTreeSet;
use std::time::Instant;

use cases::Case;
use child::Player;
use report::{Report, Row};
use stage::Stage;

use keyhole_log::environment;
use keyhole_log::error::Error;
use keyhole_log::temporary::TemporaryFolder;

/// One attack: the limit that it reaches for, its name, what is expected.
type Attack = (String, &'static str, &'static [&'static str]);

/// Plays every attack, or one on each limit only, and reports which limit struck. `progress` hears how many
/// attacks are over, of how many.
pub fn play(quick: bool, progress: &dyn Fn(u64, u64)) -> Result<Report, Error> {
    let began = Instant::now();
    let folder = TemporaryFolder::new_in(&environment::temporary_folder(), "selftest")?;
    let stage = Stage::make(folder.path())?;
    let attacks = attacks(quick);
    let mut rows = Vec::with_capacity(attacks.len());
    let mut player = Player::start(&stage)?;
    for (done, (limit, name, expected)) in (0..).zip(&attacks) {
        progress(done, attacks.len() as u64);
        let outcome = player.play(name)?;
        if outcome.is_err() {
            player = Player::start(&stage)?;
        }
        rows.push(Row::new(limit.clone(), name, expected, outcome));
    }
    drop(player);
    Ok(Report::of(rows, coverage::uncovered(), quick, began.elapsed().as_secs_f64()))
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
