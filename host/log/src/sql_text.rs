//! What the host reads in a text of SQL before it lets SQLite read it.
//!
//! **How large it may become.** SQLite puts a subquery's expressions in the place of every name that stands for them,
//! and a common table in the place of every use. So thirty levels of `SELECT x + x AS x FROM (…)` become a thousand
//! million terms, in gigabytes of memory, before anything that could interrupt is asked. The text bounds it: a level
//! multiplies what lies below by how often it uses one name, at most.
//!
//! **What SQLite does not ask about.** NATURAL and USING compare columns that nobody has been granted, and so tell
//! their values.

use std::collections::HashMap;

use crate::grants::EVENTS;

/// Words that cannot be the name of a column or a table unless they are quoted.
const RESERVED: &[&str] = &[
    "and", "as", "between", "case", "collate", "else", "exists", "from", "group", "having", "in", "is",
    "isnull", "join", "limit", "not", "notnull", "null", "on", "or", "order", "select", "set", "then",
    "union", "using", "values", "when", "where",
];

/// One SELECT, how often it uses each name, and what lies in it.
struct Level {
    depth: usize,
    names: HashMap<String, u64>,
    stars: u64,
    tokens: u64,
    /// The terms of the SELECTs within it.
    within: u64,
    common_table: bool,
}

impl Level {
    fn at(depth: usize, common_table: bool) -> Self {
        Self { depth, names: HashMap::new(), stars: 0, tokens: 0, within: 0, common_table }
    }

    /// How often it may repeat what lies within, and what it gave a name itself. A star stands for every name once.
    fn factor(&self) -> u64 {
        (self.names.values().copied().max().unwrap_or(0) + self.stars).max(1)
    }

    fn terms(&self) -> u64 {
        self.tokens.saturating_add(self.within).saturating_mul(self.factor())
    }
}

/// The levels that are open, and what the common tables multiply.
struct Levels {
    open: Vec<Level>,
    common: u64,
}

impl Levels {
    fn close(&mut self) {
        let Some(level) = self.open.pop() else { return };
        if level.common_table {
            // Any other SELECT may use it, in whatever order they stand.
            self.common = self.common.saturating_mul(level.factor() + 1);
        }
        match self.open.last_mut() {
            Some(around) => around.within = around.within.saturating_add(level.terms()),
            None => self.open.push(level),
        }
    }

    fn name(&mut self, name: &str) {
        if let Some(level) = self.open.last_mut() {
            *level.names.entry(name.to_ascii_lowercase()).or_default() += 1;
        }
    }
}

/// A bound on the terms that a text becomes.
pub(crate) fn expanded_terms(sql: &str) -> u64 {
    let tokens = tokens(sql);
    let mut depth = 0usize;
    let mut levels = Levels { open: vec![Level::at(0, false)], common: 1 };
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.saturating_sub(1);
                while levels.open.last().is_some_and(|level| level.depth > depth) {
                    levels.close();
                }
            }
            Token::Word(word) if word.eq_ignore_ascii_case("select") => {
                let common_table = at >= 2
                    && matches!(tokens.get(at - 1), Some(Token::Open))
                    && tokens.get(at - 2).is_some_and(|before| is_word(*before, &["as", "materialized"]));
                levels.open.push(Level::at(depth, common_table));
            }
            Token::Word(word) if RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) => {}
            // A function's name, or a table's before its column.
            Token::Word(_) | Token::Name(_)
                if matches!(tokens.get(at + 1), Some(Token::Open | Token::Dot)) => {}
            Token::Word(name) | Token::Name(name) => levels.name(name),
            Token::Star => levels.open.last_mut().into_iter().for_each(|level| level.stars += 1),
            Token::Dot | Token::Other => {}
        }
        levels.open.last_mut().into_iter().for_each(|level| level.tokens += 1);
    }
    while levels.open.len() > 1 {
        levels.close();
    }
    levels.open.first().map_or(0, Level::terms).saturating_mul(levels.common)
}

fn is_word(token: Token<'_>, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The join of a text on the log that may compare a column which is not granted, if there is one.
pub(crate) fn ungranted_join(sql: &str, granted: &[&str]) -> Option<String> {
    let tokens = tokens(sql);
    let named = |token: &Token<'_>, name: &str| match token {
        Token::Name(text) | Token::Word(text) => text.eq_ignore_ascii_case(name),
        _ => false,
    };
    // Views do not run: whatever reads the log names it.
    if !tokens.iter().any(|token| named(token, EVENTS)) {
        return None;
    }
    let mut inside = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("natural") => {
                return Some("NATURAL JOIN".to_owned());
            }
            Token::Word(word) if word.eq_ignore_ascii_case("using") => {
                inside = matches!(tokens.get(at + 1), Some(Token::Open));
            }
            Token::Close => inside = false,
            Token::Name(_) | Token::Word(_)
                if inside && !granted.iter().any(|column| named(token, column)) =>
            {
                return Some(match token {
                    Token::Name(name) | Token::Word(name) => format!("USING ({name})"),
                    _ => "USING".to_owned(),
                });
            }
            _ => {}
        }
    }
    None
}

/// A token, as far as the host cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A name or a text in quotes.
    Name(&'a str),
    /// A word without quotes: a name or a keyword.
    Word(&'a str),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `*`
    Star,
    /// `.`
    Dot,
    /// Numbers, parameters, operators.
    Other,
}

/// The tokens of a text, as SQLite tells them apart; comments and spaces are left out.
fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = sql.get(at..).unwrap_or_default();
        let (length, token) = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => (1, None),
            b'-' if rest.starts_with("--") => (rest.find('\n').map_or(rest.len(), |end| end + 1), None),
            b'/' if rest.starts_with("/*") => {
                (rest.get(2..).and_then(|rest| rest.find("*/")).map_or(rest.len(), |end| end + 4), None)
            }
            b'(' => (1, Some(Token::Open)),
            b')' => (1, Some(Token::Close)),
            b'*' => (1, Some(Token::Star)),
            b'.' => (1, Some(Token::Dot)),
            // Where a name is due, SQLite takes a text for one as well.
            b'\'' | b'"' | b'`' => {
                let length = quoted(rest, byte);
                (length, Some(Token::Name(rest.get(1..length - 1).unwrap_or_default())))
            }
            b'[' => {
                let length = rest.find(']').map_or(rest.len(), |end| end + 1);
                (length, Some(Token::Name(rest.get(1..length - 1).unwrap_or_default())))
            }
            _ if in_word(byte) => {
                let length = rest.bytes().position(|byte| !in_word(byte)).unwrap_or(rest.len());
                let word = rest.get(..length).unwrap_or_default();
                // Numbers, and blobs such as x'00', are no names; nor are parameters.
                let number = byte.is_ascii_digit() || byte == b'$';
                (length, Some(if number { Token::Other } else { Token::Word(word) }))
            }
            _ => (1, Some(Token::Other)),
        };
        tokens.extend(token);
        at += length;
    }
    tokens
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The length of what begins with a quote; doubled, it is part of the text.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        if bytes.get(at) == Some(&quote) {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len().max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_doubling_is_counted_at_every_level() {
        let nested = |levels: usize| {
            format!(
                "{}id AS x FROM t{}",
                "SELECT x + x AS x FROM (SELECT ".repeat(levels),
                ")".repeat(levels)
            )
        };
        assert!(expanded_terms(&nested(30)) > 1 << 30);
        assert!(expanded_terms(&nested(30).replace("x + x", "\"x\" + [x]")) > 1 << 30);
        assert!(expanded_terms(&nested(30).replace("x + x", "x + (SELECT 1) + x")) > 1 << 30);
        assert!(expanded_terms(&nested(30).replace("x + x AS x", "*, *")) > 1 << 30);
        assert!(expanded_terms(&nested(30).replace("x + x", "/*'*/x--'\n+ X")) > 1 << 30);
    }

    #[test]
    fn common_tables_that_are_used_twice_are_counted() {
        let tables: String =
            (1..30).map(|n| format!(", c{n} AS (SELECT a.x FROM c{0} a, c{0} b)", n - 1)).collect();
        assert!(expanded_terms(&format!("WITH c0 AS (SELECT 1 AS x){tables} SELECT x FROM c29")) > 1 << 29);
    }

    #[test]
    fn an_honest_text_stays_small() {
        let honest = "SELECT e.id, (SELECT count(*) FROM t WHERE t.id < e.id AND t.x = 'it''s; (' ) FROM (SELECT id FROM u) e \
                      WHERE e.id > ? AND e.id < ? AND e.id <> 5";
        assert!(expanded_terms(honest) < 2_000, "{}", expanded_terms(honest));
        let report =
            format!("SELECT {}", vec!["(SELECT count(*) FROM t WHERE a = 5 AND a < b)"; 30].join(", "));
        assert!(expanded_terms(&report) < 20_000, "{}", expanded_terms(&report));
    }

    #[test]
    fn a_join_by_name_is_for_granted_columns_alone() {
        let unasked = |sql| ungranted_join(sql, &["id", "action"]).is_some();
        assert!(!unasked("SELECT a.id FROM audit_events a JOIN audit_events b USING (id, \"Action\")"));
        assert!(!unasked("SELECT a FROM x NATURAL JOIN y JOIN z USING (series)"));
        assert!(unasked("SELECT a.id FROM audit_events a JOIN x USING (id, payload_len)"));
        assert!(unasked("SELECT a.id FROM [Audit_Events] a JOIN x USING/**/('payload_len')"));
        assert!(unasked("SELECT a.id FROM 'audit_events' a natural LEFT JOIN x"));
    }

    #[test]
    fn every_text_ends() {
        for text in
            ["'", "\"", "[", "`", "/*", "--", "é'é", "(((", ")))", "\"\"", "''", "[]", "x'", "$", "*/"]
        {
            tokens(text);
            tokens(&text.repeat(3));
        }
    }
}
