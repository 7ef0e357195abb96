//! A page: what is asked, what is answered, how the answer is checked and rendered.

pub mod answer;
pub mod check;
pub mod cursor;
#[cfg(test)]
mod lies;
pub mod parse;
pub mod render;
pub mod request;

pub use answer::{Event, Page, Pager, Span};
pub use cursor::Cursors;
pub use request::{Filter, Key, PageRequest, Position};
