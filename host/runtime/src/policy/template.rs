//! The policy that `policy new` writes: every key, at its default, with what it means and why.

use crate::policy::key::{self, Form, Key};

const HEAD: &str = "\
# Keyhole's policy: what the engine may use, what one request may use, and what each strategy is granted.
# Deny by default: what is not named is not granted. Every key stands here at its default.
# `keyhole policy check` finds what is wrong, `keyhole policy show` prints what is in effect.

version = 1
";

const SECTIONS: [(&str, &str); 4] = [
    ("host", "Ceilings of the engine's pools, for the whole process. A change takes a restart."),
    ("limits", "Limits of one request, for every strategy that has none of its own."),
    ("serve", "What `keyhole serve` runs."),
    ("scratch", "How much derived data strategies may keep in the cache folder."),
];

const KEYS: &str = "
# Whose signatures are known: minisign public keys by name (the second line of a .pub file).
[keys]
# vendor = \"RW…\"
";

const STANZA: &str = "
# A strategy. `keyhole policy allow FILE --as NAME --by WHO --reason TEXT` runs one and writes its stanza.
#
# [strategy.NAME]
";

/// The text of the file.
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    for (section, about) in SECTIONS {
        text += &format!("\n# {about}\n[{section}]\n");
        for key in key::of_section(section) {
            text += &about_key(key, "# ");
            text += &match key.form {
                Form::Table(inner) => format!("{} = {}\n", key.name, inline(inner)),
                _ => format!("{} = {}\n", key.name, key.default),
            };
        }
    }
    text += KEYS;
    text += STANZA;
    for key in key::of_section("strategy") {
        text += &about_key(key, "#   ");
        let default = if key.default.is_empty() { "…" } else { key.default };
        text += &match key.form {
            Form::Table("limits") => format!("# {} = {{ }}\n", key.name),
            Form::Table(inner) => format!("# {} = {}\n", key.name, inline(inner)),
            _ => format!("# {} = {default}\n", key.name),
        };
    }
    text
}

fn about_key(key: &Key, margin: &str) -> String {
    if key.reason.is_empty() {
        format!("{margin}{}.\n", key.meaning)
    } else {
        format!("{margin}{}: {}.\n", key.meaning, key.reason)
    }
}

fn inline(section: &str) -> String {
    let keys: Vec<String> = key::of_section(section)
        .map(|key| format!("{} = {}", key.name, if key.default.is_empty() { "…" } else { key.default }))
        .collect();
    format!("{{ {} }}", keys.join(", "))
}
