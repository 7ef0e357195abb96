//! What else a reader has to know to believe a measurement: when, beside what, on which log.

use std::fs;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::run::float;

/// The conditions of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// When it began, in RFC 3339.
    pub started: String,
    /// How many threads wanted to run in the minute before, where the system tells.
    pub load_before: Option<f64>,
    /// The same at its end, its own workers among them.
    pub load_after: Option<f64>,
    /// What is known of the page cache.
    pub page_cache: String,
}

/// A log that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// Its folder's name, without where that lies.
    pub name: String,
    /// How many events.
    pub rows: u64,
    /// The largest id.
    pub high_water: i64,
    /// Size of its database.
    pub database_bytes: u64,
    /// Size of its payload file.
    pub payload_bytes: u64,
}

impl Conditions {
    /// The conditions at the beginning of a run over these logs.
    pub fn begin(logs: &[LogFacts], memory_bytes: u64) -> Self {
        let size = logs.iter().map(|log| log.database_bytes.saturating_add(log.payload_bytes)).sum();
        Self {
            started: rfc3339(SystemTime::now()),
            load_before: load_average(),
            load_after: None,
            page_cache: page_cache(size, memory_bytes),
        }
    }

    /// The run is over.
    pub fn end(&mut self) {
        self.load_after = load_average();
    }
}

fn page_cache(log_bytes: u64, memory_bytes: u64) -> String {
    let mebibytes = |bytes: u64| float(bytes) / float(1 << 20);
    let log = mebibytes(log_bytes);
    let begun = format!("as it was found, then as the warm-up left it; the logs take {log:.0} MiB");
    match memory_bytes {
        0 => begun,
        memory if log_bytes < memory / 2 => {
            format!("{begun} of {:.0} MiB of memory: they stay in it", mebibytes(memory))
        }
        memory => format!("{begun} of {:.0} MiB of memory: some reads go to the disk", mebibytes(memory)),
    }
}

fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// A moment in RFC 3339, in whole seconds.
fn rfc3339(moment: SystemTime) -> String {
    let seconds = moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_on_the_page_cache_says_whether_the_logs_fit() {
        let fits = page_cache(61 << 20, 4 << 30);
        assert!(fits.ends_with("the logs take 61 MiB of 4096 MiB of memory: they stay in it"), "{fits}");
        assert!(page_cache(3 << 30, 4 << 30).ends_with("some reads go to the disk"));
        assert!(page_cache(3 << 30, 0).ends_with("the logs take 3072 MiB"));
    }

    #[test]
    fn the_beginning_is_a_moment() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }
}
