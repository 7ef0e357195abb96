//! Attacks on memory, tables, stacks, and on the bytes that cross into the host.

use super::{Case, Group, Seen};

pub(super) const CASES: &[Case] = &[];
