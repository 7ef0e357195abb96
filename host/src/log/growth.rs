//! How large a text may become while SQLite prepares it.
//!
//! SQLite puts a subquery's expressions in the place of every name that stands for them, and a common
//! table in the place of every use. So thirty levels of `SELECT x + x AS x FROM (…)` become a
//! thousand million terms, in gigabytes of memory, before anything that could interrupt is asked. The text
//! bounds it: a level multiplies what lies below by how often it uses one name, at most.

use std::collections::HashMap;

/// Words that cannot be the name of a column or a table unless they are quoted.
const RESERVED: &[&str] = &[
    "and", "as", "between", "case", "collate", "else", "exists", "from", "group", "having", "in", "is",
    "isnull", "join", "limit", "not", "notnull", "null", "on", "or", "order", "select", "set", "then",
    "union", "using", "values", "when", "where",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Word(&'a str),
    Open,
    Close,
    Star,
    Dot,
    Other,
}

/// One SELECT, and how often it uses each name.
struct Level {
    depth: usize,
    names: HashMap<String, u64>,
    stars: u64,
}

impl Level {
    fn at(depth: usize) -> Self {
        Self { depth, names: HashMap::new(), stars: 0 }
    }

    /// A star stands for every name once.
    fn factor(&self) -> u64 {
        (self.names.values().copied().max().unwrap_or(0) + self.stars).max(1)
    }
}

/// A bound on the terms that a text becomes.
pub(super) fn bound(sql: &str) -> u64 {
    let tokens = tokens(sql);
    let (mut depth, mut product) = (0, 1u64);
    let mut levels = vec![Level::at(0)];
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.saturating_sub(1);
                while levels.last().is_some_and(|level| level.depth > depth) {
                    product = product.saturating_mul(levels.pop().map_or(1, |level| level.factor()));
                }
            }
            Token::Word(word) if word.eq_ignore_ascii_case("select") => levels.push(Level::at(depth)),
            Token::Word(word) if RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) => {}
            // A function's name, or a table's before its column.
            Token::Word(_) | Token::Name(_)
                if matches!(tokens.get(at + 1), Some(Token::Open | Token::Dot)) => {}
            Token::Word(name) | Token::Name(name) => {
                if let Some(level) = levels.last_mut() {
                    *level.names.entry(name.to_ascii_lowercase()).or_default() += 1;
                }
            }
            Token::Star => {
                if let Some(level) = levels.last_mut() {
                    level.stars += 1;
                }
            }
            Token::Dot | Token::Other => {}
        }
    }
    let product = levels.iter().fold(product, |product, level| product.saturating_mul(level.factor()));
    product.saturating_mul(tokens.len() as u64)
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
            b'\'' => (quoted(rest, b'\''), Some(Token::Other)),
            b'"' | b'`' => {
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
        assert!(bound(&nested(30)) > 1 << 30);
        assert!(bound(&nested(30).replace("x + x", "\"x\" + [x]")) > 1 << 30);
        assert!(bound(&nested(30).replace("x + x", "x + (SELECT 1) + x")) > 1 << 30);
        assert!(bound(&nested(30).replace("x + x AS x", "*, *")) > 1 << 30);
        assert!(bound(&nested(30).replace("x + x", "/*'*/x--'\n+ X")) > 1 << 30);
    }

    #[test]
    fn common_tables_that_are_used_twice_are_counted() {
        let tables: String =
            (1..30).map(|n| format!(", c{n} AS (SELECT a.x FROM c{0} a, c{0} b)", n - 1)).collect();
        assert!(bound(&format!("WITH c0 AS (SELECT 1 AS x){tables} SELECT x FROM c29")) > 1 << 29);
    }

    #[test]
    fn an_honest_text_stays_small() {
        let honest = "SELECT e.id, (SELECT count(*) FROM t WHERE t.id < e.id AND t.x = 'it''s; (' ) FROM (SELECT id FROM u) e \
                      WHERE e.id > ? AND e.id < ? AND e.id <> 5";
        assert!(bound(honest) < 2_000, "{}", bound(honest));
    }

    #[test]
    fn every_text_ends() {
        for text in
            ["'", "\"", "[", "`", "/*", "--", "é'é", "(((", ")))", "\"\"", "''", "[]", "x'", "$", "*/"]
        {
            bound(text);
            bound(&text.repeat(3));
        }
    }
}
