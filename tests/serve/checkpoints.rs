//! A service that is asked without a pause lets the checkpoints of a log in WAL mode through.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::server::Server;
use crate::support::writer::Writer;
use crate::support::{Place, SetOnDrop};

const PAGE: &str = "/v1/events?from_ts=0&to_ts=9999999999&page=1&page_size=5";

#[test]
fn readers_that_overlap_without_end_let_the_checkpoints_of_a_log_in_wal_mode_through() {
    let place = Place::new();
    let data = place.small_data(100);
    let mut writer = Writer::start(&data);
    writer.tell("mode wal");
    // A checkpoint with each commit once there are this many pages of 4 KiB to write back.
    writer.tell("pragma wal_autocheckpoint=20");
    writer.append(8);
    let server = Server::quiet(&place, &data, &["--rate", "0"]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    let reply = server.get(PAGE);
                    assert!([200, 503].contains(&reply.status), "{}", reply.status);
                }
            });
        }
        let _over = SetOnDrop(&over);
        let commits = writer.carry_out("append 1200 2 2");
        assert_eq!(commits.len(), 600);
        // All of it would be more than 2,000 pages.
        let wal = std::fs::metadata(data.join("audit.db-wal")).unwrap().len();
        assert!(wal < 4 << 20, "{wal}");
        writer.tell("checkpoint TRUNCATE");
    });
    writer.tell("close");
}
