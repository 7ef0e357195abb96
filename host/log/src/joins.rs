//! Joins that name their columns without SQLite asking the gate: NATURAL and USING compare columns that
//! nobody has been granted, and so tell their values.

use crate::log::gate::EVENTS;
use crate::log::tokens::{Token, tokens};

/// The join of a text on the log that may compare a column which is not granted, if there is one.
pub(super) fn unasked(sql: &str, granted: &[&str]) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_by_name_is_for_granted_columns_alone() {
        let unasked = |sql| unasked(sql, &["id", "action"]).is_some();
        assert!(!unasked("SELECT a.id FROM audit_events a JOIN audit_events b USING (id, \"Action\")"));
        assert!(!unasked("SELECT a FROM x NATURAL JOIN y JOIN z USING (series)"));
        assert!(unasked("SELECT a.id FROM audit_events a JOIN x USING (id, payload_len)"));
        assert!(unasked("SELECT a.id FROM [Audit_Events] a JOIN x USING/**/('payload_len')"));
        assert!(unasked("SELECT a.id FROM 'audit_events' a natural LEFT JOIN x"));
    }
}
