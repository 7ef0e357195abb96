//! How a benchmark can end without a result.

use std::fmt;

use super::plan::Mix;
use crate::error::Error;

/// One request of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The mix.
    pub mix: String,
    /// The request's place in the mix, from 0.
    pub index: usize,
    /// The request as JSON, to be repeated.
    pub request: String,
}

/// Why a run was stopped.
#[derive(thiserror::Error, Debug)]
pub enum Failure {
    /// A contender could not answer a request.
    #[error("{strategy} failed at {at}")]
    Broke {
        /// The contender.
        strategy: String,
        /// What it was asked.
        at: Box<Place>,
        /// What went wrong.
        source: Error,
    },
    /// Two contenders answered the same request with different events.
    #[error("{first} and {second} differ at {at}")]
    Differs {
        /// The plan's first contender.
        first: String,
        /// The one that answered otherwise.
        second: String,
        /// What they were asked.
        at: Box<Place>,
    },
    /// The plan makes no sense, the caller's watch interrupted the run, or the machine refused.
    #[error(transparent)]
    Stopped(#[from] Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let what = failure.to_string();
        match failure {
            Failure::Broke { source, .. } => source.during(what),
            Failure::Differs { .. } => Self::Differs { what },
            Failure::Stopped(error) => error,
        }
    }
}

impl Place {
    pub(super) fn new(mix: &Mix, index: usize) -> Self {
        let request = &mix.requests[index];
        let text = serde_json::to_string(request).unwrap_or_else(|_| format!("{request:?}"));
        Self { mix: mix.name.clone(), index, request: text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "request {} of mix {}: {}", self.index, self.mix, self.request)
    }
}
