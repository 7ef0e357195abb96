//! The machine that a measurement was made on, without what would name it or its user.

use std::fs;

use serde::{Deserialize, Serialize};

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

fn cpu_model(cpuinfo: &str) -> String {
    field(cpuinfo, "model name").unwrap_or("unknown").into()
}

fn memory_bytes(meminfo: &str) -> u64 {
    let kibibytes = field(meminfo, "MemTotal").and_then(|value| value.split(' ').next());
    kibibytes.and_then(|number| number.parse::<u64>().ok()).map_or(0, |number| number * 1_024)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_and_memory_are_read_from_the_systems_own_files() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD EPYC 9B14\n";
        assert_eq!(cpu_model(cpuinfo), "AMD EPYC 9B14");
        assert_eq!(memory_bytes("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), 25_276_510_208);
    }

    #[test]
    fn what_the_system_does_not_tell_is_said_to_be_unknown() {
        assert_eq!(cpu_model("processor\t: 0\n"), "unknown");
        assert_eq!(memory_bytes(""), 0);
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(Machine::detect().cores >= 1);
    }
}
