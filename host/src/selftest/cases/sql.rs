//! Attacks by statements: what the gate denies, and what a budget ends.

use super::{Case, Group, Seen};

pub(super) const CASES: &[Case] = &[];
