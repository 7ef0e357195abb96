//! The kinds of lies that a page betrays.

/// What a strategy answered wrongly, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lie {
    /// An id that names no event of the snapshot, or one beyond the request's bound.
    InventedId,
    /// An event twice.
    RepeatedEvent,
    /// Two events in the wrong order.
    SwappedNeighbours,
    /// Two events of the same second in the wrong order.
    WrongTieOrder,
    /// An event whose time lies outside the window.
    OutsideWindow,
    /// Another actor's event.
    WrongActor,
    /// An event of another action.
    WrongAction,
    /// More events than were asked for.
    OneTooMany,
    /// An event is left out between two that are shown.
    DroppedEvent,
    /// The page ends although more events match.
    EarlyEnd,
    /// The page after the one that was asked for, or another one.
    NextPageInstead,
    /// The page as it was at an earlier high-water.
    StalePage,
}

impl Lie {
    /// The kind's name, as in `lie:dropped-event`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InventedId => "invented-id",
            Self::RepeatedEvent => "repeated-event",
            Self::SwappedNeighbours => "swapped-neighbours",
            Self::WrongTieOrder => "wrong-tie-order",
            Self::OutsideWindow => "outside-window",
            Self::WrongActor => "wrong-actor",
            Self::WrongAction => "wrong-action",
            Self::OneTooMany => "one-too-many",
            Self::DroppedEvent => "dropped-event",
            Self::EarlyEnd => "early-end",
            Self::NextPageInstead => "next-page-instead",
            Self::StalePage => "stale-page",
        }
    }
}
