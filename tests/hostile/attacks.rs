//! Each strategy of the table, by its name: the request fails, or is answered rightly, as the table says;
//! nothing of a wrong page is shown, and the host says what it observed.

use std::collections::BTreeSet;
use std::process::Output;

use keyhole::error::{Error, Lie, observed_denial};
use keyhole::page::Pager;
use keyhole::selftest::cases::{self, Case, Group, Seen};
use serde_json::Value;

use super::host;
use crate::support::answers::Answer;
use crate::support::{Place, code, guest, stderr, stdout};

macro_rules! attacks {
    ($($test:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check(cases::find($name).unwrap());
            }
        )*

        const TESTED: &[&str] = &[$($name,)*];
    };
}

attacks! {
    attach "attach",
    bad_utf8 "bad-utf8",
    borrow_escapes "borrow-escapes",
    bulk_copy_loop "bulk-copy-loop",
    canary "canary",
    clock_function "clock-function",
    count_loop "count-loop",
    cross_join "cross-join",
    deep_recursion "deep-recursion",
    double_drop "double-drop",
    dropped_event "dropped-event",
    early_end "early-end",
    exports_nothing "exports-nothing",
    expression_bomb "expression-bomb",
    flattening_bomb "flattening-bomb",
    forged_index "forged-index",
    giant_list_claim "giant-list-claim",
    giant_string "giant-string",
    grow_in_start "grow-in-start",
    grow_until_refused "grow-until-refused",
    handle_after_drop "handle-after-drop",
    handle_flood "handle-flood",
    handle_never_dropped "handle-never-dropped",
    handle_of_other_call "handle-of-other-call",
    handle_of_other_store "handle-of-other-store",
    handle_twice "handle-twice",
    held_statement "held-statement",
    hold_the_log "hold-the-log",
    honest "honest",
    host_call_loop "host-call-loop",
    invented_id "invented-id",
    like_bomb "like-bomb",
    load_extension "load-extension",
    long_sql_text "long-sql-text",
    many_core_instances "many-core-instances",
    many_memories "many-memories",
    many_statements "many-statements",
    many_tables "many-tables",
    million_params "million-params",
    mutual_recursion "mutual-recursion",
    newer_version "newer-version",
    next_page_instead "next-page-instead",
    no_such_interface "no-such-interface",
    nul_in_text "nul-in-text",
    older_version "older-version",
    one_too_many "one-too-many",
    outside_window "outside-window",
    own_handle_flood "own-handle-flood",
    pragma_call "pragma-call",
    pragma_function "pragma-function",
    read_only_in_name "read-only-in-name",
    recursion_through_host_call "recursion-through-host-call",
    recursive_cte "recursive-cte",
    repeated_event "repeated-event",
    schema_read "schema-read",
    slow_host_call "slow-host-call",
    sort_bomb "sort-bomb",
    spin_in_page "spin-in-page",
    spin_in_post_return "spin-in-post-return",
    spin_in_realloc "spin-in-realloc",
    spin_in_resource_drop "spin-in-resource-drop",
    spin_in_start "spin-in-start",
    stale_page "stale-page",
    swapped_neighbours "swapped-neighbours",
    table_fill_loop "table-fill-loop",
    temp_table "temp-table",
    text_bomb "text-bomb",
    too_many_bytes "too-many-bytes",
    too_many_payloads "too-many-payloads",
    too_many_rows "too-many-rows",
    too_many_steps "too-many-steps",
    transaction_games "transaction-games",
    trap_in_mid_page "trap-in-mid-page",
    ungranted_column "ungranted-column",
    ungranted_function "ungranted-function",
    virtual_table "virtual-table",
    wasi_arguments "wasi-arguments",
    wasi_clocks "wasi-clocks",
    wasi_empty_writes "wasi-empty-writes",
    wasi_environment "wasi-environment",
    wasi_exit "wasi-exit",
    wasi_filesystem "wasi-filesystem",
    wasi_http "wasi-http",
    wasi_many_streams "wasi-many-streams",
    wasi_poll "wasi-poll",
    wasi_random "wasi-random",
    wasi_random_flood "wasi-random-flood",
    wasi_sockets "wasi-sockets",
    wasi_stderr "wasi-stderr",
    wasi_stdin "wasi-stdin",
    wasi_stdout "wasi-stdout",
    write_log "write-log",
    wrong_action "wrong-action",
    wrong_actor "wrong-actor",
    wrong_tie_order "wrong-tie-order",
    wrong_types "wrong-types",
    zeroblob "zeroblob",
}

#[test]
fn every_strategy_of_these_groups_is_tested() {
    let rows = cases::all().filter(|case| !matches!(case.group, Group::Scratch | Group::Behaviour));
    // Others are what these are compared with, and what audits look for.
    let rows = rows.filter(|case| case.group != Group::Other || TESTED.contains(&case.name));
    let rows: BTreeSet<&str> = rows.map(|case| case.name).collect();
    assert_eq!(rows, TESTED.iter().copied().collect());
}

/// A number that was never a handle is none in any place where a handle is taken.
#[test]
fn each_forged_index_is_refused_wherever_it_is_used() {
    for (name, pages) in [("forged-index", 32), ("handle-after-drop", 3)] {
        let case = cases::find(name).unwrap();
        for page in 1..=pages {
            let mut request = case.ask.request();
            request.position = keyhole::page::Position::Page(page);
            let strategy = host::strategy(name, host::grants(case));
            let error = host::worker(&strategy, case.instances).page(&request).unwrap_err();
            assert_eq!(error.observed(), "handle", "{name}, page {page}: {error}");
        }
    }
}

/// Time limits strike other strategies too where the machine is busy: those are tried again.
const TRIES: usize = 5;

fn check(case: &Case) {
    let mut failure = String::new();
    for _ in 0..TRIES {
        let tried = if case.limits.is_some() { in_process(case) } else { through_the_binary(case) };
        match tried {
            Ok(()) => return,
            Err(what) => failure = what,
        }
    }
    panic!("{}: {failure}", case.name);
}

/// The policy that would change a limit is not the binary's to take yet: the same host, as a library.
fn in_process(case: &Case) -> Result<(), String> {
    let strategy = host::strategy(case.name, host::grants(case));
    let mut worker = host::worker(&strategy, case.instances);
    let outcome = (0..case.times).try_for_each(|_| worker.page(&case.ask.request()).map(drop));
    assert_eq!(case.seen, Seen::Refused, "{}: only refusals are tried under changed limits", case.name);
    expected(case, &outcome.map_or_else(|error| error.observed(), |()| "nothing".to_owned()))
}

fn through_the_binary(case: &Case) -> Result<(), String> {
    let place = Place::new();
    let queries = place.path("queries.jsonl");
    let line = serde_json::to_string(&case.ask.request()).unwrap() + "\n";
    std::fs::write(&queries, line.repeat(case.times as usize)).unwrap();
    let queries = queries.to_str().unwrap();
    let instances = case.instances.to_string();
    let options = ["--instances", &instances, "--json", "--ledger", "--queries", queries];
    let page = |strategy: &str| place.run(host::log(), &[&["page", strategy], &options[..]].concat());

    let ran = page(guest(case.name).to_str().unwrap());
    let said = stderr(&ran);
    // Whatever the host says is JSON: a panic, or an abort, would say something else.
    if !(0..=1).contains(&code(&ran)) || !said.lines().all(|line| line.starts_with('{')) {
        return Err(format!("exit {}: {said}", code(&ran)));
    }
    if case.seen == Seen::Refused {
        return refused(case, &ran);
    }
    if code(&ran) != 0 {
        return Err(format!("exit {}: {said}", code(&ran)));
    }
    let answers = stdout(&ran);
    let last = answers.lines().last().unwrap();
    let right = Answer::read(last) == Answer::read(stdout(&page("native-keyset")).lines().last().unwrap());
    if right == (case.seen == Seen::Compared) {
        return Err(format!("right: {right}: {last}"));
    }
    let ledger: Value = serde_json::from_str(last).unwrap();
    let observed = denials(&ledger["ledger"]);
    // A file with many spellings meets other rules as well.
    let holds = match case.seen {
        Seen::Denied => case.expected.iter().all(|expected| observed.contains(*expected)),
        _ => observed.is_empty(),
    };
    if holds {
        Ok(())
    } else {
        let denials = &ledger["ledger"]["denials"];
        Err(format!("denied: {observed:?}, expected {:?}: {denials}", case.expected))
    }
}

/// The last of the requests failed and nothing of its page is shown.
fn refused(case: &Case, ran: &Output) -> Result<(), String> {
    let said = stderr(ran);
    let error: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|error| format!("{error}: {said}"))?;
    expected(case, &observed(&error)).map_err(|what| format!("{what}: {said}"))?;
    assert_eq!(code(ran), 1, "{}: {said}", case.name);
    let message = error["message"].as_str().unwrap();
    let failed: usize = match message.strip_prefix("line ") {
        Some(rest) => rest.split(' ').next().unwrap().parse().unwrap(),
        None => 1,
    };
    assert_eq!(stdout(ran).lines().count(), failed - 1, "{}: {}", case.name, stdout(ran));
    Ok(())
}

fn expected(case: &Case, observed: &str) -> Result<(), String> {
    if case.expected.contains(&observed) {
        Ok(())
    } else {
        Err(format!("observed {observed}, expected {:?}", case.expected))
    }
}

/// What was denied, as an operator names it.
fn denials(ledger: &Value) -> BTreeSet<String> {
    let text = |denial: &Value, field: &str| denial[field].as_str().unwrap().to_owned();
    let denials = ledger["denials"].as_array().unwrap();
    denials.iter().map(|denial| observed_denial(&text(denial, "rule"), &text(denial, "object"))).collect()
}

/// The observation of an error that was printed: its text is read back into the host's own error.
fn observed(error: &Value) -> String {
    let message = error["message"].as_str().unwrap();
    let after = |words: &str| message.split_once(words).map(|(_, rest)| rest.to_owned());
    let word = |text: String| text.split([' ', ':', ')']).next().unwrap().to_owned();
    match error["code"].as_str().unwrap() {
        "budget" => {
            let limit = word(after("over the limit ").unwrap()).leak();
            Error::Budget { limit, allowed: 0 }.observed()
        }
        "denied" => {
            let rule = word(after("denied by rule ").unwrap()).leak();
            Error::Denied { rule, object: String::new() }.observed()
        }
        "lie" => format!("lie:{}", word(after("the strategy lied (").unwrap())),
        "refused" => {
            let reasons = vec![after(" cannot be loaded: ").unwrap()];
            Error::Refused { path: std::path::PathBuf::new(), reasons }.observed()
        }
        code => code.to_owned(),
    }
}

/// The names that the table and the host give to lies are the same.
#[test]
fn the_table_names_every_kind_of_lie() {
    let kinds = [
        Lie::InventedId,
        Lie::RepeatedEvent,
        Lie::SwappedNeighbours,
        Lie::WrongTieOrder,
        Lie::OutsideWindow,
        Lie::WrongActor,
        Lie::WrongAction,
        Lie::OneTooMany,
        Lie::DroppedEvent,
        Lie::EarlyEnd,
        Lie::NextPageInstead,
        Lie::StalePage,
    ];
    let named: BTreeSet<&str> =
        cases::all().filter(|case| case.group == Group::Returns).map(|case| case.name).collect();
    assert_eq!(named, kinds.into_iter().map(Lie::name).collect());
}
