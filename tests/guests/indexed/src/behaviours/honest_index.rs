//! Right at all times: the measure of the others.

pub(crate) use crate::index::{page, refresh};
