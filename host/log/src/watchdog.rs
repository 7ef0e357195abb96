//! The watchdog: one thread of the process that interrupts overdue statements from outside.
//!
//! SQLite calls the progress handler when a loop of its virtual machine turns. It never does so in
//! the walk of `count(*)`, in full-text search, or before a thousand steps are made, however long each
//! takes. All of these do look at the interrupt flag.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::budget::Budget;
use crate::error::Error;

/// How often it looks. An overdue statement goes on for this long at most; a look costs some 20 ns a
/// connection.
const TICK: Duration = Duration::from_millis(5);

struct Watched {
    running: bool,
    budgets: Vec<Weak<Budget>>,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { running: false, budgets: Vec::new() });

/// Has this budget looked at from now on, for as long as it is in use.
pub fn watch(budget: &Arc<Budget>) -> Result<(), Error> {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if !watched.running {
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(look_out)
            .map_err(|source| Error::io("the watchdog thread", source))?;
        watched.running = true;
    }
    let budget = Arc::downgrade(budget);
    if !watched.budgets.iter().any(|known| known.ptr_eq(&budget)) {
        watched.budgets.push(budget);
    }
    Ok(())
}

fn look_out() {
    loop {
        std::thread::sleep(TICK);
        let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        watched.budgets.retain(|budget| match budget.upgrade() {
            Some(budget) => {
                budget.look();
                true
            }
            None => false,
        });
    }
}
