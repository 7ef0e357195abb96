//! What a page request is, and the page that answers it.

mod page;
mod request;

pub use crate::key::Key;
pub use page::{Event, Page, Pager, Span};
pub(crate) use page::{Row, span_at};
pub use request::{Filter, PageRequest, Position};
