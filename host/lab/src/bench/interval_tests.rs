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
            let drawn: Vec<_> =
                (0..n).map(|place| rounds[draw / n.pow(u32::try_from(place).unwrap()) % n]).collect();
            mean_ratio(&drawn)
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
        let share = count(left_out(rounds.len())) / count(DRAWS);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = |share: f64| (share.clamp(0.0, 1.0) * count(model.len() - 1)) as usize;
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
    let mut draw = Draw(1);
    let mut uniform = move || count(usize::try_from(draw.next() >> 11).unwrap()) / 9_007_199_254_740_992.0;
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
    assert_eq!(interval(&[]), None);
    assert_eq!(interval(&[(1.0, 2.0)]), None);
}

#[test]
fn the_share_left_out_grows_with_the_rounds_up_to_a_fortieth() {
    let shares: Vec<usize> = [2, 3, 5, 10, 31, 1_000].map(left_out).to_vec();
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!(shares[0], 0);
    let fortieth = DRAWS / 40;
    assert!((fortieth - 3..=fortieth).contains(&shares[5]), "{shares:?}");
    for (x, exact) in [(0.0, 0.5), (1.0, 0.841_344_746), (1.96, 0.975_002_105), (3.0, 0.998_650_102)] {
        assert!((normal(x) - exact).abs() < 1e-7, "{x}");
    }
}
