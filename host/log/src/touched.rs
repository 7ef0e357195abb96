//! What a statement touches, as SQLite tells the authorizer while it prepares it.

use rusqlite::hooks::AuthAction;

use crate::grants::EVENTS;

/// Tables, columns and functions, each once, in the order in which SQLite came upon them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Tables: the log's plainly, others with their schema.
    pub tables: Vec<String>,
    /// Columns, each after its table.
    pub columns: Vec<String>,
    /// Functions, operators such as LIKE among them.
    pub functions: Vec<String>,
    /// Names without a schema of which no column is used: a table's, or one that the statement itself
    /// gives a subquery.
    pub unplaced: Vec<String>,
}

impl Touched {
    /// Takes in one of SQLite's questions.
    pub fn take_in(&mut self, action: &AuthAction<'_>, database: &str) {
        match *action {
            AuthAction::Read { table_name, column_name } => {
                self.table(database, table_name);
                if !column_name.is_empty() {
                    let column = format!("{}.{}", placed(database, table_name), lower(column_name));
                    add(&mut self.columns, column);
                }
            }
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::CreateTable { table_name }
            | AuthAction::DropTable { table_name }
            | AuthAction::CreateVtable { table_name, .. }
            | AuthAction::DropVtable { table_name, .. } => self.table(database, table_name),
            AuthAction::Function { function_name } => {
                add(&mut self.functions, lower(function_name));
            }
            _ => {}
        }
    }

    fn table(&mut self, database: &str, table: &str) {
        // SQLite's own bookkeeping for CREATE and DROP.
        if table.eq_ignore_ascii_case("sqlite_master") && database == "scratch" {
            return;
        }
        if database.is_empty() && !table.eq_ignore_ascii_case(EVENTS) {
            add(&mut self.unplaced, lower(table));
        } else {
            add(&mut self.tables, placed(database, table));
        }
    }
}

/// A table's name as reports show it.
pub fn placed(database: &str, table: &str) -> String {
    if table.eq_ignore_ascii_case(EVENTS) { lower(table) } else { format!("{database}.{}", lower(table)) }
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn add(list: &mut Vec<String>, name: String) {
    if !list.contains(&name) {
        list.push(name);
    }
}
