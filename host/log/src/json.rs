//! Whether bytes are one JSON value, by RFC 8259 and nothing narrower, and by name what they are instead.

use serde::de::IgnoredAny;

/// Levels of arrays and objects that a value may nest. The grammar has no bound; whoever decodes a page has one, and a
/// bound that is stated can be relied on.
pub(crate) const MOST_LEVELS: usize = 10_000;

/// Characters of an offending word that are shown.
const SHOWN: usize = 40;

/// Checks that the bytes are one JSON value with nothing but white space around it. On the way says what is there
/// instead, with the byte at which it begins.
///
/// `serde_json` reads over a value in a loop with a stack of its own, so that no nesting can exhaust the thread's, and
/// looks at nothing that a decoder alone would care for: a number beyond a double's range, half of a surrogate pair.
pub(crate) fn check(json: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(json).map_err(|error| not_utf8(json, error.valid_up_to()))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(text, &error))?;
    // Each level takes two bytes.
    match (json.len() >= 2 * MOST_LEVELS).then(|| too_deep(json)).flatten() {
        Some(at) => Err(format!("it nests deeper than {MOST_LEVELS} levels at byte {at}")),
        None => Ok(()),
    }
}

/// Why a decoder of the common kind fails on a JSON value: a number beyond a double's range, half of a surrogate pair,
/// more than 127 levels. None where it does not.
pub(crate) fn undecodable(json: &[u8]) -> Option<String> {
    serde_json::from_slice::<serde_json::Value>(json).err().map(|error| words(&error))
}

fn not_utf8(json: &[u8], at: usize) -> String {
    let byte = json.get(at).copied().unwrap_or_default();
    format!("byte {byte:#04x} at {at} is not UTF-8")
}

fn not_json(text: &str, error: &serde_json::Error) -> String {
    let words = words(error);
    if error.is_eof() {
        return format!("its line ends before its JSON value does: {words}");
    }
    // A column counts the bytes up to and with the one that is wrong, but for a control character, which it does
    // not count.
    let last = error.column().saturating_sub(1);
    let at = if words.starts_with("control character") { error.column() } else { last };
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let in_word =
        matches!(&*words, "expected value" | "expected ident" | "invalid number" | "trailing characters");
    let (before, from) = text.as_bytes().split_at_checked(at).unwrap_or_default();
    let begun = before.iter().rev().take_while(|byte| in_word && is_of_word(byte)).count();
    let rest = from.iter().take_while(|byte| in_word && is_of_word(byte)).count();
    let start = at - begun.min(at);
    let what = match text.get(start..start + begun + rest) {
        Some(word) if !word.is_empty() => word.chars().take(SHOWN).collect(),
        _ => shown(text, at),
    };
    format!("{what} at byte {start} is not JSON: {words}")
}

/// The character at or around a byte, escaped.
fn shown(text: &str, at: usize) -> String {
    let character = text.get(at..).and_then(|rest| rest.chars().next());
    character.map_or_else(|| "what stands there".to_owned(), |character| format!("{character:?}"))
}

/// The parser's words, without its line and column.
fn words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or_default().to_owned()
}

/// The byte at which a value that is JSON opens one level too many.
fn too_deep(json: &[u8]) -> Option<usize> {
    let (mut levels, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                levels += 1;
                if levels > MOST_LEVELS {
                    return Some(at);
                }
            }
            b']' | b'}' if !in_string => levels -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 8259 once more, by recursive descent over its productions: what the check is held against.
    struct Grammar<'a>(&'a [u8]);

    impl Grammar<'_> {
        fn accepts(text: &[u8]) -> bool {
            let mut rest = Grammar(text);
            std::str::from_utf8(text).is_ok() && rest.value() && rest.0.is_empty()
        }

        fn space(&mut self) {
            while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.0 {
                self.0 = rest;
            }
        }

        fn eat(&mut self, word: &[u8]) -> bool {
            self.0.strip_prefix(word).inspect(|rest| self.0 = rest).is_some()
        }

        fn value(&mut self) -> bool {
            self.space();
            let is_value = match self.0.first() {
                Some(b'{') => self.list(b"{", b"}", |it| {
                    it.space();
                    let named = it.string();
                    it.space();
                    named && it.eat(b":") && it.value()
                }),
                Some(b'[') => self.list(b"[", b"]", Self::value),
                Some(b'"') => self.string(),
                Some(b'-' | b'0'..=b'9') => self.number(),
                _ => self.eat(b"null") || self.eat(b"true") || self.eat(b"false"),
            };
            self.space();
            is_value
        }

        fn list(&mut self, open: &[u8], close: &[u8], mut item: impl FnMut(&mut Self) -> bool) -> bool {
            assert!(self.eat(open));
            self.space();
            if self.eat(close) {
                return true;
            }
            loop {
                if !item(self) {
                    return false;
                }
                if self.eat(close) {
                    return true;
                }
                if !self.eat(b",") {
                    return false;
                }
            }
        }

        fn string(&mut self) -> bool {
            if !self.eat(b"\"") {
                return false;
            }
            loop {
                match self.0 {
                    [b'"', rest @ ..] => {
                        self.0 = rest;
                        return true;
                    }
                    [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => {
                        self.0 = rest;
                    }
                    [b'\\', b'u', a, b, c, d, rest @ ..]
                        if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                    {
                        self.0 = rest;
                    }
                    [b'\\' | 0..=0x1f, ..] | [] => return false,
                    [_, rest @ ..] => self.0 = rest,
                }
            }
        }

        fn digits(&mut self) -> bool {
            let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.0 = &self.0[digits..];
            digits > 0
        }

        fn number(&mut self) -> bool {
            self.eat(b"-");
            let whole = self.eat(b"0") || self.digits();
            let fraction = !self.eat(b".") || self.digits();
            let exponent = !(self.eat(b"e") || self.eat(b"E")) || {
                let _ = self.eat(b"+") || self.eat(b"-");
                self.digits()
            };
            whole && fraction && exponent
        }
    }

    fn why(json: impl AsRef<[u8]>) -> String {
        check(json.as_ref()).unwrap_err()
    }

    #[test]
    fn what_rfc_8259_allows_is_accepted_whatever_a_decoder_would_make_of_it() {
        for json in [
            "1e400",
            "-1E+999",
            "1e-999",
            "[1e400, 18446744073709551616]",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "{\"\\ud800\": 1}",
            "{\"a\": 1, \"a\": 2}",
            "\"\u{7f}\u{2028}\u{fffe}\u{10ffff}\"",
            "\"\\u0000\"",
            " \t\r{ } ",
            "-0",
            "0.0e0",
            "\"\"",
            "null",
        ] {
            assert_eq!(check(json.as_bytes()), Ok(()), "{json}");
        }
        assert_eq!(check("7".repeat(100_000).as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_no_json_is_named_with_the_byte_at_which_it_begins() {
        for (json, said) in [
            ("{\"amount\": NaN}", "NaN at byte 11 is not JSON: expected value"),
            ("[1, Infinity]", "Infinity at byte 4 is not JSON: expected value"),
            ("[1, -Infinity]", "-Infinity at byte 4 is not JSON: invalid number"),
            ("nan", "nan at byte 0 is not JSON: expected ident"),
            ("{\"a\": undefined}", "undefined at byte 6 is not JSON: expected value"),
            ("[True]", "True at byte 1 is not JSON: expected value"),
            ("nullx", "nullx at byte 0 is not JSON: trailing characters"),
            ("{} {}", "'{' at byte 3 is not JSON: trailing characters"),
            ("[01]", "01 at byte 1 is not JSON: invalid number"),
            ("[1.]", "1. at byte 1 is not JSON: invalid number"),
            ("[+1]", "+1 at byte 1 is not JSON: expected value"),
            ("[.5]", ".5 at byte 1 is not JSON: expected value"),
            ("[0x1f]", "'x' at byte 2 is not JSON"),
            ("[1,]", "']' at byte 3 is not JSON"),
            ("{\"a\":1,}", "'}' at byte 7 is not JSON"),
            ("{'a': 1}", "'\\'' at byte 1 is not JSON: key must be a string"),
            ("{\"a\" 1}", "'1' at byte 5 is not JSON: expected `:`"),
            ("\"a\u{1}b\"", "'\\u{1}' at byte 2 is not JSON: control character"),
            ("\"tab\there\"", "'\\t' at byte 4 is not JSON: control character"),
            ("\"\\x41\"", "'x' at byte 2 is not JSON: invalid escape"),
            ("\u{feff}{}", "'\\u{feff}' at byte 0 is not JSON: expected value"),
            ("// no", "'/' at byte 0 is not JSON: expected value"),
            ("{", "ends before its JSON value does"),
            ("\"abc", "ends before its JSON value does"),
            ("", "ends before its JSON value does"),
            (" ", "ends before its JSON value does"),
        ] {
            assert!(why(json).contains(said), "{json}: {}", why(json));
        }
        assert_eq!(why(b"{\"a\": \"\xff\"}"), "byte 0xff at 7 is not UTF-8");
        // A surrogate in UTF-8, and a character in more bytes than it needs.
        assert_eq!(why(b"\"\xed\xa0\x80\""), "byte 0xed at 1 is not UTF-8");
        assert_eq!(why(b"\"\xc0\xaf\""), "byte 0xc0 at 1 is not UTF-8");
    }

    #[test]
    fn a_value_may_nest_ten_thousand_levels_on_any_stack_and_no_more() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let on_a_small_stack = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            assert_eq!(check(nested(MOST_LEVELS).as_bytes()), Ok(()));
            assert_eq!(check(objects(MOST_LEVELS).as_bytes()), Ok(()));
            assert_eq!(why(nested(MOST_LEVELS + 1)), "it nests deeper than 10000 levels at byte 10000");
            assert!(why(objects(1_000_000)).contains("deeper than 10000 levels"));
            // Brackets in strings, and one after another, nest nothing.
            assert_eq!(check(format!("\"\\\"{}\"", "[".repeat(50_000)).as_bytes()), Ok(()));
            assert_eq!(check(format!("[{}1]", "[],".repeat(50_000)).as_bytes()), Ok(()));
        });
        on_a_small_stack.unwrap().join().unwrap();
    }

    #[test]
    fn what_common_decoders_cannot_take_is_told_from_what_they_can() {
        let deep = "[".repeat(128) + &"]".repeat(128);
        for json in ["1e400", "\"\\ud800\"", &deep] {
            assert_eq!(
                (check(json.as_bytes()), undecodable(json.as_bytes()).is_some()),
                (Ok(()), true),
                "{json}"
            );
        }
        assert_eq!(undecodable(b"{\"a\": [1, 2.5, \"\\ud83d\\ude00\"]}\n"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn it_accepts_what_the_grammar_does(
            line in "[\\[\\]{},:\"\\\\a-fntrulsNI0-9.eE+ \t\u{1}é-]{0,24}",
        ) {
            prop_assert_eq!(check(line.as_bytes()).is_ok(), Grammar::accepts(line.as_bytes()), "{}", line);
        }

        #[test]
        fn it_accepts_what_the_grammar_does_near_to_what_is_json(
            (json, at, byte) in (json(), any::<prop::sample::Index>(), any::<u8>()),
        ) {
            prop_assert_eq!(check(json.as_bytes()), Ok(()), "{}", json);
            let mut changed = json.into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte;
            prop_assert_eq!(check(&changed).is_ok(), Grammar::accepts(&changed), "{}", String::from_utf8_lossy(&changed));
        }
    }

    /// Texts that are JSON by their making.
    fn json() -> impl Strategy<Value = String> {
        let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?";
        let string = "\"([ !#-\\[\\]-~é\u{2028}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,8}\"";
        let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, string];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            let entries = prop::collection::vec((string, inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
                entries.prop_map(|entries| {
                    let entries: Vec<_> =
                        entries.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                    format!("{{{}}}", entries.join(", "))
                }),
            ]
        })
    }
}
