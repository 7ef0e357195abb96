//! An input read piece by piece. Past its end it reads zeros, so that every input means something.

/// The rest of an input.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// The next eight bytes as a number.
    pub(crate) fn number(&mut self) -> i64 {
        (0..8).fold(0, |number, _| (number << 8) | i64::from(self.byte()))
    }
}
