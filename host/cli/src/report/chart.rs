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

/// An axis.
#[derive(Clone, Debug)]
pub struct Scale {
    /// What it measures, with its unit.
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

/// An axis that is laid out: places from 0 to 1.
pub(super) struct Laid {
    low: f64,
    high: f64,
    kind: ScaleKind,
    /// Place and words of each tick.
    pub(super) ticks: Vec<(f64, String)>,
}

/// What is left above the highest percentile that has a place.
const LEAST_LEFT: f64 = 1e-6;

impl Scale {
    /// Lays the axis out over these values. None where no value has a place.
    pub(super) fn lay(&self, values: impl Iterator<Item = f64>) -> Option<Laid> {
        let placed: Vec<f64> = values.filter_map(|value| self.kind.unfold(value)).collect();
        let low = placed.iter().copied().fold(f64::INFINITY, f64::min);
        let high = placed.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if placed.is_empty() {
            return None;
        }
        let (low, high, marks) = match &self.kind {
            ScaleKind::Log => log_marks(low, high),
            ScaleKind::Tail => tail_marks(high),
            ScaleKind::Places(names) => {
                let marks: Vec<(f64, String)> =
                    (0..).map(f64::from).zip(names.iter().cloned()).take(names.len()).collect();
                (-0.5, f64::from(u32::try_from(names.len()).unwrap_or(1)) - 0.5, marks)
            }
        };
        let mut laid = Laid { low, high, kind: self.kind.clone(), ticks: Vec::new() };
        laid.ticks = marks.into_iter().map(|(value, words)| (laid.share(value), words)).collect();
        laid.ticks.retain(|(place, _)| (-1e-9..=1.0 + 1e-9).contains(place));
        Some(laid)
    }
}

impl Scale {
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
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a place in a list, or saturated"
                )]
                let place = value as usize;
                names.get(place).cloned().unwrap_or_default()
            }
        }
    }
}

impl ScaleKind {
    /// The value on an even scale; None where it has no place.
    fn unfold(&self, value: f64) -> Option<f64> {
        match self {
            Self::Log if value > 0.0 && value.is_finite() => Some(value.log10()),
            Self::Tail if (0.0..=1.0).contains(&value) => Some(-(1.0 - value).max(LEAST_LEFT).log10()),
            Self::Places(_) if value.is_finite() => Some(value),
            _ => None,
        }
    }
}

impl Laid {
    /// A value's place, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        self.kind.unfold(value).map(|even| self.share(even))
    }

    fn share(&self, even: f64) -> f64 {
        (even - self.low) / (self.high - self.low)
    }
}

/// Ends and ticks of a scale of powers of ten: at 1, 2 and 5 where it is short.
fn log_marks(low: f64, high: f64) -> (f64, f64, Vec<(f64, String)>) {
    let steps: [f64; 3] = [1.0, 2.0, 5.0];
    let all = |from: f64, to: f64| {
        let decades = std::iter::successors(Some(from.floor() - 1.0), |decade| Some(decade + 1.0));
        decades
            .take_while(move |decade| *decade <= to + 1.0)
            .flat_map(move |decade| steps.map(|step| (decade + step.log10(), step * 10_f64.powf(decade))))
    };
    let below = all(low, high).map(|(even, _)| even).filter(|even| *even <= low + 1e-9).last();
    let above = all(low, high).map(|(even, _)| even).find(|even| *even >= high - 1e-9);
    let (mut from, mut to) = (below.unwrap_or(low), above.unwrap_or(high));
    if to - from < 0.1 {
        (from, to) = (from - 0.31, to + 0.31);
    }
    let whole_decades = to - from > 2.5;
    let marks = all(from, to)
        .filter(|(even, _)| *even >= from - 1e-9 && *even <= to + 1e-9)
        .filter(|(even, _)| !whole_decades || (even - even.round()).abs() < 1e-9)
        .map(|(even, value)| (even, number(value)));
    (from, to, marks.collect())
}

/// Ends and ticks of a scale of percentiles.
fn tail_marks(high: f64) -> (f64, f64, Vec<(f64, String)>) {
    const MARKS: [(f64, &str); 7] = [
        (0.0, "0 %"),
        (std::f64::consts::LOG10_2, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
    ];
    (0.0, high.max(1.0), MARKS.map(|(even, words)| (even, words.to_owned())).to_vec())
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
        _ if value >= 999.5 => format!("{},{:03.0}", (value / 1_000.0 + 1e-9).floor(), value % 1_000.0),
        _ => short(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(kind: ScaleKind, values: &[f64]) -> Vec<String> {
        let scale = Scale { label: String::new(), kind };
        let laid = scale.lay(values.iter().copied()).unwrap();
        assert!(laid.ticks.iter().all(|(place, _)| (-1e-9..=1.0 + 1e-9).contains(place)));
        for value in values {
            let place = laid.place(*value).unwrap();
            assert!((-1e-9..=1.0 + 1e-9).contains(&place), "{value} lies at {place}");
        }
        laid.ticks.into_iter().map(|(_, words)| words).collect()
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
        assert_eq!(
            ticks(ScaleKind::Tail, &[0.0, 0.5, 0.9, 0.999]),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %"]
        );
        let scale = Scale { label: String::new(), kind: ScaleKind::Tail };
        let laid = scale.lay([0.0, 0.9999].into_iter()).unwrap();
        let places = [0.9, 0.99, 0.999].map(|value| laid.place(value).unwrap());
        assert!(places.iter().zip([0.25, 0.5, 0.75]).all(|(place, even)| (place - even).abs() < 1e-9));
        assert!(laid.place(1.0).is_some_and(f64::is_finite));
    }

    #[test]
    fn what_has_no_place_is_left_out() {
        let log = Scale { label: String::new(), kind: ScaleKind::Log };
        assert!(log.lay([0.0, -1.0, f64::NAN, f64::INFINITY].into_iter()).is_none());
        assert!(log.lay([1.0, 10.0].into_iter()).unwrap().place(0.0).is_none());
        let places = ScaleKind::Places(vec!["a".into(), "b".into()]);
        assert_eq!(ticks(places, &[0.0, 1.0]), ["a", "b"]);
    }
}
