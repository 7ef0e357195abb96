//! The one table of attacks: what each hostile strategy tries, the request that brings it about, and what an
//! operator must observe. `selftest` plays it, the tests make a test of each row, and `docs/attacks.md` prints it.
//!
//! Every request is meant for the log of [`ROWS`] rows that the contract's generator makes.

use std::time::Duration;

use keyhole_log::grants::{Grants, Instances};
use keyhole_log::model::{Filter, PageRequest, Position};

/// How many rows of the contract's data set the requests of the table are meant for.
pub const ROWS: u64 = 2_000;

/// The attacks by what they are aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Guest time, and time in host calls.
    Time,
    /// Memory, tables, stacks, and bytes that cross into the host.
    Memory,
    /// What a strategy answers.
    Returns,
    /// Handles of events.
    Handles,
    /// Statements.
    Sql,
    /// Tables of a strategy's own.
    Scratch,
    /// Answers that depend on what they must not depend on.
    Behaviour,
    /// What a strategy imports.
    Imports,
    /// None of these: what the others are compared with, and faults that only an audit brings up.
    Other,
}

/// Where an attack is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The request fails, or already the load: the error's observation is one of those expected.
    Refused,
    /// Calls are denied, each expected denial is counted in the ledger, and since the strategy goes on
    /// honestly, the page is right.
    Denied,
    /// The page passes every check of its own; a comparison with a reference finds the lie.
    Compared,
    /// The page is right and nothing is counted.
    Harmless,
}

/// What happens to log or scratch after the first request, before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// Nothing.
    Nothing,
    /// An event arrives, and scratch is refreshed.
    LogGrows,
    /// The tables that the strategy made for another log are put in the place of its own.
    ScratchOfAnotherLog,
    /// Scratch is overwritten, all but its first page.
    ScratchDamaged,
}

/// One hostile strategy.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, as in the zoo.
    pub name: &'static str,
    /// What it is aimed at.
    pub group: Group,
    /// The attack in a sentence.
    pub what: &'static str,
    /// How often the request is sent to the same worker, at most: the first failure ends it.
    pub times: u32,
    /// How its instances live.
    pub instances: Instances,
    /// What happens between the first request and the second.
    pub between: Between,
    /// Where it is seen.
    pub seen: Seen,
    /// What is observed ([`Error::observed`](keyhole_log::error::Error::observed)): one of these for
    /// [`Seen::Refused`] and [`Seen::Compared`], all of them for [`Seen::Denied`].
    pub expected: &'static [&'static str],
    /// Changes the request for the newest ten events.
    ask: fn(&mut PageRequest),
    /// Changes what local verbs grant: a limit is put out of the way where another one would strike first.
    grant: Option<fn(&mut Grants)>,
}

impl Case {
    const fn new(seen: Seen, expected: &'static [&'static str], what: &'static str) -> Self {
        Self {
            name: "",
            group: Group::Other,
            what,
            times: 1,
            instances: Instances::Fresh,
            between: Between::Nothing,
            seen,
            expected,
            ask: |_| (),
            grant: None,
        }
    }

    const fn asking(self, ask: fn(&mut PageRequest)) -> Self {
        Self { ask, ..self }
    }

    const fn granted(self, grant: fn(&mut Grants)) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// Asks one warm instance this often.
    const fn warm(self, times: u32) -> Self {
        Self { times, instances: Instances::Warm(Instances::USES), ..self }
    }

    /// Asks twice, and this happens in between.
    const fn after(self, between: Between) -> Self {
        Self { between, times: 2, ..self }
    }

    /// The request.
    pub fn request(&self) -> PageRequest {
        let mut request = newest(10);
        (self.ask)(&mut request);
        request
    }

    /// What it is granted: what local verbs grant, with the case's own changes.
    pub fn grants(&self) -> Grants {
        let mut grants = Grants::local();
        if let Some(change) = self.grant {
            change(&mut grants);
        }
        grants
    }

    /// Whether the attack needs nothing but requests under the usual grants: no time or change in between.
    pub fn is_plain(&self) -> bool {
        self.grant.is_none() && self.between == Between::Nothing && self.times < 1_000
    }
}

/// A request for the newest events.
pub fn newest(page_size: u32) -> PageRequest {
    let filter = Filter { from_ts: i64::MIN, to_ts: i64::MAX, actor_id: None, action: None };
    PageRequest { filter, position: Position::Page(1), page_size, up_to: None }
}

/// All rows, group by group.
pub fn all() -> impl Iterator<Item = &'static Case> {
    CASES.iter()
}

/// The row of the strategy `name`.
pub fn find(name: &str) -> Option<&'static Case> {
    all().find(|case| case.name == name)
}

const fn refused(expected: &'static [&'static str], what: &'static str) -> Case {
    Case::new(Seen::Refused, expected, what)
}

const fn denied(expected: &'static [&'static str], what: &'static str) -> Case {
    Case::new(Seen::Denied, expected, what)
}

const fn compared(expected: &'static [&'static str], what: &'static str) -> Case {
    Case::new(Seen::Compared, expected, what)
}

const fn harmless(what: &'static str) -> Case {
    Case::new(Seen::Harmless, &[], what)
}

/// A statement is cut by whichever budget is used up first, and that depends on the machine.
const ANY_BUDGET: &[&str] = &["sql-budget (log_lock)", "sql-budget (sql_steps)"];

/// No case is granted any of the interfaces that those of the group of imports ask for.
const IMPORT: &[&str] = &["load-refused"];

/// What `counts-calls` counts to.
const CALLS: u32 = 100_000;

/// No limit of time strikes: neither before the one that is reached for, nor one late request of very many.
fn unhurried(grants: &mut Grants) {
    let limits = &mut grants.limits;
    (limits.guest_time, limits.log_lock, limits.wall_time) = (SECONDS, SECONDS, SECONDS);
}

const SECONDS: Duration = Duration::from_secs(20);

/// The payloads of the log of the table are small: a thousand have a megabyte.
fn few_payload_bytes(grants: &mut Grants) {
    unhurried(grants);
    grants.limits.payload_bytes = 256 << 10;
}

fn short_wall_time(grants: &mut Grants) {
    grants.limits.wall_time = Duration::from_millis(100);
    grants.limits.log_lock = Duration::from_secs(10);
    grants.limits.sql_steps = u64::MAX;
}

/// Small enough to be reached at once, large enough for the log of the table.
fn small_quota(grants: &mut Grants) {
    grants.scratch_quota = 8 << 20;
}

/// A page of one event shows nothing of what lies between two, nor its own place among all.
fn one_event(ask: &mut PageRequest) {
    (ask.position, ask.page_size) = (Position::Page(10), 1);
}

fn window(ask: &mut PageRequest, from_ts: i64, to_ts: i64) {
    (ask.filter.from_ts, ask.filter.to_ts) = (from_ts, to_ts);
}

fn of_an_action(ask: &mut PageRequest) {
    ask.filter.action = Some("LOGIN".to_owned());
}

/// Hands each row to the macro that it is given: the rows of a group as `name = case;`. The names have hyphens
/// for underscores.
#[macro_export]
macro_rules! each_attack {
    ($rows:ident) => { $rows! {
        // Answers right, or fails plainly, and has a fault that only an audit brings up.
        Other {
            plans_badly = harmless("Scans, sorts, and has SQLite make an index for one run.");
            values_in_texts = harmless("Writes values into its SQL: every text is a new one.");
            misleading_notes = harmless("Notes with escape sequences that repaint a screen.");
            burns_when_deep = harmless("Burns fuel by the depth of the page.");
            burns_when_large = harmless("Burns fuel by the size of the log.");
            nearly_all_memory = harmless("Asks for nearly all the memory that it may have.");
            slow_refresh = harmless("Refreshes in the square of the events that it has.");
            gives_up = refused(&["gave-up"], "Gives up with an error of its own.").asking(of_an_action);
            broken_sql = refused(&["sql"], "Sends what is no SQL.");
        }
        Time {
            spin_in_page = refused(&["guest-time"], "A loop without end while a page is asked for.");
            spin_in_start = refused(&["guest-time"], "A loop without end in the start function.");
            spin_in_realloc = refused(&["guest-time"], "A loop without end where the host asks for room.");
            spin_in_resource_drop = refused(&["guest-time"], "A loop without end in a destructor.");
            spin_in_post_return = refused(&["guest-time"], "A loop without end after the answer.");
            bulk_copy_loop = refused(&["guest-time"], "Copies and fills of 62 MiB, one instruction each.");
            table_fill_loop = refused(&["guest-time"], "Fills and copies of the largest table.");
            // Whichever comes first: the time in the guest between the calls, or the log's lock.
            host_call_loop = refused(&["guest-time", "sql-budget (log_lock)"], "Millions of the cheapest host call.");
            slow_host_call = refused(&["wall-time"],
                "One statement that goes on for longer than any request may take.").granted(short_wall_time);
            count_loop = refused(ANY_BUDGET, "Counts, in which SQLite does not ask whether it may go on.");
            hold_the_log = refused(&["sql-budget (log_lock)"],
                "Statement after statement, whatever they answer, so that the log stays locked.");
        }
        Memory {
            grow_until_refused = denied(&["memory"],
                "Takes memory until there is no more, lets go of it, and answers honestly.");
            // A window without events: its right page is empty.
            canary = harmless("Looks for what other instances left in memory and tables, and marks its own.")
                .asking(|ask| ask.filter.from_ts = 2_000_000_000);
            grow_in_start = refused(&["memory"], "Takes all memory there is in the start function.");
            many_memories = refused(&["memory"], "Two memories that are too large together.");
            many_tables = refused(&["table"], "Three tables that are too large together.");
            many_core_instances = refused(&["instances"], "A hundred instances of an empty core module.");
            deep_recursion = refused(&["stack"], "A function that calls itself without end.");
            mutual_recursion = refused(&["stack"], "Two functions that call each other without end.");
            // The component model forbids the first step already: there is no recursion to bound.
            recursion_through_host_call = refused(&["trapped"],
                "Calls the host where the host asks for room to put its answer.");
            handle_flood = refused(&["handles"], "Handles for as long as the host gives any.");
            handle_never_dropped = refused(&["handles"], "A warm instance that drops no handle.").warm(6);
            own_handle_flood = refused(&["handles"], "Handles of a resource of its own, none dropped.");
            giant_list_claim = refused(&["host-bytes"], "A list of 2^32 - 1 events that is not there.");
            giant_string = refused(&["host-bytes"], "A note of twenty megabytes.");
            million_params = refused(&["host-bytes"], "A statement with a million parameters.");
            long_sql_text = refused(&["sql-budget (sql_bytes)"], "A statement of half a megabyte.");
        }
        Returns {
            invented_id = refused(&["lie:invented-id"], "An id that names no event, in the middle of the page.");
            repeated_event = refused(&["lie:repeated-event"], "An event twice.");
            swapped_neighbours = refused(&["lie:swapped-neighbours"], "Two neighbours change places.")
                .asking(|ask| ask.page_size = 50);
            // The window holds two events of one second.
            wrong_tie_order = refused(&["lie:wrong-tie-order"], "Two events of the same second change places.")
                .asking(|ask| { window(ask, 1_765_200_000, 1_765_240_000); ask.page_size = 100 });
            // Events lie on both sides of the window.
            outside_window = refused(&["lie:outside-window"], "An event from outside the window.")
                .asking(|ask| window(ask, 1_766_000_000, 1_766_500_000));
            wrong_actor = refused(&["lie:wrong-actor"], "Another actor's event.")
                .asking(|ask| ask.filter.actor_id = Some(1883));
            wrong_action = refused(&["lie:wrong-action"], "An event of another action.").asking(of_an_action);
            one_too_many = refused(&["lie:one-too-many"], "One event more than was asked for.");
            dropped_event = refused(&["lie:dropped-event"], "An event is left out between two that are shown.")
                .asking(|ask| ask.page_size = 50);
            early_end = compared(&["lie:early-end"], "The page ends in the middle.").asking(one_event);
            next_page_instead = compared(&["lie:next-page-instead"],
                "The page behind the one that was asked for.").asking(one_event);
            stale_page = compared(&["lie:stale-page"], "The page as it was a hundred events ago.")
                .asking(|ask| { one_event(ask); ask.position = Position::Page(1_500) });
        }
        Handles {
            handle_twice = refused(&["handle"], "One handle, returned twice.");
            handle_after_drop = refused(&["handle"], "A handle that was dropped.");
            handle_of_other_call = refused(&["handle"],
                "A handle of an earlier request, kept in a warm instance.").warm(2);
            handle_of_other_store = refused(&["handle"], "Numbers that are handles where more of them are held.");
            forged_index = refused(&["handle"], "Numbers that were never handles.");
            // It does not come to that: a component may not call one that lies in it, or is not let in at all.
            borrow_escapes = refused(&["handle", "trapped", "load-refused"],
                "An inner component keeps what it was lent.");
            double_drop = refused(&["handle"], "A handle, dropped twice.");
        }
        Sql {
            write_log = refused(&["sql-denied (statement)"], "Changes to the log, in every spelling.");
            attach = denied(&["sql-denied (attach)"], "Another database file.");
            pragma_call = denied(&["sql-denied (pragma)"], "Pragmas as statements.");
            pragma_function = denied(&["sql-denied (virtual-table)"], "Pragmas as tables.");
            load_extension = denied(&["sql-denied (function)"], "Machine code from a file.");
            virtual_table = denied(&["sql-denied (virtual-table)", "sql-denied (function)"],
                "Virtual tables, made and ready-made.");
            temp_table = denied(&["sql-denied (temp)", "sql-denied (schema)"],
                "Tables, views and triggers of the connection's.");
            recursive_cte = denied(&["sql-denied (recursive)"], "Recursion without end.");
            cross_join = refused(ANY_BUDGET, "The log joined with itself three times.");
            sort_bomb = refused(ANY_BUDGET, "Millions of rows to be sorted.");
            text_bomb = denied(&["sql-denied (function)", "sql-budget (value_bytes)"],
                "Megabytes of text out of a few bytes.");
            zeroblob = denied(&["sql-denied (function)"], "Megabytes out of a number.");
            like_bomb = refused(&["sql-budget (value_bytes)"], "Comparisons that take long for one step.");
            expression_bomb = refused(&["sql"], "Texts that take long to be parsed.");
            // Its text gives it away; otherwise what it allocates does.
            flattening_bomb = refused(
                &["sql-denied (statement)", "sql-budget (sql_memory)", "sql-budget (log_lock)"],
                "A short text that SQLite's compiler makes a gigabyte of.");
            many_statements = denied(&["sql-denied (statement)"], "More than one statement in a text.");
            nul_in_text = denied(&["sql-denied (statement)"], "A NUL, behind which SQLite does not look.");
            bad_utf8 = refused(&["sql"], "Bytes that are no text, as text.");
            read_only_in_name = denied(
                &["sql-denied (attach)", "sql-denied (transaction)", "sql-denied (statement)"],
                "What the read-only test of SQLite itself lets through.");
            transaction_games = denied(&["sql-denied (transaction)"], "Ends the snapshot, or begins another.");
            schema_read = denied(&["sql-denied (read)"], "The catalogue, and tables of the host.");
            ungranted_column = denied(&["sql-denied (read)"], "The columns that say where a payload lies.");
            ungranted_function = denied(&["sql-denied (function)"], "Functions that nobody granted.");
            clock_function = denied(&["sql-denied (function)"], "Clocks and random numbers.");
            held_statement = refused(&["guest-time"],
                "Locks the log by a read, and then keeps the host waiting.");
            too_many_steps = refused(&["sql-budget (sql_steps)"],
                "A statement of more steps than a request has.").granted(unhurried);
            too_many_rows = refused(&["sql-budget (rows)"],
                "More rows than a request may read.").granted(unhurried);
            too_many_bytes = refused(&["sql-budget (result_bytes)"],
                "A result of one call that is too large.").granted(unhurried);
            too_many_payloads = refused(&["payload-bytes"],
                "More payload bytes than a request may read.").granted(few_payload_bytes);
        }
        Imports {
            newer_version = refused(IMPORT, "Imports the log from a newer version of the package.");
            no_such_interface = refused(IMPORT, "Imports an interface that nobody ever offered.");
            older_version = refused(IMPORT, "Imports the log from an older version of the package.");
            wasi_arguments = refused(IMPORT, "Reads the host's arguments.");
            wasi_clocks = refused(IMPORT, "Looks for time that passes.");
            wasi_empty_writes = refused(IMPORT, "Writes nothing to standard output, without end.");
            wasi_environment = refused(IMPORT, "Reads the host's environment variables.");
            wasi_exit = refused(IMPORT, "Ends the process.");
            wasi_filesystem = refused(IMPORT, "Asks for the folders that it may open.");
            wasi_http = refused(IMPORT, "Begins an HTTP request.");
            wasi_many_streams = refused(IMPORT,
                "Asks for standard output again and again, and lets go of none.");
            wasi_poll = refused(IMPORT, "Waits ten years for a timer.");
            wasi_random = refused(IMPORT, "Asks for random numbers.");
            wasi_random_flood = refused(IMPORT, "Asks for more random bytes than there is memory in the world.");
            wasi_sockets = refused(IMPORT, "Asks for the network.");
            wasi_stderr = refused(IMPORT, "Floods standard error.");
            wasi_stdin = refused(IMPORT, "Reads standard input.");
            wasi_stdout = refused(IMPORT, "Floods standard output.");
            wrong_types = refused(IMPORT, "The right names with wrong types.");
        }
        Scratch {
            scratch_fill_disk = refused(&["scratch-quota"],
                "Writes to its tables without end.").granted(small_quota);
            scratch_rewrites = refused(&["scratch-refused"],
                "Writes the same rows again and never says done.").granted(small_quota);
            scratch_temporary_files = refused(&["scratch-quota"],
                "A sort that needs more disk than there is.").granted(small_quota);
            scratch_endless_refresh = refused(&["scratch-refused"], "Never says done, and comes no further.");
            scratch_goes_back = refused(&["scratch-refused"], "Covers less after each slice.");
            scratch_claims_more = refused(&["scratch-refused"], "Covers more than it was fed.");
            scratch_leaves_transaction = refused(&["scratch-refused"],
                "Rolls its slice back and writes on outside of it.");
            spin_in_refresh = refused(&["guest-time"], "A loop without end in a refresh.");
            scratch_holds_log = refused(ANY_BUDGET, "Joins its own tables while the log is locked for its page.");
            scratch_reads_log_in_refresh = refused(&["sql-denied (read)"],
                "Reads the log, and the host's tables, in a refresh.");
            write_log_in_refresh = refused(&["sql-denied (attach)"], "Writes to the log in a refresh.");
            write_scratch_in_page = refused(&["sql-denied (write)"], "Writes to its tables in a page.");
            scratch_writes_host_tables = refused(&["sql-denied (write)"],
                "Changes what the host keeps beside them.");
            scratch_trigger = refused(&["sql-denied (trigger)"], "Triggers that would run at a later write.");
            scratch_shadows_log = refused(&["sql-denied (schema)"], "A table or view named like the log's.");
            scratch_hostile_schema = refused(&["sql-denied (function)"],
                "Views, virtual tables and ungranted functions that would run when they are read.");
            // The file is not the strategy's fault: it is dropped, filled anew, and the page is right.
            scratch_from_other_log = denied(&["scratch-refused"],
                "Tables made for another log in the place of its own.").after(Between::ScratchOfAnotherLog);
            scratch_corrupted = denied(&["scratch-refused"],
                "Tables damaged behind its back.").after(Between::ScratchDamaged);
            scratch_lies_later = refused(&["lie:dropped-event"],
                "Right when proven, an event short after the next refresh.").after(Between::LogGrows);
            scratch_counts_refreshes = compared(&["lie:early-end"],
                "Right when filled, each page an event short once refreshed.").after(Between::LogGrows);
            honest_index = harmless("The right page, from tables of its own.");
        }
        // Right for a while, or right and costly. No limit stops them: a comparison, the page's own checks or
        // the audit's measurements tell, some only once it has happened.
        Behaviour {
            remembers_requests = compared(&["lie:early-end"],
                "The same question again is answered an event short.").warm(2);
            wakes_at_high_water = compared(&["lie:early-end"],
                "Wrong once the log is larger than when it was proven.").after(Between::LogGrows);
            detects_audit = compared(&["lie:early-end"], "Right for the page sizes of a proof only.")
                .asking(|ask| ask.page_size = 25);
            lies_to_one_window = compared(&["lie:next-page-instead"], "Wrong for one window in 100,000 only.")
                .asking(|ask| { ask.filter.from_ts = 77_777; ask.position = Position::Page(2) });
            returns_after_rest = compared(&["lie:next-page-instead"],
                "Lies in one window and gives up in the next, so that its breaker opens before a comparison speaks.")
                .asking(|ask| { ask.filter.from_ts = 77_777; ask.position = Position::Page(2) });
            traps_in_one_window = refused(&["trapped"], "Traps in one window in 100,000 only.")
                .asking(|ask| ask.filter.from_ts = 77_777);
            non_deterministic = compared(&["lie:early-end"],
                "Every second answer of an instance is an event short.").warm(2);
            counts_calls = Case {
                instances: Instances::Warm(CALLS),
                ..refused(&["lie:dropped-event"], "Lies on its 100,000th call and never before.")
                    .warm(CALLS)
                    .granted(unhurried)
            };
            crash_then_answer = refused(&["trapped"], "Traps on every odd page and answers every even one.");
            slow_when_deep = harmless("Walks the log again for every hundred pages before its own.");
            slow_when_large = harmless("Reads the whole log for every page.");
            reads_everything = harmless("Reads hundreds of payloads for each page.");
            asks_for_more_than_it_uses = harmless("Imports scratch, and pages without it.");
        }
        // What the others are compared with, and faults that are no attack.
        Other {
            honest = harmless("The right page.");
            trap_in_mid_page = refused(&["trapped"], "A panic when half of the payloads are read.");
            exports_nothing = refused(IMPORT, "A component that is valid and empty.");
        }
    } };
}

macro_rules! table {
    ($($group:ident { $($name:ident = $case:expr;)* })*) => {
        const CASES: &[Case] = &[$($({
            const NAME: [u8; stringify!($name).len()] = hyphenated(stringify!($name));
            Case { name: text(&NAME), group: Group::$group, ..$case }
        },)*)*];
    };
}

each_attack!(table);

const fn hyphenated<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [b'-'; N];
    let mut at = 0;
    while at < N {
        if name.as_bytes()[at] != b'_' {
            bytes[at] = name.as_bytes()[at];
        }
        at += 1;
    }
    bytes
}

const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::selftest::zoo;

    #[test]
    fn every_strategy_of_the_zoo_has_a_row_and_every_row_a_strategy() {
        let rows: BTreeSet<&str> = all().map(|case| case.name).collect();
        assert_eq!(rows, zoo::names().collect());
        assert_eq!(rows.len(), all().count(), "a name stands twice");
    }

    #[test]
    fn every_row_says_what_is_expected() {
        for case in all() {
            assert_eq!(case.expected.is_empty(), case.seen == Seen::Harmless, "{}", case.name);
            assert!(case.what.ends_with('.') && case.times > 0, "{}", case.name);
        }
    }
}
