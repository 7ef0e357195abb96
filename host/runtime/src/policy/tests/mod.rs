//! What a policy may say, and what is said about one that is wrong.

mod written;

use proptest::prelude::*;

use super::*;
use crate::strategy::Instances;

const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}"))
        .unwrap_or_else(|problems| panic!("{}", problem::listed(&problems)))
}

/// The problems of a policy whose first line is its version, as they are shown.
fn wrong(text: &str) -> Vec<String> {
    match Policy::parse(&format!("version = 1\n{text}")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let (said, problems) = parse::parse(&format!("version = 1\n{text}"));
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Policy::put_together(said, problems, variables)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn stanza(lines: &str) -> String {
    format!("[strategy.fast]\ndigest = \"{DIGEST}\"\n{lines}\n")
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
        let value = toml::de::DeValue::parse(key.default).unwrap();
        let read = value::read(&value::Raw::of(value.get_ref()), key.form).unwrap();
        assert_eq!(value::written(&read, key.form), key.default, "{}", key.path());
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
    assert_eq!(
        (policy.ceilings.instances, policy.ceilings.memory, policy.ceilings.fuel),
        (8, 16 << 20, true)
    );
    assert_eq!(policy.limits.guest_time, Duration::from_millis(20));
    assert_eq!(policy.limits.memory, 16 << 20, "a default goes down with the ceiling");
    assert_eq!((policy.serve.failures, policy.serve.within), (3, Duration::from_mins(2)));
    assert!((policy.serve.reference_share - 0.5).abs() < f64::EPSILON);
    let fast = &policy.stanzas["fast"];
    let grants = &fast.grants;
    assert_eq!(fast.digest.as_deref(), DIGEST.strip_prefix("sha256:"));
    assert_eq!(fast.key, Some(("vendor".to_owned(), KEY.to_owned())));
    assert_eq!(
        (&grants.interfaces[..], &grants.columns[..]),
        (&["log", "scratch"][..], &["id", "created_at"][..])
    );
    assert_eq!((&grants.functions[..], grants.wasi.len()), (&["max"][..], WASI.len() - 1));
    assert!(grants.virtual_tables.is_empty() && !grants.notes);
    assert_eq!(
        (grants.instances, grants.scratch_quota, grants.refresh_after),
        (Some(Instances::Warm(9)), 3 << 30, 10)
    );
    assert_eq!(grants.limits.sql_steps, 900_000, "its own, above [limits]");
    assert_eq!(grants.limits.guest_time, Duration::from_millis(20), "from [limits]");
    assert_eq!(fast.approved.by.as_deref(), Some("Ada"));
    assert_eq!(fast.approved.at.as_deref(), Some("2026-11-20"));
    let baseline = policy.built_in("baseline").unwrap();
    assert_eq!(baseline.limits.log_lock, Duration::from_secs(4));
    assert_eq!(baseline.limits.wall_time, Duration::from_mins(1), "its own, as without the stanza");
}

#[test]
fn what_can_be_granted_of_wasi_is_what_the_linker_can_make_inert() {
    assert_eq!(WASI[0], INERT);
    assert_eq!(WASI[1..], crate::linker::WASI);
}

#[test]
fn what_a_stanza_does_not_name_is_not_granted() {
    let grants = policy(&stanza("")).stanzas["fast"].grants.clone();
    assert!(grants.interfaces.is_empty() && grants.columns.is_empty() && grants.functions.is_empty());
    assert!(grants.virtual_tables.is_empty() && grants.wasi.is_empty());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
    for (text, said) in [
        (
            "[limits]\nguest_tim = \"5ms\"",
            "line 3: there is no key \"guest_tim\" in limits: did you mean guest_time?",
        ),
        ("[hosts]\nmemory = \"1MiB\"", "line 2: there is no key or table \"hosts\": did you mean host?"),
        ("guest_time = \"5ms\"", "line 2: the key guest_time belongs under [limits]"),
        (
            "[host]\nguest_time = \"5ms\"",
            "line 3: there is no key \"guest_time\" in host: it belongs under [limits]",
        ),
        (
            "[serve]\nbreaker = { failure = 3 }",
            "line 3: there is no key \"failure\" in serve.breaker: did you mean failures?",
        ),
        (
            &stanza("colums = [\"id\"]"),
            "line 4: there is no key \"colums\" in strategy.fast: did you mean columns?",
        ),
        (
            &stanza("limits = { rowz = 3 }"),
            "line 4: there is no key \"rowz\" in strategy.fast.limits: did you mean rows?",
        ),
        (
            &stanza("approved = { bye = \"Ada\" }"),
            "line 4: there is no key \"bye\" in strategy.fast.approved: did you mean by?",
        ),
        (
            "[scratch]\nzzzzzzzzzzzzz = 1",
            "line 3: there is no key \"zzzzzzzzzzzzz\" in scratch: there are quota, total, refresh_after",
        ),
    ] {
        let found = wrong(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(said), "{text}: {found:?}");
    }
}

#[test]
fn a_bad_value_is_named_with_what_may_be_written() {
    for (text, said) in [
        (
            "[limits]\nguest_time = 50",
            "limits.guest_time: 50 is not allowed: write a time with its unit, such as \"50ms\"",
        ),
        ("[limits]\nguest_time = \"50 ms\"", "limits.guest_time: \"50 ms\" is not allowed"),
        ("[limits]\nguest_time = \"0ms\"", "\"0ms\" is less than the least, \"1ms\""),
        ("[limits]\nguest_time = \"1h\"", "\"1h\" is more than the most, \"10m\""),
        ("[limits]\nmemory = \"64MB\"", "limits.memory: \"64MB\" is not allowed: write a size with its unit"),
        ("[limits]\nrows = -1", "limits.rows: -1 is not allowed: write a whole number"),
        ("[limits]\nrows = 1.5", "limits.rows: 1.5 is not allowed"),
        ("[limits]\nrows = \"many\"", "limits.rows: \"many\" is not allowed"),
        ("[limits]\nrows = 99999999999999999999", "limits.rows: 99999999999999999999 is not allowed"),
        ("[limits]\nsql_bytes = \"1MiB\"", "is more than the most, \"16KiB\""),
        ("[limits]\nmemory = \"65MiB\"", "above the engine's ceiling host.memory, \"64MiB\" by default"),
        ("[host]\nfuel = 1", "host.fuel: 1 is not allowed: write true or false"),
        ("[host]\nmemory = {}", "host.memory: a table is not allowed"),
        (
            "[serve]\nreference_share = 1.5",
            "serve.reference_share: 1.5 is not allowed: write a number from 0 to 1",
        ),
        ("[serve]\nactive = \"fats\"\n", "serve.active: there is no strategy \"fats\""),
        ("[keys]\nvendor = \"RWQ\"", "keys.\"vendor\": this is no minisign public key"),
        ("limits = 3", "limits is a table: write [limits]"),
        ("strategy = 3", "strategy is a table"),
        ("[strategy]\nfast = 3", "strategy.fast is a table: write [strategy.fast]"),
        ("[strategy.Fast]\ndigest = 3", "strategy.\"Fast\": a name has up to 64 small letters"),
        ("[strategy.fast-warm]", "strategy.\"fast-warm\": a name that ends in -warm"),
        ("[strategy.fast]\nfile = \"fast.wasm\"", "strategy.fast names neither digest nor key"),
        ("[strategy.fast]\nkey = \"vendor\"", "strategy.fast.key: there is no \"vendor\" in [keys]"),
        (
            "[strategy.fast]\ndigest = \"md5:9f\"",
            "strategy.fast.digest: \"md5:9f\" is not allowed: write \"sha256:\"",
        ),
        (
            "[strategy.keyset]\ncolumns = [\"id\"]",
            "strategy.keyset.columns: keyset is built in, with its own grants",
        ),
        (&stanza("interfaces = [\"network\"]"), "strategy.fast.interfaces: \"network\" cannot be granted: "),
        (
            &stanza("columns = [\"payload_offset\"]"),
            "strategy.fast.columns: \"payload_offset\" cannot be granted",
        ),
        (&stanza("functions = [\"uper\"]"), "\"uper\" cannot be granted: did you mean upper?"),
        (&stanza("functions = [\"load_extension\"]"), "\"load_extension\" cannot be granted"),
        (&stanza("wasi = [\"wasi:sockets/tcp\"]"), "\"wasi:sockets/tcp\" cannot be granted"),
        (&stanza("columns = \"id\""), "strategy.fast.columns: \"id\" is not allowed: write a list of"),
        (&stanza("instances = \"hot\""), "strategy.fast.instances: \"hot\" is neither fresh nor warm"),
        (
            &stanza("interfaces = [\"scratch\"]"),
            "strategy.fast.columns: scratch is fed with the granted columns",
        ),
        (&stanza("quota = \"5GiB\""), "strategy.fast.quota is more than scratch.total"),
        (
            &stanza("limits = { memory = \"65MiB\" }"),
            "strategy.fast.limits.memory: \"65MiB\" is above the engine's ceiling",
        ),
        ("[scratch]\nquota = \"5GiB\"", "scratch.quota is more than scratch.total"),
        ("[limits\nrows = 3", "this is not TOML"),
        ("[limits]\nrows = 3\nrows = 4", "this is not TOML"),
    ] {
        let found = wrong(text);
        assert!(found.iter().any(|problem| problem.contains(said)), "{text}: {said:?} is not in {found:?}");
    }
    assert_eq!(Policy::parse("").unwrap_err().len(), 1, "the version is asked for");
    assert!(Policy::parse("version = 2").unwrap_err()[0].to_string().contains("2 is more than the most, 1"));
}

#[test]
fn all_that_is_wrong_is_said_at_once_in_the_order_of_the_lines() {
    let found = wrong(
        "[limits]\nguest_tim = \"5ms\"\nrows = \"many\"\n[host]\nmemory = 3\n[strategy.fast]\nfunctions = [\"uper\", \"lowr\"]\n",
    );
    let lines: Vec<&str> = found.iter().filter_map(|problem| problem.split(':').next()).collect();
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
    assert_eq!(policy.said.place("limits.rows"), Some(&Place::Variable("KEYHOLE_LIMITS_ROWS".to_owned())));
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
        let limit = crate::limits::LIMITS[at];
        let most = if key::find("limits", limit.name).unwrap().ceiling.is_some() { limit.default } else { limit.most };
        let number = limit.least + (most - limit.least) / 1000 * part;
        let text = format!("version = 1\n[limits]\n{} = {}", limit.name, number::written(number, limit.unit));
        // TOML's numbers end at 64 bits with a sign.
        if i64::try_from(number).is_ok() {
            let policy = Policy::parse(&text).unwrap();
            prop_assert!(policy.limits.named().contains(&(limit.name, number)), "{}", text);
        }
    }
}
