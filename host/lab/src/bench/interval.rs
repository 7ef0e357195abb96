//! How far a ratio of interleaved rounds can be trusted: its interval of 95 % confidence.
//!
//! **Method.** Rounds of two sides that ran next to each other are pairs: what disturbed the machine
//! disturbed both. The ratio is that of the two means. Pairs are drawn anew with replacement, as many as
//! there are, 4,999 times (a bootstrap); the interval leaves out the same share of the ratios so found at
//! each end. With few rounds such an interval is too narrow: its ends are moved out by what Student's t
//! asks for beyond the normal distribution (T. Hesterberg, *What Teachers Should Know about the
//! Bootstrap*, 2015, section 5.3: the expanded percentile interval). The draw is a fixed one, so that the
//! same rounds give the same interval.

/// How often rounds are drawn anew.
const DRAWS: usize = 4_999;

/// Student's t at 97.5 % for 1, 2, … degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The interval for mean(of) ÷ mean(to) over paired rounds; None for fewer than two.
pub(super) fn interval(rounds: &[(f64, f64)]) -> Option<[f64; 2]> {
    if rounds.len() < 2 {
        return None;
    }
    let mut draw = Draw(0x6b65_7968_6f6c_6531);
    let mut ratios: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..rounds.len()).filter_map(|_| rounds.get(draw.below(rounds.len())));
            let (of, to) = drawn.fold((0.0, 0.0), |(of, to), round| (of + round.0, to + round.1));
            of / to
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let left_out = left_out(rounds.len());
    Some([*ratios.get(left_out)?, *ratios.get(DRAWS - 1 - left_out)?])
}

/// How many of the smallest and of the largest ratios are left out.
fn left_out(rounds: usize) -> usize {
    let n = count(rounds);
    let freedom = rounds - 1;
    let student = STUDENT.get(freedom - 1).copied().unwrap_or(1.96 + 2.5 / count(freedom));
    let share = 1.0 - normal((n / (n - 1.0)).sqrt() * student);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is from 0 to a half"
    )]
    let left_out = (share.clamp(0.0, 0.5) * count(DRAWS)) as usize;
    left_out.min(DRAWS / 2)
}

/// The normal distribution from minus infinity to `x` ≥ 0 (Abramowitz and Stegun, 26.2.17; 7 figures).
fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530];
    let tail = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    1.0 - tail * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Numbers that look random: `SplitMix64`.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `n`, each as often as the others but for one part in 2^32.
    fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * n as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "interval_tests.rs"]
mod tests;
