//! Whether a database has the contract's table and index, declared so that the rule of a page means the same there.
//!
//! The rule compares: `created_at` and `id` by number, an actor by number, an action byte for byte. SQLite
//! compares by what a column is declared as, so a declaration can make another rule of it without a word.

use rusqlite::{Connection, OptionalExtension};

use crate::grants::EVENTS;

/// The contract's columns.
pub const COLUMNS: [&str; 8] = [
    "id",
    "created_at",
    "actor_id",
    "action",
    "resource_type",
    "resource_id",
    "payload_offset",
    "payload_len",
];

/// Those of them that hold texts; the others hold integers.
const TEXTS: [&str; 3] = ["action", "resource_type", "resource_id"];

const INDEX: &str = "idx_created_at";

/// What a column makes of a value that is stored in it or compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affinity {
    Integer,
    Text,
    Real,
    Numeric,
    /// Nothing: no type, or BLOB.
    Nothing,
}

impl Affinity {
    /// By SQLite's five rules, in their order; and in a STRICT table, ANY is no type.
    fn of(declared: &str, strict: bool) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        match () {
            () if strict && declared == "ANY" => Self::Nothing,
            () if has(&["INT"]) => Self::Integer,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if has(&["BLOB"]) || declared.is_empty() => Self::Nothing,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => Self::Numeric,
        }
    }
}

/// A column of the table, as it is declared.
struct Column {
    name: String,
    declared: String,
    affinity: Affinity,
    computed: bool,
    in_primary_key: bool,
}

/// What is wrong with the log that is attached as `log`; None where nothing is.
pub(super) fn wrong(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let table = "SELECT type, wr, strict FROM pragma_table_list(?1) WHERE schema = 'log'";
    let table = connection
        .query_row(table, [EVENTS], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (without_rowid, strict): (bool, bool) = match table {
        // What a view or a module shows can change without the file, and has neither ids nor an index of its own.
        Some((kind, without_rowid, strict)) if kind == "table" => (without_rowid, strict),
        Some((kind, ..)) => return Ok(Some(format!("it has no table {EVENTS}, but a {kind} of that name"))),
        None => return Ok(Some(format!("it has no table {EVENTS}"))),
    };
    let columns = columns(connection, strict)?;
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|name| !columns.iter().any(|column| column.name == *name)).collect();
    if !missing.is_empty() {
        return Ok(Some(format!("table {EVENTS} has no column {}", missing.join(", "))));
    }
    if without_rowid {
        // Its key may be anything, NULL included, and the order of equal times is not that of the ids.
        return Ok(Some(format!("table {EVENTS} is WITHOUT ROWID: its id has to be an INTEGER PRIMARY KEY")));
    }
    for column in columns.iter().filter(|column| COLUMNS.contains(&column.name.as_str())) {
        if let Some(what) = wrong_column(connection, column)? {
            return Ok(Some(format!("column {} of {EVENTS} {what}", column.name)));
        }
    }
    wrong_index(connection)
}

fn columns(connection: &Connection, strict: bool) -> rusqlite::Result<Vec<Column>> {
    let mut columns =
        connection.prepare("SELECT name, type, hidden, pk FROM pragma_table_xinfo(?1, 'log')")?;
    let columns = columns.query_map([EVENTS], |row| {
        let declared: String = row.get(1)?;
        Ok(Column {
            name: row.get(0)?,
            affinity: Affinity::of(&declared, strict),
            declared,
            computed: row.get::<_, i64>(2)? != 0,
            in_primary_key: row.get::<_, i64>(3)? != 0,
        })
    })?;
    columns.collect()
}

fn wrong_column(connection: &Connection, column: &Column) -> rusqlite::Result<Option<String>> {
    let declared = if column.declared.is_empty() { "nothing" } else { column.declared.as_str() };
    if column.computed {
        // An event would change with another column, or with the function that makes it.
        return Ok(Some("is computed: what an event holds has to be stored".to_owned()));
    }
    if column.name == "id" {
        // Any other primary key is a second number beside the one by which SQLite finds a row: it may be NULL, a text,
        // or smaller than that of the event before.
        let own_index = "SELECT count(*) FROM pragma_index_list(?1, 'log') WHERE origin = 'pk'";
        let indexes: i64 = connection.query_row(own_index, [EVENTS], |row| row.get(0))?;
        let is_rowid =
            column.in_primary_key && indexes == 0 && column.declared.eq_ignore_ascii_case("INTEGER");
        return Ok((!is_rowid)
            .then(|| "has to be declared INTEGER PRIMARY KEY: it is the order of events".to_owned()));
    }
    if TEXTS.contains(&column.name.as_str()) {
        // A column of numbers stores '007' as 7, and finds it for '7'. No type leaves a text as it is.
        if !matches!(column.affinity, Affinity::Text | Affinity::Nothing) {
            return Ok(Some(format!(
                "is declared as {declared}, which makes numbers of texts: declare it as TEXT"
            )));
        }
    } else if !matches!(column.affinity, Affinity::Integer | Affinity::Numeric | Affinity::Nothing) {
        // TEXT makes a text of each number, and '9' comes after '10'; REAL rounds what is larger than 2^53. NUMERIC
        // stores an integer as INTEGER does, and no type leaves it as it is.
        return Ok(Some(format!(
            "is declared as {declared}, which makes something else of integers: declare it as INTEGER"
        )));
    }
    if column.name == "action" {
        // It is asked for byte for byte. The resource is only shown; and numbers have no collation.
        let (_, collation, ..) = connection.column_metadata(Some("log"), EVENTS, "action")?;
        let collation = collation.map(|collation| collation.to_string_lossy().into_owned());
        if let Some(collation) = collation.filter(|collation| !collation.eq_ignore_ascii_case("BINARY")) {
            return Ok(Some(format!(
                "compares by COLLATE {collation}, and actions are told apart byte for byte: declare it without"
            )));
        }
    }
    Ok(None)
}

/// The index's direction is not asked about: SQLite walks it either way, and sorts events of one second where it
/// has to.
fn wrong_index(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let whole = "SELECT count(*) FROM pragma_index_list(?1, 'log') WHERE name = ?2 AND NOT partial";
    let whole: i64 = connection.query_row(whole, [EVENTS, INDEX], |row| row.get(0))?;
    let mut keys = connection.prepare("SELECT name, coll FROM pragma_index_xinfo(?1, 'log') WHERE key")?;
    let keys = keys.query_map([INDEX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let keys = keys.collect::<rusqlite::Result<Vec<(Option<String>, String)>>>()?;
    let [(Some(name), collation)] = keys.as_slice() else {
        return Ok(Some(format!("it has no index {INDEX} on (created_at)")));
    };
    if whole != 1 || name != "created_at" {
        return Ok(Some(format!("it has no index {INDEX} on (created_at)")));
    }
    // SQLite does not use an index for a column that compares in another way.
    let (_, own, ..) = connection.column_metadata(Some("log"), EVENTS, "created_at")?;
    let same = own.is_none_or(|own| own.to_string_lossy().eq_ignore_ascii_case(collation));
    Ok((!same)
        .then(|| format!("index {INDEX} is by COLLATE {collation}, and its column is not: make it without")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "id INTEGER PRIMARY KEY, created_at INTEGER, actor_id INTEGER, action TEXT, \
        resource_type TEXT, resource_id TEXT, payload_offset INTEGER, payload_len INTEGER";
    const BY_TIME: &str = "CREATE INDEX log.idx_created_at ON audit_events (created_at)";

    fn said(table: &str, index: &str) -> Option<String> {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("ATTACH ':memory:' AS log; {table}; {index}")).unwrap();
        wrong(&connection).unwrap()
    }

    fn of_columns(from: &str, to: &str) -> Option<String> {
        assert!(PLAIN.contains(from));
        said(&format!("CREATE TABLE log.audit_events ({})", PLAIN.replace(from, to)), BY_TIME)
    }

    #[test]
    fn what_means_the_same_is_let_in() {
        let id = "id INTEGER PRIMARY KEY";
        for (from, to) in [
            (id, "id integer primary key autoincrement"),
            (id, "id INTEGER NOT NULL PRIMARY KEY ASC"),
            ("created_at INTEGER", "created_at BIGINT NOT NULL DEFAULT 0"),
            ("created_at INTEGER", "created_at"),
            ("created_at INTEGER", "created_at NUMERIC"),
            ("created_at INTEGER", "created_at TIMESTAMP"),
            ("actor_id INTEGER", "actor_id UNSIGNED BIG INT REFERENCES actors"),
            ("action TEXT", "action VARCHAR(40) COLLATE BINARY CHECK (action <> '')"),
            ("action TEXT", "action BLOB"),
            ("resource_id TEXT", "resource_id TEXT COLLATE NOCASE"),
            (
                "payload_len INTEGER",
                "payload_len INT, ip TEXT COLLATE NOCASE, day GENERATED ALWAYS AS (created_at / 86400)",
            ),
        ] {
            assert_eq!(of_columns(from, to), None, "{to}");
        }
        let plain = format!("CREATE TABLE log.audit_events ({PLAIN})");
        assert_eq!(said(&plain, &BY_TIME.replace("created_at)", "created_at DESC)")), None);
        assert_eq!(said(&plain, &BY_TIME.replace("CREATE", "CREATE UNIQUE")), None);
        assert_eq!(said(&format!("{plain} STRICT"), BY_TIME), None);
        let any = PLAIN.replace("action TEXT", "action ANY");
        assert_eq!(said(&format!("CREATE TABLE log.audit_events ({any}) STRICT"), BY_TIME), None);
    }

    #[test]
    fn a_column_that_would_change_what_a_page_is_is_refused_by_its_name() {
        for (from, to, words) in [
            ("id INTEGER PRIMARY KEY", "id INT PRIMARY KEY", "id of"),
            ("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY DESC", "id of"),
            ("id INTEGER PRIMARY KEY", "id INTEGER UNIQUE", "id of"),
            ("id INTEGER PRIMARY KEY", "id INTEGER, x INTEGER PRIMARY KEY", "id of"),
            ("created_at INTEGER", "created_at TEXT", "created_at of"),
            ("created_at INTEGER", "created_at REAL", "created_at of"),
            ("actor_id INTEGER", "actor_id VARCHAR(9)", "actor_id of"),
            ("payload_offset INTEGER", "payload_offset DOUBLE", "payload_offset of"),
            ("payload_len INTEGER", "payload_len TEXT", "payload_len of"),
            ("action TEXT", "action TEXT COLLATE NOCASE", "COLLATE NOCASE"),
            ("action TEXT", "action TEXT COLLATE RTRIM", "COLLATE RTRIM"),
            ("action TEXT", "action ANY", "action of"),
            ("action TEXT", "action INTEGER", "action of"),
            ("resource_type TEXT", "resource_type STRING", "resource_type of"),
            ("resource_type TEXT", "kept TEXT, resource_type TEXT AS (upper(kept)) STORED", "is computed"),
            ("resource_type TEXT", "kept TEXT, resource_type TEXT AS (upper(kept))", "is computed"),
            ("resource_type TEXT", "kept TEXT", "no column resource_type"),
        ] {
            let said = of_columns(from, to).unwrap_or_default();
            assert!(said.contains(words), "{to}: {said}");
        }
    }

    #[test]
    fn a_table_or_an_index_of_another_kind_is_refused() {
        let plain = format!("CREATE TABLE log.audit_events ({PLAIN})");
        let view =
            format!("CREATE TABLE log.kept ({PLAIN}); CREATE VIEW log.audit_events AS SELECT * FROM kept");
        for (table, index, words) in [
            (view.as_str(), "", "a view"),
            ("CREATE VIRTUAL TABLE log.audit_events USING fts5(id, created_at)", "", "a virtual"),
            ("", "", "no table"),
            (&format!("{plain} WITHOUT ROWID"), BY_TIME, "WITHOUT ROWID"),
            (&plain, "", "no index"),
            (&plain, "CREATE INDEX log.idx_created_at ON audit_events (created_at, id)", "no index"),
            (&plain, "CREATE INDEX log.idx_created_at ON audit_events (actor_id)", "no index"),
            (&plain, "CREATE INDEX log.idx_created_at ON audit_events (-created_at)", "no index"),
            (&plain, "CREATE INDEX log.idx_created_at ON audit_events (created_at) WHERE id > 9", "no index"),
            (
                &plain,
                "CREATE INDEX log.idx_created_at ON audit_events (created_at COLLATE NOCASE)",
                "COLLATE NOCASE",
            ),
        ] {
            let said = said(table, index).unwrap_or_default();
            assert!(said.contains(words), "{table}; {index}: {said}");
        }
    }

    #[test]
    fn an_affinity_is_what_sqlite_takes_it_for() {
        let connection = Connection::open_in_memory().unwrap();
        for declared in [
            "INT",
            "FLOATING POINT",
            "CHARINT",
            "XTEXT",
            "BLOBINT",
            "",
            "DECIMAL(9)",
            "DATE",
            "BLOB",
            "Double",
            "ANY",
        ] {
            connection
                .execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (c {declared})"))
                .unwrap();
            let stored = |value: &str| -> String {
                connection.execute_batch(&format!("DELETE FROM t; INSERT INTO t VALUES ({value})")).unwrap();
                connection.query_row("SELECT typeof(c) FROM t", [], |row| row.get(0)).unwrap()
            };
            let expected = match (stored("7").as_str(), stored("'7'").as_str()) {
                ("text", _) => Affinity::Text,
                ("real", _) => Affinity::Real,
                (_, "text") => Affinity::Nothing,
                _ => Affinity::Numeric,
            };
            let taken = match Affinity::of(declared, false) {
                // They differ in a CAST alone.
                Affinity::Integer => Affinity::Numeric,
                other => other,
            };
            assert_eq!(taken, expected, "{declared}");
        }
    }
}
