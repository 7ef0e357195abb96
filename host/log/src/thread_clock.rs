//! What a thread spends: time on a processor beside time that passes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::error::Spent;

/// Longest line that the kernel writes there: three numbers of 64 bits.
const LINE: usize = 64;

thread_local! {
    /// The calling thread's own account, kept open: one system call a look, which runs under callgrind, too. None where the
    /// kernel keeps none.
    static ACCOUNT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
}

/// How long the calling thread has been on a processor; None where the system does not say.
fn processor_time() -> Option<Duration> {
    let mut line = [0; LINE];
    let read = ACCOUNT.try_with(|account| account.as_ref()?.read_at(&mut line, 0).ok()).ok()??;
    let text = std::str::from_utf8(line.get(..read)?).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Both clocks, from one moment on. Read on the thread that began it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    began: Instant,
    on_processor: Option<Duration>,
}

impl Meter {
    /// Begins.
    pub fn start() -> Self {
        Self { began: Instant::now(), on_processor: processor_time() }
    }

    /// What was spent since then, beside so many steps and rows. Where the system does not say for how long the thread was
    /// on a processor, it counts as all the time.
    pub fn spent(&self, steps: u64, rows: u64) -> Spent {
        let elapsed = self.began.elapsed();
        let known = processor_time().zip(self.on_processor);
        let processor = known.map_or(elapsed, |(now, then)| now.saturating_sub(then));
        Spent { processor, elapsed, steps, rows }
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
