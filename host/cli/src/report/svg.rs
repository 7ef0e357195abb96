//! Plots and stacked bars as SVG, without a script: a point says what it is when it is pointed at, by its
//! own title, and colours are classes of the style sheet, so that they suit light and dark.

use std::fmt::{self, Write};

use super::chart::{Laid, Plot, Series, Stack, Stacks, digits};
use super::html::escape;
use super::visible;

/// A plot is drawn twice, for wide and for narrow screens, and the style sheet shows one: text of the same
/// size in both would not be, were one drawing scaled.
const SIZES: [Size; 2] = [
    Size { class: "on-wide", width: 900.0, height: 380.0, left: 64.0 },
    Size { class: "on-narrow", width: 350.0, height: 300.0, left: 64.0 },
];

/// Colours of the style sheet.
const COLOURS: usize = 10;

const TOP: f64 = 10.0;
const RIGHT: f64 = 18.0;
const BOTTOM: f64 = 44.0;

/// Room for a letter, and for a line.
const LETTER: f64 = 7.0;
const LINE: f64 = 15.0;

struct Size {
    class: &'static str,
    width: f64,
    height: f64,
    left: f64,
}

/// A plot with its legend; a sentence where there is nothing to plot.
pub(super) fn write_plot(out: &mut String, plot: &Plot) -> fmt::Result {
    let title = text(&plot.title);
    writeln!(out, "<figure>\n<figcaption>{title}</figcaption>")?;
    let all = || plot.series.iter().flat_map(|series| series.points.iter().copied());
    match (plot.x.lay(all().map(|point| point.0)), plot.y.lay(all().map(|point| point.1))) {
        (Some(x), Some(y)) => {
            for size in &SIZES {
                size.write(out, plot, &x, &y)?;
            }
            let names = plot.series.iter().map(|series| (series.name.as_str(), series.colour));
            write_legend(out, names, "c")?;
        }
        _ => writeln!(out, "<p>Nothing was measured.</p>")?,
    }
    writeln!(out, "</figure>")
}

impl Size {
    fn write(&self, out: &mut String, plot: &Plot, x: &Laid, y: &Laid) -> fmt::Result {
        let (class, width, height, left) = (self.class, self.width, self.height, self.left);
        let (right, bottom) = (width - RIGHT, height - BOTTOM);
        writeln!(out, "<svg class=\"plot {class}\" viewBox=\"0 0 {width} {height}\" role=\"img\">")?;
        let mut last = f64::NEG_INFINITY;
        for (share, words) in &x.ticks {
            let at = left + share * (right - left);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"></line>"
            )?;
            let half = LETTER * count(words) / 2.0;
            let centre = at.min(width - half - 1.0);
            if centre - half >= last {
                last = centre + half + LETTER;
                let below = bottom + 16.0;
                writeln!(out, "<text class=\"x\" x=\"{centre:.1}\" y=\"{below}\">{}</text>", text(words))?;
            }
        }
        let mut last = f64::INFINITY;
        for (share, words) in &y.ticks {
            let at = bottom - share * (bottom - TOP);
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"></line>"
            )?;
            if last - at >= LINE {
                last = at;
                let (beside, middle) = (left - 6.0, at + 4.0);
                writeln!(out, "<text class=\"y\" x=\"{beside}\" y=\"{middle:.1}\">{}</text>", text(words))?;
            }
        }
        let (middle, foot) = (f64::midpoint(left, right), height - 8.0);
        writeln!(out, "<text class=\"axis\" x=\"{middle}\" y=\"{foot}\">{}</text>", text(&plot.x.label))?;
        let middle = f64::midpoint(TOP, bottom);
        writeln!(
            out,
            "<text class=\"axis\" transform=\"translate(12 {middle}) rotate(-90)\">{}</text>",
            text(&plot.y.label)
        )?;
        for series in &plot.series {
            let points: Vec<(f64, f64, (f64, f64))> = series
                .points
                .iter()
                .filter_map(|&(at, value)| {
                    let (across, up) = (x.place(at)?, y.place(value)?);
                    Some((left + across * (right - left), bottom - up * (bottom - TOP), (at, value)))
                })
                .collect();
            write_series(out, plot, series, &points)?;
        }
        writeln!(out, "</svg>")
    }
}

fn write_series(
    out: &mut String,
    plot: &Plot,
    series: &Series,
    points: &[(f64, f64, (f64, f64))],
) -> fmt::Result {
    let colour = series.colour % COLOURS;
    let line: Vec<String> = points.iter().map(|(across, down, _)| format!("{across:.1},{down:.1}")).collect();
    writeln!(out, "<polyline class=\"line c{colour}\" points=\"{}\"></polyline>", line.join(" "))?;
    // Where points are many they are seen only when pointed at.
    let dot = if points.len() > 12 { "dot hidden" } else { "dot" };
    for (across, down, (at, value)) in points {
        writeln!(
            out,
            "<circle class=\"{dot} c{colour}\" cx=\"{across:.1}\" cy=\"{down:.1}\" r=\"4\"><title>{}: {} at {}</title></circle>",
            text(&series.name),
            text(&plot.y.said(*value)),
            text(&plot.x.at(*at)),
        )?;
    }
    Ok(())
}

/// Bars of parts, one below the other, as a table whose bars are drawn.
pub(super) fn write_stacks(out: &mut String, stacks: &Stacks) -> fmt::Result {
    writeln!(out, "<figure>\n<figcaption>{}</figcaption>", text(&stacks.title))?;
    let longest = stacks.stacks.iter().map(Stack::whole).fold(0.0, f64::max);
    writeln!(out, "<table class=\"stacks\">\n<tbody>")?;
    for stack in &stacks.stacks {
        let whole = if stacks.shares { stack.whole() } else { longest };
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"stack\"><svg width=\"100%\" height=\"18\" aria-hidden=\"true\">",
            text(&stack.label)
        )?;
        let mut start = 0.0;
        let class = if stacks.parts.is_empty() { 'c' } else { 'p' };
        for (at, (size, colour)) in stack.sizes.iter().enumerate() {
            let share = if whole > 0.0 { 100.0 * real(*size) / whole } else { 0.0 };
            let colour = colour % COLOURS;
            let said = match stacks.parts.get(at) {
                Some((part, _)) => format!("{part}: {} ({share:.0} %)", digits(*size)),
                None => stack.words.clone(),
            };
            write!(
                out,
                "<rect class=\"{class}{colour}\" x=\"{start:.2}%\" width=\"{share:.2}%\" height=\"18\"><title>{}</title></rect>",
                text(&said)
            )?;
            start += share;
        }
        writeln!(out, "</svg></td><td class=\"number\">{}</td></tr>", text(&stack.words))?;
    }
    writeln!(out, "</tbody>\n</table>")?;
    write_legend(out, stacks.parts.iter().map(|(name, colour)| (name.as_str(), *colour)), "p")?;
    writeln!(out, "</figure>")
}

fn write_legend<'a>(
    out: &mut String,
    names: impl Iterator<Item = (&'a str, usize)>,
    class: &str,
) -> fmt::Result {
    let mut names = names.peekable();
    if names.peek().is_none() {
        return Ok(());
    }
    write!(out, "<p class=\"legend\">")?;
    for (name, colour) in names {
        let colour = colour % COLOURS;
        write!(out, "<span class=\"key\"><svg width=\"22\" height=\"12\" aria-hidden=\"true\">")?;
        if class == "c" {
            write!(out, "<line class=\"line c{colour}\" x1=\"0\" x2=\"22\" y1=\"6\" y2=\"6\"></line>")?;
        } else {
            write!(out, "<rect class=\"p{colour}\" width=\"22\" height=\"12\"></rect>")?;
        }
        write!(out, "</svg> {}</span> ", text(name))?;
    }
    writeln!(out, "</p>")
}

fn text(words: &str) -> String {
    escape(&visible(words))
}

fn count(words: &str) -> f64 {
    f64::from(u16::try_from(words.chars().count()).unwrap_or(u16::MAX))
}

fn real(size: f64) -> f64 {
    if size.is_finite() { size.max(0.0) } else { 0.0 }
}

impl Stack {
    fn whole(&self) -> f64 {
        self.sizes.iter().map(|(size, _)| real(*size)).sum()
    }
}

#[cfg(test)]
#[path = "svg_tests.rs"]
mod tests;
