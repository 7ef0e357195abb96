//! What changes along a sweep: each of its points against the first, strategy by strategy.

use serde::{Deserialize, Serialize};

use super::plan::Axis;
use super::ratio::{Ratio, between};
use super::run::{MixRun, Outcome};

/// A sweep's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepResult {
    /// Its name.
    pub sweep: String,
    /// What was varied.
    pub axis: Axis,
    /// The names of its mixes, in order; each [`MixResult`](super::MixResult) says where it stands.
    pub mixes: Vec<String>,
    /// Each point against the first.
    pub steps: Vec<Step>,
}

/// How a strategy fares at one point of a sweep, against the sweep's first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The strategy.
    pub strategy: String,
    /// Its figures at the point `of` divided by those at the first point, `to`.
    #[serde(flatten)]
    pub ratio: Ratio,
}

/// The sweeps among these runs. Their rounds were interleaved, so they are pairs.
pub(super) fn sweeps(runs: &[MixRun]) -> Vec<SweepResult> {
    let name = |run: &MixRun| run.point.as_ref().map(|point| point.sweep.clone());
    let groups = runs.chunk_by(|one, next| name(one).is_some() && name(one) == name(next));
    groups.filter_map(sweep).collect()
}

fn sweep(runs: &[MixRun]) -> Option<SweepResult> {
    let (first, later) = runs.split_first()?;
    let point = first.point.as_ref()?;
    let mut steps = Vec::new();
    for start in &first.outcomes {
        for run in later {
            let label = run.point.as_ref().map_or(run.mix.as_str(), |point| &point.label);
            let end: Option<&Outcome> =
                run.outcomes.iter().find(|outcome| outcome.strategy == start.strategy);
            steps.extend(end.map(|end| Step {
                strategy: start.strategy.clone(),
                ratio: Ratio { of: label.to_owned(), to: point.label.clone(), ..between(end, start) },
            }));
        }
    }
    Some(SweepResult {
        sweep: point.sweep.clone(),
        axis: point.axis,
        mixes: runs.iter().map(|run| run.mix.clone()).collect(),
        steps,
    })
}
