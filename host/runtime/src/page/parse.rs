//! A request from JSON: every field checked, every mistake named.

use serde_json::{Map, Value};

use crate::page::Cursors;
use keyhole_log::error::Error;
use keyhole_log::model::{Filter, Key, PageRequest, Position};

/// The fields of a query. `after` holds a cursor; `after_key` and `up_to` are what reports print, so
/// that any request can be repeated.
const FIELDS: [&str; 9] =
    ["from_ts", "to_ts", "actor_id", "action", "page", "after", "after_key", "page_size", "up_to"];

/// Reads a query object, bare or as the `query` of a larger object (a page that was answered, say).
pub fn request(text: &str, cursors: Option<&Cursors>) -> Result<PageRequest, Error> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::bad_request(format!("not JSON: {error}")))?;
    let Value::Object(outer) = value else {
        return Err(Error::bad_request("a request is a JSON object"));
    };
    match outer.get("query") {
        Some(Value::Object(query)) => from_fields(query, cursors),
        Some(_) => Err(Error::bad_request("query must be an object")),
        None => from_fields(&outer, cursors),
    }
}

fn from_fields(fields: &Map<String, Value>, cursors: Option<&Cursors>) -> Result<PageRequest, Error> {
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(Error::bad_request(format!(
            "there is no field {unknown:?}; the fields are {}",
            FIELDS.join(", ")
        )));
    }
    let filter = Filter {
        from_ts: required(fields, "from_ts")?,
        to_ts: required(fields, "to_ts")?,
        actor_id: optional(fields, "actor_id", Value::as_i64, "a 64-bit integer or null")?,
        action: optional(fields, "action", |value| value.as_str().map(str::to_owned), "a string or null")?,
    };
    let page =
        optional(fields, "page", |value| value.as_u64().filter(|&page| page > 0), "a page number from 1")?;
    let after = optional(fields, "after", |value| value.as_str().map(str::to_owned), "a cursor")?;
    let after_key = optional(fields, "after_key", key, "[created_at, id]")?;
    let mut up_to = optional(fields, "up_to", Value::as_i64, "a 64-bit integer or null")?;
    let position = match (page, after, after_key) {
        (Some(page), None, None) => Position::Page(page),
        (None, None, Some(key)) => Position::After(key),
        (None, Some(cursor), None) => {
            let cursors =
                cursors.ok_or(Error::BadCursor { why: "cursors are not taken here; give after_key" })?;
            let (key, bound) = cursors.read(&cursor, &filter)?;
            up_to = Some(up_to.map_or(bound, |asked| asked.min(bound)));
            Position::After(key)
        }
        _ => return Err(Error::bad_request("give one of page and after")),
    };
    let page_size = optional(
        fields,
        "page_size",
        |value| value.as_u64().and_then(|size| u32::try_from(size).ok()).filter(|&size| size > 0),
        "a number of events from 1",
    )?;
    let page_size = page_size.ok_or_else(|| Error::bad_request("page_size is missing"))?;
    Ok(PageRequest { filter, position, page_size, up_to })
}

fn required(fields: &Map<String, Value>, name: &str) -> Result<i64, Error> {
    optional(fields, name, Value::as_i64, "a 64-bit integer")?
        .ok_or_else(|| Error::bad_request(format!("{name} is missing")))
}

fn optional<T>(
    fields: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
    expected: &str,
) -> Result<Option<T>, Error> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value)
            .map(Some)
            .ok_or_else(|| Error::bad_request(format!("{name} must be {expected}, not {value}"))),
    }
}

fn key(value: &Value) -> Option<Key> {
    match value.as_array().map(Vec::as_slice) {
        Some([created_at, id]) => Some(Key { created_at: created_at.as_i64()?, id: id.as_i64()? }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for position in [Position::Page(u64::MAX), Position::After(Key { created_at: i64::MIN, id: -3 })] {
            for up_to in [None, Some(i64::MIN)] {
                let filter = Filter {
                    from_ts: i64::MIN,
                    to_ts: i64::MAX,
                    actor_id: Some(-1),
                    action: Some("é\"".to_owned()),
                };
                let asked = PageRequest { filter, position, page_size: u32::MAX, up_to };
                assert_eq!(request(&serde_json::to_string(&asked).unwrap(), None).unwrap(), asked);
            }
        }
    }

    #[test]
    fn an_answers_query_is_taken_too() {
        let line = r#"{"query": {"from_ts": 0, "to_ts": 1, "actor_id": null, "action": null, "page": 2, "page_size": 10}, "count": 0}"#;
        assert_eq!(request(line, None).unwrap().position, Position::Page(2));
    }

    #[test]
    fn each_mistake_is_named() {
        for (line, said) in [
            ("", "not JSON"),
            ("[]", "a JSON object"),
            (r#"{"to_ts": 1, "page": 1, "page_size": 1}"#, "from_ts is missing"),
            (r#"{"from_ts": 0, "to_ts": 1e30, "page": 1, "page_size": 1}"#, "to_ts must be a 64-bit integer"),
            (r#"{"from_ts": 0, "to_ts": 1, "page": 0, "page_size": 1}"#, "page must be a page number from 1"),
            (r#"{"from_ts": 0, "to_ts": 1, "page": 1, "page_size": 0}"#, "page_size must be"),
            (r#"{"from_ts": 0, "to_ts": 1, "page": 1}"#, "page_size is missing"),
            (r#"{"from_ts": 0, "to_ts": 1, "page_size": 1}"#, "one of page and after"),
            (
                r#"{"from_ts": 0, "to_ts": 1, "page": 1, "after_key": [1, 2], "page_size": 1}"#,
                "one of page and after",
            ),
            (
                r#"{"from_ts": 0, "to_ts": 1, "page": 1, "page_size": 1, "pagesize": 3}"#,
                "there is no field \"pagesize\"",
            ),
            (r#"{"from_ts": 0, "to_ts": 1, "actor_id": "x", "page": 1, "page_size": 1}"#, "actor_id must be"),
            (
                r#"{"from_ts": 0, "to_ts": 1, "action": 5, "page": 1, "page_size": 1}"#,
                "action must be a string",
            ),
        ] {
            let error = request(line, None).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
