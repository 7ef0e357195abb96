//! The gate on SQL: any text, as a strategy's in a page and in a refresh.
//!
//! There are two worlds whose logs differ in nothing but the columns that are not granted. Whatever
//! a text does, it must fare alike in both: otherwise it has read what it may not. And nothing that
//! lies on the disk may change.

mod world;

use std::cell::OnceCell;

use keyhole_log::error::Error;
use keyhole_log::session::Session;
use keyhole_log::value::Value;

use crate::signals;
use world::World;

/// Between the statement and its parameters stands a byte that no UTF-8 text holds.
const SEPARATOR: u8 = 0xff;

/// Any bytes as a statement and its parameters.
pub fn target(data: &[u8]) {
    thread_local! {
        static WORLDS: [OnceCell<World>; 2] = const { [const { OnceCell::new() }; 2] };
    }
    let mut pieces = data.split(|&byte| byte == SEPARATOR);
    let Some(Ok(sql)) = pieces.next().map(std::str::from_utf8) else { return };
    let params: Vec<Value> = pieces.take(8).map(param).collect();
    WORLDS.with(|[one, other]| {
        let one = one.get_or_init(|| World::new("left", 1)).run(sql, &params);
        let other = other.get_or_init(|| World::new("right", 2)).run(sql, &params);
        for (one, other) in one.iter().zip(&other) {
            if !one.out_of_time && !other.out_of_time {
                assert_eq!(one.said, other.said, "it depends on what is not granted: {sql}");
            }
        }
    });
}

fn param(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok("") => Value::Null,
        Ok(text) => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer),
        Err(_) => Value::Blob(bytes.to_owned()),
    }
}

/// What came of one call.
pub(crate) struct Outcome {
    said: String,
    out_of_time: bool,
}

impl Outcome {
    fn of(session: &Session, answer: Result<String, Error>) -> Self {
        match answer {
            Ok(said) => {
                signals::saw(("answer", said.len().ilog2_or_zero()));
                for statement in session.ledger.statements() {
                    signals::saw(("steps", statement.vm_steps.ilog2_or_zero()));
                    signals::saw(("sorts", statement.sorts, statement.automatic_indexes));
                }
                Self { said, out_of_time: false }
            }
            Err(error) => {
                let known = matches!(
                    error,
                    Error::Denied { .. }
                        | Error::Budget { .. }
                        | Error::Sql { .. }
                        | Error::ScratchFull { .. }
                );
                assert!(known, "a text alone brought about: {error:?}");
                let out_of_time = matches!(error, Error::Budget { limit: "wall_time" | "log_lock", .. });
                let said = error.to_string();
                // What SQLite says, without the names that it quotes from the text.
                let words = said.split([':', '"', '\'']).next().unwrap_or_default().to_owned();
                signals::saw((error.code(), words, said.split_whitespace().nth(6).map(str::len)));
                if let Error::Denied { rule, object } = &error {
                    signals::saw((*rule, object.get(..12)));
                }
                Self { said, out_of_time }
            }
        }
    }
}

/// The number of binary digits: a size, roughly.
trait Rough {
    fn ilog2_or_zero(self) -> u32;
}

impl Rough for u64 {
    fn ilog2_or_zero(self) -> u32 {
        self.checked_ilog2().unwrap_or(0)
    }
}

impl Rough for usize {
    fn ilog2_or_zero(self) -> u32 {
        self.checked_ilog2().unwrap_or(0)
    }
}
