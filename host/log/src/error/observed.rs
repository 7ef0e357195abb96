//! What an operator observes of an error, by the names that `selftest`, `audit` and the decision log use.

use super::Error;

impl Error {
    /// What an operator observes, by the names that `selftest`, `audit` and the decision log use: the
    /// limit that was reached, the lie's kind, or the code.
    pub fn observed(&self) -> String {
        match self {
            Self::Budget { limit, .. } => Self::observed_limit(limit),
            Self::Denied { rule, object } => observed_denial(rule, object),
            Self::Lied { kind, .. } => format!("lie:{}", kind.name()),
            Self::Refused { reasons, .. } => {
                let ceiling = reasons.iter().find_map(|reason| reason.strip_prefix(OVER_CEILING));
                ceiling.and_then(|rest| rest.split(':').next()).unwrap_or("load-refused").to_owned()
            }
            Self::NotGranted { .. } => "load-refused".to_owned(),
            Self::ScratchFull { .. } => "scratch-quota".to_owned(),
            Self::During { source, .. } | Self::Ungranted { source, .. } | Self::Unshown { source, .. } => {
                source.observed()
            }
            Self::Repeated { source, .. } => source.observed(),
            other => other.code().to_owned(),
        }
    }

    fn observed_limit(limit: &str) -> String {
        match limit {
            "sql_steps" | "log_lock" | "rows" | "value_bytes" | "result_bytes" | "sql_bytes"
            | "sql_memory" | "sql_weight" => {
                format!("sql-budget ({limit})")
            }
            "table_elements" => "table".to_owned(),
            "host_call_bytes" => "host-bytes".to_owned(),
            "component_handles" => "handles".to_owned(),
            other => other.replace('_', "-"),
        }
    }
}

/// How the reason begins for which a component is refused that has more of something than the engine holds.
const OVER_CEILING: &str = "it is over the ceiling ";

/// The reason to refuse a component that has more of `what` than the engine holds; `detail` is the engine's
/// own text.
pub fn over_ceiling(what: &'static str, detail: &str) -> String {
    format!("{OVER_CEILING}{what}: {detail}")
}

/// What an operator observes of a denial in the ledger: rule and object. A limit that refused a host call or
/// a growth counts as a denial by the rule [`LIMIT`].
pub fn observed_denial(rule: &str, object: &str) -> String {
    match rule {
        LIMIT => Error::observed_limit(object),
        rule => format!("sql-denied ({rule})"),
    }
}

/// The rule by which the ledger counts what a limit refused, though the strategy went on.
pub const LIMIT: &str = "limit";
