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
    /// A component's file may have 64 MiB.
    ComponentSize "component-size",
    /// A component may not be composed of several.
    Composed "composed",
    /// A cursor is authenticated.
    CursorMac "cursor-mac",
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
    /// A text is explained behind the gate that it was prepared behind.
    ExplainGate "explain-gate",
    /// The memories of an instance are bounded together.
    GuestMemory "guest-memory",
    /// The epoch ends guest code when its time is used up.
    GuestTime "guest-time",
    /// A handle is good for the call that it was made in.
    HandleCall "handle-call",
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
    /// A symbolic link is not followed to a component.
    NoFollow "no-follow",
    /// All checks of a page's events but their number: rows are read by id, and believed.
    PageChecks "page-checks",
    /// The proof that nothing is left out between a page's ends.
    PageProof "page-proof",
    /// A page holds no more events than were asked for.
    PageSize "page-size",
    /// A request may ask for a bounded number of events.
    PageSizeLimit "page-size-limit",
    /// A request reads a bounded number of payload bytes.
    PayloadBytes "payload-bytes",
    /// A payload is one line of JSON.
    PayloadLine "payload-line",
    /// The progress handler: SQLite asks every thousand steps whether to go on.
    ProgressHandler "progress-handler",
    /// The page connection's own `query_only`.
    QueryOnly "query-only",
    /// The log is opened read only.
    ReadOnlyOpen "read-only-open",
    /// A request's statements return a bounded number of rows.
    Rows "rows",
    /// A strategy's query is a SELECT, or it does not run.
    SelectOnly "select-only",
    /// A statement's text is bounded before SQLite sees it.
    SqlBytes "sql-bytes",
    /// What a strategy's statement may allocate.
    SqlMemory "sql-memory",
    /// A statement's text holds no NUL.
    SqlNul "sql-nul",
    /// The epoch ends guest code when the request's time is used up.
    WallTime "wall-time",
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
