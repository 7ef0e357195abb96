//! What a cell of the log holds, against what its column should hold.
//!
//! SQLite keeps any value in any column: a text where Unix seconds belong, bytes that are not UTF-8. Such a cell is
//! odd. An event that has one keeps its place in the order that SQLite gives it, and is never shown.

use std::cmp::Ordering;

use rusqlite::Row as SqlRow;
use rusqlite::types::ValueRef;

use crate::error::Error;
use crate::folder::COLUMNS;
use crate::model::{Filter, Key};
use crate::visible::visible;

/// Most characters of a text that are told of it.
const SHOWN: usize = 40;

/// What a strategy's feed holds for an actor that is no integer: a number that practically no request names. One that
/// does is answered by the reference.
pub const STAND_IN_ACTOR: i64 = -0x6b65_7968_6f6c_6521;

/// What a strategy's feed holds for a text that is none.
pub const STAND_IN_TEXT: &str = "\u{1}keyhole: not a text";

/// An odd cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddCell {
    /// Its column.
    pub column: &'static str,
    /// What it holds, in words, fit to be shown.
    pub found: String,
}

/// The first odd cell of a row of the contract's columns, in their order.
pub(crate) fn odd(row: &SqlRow<'_>) -> rusqlite::Result<Option<OddCell>> {
    for (place, column) in COLUMNS.into_iter().enumerate() {
        if let Some(found) = found(column, row.get_ref(place)?) {
            return Ok(Some(OddCell { column, found }));
        }
    }
    Ok(None)
}

/// The error of a page that holds a row with an odd cell; None where it has none. The row is of the contract's columns.
pub(crate) fn bad(row: &SqlRow<'_>) -> rusqlite::Result<Option<Error>> {
    let (id, time): (i64, _) = (row.get(0)?, row.get_ref(1)?);
    let error =
        |OddCell { column, found }| Error::BadCell { event: id, column, found, after: after(id, time) };
    Ok(odd(row)?.map(error))
}

/// What a cell holds, in words, where that is not what its column should hold.
fn found(column: &str, cell: ValueRef<'_>) -> Option<String> {
    let takes_integers = !matches!(column, "action" | "resource_type" | "resource_id");
    Some(match cell {
        ValueRef::Integer(id) if column == "id" && id < 1 => format!("{id}, and events are numbered from 1"),
        ValueRef::Integer(i64::MAX) if column == "id" => {
            format!("{}, the largest that there can be: no event could come after it", i64::MAX)
        }
        ValueRef::Integer(_) if takes_integers => return None,
        ValueRef::Integer(integer) => format!("integer {integer}"),
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Real(real) => format!("real {real:?}"),
        ValueRef::Blob(bytes) => format!("a BLOB of {} bytes", bytes.len()),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(_) if !takes_integers => return None,
            Ok(text) => {
                let head = visible(&text.chars().take(SHOWN).collect::<String>());
                let more = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
                format!("text '{head}{more}'")
            }
            Err(_) => "text that is not UTF-8".to_owned(),
        },
    })
}

/// The largest integer that is not above a real number, where that is one of 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "the bounds are those of an i64")]
fn floor(real: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    (-END..END).contains(&real).then(|| real.floor() as i64)
}

/// The place from which a walk goes on past an event: its key. An event at a real time lies between two seconds; the
/// walk goes on at the earlier one, past whatever else lies between the two.
pub(crate) fn after(id: i64, time: ValueRef<'_>) -> Option<Key> {
    match time {
        ValueRef::Integer(created_at) => Some(Key { created_at, id }),
        ValueRef::Real(real) => floor(real)
            .map(|second| Key { created_at: second, id: if real.fract() == 0.0 { id } else { i64::MAX } }),
        _ => None,
    }
}

/// How an event's place compares with a key, in SQLite's own order: numbers by value, whatever their type. None where
/// its time is no number: no window holds it.
pub(crate) fn compare(id: i64, time: ValueRef<'_>, key: Key) -> Option<Ordering> {
    let (second, past) = match time {
        ValueRef::Integer(second) => (second, false),
        ValueRef::Real(real) => match floor(real) {
            Some(second) => (second, real.fract() != 0.0),
            None => return Some(if real < 0.0 { Ordering::Less } else { Ordering::Greater }),
        },
        _ => return None,
    };
    Some(match second.cmp(&key.created_at) {
        Ordering::Equal if past => Ordering::Greater,
        Ordering::Equal => id.cmp(&key.id),
        other => other,
    })
}

/// Whether an event with these cells matches a filter's actor and action, as SQLite compares them.
pub(crate) fn matches(filter: &Filter, actor: ValueRef<'_>, action: ValueRef<'_>) -> bool {
    let is_actor = |wanted| whole(actor) == Some(wanted);
    let is_action = |wanted: &String| action == ValueRef::Text(wanted.as_bytes());
    filter.actor_id.is_none_or(is_actor) && filter.action.as_ref().is_none_or(is_action)
}

/// The integer that a cell holds.
pub(crate) fn integer(cell: ValueRef<'_>) -> Option<i64> {
    cell.as_i64().ok()
}

/// The integer that a cell is equal to.
fn whole(cell: ValueRef<'_>) -> Option<i64> {
    match cell {
        ValueRef::Integer(integer) => Some(integer),
        ValueRef::Real(real) if real.fract() == 0.0 => floor(real),
        _ => None,
    }
}

/// What a strategy's feed holds for a cell: the cell itself, or for an odd one a value of the column's type that keeps
/// the event's place. None for a time that no window can hold: then the event is not fed.
pub(crate) fn stand_in<'a>(column: &str, cell: ValueRef<'a>) -> Option<ValueRef<'a>> {
    Some(match (column, cell) {
        ("id", _) | ("created_at" | "payload_offset" | "payload_len", ValueRef::Integer(_)) => cell,
        ("created_at", ValueRef::Real(real)) => ValueRef::Integer(floor(real)?),
        ("created_at", _) => return None,
        ("actor_id", _) => ValueRef::Integer(whole(cell).unwrap_or(STAND_IN_ACTOR)),
        ("payload_offset" | "payload_len", _) => ValueRef::Integer(0),
        (_, ValueRef::Text(bytes)) if std::str::from_utf8(bytes).is_ok() => cell,
        _ => ValueRef::Text(STAND_IN_TEXT.as_bytes()),
    })
}

/// The second in which the feed has an event that lies, in the log, between that and the next.
pub(crate) fn second_of_stand_in(time: ValueRef<'_>) -> Option<i64> {
    match time {
        ValueRef::Real(real) if real.fract() != 0.0 => floor(real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rusqlite::Connection;

    use super::*;

    /// Cells of every kind, as SQL writes them.
    const CELLS: [&str; 14] = [
        "NULL",
        "5",
        "-1",
        "9223372036854775807",
        "5.5",
        "-5.5",
        "5.0",
        "1e300",
        "-1e300",
        "-9223372036854775808.0",
        "'5x'",
        "''",
        "x'0102'",
        "CAST(x'6cff' AS TEXT)",
    ];

    fn each(check: impl Fn(&Connection, &str, ValueRef<'_>)) {
        let connection = Connection::open_in_memory().unwrap();
        for literal in CELLS {
            let mut statement = connection.prepare(&format!("SELECT {literal}")).unwrap();
            let mut rows = statement.query([]).unwrap();
            check(&connection, literal, rows.next().unwrap().unwrap().get_ref(0).unwrap());
        }
    }

    #[test]
    fn places_compare_as_sqlite_compares_them() {
        each(|connection, literal, cell| {
            for second in [-6, -5, 4, 5, 6, i64::MIN, i64::MAX] {
                let key = Key { created_at: second, id: 7 };
                for id in [6, 7, 8] {
                    let asked = |operator: &str| -> bool {
                        let sql = format!("SELECT ({literal}, {id}) {operator} ({second}, 7)");
                        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
                    };
                    match compare(id, cell, key) {
                        Some(order) => {
                            assert_eq!(order.is_lt(), asked("<"), "{literal} {id} {second}");
                            assert_eq!(order.is_gt(), asked(">"), "{literal} {id} {second}");
                        }
                        None => assert!(!matches!(cell, ValueRef::Integer(_) | ValueRef::Real(_))),
                    }
                }
            }
        });
    }

    #[test]
    fn actor_and_action_match_as_sqlite_compares_them() {
        each(|connection, literal, cell| {
            for actor in [5, -1, i64::MAX, i64::MIN] {
                let filter = Filter { from_ts: 0, to_ts: 0, actor_id: Some(actor), action: None };
                let sql = format!("SELECT ifnull({literal} = {actor}, 0)");
                let equal: bool = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
                assert_eq!(matches(&filter, cell, ValueRef::Null), equal, "{literal} {actor}");
            }
            for action in ["5x", "", "5", "l"] {
                let filter = Filter { from_ts: 0, to_ts: 0, actor_id: None, action: Some(action.to_owned()) };
                let sql = format!("SELECT ifnull({literal} = '{action}', 0)");
                let equal: bool = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
                assert_eq!(matches(&filter, ValueRef::Null, cell), equal, "{literal} {action}");
            }
        });
    }

    #[test]
    fn a_stand_in_is_of_its_columns_type_and_what_is_sound_stands_for_itself() {
        each(|_, literal, cell| {
            for column in COLUMNS {
                let stands = stand_in(column, cell);
                if found(column, cell).is_none() {
                    assert_eq!(stands, Some(cell), "{column} {literal}");
                }
                if let Some(stands) = stands.filter(|_| column != "id") {
                    assert_eq!(found(column, stands), None, "{column} {literal}");
                }
            }
            // A window of numbers decides whether an event is fed.
            let in_reach = compare(1, cell, Key { created_at: i64::MIN, id: i64::MIN })
                .is_some_and(Ordering::is_ge)
                && compare(1, cell, Key { created_at: i64::MAX, id: i64::MAX }).is_some_and(Ordering::is_le);
            assert_eq!(stand_in("created_at", cell).is_some(), in_reach, "{literal}");
        });
    }

    #[test]
    fn past_an_event_no_later_one_is_left_out() {
        each(|_, literal, cell| {
            let Some(key) = after(7, cell) else { return };
            // The walk goes on strictly below the key: the event itself must not come again, the next second must.
            assert!(compare(7, cell, key).is_some_and(Ordering::is_ge), "{literal}");
            if let Some(whole) = whole(cell) {
                assert_eq!(key, Key { created_at: whole, id: 7 }, "{literal}");
            }
        });
        assert_eq!(after(7, ValueRef::Real(5.5)), Some(Key { created_at: 5, id: i64::MAX }));
        assert_eq!(after(7, ValueRef::Real(-5.5)), Some(Key { created_at: -6, id: i64::MAX }));
    }

    #[test]
    fn what_was_found_is_told_in_words_fit_to_be_shown() {
        let text = |text: &'static str| found("created_at", ValueRef::Text(text.as_bytes())).unwrap();
        assert_eq!(text("2023-11-14 22:13:20"), "text '2023-11-14 22:13:20'");
        assert_eq!(text("a\u{1b}[2Jb"), "text 'a\\u{1b}[2Jb'");
        let long: &'static str = "0123456789012345678901234567890123456789+";
        assert_eq!(text(long), "text '0123456789012345678901234567890123456789…'");
        assert_eq!(found("actor_id", ValueRef::Null).unwrap(), "NULL");
        assert_eq!(found("action", ValueRef::Blob(b"abc")).unwrap(), "a BLOB of 3 bytes");
        assert_eq!(found("action", ValueRef::Text(b"l\xff")).unwrap(), "text that is not UTF-8");
        assert_eq!(found("created_at", ValueRef::Real(1_700_003_000.5)).unwrap(), "real 1700003000.5");
        assert_eq!(found("action", ValueRef::Integer(5)).unwrap(), "integer 5");
        assert_eq!(found("id", ValueRef::Integer(0)).unwrap(), "0, and events are numbered from 1");
        assert_eq!(found("payload_len", ValueRef::Integer(-1)), None, "a span is judged with its file");
    }
}
