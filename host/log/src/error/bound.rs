//! Which bound on scratch was reached.

use std::fmt;

/// A bound on the disk that scratch may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// One strategy's quota, in bytes.
    Quota(u64),
    /// The total of all strategies, in bytes.
    Total {
        /// The total.
        total: u64,
        /// What the others have that could not be let go.
        others: u64,
    },
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quota(quota) => write!(formatter, "its quota of {quota} bytes"),
            Self::Total { total, others } => write!(
                formatter,
                "scratch.total, {total} bytes for all strategies together, of which others that are in use have {others}"
            ),
        }
    }
}
