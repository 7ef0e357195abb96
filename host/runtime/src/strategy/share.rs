//! How many requests of one strategy run at once, so that one that overruns on every request never holds
//! all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use keyhole_log::error::Error;

/// A strategy's share of the workers.
#[derive(Debug)]
pub struct Share {
    most: u32,
    running: AtomicU32,
}

/// A place in the share; given back when it is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Share);

impl Share {
    /// A share of so many requests at once; of any number, if none is named.
    pub fn new(most: Option<u32>) -> Arc<Self> {
        Arc::new(Self { most: most.unwrap_or(u32::MAX), running: AtomicU32::new(0) })
    }

    /// Takes a place, without waiting. Fails with `Crowded` where all are taken.
    pub fn take(&self) -> Result<Turn<'_>, Error> {
        let room = |running| (running < self.most).then_some(running + 1);
        match self.running.fetch_update(Relaxed, Relaxed, room) {
            Ok(_) => Ok(Turn(self)),
            Err(_) => Err(Error::Crowded { at_once: self.most }),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_requests_than_the_share_run_at_once_and_each_gives_its_place_back() {
        let share = Share::new(Some(2));
        let (one, two) = (share.take().unwrap(), share.take().unwrap());
        assert!(matches!(share.take(), Err(Error::Crowded { at_once: 2 })));
        drop(one);
        let three = share.take().unwrap();
        assert!(share.take().is_err());
        drop((two, three));
        assert_eq!(share.running.load(Relaxed), 0);
    }

    #[test]
    fn a_share_without_a_number_is_never_full() {
        let share = Share::new(None);
        let turns: Vec<Turn<'_>> = (0..1000).map(|_| share.take().unwrap()).collect();
        assert_eq!(turns.len(), 1000);
    }
}
