//! A payload is one line of JSON.

use serde_json::Value;

/// The decoded line, or None where it is not exactly one JSON value. White space around the value,
/// such as the line's newline, is not part of it.
pub fn decode(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_line_with_its_newline_is_decoded() {
        let decoded = decode(b"{\"tags\": [\"a\", 1]}\n");
        assert_eq!(decoded, Some(serde_json::json!({"tags": ["a", 1]})));
    }

    #[test]
    fn what_is_not_one_json_value_is_not_decoded() {
        for line in [&b""[..], b"\n", b"{", b"{} {}\n", b"{}\n{}\n", b"\"\xff\"\n", b"nan"] {
            assert_eq!(decode(line), None, "{line:?}");
        }
    }
}
