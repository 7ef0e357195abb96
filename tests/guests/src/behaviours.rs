//! One file for each behaviour; each answers honestly where its lie has no place.

use crate::bindings::keyhole::strategy::log::Event;
use crate::bindings::keyhole::strategy::types::{Error, PageRequest};

type Page = fn(&PageRequest) -> Result<Vec<Event>, Error>;

/// A module for each behaviour, and the behaviour by name.
macro_rules! behaviours {
    ($($name:literal $module:ident,)*) => {
        $(mod $module;)*

        /// The behaviour of that name.
        pub(crate) fn find(name: &str) -> Option<Page> {
            match name {
                $($name => Some($module::page),)*
                _ => None,
            }
        }
    };
}

behaviours! {
    "attach" attach,
    "bad-utf8" bad_utf8,
    "broken-sql" broken_sql,
    "burns-when-deep" burns_when_deep,
    "burns-when-large" burns_when_large,
    "clock-function" clock_function,
    "count-loop" count_loop,
    "counts-calls" counts_calls,
    "crash-then-answer" crash_then_answer,
    "cross-join" cross_join,
    "detects-audit" detects_audit,
    "dropped-event" dropped_event,
    "early-end" early_end,
    "expression-bomb" expression_bomb,
    "flattening-bomb" flattening_bomb,
    "giant-string" giant_string,
    "gives-up" gives_up,
    "grow-until-refused" grow_until_refused,
    "handle-flood" handle_flood,
    "handle-never-dropped" handle_never_dropped,
    "handle-of-other-call" handle_of_other_call,
    "held-statement" held_statement,
    "hold-the-log" hold_the_log,
    "honest" honest,
    "host-call-loop" host_call_loop,
    "invented-id" invented_id,
    "like-bomb" like_bomb,
    "lies-to-one-window" lies_to_one_window,
    "load-extension" load_extension,
    "long-sql-text" long_sql_text,
    "many-statements" many_statements,
    "misleading-notes" misleading_notes,
    "nearly-all-memory" nearly_all_memory,
    "next-page-instead" next_page_instead,
    "non-deterministic" non_deterministic,
    "nul-in-text" nul_in_text,
    "one-too-many" one_too_many,
    "outside-window" outside_window,
    "plans-badly" plans_badly,
    "pragma-call" pragma_call,
    "pragma-function" pragma_function,
    "read-only-in-name" read_only_in_name,
    "reads-everything" reads_everything,
    "recursive-cte" recursive_cte,
    "remembers-requests" remembers_requests,
    "repeated-event" repeated_event,
    "returns-after-rest" returns_after_rest,
    "schema-read" schema_read,
    "slow-host-call" slow_host_call,
    "slow-when-deep" slow_when_deep,
    "slow-when-large" slow_when_large,
    "sort-bomb" sort_bomb,
    "spin-in-page" spin_in_page,
    "stale-page" stale_page,
    "swapped-neighbours" swapped_neighbours,
    "temp-table" temp_table,
    "text-bomb" text_bomb,
    "too-many-bytes" too_many_bytes,
    "too-many-payloads" too_many_payloads,
    "too-many-rows" too_many_rows,
    "too-many-steps" too_many_steps,
    "transaction-games" transaction_games,
    "trap-in-mid-page" trap_in_mid_page,
    "traps-in-one-window" traps_in_one_window,
    "ungranted-column" ungranted_column,
    "ungranted-function" ungranted_function,
    "values-in-texts" values_in_texts,
    "virtual-table" virtual_table,
    "wakes-at-high-water" wakes_at_high_water,
    "write-log" write_log,
    "wrong-action" wrong_action,
    "wrong-actor" wrong_actor,
    "wrong-tie-order" wrong_tie_order,
    "zeroblob" zeroblob,
}
