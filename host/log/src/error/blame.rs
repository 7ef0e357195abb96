//! Who is to blame for an error, where it happened, and the exit code that follows.

use std::path::Path;

use super::Error;

impl Error {
    /// Whether the strategy is to blame, rather than the log, the client or the machine.
    pub fn blames_strategy(&self) -> bool {
        if let Self::During { source, .. } | Self::Ungranted { source, .. } | Self::Unshown { source, .. } =
            self
        {
            return source.blames_strategy();
        }
        if let Self::Repeated { source, .. } = self {
            return source.blames_strategy();
        }
        matches!(
            self,
            Self::Denied { .. }
                | Self::Budget { .. }
                | Self::Sql { .. }
                | Self::UnknownEvent { .. }
                | Self::BadHandle { .. }
                | Self::Lied { .. }
                | Self::Trapped { .. }
                | Self::GaveUp { .. }
                | Self::Refused { .. }
                | Self::NotGranted { .. }
                | Self::Unproven { .. }
                | Self::ProvenLiar { .. }
                | Self::ScratchRefused { .. }
                | Self::ScratchFull { .. }
        )
    }

    /// The exit code of a verb that ends with this error: 1 where it ran and the answer is no.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 130,
            Self::Differs { .. } | Self::NotReady { .. } => 1,
            Self::During { source, .. } | Self::Ungranted { source, .. } | Self::Unshown { source, .. } => {
                source.exit_code()
            }
            Self::Repeated { source, .. } => source.exit_code(),
            _ if self.blames_strategy() => 1,
            _ => 2,
        }
    }

    /// Where it happened, if that is a file.
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::NoLog { path }
            | Self::BadLog { path, .. }
            | Self::LogNeedsRecovery { path, .. }
            | Self::LogReplaced { path }
            | Self::BadDecisions { path, .. }
            | Self::Refused { path, .. }
            | Self::NotGranted { path, .. }
            | Self::Unproven { path, .. }
            | Self::BadPolicy { path, .. }
            | Self::BadState { path, .. }
            | Self::NotWritten { path, .. }
            | Self::NoComponent { path, .. }
            | Self::Io { path, .. } => Some(path),
            Self::During { source, .. } | Self::Ungranted { source, .. } | Self::Unshown { source, .. } => {
                source.place()
            }
            Self::Repeated { source, .. } => source.place(),
            _ => None,
        }
    }
}
