//! docs/policy.md, made from the table of keys.

use crate::limits::Unit;
use crate::policy::key::{self, Form, Key};
use crate::policy::number;

const HEAD: &str = "\
# The policy

<!-- Generated from host/runtime/src/policy/key.rs: `KEYHOLE_BLESS=1 cargo test --release -p keyhole --lib policy::` -->

A policy is a TOML file that says what the engine may use, what one request may use, and what each strategy is
granted. It is named by `--policy FILE` or `KEYHOLE_POLICY`. Deny by default: what is not named is not granted. Unknown
keys and bad values are errors; all that is wrong is said at once, with its line.

- `keyhole policy new [FILE]` writes one with every key at its default, and never overwrites.
- `keyhole policy check [FILE]` finds what is wrong with it, and with the files that its stanzas name.
- `keyhole policy show [--json]` prints the value of every key that is in effect, where it comes from (default, line of the
  file, environment variable, engine ceiling, built in), and whether a change needs a restart.
- `keyhole policy allow FILE --as NAME --by WHO --reason TEXT [--yes]` audits a component with everything that can be granted,
  saves the audit in the state folder (`audits/`), shows verdict and findings and the least stanza that covers what it used,
  asks, and writes it with the audit's digest; comments of the file are kept. What the audit calls unfit is not written, unless
  `--despite-unfit` is said, which the decision log keeps.

**Without a policy file**, local verbs grant the project's interfaces, all shown columns, all functions, no WASI, no virtual
tables, and default limits. **With one**, a component file must have a stanza; its refusal prints the whole least one.
Built-in strategies are always there; a stanza of their name may change their limits, instances, at_once, notes, quota and
refresh_after, and nothing else.

**Which bytes.** A stanza names a digest, a key, or both; if both, both must hold. They are checked over the bytes in
memory that are then loaded, and the signature lies in `FILE.minisig` beside the component. The codes: `digest-mismatch`,
`signature-missing`, `signature-invalid`, `signed-by-another`. A file given by its path gets the stanza that names its digest,
or the one whose `file` it is.

**A new version never widens its grants.** A stanza belongs to its name. `policy allow` under a name that exists changes
the digest, the file and who approved it; if the new version needs more, it is refused with the lines that would grant it, and
only the operator's own hand adds them.

**Environment.** `KEYHOLE_HOST_…`, `KEYHOLE_LIMITS_…`, `KEYHOLE_SERVE_…` and `KEYHOLE_SCRATCH_…` with the key's name, such as
`KEYHOLE_LIMITS_GUEST_TIME=20ms`, stand above the file. What a stanza says stands above them.
";

const SECTIONS: [(&str, &str); 8] = [
    ("", "At the top"),
    ("host", "[host]: ceilings of the engine's pools"),
    ("limits", "[limits]: limits of one request; also `limits` of a stanza"),
    ("serve", "[serve]"),
    ("serve.breaker", "[serve] breaker"),
    ("scratch", "[scratch]"),
    ("strategy", "[strategy.NAME]"),
    ("strategy.approved", "[strategy.NAME] approved"),
];

/// The whole text.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for (section, title) in SECTIONS {
        text += &format!(
            "\n## {title}\n\n| key | what may be written | default | from | to | a change needs | meaning, and why |\n|---|---|---|---|---|---|---|\n"
        );
        for key in key::of_section(section) {
            text += &line(key);
        }
        if section == "scratch" {
            text += "\n## [keys]\n\n`NAME = \"RW…\"`: a minisign public key, the second line of a `.pub` file. A change needs a reload.\n";
        }
    }
    text
}

fn line(key: &Key) -> String {
    let (least, most) = match key.form {
        Form::Number(Unit::Switch, ..) => (String::new(), String::new()),
        Form::Number(unit, least, most) => (number::written(least, unit), number::written(most, unit)),
        Form::Share => ("0".to_owned(), "1".to_owned()),
        _ => (String::new(), String::new()),
    };
    let most = key.ceiling.map_or(most, |ceiling| format!("`host.{ceiling}`"));
    let why = if key.reason.is_empty() { String::new() } else { format!(": {}", key.reason) };
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {}{why}. |\n",
        key.name,
        key.form.allowed(),
        code(key.default),
        if least.starts_with('`') { least } else { code(&least) },
        if most.starts_with('`') { most } else { code(&most) },
        key.changes.name(),
        key.meaning.replace('|', "\\|"),
    )
    .replace("x || x", "x \\|\\| x")
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
