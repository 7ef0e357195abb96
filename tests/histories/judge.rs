//! What is right, and what may be said instead.

use std::fmt::{self, Display, Formatter};

use keyhole_log::model::PageRequest;

use super::oracle::{Event, Oracle};
use super::sides::{Answer, Shown};

/// The codes of an event that cannot be shown.
const CANNOT_BE_SHOWN: [&str; 2] = ["payload-corrupt", "bad-cell"];

/// What went wrong, by what it is a promise of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Wrong at once, by somebody who reads the log itself, or who had just begun.
    WrongAtOnce,
    /// A wrong page, or a refusal without a reason, and another one after it.
    WrongTwice,
    /// Wrong after a scrub, which must have seen what an append can hide.
    WrongAfterScrub,
    /// A file of the log, or its folder, is not as its writer left it.
    FilesChanged,
    /// The writer's statement failed.
    WriterFailed,
    /// The writer's statement waited for too long.
    WriterWaited,
    /// Something ended that should not have.
    Ended,
}

/// A history's end, where it is not a good one.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) what: What,
    /// Who showed it: a side, or the writer.
    pub(super) who: String,
    pub(super) words: String,
    /// After which batch.
    pub(super) after: usize,
    /// What was done to the log, in order.
    pub(super) did: Vec<String>,
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { what, who, words, did, .. } = self;
        writeln!(f, "{what:?}, {who}: {words}")?;
        for (number, did) in (1..).zip(did) {
            writeln!(f, "    {number}. {did}")?;
        }
        Ok(())
    }
}

/// What may explain a refusal.
#[derive(Clone, Copy, Default)]
pub(super) struct Excuses {
    /// A writer was killed and none has started since.
    pub(super) unrecovered: bool,
    /// The cursor is of a log that is another one by now.
    pub(super) another_log: bool,
}

/// What is wrong with an answer; None where it is right.
pub(super) fn wrong(
    oracle: &Oracle,
    request: &PageRequest,
    answer: &Answer,
    excuses: Excuses,
) -> Option<String> {
    let right = oracle.page(request);
    let cannot_be_shown = |event: &&&Event| event.payload.is_none();
    match answer {
        Answer::Page { events, .. } => {
            if let Some(difference) = difference(events, &right) {
                return Some(difference);
            }
            let event = right.iter().find(cannot_be_shown)?;
            Some(format!("it shows event {}, whose span is not one whole line of JSON", event.id))
        }
        Answer::Refused { code, words } => {
            let doubtful = right.iter().any(|event| event.payload.is_none() || oracle.is_doubtful(event));
            let explained = match code.as_str() {
                "log-needs-recovery" => excuses.unrecovered,
                "bad-cursor" => excuses.another_log,
                code => doubtful && CANNOT_BE_SHOWN.contains(&code),
            };
            (!explained).then(|| format!("it refuses a page without a reason: {words}"))
        }
    }
}

/// Where a page differs from the right one.
fn difference(events: &[Shown], right: &[&Event]) -> Option<String> {
    let (ids, right_ids): (Vec<i64>, Vec<i64>) =
        (events.iter().map(|event| event.id).collect(), right.iter().map(|event| event.id).collect());
    if ids != right_ids {
        return Some(format!("it shows {ids:?} instead of {right_ids:?}"));
    }
    events.iter().zip(right).find_map(|(shown, event)| {
        let columns = (shown.created_at, shown.actor_id) == (event.created_at, event.actor_id);
        let texts = [&event.action, &event.resource_type, &event.resource_id];
        let same = columns
            && shown.texts.iter().zip(texts).all(|(shown, text)| shown == text)
            && event.payload.as_ref().is_none_or(|payload| *payload == shown.texts[3]);
        (!same).then(|| format!("it shows {shown:?} instead of {event:?}"))
    })
}
