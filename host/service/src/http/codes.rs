//! One table: what each code means to a client. The codes of [`Error::code`](crate::error::Error::code), and those
//! that only a server has.

/// What a code means over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// The code.
    pub(super) name: &'static str,
    /// The status.
    pub(super) status: u16,
    /// When to try again, in seconds, where that may help.
    pub(super) retry: Option<u32>,
    /// The text that a client gets: the same for every request, so that nothing can leak through it.
    pub(super) title: &'static str,
}

const fn code(name: &'static str, status: u16, title: &'static str) -> Code {
    Code { name, status, retry: None, title }
}

const fn again(name: &'static str, retry: u32, title: &'static str) -> Code {
    Code { name, status: 503, retry: Some(retry), title }
}

/// What an answer with a code that is not in the table would be. A test holds the table complete.
const INTERNAL: Code = code("internal", 500, "Something failed here that should not have.");

/// Every code.
pub(super) const CODES: &[Code] = &[
    // The client's doing.
    code("bad-request", 400, "The request is not valid."),
    code(
        "bad-cursor",
        400,
        "The cursor is not one of this log's for this filter. Start again with a page number.",
    ),
    code("unauthorized", 401, "A token is needed."),
    code("forbidden", 403, "The token is not one that is let in."),
    code("not-found", 404, "There is nothing here."),
    code("bad-method", 405, "That cannot be done here."),
    code("request-timeout", 408, "The request took too long to arrive."),
    code("body-too-large", 413, "The request's body is too large."),
    code("target-too-long", 414, "The request's path and query are too long."),
    code("misdirected", 421, "This server does not answer for that host."),
    Code {
        name: "too-many-requests",
        status: 429,
        retry: Some(1),
        title: "This client has sent more requests than it may.",
    },
    code("head-too-large", 431, "The request's headers are too large, or too many."),
    // It may go better soon.
    again("busy", 1, "The log's writer holds its lock."),
    again("crowded", 1, "The strategy answers as many requests as it may at once."),
    again("overloaded", 1, "More requests wait than can be answered in time."),
    again("overdue", 1, "The answer took too long."),
    again("budget", 1, "The strategy used up what one request may use."),
    again("cancelled", 1, "The request was cut."),
    again("shutting-down", 5, "The service is about to end."),
    again("interrupted", 5, "The service is about to end."),
    again("unready", 5, "The service cannot answer as it should."),
    again("nothing-serves", 10, "No strategy serves."),
    again("no-log", 10, "The log is not there."),
    again("bad-log", 10, "The log cannot be read."),
    again("log-needs-recovery", 10, "The log's writer was killed in mid-commit, and has to start first."),
    again("log-replaced", 1, "The log was replaced by another."),
    again("scratch-unfit", 1, "The strategy's tables do not fit the log and are filled anew."),
    again("scratch-full", 10, "The strategy's tables have reached their quota."),
    // The strategy's doing.
    code("denied", 502, "The strategy asked for what it is not granted."),
    code("sql", 502, "The strategy's statement was refused."),
    code("unknown-event", 502, "The strategy used an event that does not exist."),
    code("handle", 502, "The strategy used a handle that is not its own."),
    code("lie", 502, "The strategy's answer was wrong, and is not shown."),
    code("trapped", 502, "The strategy trapped."),
    code("gave-up", 502, "The strategy gave up."),
    code("scratch-refused", 502, "What the strategy says of its tables cannot be."),
    // An operator's orders.
    code("no-such-strategy", 404, "There is no strategy of that name."),
    code("not-ready", 409, "The strategy has not come as far as that."),
    code("differs", 409, "Two strategies answered the same request differently."),
    code("refused", 422, "The component cannot be let in."),
    code("not-granted", 422, "The policy does not let the component in."),
    code("digest-mismatch", 422, "The component is not the one that the policy means."),
    code("signature-missing", 422, "The component is not signed."),
    code("signature-invalid", 422, "The component's signature is not valid."),
    code("signed-by-another", 422, "The component is signed by another key."),
    code("bad-policy", 422, "The policy is not valid."),
    // Ours.
    code("payload-corrupt", 500, "An event's payload is corrupt."),
    code("bad-decisions", 500, "The decision log is broken."),
    code("bad-state", 500, "The state folder is broken."),
    code("io", 500, "A file could not be read or written."),
    code("sqlite", 500, "The database failed."),
    code("engine", 500, "The engine failed."),
    INTERNAL,
];

/// What a code means.
pub(super) fn of(name: &str) -> Code {
    CODES.iter().copied().find(|code| code.name == name).unwrap_or(INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that a source file's `fn code` gives.
    fn codes_of(source: &str) -> Vec<&str> {
        let function =
            source.split("pub fn code(&self)").nth(1).and_then(|rest| rest.split("\n    }").next());
        function.unwrap().split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn every_code_of_the_one_list_has_a_status_and_none_has_two() {
        let codes = codes_of(include_str!("../../../log/src/error/mod.rs"));
        assert!(codes.len() > 30, "{codes:?}");
        for name in codes.into_iter().chain(["signature-missing", "signature-invalid", "signed-by-another"]) {
            assert_eq!(of(name).name, name, "{name} has no status");
        }
        for code in CODES {
            assert_eq!(CODES.iter().filter(|other| other.name == code.name).count(), 1, "{}", code.name);
            assert!(matches!(code.status, 400..=599), "{code:?}");
            let soon = matches!(code.status, 429 | 503);
            assert_eq!(code.retry.is_some(), soon, "{code:?}: whoever may try again is told when");
        }
    }

    #[test]
    fn the_documentation_lists_every_code_with_its_status() {
        let text = include_str!("../../../../docs/serving.md");
        for code in CODES {
            let row = format!("| `{}` | {} |", code.name, code.status);
            assert!(text.contains(&row), "docs/serving.md lacks {row}");
        }
    }
}
