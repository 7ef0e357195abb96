//! Samples as figures: medians with intervals, of samples and of pairs of samples.

use crate::plan::{Place, Shape, Switches, Variant};
use crate::run::Measured;

/// What samples say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// The interval of at least 95 % confidence for the median, from order statistics: whatever the distribution.
    pub interval: [f64; 2],
    /// The smallest and the largest sample.
    pub range: [f64; 2],
}

impl Figure {
    /// The figure of some samples; none of no sample.
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_by(f64::total_cmp);
        let count = samples.len();
        let last = count.checked_sub(1)?;
        let at = |index: usize| samples.get(index.min(last)).copied();
        // Half of the samples lie below the median: their number is binomial, with a standard deviation of half the
        // root of the count. Two of those to each side hold over 95 %.
        let reach = count.isqrt() + 1;
        let middle = count / 2;
        Some(Self {
            median: f64::midpoint(at((count - 1) / 2)?, at(middle)?),
            interval: [at(middle.saturating_sub(reach))?, at(middle + reach)?],
            range: [at(0)?, at(last)?],
        })
    }
}

/// All that was measured, asked by variant.
pub struct Figures(pub Vec<Measured>);

impl Figures {
    /// The samples of a variant; a native one is the same for all switches.
    fn samples(&self, variant: Variant) -> &[f64] {
        let switches = if variant.place == Place::Native { Switches::NEITHER } else { variant.switches };
        let variant = Variant { switches, ..variant };
        self.0.iter().find(|one| one.variant == variant).map_or(&[], |one| &one.samples)
    }

    /// Nanoseconds a call.
    pub fn figure(&self, shape: Shape, rows: u32, place: Place, switches: Switches) -> Option<Figure> {
        Figure::of(self.samples(Variant { shape, rows, place, switches }).iter().copied())
    }

    /// A variant against another: of samples of the same round.
    pub fn pairs(&self, of: Variant, to: Variant, pair: impl Fn(f64, f64) -> f64) -> Option<Figure> {
        let pairs = self.samples(of).iter().zip(self.samples(to));
        Figure::of(pairs.map(|(&of, &to)| pair(of, to)))
    }
}
