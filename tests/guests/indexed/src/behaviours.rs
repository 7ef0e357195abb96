//! One file for each behaviour: what it does when it is asked for a page, and when it refreshes.

use crate::bindings::exports::keyhole::strategy::indexing::Progress;
use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

type Page = fn(&PageRequest) -> Result<Vec<Event>, Error>;
type Refresh = fn(i64) -> Result<Progress, Error>;

/// How a strategy pages, and how it refreshes.
pub(crate) type Behaviour = (Page, Refresh);

/// A module for each behaviour, and the behaviour by name.
macro_rules! behaviours {
    ($($name:literal $module:ident,)*) => {
        $(mod $module;)*

        /// The behaviour of that name.
        pub(crate) fn find(name: &str) -> Option<Behaviour> {
            match name {
                $($name => Some(($module::page, $module::refresh)),)*
                _ => None,
            }
        }
    };
}

behaviours! {
    "asks-for-more-than-it-uses" asks_for_more_than_it_uses,
    "honest-index" honest_index,
    "scratch-claims-more" scratch_claims_more,
    "scratch-corrupted" scratch_corrupted,
    "scratch-counts-refreshes" scratch_counts_refreshes,
    "scratch-endless-refresh" scratch_endless_refresh,
    "scratch-fill-disk" scratch_fill_disk,
    "scratch-from-other-log" scratch_from_other_log,
    "scratch-goes-back" scratch_goes_back,
    "scratch-holds-log" scratch_holds_log,
    "scratch-hostile-schema" scratch_hostile_schema,
    "scratch-leaves-transaction" scratch_leaves_transaction,
    "scratch-lies-later" scratch_lies_later,
    "scratch-reads-log-in-refresh" scratch_reads_log_in_refresh,
    "scratch-rewrites" scratch_rewrites,
    "scratch-shadows-log" scratch_shadows_log,
    "scratch-temporary-files" scratch_temporary_files,
    "scratch-trigger" scratch_trigger,
    "scratch-writes-host-tables" scratch_writes_host_tables,
    "slow-refresh" slow_refresh,
    "spin-in-refresh" spin_in_refresh,
    "write-log-in-refresh" write_log_in_refresh,
    "write-scratch-in-page" write_scratch_in_page,
}
