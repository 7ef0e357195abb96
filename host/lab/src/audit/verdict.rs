//! What an audit comes to: its findings, and the verdict.

use serde::{Deserialize, Serialize};

/// Whether a strategy may serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing was found that speaks against it.
    Fit,
    /// It is safe and right; what it costs, or asks for, is worth a look.
    FitWithWarnings,
    /// A finding of its security or its correctness speaks against it.
    Unfit,
}

impl Verdict {
    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::FitWithWarnings => "fit, with warnings",
            Self::Unfit => "unfit",
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// Worth a decision.
    Medium,
    /// Speaks against letting it serve.
    High,
}

impl Severity {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its code, stable.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// What exactly was seen, with numbers and names; guest text in it is escaped.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}
