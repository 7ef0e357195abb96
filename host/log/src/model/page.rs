//! A checked page: the host's own rows and payloads, in a few buffers that the page owns.

use super::{Key, PageRequest};
use crate::error::{Error, Unshown};
use crate::ledger::Phases;

/// Anything that answers page requests: a strategy on a worker, or a native twin.
pub trait Pager: Send {
    /// Answers one request with a checked page.
    fn page(&mut self, request: &PageRequest) -> Result<Page, Error>;

    /// Where the last request's time went, if that is kept.
    fn phases(&self) -> Option<Phases> {
        None
    }
}

/// A piece of one of the page's buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// How many bytes.
    pub len: u32,
}

impl Span {
    fn of(self, text: &str) -> &str {
        let start = self.start as usize;
        text.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// One event's columns; text and payload lie in the page's buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) created_at: i64,
    pub(crate) actor_id: i64,
    pub(crate) action: Span,
    pub(crate) resource_type: Span,
    pub(crate) resource_id: Span,
    pub(crate) payload_offset: i64,
    pub(crate) payload_len: i64,
    pub(crate) payload: Span,
}

/// The answer to one request.
#[derive(Clone, Debug)]
pub struct Page {
    /// The request that it answers.
    pub request: PageRequest,
    /// The largest id of the snapshot that it was taken from; 0 where the log was empty.
    pub high_water: i64,
    /// Whether the host saw that nothing is left out between the page's ends. Where false, that is
    /// left to the comparison with a trusted reference.
    pub proved: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) text: String,
    pub(crate) payloads: Vec<u8>,
}

/// One event of a page, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'page> {
    /// The event's number.
    pub id: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Who did it.
    pub actor_id: i64,
    /// What was done.
    pub action: &'page str,
    /// To what kind of thing.
    pub resource_type: &'page str,
    /// To which thing.
    pub resource_id: &'page str,
    /// The payload line as it stands in the file, newline included.
    pub payload: &'page [u8],
}

impl Event<'_> {
    /// The event's place in the order.
    pub fn key(&self) -> Key {
        Key { created_at: self.created_at, id: self.id }
    }
}

impl Page {
    /// A page without events.
    pub fn empty(request: PageRequest, high_water: i64) -> Self {
        Self {
            request,
            high_water,
            proved: false,
            rows: Vec::new(),
            text: String::new(),
            payloads: Vec::new(),
        }
    }

    /// Takes the events off again.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
    }

    /// Appends a copy of an event: for pages that are put together outside the log.
    pub fn push(&mut self, event: Event<'_>) {
        let mut text = |piece: &str| {
            let span = span_at(self.text.len(), piece.len());
            self.text.push_str(piece);
            span
        };
        let row = Row {
            id: event.id,
            created_at: event.created_at,
            actor_id: event.actor_id,
            action: text(event.action),
            resource_type: text(event.resource_type),
            resource_id: text(event.resource_id),
            payload_offset: 0,
            payload_len: 0,
            payload: span_at(self.payloads.len(), event.payload.len()),
        };
        self.payloads.extend_from_slice(event.payload);
        self.rows.push(row);
    }

    /// Makes room for as many events.
    pub fn reserve(&mut self, events: usize) {
        self.rows.reserve(events);
    }

    /// The events' numbers in order.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = i64> {
        self.rows.iter().map(|row| row.id)
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of its events' payloads.
    pub fn payload_bytes(&self) -> u64 {
        self.payloads.len() as u64
    }

    /// Bytes of its events' text columns.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether it is full: there is a next page if and only if it is.
    pub fn is_full(&self) -> bool {
        self.rows.len() == self.request.page_size as usize
    }

    /// The events in order.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> + DoubleEndedIterator {
        self.rows.iter().map(|row| self.event(row))
    }

    /// The event at this place of the page, from 0.
    pub fn get(&self, place: usize) -> Option<Event<'_>> {
        self.rows.get(place).map(|row| self.event(row))
    }

    /// The key of the last event, where the next page starts.
    pub fn last_key(&self) -> Option<Key> {
        self.rows.last().map(|row| Key { created_at: row.created_at, id: row.id })
    }

    /// The error of the event at this place of the page, which cannot be shown, with its place. `error` may name an event
    /// that is not on the page yet: then this is the place where it would stand.
    #[must_use]
    pub fn unshown(&self, place: usize, error: Error) -> Error {
        let key = |row: &Row| Key { created_at: row.created_at, id: row.id };
        let error = match self.rows.get(place) {
            Some(row) => error.at(key(row)),
            None => error,
        };
        let Some((event, Some(after))) = error.event() else { return error };
        error.placed(Unshown {
            event,
            before: u32::try_from(place).unwrap_or(u32::MAX),
            start: self.rows.first().map_or(after, |row| key(row).just_before()),
            after,
            up_to: self.request.up_to.unwrap_or(self.high_water),
            way_on: None,
        })
    }

    /// The error of the first event whose payload is more than so many bytes, alone or with those of the page before it;
    /// None where all of them are fewer.
    pub fn too_large(&self, allowed: u64) -> Option<Error> {
        let mut read = 0_u64;
        for (row, place) in self.rows.iter().zip(0..) {
            let len = u64::try_from(row.payload_len).unwrap_or_default();
            if read.saturating_add(len) > allowed {
                let read = if len > allowed { 0 } else { read };
                let error = Error::PayloadTooLarge { id: row.id, len, read, allowed, after: None };
                return Some(self.unshown(place, error));
            }
            read += len;
        }
        None
    }

    fn event(&self, row: &Row) -> Event<'_> {
        let start = row.payload.start as usize;
        Event {
            id: row.id,
            created_at: row.created_at,
            actor_id: row.actor_id,
            action: row.action.of(&self.text),
            resource_type: row.resource_type.of(&self.text),
            resource_id: row.resource_id.of(&self.text),
            payload: self.payloads.get(start..start + row.payload.len as usize).unwrap_or_default(),
        }
    }
}

/// A span in a buffer of a page. Limits keep a page's buffers far below 4 GiB; a span beyond that
/// would be cut to nothing rather than point elsewhere.
pub(crate) fn span_at(start: usize, len: usize) -> Span {
    match (u32::try_from(start), u32::try_from(len)) {
        (Ok(start), Ok(len)) => Span { start, len },
        _ => Span::default(),
    }
}
