//! Right by itself. What is hostile here is the file: the tables that it made for another log are put
//! where those for this one belong.

pub(crate) use crate::index::{page, refresh};
