//! `native-keyset`: the library that `guest-keyset` compiles in, over the host's own log module.

use guest_keyset::{
    Filter, Key, PageRequest as Request, Param, Position as Place, Progress, Reader, Rows, Writer,
};

use keyhole_log::error::Error;
use keyhole_log::model::{PageRequest, Position};
use keyhole_log::session::Session;
use keyhole_log::value::{Rows as LogRows, Value};

/// Answers a request as `guest-keyset` does: the events' handles.
pub fn page(session: &mut Session, request: &PageRequest) -> Result<Vec<u32>, Error> {
    let filter = &request.filter;
    let request = Request {
        filter: Filter {
            from_ts: filter.from_ts,
            to_ts: filter.to_ts,
            actor_id: filter.actor_id,
            action: filter.action.as_deref(),
        },
        position: match request.position {
            Position::Page(page) => Place::Page(page),
            Position::After(key) => Place::After(Key { created_at: key.created_at, id: key.id }),
        },
        page_size: request.page_size,
        up_to: request.up_to,
    };
    guest_keyset::page(&mut Native(session), &request)
}

/// One slice of a refresh, as `guest-keyset` does it.
pub fn refresh(session: &mut Session, through: i64) -> Result<Progress, Error> {
    guest_keyset::refresh(&mut Native(session), through)
}

struct Native<'a>(&'a mut Session);

struct Cells(LogRows);

impl Rows for Cells {
    fn len(&self) -> usize {
        self.0.cells.len().checked_div(self.0.columns.len()).unwrap_or(0)
    }

    fn integer(&self, row: usize, column: usize) -> Option<i64> {
        let width = self.0.columns.len();
        match self.0.cells.get(row * width + column).filter(|_| column < width)? {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        }
    }
}

impl Reader for Native<'_> {
    type Rows = Cells;
    type Event = u32;
    type Error = Error;

    fn high_water(&mut self) -> i64 {
        self.0.high_water()
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Cells, Error> {
        self.0.query(sql, &values(params)).map(Cells)
    }

    fn select(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<u32>, Error> {
        self.0.select(sql, &values(params))
    }

    fn fetch(&mut self, ids: &[i64]) -> Result<Vec<u32>, Error> {
        self.0.fetch(ids)
    }

    fn broken(what: &str) -> Error {
        Error::GaveUp { what: what.to_owned() }
    }
}

impl Writer for Native<'_> {
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
        self.0.execute(sql, &values(params))
    }

    fn execute_many(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Error> {
        self.0.execute_many(sql, &values(params))
    }
}

fn values(params: &[Param<'_>]) -> Vec<Value> {
    params
        .iter()
        .map(|param| match *param {
            Param::Null => Value::Null,
            Param::Integer(integer) => Value::Integer(integer),
            Param::Text(text) => Value::Text(text.to_owned()),
        })
        .collect()
}
