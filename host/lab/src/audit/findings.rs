//! Every finding that an audit can make, in one list: the screen, the documentation and the tests read it.

use super::facts::Severity::{self, High, Low, Medium};

/// A kind of finding.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its code: stable, never reused for something else.
    pub code: &'static str,
    /// How grave it is. High makes a strategy unfit.
    pub severity: Severity,
    /// The question of the screen that it answers.
    pub question: Question,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// The questions of the screen, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who is it?
    Who,
    /// What may it touch?
    May,
    /// What did it touch?
    Did,
    /// Is it right?
    Right,
    /// What does it cost?
    Cost,
}

impl Question {
    /// The question in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Who => "Who is it?",
            Self::May => "What may it touch?",
            Self::Did => "What did it touch?",
            Self::Right => "Is it right?",
            Self::Cost => "What does it cost?",
        }
    }
}

/// The kind of that code.
pub fn kind(code: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.code == code)
}

const fn found(
    code: &'static str,
    severity: Severity,
    question: Question,
    meaning: &'static str,
    fix: &'static str,
) -> Kind {
    Kind { code, severity, question, meaning, fix }
}

const fn lie(code: &'static str, meaning: &'static str) -> Kind {
    found(code, High, Question::Right, meaning, "do not run it; the repeat command shows both answers")
}

use Question::{Cost, Did, May, Right, Who};

/// All kinds, question by question, the gravest first.
pub const KINDS: &[Kind] = &[
    found(
        "not-a-strategy",
        High,
        Who,
        "The file is no component, is damaged, or does not fit a world of the package. Nothing of it ran.",
        "ask its author for a component of world strategy or indexed-strategy; `inspect` names each reason",
    ),
    found(
        "unsigned",
        Low,
        Who,
        "Nobody vouches for these bytes: no digest and no key of a policy names them.",
        "compare the digest with its author's, then name digest or key in the policy",
    ),
    found(
        "imports-ungranted",
        High,
        May,
        "It imports what it is not granted, so it was not let in. Nothing of it ran.",
        "grant the import by the lines that the refusal prints, or ask for a build without it",
    ),
    found(
        "imported-never-called",
        Low,
        May,
        "It imports an interface that it never called in this audit: authority that it does not seem to need.",
        "ask why; a policy that leaves the interface out refuses to load it",
    ),
    found(
        "granted-never-used",
        Low,
        May,
        "It is granted interfaces or columns that it never used in this audit.",
        "leave them out of its stanza of the policy; `policy allow` proposes the least one",
    ),
    found(
        "denied-sql",
        High,
        Did,
        "It sent SQL that the gate denied: it tried what it is not granted. The denial names rule and object.",
        "do not run it, unless the denied object is something that you meant to grant",
    ),
    found(
        "reads-unshown-payloads",
        Medium,
        Did,
        "It read payloads of events that it did not show: content that no page needed.",
        "ask why; a smaller payload_bytes limit stops it",
    ),
    found(
        "texts-unbounded",
        Medium,
        Did,
        "It builds a new SQL text for nearly every request, so values go into texts: each is planned anew, and \
         no list of its statements can be whole.",
        "ask for parameters instead of values in the text",
    ),
    found(
        "notes-suspicious",
        Medium,
        Did,
        "Its notes hold control characters or fill their whole share: text that was made to mislead who reads it.",
        "read the notes as they are shown here, escaped; notes = false in the policy drops them",
    ),
    lie("lie:invented-id", "A page named an event that does not exist, or one beyond the request's bound."),
    lie("lie:repeated-event", "A page showed an event twice."),
    lie("lie:swapped-neighbours", "A page showed two events in the wrong order."),
    lie("lie:wrong-tie-order", "A page showed two events of one second in the wrong order."),
    lie("lie:outside-window", "A page showed an event from outside the window."),
    lie("lie:wrong-actor", "A page showed another actor's event."),
    lie("lie:wrong-action", "A page showed an event of another action."),
    lie("lie:one-too-many", "A page held more events than were asked for."),
    lie("lie:dropped-event", "A page left an event out between two that it showed."),
    lie("lie:early-end", "A page ended although more events match."),
    lie("lie:next-page-instead", "It answered with another page than the one that was asked for."),
    lie("lie:stale-page", "It answered with the page as it was before the newest events."),
    found(
        "differs-from-reference",
        High,
        Right,
        "A page that passed every check of its own is not the reference's: in service only a comparison would \
         find it.",
        "do not run it; the repeat command shows both answers",
    ),
    found(
        "non-deterministic",
        High,
        Right,
        "The same question on the same snapshot got two answers: in another process, in a used pool slot, on \
         scratch filled anew, or in a warm instance that its grants allow.",
        "do not run it: what an audit saw of it says little about what it will do",
    ),
    found(
        "uses-warm-state",
        Medium,
        Right,
        "In a warm instance, which it is not granted, it answers otherwise than in a fresh one: it keeps \
         something from one request to the next.",
        "keep it on instances = \"fresh\"",
    ),
    found(
        "traps",
        High,
        Right,
        "It trapped: a panic, a division by zero, an access outside of its memory.",
        "send its author the request and the note that it left",
    ),
    found(
        "gives-up",
        High,
        Right,
        "It answered a request with an error of its own.",
        "send its author the request and its words",
    ),
    found(
        "sql-fails",
        High,
        Right,
        "SQLite refused a statement of its as wrong, and it passed the error on.",
        "send its author the request and SQLite's words",
    ),
    found(
        "bad-handle",
        High,
        Right,
        "It used a handle that is not of its running call: one kept from an earlier call, given twice, or forged.",
        "do not run it",
    ),
    found(
        "refresh-fails",
        High,
        Right,
        "Its scratch could not be filled: a refresh failed, lied about what it covers, or went over a limit.",
        "do not run it; the reason names rule or limit",
    ),
    found(
        "over-guest-time",
        High,
        Cost,
        "Its own code ran longer than a request may, again and again, and was cut off.",
        "do not run it; raise guest_time only for a strategy whose work you know",
    ),
    found(
        "over-sql-budget",
        High,
        Cost,
        "Its statements went over a limit on SQL: steps, rows, bytes, or how long the log is locked.",
        "look at its statements and plans; raise the named limit only for a strategy whose work you know",
    ),
    found(
        "over-budget",
        High,
        Cost,
        "It went over another limit of a request: memory, tables, stack, handles, payload bytes, wall time.",
        "raise the named limit only for a strategy whose work you know",
    ),
    found(
        "near-limit",
        Medium,
        Cost,
        "One request used more than 80 % of a limit: on a larger log, or for another filter, it may go over.",
        "try it on a larger log, or raise the limit before it serves",
    ),
    found(
        "steps-grow-with-depth",
        Medium,
        Cost,
        "Deep pages take many more steps of SQLite than page 1: it walks the events before the page.",
        "expect deep pages to be slow; set sql_steps to what you are ready to pay",
    ),
    found(
        "steps-grow-with-log",
        Medium,
        Cost,
        "The same page takes many more steps on the whole log than on half of it: it walks the log.",
        "expect it to get slower as the log grows; set sql_steps to what you are ready to pay",
    ),
    found(
        "fuel-grows-with-depth",
        Medium,
        Cost,
        "Deep pages burn much more fuel in its own code than page 1.",
        "expect deep pages to be slow; set guest_time to what you are ready to pay",
    ),
    found(
        "fuel-grows-with-log",
        Medium,
        Cost,
        "The same page burns much more fuel on the whole log than on half of it.",
        "expect it to get slower as the log grows; set guest_time to what you are ready to pay",
    ),
    found(
        "full-scan",
        Medium,
        Cost,
        "A statement of its pages reads a table from end to end.",
        "look at the statement's plan; ask for one that an index answers",
    ),
    found(
        "automatic-index",
        Medium,
        Cost,
        "SQLite made an index for one statement alone, each time that it ran.",
        "look at the statement's plan; the index belongs into scratch",
    ),
    found(
        "slow-refresh",
        Medium,
        Cost,
        "Its refresh takes many steps of SQLite for each event: on a large log the first fill takes long.",
        "fill its scratch before it serves, and watch how far it lags",
    ),
    found(
        "scratch-near-quota",
        Medium,
        Cost,
        "Its scratch uses more than 80 % of its quota: soon a refresh will be refused.",
        "raise scratch.quota before the log grows",
    ),
    found(
        "sorts",
        Low,
        Cost,
        "A statement of its pages sorts its rows, so all of them are read before the first is returned.",
        "look at the statement's plan, if its pages are slow",
    ),
    found(
        "copies-payloads",
        Low,
        Cost,
        "It has payload bytes copied into the sandbox although the host reads and checks them anyway.",
        "nothing, if its pages are fast enough",
    ),
];

/// The list as a page of documentation.
pub fn markdown() -> String {
    use std::fmt::Write;
    let mut text = String::from(
        "# What `keyhole audit` can find\n\n\
         Written from the list in the program: `KEYHOLE_BLESS=1` on its test rewrites this page.\n\n\
         A finding of severity high speaks against letting the strategy serve, and makes it unfit. The others \
         are for the operator to weigh; `--fail-on medium` or `low` turns them into exit code 1 as well.\n",
    );
    for question in [Who, May, Did, Right, Cost] {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n## {}\n\n| code | severity | meaning | what to do |\n|---|---|---|---|\n",
            question.words()
        );
        for kind in KINDS.iter().filter(|kind| kind.question == question) {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                kind.code,
                kind.severity.name(),
                kind.meaning,
                kind.fix
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn each_code_stands_once() {
        let mut codes: Vec<_> = KINDS.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        assert!(codes.len() >= 20);
    }

    #[test]
    fn every_lie_has_its_code() {
        use keyhole_log::error::Lie::*;
        let lies = [
            InventedId,
            RepeatedEvent,
            SwappedNeighbours,
            WrongTieOrder,
            OutsideWindow,
            WrongActor,
            WrongAction,
            OneTooMany,
            DroppedEvent,
            EarlyEnd,
            NextPageInstead,
            StalePage,
        ];
        for lie in lies {
            assert!(kind(&format!("lie:{}", lie.name())).is_some(), "{lie:?}");
        }
    }

    #[test]
    fn the_documentation_is_the_list() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings.md");
        if std::env::var_os("KEYHOLE_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == markdown(), "docs/findings.md is old: run this test with KEYHOLE_BLESS=1");
    }
}
