//! What is written out of the table of keys: docs/policy.md, and the policy that `policy new` makes.

use crate::policy::key::{self, PolicyKey};
use crate::policy::value::Form;
use crate::policy::value::number_written;
use keyhole_log::limits::Unit;

const DOCS_HEAD: &str = "\
# The policy

<!-- Generated from host/runtime/src/policy/key.rs: `KEYHOLE_BLESS=1 cargo test --release -p keyhole-runtime --lib policy::` -->

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

const DOCS_TABLES: [(&str, &str); 8] = [
    ("", "At the top"),
    ("host", "[host]: ceilings of the engine's pools"),
    ("limits", "[limits]: limits of one request; also `limits` of a stanza"),
    ("serve", "[serve]"),
    ("serve.breaker", "[serve] breaker"),
    ("scratch", "[scratch]"),
    ("strategy", "[strategy.NAME]"),
    ("strategy.approved", "[strategy.NAME] approved"),
];

/// The text of docs/policy.md.
pub fn markdown() -> String {
    let mut text = DOCS_HEAD.to_owned();
    for (table, title) in DOCS_TABLES {
        text += &format!(
            "\n## {title}\n\n| key | what may be written | default | from | to | a change needs | meaning, and why |\n|---|---|---|---|---|---|---|\n"
        );
        text.extend(key::of_table(table).map(line));
        if table == "scratch" {
            text += "\n## [keys]\n\n`NAME = \"RW…\"`: a minisign public key, the second line of a `.pub` file. A change needs a reload.\n";
        }
    }
    text
}

fn line(key: &PolicyKey) -> String {
    let (least, most) = match key.form {
        Form::Number(unit, least, most) if unit != Unit::Switch => {
            (number_written(least, unit), number_written(most, unit))
        }
        Form::Share => ("0".to_owned(), "1".to_owned()),
        _ => (String::new(), String::new()),
    };
    let most = if key.under_ceiling { format!("host.{}", key.name) } else { most };
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {}. |\n",
        key.name,
        key.form.allowed(),
        code(key.default),
        code(&least),
        code(&most),
        key.changes,
        about(key).replace('|', "\\|"),
    )
}

/// What a key means, and why its default is what it is.
fn about(key: &PolicyKey) -> String {
    let gap = if key.reason.is_empty() { "" } else { ": " };
    format!("{}{gap}{}", key.meaning, key.reason)
}

const TEMPLATE_HEAD: &str = "\
# Keyhole's policy: what the engine may use, what one request may use, and what each strategy is granted.
# Deny by default: what is not named is not granted. Every key stands here at its default.
# `keyhole policy check` finds what is wrong, `keyhole policy show` prints what is in effect.

version = 1
";

const TEMPLATE_TABLES: [(&str, &str); 4] = [
    ("host", "Ceilings of the engine's pools, for the whole process. A change takes a restart."),
    ("limits", "Limits of one request, for every strategy that has none of its own."),
    ("serve", "What `keyhole serve` runs."),
    ("scratch", "How much derived data strategies may keep in the cache folder."),
];

const TEMPLATE_KEYS: &str = "
# Whose signatures are known: minisign public keys by name (the second line of a .pub file).
[keys]
# vendor = \"RW…\"
";

const TEMPLATE_STRATEGY: &str = "
# A strategy. `keyhole policy allow FILE --as NAME --by WHO --reason TEXT` runs one and writes its stanza.
#
# [strategy.NAME]
";

/// The policy that `policy new` makes: every key, at its default, with what it means and why.
pub fn template() -> String {
    let mut text = TEMPLATE_HEAD.to_owned();
    for (table, what) in TEMPLATE_TABLES {
        text += &format!("\n# {what}\n[{table}]\n");
        for key in key::of_table(table) {
            let default = match key.form {
                Form::Table(inner) => inline(inner),
                _ => key.default.to_owned(),
            };
            text += &format!("# {}.\n{} = {default}\n", about(key), key.name);
        }
    }
    text += TEMPLATE_KEYS;
    text += TEMPLATE_STRATEGY;
    for key in key::of_table("strategy") {
        let default = match key.form {
            Form::Table("limits") => "{ }".to_owned(),
            Form::Table(inner) => inline(inner),
            _ => or_open(key.default).to_owned(),
        };
        text += &format!("#   {}.\n# {} = {default}\n", about(key), key.name);
    }
    text
}

fn inline(table: &str) -> String {
    let keys: Vec<String> =
        key::of_table(table).map(|key| format!("{} = {}", key.name, or_open(key.default))).collect();
    format!("{{ {} }}", keys.join(", "))
}

fn or_open(default: &str) -> &str {
    if default.is_empty() { "…" } else { default }
}
