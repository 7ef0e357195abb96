//! Full-text search, where it is granted: made by a refresh, asked by a page, gone with the grant.

use crate::grants::Grants;
use crate::session::Session;
use crate::value::Value;

use super::stage::{Stage, ending};

fn found(session: &mut Session, question: &str) -> usize {
    let sql = "SELECT rowid FROM scratch.docs WHERE docs MATCH ?";
    session.query(sql, &[Value::Text(question.to_owned())]).unwrap().cells.len()
}

#[test]
fn what_a_refresh_writes_a_page_finds() {
    let stage = Stage::new(true);
    let mut page = stage.page();
    let all = found(&mut page, "actor");
    assert_eq!(all, usize::try_from(super::stage::EVENTS).unwrap());
    assert_eq!(found(&mut page, "needle"), 0);
    page.finish();

    let mut refresh = stage.refresh();
    refresh.begin_refresh(0).unwrap();
    for sql in [
        "INSERT INTO scratch.docs (rowid, action, body) VALUES (90001, 'X', 'a needle in the log')",
        "UPDATE scratch.docs SET body = 'another needle' WHERE rowid = 7",
        "DELETE FROM scratch.docs WHERE rowid = 8",
        "INSERT INTO scratch.docs (docs) VALUES ('optimize')",
    ] {
        refresh.execute(sql, &[]).unwrap();
    }
    refresh.commit_refresh().unwrap();

    // The session that has searched before sees the new index, and one that is opened now does too.
    page.begin().unwrap();
    for session in [&mut page, &mut stage.page()] {
        assert_eq!(found(session, "needle"), 2);
        assert_eq!(found(session, "actor"), all - 2);
        assert_eq!(ending(&session.query("SELECT v FROM scratch.docs_config", &[])), "ok");
    }
}

#[test]
fn without_the_grant_a_search_is_denied_whatever_scratch_holds() {
    let stage = Stage::new(true);
    let grants = Grants { virtual_tables: Vec::new(), ..stage.grants.clone() };
    let mut page = Session::for_pages(&stage.log, Some(stage.scratch()), &grants).unwrap();
    page.begin().unwrap();
    for sql in [
        "SELECT rowid FROM scratch.docs WHERE docs MATCH 'actor'",
        "SELECT rowid FROM docs",
        "SELECT count(*) FROM scratch.docs",
        "SELECT body FROM scratch.docs LIMIT 1",
    ] {
        for _ in 0..2 {
            assert_eq!(ending(&page.query(sql, &[])), "virtual-table", "{sql}");
        }
    }
}

/// The gate knows the modules of this SQLite by name: one that it does not know would be a table that
/// anybody may read.
#[test]
fn every_module_of_this_sqlite_is_known_by_name() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut modules = connection.prepare("SELECT name FROM pragma_module_list").unwrap();
    let names: Vec<String> =
        modules.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    assert!(names.iter().any(|name| name == "fts5"));
    for name in names {
        assert!(crate::authorizer::is_module(&name), "the module {name}");
    }
}
