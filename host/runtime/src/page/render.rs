//! A page as the contract's JSON, plus `next`: the payload lines go in as they stand in the file.

use std::io::Write;

use keyhole_log::model::{Event, Page};

/// Appends the page as one JSON object. `next` is the cursor of the next page, for a full one.
pub fn render(page: &Page, next: Option<&str>, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail, nor can a string or an integer fail to serialise.
    let _ = write_page(page, next, out);
}

fn write_page(page: &Page, next: Option<&str>, out: &mut Vec<u8>) -> std::io::Result<()> {
    let payloads = usize::try_from(page.payload_bytes()).unwrap_or_default();
    out.reserve(payloads + page.text_bytes() + page.len() * 160 + 256);
    out.extend_from_slice(b"{\"query\": ");
    serde_json::to_writer(&mut *out, &page.request)?;
    out.extend_from_slice(b", \"events\": [");
    for (index, event) in page.events().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_event(&event, out)?;
    }
    write!(out, "], \"count\": {}, \"next\": ", page.len())?;
    serde_json::to_writer(&mut *out, &next)?;
    out.push(b'}');
    Ok(())
}

fn write_event(event: &Event<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Event { id, created_at, actor_id, .. } = event;
    write!(out, "{{\"id\": {id}, \"created_at\": {created_at}, \"actor_id\": {actor_id}, \"action\": ")?;
    serde_json::to_writer(&mut *out, event.action)?;
    out.extend_from_slice(b", \"resource_type\": ");
    serde_json::to_writer(&mut *out, event.resource_type)?;
    out.extend_from_slice(b", \"resource_id\": ");
    serde_json::to_writer(&mut *out, event.resource_id)?;
    out.extend_from_slice(b", \"payload\": ");
    out.extend_from_slice(event.payload.trim_ascii());
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyhole_log::model::{Filter, PageRequest, Position};

    #[test]
    fn a_page_is_the_contracts_json_plus_next() {
        let request = PageRequest {
            filter: Filter { from_ts: 0, to_ts: 9, actor_id: None, action: Some("a\"b".to_owned()) },
            position: Position::Page(1),
            page_size: 1,
            up_to: None,
        };
        let mut page = Page::empty(request, 5);
        page.push(Event {
            id: 5,
            created_at: 7,
            actor_id: -1,
            action: "a\"b",
            resource_type: "Ü",
            resource_id: "Ü-1",
            payload: b"{\"x\": [1, 2]}\n",
        });
        let mut out = Vec::new();
        render(&page, Some("abc"), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"query": {"from_ts":0,"to_ts":9,"actor_id":null,"action":"a\"b","page":1,"page_size":1}, "events": [{"id": 5, "created_at": 7, "actor_id": -1, "action": "a\"b", "resource_type": "Ü", "resource_id": "Ü-1", "payload": {"x": [1, 2]}}], "count": 1, "next": "abc"}"#
        );
    }
}
