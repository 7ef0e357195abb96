//! How sizes, times and numbers are written in a policy, and read back.

use crate::limits::Unit;

const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a size such as `64MiB` or a time such as `50ms`; None where it is neither.
pub fn read(text: &str, unit: Unit) -> Option<u64> {
    let split = text.find(|character: char| !character.is_ascii_digit() && character != '_')?;
    let (digits, suffix) = text.split_at(split);
    let (_, factor) = suffixes(unit).iter().find(|(name, _)| *name == suffix)?;
    plain(digits)?.checked_mul(*factor)
}

/// Reads a whole number, with `_` between digits where one likes.
pub fn plain(text: &str) -> Option<u64> {
    let well_formed =
        text.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    text.chars().filter(|&character| character != '_').collect::<String>().parse().ok()
}

/// Writes a number as a policy would, ready to be pasted.
pub fn written(number: u64, unit: Unit) -> String {
    match unit {
        Unit::Switch => (number != 0).to_string(),
        Unit::Count => grouped(number),
        Unit::Time | Unit::Bytes => {
            let whole =
                suffixes(unit).iter().find(|(_, factor)| number != 0 && number.is_multiple_of(*factor));
            match whole.or(suffixes(unit).last()) {
                Some((suffix, factor)) => format!("\"{}{suffix}\"", number / factor),
                None => number.to_string(),
            }
        }
    }
}

/// What may be written.
pub fn form(unit: Unit) -> &'static str {
    match unit {
        Unit::Time => "a time with its unit, such as \"50ms\", \"2s\", \"5m\" or \"1h\"",
        Unit::Bytes => "a size with its unit, such as \"512KiB\", \"64MiB\" or \"1GiB\"",
        Unit::Count => "a whole number, such as 2_000_000",
        Unit::Switch => "true or false",
    }
}

fn suffixes(unit: Unit) -> &'static [(&'static str, u64)] {
    match unit {
        Unit::Time => &TIMES,
        Unit::Bytes => &SIZES,
        Unit::Count | Unit::Switch => &[],
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number: u64) {
            for unit in [Unit::Time, Unit::Bytes] {
                let text = written(number, unit);
                prop_assert_eq!(read(text.trim_matches('"'), unit), Some(number), "{}", text);
            }
            prop_assert_eq!(plain(&written(number, Unit::Count)), Some(number));
        }

        #[test]
        fn round_numbers_are_written_in_their_largest_unit(number in 1u64..1024) {
            prop_assert_eq!(written(number << 20, Unit::Bytes), format!("\"{number}MiB\""));
            prop_assert_eq!(written(number * 1000 % 60_000 + 1, Unit::Time).contains("ms"), true);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = (plain(&text), read(&text, Unit::Time), read(&text, Unit::Bytes));
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", "64", "MiB", "64MB", "64 MiB", "-1ms", "1.5s", "_1ms", "1__0ms", "1_ms", "１ms", "50msx"]
        {
            assert_eq!((read(text, Unit::Bytes), read(text, Unit::Time)), (None, None), "{text}");
        }
        assert_eq!(read("18446744073709551615KiB", Unit::Bytes), None);
        assert_eq!(plain("18446744073709551616"), None);
        assert_eq!(
            (written(0, Unit::Bytes), written(0, Unit::Time)),
            ("\"0B\"".to_owned(), "\"0ms\"".to_owned())
        );
    }
}
