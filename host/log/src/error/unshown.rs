//! Errors that name an event: which, and how a walk goes on past it.

use super::Error;
use crate::key::Key;

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFault {
    /// Its span is not one whole line of the file.
    Place,
    /// Its line is whole, and no JSON.
    NotJson,
    /// Its line is JSON, beyond what the strategy's own decoder takes.
    Decoder,
}

/// Where on a page an event stands that could not be shown, and how a walk goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshown {
    /// The event.
    pub event: i64,
    /// Events of the page before it. They can be shown.
    pub before: u32,
    /// The key that those follow: asked for after it, as many as `before` are just they.
    pub start: Key,
    /// The key that the walk goes on after.
    pub after: Key,
    /// The largest id that the walk shows.
    pub up_to: i64,
    /// The same as cursors, once they are minted.
    pub way_on: Option<WayOn>,
}

/// Cursors by which a collector goes on past an event that cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOn {
    /// Where the events of the page before it begin.
    pub start: String,
    /// Where the walk goes on.
    pub next: String,
}

impl Error {
    /// The event that cannot be shown, if that is the error, and the key that a walk goes on after, where it is known.
    pub fn event(&self) -> Option<(i64, Option<Key>)> {
        match self {
            Self::PayloadCorrupt { id, after, .. } | Self::PayloadTooLarge { id, after, .. } => {
                Some((*id, *after))
            }
            Self::BadCell { event, after, .. } => Some((*event, *after)),
            Self::Unshown { place, .. } => Some((place.event, Some(place.after))),
            Self::During { source, .. } | Self::Ungranted { source, .. } => source.event(),
            Self::Repeated { source, .. } => source.event(),
            _ => None,
        }
    }

    /// The event that no request can show, if that is the error: not one that only did not fit beside those before it.
    pub fn hidden(&self) -> Option<i64> {
        match self {
            Self::PayloadTooLarge { read: 1.., .. } => None,
            Self::Unshown { source, .. } | Self::During { source, .. } | Self::Ungranted { source, .. } => {
                source.hidden()
            }
            Self::Repeated { source, .. } => source.hidden(),
            error => error.event().map(|(id, _)| id),
        }
    }

    /// Where on its page the event stands that cannot be shown, where that is known.
    pub fn unshown(&self) -> Option<&Unshown> {
        match self {
            Self::Unshown { place, .. } => Some(place),
            Self::During { source, .. } | Self::Ungranted { source, .. } => source.unshown(),
            Self::Repeated { source, .. } => source.unshown(),
            _ => None,
        }
    }

    /// The same error, with the key of the event that cannot be shown. A walk goes on past the event; or with it, where
    /// it only did not fit beside those before it.
    #[must_use]
    pub fn at(mut self, key: Key) -> Self {
        match &mut self {
            Self::PayloadCorrupt { after, .. } => *after = Some(key),
            Self::PayloadTooLarge { read, after, .. } => {
                *after = Some(if *read > 0 { key.just_before() } else { key });
            }
            _ => {}
        }
        self
    }

    /// The same error, with the place of its event on the page.
    #[must_use]
    pub fn placed(self, place: Unshown) -> Self {
        Self::Unshown { place: Box::new(place), source: Box::new(self) }
    }

    /// The same error, without the place of its event on the page: for whoever only asks what is wrong.
    #[must_use]
    pub fn unplaced(self) -> Self {
        match self {
            Self::Unshown { source, .. } => *source,
            other => other,
        }
    }

    /// The same error, with cursors for the way on, where it names an event that has a place.
    #[must_use]
    pub fn with_way_on(mut self, mint: impl FnOnce(&Unshown) -> WayOn) -> Self {
        if let Self::Unshown { place, .. } = &mut self {
            place.way_on = Some(mint(place));
        }
        self
    }
}

/// What a payload that is too large says.
pub(super) fn too_large(id: i64, len: u64, read: u64, allowed: u64) -> String {
    if read == 0 {
        return format!("the payload of event {id} has {len} bytes, and a request may read {allowed}");
    }
    format!(
        "with the payload of event {id}, {len} bytes after {read} of the page's events before it, the page has more \
         than the {allowed} bytes that a request may read"
    )
}
