//! How SQLite runs the statements of a page: never by walking keys, buckets or the log.

use super::sqlite::{Phase, Sqlite};
use crate::{keys, rank, series, tail};

fn plan(sqlite: &Sqlite, sql: &str) -> String {
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let mut statement = sqlite.connection.prepare(&sql).unwrap();
    let rows = statement.raw_query().mapped(|row| row.get::<_, String>(3));
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

fn with_tables() -> Sqlite {
    let mut sqlite = Sqlite::new();
    sqlite.refresh();
    sqlite.append(&[super::model::Event { created_at: 1, actor_id: 1, action: "LOGIN" }]);
    sqlite.refresh_until_done();
    sqlite.enter(Phase::Setup);
    sqlite
}

#[test]
fn keys_and_buckets_are_searched_by_their_whole_primary_key() {
    let sqlite = with_tables();
    for (sql, table) in [(keys::READ, "keys"), (keys::SELECT, "keys"), (rank::COUNT_ABOVE, "keys")] {
        let expected = format!(
            "SEARCH scratch.{table} USING PRIMARY KEY (series=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))"
        );
        assert_eq!(plan(&sqlite, sql), expected, "{sql}");
    }
    assert_eq!(
        plan(&sqlite, rank::CHILDREN),
        "SEARCH scratch.buckets USING PRIMARY KEY \
        (series=? AND level=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))"
    );
}

#[test]
fn a_series_is_found_by_its_filter() {
    assert_eq!(
        plan(&with_tables(), series::FIND),
        "SCAN p\nSEARCH s USING INDEX series_of_filter (actor_id=? AND action=?) LEFT-JOIN"
    );
}

#[test]
fn the_log_is_read_by_id() {
    let sqlite = with_tables();
    let by_id = "SEARCH audit_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    assert_eq!(plan(&sqlite, tail::COUNT), by_id);
    assert_eq!(plan(&sqlite, tail::TAIL), format!("{by_id}\nUSE TEMP B-TREE FOR ORDER BY"));
}
