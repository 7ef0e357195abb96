//! The authorizer: SQLite asks it about everything that a statement would touch, when the statement
//! is prepared. It allows by list and denies the rest.
//!
//! Its answer is never "ignore", which would turn a column into NULL: a lie that nobody sees.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use crate::error::Error;
use crate::grants::{EVENTS, Grants};
use crate::touched::Touched;

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

/// What comes with a module of virtual tables that is granted: SQLite's own functions for it.
const OF_FTS5: &[&str] = &["bm25", "highlight", "match", "snippet"];

/// The modules of this SQLite, and how the names begin of those that it makes when they are first
/// named: tables that are there without having been made, or that somebody would have to make.
const MODULES: &[&str] = &["fts5", "fts5vocab"];
const MODULE_PREFIXES: &[&str] = &["pragma_", "json_", "jsonb_", "fts3", "fts4"];

/// How a text begins that is no PRAGMA, for certain.
const PLAIN: &[&str] =
    &["create", "delete", "drop", "insert", "replace", "select", "update", "values", "with"];

/// What the host's own tables in scratch are called.
pub const HOST_PREFIX: &str = "keyhole_";

/// SQLite's catalogue of a database. While it runs CREATE and DROP it keeps it by ordinary writes, and
/// finds rows in it by these columns; the one that it never needs to read is the text.
const CATALOGUE: &str = "sqlite_master";
const CATALOGUE_COLUMNS: &[&str] = &["ROWID", "type", "name", "tbl_name", "rootpage"];

/// The authorizer of one connection.
#[derive(Debug)]
pub struct Authorizer {
    author: AtomicU8,
    preparing: AtomicBool,
    /// Whether the text that is being prepared may be a PRAGMA itself.
    may_be_pragma: AtomicBool,
    columns: Vec<&'static str>,
    functions: Vec<&'static str>,
    modules: Vec<&'static str>,
    seen: Mutex<Seen>,
}

/// What came of the statement that is being prepared.
#[derive(Debug, Default)]
struct Seen {
    denial: Option<(&'static str, String)>,
    touched: Touched,
    /// Whether it makes or drops something, and whether it would write to the catalogue.
    changes_schema: bool,
    writes_catalogue: bool,
    /// Whether its text begins with CREATE: then it has SQLite write there, or do nothing.
    creates: bool,
}

impl Authorizer {
    /// The authorizer of the host's own connections: a strategy's statement could do nothing on one.
    pub fn of_host() -> Arc<Self> {
        Self::with(Vec::new(), Vec::new(), Vec::new())
    }

    /// An authorizer that lets through what is granted.
    pub fn new(grants: &Grants) -> Arc<Self> {
        let modules = grants.virtual_tables.clone();
        let mut functions = grants.functions.clone();
        if modules.contains(&"fts5") {
            functions.extend(OF_FTS5);
        }
        Self::with(grants.columns.clone(), functions, modules)
    }

    fn with(
        columns: Vec<&'static str>,
        functions: Vec<&'static str>,
        modules: Vec<&'static str>,
    ) -> Arc<Self> {
        Arc::new(Self {
            author: AtomicU8::new(Author::Host as u8),
            preparing: AtomicBool::new(false),
            may_be_pragma: AtomicBool::new(false),
            columns,
            functions,
            modules,
            seen: Mutex::default(),
        })
    }

    /// From now on statements are this author's.
    pub fn admit(&self, author: Author) {
        self.author.store(author as u8, Relaxed);
    }

    /// Whether any virtual table is granted.
    pub fn grants_virtual_tables(&self) -> bool {
        !self.modules.is_empty()
    }

    /// The columns of the log that are granted.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// A text of the strategy's is about to be prepared: what it touches is collected. Statements that
    /// come later, while it runs, are SQLite's own.
    pub fn begin_text(&self, sql: &str) {
        let first = sql.split(|end: char| !end.is_ascii_alphabetic()).next().unwrap_or_default();
        let plain = PLAIN.iter().any(|word| word.eq_ignore_ascii_case(first));
        self.may_be_pragma.store(!plain, Relaxed);
        let creates = first.eq_ignore_ascii_case("create");
        *self.seen() = Seen { creates, ..Seen::default() };
        self.preparing.store(true, Relaxed);
    }

    /// The text is prepared, or was refused. What it touches.
    pub fn end_text(&self) -> Touched {
        self.preparing.store(false, Relaxed);
        let mut seen = self.seen();
        // The defensive setting has refused it: to say so is left to us.
        if seen.writes_catalogue && !seen.changes_schema && !seen.creates && seen.denial.is_none() {
            seen.denial = Some(("schema", dotted("scratch", CATALOGUE, "")));
        }
        std::mem::take(&mut seen.touched)
    }

    /// The denial that made the last statement fail, if one did.
    pub fn take_denial(&self) -> Option<Error> {
        self.seen().denial.take().map(|(rule, object)| Error::Denied { rule, object })
    }

    /// SQLite's question. A denial is kept with its rule and object: SQLite itself only says "not
    /// authorized".
    pub fn judge(&self, context: AuthContext<'_>) -> Authorization {
        let author = self.author.load(Relaxed);
        if author == Author::Host as u8 {
            return Authorization::Allow;
        }
        let refreshing = author == Author::Refresh as u8;
        let mut seen = self.seen();
        let preparing = self.preparing.load(Relaxed);
        if preparing {
            seen.touched.take_in(&context.action, context.database_name.unwrap_or_default());
        }
        match self.rule(&context, refreshing, preparing, &mut seen) {
            None => Authorization::Allow,
            Some(denial) => {
                // The first one says what the statement wanted.
                seen.denial.get_or_insert(denial);
                Authorization::Deny
            }
        }
    }

    fn rule(
        &self,
        context: &AuthContext<'_>,
        refreshing: bool,
        preparing: bool,
        seen: &mut Seen,
    ) -> Option<(&'static str, String)> {
        let database = context.database_name.unwrap_or_default().to_ascii_lowercase();
        let database = database.as_str();
        let in_scratch = refreshing && database == "scratch";
        match context.action {
            AuthAction::Select => None,
            AuthAction::Read { table_name, column_name } => {
                if in_scratch && table_name.eq_ignore_ascii_case(CATALOGUE) {
                    let own = seen.changes_schema && CATALOGUE_COLUMNS.contains(&column_name);
                    return (!own).then(|| ("read", dotted(database, table_name, column_name)));
                }
                self.denies_read(database, table_name, column_name, refreshing)
            }
            AuthAction::Function { function_name } => {
                let granted =
                    self.functions.iter().any(|function| function_name.eq_ignore_ascii_case(function));
                (!granted).then(|| ("function", function_name.to_owned()))
            }
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. } => {
                let catalogue = table_name.eq_ignore_ascii_case(CATALOGUE);
                seen.writes_catalogue |= catalogue;
                let rule = match () {
                    () if database == "temp" => "temp",
                    () if catalogue => "schema",
                    () => "write",
                };
                (!(in_scratch && (catalogue || own_name(table_name))))
                    .then(|| (rule, dotted(database, table_name, "")))
            }
            AuthAction::CreateTable { table_name } | AuthAction::DropTable { table_name } => {
                let own = in_scratch && own_name(table_name);
                seen.changes_schema |= own;
                (!own).then(|| ("schema", dotted(database, table_name, "")))
            }
            AuthAction::CreateIndex { index_name, table_name }
            | AuthAction::DropIndex { index_name, table_name } => {
                let own = in_scratch && own_name(table_name) && own_name(index_name);
                seen.changes_schema |= own;
                (!own).then(|| ("schema", dotted(database, index_name, "")))
            }
            AuthAction::CreateVtable { table_name, module_name }
            | AuthAction::DropVtable { table_name, module_name } => {
                let granted = self.modules.iter().any(|module| module_name.eq_ignore_ascii_case(module));
                let own = in_scratch && granted && own_name(table_name);
                seen.changes_schema |= own;
                (!own).then(|| ("virtual-table", format!("{table_name} ({module_name})")))
            }
            // Raised for each index that CREATE INDEX fills.
            AuthAction::Reindex { .. } if in_scratch => None,
            // A full-text index asks, when it is opened and while it runs, whether another connection
            // has changed it.
            AuthAction::Pragma { pragma_name, pragma_value: None }
                if !(preparing && self.may_be_pragma.load(Relaxed))
                    && self.grants_virtual_tables()
                    && database == "scratch"
                    && pragma_name.eq_ignore_ascii_case("data_version") =>
            {
                None
            }
            other => Some(denied_action(&other)),
        }
    }

    fn denies_read(
        &self,
        database: &str,
        table: &str,
        column: &str,
        refreshing: bool,
    ) -> Option<(&'static str, String)> {
        let events = table.eq_ignore_ascii_case(EVENTS);
        let granted = match database {
            "log" => {
                let known = |granted: &&str| granted.eq_ignore_ascii_case(column);
                events && (column.is_empty() || self.columns.iter().any(known))
            }
            "scratch" => own_name(table),
            "feed" => refreshing && table.eq_ignore_ascii_case("events"),
            // A table of which no column is used is reported as it was named, as are the names of
            // subqueries: without its database.
            "" => column.is_empty() && (events || own_name(table)),
            _ => false,
        };
        // The main database is empty: what seems to lie there is made up by a module.
        let made_up = database == "main" && !table.to_ascii_lowercase().starts_with("sqlite_");
        let rule = if made_up || is_module(table) { "virtual-table" } else { "read" };
        (!granted).then(|| (rule, dotted(database, table, column)))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a strategy may use the name for a table or an index of its own.
fn own_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower != EVENTS
        && !lower.starts_with(HOST_PREFIX)
        && !is_module(&lower)
        && (!lower.starts_with("sqlite_") || lower.starts_with("sqlite_autoindex_"))
}

/// Whether a table of this name could be one that a module makes up.
pub fn is_module(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    MODULES.contains(&lower.as_str()) || MODULE_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

fn dotted(database: &str, table: &str, column: &str) -> String {
    [database, table, column].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(".")
}

fn denied_action(action: &AuthAction<'_>) -> (&'static str, String) {
    let named = |rule, name: &str| (rule, name.to_owned());
    match *action {
        AuthAction::Attach { filename } => named("attach", filename),
        AuthAction::Detach { database_name } => named("attach", database_name),
        AuthAction::Pragma { pragma_name, .. } => named("pragma", pragma_name),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => named("transaction", "statement"),
        AuthAction::Recursive => named("recursive", "WITH RECURSIVE"),
        AuthAction::AlterTable { table_name, .. } | AuthAction::Analyze { table_name } => {
            named("schema", table_name)
        }
        AuthAction::Reindex { index_name } => named("schema", index_name),
        AuthAction::CreateTempIndex { index_name: name, .. }
        | AuthAction::DropTempIndex { index_name: name, .. }
        | AuthAction::CreateTempTable { table_name: name }
        | AuthAction::DropTempTable { table_name: name } => named("temp", name),
        AuthAction::CreateView { view_name: name }
        | AuthAction::DropView { view_name: name }
        | AuthAction::CreateTempView { view_name: name }
        | AuthAction::DropTempView { view_name: name } => named("view", name),
        AuthAction::CreateTrigger { trigger_name: name, .. }
        | AuthAction::DropTrigger { trigger_name: name, .. }
        | AuthAction::CreateTempTrigger { trigger_name: name, .. }
        | AuthAction::DropTempTrigger { trigger_name: name, .. } => named("trigger", name),
        // One that this SQLite does not know yet.
        _ => named("statement", "of an unknown kind"),
    }
}
