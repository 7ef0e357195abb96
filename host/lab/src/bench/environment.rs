//! What a reader has to know to believe a measurement: on what machine, when, beside what, on which logs.
//! Nothing that would name the machine or its user.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use keyhole_log::Log;
use keyhole_log::error::Error;
use keyhole_log::survey::profile::Profile;
use keyhole_log::units::mebibytes;

/// What of a machine moves absolute times. Ratios are the point; this is for reading the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name for itself, `unknown` where the system does not tell.
    pub cpu: String,
    /// Instruction set, as in `x86_64`.
    pub arch: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// Bytes of memory; 0 where the system does not tell.
    pub memory_bytes: u64,
    /// Operating system and release.
    pub kernel: String,
}

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

impl Machine {
    /// This machine.
    pub fn detect() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            cpu: cpu_model(&read("/proc/cpuinfo")),
            arch: std::env::consts::ARCH.into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_bytes(&read("/proc/meminfo")),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()).trim_end().into(),
        }
    }
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

/// The facts of each log, which lies in its folder and has that profile.
pub(super) fn log_facts(
    folders: &[PathBuf],
    logs: &[Log],
    profiles: &[Profile],
) -> Result<Vec<LogFacts>, Error> {
    let size = |path: &Path| {
        fs::metadata(path).map(|metadata| metadata.len()).map_err(|source| Error::io(path, source))
    };
    let facts = folders.iter().zip(logs).zip(profiles).map(|((folder, log), profile)| {
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        Ok(LogFacts {
            name: whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            rows: profile.rows,
            high_water: profile.high_water,
            database_bytes: size(&log.database)?,
            payload_bytes: size(&log.payloads)?,
        })
    });
    facts.collect()
}

fn cpu_model(cpuinfo: &str) -> String {
    field(cpuinfo, "model name").unwrap_or("unknown").into()
}

fn memory_bytes(meminfo: &str) -> u64 {
    let kibibytes = field(meminfo, "MemTotal").and_then(|value| value.split(' ').next());
    kibibytes.and_then(|number| number.parse::<u64>().ok()).map_or(0, |number| number * 1_024)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn page_cache(log_bytes: u64, memory_bytes: u64) -> String {
    let (log, memory) = (mebibytes(log_bytes), mebibytes(memory_bytes));
    let begun = format!("as it was found, then as the warm-up left it; the logs take {log:.0} MiB");
    match memory_bytes {
        0 => begun,
        all if log_bytes < all / 2 => format!("{begun} of {memory:.0} MiB of memory: they stay in it"),
        _ => format!("{begun} of {memory:.0} MiB of memory: some reads go to the disk"),
    }
}

fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next()?.parse().ok()
}

/// A moment in RFC 3339, in whole seconds.
fn rfc3339(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_memory_are_read_from_the_systems_own_files() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC 9B14\n";
        assert_eq!(cpu_model(cpuinfo), "AMD EPYC 9B14");
        assert_eq!(memory_bytes("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), 25_276_510_208);
        assert!(Machine::detect().cores >= 1);
    }

    #[test]
    fn what_the_system_does_not_tell_is_said_to_be_unknown() {
        assert_eq!(cpu_model("processor\t: 0\n"), "unknown");
        assert_eq!(memory_bytes(""), 0);
    }

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
