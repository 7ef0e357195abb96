//! The gate on SQL: what a strategy may send, what is refused, and how soon a statement is cut.

mod actions;
mod cancel;
mod full_text;
mod lists;
mod runaway;
mod stage;
mod texts;
