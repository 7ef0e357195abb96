//! The tables, in Markdown.

use std::fmt::Write;

use crate::figure::{Figure, Figures};
use crate::plan::{Place, SIZES, Shape, Switches, Variant};

/// All tables.
pub fn report(figures: &Figures) -> String {
    let mut text = String::new();
    for (title, table) in [
        ("The host's settings (epochs on, fuel off): nanoseconds a call", calls(figures)),
        ("The same: nanoseconds a row", rows(figures)),
        ("The same, warm: a shape ÷ records of as many rows", shapes(figures)),
        ("Warm: what interrupts a guest ÷ nothing that does", switches(figures, Place::Warm)),
        ("Fresh: what interrupts a guest ÷ nothing that does", switches(figures, Place::Fresh)),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{title}\n\n{table}");
    }
    text
}

fn calls(figures: &Figures) -> String {
    let mut lines = vec![heads(&["shape", "rows", "native", "warm", "fresh", "fresh − warm"])];
    for (shape, rows) in played() {
        let at = |place| Variant { shape, rows, place, switches: Switches::HOST };
        let mut line = vec![shape.name().to_owned(), rows.to_string()];
        line.extend(
            [Place::Native, Place::Warm, Place::Fresh]
                .map(|place| time(figures.figure(shape, rows, place, Switches::HOST))),
        );
        line.push(time(figures.pairs(at(Place::Fresh), at(Place::Warm), |fresh, warm| fresh - warm)));
        lines.push(line);
    }
    table(&lines)
}

fn rows(figures: &Figures) -> String {
    let mut lines = vec![heads(&["shape", "rows", "native", "warm", "fresh"])];
    for (shape, rows) in played().filter(|(shape, _)| *shape != Shape::Call) {
        let mut line = vec![shape.name().to_owned(), rows.to_string()];
        line.extend([Place::Native, Place::Warm, Place::Fresh].map(|place| {
            let figure = figures.figure(shape, rows, place, Switches::HOST);
            figure.map_or_else(missing, |figure| format!("{:.1}", figure.median / f64::from(rows)))
        }));
        lines.push(line);
    }
    table(&lines)
}

fn shapes(figures: &Figures) -> String {
    let others = [Shape::Numbers, Shape::Packed, Shape::Handles, Shape::Fields, Shape::Claims];
    let mut lines =
        vec![["rows"].into_iter().chain(others.map(Shape::name)).map(str::to_owned).collect::<Vec<_>>()];
    for rows in SIZES {
        let at = |shape| Variant { shape, rows, place: Place::Warm, switches: Switches::HOST };
        let mut line = vec![rows.to_string()];
        line.extend(
            others.map(|shape| ratio(figures.pairs(at(shape), at(Shape::Records), |of, to| of / to))),
        );
        lines.push(line);
    }
    table(&lines)
}

fn switches(figures: &Figures, place: Place) -> String {
    let mut lines = vec![heads(&["shape", "rows", "neither, ns", "epochs", "fuel", "both"])];
    for (shape, rows) in played() {
        let at = |switches| Variant { shape, rows, place, switches };
        let [neither, others @ ..] = Switches::ALL;
        let mut line = vec![
            shape.name().to_owned(),
            rows.to_string(),
            time(figures.figure(shape, rows, place, neither)),
        ];
        line.extend(others.map(|switches| ratio(figures.pairs(at(switches), at(neither), |of, to| of / to))));
        lines.push(line);
    }
    table(&lines)
}

fn played() -> impl Iterator<Item = (Shape, u32)> {
    Shape::ALL.into_iter().flat_map(|shape| shape.sizes().iter().map(move |&rows| (shape, rows)))
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(|&head| head.to_owned()).collect()
}

fn missing() -> String {
    "–".to_owned()
}

/// Nanoseconds with their interval.
fn time(figure: Option<Figure>) -> String {
    figure.map_or_else(missing, |Figure { median, interval: [low, high], .. }| {
        format!("{} [{}, {}]", grouped(median), grouped(low), grouped(high))
    })
}

/// A ratio with its interval.
fn ratio(figure: Option<Figure>) -> String {
    figure.map_or_else(missing, |Figure { median, interval: [low, high], .. }| {
        format!("{median:.2} [{low:.2}, {high:.2}]")
    })
}

/// A whole number with a space between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Lines as a table of Markdown, the first one its head; all but the first column to the right.
fn table(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, &width)) in line.iter().zip(&widths).enumerate() {
            let _ = if column == 0 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, &width) in widths.iter().enumerate() {
                let colon = if column == 0 { '-' } else { ':' };
                let _ = write!(text, "|{}{colon}", "-".repeat(width + 1));
            }
            text.push_str("|\n");
        }
    }
    text
}
