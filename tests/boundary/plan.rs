//! What is played: every shape at every size, in every place, on every engine.

use std::fmt;

/// How many rows a call asks for.
pub const SIZES: [u32; 4] = [1, 10, 100, 1_000];

/// What crosses in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing: the call alone.
    Call,
    /// A list of records of three numbers and three texts.
    Records,
    /// A list of records of three numbers.
    Numbers,
    /// The rows of `Records` in one list of bytes.
    Packed,
    /// A list of handles; then a call for each row's id, and one that drops the handle.
    Handles,
    /// A list of handles; then a call for each of a row's six fields, and one that drops the handle: what `Records`
    /// brings in one call.
    Fields,
    /// A list of handles that goes back as it came.
    Claims,
}

impl Shape {
    /// Each of them.
    pub const ALL: [Self; 7] =
        [Self::Call, Self::Records, Self::Numbers, Self::Packed, Self::Handles, Self::Fields, Self::Claims];

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Records => "records",
            Self::Numbers => "numbers",
            Self::Packed => "packed",
            Self::Handles => "handles",
            Self::Fields => "fields",
            Self::Claims => "claims",
        }
    }

    /// The sizes that it is played at.
    pub fn sizes(self) -> &'static [u32] {
        if self == Self::Call { &[0] } else { &SIZES }
    }
}

/// Where the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the host: the same work without a boundary.
    Native,
    /// In an instance that is kept.
    Warm,
    /// In an instance that is made for the call and dropped after it.
    Fresh,
}

impl Place {
    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Warm => "warm",
            Self::Fresh => "fresh",
        }
    }
}

/// What can end a guest that does not end by itself: settings of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Guest code looks at the epoch at each loop and function.
    pub epochs: bool,
    /// Guest code counts what it runs.
    pub fuel: bool,
}

impl Switches {
    /// Guest code is compiled without either.
    pub const NEITHER: Self = Self { epochs: false, fuel: false };
    /// What Keyhole serves with.
    pub const HOST: Self = Self { epochs: true, fuel: false };
    /// Each of them.
    pub const ALL: [Self; 4] =
        [Self::NEITHER, Self::HOST, Self { epochs: false, fuel: true }, Self { epochs: true, fuel: true }];

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match (self.epochs, self.fuel) {
            (false, false) => "neither",
            (true, false) => "epochs",
            (false, true) => "fuel",
            (true, true) => "both",
        }
    }
}

/// One thing that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What crosses.
    pub shape: Shape,
    /// How many rows.
    pub rows: u32,
    /// Where.
    pub place: Place,
    /// On which engine; a native variant has none, and says `NEITHER`.
    pub switches: Switches,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, rows, place, switches } = self;
        write!(f, "{}, {rows} rows, {}, {}", shape.name(), place.name(), switches.name())
    }
}

/// All that is played.
pub fn variants() -> Vec<Variant> {
    let mut variants = Vec::new();
    for shape in Shape::ALL {
        for &rows in shape.sizes() {
            if shape != Shape::Call {
                variants.push(Variant { shape, rows, place: Place::Native, switches: Switches::NEITHER });
            }
            for switches in Switches::ALL {
                for place in [Place::Warm, Place::Fresh] {
                    variants.push(Variant { shape, rows, place, switches });
                }
            }
        }
    }
    variants
}

/// The order of a round: each of `count` once, forwards in even rounds and backwards in odd ones, and each pair of
/// rounds begins elsewhere.
pub fn order(round: usize, count: usize) -> Vec<usize> {
    // Coprime to most counts, so that many places become the first.
    let start = (round / 2).wrapping_mul(31) % count.max(1);
    let mut order: Vec<usize> = (start..count).chain(0..start).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}
