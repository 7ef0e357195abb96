//! Every action code that SQLite asks about: raised in at least three ways, and each time the authorizer
//! denies that very question, for a page as for a refresh.
//!
//! Not raised by this SQLite: `COPY` (0), the code of a command that SQLite 3 has never had.

use std::sync::{Arc, Mutex};

use crate::authorizer::{Author, Authorizer};
use crate::grants::Grants;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Each code with texts that raise it. `SELECT` is the one that is always allowed.
const RAISED: [(&str, [&str; 3]); 33] = [
    (
        "CreateIndex",
        [
            "CREATE INDEX log.i ON audit_events (id)",
            "CREATE UNIQUE INDEX log.i ON audit_events (id)",
            "CREATE INDEX IF NOT EXISTS log.i ON audit_events (id) WHERE id > 5",
        ],
    ),
    (
        "CreateTable",
        [
            "CREATE TABLE log.t (a)",
            "CREATE TABLE log.t AS SELECT 1",
            "CREATE TABLE IF NOT EXISTS log.t (a PRIMARY KEY) WITHOUT ROWID",
        ],
    ),
    (
        "CreateTempIndex",
        [
            "CREATE INDEX temp.i ON held (a)",
            "CREATE UNIQUE INDEX temp.i ON held (a)",
            "CREATE INDEX IF NOT EXISTS temp.i ON held (a) WHERE a > 5",
        ],
    ),
    (
        "CreateTempTable",
        [
            "CREATE TEMP TABLE t (a)",
            "CREATE TEMP TABLE IF NOT EXISTS t (a)",
            "CREATE TEMPORARY TABLE t AS SELECT 1",
        ],
    ),
    (
        "CreateTempTrigger",
        [
            "CREATE TEMP TRIGGER t AFTER INSERT ON log.audit_events BEGIN SELECT 1; END",
            "CREATE TRIGGER temp.t BEFORE DELETE ON held BEGIN SELECT 1; END",
            "CREATE TEMP TRIGGER IF NOT EXISTS t AFTER UPDATE OF a ON held BEGIN SELECT 1; END",
        ],
    ),
    (
        "CreateTempView",
        [
            "CREATE TEMP VIEW v AS SELECT 1",
            "CREATE TEMP VIEW v (a) AS VALUES (1)",
            "CREATE TEMPORARY VIEW IF NOT EXISTS v (a) AS SELECT 1",
        ],
    ),
    (
        "CreateTrigger",
        [
            "CREATE TRIGGER log.t AFTER INSERT ON audit_events BEGIN SELECT 1; END",
            "CREATE TRIGGER log.t BEFORE DELETE ON audit_events BEGIN SELECT 1; END",
            "CREATE TRIGGER scratch.t AFTER UPDATE ON keys WHEN new.id > 1 BEGIN SELECT 1; END",
        ],
    ),
    (
        "CreateView",
        [
            "CREATE VIEW log.v AS SELECT 1",
            "CREATE VIEW scratch.v (a) AS SELECT 1",
            "CREATE VIEW IF NOT EXISTS scratch.v AS SELECT id FROM keys",
        ],
    ),
    (
        "Delete",
        [
            "DELETE FROM log.audit_events",
            "WITH x AS (SELECT 1) DELETE FROM audit_events WHERE id = 1",
            "DROP TABLE log.audit_events",
        ],
    ),
    (
        "DropIndex",
        [
            "DROP INDEX log.idx_created_at",
            "DROP INDEX IF EXISTS log.idx_created_at",
            "DROP INDEX idx_created_at",
        ],
    ),
    (
        "DropTable",
        ["DROP TABLE log.audit_events", "DROP TABLE IF EXISTS log.audit_events", "DROP TABLE audit_events"],
    ),
    ("DropTempIndex", ["DROP INDEX temp.held_i", "DROP INDEX held_i", "DROP INDEX IF EXISTS temp.held_i"]),
    ("DropTempTable", ["DROP TABLE temp.held", "DROP TABLE held", "DROP TABLE IF EXISTS temp.held"]),
    (
        "DropTempTrigger",
        ["DROP TRIGGER temp.held_t", "DROP TRIGGER held_t", "DROP TRIGGER IF EXISTS temp.held_t"],
    ),
    ("DropTempView", ["DROP VIEW temp.held_v", "DROP VIEW held_v", "DROP VIEW IF EXISTS temp.held_v"]),
    ("DropTrigger", ["DROP TRIGGER log.made_t", "DROP TRIGGER made_t", "DROP TRIGGER IF EXISTS log.made_t"]),
    ("DropView", ["DROP VIEW log.made_v", "DROP VIEW made_v", "DROP VIEW IF EXISTS log.made_v"]),
    (
        "Insert",
        [
            "INSERT INTO log.audit_events (id) VALUES (1)",
            "REPLACE INTO audit_events (id) SELECT 1",
            "INSERT INTO feed.events DEFAULT VALUES",
        ],
    ),
    ("Pragma", ["PRAGMA query_only = OFF", "PRAGMA log.journal_mode", "PRAGMA table_info(audit_events)"]),
    (
        "Read",
        [
            "SELECT payload_len FROM log.audit_events",
            "SELECT count(*) FROM log.sqlite_schema",
            "SELECT last FROM scratch.keyhole_coverage",
        ],
    ),
    ("Select", ["SELECT 1", "VALUES (1), (2)", "WITH x AS (SELECT 1) SELECT * FROM x"]),
    ("Transaction", ["BEGIN", "COMMIT", "ROLLBACK"]),
    (
        "Update",
        [
            "UPDATE log.audit_events SET id = 1",
            "UPDATE audit_events SET action = '' WHERE id = 1",
            "INSERT INTO feed.events VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2",
        ],
    ),
    ("Attach", ["ATTACH 'x' AS y", "ATTACH DATABASE ':memory:' AS y", "ATTACH '' AS y"]),
    ("Detach", ["DETACH log", "DETACH DATABASE scratch", "DETACH feed"]),
    (
        "AlterTable",
        [
            "ALTER TABLE log.audit_events RENAME TO x",
            "ALTER TABLE scratch.keys ADD COLUMN x",
            "ALTER TABLE log.audit_events DROP COLUMN action",
        ],
    ),
    ("Reindex", ["REINDEX log.audit_events", "REINDEX log.idx_created_at", "REINDEX"]),
    ("Analyze", ["ANALYZE log", "ANALYZE log.audit_events", "ANALYZE scratch.keys"]),
    (
        "CreateVtable",
        [
            "CREATE VIRTUAL TABLE log.x USING fts5(a)",
            "CREATE VIRTUAL TABLE scratch.x USING fts5(a)",
            "CREATE VIRTUAL TABLE IF NOT EXISTS scratch.x USING rtree(a, b, c)",
        ],
    ),
    ("DropVtable", ["DROP TABLE scratch.docs", "DROP TABLE docs", "DROP TABLE IF EXISTS scratch.docs"]),
    ("Function", ["SELECT random()", "SELECT hex(1)", "SELECT date('now')"]),
    ("Savepoint", ["SAVEPOINT s", "RELEASE s", "ROLLBACK TO s"]),
    (
        "Recursive",
        [
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
            "WITH n(i) AS (SELECT 1 UNION SELECT i FROM n) SELECT i FROM n",
            "SELECT (WITH n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n LIMIT 1)",
        ],
    ),
];

/// The questions that SQLite asks of a text, each with whether the authorizer denies it to a page and to a
/// refresh. Everything is allowed here, so that it asks on.
fn asked(authorizer: &Arc<Authorizer>, sql: &str) -> Vec<(String, bool, bool)> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "ATTACH ':memory:' AS log; ATTACH ':memory:' AS scratch; ATTACH ':memory:' AS feed;
             CREATE TABLE log.audit_events (id INTEGER PRIMARY KEY, created_at, actor_id, action, payload_len);
             CREATE INDEX log.idx_created_at ON audit_events (created_at);
             CREATE VIEW log.made_v AS SELECT 1;
             CREATE TRIGGER log.made_t AFTER INSERT ON audit_events BEGIN SELECT 1; END;
             CREATE TABLE scratch.keys (id INTEGER PRIMARY KEY);
             CREATE TABLE scratch.keyhole_coverage (last);
             CREATE VIRTUAL TABLE scratch.docs USING fts5(a);
             CREATE TABLE feed.events (id INTEGER PRIMARY KEY);
             CREATE TEMP TABLE held (a); CREATE INDEX temp.held_i ON held (a);
             CREATE TEMP VIEW held_v AS SELECT 1;
             CREATE TEMP TRIGGER held_t AFTER INSERT ON held BEGIN SELECT 1; END;",
        )
        .unwrap();
    let questions = Arc::new(Mutex::new(Vec::new()));
    let (answers, authorizer) = (Arc::clone(&questions), Arc::clone(authorizer));
    connection
        .authorizer(Some(move |context: AuthContext<'_>| {
            let denies = |author| {
                authorizer.admit(author);
                authorizer.judge(context) == Authorization::Deny
            };
            let (page, refresh) = (denies(Author::Page), denies(Author::Refresh));
            answers.lock().unwrap().push((name(&context.action), page, refresh));
            Authorization::Allow
        }))
        .unwrap();
    if let Err(error) = connection.prepare(sql) {
        panic!("{sql}: {error}");
    }
    drop(connection);
    Arc::into_inner(questions).unwrap().into_inner().unwrap()
}

fn name(action: &AuthAction<'_>) -> String {
    format!("{action:?}").split([' ', '{']).next().unwrap().to_owned()
}

#[test]
fn every_action_code_is_asked_about_and_denied_in_three_ways() {
    let authorizer = Authorizer::new(&Grants::local());
    for (code, texts) in RAISED {
        for sql in texts {
            let asked = asked(&authorizer, sql);
            let of_code: Vec<_> = asked.iter().filter(|(asked, ..)| asked == code).collect();
            assert!(!of_code.is_empty(), "{sql} does not raise {code}: {asked:?}");
            let denied = |refreshing: bool| {
                of_code.iter().any(|(_, page, refresh)| if refreshing { *refresh } else { *page })
            };
            assert_eq!(denied(false), code != "Select", "{code} to a page: {sql}");
            assert_eq!(denied(true), code != "Select", "{code} to a refresh: {sql}");
        }
    }
}

#[test]
fn no_answer_is_ever_to_ignore() {
    // A column that is ignored reads as NULL: a silent lie. The authorizer's two answers are the others.
    let authorizer = Authorizer::new(&Grants::local());
    authorizer.admit(Author::Page);
    for column_name in ["id", "payload_len", ""] {
        let action = AuthAction::Read { table_name: "audit_events", column_name };
        let answer = authorizer.judge(AuthContext { action, database_name: Some("log"), accessor: None });
        let expected = if column_name == "payload_len" { Authorization::Deny } else { Authorization::Allow };
        assert_eq!(answer, expected, "{column_name:?}");
    }
    let unknown = AuthAction::Unknown { code: 0, arg1: None, arg2: None };
    let answer = authorizer.judge(AuthContext { action: unknown, database_name: None, accessor: None });
    assert_eq!(answer, Authorization::Deny, "a code that nobody knows");
}
