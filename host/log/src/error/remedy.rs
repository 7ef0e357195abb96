//! What to do about an error, where that is known.

use super::{Bound, Error, PayloadFault, system};

impl Error {
    /// The lines of a policy that would grant what was refused, where that is known.
    pub fn lines(&self) -> Option<&str> {
        match self {
            Self::NotGranted { lines, .. } | Self::Ungranted { lines, .. } if !lines.is_empty() => {
                Some(lines)
            }
            Self::Ungranted { source, .. } | Self::During { source, .. } | Self::Unshown { source, .. } => {
                source.lines()
            }
            Self::Repeated { source, .. } => source.lines(),
            _ => None,
        }
    }

    /// What to do about it, where that is known.
    pub fn fix(&self) -> Option<&'static str> {
        Some(match self {
            Self::Busy => "send the request again; the writer's commit should be over by then",
            Self::Crowded { .. } => {
                "send the request again later, or raise the strategy's at_once in the policy"
            }
            Self::Overloaded { .. } => "send the request again later",
            Self::ShuttingDown => "send the request again once the service has started anew",
            Self::NothingServes { .. } => {
                "wait where a scratch is being filled; else promote a strategy that is proven, or roll back"
            }
            Self::NotReady { .. } => "see how far it is with `keyhole strategy list`",
            Self::ProvenLiar { .. } => {
                "do not run it; the decision log says what it served. `keyhole strategy pardon DIGEST` clears it, if you know \
                 that it is not to blame"
            }
            Self::NoSuchLiar { .. } => {
                "`keyhole strategy list` shows the digests of those that are kept out: give all of it, or at least its \
                 first eight digits"
            }
            Self::BadState { .. } => {
                "move the file away as evidence: without serving.json the strategy that the policy names serves, as at \
                 the first start; without liars.json a proven liar may be let in again"
            }
            Self::NoLog { .. } => "name its folder with --data, or make one with `keyhole seed --data DIR`",
            Self::LogNeedsRecovery { .. } => {
                "open the database once for writing, as its writer does when it starts, and try again"
            }
            Self::LogReplaced { .. } => "try again: the new file is opened",
            Self::BadDecisions { .. } => {
                "see what was done to it with `keyhole decisions check`, then move decisions.jsonl and \
                 decisions.head away as evidence: the next decision begins a new log"
            }
            Self::PayloadCorrupt { fault: PayloadFault::Place, .. } => {
                "compare payloads.jsonl with a backup at that event's payload_offset"
            }
            Self::PayloadCorrupt { fault: PayloadFault::NotJson, .. } => {
                "have the log's writer write JSON (RFC 8259): the message names the byte of the line that is none"
            }
            Self::PayloadCorrupt { fault: PayloadFault::Decoder, .. } => {
                "ask a strategy that leaves payloads to the host, such as keyset or native-baseline"
            }
            Self::PayloadTooLarge { read: 0, .. } => "raise payload_bytes in the policy, up to 1GiB",
            Self::PayloadTooLarge { .. } => {
                "ask for fewer events at once, or raise payload_bytes in the policy"
            }
            Self::Starved { .. } => "send the request again once the machine is less busy",
            Self::BadCell { .. } => {
                "have its writer mend that cell of audit.db; every page without the event is given meanwhile"
            }
            Self::BadCursor { .. } => "start the walk again with a page number",
            Self::NoSuchStrategy { .. } => {
                "use baseline, keyset, native-baseline, native-keyset, or a path to a .wasm file"
            }
            Self::NoComponent { source, .. } | Self::Io { source, .. } => return system::fix(source),
            Self::ScratchFull { bound: Bound::Total { .. } } => {
                "raise scratch.total, or end what keeps the others in use: `keyhole scratch list` shows them"
            }
            Self::ScratchFull { .. } => "raise the strategy's quota, or run the strategy without scratch",
            Self::NotWritten { fix, .. } => fix,
            Self::Budget { .. } => "run the request with page --ledger to see what used it up",
            Self::During { source, .. } | Self::Unshown { source, .. } => return source.fix(),
            Self::Repeated { source, .. } => return source.fix(),
            Self::NotGranted { lines, .. } if lines.is_empty() => return None,
            Self::NotGranted { .. } | Self::Ungranted { .. } => {
                "read what it does, and if you agree, put the lines below into the policy"
            }
            Self::Unproven { .. } => {
                "find out where this file comes from; a new version is let in by `keyhole policy allow`"
            }
            Self::BadPolicy { .. } => "see `keyhole policy show` for every key, or docs/policy.md",
            _ => return None,
        })
    }
}
