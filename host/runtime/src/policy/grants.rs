//! What an operator grants a strategy. Deny by default: what is not named here cannot be reached.

use crate::limits::Limits;
use crate::linker;
use crate::log::gate::FUNCTIONS;
use crate::policy::ScratchLimits;
use crate::strategy::Instances;

/// The strategies that the binary carries.
pub const BUILT_IN: [&str; 4] = ["baseline", "keyset", "native-baseline", "native-keyset"];

/// The interfaces of the project's own package, by name.
pub const INTERFACES: [&str; 4] = ["log", "payloads", "diagnostics", "scratch"];

/// The columns of the log that hold no place in the payload file.
pub const SHOWN_COLUMNS: [&str; 6] =
    ["id", "created_at", "actor_id", "action", "resource_type", "resource_id"];

/// The columns that the keyset strategy needs.
pub const KEY_COLUMNS: [&str; 4] = ["id", "created_at", "actor_id", "action"];

/// The modules of virtual tables that can be granted.
pub const VIRTUAL_TABLES: [&str; 1] = ["fts5"];

pub use crate::linker::INERT;

/// What a policy may name of WASI: [`linker::WASI`](crate::linker::WASI), behind the word that grants all of it.
pub const WASI: [&str; linker::WASI.len() + 1] = {
    let mut words = [INERT; linker::WASI.len() + 1];
    let mut at = 0;
    while at < linker::WASI.len() {
        words[at + 1] = linker::WASI[at];
        at += 1;
    }
    words
};

/// What one strategy may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Interfaces of the project's package that it may import.
    pub interfaces: Vec<&'static str>,
    /// Columns of the log that its SQL may read, and that scratch is fed with.
    pub columns: Vec<&'static str>,
    /// Functions of SQLite that its SQL may call, of [`gate::FUNCTIONS`](crate::log::gate::FUNCTIONS).
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
    /// What a stanza grants that names nothing.
    pub fn none() -> Self {
        Self { interfaces: Vec::new(), columns: Vec::new(), functions: Vec::new(), ..Self::local() }
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
