//! Every code that an error can have, with its exit code and what to do: the table of `docs/operating.md`.

/// A code of an error.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The code: stable, the same on every surface.
    pub code: &'static str,
    /// The exit code of a verb that ends with it.
    pub exit: u8,
    /// What happened.
    pub meaning: &'static str,
    /// What to do.
    pub fix: &'static str,
}

const fn code(code: &'static str, exit: u8, meaning: &'static str, fix: &'static str) -> Code {
    Code { code, exit, meaning, fix }
}

/// All of them: the strategy's faults first, then the log's, the operator's, and the machine's.
pub const CODES: &[Code] = &[
    code(
        "denied",
        1,
        "A strategy asked for what its policy does not grant.",
        "Read the object: a mistake of yours is mended by the printed lines; anything else speaks against the strategy.",
    ),
    code(
        "budget",
        1,
        "A limit of the request is used up; the error names it.",
        "`page --ledger` shows what used it up; see the table of limits before you raise one.",
    ),
    code(
        "sql",
        1,
        "SQLite refused a statement of the strategy as wrong.",
        "Send its author the request and SQLite's words.",
    ),
    code(
        "unknown-event",
        1,
        "A strategy used an event that the snapshot does not hold.",
        "Send its author the request.",
    ),
    code("handle", 1, "A strategy used a handle that is not of its running call.", "Do not run it."),
    code(
        "lie",
        1,
        "A strategy's page is wrong, and the host refused it.",
        "Do not run it; `verify` repeats it.",
    ),
    code(
        "trapped",
        1,
        "A strategy trapped: a panic, a division by zero, an access outside of its memory.",
        "Send its author the request and the note that it left.",
    ),
    code(
        "gave-up",
        1,
        "A strategy answered with an error of its own.",
        "Send its author the request and its words.",
    ),
    code(
        "refused",
        1,
        "A component cannot be let in; every reason is named.",
        "`inspect` names them, too; ask its author for another build.",
    ),
    code(
        "not-granted",
        1,
        "A policy grants the component nothing, or not all that it imports.",
        "Read what it does; if you agree, put the printed lines into the policy, or use `policy allow`.",
    ),
    code(
        "digest-mismatch",
        1,
        "A component has other bytes than its stanza names.",
        "Find out where the file comes from; `policy allow` lets a new version in.",
    ),
    code(
        "signature-missing",
        1,
        "A stanza names a key, and no signature lies beside the component.",
        "Put FILE.minisig beside it.",
    ),
    code(
        "signature-invalid",
        1,
        "The signature does not hold for these bytes, or is none.",
        "Do not run it; get component and signature anew.",
    ),
    code(
        "signed-by-another",
        1,
        "Another key than the stanza's signed it.",
        "Do not run it before you know who did.",
    ),
    code("scratch-refused", 1, "What a refresh says of the strategy's tables cannot be.", "Do not run it."),
    code(
        "scratch-full",
        1,
        "Scratch has reached its quota, or all scratch together the total; the error names which.",
        "Raise `scratch.quota` or the stanza's `quota`; or `scratch.total`.",
    ),
    code("differs", 1, "Two strategies answered one request differently.", "Do not let the new one serve."),
    code(
        "busy",
        2,
        "The log's writer held its lock for longer than the request may wait.",
        "Send the request again. If it happens often, look for a long transaction of the writer.",
    ),
    code(
        "crowded",
        2,
        "As many requests of the strategy run as it may have at once.",
        "Send the request again later, or raise `at_once`.",
    ),
    code(
        "payload-corrupt",
        2,
        "An event's payload is not one whole JSON line of payloads.jsonl. No page with it is given; the error says how a walk goes on.",
        "Where its span is no line: compare the file with a backup at that event's `payload_offset`. Where its line is no JSON: see to its writer.",
    ),
    code(
        "payload-too-large",
        2,
        "An event's payload is larger than `payload_bytes`, alone or with the page's events before it; the error says how a walk goes on.",
        "Raise `payload_bytes`; where the page is too large together, smaller pages do.",
    ),
    code(
        "starved",
        2,
        "The machine had next to no time for the request, twice: a limit on time passed, and it is not the strategy's fault.",
        "Send the request again. If it happens often, see what keeps the processors busy.",
    ),
    code(
        "bad-cell",
        2,
        "A cell of an event does not hold what its column should; the error names event, column and what was found. No page with it is given.",
        "Have its writer mend the cell: the event is then shown. See \"Records that cannot be shown\".",
    ),
    code(
        "log-needs-recovery",
        2,
        "A writer was killed in mid-commit and left a hot journal; or in WAL mode commits are in a `-wal` whose `-shm` is missing.",
        "Start the writer, or open the database once for writing; Keyhole never does.",
    ),
    code(
        "log-replaced",
        2,
        "A file of the log was replaced by another one, again and again.",
        "Find out what replaces it; one replacement is followed by itself.",
    ),
    code(
        "no-log",
        2,
        "There is no log where one was looked for.",
        "Name its folder with --data or KEYHOLE_DATA.",
    ),
    code(
        "bad-log",
        2,
        "The log cannot be opened, or read as a log; the error says why.",
        "Restore it from a backup, or name another folder.",
    ),
    code(
        "bad-request",
        2,
        "The request, or the command line, makes no sense.",
        "The message says what is wrong with it.",
    ),
    code(
        "bad-cursor",
        2,
        "A cursor that this host did not mint, or minted for another question.",
        "Start the walk again with a page number.",
    ),
    code(
        "no-such-strategy",
        2,
        "No strategy of that name, no file of that path, or no proven liar of that digest.",
        "Use a built-in name, one of the policy, or a path to a .wasm file.",
    ),
    code(
        "bad-policy",
        2,
        "The policy is not valid; everything that is wrong with it is listed.",
        "`policy check` says it again; docs/policy.md has every key.",
    ),
    code(
        "bad-decisions",
        2,
        "The decision log does not end as it was left, so it is not continued.",
        "See below, the decision log.",
    ),
    code(
        "scratch-unfit",
        2,
        "Scratch did not fit the log, again and again.",
        "Delete the cache folder's `scratch`; find out what changes the log's past.",
    ),
    code("cancelled", 2, "Whoever asked for the page no longer wants it.", "Nothing."),
    code("interrupted", 130, "Ctrl-C, or SIGTERM or SIGHUP. Temporary files are gone.", "Nothing."),
    code(
        "not-written",
        2,
        "A result may not be written where it was to go: the run reads that file, it lies in a folder of the log, the state or the cache, or it is no result of the same kind. Nothing there was touched.",
        "Name another file; `--force` replaces a foreign one, and never one that is read.",
    ),
    code(
        "io",
        2,
        "A file operation failed; the error names the file.",
        "Look at the file's folder: its room, its owner, its mode.",
    ),
    code(
        "sqlite",
        2,
        "SQLite failed in a statement of the host's own.",
        "Look at the disk and at the log; `page native-baseline` tells whether the log can be read at all.",
    ),
    code(
        "overloaded",
        2,
        "As many requests wait as the service lets wait.",
        "Send the request again later; more workers than cores do not help.",
    ),
    code(
        "shutting-down",
        2,
        "The service takes no more requests.",
        "Send the request again once it has started anew.",
    ),
    code(
        "nothing-serves",
        2,
        "The first strategy's scratch is being filled; or the one that served was taken out or revoked, and there is no last good one.",
        "Wait for the fill; else promote one that is proven, or roll back.",
    ),
    code(
        "not-ready",
        1,
        "A strategy has not come as far in its life as the order needs.",
        "`keyhole strategy list` shows how far it is.",
    ),
    code(
        "proven-liar",
        1,
        "The component once served a page that the reference says is wrong. It is kept out, under whatever name.",
        "Do not run it. `keyhole strategy pardon DIGEST` clears it, if you know that it was not to blame.",
    ),
    code(
        "bad-state",
        2,
        "The state folder's record of what serves, or of proven liars, cannot be read as that.",
        "Move the file away as evidence: without `serving.json` the strategy that the policy names serves, as at the first start; without `liars.json` a proven liar may be let in again.",
    ),
    code(
        "engine",
        2,
        "The engine failed in a way that no other code names.",
        "Report it, with `--version --json`.",
    ),
];

/// The list as a table of documentation.
pub fn markdown() -> String {
    let mut text = String::from("| code | exit | what happened | what to do |\n|---|--:|---|---|\n");
    for Code { code, exit, meaning, fix } in CODES {
        text += &format!("| `{code}` | {exit} | {meaning} | {fix} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::{Bound, Error, Fault, PayloadFault, Spent};

    /// The words of `code()` and of the faults, as they stand in the source.
    fn in_the_source() -> BTreeSet<String> {
        let source = include_str!("mod.rs");
        let body = source.split("pub fn code(&self)").nth(1).unwrap().split("pub fn observed(&self)").next();
        let faults = source.split("/// Its code: ").nth(1).unwrap().lines().next().unwrap();
        let quoted = body.unwrap().split('"').skip(1).step_by(2);
        quoted.chain(faults.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
    }

    #[test]
    fn the_list_holds_every_code_once_and_no_other() {
        let listed: BTreeSet<String> = CODES.iter().map(|code| code.code.to_owned()).collect();
        assert_eq!(listed.len(), CODES.len());
        assert_eq!(listed, in_the_source());
    }

    #[test]
    fn exit_codes_are_those_of_the_errors() {
        let what = String::new;
        let errors = [
            Error::Denied { rule: "read", object: what() },
            Error::Differs { what: what() },
            Error::ScratchFull { bound: Bound::Quota(1) },
            Error::Unproven {
                path: "x".into(),
                faults: vec![Fault { code: "signature-missing", what: what() }],
            },
            Error::Busy,
            Error::Crowded { at_once: 1 },
            Error::PayloadCorrupt { id: 1, fault: PayloadFault::Place, why: what(), after: None },
            Error::PayloadTooLarge { id: 1, len: 2, read: 0, allowed: 1, after: None },
            Error::Starved { limit: "wall_time", allowed: 1, spent: Spent::default() },
            Error::BadCell { event: 1, column: "action", found: what(), after: None },
            Error::ScratchUnfit { why: what() },
            Error::Cancelled,
            Error::Interrupted,
            Error::BadRequest { what: what() },
            Error::NoSuchStrategy { name: what() },
            Error::Engine(what()),
        ];
        for error in errors {
            let listed = CODES.iter().find(|code| code.code == error.code()).unwrap();
            assert_eq!(listed.exit, error.exit_code(), "{}", error.code());
        }
    }

    #[test]
    fn the_operators_page_has_the_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (begin, end) = ("<!-- codes: generated -->\n", "<!-- codes: end -->");
        let (before, rest) = page.split_once(begin).unwrap();
        let (stands, after) = rest.split_once(end).unwrap();
        if std::env::var_os("KEYHOLE_BLESS").is_some() {
            std::fs::write(&path, format!("{before}{begin}{}{end}{after}", markdown())).unwrap();
            return;
        }
        assert!(stands == markdown(), "docs/operating.md is old: run this test with KEYHOLE_BLESS=1");
    }
}
