//! What a thread spends: time on a processor beside time that passes.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::error::Spent;

/// How long the calling thread has been on a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Both clocks, from one moment on. Read on the thread that began it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    began: Instant,
    on_processor: Duration,
}

impl Meter {
    /// Begins.
    pub fn start() -> Self {
        Self { began: Instant::now(), on_processor: processor_time() }
    }

    /// What was spent since then, beside so many steps and rows.
    pub fn spent(&self, steps: u64, rows: u64) -> Spent {
        let processor = processor_time().saturating_sub(self.on_processor);
        Spent { processor, elapsed: self.began.elapsed(), steps, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_spends_time_and_no_processor() {
        let meter = Meter::start();
        std::thread::sleep(Duration::from_millis(30));
        let slept = meter.spent(0, 0);
        assert!(
            slept.elapsed >= Duration::from_millis(30) && slept.processor < Duration::from_millis(20),
            "{slept}"
        );
        while meter.spent(0, 0).processor < slept.processor + Duration::from_millis(5) {
            assert!(meter.began.elapsed() < Duration::from_secs(30), "a thread that spins is on a processor");
        }
    }
}
