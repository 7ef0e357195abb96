//! Progress bars: on standard error, on a terminal, for work that takes more than a second.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Common;

/// Work that is over sooner shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// One bar. It appears once the work has taken a second, and goes when it is dropped.
pub struct Bar {
    message: String,
    wanted: bool,
    began: Instant,
    drawn: OnceLock<ProgressBar>,
}

impl Bar {
    /// A bar that does not show yet.
    pub fn new(common: &Common, message: impl Into<String>) -> Self {
        let wanted = !common.quiet && std::io::stderr().is_terminal();
        Self { message: message.into(), wanted, began: Instant::now(), drawn: OnceLock::new() }
    }

    /// So much is done, of so much.
    pub fn at(&self, done: u64, all: u64) {
        if !self.wanted || self.began.elapsed() < PATIENCE {
            return;
        }
        let bar = self.drawn.get_or_init(|| {
            let bar = ProgressBar::new(all).with_message(self.message.clone());
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
            {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(all);
        bar.set_position(done);
        if done >= all {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.drawn.get() {
            bar.finish_and_clear();
        }
    }
}
