//! `CPython`'s `random.Random(seed)`: the generator that the contract's data set is drawn from.

use rand_mt::Mt;

/// `random.Random(seed)`, draw for draw.
#[derive(Clone, Debug)]
pub struct Random {
    words: Mt,
}

impl Random {
    /// A generator as `random.Random(seed)` makes it.
    pub fn new(seed: u64) -> Self {
        // CPython seeds with the integer's 32-bit words, the low one first, without leading zeros.
        let (low, high) = (low_word(seed), low_word(seed >> 32));
        let words = if high == 0 { Mt::new_with_key([low]) } else { Mt::new_with_key([low, high]) };
        Self { words }
    }

    /// `getrandbits(bits)`: a number below two to the power of `bits`, which is at most 64.
    pub fn getrandbits(&mut self, bits: u32) -> u64 {
        match bits {
            0 => 0,
            1..=32 => u64::from(self.words.next_u32() >> (32 - bits)),
            _ => {
                let low = u64::from(self.words.next_u32());
                let high = u64::from(self.words.next_u32() >> (64 - bits.min(64)));
                high << 32 | low
            }
        }
    }

    /// A number below `n`, each equally likely; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let bits = u64::BITS - n.leading_zeros();
        loop {
            let drawn = self.getrandbits(bits);
            if drawn < n || n == 0 {
                return drawn;
            }
        }
    }

    /// `randint(low, high)`: a number from `low` to `high`, both inclusive. The largest number is
    /// never drawn where the two span all 64 bits.
    pub fn randint(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add_unsigned(self.below(high.abs_diff(low).saturating_add(1)))
    }

    /// `choice(items)`: one of them. Panics if there is none, as indexing does.
    pub fn choice<'items, T>(&mut self, items: &'items [T]) -> &'items T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap_or_default()]
    }
}

fn low_word(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// Every figure here was printed by `CPython` 3.11.
#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn getrandbits_equals_cpython_for_seeds_of_one_and_two_words() {
        let printed: [(u64, [u64; 6]); 5] = [
            (0, [1, 49, 1_627_694_678, 3_823_568_514, 1_806_341_205, 17_809_683_713_383_489_082]),
            (1337, [1, 118, 1_145_179_090, 3_048_911_309, 5_866_274_047, 13_501_076_693_576_984_818]),
            (
                u64::from(u32::MAX),
                [1, 79, 436_368_544, 924_893_097, 6_903_586_996, 11_124_323_167_451_281_159],
            ),
            (1 << 32, [0, 44, 897_280_643, 4_014_597_330, 71_624_475, 16_161_065_642_225_157_897]),
            (u64::MAX, [0, 31, 726_054_176, 2_657_516_307, 910_393_425, 1_752_763_915_482_752_451]),
        ];
        for (seed, expected) in printed {
            let mut random = Random::new(seed);
            let drawn = [1, 7, 31, 32, 33, 64].map(|bits| random.getrandbits(bits));
            assert_eq!(drawn, expected, "seed {seed}");
        }
    }

    #[test]
    fn randint_and_choice_equal_cpython() {
        let mut random = Random::new(1337);
        assert_eq!([0; 3].map(|_| random.randint(0, 2_592_000)), [2_591_043, 2_236_677, 1_534_479]);
        assert_eq!([0; 4].map(|_| random.randint(1, 2000)), [1170, 1200, 1499, 340]);
        let letters = [0; 8].map(|_| *random.choice(b"abcde"));
        assert_eq!(&letters, b"cdccdbca");
        assert_eq!([0; 6].map(|_| random.randint(-5, 5)), [1, 5, 1, -4, 3, 5]);
        assert_eq!([0; 2].map(|_| random.randint(0, 1 << 40)), [886_496_658_233, 686_336_053_647]);
        assert_eq!(random.below(1), 0);
        assert_eq!(random.randint(0, 255), 180);
    }

    #[test]
    fn a_draw_below_nothing_ends() {
        assert_eq!(Random::new(1).below(0), 0);
    }

    #[test]
    fn randint_takes_the_extremes_of_64_bits() {
        let mut random = Random::new(1);
        random.randint(i64::MIN, i64::MAX);
        assert_eq!(random.randint(i64::MAX, i64::MAX), i64::MAX);
        assert_eq!(random.randint(i64::MIN, i64::MIN), i64::MIN);
    }
}
