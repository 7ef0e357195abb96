//! SQL as tokens: as much of SQLite's own reading as the host needs before it lets SQLite read.

/// A token, as far as the host cares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
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
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
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
    fn every_text_ends() {
        for text in
            ["'", "\"", "[", "`", "/*", "--", "é'é", "(((", ")))", "\"\"", "''", "[]", "x'", "$", "*/"]
        {
            tokens(text);
            tokens(&text.repeat(3));
        }
    }
}
