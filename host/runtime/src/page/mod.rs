//! A page: what is asked, what is answered, how the answer is checked and rendered.

pub mod check;
pub mod cursor;
mod judge;
pub mod parse;
pub mod render;
pub mod run;

#[cfg(test)]
mod tests;

pub use cursor::Cursors;
pub use run::Worker;
