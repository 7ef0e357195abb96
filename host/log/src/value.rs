//! Values of SQL, as a strategy gives and gets them.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::error::Error;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// What a query returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows' cells, row after row, each as many as there are columns.
    pub cells: Vec<Value>,
}

impl Value {
    /// A cell of a result. Fails where a text is not UTF-8.
    pub(crate) fn of(cell: ValueRef<'_>) -> Result<Self, Error> {
        Ok(match cell {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Self::Text(text.to_owned()),
                Err(_) => return Err(Error::Sql { what: "a text in the result is not UTF-8".to_owned() }),
            },
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_owned()),
        })
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}
