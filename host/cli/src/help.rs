//! What stands below the help of each verb: examples and exit codes.

use clap::Command;

/// A verb by its whole name, examples of it, and what exit code 1 means there; empty where it cannot end with that.
type Entry = (&'static str, &'static [&'static str], &'static str);

/// Every verb that a person says. A test fails where one is missing.
const VERBS: &[Entry] = &[
    (
        "",
        &[
            "keyhole                               the main job, on ./data; a minute or two",
            "keyhole page keyset --action LOGIN    one page of a log",
            "keyhole audit ./fast.wasm             the truth about a strategy that you were handed",
        ],
        "the answer is no: unfit, not equal, refused, or a strategy's fault",
    ),
    (
        "demo",
        &["keyhole demo", "keyhole demo --data /tmp/log --requests 200"],
        "the strategies do not answer alike",
    ),
    (
        "page",
        &[
            "keyhole page keyset --from 2025-12-01T00:00:00Z --actor 17 --page-size 20",
            "keyhole page keyset --action LOGIN --page 3 --ledger",
            "keyhole page ./fast.wasm --queries requests.jsonl --out pages.jsonl",
        ],
        "the strategy trapped, lied, overran or was refused",
    ),
    (
        "serve",
        &["keyhole serve", "keyhole serve --listen 127.0.0.1:9000 --policy keyhole.toml"],
        "the strategy that is to serve may not",
    ),
    ("inspect", &["keyhole inspect ./fast.wasm", "keyhole inspect keyset --json"], "it is unfit"),
    (
        "verify",
        &["keyhole verify", "keyhole verify ./fast.wasm --reference native-baseline --requests 10000"],
        "they differ, or the log itself is wrong",
    ),
    (
        "bench",
        &[
            "keyhole bench",
            "keyhole bench keyset ./fast.wasm --mix dense --workers 1",
            "keyhole bench --json --out bench.json",
        ],
        "a strategy's answers are wrong",
    ),
    ("report", &["keyhole report bench.json --out bench.html"], ""),
    (
        "policy",
        &["keyhole policy new", "keyhole --policy keyhole.toml policy check"],
        "the policy is not sound, or nothing was written",
    ),
    ("policy new", &["keyhole policy new", "keyhole policy new strict.toml"], ""),
    ("policy check", &["keyhole policy check keyhole.toml"], "a file that it names is not what it means"),
    ("policy show", &["keyhole --policy keyhole.toml policy show", "keyhole policy show --json"], ""),
    (
        "policy allow",
        &[
            "keyhole --policy keyhole.toml policy allow ./fast.wasm --as fast --reason faster",
            "keyhole --policy keyhole.toml policy allow ./fast.wasm --as fast --by Ada --reason faster --yes",
        ],
        "nothing was written: it is unfit, or you did not agree",
    ),
    (
        "audit",
        &["keyhole audit ./fast.wasm", "keyhole audit ./fast.wasm --html audit.html --fail-on medium"],
        "something as grave as --fail-on was found, or the log itself is wrong",
    ),
    (
        "diff",
        &["keyhole diff ./fast-1.wasm ./fast-2.wasm", "keyhole diff audit-1.json audit-2.json --json"],
        "the new one widens, or its answers are wrong or not known, or it is unfit",
    ),
    ("decisions", &["keyhole decisions show", "keyhole decisions check"], "the chain is broken"),
    ("decisions show", &["keyhole decisions show --last 20"], ""),
    (
        "decisions check",
        &["keyhole decisions check", "keyhole decisions check --head SEQ:HASH"],
        "the chain is broken",
    ),
    (
        "strategy",
        &["keyhole strategy list", "keyhole strategy stage ./fast.wasm --as fast"],
        "the order was not carried out: the strategy is not let in, failed its proof, or is not as far",
    ),
    ("strategy list", &["keyhole strategy list", "keyhole strategy list --json"], ""),
    (
        "strategy stage",
        &["keyhole strategy stage ./fast.wasm --as fast", "keyhole strategy stage keyset --no-wait"],
        "it is not let in, or failed its proof",
    ),
    (
        "strategy shadow",
        &["keyhole strategy shadow fast", "keyhole strategy shadow fast --share 0.5 --requests 200"],
        "it differed, or is not as far",
    ),
    (
        "strategy promote",
        &["keyhole strategy promote fast", "keyhole strategy promote fast --revision 3"],
        "it is not as far",
    ),
    ("strategy rollback", &["keyhole strategy rollback"], "nothing served before"),
    ("strategy drain", &["keyhole strategy drain fast"], "it serves"),
    ("strategy pardon", &["keyhole strategy pardon 0e5751c0", "keyhole strategy pardon sha256:DIGEST"], ""),
    ("scratch", &["keyhole scratch list", "keyhole scratch drop fast"], "something is wrong, or in use"),
    ("scratch list", &["keyhole scratch list", "keyhole scratch list --json"], ""),
    (
        "scratch scrub",
        &["keyhole scratch scrub", "keyhole scratch scrub keyset"],
        "something did not fit its log",
    ),
    (
        "scratch drop",
        &["keyhole scratch drop fast", "keyhole scratch drop --all"],
        "one is in use, and stays",
    ),
    (
        "seed",
        &["keyhole seed --data /tmp/log", "keyhole seed --data /tmp/large --rows 5000000 --short-payloads"],
        "it is not the contract's, and should be",
    ),
    ("selftest", &["keyhole selftest --quick", "keyhole selftest"], "a limit did not strike"),
];

/// The same command, with examples and exit codes below the help of it and of its subcommands, and a usage line in
/// errors that shows nothing as required that is not.
pub(crate) fn explained(command: Command) -> Command {
    let mut built = command.clone();
    built.build();
    below(command, &built, "")
}

fn below(mut command: Command, built: &Command, name: &str) -> Command {
    if let Some((_, examples, no)) = VERBS.iter().find(|(verb, ..)| *verb == name) {
        command = command.after_help(text(examples, no));
    }
    // What is made for an error names every option that was given, also those that came from the environment.
    let usage = built.clone().render_usage().to_string();
    if let Some(usage) = usage.strip_prefix("Usage: ") {
        command = command.override_usage(usage.to_owned());
    }
    command.mut_subcommands(|subcommand| {
        let called = subcommand.get_name().to_owned();
        let whole = if name.is_empty() { called.clone() } else { format!("{name} {called}") };
        match built.find_subcommand(&called) {
            Some(built) => below(subcommand, built, &whole),
            None => subcommand,
        }
    })
}

fn text(examples: &[&str], no: &str) -> String {
    let mut text = "Examples:\n".to_owned();
    for example in examples {
        text += &format!("  {example}\n");
    }
    text += "\nExit codes:\n  0    done\n";
    if !no.is_empty() {
        text += &format!("  1    {no}\n");
    }
    text + "  2    misuse, unreadable or broken input, cannot decide\n  130  interrupted"
}
