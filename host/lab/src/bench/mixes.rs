//! From the options to the mixes of a plan.

use super::Options;
use super::plan::{Axis, Load, Mix, Point, workers_for};
use keyhole_log::error::Error;
use keyhole_log::model::PageRequest;
use keyhole_log::survey::census::Census;
use keyhole_log::survey::profile::Profile;
use keyhole_log::units::float;
use keyhole_proof::streams;
use keyhole_proof::streams::sweeps::{self, At};

/// Requests in flight of the concurrency sweep.
const IN_FLIGHT: [usize; 5] = [1, 2, 4, 8, 16];

/// The mixes that the options make of these logs. Of several logs each mix is a sweep over their sizes; other
/// sweeps are of the first log, whose events `census` counts by actor and action. No page is larger than
/// `page_size`.
pub(super) fn mixes(
    options: &Options,
    logs: &[Profile],
    census: &Census,
    page_size: u32,
) -> Result<Vec<Mix>, Error> {
    let Some(first) = logs.first() else { return Ok(Vec::new()) };
    let drawing = Drawing { options, first, census, page_size };
    let mut mixes = Vec::new();
    if logs.len() > 1 {
        for name in &options.mixes {
            mixes.extend(drawing.by_log_size(name, logs)?);
        }
    } else if options.sweeps.is_empty() {
        for name in &options.mixes {
            let requests = drawing.stream(name, first)?;
            mixes.push(Mix { name: name.clone(), requests, point: None, load: drawing.load(), log: 0 });
        }
    }
    for axis in &options.sweeps {
        mixes.extend(drawing.sweep(*axis)?);
    }
    Ok(mixes)
}

/// What requests are drawn from.
struct Drawing<'a> {
    options: &'a Options,
    first: &'a Profile,
    census: &'a Census,
    page_size: u32,
}

impl Drawing<'_> {
    fn load(&self) -> Load {
        let load = Load { rate: self.options.rate, ..Load::closed(self.options.concurrency) };
        Load { workers: self.options.workers.unwrap_or(load.workers), ..load }
    }

    fn stream(&self, name: &str, profile: &Profile) -> Result<Vec<PageRequest>, Error> {
        let (seed, count, most) = (self.options.seed, self.options.requests, self.page_size);
        let size = name.strip_prefix("dense-").and_then(|size| size.parse().ok());
        let stream = match (name, size) {
            ("contract", _) => streams::contract(profile, seed, count),
            ("dense", _) => streams::dense(profile, seed, count),
            (_, Some(size)) if (1..=most).contains(&size) => {
                streams::dense_pages_of(profile, seed, count, size)
            }
            (_, Some(size)) => {
                return Err(Error::bad_request(format!(
                    "a page of {size} events is not granted: take dense-1 to dense-{most}"
                )));
            }
            (_, None) => {
                return Err(Error::bad_request(format!(
                    "there is no mix {name:?}: take contract, dense, dense-N, or several"
                )));
            }
        };
        if stream.requests.is_empty() {
            return Err(too_small(&format!("the mix {name}"), profile));
        }
        Ok(stream.requests)
    }

    fn by_log_size(&self, name: &str, logs: &[Profile]) -> Result<Vec<Mix>, Error> {
        let point = |(log, profile): (usize, &Profile)| {
            let rows = profile.rows;
            Ok(Mix {
                name: format!("{name}, log={log} of {rows} events"),
                requests: self.stream(name, profile)?,
                point: Some(Point {
                    sweep: format!("{name} by size of the log"),
                    axis: Axis::LogSize,
                    label: format!("{rows} events"),
                    at: float(rows),
                }),
                load: self.load(),
                log,
            })
        };
        logs.iter().enumerate().map(point).collect()
    }

    fn sweep(&self, axis: Axis) -> Result<Vec<Mix>, Error> {
        let (profile, seed, count) = (self.first, self.options.seed, self.options.requests);
        match axis {
            Axis::Depth => self.by_point(axis, "depth", sweeps::depth(profile, seed, count)),
            Axis::Filter => self.by_point(axis, "filter", sweeps::filter(profile, self.census, seed, count)),
            Axis::PageSize => {
                let points = sweeps::page_size(profile, seed, count, self.page_size);
                self.by_point(axis, "page size", points)
            }
            Axis::Workers if self.options.workers.is_some() => Err(Error::bad_request(
                "a sweep over workers varies them: leave out --workers, or that sweep",
            )),
            Axis::Workers => {
                let most = workers_for(usize::MAX).max(2);
                let workers = std::iter::successors(Some(1), |workers| Some(workers * 2));
                let load = |workers| {
                    let load = self.load();
                    Load { workers, concurrency: load.concurrency.max(most), ..load }
                };
                self.by_load(axis, "workers", &workers.take_while(|n| *n <= most).map(|n| (n, load(n))))
            }
            Axis::Concurrency if self.options.rate.is_some() => Err(Error::bad_request(
                "an open loop has no number of requests in flight: leave out --rate, or that sweep",
            )),
            Axis::Concurrency => {
                // Fewer requests in flight keep fewer workers busy.
                let load = |n| {
                    let load = Load::closed(n);
                    Load {
                        workers: self.options.workers.map_or(load.workers, |workers| workers.min(n)),
                        ..load
                    }
                };
                self.by_load(axis, "concurrency", &IN_FLIGHT.into_iter().map(|n| (n, load(n))))
            }
            Axis::LogSize => {
                Err(Error::bad_request("a sweep over the log's size takes another log beside the first"))
            }
        }
    }

    /// A mix for each of a sweep's own points.
    fn by_point(&self, axis: Axis, sweep: &str, points: Vec<At>) -> Result<Vec<Mix>, Error> {
        if points.len() < 2 {
            return Err(too_small(&format!("a sweep over {}", axis.words()), self.first));
        }
        let mix = |At { label, at, requests }: At| Mix {
            name: format!("{sweep}: {label}"),
            requests,
            point: Some(Point { sweep: sweep.to_owned(), axis, label, at }),
            load: self.load(),
            log: 0,
        };
        Ok(points.into_iter().map(mix).collect())
    }

    /// Each of the options' mixes under each of these loads.
    fn by_load(
        &self,
        axis: Axis,
        what: &str,
        loads: &(impl Iterator<Item = (usize, Load)> + Clone),
    ) -> Result<Vec<Mix>, Error> {
        let mut mixes = Vec::new();
        for name in &self.options.mixes {
            let requests = self.stream(name, self.first)?;
            mixes.extend(loads.clone().map(|(number, load)| Mix {
                name: format!("{name}, {what}={number}"),
                requests: requests.clone(),
                point: Some(Point {
                    sweep: format!("{name} by {}", axis.words()),
                    axis,
                    label: match axis {
                        Axis::Workers if number == 1 => "1 worker".to_owned(),
                        Axis::Workers => format!("{number} workers"),
                        _ => format!("{number} in flight"),
                    },
                    at: float(number as u64),
                }),
                load,
                log: 0,
            }));
        }
        Ok(mixes)
    }
}

fn too_small(what: &str, profile: &Profile) -> Error {
    Error::bad_request(format!("the log is too small for {what}: it has {} events", profile.rows))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn made(rows: &[u64], options: &Options) -> Result<Vec<Mix>, Error> {
        let log = |&rows| Profile { rows, oldest: 0, newest: 1_000_000, ..Profile::default() };
        mixes(options, &rows.iter().map(log).collect::<Vec<_>>(), &Census::default(), 200)
    }

    fn options(mixes: &[&str], sweeps: &[Axis]) -> Options {
        let mixes = mixes.iter().map(|name| (*name).to_owned()).collect();
        Options { mixes, sweeps: sweeps.to_vec(), requests: 8, seed: 1, ..Options::default() }
    }

    fn names(mixes: &[Mix]) -> Vec<&str> {
        mixes.iter().map(|mix| mix.name.as_str()).collect()
    }

    #[test]
    fn without_a_sweep_each_mix_is_measured_for_itself() {
        let made = made(&[50_000], &options(&["contract", "dense", "dense-50"], &[])).unwrap();
        assert_eq!(names(&made), ["contract", "dense", "dense-50"]);
        assert!(made.iter().all(|mix| mix.point.is_none() && mix.requests.len() == 8));
        assert!(made.iter().all(|mix| mix.load.concurrency == 4));
        assert!(made[2].requests.iter().all(|request| request.page_size == 50));
    }

    #[test]
    fn a_sweep_over_workers_varies_nothing_else() {
        let made = made(&[50_000], &options(&["contract", "dense"], &[Axis::Workers])).unwrap();
        assert_eq!(names(&made)[..2], ["contract, workers=1", "contract, workers=2"]);
        let (one, two) = (&made[0], &made[1]);
        assert_eq!((one.load.workers, two.load.workers), (1, 2));
        assert_eq!((one.load.concurrency, &one.requests), (two.load.concurrency, &two.requests));
        let point = two.point.as_ref().unwrap();
        assert_eq!((point.sweep.as_str(), point.label.as_str()), ("contract by workers", "2 workers"));
        assert_eq!(made.last().unwrap().point.as_ref().unwrap().sweep, "dense by workers");
    }

    #[test]
    fn sweeps_with_requests_of_their_own_leave_the_mixes_out() {
        let made = made(&[50_000], &options(&["contract"], &[Axis::Depth, Axis::PageSize])).unwrap();
        let depths = [1, 10, 100, 1_000].map(|page| format!("depth: page {page}"));
        let sizes = [1, 10, 50, 100, 200].map(|size| format!("page size: {size} a page"));
        assert_eq!(names(&made), [&depths[..], &sizes[..]].concat());
    }

    #[test]
    fn several_logs_make_a_sweep_over_their_sizes_with_requests_drawn_from_each() {
        let made = made(&[1_000, 5_000_000], &options(&["dense-50"], &[])).unwrap();
        assert_eq!(names(&made), ["dense-50, log=0 of 1000 events", "dense-50, log=1 of 5000000 events"]);
        assert_eq!((made[0].log, made[1].log), (0, 1));
        let deepest = |mix: &Mix| mix.requests.iter().filter_map(PageRequest::skipped).max().unwrap();
        assert!(deepest(&made[0]) < 1_000 && deepest(&made[1]) > 100_000);
    }

    #[test]
    fn a_rate_makes_every_load_an_open_loop() {
        let open = |axis| Options { rate: Some(500.0), ..options(&["dense"], &[axis]) };
        let made_open = made(&[50_000], &open(Axis::Workers)).unwrap();
        assert!(made_open.iter().all(|mix| mix.load.rate == Some(500.0)));
        let refused = made(&[50_000], &open(Axis::Concurrency)).unwrap_err();
        assert!(refused.to_string().contains("leave out --rate"));
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_a_way_out() {
        for (rows, mix, axis, why) in [
            (9, "dense", None, "the log is too small for the mix dense: it has 9 events"),
            (9, "dense", Some(Axis::Depth), "too small for a sweep over page number"),
            (50_000, "dense", Some(Axis::Filter), "too small for a sweep over filter"),
            (50_000, "sparse", None, "there is no mix \"sparse\""),
            (50_000, "dense-", None, "there is no mix \"dense-\""),
            (50_000, "dense-x", None, "there is no mix \"dense-x\""),
            (50_000, "dense50", None, "there is no mix \"dense50\""),
            (50_000, "dense-0", None, "take dense-1 to dense-200"),
            (50_000, "dense-201", None, "take dense-1 to dense-200"),
        ] {
            let refused = made(&[rows], &options(&[mix], axis.as_slice())).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
