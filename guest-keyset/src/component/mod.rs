//! The guest: the strategy's traits over the imports of the world `indexed-strategy`.

mod arena;
mod bindings;

use std::panic;
use std::sync::Once;

use self::bindings::exports::keyhole::strategy::indexing::{self, Progress};
use self::bindings::exports::keyhole::strategy::paging;
use self::bindings::keyhole::strategy::log::{self, Event};
use self::bindings::keyhole::strategy::types::{self, Error, Value};
use self::bindings::keyhole::strategy::{diagnostics, scratch};
use crate::{Filter, Key, PageRequest, Param, Position, Reader, Rows, Writer};

struct Keyset;

impl paging::Guest for Keyset {
    fn page(request: types::PageRequest) -> Result<Vec<Event>, Error> {
        note_panics();
        let request = PageRequest {
            filter: Filter {
                from_ts: request.filter.from_ts,
                to_ts: request.filter.to_ts,
                actor_id: request.filter.actor_id,
                action: request.filter.action.as_deref(),
            },
            position: match request.position {
                types::Position::Page(number) => Position::Page(number),
                types::Position::After(key) => {
                    Position::After(Key { created_at: key.created_at, id: key.id })
                }
            },
            page_size: request.page_size,
            up_to: request.up_to,
        };
        crate::page(&mut Host, &request)
    }
}

impl indexing::Guest for Keyset {
    fn refresh(through: i64) -> Result<Progress, Error> {
        note_panics();
        let crate::Progress { covered, done } = crate::refresh(&mut Host, through)?;
        Ok(Progress { covered, done })
    }
}

/// A panic traps; this leaves word of why.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("panic");
            match panic.location() {
                Some(at) => {
                    diagnostics::note(&format!("{message} at {}:{}", at.file(), at.line()));
                }
                None => diagnostics::note(message),
            }
        }));
    });
}

/// Whoever runs this guest, as it shows itself in the imports.
struct Host;

impl Rows for log::Rows {
    fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    fn integer(&self, row: usize, column: usize) -> Option<i64> {
        match self.cells.get(row * self.columns.len() + column)? {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl Reader for Host {
    type Rows = log::Rows;
    type Event = Event;
    type Error = Error;

    fn high_water(&mut self) -> i64 {
        log::high_water()
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<log::Rows, Error> {
        log::query(sql, &values(params))
    }

    fn select(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Event>, Error> {
        log::select(sql, &values(params))
    }

    fn fetch(&mut self, ids: &[i64]) -> Result<Vec<Event>, Error> {
        log::fetch(ids)
    }

    fn broken(what: &str) -> Error {
        Error::Other(what.to_owned())
    }
}

impl Writer for Host {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
        scratch::execute(sql, &values(params))
    }

    fn execute_many(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
        scratch::execute_many(sql, &values(params))
    }
}

fn values(params: &[Param<'_>]) -> Vec<Value> {
    params
        .iter()
        .map(|param| match param {
            Param::Null => Value::Null,
            Param::Integer(value) => Value::Integer(*value),
            Param::Text(value) => Value::Text((*value).to_owned()),
        })
        .collect()
}
