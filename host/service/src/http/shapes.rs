//! The shape of a page, for the description of the interface alone: pages are rendered from the host's own rows.
#![expect(dead_code, reason = "described, never made")]

use utoipa::ToSchema;

/// A page of events.
#[derive(ToSchema)]
pub(super) struct Page {
    query: Query,
    /// Newest first: by `created_at`, then by `id`.
    events: Vec<Event>,
    /// How many events.
    count: u64,
    /// The cursor of the next page; null where this page is not full, and so is the last.
    #[schema(required)]
    next: Option<String>,
}

/// What was asked.
#[derive(ToSchema)]
struct Query {
    from_ts: i64,
    to_ts: i64,
    #[schema(required)]
    actor_id: Option<i64>,
    #[schema(required)]
    action: Option<String>,
    /// The page's number, where one was asked for.
    #[schema(nullable = false, minimum = 1)]
    page: Option<u64>,
    /// The key that the page begins after, where a cursor was given: `created_at` and `id`.
    #[schema(nullable = false)]
    after_key: Option<Vec<i64>>,
    #[schema(minimum = 1, maximum = 1000)]
    page_size: u32,
    /// The largest id that the walk shows.
    #[schema(nullable = false)]
    up_to: Option<i64>,
}

/// One event.
#[derive(ToSchema)]
struct Event {
    id: i64,
    /// Unix seconds.
    created_at: i64,
    actor_id: i64,
    action: String,
    resource_type: String,
    resource_id: String,
    /// The payload, as its line stands in the file.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
}

/// Whether the service lives, or is ready.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok` or `ready`.
    pub(super) status: &'static str,
}
