//! `native-baseline`: the frozen strategy's own statement and decoding, run without a sandbox.

use guest_baseline::payload::decode;
use guest_baseline::plan::{self, Param};

use keyhole_log::error::Error;
use keyhole_log::model::{PageRequest, Position};
use keyhole_log::session::Session;
use keyhole_log::value::Value;

/// Answers a request as `guest-baseline` does: the events' handles, each payload read and decoded.
pub fn page(session: &mut Session, request: &PageRequest) -> Result<Vec<u32>, Error> {
    let plan = plan::plan(&plan::Request {
        from_ts: request.filter.from_ts,
        to_ts: request.filter.to_ts,
        actor_id: request.filter.actor_id,
        action: request.filter.action.as_deref(),
        position: match request.position {
            Position::Page(page) => plan::Position::Page(page),
            Position::After(key) => plan::Position::After { created_at: key.created_at, id: key.id },
        },
        page_size: request.page_size,
        up_to: request.up_to,
    });
    let params: Vec<Value> = plan
        .params
        .iter()
        .map(|param| match *param {
            Param::Integer(integer) => Value::Integer(integer),
            Param::Text(text) => Value::Text(text.to_owned()),
        })
        .collect();
    let events = session.select(&plan.sql, &params)?;
    for &event in &events {
        let id = session.claimed(event).ok_or(Error::BadHandle { what: "a handle of another call" })?;
        // As the frozen strategy does, but for what it would make of a failure: the host has checked the line by all of
        // RFC 8259, and the frozen decoder knows less, no number beyond a double's range and no half of a surrogate pair.
        std::hint::black_box(decode(session.payload(id)?));
    }
    Ok(events)
}
