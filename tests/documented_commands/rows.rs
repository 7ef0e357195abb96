//! Each command of the documents: how it is run here, or why it is not, and what runs it or its like instead.

/// A command as a document has it, and what is done about it.
pub(super) struct Row {
    pub(super) command: &'static str,
    pub(super) how: How,
}

/// What is done about a command.
pub(super) enum How {
    Run(Run),
    Elsewhere(&'static str, Cover),
}

/// How a command is run: in a home of its document, after the commands that stand before it there.
#[derive(Default)]
pub(super) struct Run {
    /// A line that is run first: what the sentence around the command takes for granted.
    pub(super) before: &'static str,
    /// Whether it is asked of a service, which is started where none runs.
    pub(super) beside_service: bool,
    /// Whether it is the service itself, which goes on while what follows is run.
    pub(super) serves: bool,
    /// Words of the document's that stand for something, and for what.
    pub(super) meaning: Vec<(&'static str, &'static str)>,
    /// Options that make it quick.
    pub(super) more: &'static str,
    /// The exit code; of a command with `[an option]`, first that without it.
    pub(super) exits: &'static [i32],
    /// What it prints, in part.
    pub(super) shows: &'static str,
}

/// What runs a command, or the like of it, where a home is no place for it.
pub(super) enum Cover {
    /// A test of this binary.
    Test(&'static str),
    /// A line of a script, or of a source.
    Line(&'static str, &'static str),
}

/// What words stand for in every command that says nothing else of them.
pub(super) const MEANING: [(&str, &str); 10] = [
    ("127.0.0.1:8080", "127.0.0.1:0"),
    ("/run/keyhole/admin.sock", "admin.sock"),
    ("FILE", "FILE.wasm"),
    ("NAME", "fast"),
    ("STRATEGY", "keyset"),
    ("TEXT", "faster"),
    ("VERB", "page"),
    ("WHO", "Ada"),
    ("WHY", "faster"),
    ("YOU", "Ada"),
];

const QUICK_AUDIT: &str = "--requests 20 --priority normal";
const QUICK_BENCH: &str = "--requests 6 --rounds 2 --warmup 2";

fn run(command: &'static str) -> Row {
    Row { command, how: How::Run(Run { exits: &[0, 0], ..Run::default() }) }
}

fn elsewhere(command: &'static str, why: &'static str, cover: Cover) -> Row {
    Row { command, how: How::Elsewhere(why, cover) }
}

impl Row {
    fn with(mut self, change: impl FnOnce(&mut Run)) -> Self {
        if let How::Run(run) = &mut self.how {
            change(run);
        }
        self
    }

    fn before(self, line: &'static str) -> Self {
        self.with(|run| run.before = line)
    }

    fn beside_service(self) -> Self {
        self.with(|run| run.beside_service = true)
    }

    fn serves(self) -> Self {
        self.with(|run| run.serves = true)
    }

    fn meaning(self, word: &'static str, thing: &'static str) -> Self {
        self.with(|run| run.meaning.push((word, thing)))
    }

    fn more(self, options: &'static str) -> Self {
        self.with(|run| run.more = options)
    }

    fn exits(self, codes: &'static [i32]) -> Self {
        self.with(|run| run.exits = codes)
    }

    fn shows(self, words: &'static str) -> Self {
        self.with(|run| run.shows = words)
    }
}

/// All of them.
pub(super) fn rows() -> Vec<Row> {
    [of_operators(), of_measurements(), of_contributors()].into_iter().flatten().collect()
}

/// What is typed to look at a strategy, to let it in, and to run it.
fn of_operators() -> Vec<Row> {
    vec![
        run("keyhole seed --data small --rows 1000 --short-payloads").shows("1000 events in small"),
        run("keyhole page keyset --data small --page 1 --page-size 1"),
        run("keyhole inspect FILE.wasm").shows("sha256:"),
        run("keyhole inspect ./mine.wasm").shows("sha256:"),
        run("keyhole inspect FILE").shows("sha256:"),
        run("keyhole page ./mine.wasm --page 3 --ledger").shows("sql"),
        run("keyhole page STRATEGY --ledger").shows("sql"),
        run("keyhole page native-baseline").shows("\"next\""),
        run("keyhole verify").more("--requests 20").shows("equal: "),
        run("keyhole verify NAME").more("--requests 20").shows("equal: "),
        run("keyhole verify ./mine.wasm --reference native-baseline").more("--requests 20").shows("equal: "),
        run("keyhole audit FILE.wasm").more(QUICK_AUDIT).shows("fit"),
        run("env -u KEYHOLE_POLICY keyhole diff OLD NEW")
            .meaning("OLD", "FILE.wasm")
            .meaning("NEW", "NEW.wasm")
            .more(QUICK_AUDIT)
            .shows("it does not widen; it answers alike"),
        run("keyhole policy new").shows("keyhole.toml is made"),
        run("keyhole policy new [FILE]").meaning("FILE", "other.toml").shows(" is made"),
        run("keyhole policy check").shows("keyhole.toml is valid"),
        run("keyhole policy check [FILE]")
            .before("export KEYHOLE_POLICY=keyhole.toml")
            .meaning("FILE", "other.toml")
            .shows(" is valid"),
        run("keyhole policy show [--json]").shows("guest_time"),
        run("keyhole --policy keyhole.toml policy allow FILE.wasm --as NAME --by YOU --reason WHY")
            .more("--yes --requests 20 --priority normal")
            .shows("[strategy.fast]"),
        // Nobody is there who could be asked, which is misuse without `--yes`.
        run("keyhole policy allow FILE --as NAME --by WHO --reason TEXT [--yes]")
            .more(QUICK_AUDIT)
            .exits(&[2, 0])
            .shows("[strategy.fast]"),
        run("export KEYHOLE_POLICY=keyhole.toml"),
        run("keyhole decisions show --last 20").shows("fast"),
        run("keyhole decisions check").shows(":"),
        run("keyhole scratch list").shows("keyset"),
        run("keyhole scratch scrub").shows("nothing differs"),
        run("keyhole scratch drop NAME").meaning("NAME", "keyset"),
        run("keyhole serve --listen 127.0.0.1:8080 --admin /run/keyhole/admin.sock --policy keyhole.toml")
            .before("keyhole policy new")
            .serves(),
        run("curl --unix-socket /run/keyhole/admin.sock http://keyhole/metrics")
            .beside_service()
            .shows("keyhole_queue_limit"),
        run("keyhole strategy list").beside_service().shows("active  keyset"),
        run("keyhole --help").shows("Usage: keyhole"),
        run("keyhole VERB --help").shows("Usage: keyhole page"),
        run("keyhole --version --json").shows("\"wasmtime\""),
        elsewhere(
            "keyhole selftest --quick",
            "two tests wait for it already",
            Cover::Test("selftest::the_table_names_limit_attack_observation_and_time"),
        ),
        elsewhere(
            "keyhole selftest",
            "it plays for minutes; each of its attacks is a test",
            Cover::Test("hostile::documented::the_page_of_attacks_is_the_table"),
        ),
        elsewhere("keyhole audit", "the name of the verb", Cover::Test("audit::screens")),
        elsewhere("keyhole report", "the name of the verb", Cover::Test("report::")),
        elsewhere("keyhole strategy …", "the name of the verb", Cover::Test("serve::verbs::")),
        elsewhere(
            "keyhole strategy pardon DIGEST",
            "it takes a liar that was found out",
            Cover::Test("serve::liars::"),
        ),
        elsewhere(
            "keyhole strategy promote NAME",
            "a candidate has to be proven and shadowed first",
            Cover::Test("serve::verbs::each_verb_does_what_it_says_and_says_what_it_did"),
        ),
        elsewhere(
            "keyhole --quiet audit NAME --requests 100 --seconds 600 --priority normal",
            "seven of them take minutes",
            Cover::Test("audit::documented::the_screens_in_the_documentation_are_what_the_program_prints"),
        ),
        elsewhere(
            "wasm-tools component new",
            "another project's program; the build does the same by its library",
            Cover::Line("host/runtime/build/guests.rs", "ComponentEncoder"),
        ),
        elsewhere("rm -rf", "of a shell", Cover::Test("scratch::")),
    ]
}

/// What is typed to measure and to compare.
fn of_measurements() -> Vec<Row> {
    let benchmarks = [
        "keyhole bench baseline keyset ./mine.wasm",
        "keyhole bench baseline keyset keyset-warm floor-snapshot --mix contract --data DATA",
        "keyhole bench baseline keyset keyset-warm native-keyset floor-reads --mix dense-50 --data DATA",
        "keyhole bench keyset keyset-warm native-keyset --sweep depth --data DATA",
        "keyhole bench keyset keyset-warm native-keyset --mix contract,dense-50 --data SMALL --beside LARGE",
        "keyhole bench keyset keyset-warm native-keyset --sweep filter --data DATA",
        "keyhole bench keyset keyset-warm native-keyset --mix contract,dense-50 --sweep workers --data DATA",
        "keyhole bench baseline keyset --mix dense --rate 200",
        "keyhole bench keyset --sweep page-size,concurrency --mix dense",
        "keyhole bench --keep FOLDER",
    ];
    let scale = |command| run(command).shows("reach");
    let mut rows: Vec<Row> = benchmarks
        .into_iter()
        .map(|command| run(command).more(QUICK_BENCH).shows("How it was measured"))
        .collect();
    rows.extend([
        run("keyhole bench --json --out a.json && keyhole report a.json --out a.html")
            .meaning("bench", "bench --requests 6 --rounds 2 --warmup 2"),
        run("keyhole seed --data SMALL --short-payloads").meaning("SMALL", "made/small").more("--rows 300"),
        run("keyhole seed --data LARGE --short-payloads --rows 5000000")
            .meaning("LARGE", "made/large")
            .meaning("5000000", "600")
            .shows("600 events"),
        run("keyhole verify keyset --reference baseline --requests 67 --data LARGE").shows("equal: "),
        scale("python3 tests/full/scale.py KEYHOLE fill LARGE WORK OUT.json").more("1"),
        scale("python3 tests/full/scale.py KEYHOLE refresh LARGE WORK OUT.json").more("1"),
        scale("python3 tests/full/scale.py KEYHOLE append DATA WORK OUT.json").more("10"),
        scale("python3 tests/full/scale.py KEYHOLE start LARGE WORK OUT.json").more("1"),
        elsewhere(
            "tests/full/table FOLDER",
            "it takes 45 minutes; each command of its rows is run here",
            Cover::Line(
                "docs/performance.md",
                "python3 tests/full/scale.py KEYHOLE fill LARGE WORK OUT.json",
            ),
        ),
        elsewhere(
            "REQUESTS=2000 ROUNDS=12 tests/full/table FOLDER",
            "it takes 45 minutes; each command of its rows is run here",
            Cover::Line("tests/full/table", "\"ROUNDS\""),
        ),
        elsewhere("tests/full/serving.py wrk 3 8", "it takes wrk and minutes", Cover::Test("serve::pages::")),
        elsewhere(
            "python3 tests/full/scale.py",
            "the name of the script",
            Cover::Line(
                "docs/performance.md",
                "python3 tests/full/scale.py KEYHOLE fill LARGE WORK OUT.json",
            ),
        ),
        elsewhere(
            "tests/instructions/run FOLDER",
            "it takes valgrind",
            Cover::Line("run_tests", "tests/instructions/run \"$work/instructions\""),
        ),
        elsewhere(
            "tests/instructions/run FOLDER --bless",
            "it takes valgrind, and writes into the sources",
            Cover::Line("tests/instructions/run", "--bless"),
        ),
        elsewhere(
            "tests/browser/run FOLDER",
            "it takes Chromium",
            Cover::Line("run_tests", "tests/browser/run \"$work/browser\""),
        ),
    ]);
    rows
}

/// What is typed to build, to test and to write documents anew: each builds, and cargo has one lock.
fn of_contributors() -> Vec<Row> {
    const ALL: &str = "cargo test --release --locked --workspace --no-fail-fast";
    let builds = |command, line| elsewhere(command, "it builds", Cover::Line("run_tests", line));
    let blesses = |command| elsewhere(command, "it writes into the sources", Cover::Line("run_tests", ALL));
    let boundary = "cargo bench --locked --quiet --workspace --bench boundary -- --test";
    vec![
        elsewhere(
            "cargo run --release",
            "it builds; what it then runs is the binary alone",
            Cover::Test("documented_commands::the_binary_alone_does_the_main_job_as_the_readme_shows_it"),
        ),
        builds("cargo build --release", "cargo build --release --locked"),
        builds("./run_tests", "usage: ./run_tests [--full]"),
        builds("./run_tests --full", "if [ \"${1:-}\" = --full ]"),
        builds("cargo test --release -p keyhole-log", ALL),
        builds("cargo test --release -p keyhole-tests --test all -- serve::", ALL),
        builds("cargo fmt --all --check", "cargo fmt --all --check"),
        builds(
            "cargo clippy --release --workspace --all-targets -- -D warnings",
            "cargo clippy --release --locked --quiet --workspace --all-targets -- -D warnings",
        ),
        builds("cargo mutants --iterate", "cargo mutants --iterate"),
        elsewhere(
            "cargo mutants",
            "it builds once a mutant",
            Cover::Line("run_tests", "cargo mutants --iterate"),
        ),
        builds("cargo test --release -p keyhole-runtime policy::", ALL),
        builds("cargo test --release -p keyhole-log error::", ALL),
        builds("cargo test --release -p keyhole-lab audit::", ALL),
        builds("cargo test --release -p keyhole-tests --test all -- hostile::documented", ALL),
        elsewhere(
            "cargo test --release -p keyhole-tests --test all -- --ignored audit::documented",
            "it takes minutes",
            Cover::Line("tests/full/run", "the_screens_in_the_documentation_are_what_the_program_prints"),
        ),
        builds("cargo test --release -p keyhole-tests --test all -- command_line::", ALL),
        blesses(
            "KEYHOLE_BLESS=1 cargo test --release -p keyhole-tests --test all -- --ignored audit::documented",
        ),
        blesses("KEYHOLE_BLESS=1 cargo test --release -p keyhole-runtime --lib policy::"),
        blesses("INSTA_UPDATE=always cargo test --release -p keyhole-tests --test all -- command_line::"),
        builds("cargo bench --locked -p keyhole-boundary", boundary),
        builds("cargo bench --locked -p keyhole-boundary -- warm", boundary),
        builds("cargo bench --locked -p keyhole-boundary -- --test", boundary),
        elsewhere(
            "tests/full/run",
            "it takes hours",
            Cover::Line("run_tests", "tests/full/run \"$work/full\""),
        ),
        elsewhere(
            "fuzz/run --hours 8",
            "it takes hours, and a toolchain of its own",
            Cover::Line("run_tests", "fuzz/run --seconds 10"),
        ),
        elsewhere(
            "KEYHOLE_SWAP_PAUSE_MS=20 cargo test --release --locked --workspace --test all -- --ignored \
             ten_thousand_swaps --nocapture",
            "it takes the machine for itself",
            Cover::Line(
                "tests/full/run",
                "ten_thousand_swaps_under_full_load_cost_a_tenth_of_the_p99_at_most",
            ),
        ),
    ]
}
