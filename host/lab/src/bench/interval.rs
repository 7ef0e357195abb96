//! How far a ratio of interleaved rounds can be trusted: its interval of 95 % confidence.
//!
//! **Method.** Rounds of two sides that ran next to each other are pairs: what disturbed the machine
//! disturbed both. The ratio is that of the two means. Pairs are drawn anew with replacement, as many as
//! there are, 4,999 times (a bootstrap); the interval leaves out the same share of the ratios so found at
//! each end. With few rounds such an interval is too narrow: its ends are moved out by what Student's t
//! asks for beyond the normal distribution (T. Hesterberg, *What Teachers Should Know about the
//! Bootstrap*, 2015, section 5.3: the expanded percentile interval). The draw is a fixed one, so that the
//! same rounds give the same interval.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};
use statrs::statistics::{Data, OrderStatistics as _};

use keyhole_log::units::float;

/// How often rounds are drawn anew.
const DRAWS: usize = 4_999;

/// What the draw begins with.
const SEED: u64 = 0x6b65_7968_6f6c_6531;

/// The interval for mean(of) ÷ mean(to) over paired rounds; None for fewer than two.
pub(super) fn interval(rounds: &[(f64, f64)]) -> Option<[f64; 2]> {
    let left_out = left_out(rounds.len())?;
    let mut random = SplitMix64::from_seed(SEED.to_le_bytes());
    // Below `n`, each as often as the others but for one part in 2^32.
    let mut below =
        |n: usize| usize::try_from((u128::from(random.next_u64()) * n as u128) >> 64).unwrap_or(0);
    let mut ratios: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..rounds.len()).filter_map(|_| rounds.get(below(rounds.len())));
            let (of, to) = drawn.fold((0.0, 0.0), |(of, to), round| (of + round.0, to + round.1));
            of / to
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    Some([*ratios.get(left_out)?, *ratios.get(DRAWS - 1 - left_out)?])
}

/// How many of the smallest and of the largest ratios are left out; None for fewer than two rounds.
fn left_out(rounds: usize) -> Option<usize> {
    let n = float(rounds as u64);
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    let share = Normal::standard().sf((n / (n - 1.0)).sqrt() * student);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to a half"
    )]
    let left_out = (share * float(DRAWS as u64)) as usize;
    Some(left_out)
}

/// The median; 0 of nothing.
pub(super) fn median(numbers: Vec<f64>) -> f64 {
    if numbers.is_empty() { 0.0 } else { Data::new(numbers).median() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
    }

    fn mean_ratio(rounds: &[(f64, f64)]) -> f64 {
        rounds.iter().map(|round| round.0).sum::<f64>() / rounds.iter().map(|round| round.1).sum::<f64>()
    }

    /// The simple model: every way of drawing the rounds anew, each once, and its ratios in order.
    fn every_draw(rounds: &[(f64, f64)]) -> Vec<f64> {
        let n = rounds.len();
        let mut ratios: Vec<f64> = (0..n.pow(u32::try_from(n).unwrap()))
            .map(|draw| {
                let place = |at| draw / n.pow(u32::try_from(at).unwrap()) % n;
                mean_ratio(&(0..n).map(|at| rounds[place(at)]).collect::<Vec<_>>())
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    fn rounds(least: usize, most: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
        prop::collection::vec((1.0..1_000.0_f64, 1.0..1_000.0_f64), least..=most)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Between the model's quantiles a little further out and a little further in: the draw is a sample.
        #[test]
        fn the_interval_is_that_of_the_model_that_draws_in_every_way(rounds in rounds(5, 6)) {
            let model = every_draw(&rounds);
            let share = float(left_out(rounds.len()).unwrap() as u64) / float(DRAWS as u64);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let place = |share: f64| (share.clamp(0.0, 1.0) * float(model.len() as u64 - 1)) as usize;
            let [low, high] = interval(&rounds).unwrap();
            let slack = 0.004;
            prop_assert!(model[place(share - slack)] <= low * (1.0 + 1e-9));
            prop_assert!(low <= model[place(share + slack) + 1] * (1.0 + 1e-9));
            prop_assert!(model[place(1.0 - share - slack)] <= high * (1.0 + 1e-9));
            prop_assert!(high <= model[(place(1.0 - share + slack) + 1).min(model.len() - 1)] * (1.0 + 1e-9));
        }

        #[test]
        fn the_interval_holds_the_ratio_and_stays_within_the_rounds(rounds in rounds(2, 12)) {
            let [low, high] = interval(&rounds).unwrap();
            let ratio = mean_ratio(&rounds);
            prop_assert!(low <= ratio && ratio <= high, "{low} {ratio} {high}");
            let each = || rounds.iter().map(|(of, to)| of / to);
            prop_assert!(low >= each().fold(f64::INFINITY, f64::min) * (1.0 - 1e-9));
            prop_assert!(high <= each().fold(0.0, f64::max) * (1.0 + 1e-9));
        }

        #[test]
        fn a_side_that_is_k_times_slower_has_k_times_the_interval(rounds in rounds(2, 12), k in 0.01..100.0_f64) {
            let slower: Vec<_> = rounds.iter().map(|(of, to)| (of * k, *to)).collect();
            let ([low, high], [low_k, high_k]) = (interval(&rounds).unwrap(), interval(&slower).unwrap());
            prop_assert!(near(low * k, low_k) && near(high * k, high_k));
        }

        #[test]
        fn with_the_sides_swapped_the_interval_is_turned_over(rounds in rounds(2, 12)) {
            let swapped: Vec<_> = rounds.iter().map(|(of, to)| (*to, *of)).collect();
            let ([low, high], [other_low, other_high]) = (interval(&rounds).unwrap(), interval(&swapped).unwrap());
            prop_assert!(near(low, other_high.recip()) && near(high, other_low.recip()));
        }

        /// What disturbs both sides of a round alike does not widen the interval.
        #[test]
        fn rounds_with_one_ratio_have_an_interval_of_no_width(sizes in prop::collection::vec(1.0..1_000.0_f64, 2..12)) {
            let rounds: Vec<_> = sizes.into_iter().map(|size| (size * 0.25, size)).collect();
            let [low, high] = interval(&rounds).unwrap();
            prop_assert!(near(low, 0.25) && near(high, 0.25));
        }
    }

    /// A model of a machine: both sides of a round share a disturbance, and each has noise of its own.
    #[test]
    fn nineteen_of_twenty_intervals_hold_the_true_ratio() {
        let mut random = SplitMix64::from_seed(1_u64.to_le_bytes());
        let mut uniform = move || float(random.next_u64() >> 11) / 9_007_199_254_740_992.0;
        // The sum of twelve uniform draws is as good as normal.
        let mut noise = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let (mut held, runs, truth) = (0, 400, 0.25);
        for _ in 0..runs {
            let rounds: Vec<_> = (0..10)
                .map(|_| {
                    let both = 1_000.0 * (1.0 + 0.2 * noise()).max(0.1);
                    (truth * both * (1.0 + 0.05 * noise()), both * (1.0 + 0.05 * noise()))
                })
                .collect();
            let [low, high] = interval(&rounds).unwrap();
            held += i32::from(low <= truth && truth <= high);
        }
        // 380 are expected; four deviations are 17.
        assert!((363..=397).contains(&held), "{held} of {runs}");
    }

    #[test]
    fn fewer_than_two_rounds_tell_nothing() {
        assert_eq!([interval(&[]), interval(&[(1.0, 2.0)])], [None, None]);
    }

    #[test]
    fn the_share_left_out_grows_with_the_rounds_up_to_a_fortieth() {
        let shares = [2, 3, 5, 10, 31, 1_000].map(|rounds| left_out(rounds).unwrap());
        assert!(shares.is_sorted(), "{shares:?}");
        assert_eq!(shares[..4], [0, 0, 4, 42]);
        assert!((DRAWS / 40 - 3..=DRAWS / 40).contains(&shares[5]), "{shares:?}");
    }
}
