//! The honest index that the behaviours then falsify: a copy of the keys, ordered by time.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::log::{self, Event};
use crate::bindings::keyhole::strategy::scratch;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest, Position, Value};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS scratch.keys (id INTEGER PRIMARY KEY, \
     created_at INTEGER NOT NULL, actor_id INTEGER NOT NULL, action TEXT NOT NULL)";
const INDEX: &str = "CREATE INDEX IF NOT EXISTS scratch.keys_by_time ON keys (created_at)";
const TAKE_IN: &str = "INSERT INTO scratch.keys SELECT id, created_at, actor_id, action FROM feed.events \
     WHERE id > (SELECT coalesce(max(id), 0) FROM scratch.keys) AND id <= ?";

/// What the tables cover, and behind it the tail that only the log has.
const EVENTS: &str = "(SELECT id, created_at, actor_id, action FROM scratch.keys UNION ALL \
     SELECT id, created_at, actor_id, action FROM log.audit_events NOT INDEXED \
     WHERE id > (SELECT coalesce(max(id), 0) FROM scratch.keys))";

/// Takes everything in, in one slice.
pub(crate) fn refresh(through: i64) -> Result<Progress, Error> {
    scratch::execute(TABLE, &[])?;
    scratch::execute(INDEX, &[])?;
    scratch::execute(TAKE_IN, &[Value::Integer(through)])?;
    Ok(Progress { covered: through, done: true })
}

/// The page that answers the request.
pub(crate) fn page(request: &PageRequest) -> Result<Vec<Event>, Error> {
    let filter = &request.filter;
    let mut conditions = String::from("id <= ? AND created_at >= ? AND created_at <= ?");
    let up_to = request.up_to.unwrap_or(i64::MAX);
    let mut params: Vec<Value> = [up_to, filter.from_ts, filter.to_ts].map(Value::Integer).into();
    if let Some(actor_id) = filter.actor_id {
        conditions.push_str(" AND actor_id = ?");
        params.push(Value::Integer(actor_id));
    }
    if let Some(action) = &filter.action {
        conditions.push_str(" AND action = ?");
        params.push(Value::Text(action.clone()));
    }
    let offset = match request.position {
        Position::Page(page) => page.saturating_sub(1).saturating_mul(request.page_size.into()),
        Position::After(key) => {
            conditions.push_str(" AND (created_at, id) < (?, ?)");
            params.extend([key.created_at, key.id].map(Value::Integer));
            0
        }
    };
    params.push(Value::Integer(request.page_size.into()));
    params.push(Value::Integer(i64::try_from(offset).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT id FROM {EVENTS} WHERE {conditions} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    );
    log::select(&sql, &params)
}
