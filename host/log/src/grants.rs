//! The grant list: everything that an operator can grant a strategy, in one file. Deny by default: what is
//! not named here cannot be reached. The policy reads grants, the linker and the authorizer enforce them.

use std::fmt;
use std::str::FromStr;

use crate::limits::Limits;

/// The strategies that the binary carries.
pub const BUILT_IN: [&str; 4] = ["baseline", "keyset", "native-baseline", "native-keyset"];

/// The name of the project's own WIT package.
pub const PACKAGE: &str = "keyhole:strategy";

/// The version of the package that this host offers.
pub const VERSION: &str = "0.1.0";

/// The interfaces of the package that can be granted.
pub const INTERFACES: [&str; 4] = ["log", "payloads", "diagnostics", "scratch"];

/// The full name of an interface of the package, such as `keyhole:strategy/log@0.1.0`.
pub fn full_name(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{VERSION}")
}

/// The log's table.
pub const EVENTS: &str = "audit_events";

/// The columns of the log that hold no place in the payload file.
pub const SHOWN_COLUMNS: [&str; 6] =
    ["id", "created_at", "actor_id", "action", "resource_type", "resource_id"];

/// The columns that the keyset strategy needs.
pub const KEY_COLUMNS: [&str; 4] = ["id", "created_at", "actor_id", "action"];

/// Functions that a strategy may be granted: deterministic, unable to make much out of little, and quick.
/// One call is a single step, which nothing interrupts: `trim` and `instr` of two long texts take minutes.
pub const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "cume_dist",
    "dense_rank",
    "first_value",
    "glob",
    "ifnull",
    "iif",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "rank",
    "round",
    "row_number",
    "sign",
    "substr",
    "substring",
    "sum",
    "total",
    "typeof",
    "unicode",
    "unlikely",
    "upper",
];

/// The modules of virtual tables that can be granted.
pub const VIRTUAL_TABLES: [&str; 1] = ["fts5"];

/// The interfaces of WASI that this host can make inert, without versions.
pub const WASI: [&str; 18] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The word that grants all of [`WASI`].
pub const INERT: &str = "inert";

/// What a policy may name of WASI: [`INERT`], and each of [`WASI`].
pub const WASI_WORDS: [&str; WASI.len() + 1] = {
    let mut words = [INERT; WASI.len() + 1];
    let (_, interfaces) = words.split_at_mut(1);
    interfaces.copy_from_slice(&WASI);
    words
};

/// The lists of names that a strategy is granted: each one's key in a policy, and all that it may hold.
pub const LISTS: [(&str, &[&str]); 5] = [
    ("interfaces", &INTERFACES),
    ("columns", &SHOWN_COLUMNS),
    ("functions", FUNCTIONS),
    ("virtual_tables", &VIRTUAL_TABLES),
    ("wasi", &WASI_WORDS),
];

/// How long an instance lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instances {
    /// One request.
    #[default]
    Fresh,
    /// This many requests at most, one after another.
    Warm(u32),
}

impl Instances {
    /// Uses of a warm instance where no number is given.
    pub const USES: u32 = 1000;

    /// The most uses of a warm instance: a number of a call is never used twice (`limits::MOST_CALLS`;
    /// `session.rs` sees to it that both agree).
    pub const MOST_USES: u32 = (1 << 20) - 1;
}

impl FromStr for Instances {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "fresh" => Ok(Self::Fresh),
            None if text == "warm" => Ok(Self::Warm(Self::USES)),
            Some(("warm", uses)) => match uses.parse() {
                Ok(uses) if (1..=Self::MOST_USES).contains(&uses) => Ok(Self::Warm(uses)),
                _ => Err(format!("warm takes a number of uses from 1 to {}, not {uses:?}", Self::MOST_USES)),
            },
            _ => Err(format!("{text:?} is neither fresh nor warm[:USES]")),
        }
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("fresh"),
            Self::Warm(uses) => write!(f, "warm:{uses}"),
        }
    }
}

/// How much scratch there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScratchLimits {
    /// Bytes of one strategy's scratch.
    pub quota: u64,
    /// Bytes of all scratch in the cache folder.
    pub total: u64,
    /// Events that may be uncovered.
    pub refresh_after: u64,
}

/// What one strategy may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Interfaces of the project's package that it may import.
    pub interfaces: Vec<&'static str>,
    /// Columns of the log that its SQL may read, and that scratch is fed with.
    pub columns: Vec<&'static str>,
    /// Functions of SQLite that its SQL may call, of [`FUNCTIONS`].
    pub functions: Vec<&'static str>,
    /// Modules of virtual tables that it may make in scratch, such as `fts5`.
    pub virtual_tables: Vec<&'static str>,
    /// WASI interfaces that it may import, each inert, such as `wasi:cli/environment`.
    pub wasi: Vec<&'static str>,
    /// How its instances live, where the operator decides that; otherwise the command line does.
    pub instances: Option<Instances>,
    /// Requests of it that may run at once; as many as there are workers, if it is not said.
    pub at_once: Option<u32>,
    /// Whether its notes are kept for the operator.
    pub notes: bool,
    /// The limits of one request.
    pub limits: Limits,
    /// Most bytes of scratch: database, log and temporary files together.
    pub scratch_quota: u64,
    /// Most bytes of the scratch of all strategies together, in one cache folder.
    pub scratch_total: u64,
    /// Events that may be uncovered before scratch is refreshed.
    pub refresh_after: u64,
}

impl Grants {
    /// What a section of a policy grants that names nothing.
    pub fn none() -> Self {
        Self { interfaces: Vec::new(), columns: Vec::new(), functions: Vec::new(), ..Self::local() }
    }

    /// The lists, in the order of [`LISTS`].
    pub fn lists(&self) -> [&[&'static str]; 5] {
        [&self.interfaces, &self.columns, &self.functions, &self.virtual_tables, &self.wasi]
    }

    /// The lists, in the order of [`LISTS`], to be changed.
    pub fn lists_mut(&mut self) -> [&mut Vec<&'static str>; 5] {
        [
            &mut self.interfaces,
            &mut self.columns,
            &mut self.functions,
            &mut self.virtual_tables,
            &mut self.wasi,
        ]
    }

    /// What a built-in strategy is granted under these limits of every request; None for another name.
    pub fn built_in(name: &str, limits: &Limits, scratch: &ScratchLimits) -> Option<Self> {
        let grants = Self {
            limits: limits.clone(),
            scratch_quota: scratch.quota,
            scratch_total: scratch.total,
            refresh_after: scratch.refresh_after,
            ..Self::local()
        };
        match name {
            "baseline" | "native-baseline" => Some(Self {
                interfaces: vec!["log", "payloads", "diagnostics"],
                limits: limits.for_offset_paging(),
                ..grants
            }),
            "keyset" | "native-keyset" => Some(Self { columns: KEY_COLUMNS.to_vec(), ..grants }),
            _ => None,
        }
    }

    /// What local verbs grant without a policy file: the project's interfaces, default limits.
    pub fn local() -> Self {
        Self {
            interfaces: INTERFACES.to_vec(),
            columns: SHOWN_COLUMNS.to_vec(),
            functions: FUNCTIONS.to_vec(),
            virtual_tables: Vec::new(),
            wasi: Vec::new(),
            instances: None,
            at_once: None,
            notes: true,
            limits: Limits::default(),
            scratch_quota: 1 << 30,
            scratch_total: 4 << 30,
            refresh_after: REFRESH_AFTER,
        }
    }
}

/// Reading a tail of 1,000 uncovered events costs a page about as much as its payloads do.
pub const REFRESH_AFTER: u64 = 1_000;
