//! What the strategy asks of whoever runs it. The guest's adapters and the native twin implement it.

/// A parameter of a statement, bound in order to `?` or `?n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// Text.
    Text(&'a str),
}

impl From<Option<i64>> for Param<'_> {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Integer)
    }
}

impl<'a> From<Option<&'a str>> for Param<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

/// What a query returned, in the query's order.
pub trait Rows {
    /// How many rows.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The integer in a cell, both counted from 0. None: NULL, another type, or no such cell.
    fn integer(&self, row: usize, column: usize) -> Option<i64>;
}

/// What [`page`](crate::page) and [`refresh`](crate::refresh) may read.
pub trait Reader {
    /// A query's rows.
    type Rows: Rows;
    /// A claim to one event, made by the host from an id.
    type Event;
    /// Why a call was not answered. The strategy returns it as it came.
    type Error;

    /// The largest id of the snapshot; 0 where the log is empty.
    fn high_water(&mut self) -> i64;

    /// Runs one SELECT.
    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Self::Rows, Self::Error>;

    /// Runs one SELECT whose first column is an event's id: a handle for each row, in order.
    fn select(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Self::Event>, Self::Error>;

    /// A handle for each id, in order.
    fn fetch(&mut self, ids: &[i64]) -> Result<Vec<Self::Event>, Self::Error>;

    /// The strategy's own failure: its tables do not hold what they must. For people only.
    fn broken(what: &str) -> Self::Error;
}

/// What [`refresh`](crate::refresh) may do besides.
pub trait Writer: Reader {
    /// Runs one statement on tables of scratch. Returns how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Self::Error>;

    /// Runs one statement once for each group of parameters, the groups standing in `params` one
    /// after another. Returns how many rows all runs changed; does nothing where `params` is empty.
    fn execute_many(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, Self::Error>;
}

/// The integer that a column of the strategy's own tables must hold.
pub(crate) fn integer<R: Reader>(rows: &R::Rows, row: usize, column: usize) -> Result<i64, R::Error> {
    rows.integer(row, column).ok_or_else(|| R::broken("a table lacks an integer where one belongs"))
}

/// The same for a count, which is never negative.
pub(crate) fn count<R: Reader>(rows: &R::Rows, row: usize, column: usize) -> Result<u64, R::Error> {
    u64::try_from(integer::<R>(rows, row, column)?).map_err(|_| R::broken("a table holds a negative count"))
}
