//! A client that has the page is told so, and no strategy runs for it.

use super::server::Server;
use crate::support::Place;
use crate::support::writer::Writer;

#[test]
fn what_has_not_changed_runs_no_strategy_and_what_has_does() {
    let place = Place::new();
    let log = place.small_data(500);
    let server = Server::start(&place, &log, &[]);
    let answered = || server.state()["active"]["answered"].as_u64().unwrap();
    let newest = server.page("/v1/events?page_size=10", "");
    let tag = newest.header("etag").unwrap().to_owned();
    let next = newest.link("next").unwrap();
    let old = server.page(&next, "");
    let old_tag = old.header("etag").unwrap().to_owned();
    assert_eq!(newest.header("cache-control"), Some("private, no-cache"));

    let before = answered();
    for list in
        [tag.clone(), format!("\"other\", {tag}"), "*".to_owned(), tag.trim_start_matches("W/").to_owned()]
    {
        let unchanged = server.get_with("/v1/events?page_size=10", &format!("If-None-Match: {list}\r\n"));
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{list}");
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
        assert_eq!(unchanged.header("keyhole-strategy"), Some("keyset"));
    }
    assert_eq!(answered(), before, "a strategy ran for a page that the client has");
    let other = server.page("/v1/events?page_size=11", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(other.status, 200, "another page");

    Writer::start(&log).append(8);
    let changed = server.page("/v1/events?page_size=10", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let bounded = server.get_with(&next, &format!("If-None-Match: {old_tag}\r\n"));
    assert_eq!(bounded.status, 304, "a walk's page does not change while the log grows");
}
