//! The gate on SQL: SQLite asks it about everything that a statement would touch, when the statement
//! is prepared. It allows by list and denies the rest.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::error::Error;
use crate::guards::{self, Guard};
use crate::policy::Grants;

/// Whose statement is being prepared or run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Author {
    /// The host's own: everything is allowed.
    Host = 0,
    /// A strategy's, for a page: it reads.
    Page = 1,
    /// A strategy's, for a refresh: it may also change its own tables.
    Refresh = 2,
}

/// Functions that a strategy may be granted: deterministic, unable to make much out of little, and quick.
/// One call is a single step, which nothing interrupts: `trim` and `instr` of two long texts take minutes.
pub const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "dense_rank",
    "first_value",
    "glob",
    "ifnull",
    "iif",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "rank",
    "round",
    "row_number",
    "sign",
    "substr",
    "substring",
    "sum",
    "total",
    "typeof",
    "unicode",
    "unlikely",
    "upper",
];

/// The log's table.
pub const EVENTS: &str = "audit_events";

/// What the host's own tables in scratch are called.
pub const HOST_PREFIX: &str = "keyhole_";

/// One connection's gate.
#[derive(Debug)]
pub struct Gate {
    author: AtomicU8,
    columns: Vec<&'static str>,
    functions: Vec<&'static str>,
    denial: Mutex<Option<(&'static str, String)>>,
}

impl Gate {
    /// The gate of the host's own connections: a strategy's statement could do nothing behind it.
    pub fn of_host() -> Arc<Self> {
        Self::with(Vec::new(), Vec::new())
    }

    /// A gate that lets through what is granted.
    pub fn new(grants: &Grants) -> Arc<Self> {
        Self::with(grants.columns.clone(), grants.functions.clone())
    }

    fn with(columns: Vec<&'static str>, functions: Vec<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            author: AtomicU8::new(Author::Host as u8),
            columns,
            functions,
            denial: Mutex::new(None),
        })
    }

    /// From now on statements are this author's.
    pub fn admit(&self, author: Author) {
        self.author.store(author as u8, Relaxed);
    }

    /// The denial that made the last statement fail, if one did.
    pub fn take_denial(&self) -> Option<Error> {
        let denial = self.denial.lock().unwrap_or_else(PoisonError::into_inner).take();
        denial.map(|(rule, object)| Error::Denied { rule, object })
    }

    /// SQLite's question. A denial is kept with its rule and object: SQLite itself only says "not
    /// authorized".
    pub fn judge(&self, context: AuthContext<'_>) -> Authorization {
        let refreshing = match self.author.load(Relaxed) {
            author if author == Author::Host as u8 => return Authorization::Allow,
            _ if !guards::on(Guard::Authorizer) => return Authorization::Allow,
            author => author == Author::Refresh as u8,
        };
        match self.rule(&context, refreshing) {
            None => Authorization::Allow,
            Some(denial) => {
                *self.denial.lock().unwrap_or_else(PoisonError::into_inner) = Some(denial);
                Authorization::Deny
            }
        }
    }

    fn rule(&self, context: &AuthContext<'_>, refreshing: bool) -> Option<(&'static str, String)> {
        let database = context.database_name.unwrap_or_default();
        match context.action {
            AuthAction::Select => None,
            AuthAction::Read { table_name, column_name } => {
                let granted = self.may_read(database, table_name, column_name, refreshing);
                (!granted).then(|| ("read", dotted(database, table_name, column_name)))
            }
            AuthAction::Function { function_name } => {
                let granted =
                    self.functions.iter().any(|function| function_name.eq_ignore_ascii_case(function));
                (!granted).then(|| ("function", function_name.to_owned()))
            }
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. } => {
                // SQLite keeps its own catalogue with ordinary writes while it runs CREATE and DROP;
                // a strategy's own statement on it is refused by the defensive setting.
                let own = refreshing
                    && database == "scratch"
                    && (own_name(table_name) || table_name == "sqlite_master");
                (!own).then(|| ("write", dotted(database, table_name, "")))
            }
            AuthAction::CreateTable { table_name } | AuthAction::DropTable { table_name } => {
                let own = refreshing && database == "scratch" && own_name(table_name);
                (!own).then(|| ("schema", dotted(database, table_name, "")))
            }
            AuthAction::CreateIndex { index_name, table_name }
            | AuthAction::DropIndex { index_name, table_name } => {
                let own = refreshing && database == "scratch" && own_name(table_name) && own_name(index_name);
                (!own).then(|| ("schema", dotted(database, index_name, "")))
            }
            // Raised for each index that CREATE INDEX fills.
            AuthAction::Reindex { .. } if refreshing && database == "scratch" => None,
            other => Some(denied_action(&other)),
        }
    }

    fn may_read(&self, database: &str, table: &str, column: &str, refreshing: bool) -> bool {
        match database {
            "log" => table == EVENTS && (column.is_empty() || self.columns.contains(&column)),
            "scratch" => own_name(table) || (refreshing && table == "sqlite_master"),
            "feed" => refreshing && table == "events",
            // A table of which no column is used is reported without its database, as are the
            // names of subqueries.
            "" => {
                column.is_empty()
                    && !table.contains("pragma_")
                    && !table.starts_with("json_")
                    && own_name_or_log(table)
            }
            _ => false,
        }
    }
}

/// Whether a strategy may use the name for a table or an index of its own.
fn own_name(name: &str) -> bool {
    name != EVENTS && own_name_or_log(name)
}

fn own_name_or_log(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !lower.starts_with(HOST_PREFIX)
        && (!lower.starts_with("sqlite_") || lower.starts_with("sqlite_autoindex_"))
}

fn dotted(database: &str, table: &str, column: &str) -> String {
    [database, table, column].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".")
}

fn denied_action(action: &AuthAction<'_>) -> (&'static str, String) {
    match action {
        AuthAction::Attach { filename } => ("attach", (*filename).to_owned()),
        AuthAction::Detach { database_name } => ("attach", (*database_name).to_owned()),
        AuthAction::Pragma { pragma_name, .. } => ("pragma", (*pragma_name).to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            ("transaction", "statement".to_owned())
        }
        AuthAction::Recursive => ("recursive", "WITH RECURSIVE".to_owned()),
        AuthAction::CreateVtable { table_name, module_name }
        | AuthAction::DropVtable { table_name, module_name } => {
            ("virtual-table", format!("{table_name} ({module_name})"))
        }
        other => ("statement", format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_owned()),
    }
}
