//! What a policy may say, what is said about one that is wrong, and what is written about and into one.

use proptest::prelude::*;

use super::*;
use keyhole_log::grants::{Instances, WASI};

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

/// A policy whose first line is its version, or its mistakes as they are shown.
fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Policy::parse_under(&format!("version = 1\n{text}"), variables)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn policy(text: &str) -> Policy {
    with_environment(text, &[]).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn wrong(text: &str) -> Vec<String> {
    with_environment(text, &[]).err().unwrap_or_default()
}

fn section(lines: &str) -> String {
    format!("[strategy.fast]\ndigest = \"{DIGEST}\"\n{lines}\n")
}

/// What `approved` says in the section of `fast`.
fn approved(policy: &Policy, key: &str) -> String {
    policy.said.sections["fast"].1.text(&format!("strategy.approved.{key}")).unwrap_or_default()
}

/// The cases of a table: the lines of a policy and, behind `=>`, what is said of it. `FAST` begins a section.
fn cases(table: &str) -> impl Iterator<Item = (String, &str)> {
    table.lines().filter_map(|line| line.split_once(" => ")).map(|(text, said)| {
        (text.trim().replace("\\n", "\n").replace("FAST ", &section("").replace("\n\n", "\n")), said)
    })
}

#[test]
fn the_default_policy_is_what_the_program_does_without_one() {
    let policy = policy("");
    assert_eq!(policy.ceilings, Ceilings::default());
    assert_eq!(policy.limits, Limits::default());
    assert_eq!(policy.local().limits, Grants::local().limits);
    assert_eq!(policy.scratch.quota, Grants::local().scratch_quota);
    assert_eq!(policy.scratch.refresh_after, Grants::local().refresh_after);
    for key in key::KEYS.iter().filter(|key| !key.default.is_empty()) {
        let default = key.default_value().unwrap();
        assert_eq!(value::written(&default, key.form), key.default, "{}", key.path());
    }
}

#[test]
fn a_policy_says_what_it_says() {
    let policy = policy(&format!(
        "[host]\ninstances = 8\nmemory = \"16MiB\"\nfuel = true\n\
         [limits]\nguest_time = \"20ms\"\nsql_steps = 500_000\n\
         [serve]\nactive = \"fast\"\nreference_share = 0.5\nbreaker = {{ failures = 3, within = \"2m\" }}\n\
         [scratch]\nquota = \"2GiB\"\n\
         [keys]\nvendor = \"{KEY}\"\n\
         [strategy.fast]\nfile = \"fast.wasm\"\ndigest = \"{DIGEST}\"\nkey = \"vendor\"\n\
         interfaces = [\"log\", \"scratch\"]\ncolumns = [\"id\", \"created_at\"]\nfunctions = [\"max\"]\n\
         wasi = \"inert\"\ninstances = \"warm:9\"\nnotes = false\nquota = \"3GiB\"\nrefresh_after = 10\n\
         limits = {{ sql_steps = 900_000, wall_time = \"1s\" }}\n\
         approved = {{ by = \"Ada\", at = 2026-11-20, reason = \"faster\", audit = \"{DIGEST}\" }}\n\
         [strategy.baseline]\nlimits = {{ log_lock = \"4s\" }}\n"
    ));
    let ceilings = Ceilings { instances: 8, memory: 16 << 20, fuel: true, ..Ceilings::default() };
    assert_eq!(policy.ceilings, ceilings);
    // A default goes down with the ceiling.
    let (guest_time, memory) = (Duration::from_millis(20), 16 << 20);
    let limits = Limits { guest_time, sql_steps: 500_000, memory, ..Limits::default() };
    assert_eq!(policy.limits, limits);
    let default = Policy::default().serve;
    let (active, within) = ("fast".to_owned(), Duration::from_mins(2));
    assert_eq!(policy.serve, Serve { active, reference_share: 0.5, failures: 3, within, ..default });
    assert_eq!(policy.scratch, ScratchLimits { quota: 2 << 30, ..Policy::default().scratch });
    let fast = &policy.sections["fast"];
    assert_eq!(fast.digest.as_deref(), DIGEST.strip_prefix("sha256:"));
    assert_eq!(fast.key, Some(("vendor".to_owned(), KEY.to_owned())));
    let grants = Grants {
        interfaces: vec!["log", "scratch"],
        columns: vec!["id", "created_at"],
        functions: vec!["max"],
        wasi: WASI.to_vec(),
        instances: Some(Instances::Warm(9)),
        notes: false,
        scratch_quota: 3 << 30,
        refresh_after: 10,
        limits: Limits { sql_steps: 900_000, wall_time: Duration::from_secs(1), ..limits },
        ..Grants::none()
    };
    assert_eq!(fast.grants, grants, "its own limits, above those of all");
    assert_eq!((&*approved(&policy, "by"), &*approved(&policy, "at")), ("Ada", "2026-11-20"));
    let baseline = policy.built_in("baseline").unwrap();
    assert_eq!(baseline.limits.log_lock, Duration::from_secs(4));
    assert_eq!(baseline.limits.wall_time, Duration::from_mins(1), "its own, as without the section");
}

#[test]
fn what_a_section_does_not_name_is_not_granted() {
    assert_eq!(policy(&section("")).sections["fast"].grants, Grants::none());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
    let table = r#"
        [limits]\nguest_tim = "5ms" => line 3: there is no key "guest_tim" in limits: did you mean guest_time?
        [hosts]\nmemory = "1MiB" => line 2: there is no key or table "hosts": did you mean host?
        guest_time = "5ms" => line 2: the key guest_time belongs under [limits]
        [host]\nguest_time = "5ms" => line 3: there is no key "guest_time" in host: it belongs under [limits]
        [serve]\nbreaker = { failure = 3 } => line 3: there is no key "failure" in serve.breaker: did you mean failures?
        FAST colums = ["id"] => line 4: there is no key "colums" in strategy.fast: did you mean columns?
        FAST limits = { rowz = 3 } => line 4: there is no key "rowz" in strategy.fast.limits: did you mean rows?
        FAST approved = { bye = "Ada" } => line 4: there is no key "bye" in strategy.fast.approved: did you mean by?
        [scratch]\nzzzzzzzzzzzzz = 1 => line 3: there is no key "zzzzzzzzzzzzz" in scratch: there are quota, total, refresh_after
    "#;
    for (text, said) in cases(table) {
        let found = wrong(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(said), "{text}: {found:?}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_may_be_written() {
    let table = r#"
        [limits]\nguest_time = 50 => limits.guest_time: 50 is not allowed: write a time with its unit, such as "50ms"
        [limits]\nguest_time = "50 ms" => limits.guest_time: "50 ms" is not allowed
        [limits]\nguest_time = "0ms" => "0ms" is less than the least, "1ms"
        [limits]\nguest_time = "1h" => "1h" is more than the most, "10m"
        [limits]\nmemory = "64MB" => limits.memory: "64MB" is not allowed: write a size with its unit
        [limits]\nrows = -1 => limits.rows: -1 is not allowed: write a whole number
        [limits]\nrows = 1.5 => limits.rows: 1.5 is not allowed
        [limits]\nrows = "many" => limits.rows: "many" is not allowed
        [limits]\nrows = 99999999999999999999 => limits.rows: 99999999999999999999 is not allowed
        [limits]\nsql_bytes = "1MiB" => is more than the most, "16KiB"
        [limits]\nmemory = "65MiB" => above the engine's ceiling host.memory, "64MiB" by default
        [host]\nfuel = 1 => host.fuel: 1 is not allowed: write true or false
        [host]\nmemory = {} => host.memory: a table is not allowed
        [serve]\nreference_share = 1.5 => serve.reference_share: 1.5 is not allowed: write a number from 0 to 1
        [serve]\nactive = "fats" => serve.active: there is no strategy "fats"
        [keys]\nvendor = "RWQ" => keys."vendor": this is no minisign public key
        limits = 3 => limits is a table: write [limits]
        strategy = 3 => strategy is a table
        [strategy]\nfast = 3 => strategy.fast is a table: write [strategy.fast]
        [strategy.Fast]\ndigest = 3 => strategy."Fast": a name has up to 64 small letters
        [strategy.fast-warm] => strategy."fast-warm": a name that ends in -warm
        [strategy.fast]\nfile = "fast.wasm" => strategy.fast names neither digest nor key
        [strategy.fast]\nkey = "vendor" => strategy.fast.key: there is no "vendor" in [keys]
        [strategy.fast]\ndigest = "md5:9f" => strategy.fast.digest: "md5:9f" is not allowed: write "sha256:"
        [strategy.keyset]\ncolumns = ["id"] => strategy.keyset.columns: keyset is built in, with its own grants
        FAST interfaces = ["network"] => strategy.fast.interfaces: "network" cannot be granted: 
        FAST columns = ["payload_offset"] => strategy.fast.columns: "payload_offset" cannot be granted
        FAST functions = ["uper"] => "uper" cannot be granted: did you mean upper?
        FAST functions = ["load_extension"] => "load_extension" cannot be granted
        FAST wasi = ["wasi:sockets/tcp"] => "wasi:sockets/tcp" cannot be granted
        FAST columns = "id" => strategy.fast.columns: "id" is not allowed: write a list of
        FAST instances = "hot" => strategy.fast.instances: "hot" is neither fresh nor warm
        FAST interfaces = ["scratch"] => strategy.fast.columns: scratch is fed with the granted columns
        FAST quota = "5GiB" => strategy.fast.quota is more than scratch.total
        FAST limits = { memory = "65MiB" } => strategy.fast.limits.memory: "65MiB" is above the engine's ceiling
        [scratch]\nquota = "5GiB" => scratch.quota is more than scratch.total
        [limits\nrows = 3 => this is not TOML
        [limits]\nrows = 3\nrows = 4 => this is not TOML
    "#;
    for (text, said) in cases(table) {
        let found = wrong(&text);
        assert!(found.iter().any(|mistake| mistake.contains(said)), "{text}: {said:?} is not in {found:?}");
    }
    assert_eq!(Policy::parse("").unwrap_err().len(), 1, "the version is asked for");
    assert!(Policy::parse("version = 2").unwrap_err()[0].to_string().contains("2 is more than the most, 1"));
}

#[test]
fn all_that_is_wrong_is_said_at_once_in_the_order_of_the_lines() {
    let found = wrong(
        "[limits]\nguest_tim = \"5ms\"\nrows = \"many\"\n[host]\nmemory = 3\n[strategy.fast]\nfunctions = [\"uper\", \"lowr\"]\n",
    );
    let lines: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(':').next()).collect();
    assert_eq!(lines, ["line 3", "line 4", "line 6", "line 7", "line 8"], "{found:#?}");
    assert!(found[4].contains("uper") && found[4].contains("lowr"), "{found:#?}");
}

#[test]
fn a_ceiling_that_is_raised_lets_a_limit_rise() {
    let policy = policy("[host]\nmemory = \"128MiB\"\n[limits]\nmemory = \"100MiB\"");
    assert_eq!(policy.limits.memory, 100 << 20);
    let found = wrong("[host]\nmemory = \"32MiB\"\n[limits]\nmemory = \"33MiB\"");
    assert!(found[0].contains("host.memory, \"32MiB\" on line 3"), "{found:?}");
}

#[test]
fn the_environment_stands_above_the_file() {
    let variables = [("KEYHOLE_LIMITS_ROWS", "7_000"), ("KEYHOLE_HOST_FUEL", "true"), ("KEYHOLE_DATA", "/x")];
    let policy = with_environment("[limits]\nrows = 5", &variables).unwrap();
    assert_eq!((policy.limits.rows, policy.ceilings.fuel), (7_000, true));
    assert_eq!(
        policy.said.settings.origin("limits.rows"),
        Some(&Origin::Variable("KEYHOLE_LIMITS_ROWS".to_owned()))
    );
    for (name, text, said) in [
        ("KEYHOLE_LIMITS_ROWZ", "5", "there is no key \"rowz\" in [limits]: did you mean rows?"),
        ("KEYHOLE_LIMITS_GUEST_TIME", "5", "limits.guest_time: \"5\" is not allowed"),
        ("KEYHOLE_LIMITS_MEMORY", "1GiB", "above the engine's ceiling"),
        ("KEYHOLE_SERVE_BREAKER", "5", "there is no key \"breaker\" in [serve]"),
    ] {
        let found = with_environment("", &[(name, text)]).unwrap_err();
        assert!(found[0].starts_with(&format!("environment variable {name}: ")), "{found:?}");
        assert!(found[0].contains(said), "{found:?}");
    }
}

#[test]
fn the_policy_that_is_written_at_first_is_the_default_one_and_holds_every_key() {
    let text = docs::template();
    let written = Policy::parse(&text).unwrap();
    let default = Policy::default();
    assert_eq!((&written.ceilings, &written.limits), (&default.ceilings, &default.limits));
    assert_eq!((&written.serve, &written.scratch), (&default.serve, &default.scratch));
    assert!(written.sections.is_empty() && written.keys.is_empty());
    for key in key::KEYS.iter().filter(|key| !key.table.contains('.')) {
        assert!(text.contains(&format!("{} = ", key.name)), "{}", key.path());
    }
    for row in
        show::rows(&written).iter().filter(|row| row.key != "version" && !row.key.starts_with("strategy."))
    {
        assert!(row.from.starts_with("line "), "{row:?}");
    }
}

#[test]
fn every_key_is_shown_with_where_it_comes_from_and_when_it_changes() {
    let policy = with_environment(
        &format!("[host]\nmemory = \"16MiB\"\n{}", section("limits = { rows = 9 }\nfunctions = [\"max\"]")),
        &[("KEYHOLE_LIMITS_ROWS", "7_000")],
    )
    .unwrap();
    let rows = show::rows(&policy);
    let table = r#"
        host.memory => "16MiB" | line 3 | restart
        host.instances => 64 | default | restart
        limits.memory => "16MiB" | engine ceiling host.memory | reload
        limits.rows => 7_000 | environment KEYHOLE_LIMITS_ROWS | reload
        limits.guest_time => "50ms" | default | reload
        serve.active => "keyset" | default | first start
        strategy.fast.limits.rows => 9 | line 6 | reload
        strategy.fast.functions => ["max"] | line 7 | reload
        strategy.fast.columns => [] | default | reload
        strategy.fast.quota => "1GiB" | scratch.quota | reload
        strategy.fast.digest => "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" | line 5 | reload
        strategy.baseline.limits.log_lock => "1m" | built in | reload
    "#;
    for (key, shown) in cases(table) {
        let row = rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("{key} is not shown"));
        assert_eq!(format!("{} | {} | {}", row.value, row.from, row.changes), shown, "{key}");
    }
    for key in key::KEYS.iter().filter(|key| !key.table.starts_with("strategy") && !key.default.is_empty()) {
        assert!(rows.iter().any(|row| row.key == key.path()), "{} is not shown", key.path());
    }
}

/// docs/policy.md is made from the table: `KEYHOLE_BLESS=1` writes it.
#[test]
fn the_documentation_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let text = docs::markdown();
    if std::env::var_os("KEYHOLE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stands == text, "docs/policy.md is out of date: run this test with KEYHOLE_BLESS=1");
    for key in key::KEYS.iter() {
        assert!(text.contains(&format!("| `{}` |", key.name)), "{}", key.path());
    }
}

fn used() -> allow::Used {
    allow::Used {
        interfaces: vec!["scratch", "log"],
        columns: vec!["created_at", "id"],
        functions: vec!["max"],
        most: vec![("rows", 51), ("memory", 1_179_648)],
        ..allow::Used::default()
    }
}

const APPROVAL: allow::Approval<'static> =
    allow::Approval { by: "Ada \"A.\" L.", at: "2026-11-20", reason: "10 % faster # really", audit: None };

const OTHER: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn what_was_used_is_what_the_written_section_grants() {
    let before = "version = 1\n# mine\n[limits]\nrows = 9_000 # enough\n";
    let digest = DIGEST.strip_prefix("sha256:").unwrap();
    let approval = allow::Approval { audit: Some(OTHER), ..APPROVAL };
    let text =
        allow::add(before, &allow::section("fast", Path::new("x/fast.wasm"), digest, &used(), &approval));
    assert!(text.starts_with(before), "what stood there is untouched");
    let old = Policy::parse(before).unwrap();
    allow::check_edit(&old, &text, "fast", &used()).unwrap();
    let policy = Policy::parse(&text).unwrap();
    let fast = &policy.sections["fast"];
    let limits = Limits { rows: 9_000, ..Limits::default() };
    let (interfaces, columns) = (vec!["log", "scratch"], vec!["id", "created_at"]);
    let granted = Grants { interfaces, columns, functions: vec!["max"], limits, ..Grants::none() };
    assert_eq!(fast.grants, granted);
    assert_eq!(fast.file.as_deref(), Some(Path::new("x/fast.wasm")));
    assert_eq!(approved(&policy, "by"), "Ada \"A.\" L.");
    assert_eq!(approved(&policy, "reason"), "10 % faster # really");
    assert_eq!(approved(&policy, "audit"), OTHER);
}

#[test]
fn an_edit_that_would_do_more_than_that_is_refused() {
    let old = Policy::parse("version = 1").unwrap();
    let digest = DIGEST.strip_prefix("sha256:").unwrap();
    let section = allow::section("fast", Path::new("fast.wasm"), digest, &used(), &APPROVAL);
    let more = section.replace("functions = [\"max\"]", "functions = [\"max\", \"upper\"]");
    assert!(allow::check_edit(&old, &allow::add("version = 1", &more), "fast", &used()).is_err());
    let two = format!("{section}\n{}", section.replace("[strategy.fast]", "[strategy.other]"));
    assert!(allow::check_edit(&old, &allow::add("version = 1", &two), "fast", &used()).is_err());
    assert!(allow::check_edit(&old, "version = 1\nlimits = 3", "fast", &used()).is_err());
}

#[test]
fn a_new_version_never_widens_its_grants() {
    let before = format!(
        "version = 1\n{}# the end\n",
        section("# what it reads\ncolumns = [\"id\"] # no more\nlimits = { rows = 9 }")
    );
    let old = Policy::parse(&before).unwrap();
    let text = allow::replace(&before, "fast", Path::new("new.wasm"), OTHER, &APPROVAL).unwrap();
    allow::check_edit(&old, &text, "fast", &used()).unwrap();
    let new = Policy::parse(&text).unwrap();
    let (was, is) = (&old.sections["fast"], &new.sections["fast"]);
    assert_eq!(is.digest.as_deref(), Some(OTHER));
    assert_eq!(is.grants, was.grants, "whatever the new version used");
    for kept in ["# what it reads", "columns = [\"id\"] # no more", "# the end", "limits = { rows = 9 }"] {
        assert!(text.contains(kept), "{kept} is gone:\n{text}");
    }
    assert!(allow::replace(&before, "slow", Path::new("new.wasm"), OTHER, &APPROVAL).is_err());
}

#[test]
fn the_lines_for_what_was_denied_hold_what_was_granted_and_what_was_not() {
    let grants = Grants { columns: vec!["id"], ..Grants::none() };
    let denials = [
        ("read", "log.audit_events.actor_id"),
        ("read", "log.audit_events.payload_offset"),
        ("function", "UPPER"),
        ("pragma", "table_info"),
        ("read", "log.audit_events.action"),
    ];
    let lines = "[strategy.fast]\ncolumns = [\"id\", \"action\", \"actor_id\"]\nfunctions = [\"upper\"]\n";
    assert_eq!(lines::for_denials("fast", &grants, denials.into_iter()).as_deref(), Some(lines));
    let never = [("pragma", "x")].into_iter();
    assert_eq!(lines::for_denials("fast", &grants, never), None, "no policy grants that");
    assert_eq!(lines::for_denials("keyset", &grants, denials.into_iter()), None, "built in");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = Policy::parse(&text);
    }

    /// Texts that look like policies go deeper than arbitrary ones.
    #[test]
    fn no_shuffled_policy_makes_the_parser_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "version", " = ", "1", "\n", "[limits]", "[host]", "[strategy.fast]", "[keys]", "[serve]", "memory",
            "\"64MiB\"", "\"5ms\"", "{", "}", "[", "]", "\"id\"", ",", ".", "approved", "digest", "2026-11-20",
            "limits", "fuel", "true", "-1", "1e400", "nan", "0x7f", "\"\\u0000\"", "é", "#", "interfaces",
        ]), 0..40),
    ) {
        let _ = Policy::parse(&parts.concat());
    }

    #[test]
    fn every_number_in_its_bounds_is_accepted_and_read_back(at in 0usize..17, part in 0u64..=1000) {
        let limit = keyhole_log::limits::LIMITS[at];
        let most = if key::find("limits", limit.name).unwrap().under_ceiling { limit.default } else { limit.most };
        let number = limit.least + (most - limit.least) / 1000 * part;
        let text = format!("version = 1\n[limits]\n{} = {}", limit.name, value::number_written(number, limit.unit));
        // TOML's numbers end at 64 bits with a sign.
        if i64::try_from(number).is_ok() {
            let policy = Policy::parse(&text).unwrap();
            prop_assert!(policy.limits.named().contains(&(limit.name, number)), "{}", text);
        }
    }
}
