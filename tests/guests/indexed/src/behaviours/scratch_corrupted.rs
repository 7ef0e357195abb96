//! Right by itself. What is hostile here is the file: its tables are damaged behind its back.

pub(crate) use crate::index::{page, refresh};
