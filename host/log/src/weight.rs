//! What a program may do in one straight line. SQLite looks whether it may go on where a program jumps back, and a text
//! of 16 KiB makes some ten thousand instructions between two such jumps. Each of them copies, compares, converts or
//! keeps one value or row, so that what they take together is bounded by their number times the longest value: the
//! longer a program is, the shorter are the values that it may deal with, bound ones, stored ones and those that it
//! makes itself.

/// Bytes that all instructions of a program may work on together. The slowest, an insertion into an index of keys that
/// differ in their last bytes only, takes 7 ns a byte; a comparison without regard to case 2; a copy 0.2.
const WEIGHT: u64 = 4 << 20;

/// What a comparison with a pattern weighs: up to `PATTERN_BYTES` steps a byte.
const PATTERN: u64 = 20;

/// Instructions that take as long whatever the length of a value: they move what is in registers and cursors, or do
/// arithmetic on what can only be a number there.
const LIGHT: &[&str] = &[
    "AddImm",
    "AggFinal",
    "AggValue",
    "BeginSubrtn",
    "Blob",
    "Close",
    "ClrSubtype",
    "CollSeq",
    "ColumnsUsed",
    "DecrJumpZero",
    "DeferredSeek",
    "ElseEq",
    "EndCoroutine",
    "Expire",
    "Explain",
    "FinishSeek",
    "Gosub",
    "Goto",
    "Halt",
    "IdxRowid",
    "IfNoHope",
    "IfNotOpen",
    "IfNotZero",
    "IfNullRow",
    "IfPos",
    "IfSizeBetween",
    "Init",
    "InitCoroutine",
    "Int64",
    "IntCopy",
    "Integer",
    "IsNull",
    "Jump",
    "Last",
    "Move",
    "Next",
    "Noop",
    "NotNull",
    "Null",
    "NullRow",
    "OffsetLimit",
    "Once",
    "OpenAutoindex",
    "OpenDup",
    "OpenEphemeral",
    "OpenPseudo",
    "OpenRead",
    "Permutation",
    "Prev",
    "Real",
    "ReleaseReg",
    "ResetSorter",
    "ResultRow",
    "Return",
    "Rewind",
    "Rowid",
    "SCopy",
    "SeekEnd",
    "SeekHit",
    "SeekScan",
    "Sequence",
    "SequenceTest",
    "SoftNull",
    "Sort",
    "SorterNext",
    "SorterOpen",
    "SorterSort",
    "String",
    "String8",
    "Transaction",
    "Variable",
    "Yield",
    "ZeroOrNull",
];

/// The weight of one program, as far as it was read.
#[derive(Default)]
pub(crate) struct Weight {
    heavy: u64,
    /// Calls of subroutines: any of them may run all that is heavy.
    routines: u64,
}

impl Weight {
    /// Adds an instruction.
    pub(crate) fn add(&mut self, opcode: &str) {
        self.routines += u64::from(opcode == "Gosub");
        self.heavy += u64::from(!LIGHT.contains(&opcode));
    }

    /// The instruction that was added compares with a pattern.
    pub(crate) fn add_pattern(&mut self) {
        self.heavy += PATTERN - 1;
    }

    /// How long a value may be that the program deals with.
    pub(crate) fn longest_value(&self) -> u64 {
        WEIGHT / (self.heavy * (1 + self.routines)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(heavy: u64, routines: u64) -> u64 {
        let mut weight = Weight::default();
        (0..heavy).for_each(|_| weight.add("Concat"));
        (0..routines).for_each(|_| weight.add("Gosub"));
        weight.add("Next");
        weight.longest_value()
    }

    #[test]
    fn the_longer_a_program_the_shorter_its_values() {
        assert_eq!(longest(0, 0), WEIGHT);
        assert_eq!(longest(1_000, 0), WEIGHT / 1_000);
        // A subroutine's instructions may run at each of its calls.
        assert_eq!(longest(1_000, 3), WEIGHT / 4_000);
        let mut weight = Weight::default();
        weight.add("Function");
        weight.add_pattern();
        assert_eq!(weight.longest_value(), WEIGHT / PATTERN);
    }

    #[test]
    fn the_light_instructions_stand_in_order_and_once() {
        assert!(LIGHT.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
