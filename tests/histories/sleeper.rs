//! How busy the machine is.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::SetOnDrop;

/// Runs something beside a thread that sleeps and wakes: how much later than it should it woke at most, in
/// milliseconds. A busy machine keeps a reader as long from giving the log's lock back.
pub(super) fn beside_a_sleeper<T>(run: impl FnOnce() -> T) -> (T, f64) {
    const NAP: Duration = Duration::from_millis(1);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let mut latest = Duration::ZERO;
            while !over.load(SeqCst) {
                let began = Instant::now();
                std::thread::sleep(NAP);
                latest = latest.max(began.elapsed().saturating_sub(NAP));
            }
            latest.as_secs_f64() * 1e3
        });
        let outcome = {
            let _over = SetOnDrop(&over);
            run()
        };
        (outcome, sleeper.join().unwrap())
    })
}
