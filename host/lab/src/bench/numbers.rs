//! Numbers as a reader wants them: three figures or so, thousands apart.

/// A whole number: `1,234,567`.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in microseconds, a rate, a ratio: three figures, and no fewer digits than it has.
pub(super) fn figure(number: f64) -> String {
    match number {
        _ if !number.is_finite() => "-".into(),
        _ if number.abs() < 1e-9 => "0".into(),
        _ if number >= 99.95 => {
            let rounded = format!("{number:.0}");
            rounded.parse().map_or(rounded, whole)
        }
        _ if number >= 9.995 => format!("{number:.1}"),
        _ if number >= 0.995 => format!("{number:.2}"),
        _ if number >= 0.0995 => format!("{number:.3}"),
        _ => format!("{number:.4}"),
    }
}

/// How many times as much, in a sentence: `84`, `6.3`, `0.95`.
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 9.95 => figure(ratio.round()).trim_end_matches(".0").into(),
        _ if ratio >= 1.95 => format!("{ratio:.1}"),
        _ => format!("{ratio:.2}"),
    }
}

/// What part of something, in a sentence: `1/31 of`, `0.95 times`.
pub(super) fn part(ratio: f64) -> String {
    if ratio > 0.0 && ratio <= 0.5 {
        format!("1/{} of", times(ratio.recip()).trim_end_matches(".0"))
    } else {
        format!("{} times", times(ratio))
    }
}

/// A share in percent: `6.1 %`.
pub(super) fn percent(part: f64, whole: f64) -> String {
    format!("{:.1} %", if whole > 0.0 { 100.0 * part / whole } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let texts = [0, 12, 999, 1_000, 12_345, 1_234_567].map(whole);
        assert_eq!(texts, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn figures_keep_three_digits_at_any_size() {
        let texts = [12_345.6, 99.96, 84.04, 6.312, 0.85, 0.0123, 0.0, f64::NAN].map(figure);
        assert_eq!(texts, ["12,346", "100", "84.0", "6.31", "0.850", "0.0123", "0", "-"]);
    }

    #[test]
    fn ratios_read_well_in_a_sentence() {
        let texts = [83.6, 1_234.5, 10.0, 6.31, 1.0, 0.95].map(times);
        assert_eq!(texts, ["84", "1,235", "10", "6.3", "1.00", "0.95"]);
        let parts = [1.0 / 31.0, 0.25, 0.4, 0.95, 1.3].map(part);
        assert_eq!(parts, ["1/31 of", "1/4 of", "1/2.5 of", "0.95 times", "1.30 times"]);
    }

    #[test]
    fn a_share_of_nothing_is_nothing() {
        assert_eq!(percent(61.0, 1_000.0), "6.1 %");
        assert_eq!(percent(0.0, 0.0), "0.0 %");
    }
}
