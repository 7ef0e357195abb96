//! Every limit of a request, in one struct, each with its bounds and its reason; the ceilings of the
//! engine above them.

use std::time::Duration;

/// The slot of a claim in its call, in a handle's low bits; the bits above are the call's number.
pub const SLOT_BITS: u32 = 12;

/// The most claims that the slot can number.
pub const MOST_CLAIMS: u64 = 1 << SLOT_BITS;

/// Calls after which handles would repeat: a warm instance never serves as many.
pub const MOST_CALLS: u32 = 1 << (32 - SLOT_BITS);

/// Most bytes of one value in the host's own statements: a log may hold longer texts than a strategy may
/// read.
pub const HOST_VALUE_BYTES: usize = 1 << 20;

/// Most bytes of a LIKE or GLOB pattern. One comparison is a single step, which nothing interrupts and
/// which takes up to text times pattern: at this length, under 50 ms for the longest text.
pub const PATTERN_BYTES: usize = 50;

/// Most bytes of SQL that any policy may allow in one statement: SQLite parses recursively, and 16 KiB
/// cannot exhaust a host thread's stack.
pub const SQL_BYTES: usize = 16 * 1024;

/// Most bytes of one value or row that any policy may allow: what is done to one value is a single step,
/// which nothing interrupts, and `PATTERN_BYTES` is reckoned for it.
pub const VALUE_BYTES: usize = 64 << 10;

/// Most bytes of notes kept of one call.
pub const NOTE_BYTES: usize = 1024;

/// Most events beside the page's own that its proof passes: ten pages' worth, and about 0.1 ms.
pub const PROOF_ROWS: u32 = 500;

/// How long the host's own reading of the log (feeds, summaries, copies) waits for the writer: as long
/// as the live writer waits for readers.
pub const HOST_WAIT: Duration = Duration::from_secs(5);

/// How a number is written in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds, written `50ms`, `2s`, `5m`.
    Time,
    /// Bytes, written `64MiB`.
    Bytes,
    /// A plain number.
    Count,
    /// 1 or 0, written `true` or `false`.
    Switch,
}

/// A limit as the policy knows it. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// Its name in the policy.
    pub name: &'static str,
    /// How it is written.
    pub unit: Unit,
    /// What it is where a policy says nothing.
    pub default: u64,
    /// The least that makes sense.
    pub least: u64,
    /// The most that any policy may say.
    pub most: u64,
    /// What it bounds.
    pub meaning: &'static str,
    /// Why the default is what it is.
    pub reason: &'static str,
}

/// A field of [`Limits`] or [`Ceilings`]: a number in the policy's unit.
trait Field: Copy {
    fn of(number: u64) -> Self;
    fn number(self) -> u64;
}

impl Field for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(self) -> u64 {
        self
    }
}

impl Field for u32 {
    fn of(number: u64) -> Self {
        Self::try_from(number).unwrap_or(Self::MAX)
    }

    fn number(self) -> u64 {
        u64::from(self)
    }
}

impl Field for bool {
    fn of(number: u64) -> Self {
        number != 0
    }

    fn number(self) -> u64 {
        u64::from(self)
    }
}

impl Field for Duration {
    fn of(number: u64) -> Self {
        Self::from_millis(number)
    }

    fn number(self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Declares a struct of numbers, each once, with all that parser, reports and documentation need.
macro_rules! quantities {
    ($(#[$doc:meta])* $struct:ident, $list:ident: [$count:literal] {
        $($field:ident: $type:ty = $default:expr, $unit:ident, $least:expr, $most:expr,
            $meaning:literal, $reason:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $struct {
            $(
                #[doc = concat!($meaning, ": ", $reason, ".")]
                pub $field: $type,
            )*
        }

        #[doc = concat!("Each field of [`", stringify!($struct), "`].")]
        pub const $list: [Quantity; $count] = [$(Quantity {
            name: stringify!($field),
            unit: Unit::$unit,
            default: $default,
            least: $least,
            most: $most,
            meaning: $meaning,
            reason: $reason,
        }),*];

        impl Default for $struct {
            fn default() -> Self {
                Self { $($field: Field::of($default)),* }
            }
        }

        impl $struct {
            /// Each by its name in the policy, as it is in effect; times in milliseconds, sizes in bytes.
            pub fn named(&self) -> [(&'static str, u64); $count] {
                [$((stringify!($field), self.$field.number())),*]
            }

            /// Changes the one of that name; false where there is none.
            pub fn set(&mut self, name: &str, number: u64) -> bool {
                match name {
                    $(stringify!($field) => self.$field = Field::of(number),)*
                    _ => return false,
                }
                true
            }
        }
    };
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

quantities! {
    /// The limits of one request. Exceeding one ends the request, never the host.
    Limits, LIMITS: [17] {
        guest_time: Duration = 50, Time, 1, 10 * MINUTE,
            "Time in guest code, host calls not counted",
            "an honest page needs well under 1 ms; the ticker makes this exact to about 5 ms";
        wall_time: Duration = 500, Time, 1, 10 * MINUTE,
            "Time from the snapshot to the answer, host calls included",
            "a client has given up by then; a page takes some 0.1 ms";
        log_lock: Duration = 50, Time, 1, 10 * MINUTE,
            "How long the log may be locked against its writer's commit",
            "the writer gives up after 5 s, and many readers follow one another";
        busy_wait: Duration = 400, Time, 0, MINUTE,
            "How long to wait for the writer's commit before a request reports `busy`",
            "shorter than the wall time, so that waiting is never taken for the strategy's fault";
        fuel: u64 = 1_000_000_000, Count, 1_000, u64::MAX >> 1,
            "Fuel of guest code, counted only where the host's `fuel` is on",
            "about what guest code burns in its time, ten times over: time cuts first";
        sql_steps: u64 = 2_000_000, Count, 1_000, 1_000_000_000_000,
            "Steps of SQLite's virtual machine over all statements",
            "some 30 ms of SQLite; an honest page takes a few thousand";
        rows: u64 = 20_000, Count, 1, 1_000_000_000,
            "Rows over all statements",
            "a tail of 5,000 uncovered events is read through here, twice by a deep page";
        handles: u64 = 1_024, Count, 1, MOST_CLAIMS,
            "Event handles minted",
            "the largest page, and a little more";
        component_handles: u32 = 4_096, Count, 16, 1 << 16,
            "Handles that may lie in one instance's tables at once",
            "above the events of one call; a handle costs the host some 32 bytes";
        host_call_bytes: u64 = MIB, Bytes, 4 * KIB, 16 * MIB,
            "Bytes that one host call may lift out of a guest",
            "they are charged before they are allocated; requests and answers of an honest page have a few KiB";
        payload_bytes: u64 = 4 * MIB, Bytes, KIB, 1 << 30,
            "Payload bytes read, by the strategy or for the answer",
            "a page of 1,000 events of the contract has about 1.2 MB";
        result_bytes: u64 = 4 * MIB, Bytes, 4 * KIB, 64 * MIB,
            "Bytes that one statement may return",
            "20,000 rows of a few columns; they are copied into the guest's memory";
        sql_bytes: u64 = SQL_BYTES as u64, Bytes, 64, SQL_BYTES as u64,
            "Bytes of one SQL text",
            "SQLite parses recursively: 16 KiB cannot exhaust a thread's stack, and an honest text has under 1 KiB";
        value_bytes: u64 = VALUE_BYTES as u64, Bytes, KIB, VALUE_BYTES as u64,
            "Bytes of one value or row in SQLite",
            "a row of the log has some hundred; without a bound, `x || x` makes gigabytes out of nothing";
        memory: u64 = 64 * MIB, Bytes, 64 * KIB, 4 << 30,
            "Guest memory, summed over all memories of the instance",
            "an honest page needs 2 MiB; 64 MiB is copied in about 10 ms, the longest that nothing interrupts";
        table_elements: u64 = 20_000, Count, 0, 10_000_000,
            "Table elements, summed over all tables of the instance",
            "a table entry for each function of a large component";
        page_size: u32 = 1_000, Count, 1, 4_096,
            "Largest page that a request may ask for",
            "twenty ordinary pages; its payloads fit `payload_bytes`";
    }
}

/// The value of the limit of that name as people read it: with its unit, where it has one.
pub fn amount(limit: &str, value: u64) -> String {
    let unit = match (limit, LIMITS.iter().find(|quantity| quantity.name == limit)) {
        (_, Some(quantity)) => quantity.unit,
        // Of the engine and of the process, not of the policy.
        ("stack" | "sql_memory" | "sql_weight", None) => Unit::Bytes,
        _ => Unit::Count,
    };
    match unit {
        Unit::Time => format!("{value} ms"),
        Unit::Bytes => format!("{value} bytes"),
        Unit::Count | Unit::Switch => value.to_string(),
    }
}

impl Limits {
    /// Lowers what lies above the engine's ceilings.
    pub fn below(&mut self, ceilings: &Ceilings) {
        self.memory = self.memory.min(ceilings.memory);
        self.table_elements = self.table_elements.min(ceilings.table_elements);
    }

    /// What paging by OFFSET needs: it walks every row before the page, under the log's lock.
    #[must_use]
    pub fn for_offset_paging(&self) -> Self {
        Self {
            guest_time: Duration::from_secs(2),
            fuel: 40_000_000_000,
            wall_time: Duration::from_mins(1),
            log_lock: Duration::from_mins(1),
            busy_wait: Duration::from_secs(2),
            sql_steps: 4_000_000_000,
            ..self.clone()
        }
    }

    /// The limits of one slice of a refresh, of a strategy whose pages have these: it holds no lock that
    /// anyone waits for, and a first fill sorts the whole log in one statement.
    #[must_use]
    pub fn for_refresh(&self) -> Self {
        Self {
            guest_time: Duration::from_secs(5),
            fuel: 1_000_000_000_000,
            wall_time: Duration::from_mins(5),
            log_lock: Duration::from_mins(5),
            sql_steps: 100_000_000_000,
            rows: 1_000_000_000,
            ..self.clone()
        }
    }
}

quantities! {
    /// What the engine's pools hold, for the whole process: changing one takes a restart. A strategy's own
    /// limits lie below.
    Ceilings, CEILINGS: [6] {
        instances: u32 = 64, Count, 1, 1_024,
            "Instances that may exist at once; one more is an error, never a wait",
            "many times the workers of a large machine; each takes address space, not memory";
        memory: u64 = 64 * MIB, Bytes, 64 * KIB, 4 << 30,
            "Bytes of the largest linear memory",
            "a copy of the whole memory is the longest that no deadline interrupts: about 10 ms";
        table_elements: u64 = 20_000, Count, 1, 10_000_000,
            "Elements of the largest table",
            "a table entry for each function of a large component";
        core_instances: u32 = 8, Count, 4, 1_000,
            "Core instances of one component",
            "its module, the two shims that the component model adds, and room for another toolchain";
        stack: u64 = 512 * KIB, Bytes, 64 * KIB, MIB,
            "Bytes of a guest's stack",
            "deeper than any honest parser goes, and a quarter of a host thread's";
        fuel: bool = 0, Switch, 0, 1,
            "Whether guest code counts fuel",
            "exact and repeatable, and up to twice as slow: off where time is what matters";
    }
}

/// What a component from elsewhere may cost before it is let in: its file, and the child process that
/// parses and compiles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiling {
    /// Bytes of a component. Large toolchains' runtimes stay below 40 MiB.
    pub component_bytes: u64,
    /// Address space of the child. The program itself and a component of a few MiB take a third.
    pub memory: u64,
    /// Processor time of the child, in whole seconds as the system counts it. A component of 100 KB
    /// takes a tenth of one.
    pub cpu_time: Duration,
    /// Time until the child is killed, whatever it waits for.
    pub wall_time: Duration,
    /// Bytes of machine code. It is about ten times as large as the component.
    pub code_bytes: u64,
    /// Bytes of the cache of machine code; what was not used for longest goes first.
    pub cache_bytes: u64,
}

impl Default for Compiling {
    fn default() -> Self {
        Self {
            component_bytes: 64 << 20,
            memory: 1 << 30,
            cpu_time: Duration::from_secs(20),
            wall_time: Duration::from_secs(40),
            code_bytes: 128 << 20,
            cache_bytes: 256 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_in_its_own_bounds_and_can_be_set_by_name() {
        let (mut limits, mut ceilings) = (Limits::default(), Ceilings::default());
        for limit in LIMITS {
            assert!((limit.least..=limit.most).contains(&limit.default), "{limit:?}");
            assert!(limits.set(limit.name, limit.most), "{limit:?}");
        }
        for ceiling in CEILINGS {
            assert!((ceiling.least..=ceiling.most).contains(&ceiling.default), "{ceiling:?}");
            assert!(ceilings.set(ceiling.name, ceiling.most), "{ceiling:?}");
        }
        assert!(
            limits
                .named()
                .iter()
                .zip(LIMITS)
                .all(|((name, value), limit)| { *name == limit.name && *value == limit.most })
        );
        assert!(ceilings.named().iter().zip(CEILINGS).all(|((_, value), ceiling)| *value == ceiling.most));
        assert!(!limits.set("guest-time", 1));
    }

    #[test]
    fn what_pages_by_offset_and_refreshes_need_more_of_is_raised_and_nothing_else() {
        let raised = |limits: Limits| -> Vec<&str> {
            let pairs = limits.named().into_iter().zip(Limits::default().named());
            pairs.filter(|(one, other)| one.1 > other.1).map(|(one, _)| one.0).collect()
        };
        let lowered = |limits: Limits| {
            limits.named().into_iter().zip(Limits::default().named()).any(|(one, other)| one.1 < other.1)
        };
        let (offset, refresh) = (Limits::default().for_offset_paging(), Limits::default().for_refresh());
        assert!(!lowered(offset.clone()) && !lowered(refresh.clone()));
        assert_eq!(raised(offset), ["guest_time", "wall_time", "log_lock", "busy_wait", "fuel", "sql_steps"]);
        assert_eq!(raised(refresh), ["guest_time", "wall_time", "log_lock", "fuel", "sql_steps", "rows"]);
    }
}
