//! Counts, times, sizes and ratios as people read them: the one place where figures become text.
//!
//! The grouping of digits is indicatif's. Times and ratios are formatted here, because no library keeps
//! three figures at every size and a fixed unit in a column at once.

use std::time::Duration;

use indicatif::HumanCount;

/// A whole number in groups of three digits: `1,234,567`.
pub fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A whole number as TOML and Rust group its digits: `1_234_567`.
pub fn grouped_for_toml(number: u64) -> String {
    grouped(number).replace(',', "_")
}

/// Microseconds with fractions, as every report shows a time.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A time of so many nanoseconds in microseconds with fractions.
pub fn micros_of(nanos: u64) -> f64 {
    float(nanos) / 1e3
}

/// Whole microseconds, as access logs hold them.
pub fn whole_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Whole milliseconds, as policies and limits hold them.
pub fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whole nanoseconds, as histograms hold them.
pub fn whole_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A count as a floating-point number: exact up to 2^53, where no figure of a report comes near.
#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^53")]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A time given in microseconds, in the unit that keeps it short: `558 us`, `36.1 ms`, `2.4 s`.
pub fn time(us: f64) -> String {
    match us {
        _ if us < 1e3 => format!("{us:.0} us"),
        _ if us < 1e6 => format!("{:.1} ms", us / 1e3),
        _ => format!("{:.1} s", us / 1e6),
    }
}

/// A size in mebibytes, without its unit: `24.6`.
pub fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / float(1 << 20)
}

/// A time in microseconds, a rate, a ratio: three figures, and no fewer digits than it has.
pub fn figure(number: f64) -> String {
    match number {
        _ if !number.is_finite() => "-".into(),
        _ if number.abs() < 1e-9 => "0".into(),
        _ if number >= 99.95 => {
            let rounded = format!("{number:.0}");
            rounded.parse().map_or(rounded, grouped)
        }
        _ if number >= 9.995 => format!("{number:.1}"),
        _ if number >= 0.995 => format!("{number:.2}"),
        _ if number >= 0.0995 => format!("{number:.3}"),
        _ => format!("{number:.4}"),
    }
}

/// How many times as much, in a sentence: `84`, `6.3`, `0.95`.
pub fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio >= 9.95 => figure(ratio.round()).trim_end_matches(".0").into(),
        _ if ratio >= 1.95 => format!("{ratio:.1}"),
        _ => format!("{ratio:.2}"),
    }
}

/// What part of something, in a sentence: `1/31 of`, `0.95 times`.
pub fn part(ratio: f64) -> String {
    if ratio > 0.0 && ratio <= 0.5 {
        format!("1/{} of", times(ratio.recip()).trim_end_matches(".0"))
    } else {
        format!("{} times", times(ratio))
    }
}

/// A share in percent: `6.1 %`.
pub fn percent(part: f64, whole: f64) -> String {
    format!("{:.1} %", if whole > 0.0 { 100.0 * part / whole } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(grouped_for_toml(2_000_000), "2_000_000");
    }

    #[test]
    fn times_change_their_unit() {
        assert_eq!([558.4, 36_100.0, 2_449_000.0].map(time), ["558 us", "36.1 ms", "2.4 s"]);
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

    #[test]
    fn times_too_long_for_their_type_are_the_longest_that_it_holds() {
        let whole =
            [whole_millis, whole_micros, whole_nanos].map(|whole| whole(Duration::from_micros(2_500)));
        assert_eq!(whole, [2, 2_500, 2_500_000]);
        assert_eq!(whole_nanos(Duration::MAX), u64::MAX);
    }
}
