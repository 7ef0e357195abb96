//! Plots: what is drawn, and where it lies. How it looks is the renderers' affair.

/// A plot of series over one axis.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// What lies along it, with its unit.
    pub x: Scale,
    /// What rises, with its unit.
    pub y: Scale,
    /// The series; at most ten are told apart by colour.
    pub series: Vec<Series>,
}

/// A line of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is of.
    pub name: String,
    /// Which of the ten colours it has, wherever it is shown.
    pub colour: usize,
    /// Its points in order; those that have no place on a scale are left out.
    pub points: Vec<(f64, f64)>,
}

/// What an axis measures.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Its name, with its unit.
    pub label: String,
    /// How values become places.
    pub kind: ScaleKind,
}

/// How values become places.
#[derive(Clone, Debug)]
pub enum ScaleKind {
    /// Each factor of ten has the same room.
    Log,
    /// For parts of a whole: each tenth of what is left above has the same room, as in `HdrHistogram`.
    Tail,
    /// Places in a row, by number from 0.
    Places(Vec<String>),
}

/// Bars that are made of parts.
#[derive(Clone, Debug)]
pub struct Stacks {
    /// What they show.
    pub title: String,
    /// What the parts are, with their colours; none where a bar is of one part.
    pub parts: Vec<(String, usize)>,
    /// The bars.
    pub stacks: Vec<Stack>,
    /// Whether each bar is as long as the others, so that its parts show shares.
    pub shares: bool,
}

/// A bar.
#[derive(Clone, Debug)]
pub struct Stack {
    /// What it is of.
    pub label: String,
    /// Sizes and colours, in the order of the parts.
    pub sizes: Vec<(f64, usize)>,
    /// Its whole in words, with its unit.
    pub words: String,
}

/// A scale that is laid out over its values: places are from 0 to 1.
pub(super) struct Axis {
    low: f64,
    high: f64,
    kind: ScaleKind,
    /// Place and words of each tick.
    pub(super) ticks: Vec<(f64, String)>,
}

/// What is left above the highest percentile that has a place.
const LEAST_LEFT: f64 = 1e-6;

/// The ticks of percentiles, by how many tenths of tenths are left above.
const PERCENTILES: [(f64, &str); 7] = [
    (0.0, "0 %"),
    (std::f64::consts::LOG10_2, "50 %"),
    (1.0, "90 %"),
    (2.0, "99 %"),
    (3.0, "99.9 %"),
    (4.0, "99.99 %"),
    (5.0, "99.999 %"),
];

/// What rounding may add to a place.
const ROUNDING: f64 = 1e-9;

impl Scale {
    /// Lays the axis out over these values. None where no value has a place.
    pub(super) fn lay(&self, values: impl Iterator<Item = f64>) -> Option<Axis> {
        let placed: Vec<f64> = values.filter_map(|value| self.kind.even(value)).collect();
        let low = placed.iter().copied().reduce(f64::min)?;
        let high = placed.iter().copied().reduce(f64::max)?;
        let (low, high, marks) = match &self.kind {
            ScaleKind::Log => log_marks(low, high),
            ScaleKind::Tail => {
                (0.0, high.max(1.0), PERCENTILES.map(|(even, words)| (even, words.to_owned())).to_vec())
            }
            ScaleKind::Places(names) => {
                let marks: Vec<_> =
                    (0..).map(f64::from).zip(names.iter().cloned()).take(names.len()).collect();
                (-0.5, marks.last().map_or(0.5, |(at, _)| at + 0.5), marks)
            }
        };
        let mut axis = Axis { low, high, kind: self.kind.clone(), ticks: Vec::new() };
        axis.ticks = marks.into_iter().map(|(even, words)| (axis.share(even), words)).collect();
        axis.ticks.retain(|(place, _)| (-ROUNDING..=1.0 + ROUNDING).contains(place));
        Some(axis)
    }

    /// A value of what rises: `42.0 µs`.
    pub(super) fn said(&self, value: f64) -> String {
        format!("{} {}", digits(value), self.label)
    }

    /// A value of what lies along the axis: `page number 1,000`, `P99`.
    pub(super) fn at(&self, value: f64) -> String {
        match &self.kind {
            ScaleKind::Log => format!("{} {}", self.label, number(value)),
            ScaleKind::Tail => format!("P{}", number(100.0 * value)),
            ScaleKind::Places(names) => {
                let named = (0..).map(f64::from).zip(names).find(|(at, _)| *at >= value.floor());
                named.map(|(_, name)| name.clone()).unwrap_or_default()
            }
        }
    }
}

impl ScaleKind {
    /// The value on an even scale; None where it has no place.
    fn even(&self, value: f64) -> Option<f64> {
        match self {
            Self::Log if value > 0.0 && value.is_finite() => Some(value.log10()),
            Self::Tail if (0.0..=1.0).contains(&value) => Some(-(1.0 - value).max(LEAST_LEFT).log10()),
            Self::Places(_) if value.is_finite() => Some(value),
            _ => None,
        }
    }
}

impl Axis {
    /// A value's place, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        self.kind.even(value).map(|even| self.share(even))
    }

    fn share(&self, even: f64) -> f64 {
        (even - self.low) / (self.high - self.low)
    }
}

/// Ends and ticks of a scale of powers of ten: at 1, 2 and 5 where it is short.
fn log_marks(low: f64, high: f64) -> (f64, f64, Vec<(f64, String)>) {
    let decades = std::iter::successors(Some(low.floor() - 1.0), |decade| Some(decade + 1.0));
    let all: Vec<(f64, f64)> = decades
        .take_while(|decade| *decade <= high + 1.0)
        .flat_map(|decade| {
            [1.0_f64, 2.0, 5.0].map(|step| (decade + step.log10(), step * 10_f64.powf(decade)))
        })
        .collect();
    let evens = || all.iter().map(|(even, _)| *even);
    let mut from = evens().rfind(|even| *even <= low + ROUNDING).unwrap_or(low);
    let mut to = evens().find(|even| *even >= high - ROUNDING).unwrap_or(high);
    if to - from < 0.1 {
        (from, to) = (from - 0.31, to + 0.31);
    }
    let only_decades = to - from > 2.5;
    let is_shown = |even: f64| !only_decades || (even - even.round()).abs() < ROUNDING;
    let marks = all.iter().filter(|(even, _)| *even >= from - ROUNDING && *even <= to + ROUNDING);
    let marks = marks.filter(|(even, _)| is_shown(*even)).map(|(even, value)| (*even, number(*value)));
    (from, to, marks.collect())
}

/// Three digits or so.
pub(super) fn digits(value: f64) -> String {
    match value {
        _ if value >= 99.5 => format!("{value:.0}"),
        _ if value >= 9.95 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A round number as a tick says it: `0.5`, `20`, `1,000`, `2M`.
fn number(value: f64) -> String {
    let short = |value: f64| {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match value {
        _ if value >= 999_999.5 => format!("{}M", short(value / 1e6)),
        _ if value >= 9_999.5 => format!("{}k", short(value / 1e3)),
        _ if value >= 999.5 => format!("{},{:03.0}", (value / 1_000.0 + ROUNDING).floor(), value % 1_000.0),
        _ => short(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(kind: ScaleKind, values: &[f64]) -> Option<Axis> {
        Scale { label: String::new(), kind }.lay(values.iter().copied())
    }

    fn ticks(kind: ScaleKind, values: &[f64]) -> Vec<String> {
        let axis = lay(kind, values).unwrap();
        let places = values.iter().map(|value| axis.place(*value).unwrap());
        assert!(
            places.chain(axis.ticks.iter().map(|(at, _)| *at)).all(|at| (-1e-9..=1.0 + 1e-9).contains(&at))
        );
        axis.ticks.into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn a_scale_of_powers_of_ten_has_ticks_that_read_well_and_room_for_every_value() {
        assert_eq!(ticks(ScaleKind::Log, &[22.0, 84.0]), ["20", "50", "100"]);
        assert_eq!(ticks(ScaleKind::Log, &[3.0, 20_000.0]), ["10", "100", "1,000", "10k"]);
        assert_eq!(ticks(ScaleKind::Log, &[1.0, 10.0, 100.0, 1_000.0]), ["1", "10", "100", "1,000"]);
        assert_eq!(ticks(ScaleKind::Log, &[5e4, 5e6]), ["50k", "100k", "200k", "500k", "1M", "2M", "5M"]);
        assert_eq!(ticks(ScaleKind::Log, &[0.2, 0.5]), ["0.2", "0.5"]);
        assert!(ticks(ScaleKind::Log, &[7.0]).len() >= 2, "one value has room too");
    }

    #[test]
    fn a_scale_of_percentiles_gives_each_tenth_of_the_rest_the_same_room() {
        let words = ticks(ScaleKind::Tail, &[0.0, 0.5, 0.9, 0.999]);
        assert_eq!(words, ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
        let axis = lay(ScaleKind::Tail, &[0.0, 0.9999]).unwrap();
        let places = [0.9, 0.99, 0.999].map(|value| axis.place(value).unwrap());
        assert!(places.iter().zip([0.25, 0.5, 0.75]).all(|(place, even)| (place - even).abs() < 1e-9));
        assert!(axis.place(1.0).is_some_and(f64::is_finite));
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        assert!(lay(ScaleKind::Log, &[0.0, -1.0, f64::NAN, f64::INFINITY]).is_none());
        assert!(lay(ScaleKind::Log, &[1.0, 10.0]).unwrap().place(0.0).is_none());
        let places = ScaleKind::Places(vec!["a".into(), "b".into()]);
        assert_eq!(ticks(places, &[0.0, 1.0]), ["a", "b"]);
    }
}
