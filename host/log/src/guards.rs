//! The guards by name, so that each can be shown to be needed.
//!
//! In a build with the feature `ablation`, the environment variable `KEYHOLE_GUARDS_OFF` names guards
//! that are off: the tests of `tests/guards` run an attack with the other layers off, and then with the
//! guard itself off. In every other build a guard is a constant, and there is nothing to switch.

/// Declares the guards with their names.
macro_rules! guards {
    ($($(#[$doc:meta])* $guard:ident $name:literal,)*) => {
        /// A guard: one mechanism that stops an attack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Guard {
            $($(#[$doc])* $guard,)*
        }

        /// Each guard with its name, as the table of guards and tests has it.
        pub const GUARDS: &[(Guard, &str)] = &[$((Guard::$guard, $name),)*];
    };
}

guards! {
    /// The authorizer: SQLite asks before it prepares.
    Authorizer "authorizer",
    /// Machine code has a bounded size.
    CodeBytes "code-bytes",
    /// The code that authenticates machine code in the cache.
    CodeMac "code-mac",
    /// Components from elsewhere are parsed and compiled in a child process.
    CompileChild "compile-child",
    /// The parent kills a child that takes too long.
    CompileDeadline "compile-deadline",
    /// The child's address space is limited.
    CompileMemory "compile-memory",
    /// The child's processor time is limited.
    CompileTime "compile-time",
    /// An instance's tables of handles are bounded.
    ComponentHandles "component-handles",
    /// A component's file may have 64 MiB.
    ComponentSize "component-size",
    /// A component may not be composed of several.
    Composed "composed",
    /// A cursor is authenticated.
    CursorMac "cursor-mac",
    /// SQLite follows no symbolic link to a database.
    DatabaseNoFollow "database-no-follow",
    /// The engine compiles no proposal that strategies do without.
    EngineFeatures "engine-features",
    /// A page's events are of the action that was asked for.
    EventAction "event-action",
    /// A page's events are the actor's that was asked for.
    EventActor "event-actor",
    /// A page's events exist in the snapshot.
    EventKnown "event-known",
    /// No event stands twice on a page.
    EventOnce "event-once",
    /// A page's events stand in the log's order.
    EventOrder "event-order",
    /// A page's events lie in the window.
    EventWindow "event-window",
    /// The examination lets in no proposal that strategies do without.
    ExamineFeatures "examine-features",
    /// A text is explained behind the gate that it was prepared behind.
    ExplainGate "explain-gate",
    /// Guest code ends when its fuel is burnt, where fuel is counted.
    Fuel "fuel",
    /// The memories of an instance are bounded together.
    GuestMemory "guest-memory",
    /// The epoch ends guest code when its time is used up.
    GuestTime "guest-time",
    /// A handle is good for the call that it was made in.
    HandleCall "handle-call",
    /// A request holds a bounded number of events' handles.
    Handles "handles",
    /// One host call lifts a bounded number of bytes.
    HostCallBytes "host-call-bytes",
    /// A component's imports are compared with what is granted.
    ImportList "import-list",
    /// No guard: what the ledger counts and times. Off, to measure its price.
    Ledger "ledger",
    /// Only granted interfaces are linked.
    LinkGranted "link-granted",
    /// The epoch ends guest code that keeps the log locked.
    LockTime "lock-time",
    /// A log that was replaced by another file is opened anew.
    LogIdentity "log-identity",
    /// A symbolic link in the log's folder is not taken for the log.
    LogLinks "log-links",
    /// A symbolic link is not followed to a component.
    NoFollow "no-follow",
    /// Notes are cut.
    NoteBytes "note-bytes",
    /// Control characters in notes are escaped.
    NoteEscapes "note-escapes",
    /// All checks of a page's events but their number: rows are read by id, and believed.
    PageChecks "page-checks",
    /// The proof that nothing is left out between a page's ends.
    PageProof "page-proof",
    /// A page holds no more events than were asked for.
    PageSize "page-size",
    /// A request may ask for a bounded number of events.
    PageSizeLimit "page-size-limit",
    /// A pattern of LIKE or GLOB has a bounded length.
    PatternBytes "pattern-bytes",
    /// A request reads a bounded number of payload bytes.
    PayloadBytes "payload-bytes",
    /// A payload is one line of JSON.
    PayloadLine "payload-line",
    /// A symbolic link is not followed to the payload file.
    PayloadNoFollow "payload-no-follow",
    /// The progress handler: SQLite asks every thousand steps whether to go on.
    ProgressHandler "progress-handler",
    /// The page connection's own `query_only`.
    QueryOnly "query-only",
    /// The log is opened read only.
    ReadOnlyOpen "read-only-open",
    /// One statement returns a bounded number of bytes.
    ResultBytes "result-bytes",
    /// A request's statements return a bounded number of rows.
    Rows "rows",
    /// Tables that were made for another log are filled anew.
    ScratchFit "scratch-fit",
    /// A page looks whether the last event that scratch covers is the log's.
    ScratchLast "scratch-last",
    /// A refresh ends when the files that it writes outgrow its quota, temporary ones included.
    ScratchMeter "scratch-meter",
    /// SQLite lets scratch have no more pages than its quota.
    ScratchPages "scratch-pages",
    /// A refresh covers no more than it was fed, and never less than before.
    ScratchProgress "scratch-progress",
    /// The scratch of all strategies together keeps to a total.
    ScratchTotal "scratch-total",
    /// A strategy's query is a SELECT, or it does not run.
    SelectOnly "select-only",
    /// A statement's text is bounded before SQLite sees it.
    SqlBytes "sql-bytes",
    /// A program has a bounded number of function calls.
    SqlCalls "sql-calls",
    /// A text that repeats its own parts is not compiled.
    SqlGrowth "sql-growth",
    /// A join by name compares granted columns alone, though SQLite does not ask.
    SqlJoins "sql-joins",
    /// What a strategy's statement may allocate.
    SqlMemory "sql-memory",
    /// A statement's text holds no NUL.
    SqlNul "sql-nul",
    /// A program has a bounded number of comparisons with a pattern.
    SqlPatterns "sql-patterns",
    /// A text holds a bounded number of semicolons.
    SqlSemicolons "sql-semicolons",
    /// A request's statements take a bounded number of steps.
    SqlSteps "sql-steps",
    /// Nothing is attached to a connection after it was opened.
    SqliteAttached "sqlite-attached",
    /// SQLite's own limits on a text and its program.
    SqliteLimits "sqlite-limits",
    /// SQLite's own settings: no views, no triggers, no trust in a schema.
    SqliteSettings "sqlite-settings",
    /// A component has the digest that its stanza names.
    StrategyDigest "strategy-digest",
    /// A component is signed by the key that its stanza names.
    StrategySignature "strategy-signature",
    /// The tables of an instance are bounded together.
    TableElements "table-elements",
    /// A symbolic link is not followed to where the log's readers queue.
    TurnstileNoFollow "turnstile-no-follow",
    /// A value in a strategy's statement has a bounded size.
    ValueBytes "value-bytes",
    /// Where no virtual table is granted, SQLite looks for none.
    VirtualTables "virtual-tables",
    /// The epoch ends guest code when the request's time is used up.
    WallTime "wall-time",
    /// WASI's clocks stand still.
    WasiClock "wasi-clock",
    /// One answer of WASI's sources of random numbers has a bounded size.
    WasiRandomBytes "wasi-random-bytes",
    /// An instance holds a bounded number of WASI's streams and timers.
    WasiThings "wasi-things",
    /// The thread that interrupts overdue statements from outside.
    Watchdog "watchdog",
}

/// Whether a guard is on: always, but for the tests that switch it off.
#[cfg(not(feature = "ablation"))]
#[inline]
pub const fn on(_guard: Guard) -> bool {
    true
}

/// Whether a guard is on.
#[cfg(feature = "ablation")]
pub fn on(guard: Guard) -> bool {
    static OFF: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    let off = OFF.get_or_init(|| {
        let named = std::env::var("KEYHOLE_GUARDS_OFF").unwrap_or_default();
        let off = named.split(',').filter(|name| !name.is_empty());
        off.fold(0, |mask, name| {
            let Some((guard, _)) = GUARDS.iter().find(|(_, known)| *known == name) else {
                eprintln!("keyhole: there is no guard named {name}");
                std::process::exit(2)
            };
            mask | 1 << *guard as u32
        })
    });
    off & (1 << guard as u32) == 0
}

/// Hands down to a child process which guards are off: its environment is empty.
#[cfg(not(feature = "ablation"))]
pub fn hand_down(_command: &mut std::process::Command) {}

/// Hands down to a child process which guards are off: its environment is empty.
#[cfg(feature = "ablation")]
pub fn hand_down(command: &mut std::process::Command) {
    command.envs(std::env::var_os("KEYHOLE_GUARDS_OFF").map(|off| ("KEYHOLE_GUARDS_OFF", off)));
}
