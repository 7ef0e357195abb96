//! Plots and stacked bars as SVG, without a script: a point says what it is when it is pointed at, by its
//! own title, and colours are classes of the style sheet, so that they suit light and dark.
//!
//! They are laid out here: `plotters` writes fixed colours, and neither classes nor titles, so its plots
//! would be lost on a dark page and mute under a pointer.

use maud::{Markup, html};

use super::plot::{Axis, Plot, Series, Stack, Stacks, digits};
use super::visible;

/// A plot is drawn twice, for wide and for narrow screens, and the style sheet shows one: text of the same
/// size in both would not be, were one drawing scaled.
const SIZES: [(&str, f64, f64); 2] = [("on-wide", 900.0, 380.0), ("on-narrow", 350.0, 300.0)];

/// Colours of the style sheet.
const COLOURS: usize = 10;

/// Room around a plot for the words at its axes.
const TOP: f64 = 10.0;
const RIGHT: f64 = 18.0;
const BOTTOM: f64 = 44.0;
const LEFT: f64 = 64.0;

/// Room for a letter, and for a line.
const LETTER: f64 = 7.0;
const LINE: f64 = 15.0;

/// A plot with its legend; a sentence where there is nothing to plot.
pub(super) fn plot(plot: &Plot) -> Markup {
    let all = || plot.series.iter().flat_map(|series| series.points.iter().copied());
    let axes = plot.x.lay(all().map(|point| point.0)).zip(plot.y.lay(all().map(|point| point.1)));
    let names = plot.series.iter().map(|series| (series.name.as_str(), series.colour));
    html! {
        figure {
            figcaption { (visible(&plot.title)) }
            @if let Some((x, y)) = &axes {
                @for (class, width, height) in SIZES { (drawn(plot, x, y, class, width, height)) "\n" }
                (legend(names, "c"))
            } @else {
                p { "Nothing was measured." }
            }
        }
    }
}

fn drawn(plot: &Plot, x: &Axis, y: &Axis, class: &str, width: f64, height: f64) -> Markup {
    let (right, bottom) = (width - RIGHT, height - BOTTOM);
    let across = |share: f64| LEFT + share * (right - LEFT);
    let down = |share: f64| bottom - share * (bottom - TOP);
    // A tick's words are left out where there is no room for them beside those before.
    let mut last = f64::NEG_INFINITY;
    let words_below = x.ticks.iter().filter_map(|(share, words)| {
        let half = LETTER * count(words) / 2.0;
        let centre = across(*share).min(width - half - 1.0);
        let fits = centre - half >= last;
        last = if fits { centre + half + LETTER } else { last };
        fits.then_some((centre, words))
    });
    let words_below: Vec<_> = words_below.collect();
    let mut last = f64::INFINITY;
    let words_beside = y.ticks.iter().filter_map(|(share, words)| {
        let at = down(*share);
        let fits = last - at >= LINE;
        last = if fits { at } else { last };
        fits.then_some((at + 4.0, words))
    });
    let words_beside: Vec<_> = words_beside.collect();
    let upright = format!("translate(12 {}) rotate(-90)", f64::midpoint(TOP, bottom));
    html! {
        svg class={ "plot " (class) } viewBox=(format!("0 0 {width} {height}")) role="img" {
            @for at in x.ticks.iter().map(|(share, _)| short(across(*share))) {
                line.grid x1=(at) x2=(at) y1=(TOP) y2=(bottom) {}
            }
            @for (centre, words) in words_below {
                text.x x=(short(centre)) y=(bottom + 16.0) { (visible(words)) }
            }
            @for at in y.ticks.iter().map(|(share, _)| short(down(*share))) {
                line.grid x1=(LEFT) x2=(right) y1=(at) y2=(at) {}
            }
            @for (at, words) in words_beside {
                text.y x=(LEFT - 6.0) y=(short(at)) { (visible(words)) }
            }
            text.axis x=(f64::midpoint(LEFT, right)) y=(height - 8.0) { (visible(&plot.x.label)) }
            text.axis transform=(upright) { (visible(&plot.y.label)) }
            @for series in &plot.series {
                (line_of(plot, series, |(at, value)| Some((across(x.place(at)?), down(y.place(value)?)))))
            }
        }
    }
}

fn line_of(plot: &Plot, series: &Series, place: impl Fn((f64, f64)) -> Option<(f64, f64)>) -> Markup {
    let colour = series.colour % COLOURS;
    let points: Vec<_> = series
        .points
        .iter()
        .filter_map(|&(at, value)| {
            let (across, down) = place((at, value))?;
            let said = format!("{}: {} at {}", series.name, plot.y.said(value), plot.x.at(at));
            Some((short(across), short(down), said))
        })
        .collect();
    let line: Vec<String> = points.iter().map(|(across, down, _)| format!("{across},{down}")).collect();
    // Where points are many they are seen only when pointed at.
    let dot = if points.len() > 12 { "dot hidden" } else { "dot" };
    html! {
        polyline class={ "line c" (colour) } points=(line.join(" ")) {}
        @for (across, down, said) in points {
            circle class={ (dot) " c" (colour) } cx=(across) cy=(down) r="4" { title { (visible(&said)) } }
        }
    }
}

/// Bars of parts, one below the other, as a table whose bars are drawn.
pub(super) fn stacks(stacks: &Stacks) -> Markup {
    let longest = stacks.stacks.iter().map(Stack::whole).fold(0.0, f64::max);
    html! {
        figure {
            figcaption { (visible(&stacks.title)) }
            table.stacks { tbody { @for stack in &stacks.stacks {
                tr {
                    th scope="row" { (visible(&stack.label)) }
                    td.stack { svg width="100%" height="18" aria-hidden="true" {
                        (parts(stacks, stack, if stacks.shares { stack.whole() } else { longest }))
                    } }
                    td.number { (visible(&stack.words)) }
                }
                "\n"
            } } }
            (legend(stacks.parts.iter().map(|(name, colour)| (name.as_str(), *colour)), "p"))
        }
    }
}

fn parts(stacks: &Stacks, stack: &Stack, whole: f64) -> Markup {
    let class = if stacks.parts.is_empty() { "c" } else { "p" };
    let mut end = 0.0;
    let parts = stack.sizes.iter().enumerate().map(|(at, (size, colour))| {
        let share = if whole > 0.0 { 100.0 * real(*size) / whole } else { 0.0 };
        let said = match stacks.parts.get(at) {
            Some((part, _)) => format!("{part}: {} ({share:.0} %)", digits(*size)),
            None => stack.words.clone(),
        };
        let start = end;
        end += share;
        (colour % COLOURS, format!("{start:.2}%"), format!("{share:.2}%"), said)
    });
    html! {
        @for (colour, start, share, said) in parts {
            rect class={ (class) (colour) } x=(start) width=(share) height="18" { title { (visible(&said)) } }
        }
    }
}

fn legend<'a>(names: impl Iterator<Item = (&'a str, usize)>, class: &str) -> Markup {
    let names: Vec<_> = names.map(|(name, colour)| (name, colour % COLOURS)).collect();
    html! {
        @if !names.is_empty() {
            p.legend { @for (name, colour) in names {
                span.key {
                    svg width="22" height="12" aria-hidden="true" {
                        @if class == "c" {
                            line class={ "line c" (colour) } x1="0" x2="22" y1="6" y2="6" {}
                        } @else {
                            rect class={ "p" (colour) } width="22" height="12" {}
                        }
                    }
                    " " (visible(name))
                }
                " "
            } }
        }
    }
}

/// A place in the drawing, to a tenth of a point.
fn short(place: f64) -> String {
    format!("{place:.1}")
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
mod tests {
    use super::super::plot::{Scale, ScaleKind};
    use super::*;

    fn drawn(points: &[(f64, f64)]) -> String {
        let scale = |label: &str| Scale { label: label.to_owned(), kind: ScaleKind::Log };
        let series = Series { name: "key\u{202e}set".to_owned(), colour: 11, points: points.to_vec() };
        let title = "service <time>".to_owned();
        plot(&Plot { title, x: scale("page number"), y: scale("µs"), series: vec![series] }).into_string()
    }

    #[test]
    fn a_plot_says_its_values_where_they_are_pointed_at_and_holds_no_markup_of_others() {
        let out = drawn(&[(1.0, 20.0), (1_000.0, 25.5)]);
        assert!(out.contains("service &lt;time&gt;") && !out.contains("<time>"), "{out}");
        assert!(out.contains("key\\u{202e}set: 25.5 µs at page number 1,000"), "{out}");
        assert_eq!(out.matches("<polyline class=\"line c1\"").count(), 2, "for wide and for narrow: {out}");
        assert_eq!(out.matches("<circle").count(), 4, "{out}");
        assert!(!out.contains("style=") && !out.contains("<script") && !out.contains("NaN"), "{out}");
    }

    #[test]
    fn a_plot_of_nothing_says_so() {
        for points in [&[][..], &[(0.0, 0.0)], &[(f64::NAN, 1.0)]] {
            let out = drawn(points);
            assert!(out.contains("Nothing was measured.") && !out.contains("<svg"), "{out}");
        }
    }

    #[test]
    fn stacks_show_shares_or_sizes() {
        let stack = |label: &str, sizes: &[f64]| Stack {
            label: label.to_owned(),
            sizes: sizes.iter().copied().zip(0..).collect(),
            words: format!("{label} in all"),
        };
        let drawn = |shares| {
            let parts = vec![("queue".to_owned(), 0), ("guest".to_owned(), 1)];
            let bars = vec![stack("slow", &[30.0, 10.0]), stack("fast", &[1.0, f64::NAN])];
            stacks(&Stacks { title: "phases".to_owned(), parts, stacks: bars, shares }).into_string()
        };
        let (shares, sizes) = (drawn(true), drawn(false));
        for out in [&shares, &sizes] {
            assert!(out.contains("x=\"75.00%\" width=\"25.00%\"") && !out.contains("NaN%"), "{out}");
            assert!(out.contains("guest: 10.0 (25 %)"), "{out}");
        }
        assert!(shares.contains("x=\"0.00%\" width=\"100.00%\""), "{shares}");
        assert!(sizes.contains("x=\"0.00%\" width=\"2.50%\""), "{sizes}");
    }
}
