//! What it costs to cross between host and strategy: a call, and rows in several shapes.
//!
//! A crossing is a shape at a size. It is played in the host alone (native), in an instance that is kept (warm), and
//! in one that is made for the call (fresh), each on an engine with epochs and fuel on or off. Every call's sum is
//! compared with what it must be: a benchmark of wrong answers does not finish. `bench.rs` measures.

use std::fmt;

pub mod rows;

pub mod side;

/// How many rows a call asks for.
pub const SIZES: [u32; 4] = [1, 10, 100, 1_000];

/// What crosses in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: the call alone.
    Call,
    /// A list of records of three numbers and three texts.
    Records,
    /// A list of records of three numbers.
    Numbers,
    /// The rows of `Records` in one list of bytes.
    Packed,
    /// A list of handles; then a call for each row's id, and one that drops the handle.
    Handles,
    /// A list of handles; then a call for each of a row's six fields, and one that drops the handle: what `Records`
    /// brings in one call.
    Fields,
    /// A list of handles that goes back as it came.
    Claims,
}

/// A shape at a size.
#[derive(Clone, Copy, Debug)]
pub struct Crossing {
    /// What crosses.
    pub shape: Shape,
    /// How many rows.
    pub rows: u32,
}

impl Crossing {
    /// Every shape at every size that brings rows.
    pub fn of_rows() -> impl Iterator<Item = Self> {
        use Shape::{Claims, Fields, Handles, Numbers, Packed, Records};
        let shapes = [Records, Numbers, Packed, Handles, Fields, Claims].into_iter();
        shapes.flat_map(|shape| SIZES.map(|rows| Self { shape, rows }))
    }

    /// The same, and the call that brings none.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self { shape: Shape::Call, rows: 0 }].into_iter().chain(Self::of_rows())
    }

    /// Passes a sum on that is right.
    pub fn checked(self, sum: wasmtime::Result<i64>, right: i64) -> wasmtime::Result<i64> {
        let sum = sum.map_err(|error| error.context(self.to_string()))?;
        if sum == right {
            return Ok(sum);
        }
        Err(wasmtime::Error::msg(format!(
            "{self}: the ids' sum is {right}, but {sum} came back: rows were lost or changed on the way"
        )))
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", format!("{:?}", self.shape).to_lowercase(), self.rows)
    }
}
