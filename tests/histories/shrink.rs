//! A failing history made short, and many of them told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::change::History;
use super::judge::{Failure, What};

/// How often a history with a wait that is too long is played: a busy machine makes one, and not three.
const TRIES: usize = 3;

/// How long a history may be made shorter.
const SHRINKING: Duration = Duration::from_secs(40);

/// Plays a history, and again where only the writer's wait was wrong.
pub(super) fn surely(mut play: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
    let mut outcome = play();
    for _ in 1..TRIES {
        if !matches!(&outcome, Err(Failure { what: What::WriterWaited, .. })) {
            break;
        }
        outcome = play();
    }
    outcome
}

/// The shortest history that fails in the same way, as far as time allows.
pub(super) fn shortest(
    history: &History,
    failure: Failure,
    mut play: impl FnMut(&History) -> Result<(), Failure>,
) -> (History, Failure) {
    let began = Instant::now();
    let (mut history, mut failure) = (history.cut(failure.after + 1), failure);
    let mut from = history.changes().len();
    while from > 0 {
        from -= 1;
        let mut fewer = history.changes();
        fewer.remove(from);
        let shorter = history.with_changes(&fewer);
        if began.elapsed() > SHRINKING {
            break;
        }
        if let Err(same) = play(&shorter)
            && same.what == failure.what
        {
            (history, failure) = (shorter.cut(same.after + 1), same);
            from = from.min(history.changes().len());
        }
    }
    (history, failure)
}

/// What failed, by kind of failure and by the changes after which it was seen: how often, and one history of each.
pub(super) fn table(failures: &[(History, Failure)]) -> String {
    let mut rows: BTreeMap<(What, String), Vec<&(History, Failure)>> = BTreeMap::new();
    for failed in failures {
        let (history, failure) = failed;
        let changes = history.batches.get(failure.after).map(super::change::Batch::name).unwrap_or_default();
        rows.entry((failure.what, changes)).or_default().push(failed);
    }
    let mut text = String::new();
    for ((what, changes), failed) in rows {
        let (history, Failure { who, .. }) = failed[0];
        text += &format!(
            "{what:?} after {changes}: {} time(s), {who}, journal mode {}, seed {}\n",
            failed.len(),
            history.mode,
            history.seed
        );
    }
    text
}
