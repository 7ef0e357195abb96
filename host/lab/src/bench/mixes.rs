//! From what is wished for to the mixes of a plan.

use super::load::{Load, workers_for};
use super::plan::{Axis, Mix, Point};
use super::run::float;
use crate::contract::streams;
use crate::contract::sweeps::{self, At};
use crate::error::Error;
use crate::log::census::Census;
use crate::log::profile::Profile;
use crate::page::PageRequest;

/// What is known of a log that is to be asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its summary.
    pub profile: Profile,
    /// Its events by actor and action; needed by the filter sweep alone.
    pub census: Option<Census>,
}

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Names of mixes: `contract`, `dense`, `dense-50`.
    pub mixes: Vec<String>,
    /// What is varied; nothing where the mixes are measured for themselves.
    pub sweeps: Vec<Axis>,
    /// Requests of each mix.
    pub requests: usize,
    /// What they are drawn with.
    pub seed: u64,
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests per second, for an open loop.
    pub rate: Option<f64>,
    /// The largest page that may be asked for.
    pub page_size: u32,
}

/// Requests in flight of the concurrency sweep.
const IN_FLIGHT: [usize; 5] = [1, 2, 4, 8, 16];

/// The mixes that the wish makes of these logs. Of several logs each mix is a sweep over their sizes; other
/// sweeps are of the first log.
pub fn mixes(logs: &[Asked], wish: &Wish) -> Result<Vec<Mix>, Error> {
    let Some(first) = logs.first() else { return Ok(Vec::new()) };
    let mut mixes = Vec::new();
    if logs.len() > 1 {
        for name in &wish.mixes {
            mixes.extend(by_log_size(name, logs, wish)?);
        }
    } else if wish.sweeps.is_empty() {
        for name in &wish.mixes {
            let requests = wish.stream(name, &first.profile)?;
            mixes.push(Mix { name: name.clone(), requests, point: None, load: wish.load(), log: 0 });
        }
    }
    for axis in &wish.sweeps {
        mixes.extend(sweep(*axis, first, wish)?);
    }
    Ok(mixes)
}

impl Wish {
    fn load(&self) -> Load {
        Load { rate: self.rate, ..Load::closed(self.concurrency) }
    }

    fn stream(&self, name: &str, profile: &Profile) -> Result<Vec<PageRequest>, Error> {
        let (seed, count) = (self.seed, self.requests);
        let stream = match name {
            "contract" => streams::contract(profile, seed, count),
            "dense" => streams::dense(profile, seed, count),
            other => match other.strip_prefix("dense-").and_then(|size| size.parse().ok()) {
                Some(size) if (1..=self.page_size).contains(&size) => {
                    streams::dense_pages_of(profile, seed, count, size)
                }
                Some(size) => {
                    return Err(Error::bad_request(format!(
                        "a page of {size} events is not granted: take dense-1 to dense-{}",
                        self.page_size
                    )));
                }
                None => {
                    return Err(Error::bad_request(format!(
                        "there is no mix {other:?}: take contract, dense, dense-N, or several"
                    )));
                }
            },
        };
        if stream.requests.is_empty() {
            return Err(too_small(&format!("the mix {name}"), profile));
        }
        Ok(stream.requests)
    }
}

fn too_small(what: &str, profile: &Profile) -> Error {
    Error::bad_request(format!("the log is too small for {what}: it has {} events", profile.rows))
}

fn by_log_size(name: &str, logs: &[Asked], wish: &Wish) -> Result<Vec<Mix>, Error> {
    let point = |(log, asked): (usize, &Asked)| {
        let rows = asked.profile.rows;
        Ok(Mix {
            name: format!("{name}, log={log} of {rows} events"),
            requests: wish.stream(name, &asked.profile)?,
            point: Some(Point {
                sweep: format!("{name} by size of the log"),
                axis: Axis::LogSize,
                label: format!("{rows} events"),
                at: float(rows),
            }),
            load: wish.load(),
            log,
        })
    };
    logs.iter().enumerate().map(point).collect()
}

fn sweep(axis: Axis, log: &Asked, wish: &Wish) -> Result<Vec<Mix>, Error> {
    let (profile, seed, count) = (&log.profile, wish.seed, wish.requests);
    let own = |points: Vec<At>, name: &str| {
        if points.len() < 2 {
            return Err(too_small(&format!("a sweep over {}", axis.words()), profile));
        }
        Ok(points.into_iter().map(|at| own_mix(at, axis, name, wish.load())).collect())
    };
    match axis {
        Axis::Depth => own(sweeps::depth(profile, seed, count), "depth"),
        Axis::Filter => {
            let census = log.census.clone().unwrap_or_default();
            own(sweeps::filter(profile, &census, seed, count), "filter")
        }
        Axis::PageSize => own(sweeps::page_size(profile, seed, count, wish.page_size), "page size"),
        Axis::Workers => {
            let most = workers_for(usize::MAX).max(2);
            let workers = std::iter::successors(Some(1), |workers| Some(workers * 2));
            let loads: Vec<_> = workers
                .take_while(|workers| *workers <= most)
                .map(|workers| {
                    let load = Load { workers, ..wish.load() };
                    (workers, Load { concurrency: load.concurrency.max(most), ..load })
                })
                .collect();
            by_load(axis, "workers", &loads, profile, wish)
        }
        Axis::Concurrency => {
            let loads = IN_FLIGHT.map(|flight| (flight, Load::closed(flight)));
            if wish.rate.is_some() {
                let what =
                    "an open loop has no number of requests in flight: leave out --rate, or that sweep";
                return Err(Error::bad_request(what));
            }
            by_load(axis, "concurrency", &loads, profile, wish)
        }
        Axis::LogSize => {
            Err(Error::bad_request("a sweep over the log's size takes another log beside the first"))
        }
    }
}

fn own_mix(at: At, axis: Axis, name: &str, load: Load) -> Mix {
    let point = Point { sweep: name.to_owned(), axis, label: at.label, at: at.at };
    Mix { name: format!("{name}: {}", point.label), requests: at.requests, point: Some(point), load, log: 0 }
}

/// Each of the wish's mixes under each of these loads.
fn by_load(
    axis: Axis,
    what: &str,
    loads: &[(usize, Load)],
    profile: &Profile,
    wish: &Wish,
) -> Result<Vec<Mix>, Error> {
    let mut mixes = Vec::new();
    for name in &wish.mixes {
        let requests = wish.stream(name, profile)?;
        for (number, load) in loads {
            let label = match axis {
                Axis::Workers if *number == 1 => "1 worker".to_owned(),
                Axis::Workers => format!("{number} workers"),
                _ => format!("{number} in flight"),
            };
            mixes.push(Mix {
                name: format!("{name}, {what}={number}"),
                requests: requests.clone(),
                point: Some(Point {
                    sweep: format!("{name} by {}", axis.words()),
                    axis,
                    label,
                    at: float(*number as u64),
                }),
                load: *load,
                log: 0,
            });
        }
    }
    Ok(mixes)
}

#[cfg(test)]
#[path = "mixes_tests.rs"]
mod tests;
