//! Every limit of a request, in one struct, each with its reason, and the counter of guest memory.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Most bytes of SQL in one statement. SQLite parses recursively; a page's honest statement has
/// under 1 KiB, and 16 KiB cannot exhaust a host thread's stack.
pub const SQL_BYTES: usize = 16 * 1024;

/// Most bytes of one value or row in a strategy's statement. A row of the log has some hundred. Without
/// a bound, `x || x` makes gigabytes in the host out of nothing; and what is done to one value is
/// a single step, which nothing interrupts.
pub const VALUE_BYTES: usize = 64 << 10;

/// The same in the host's own statements: a log may hold longer texts than a strategy may read.
pub const HOST_VALUE_BYTES: usize = 1 << 20;

/// Most bytes of a LIKE or GLOB pattern. One comparison is a single step, which nothing interrupts and
/// which takes up to text times pattern: at this length, under 50 ms for the longest text.
pub const PATTERN_BYTES: usize = 50;

/// Most bytes of notes kept of one call.
pub const NOTE_BYTES: usize = 1024;

/// Most rows that the proof of a page reads: ten pages' worth, and about 0.1 ms.
pub const PROOF_ROWS: u32 = 500;

/// Largest bytes that one host call may lift out of a guest (wasmtime charges them before it
/// allocates). Requests and answers of an honest page have a few KiB.
pub const HOST_CALL_BYTES: usize = 1 << 20;

/// Handles that may lie in one instance's tables at once, above the events of one call.
pub const COMPONENT_HANDLES: usize = 4096;

/// How long the host's own reading of the log (feeds, summaries, copies) waits for the writer: as long
/// as the live writer waits for readers.
pub const HOST_WAIT: Duration = Duration::from_secs(5);

/// The limits of one request. Exceeding one ends the request, never the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time in guest code, host calls not counted. An honest page needs well under 1 ms; the ticker
    /// makes this exact to about 5 ms.
    pub guest_time: Duration,
    /// Time from the snapshot to the answer, host calls included.
    pub wall_time: Duration,
    /// How long the log may be locked against its writer's commit. The writer gives up after 5 s.
    pub log_lock: Duration,
    /// How long to wait for the writer's commit before a request reports `busy`. Shorter than the
    /// wall time, so that waiting is never taken for the strategy's fault.
    pub busy_wait: Duration,
    /// Virtual machine steps of SQLite over all statements.
    pub sql_steps: u64,
    /// Rows over all statements. A tail of uncovered events is read through here.
    pub rows: u64,
    /// Event handles minted.
    pub handles: u64,
    /// Payload bytes read, by the strategy or for the answer.
    pub payload_bytes: u64,
    /// Guest memory in bytes, summed over all memories of the instance.
    pub memory: u64,
    /// Table elements, summed over all tables of the instance.
    pub table_elements: u64,
    /// Largest page that a request may ask for.
    pub page_size: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            guest_time: Duration::from_millis(50),
            wall_time: Duration::from_millis(500),
            log_lock: Duration::from_millis(50),
            busy_wait: Duration::from_millis(400),
            sql_steps: 2_000_000,
            rows: 20_000,
            handles: 1024,
            payload_bytes: 4 << 20,
            memory: 64 << 20,
            table_elements: 20_000,
            page_size: 1000,
        }
    }
}

impl Limits {
    /// What paging by OFFSET needs: it walks every row before the page, under the log's lock.
    pub fn for_offset_paging() -> Self {
        Self {
            guest_time: Duration::from_secs(2),
            wall_time: Duration::from_mins(1),
            log_lock: Duration::from_mins(1),
            busy_wait: Duration::from_secs(2),
            sql_steps: 4_000_000_000,
            ..Self::default()
        }
    }

    /// Each limit by its name in the policy; times in milliseconds, sizes in bytes.
    pub fn named(&self) -> [(&'static str, u64); 11] {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        [
            ("guest_time", millis(self.guest_time)),
            ("wall_time", millis(self.wall_time)),
            ("log_lock", millis(self.log_lock)),
            ("busy_wait", millis(self.busy_wait)),
            ("sql_steps", self.sql_steps),
            ("rows", self.rows),
            ("handles", self.handles),
            ("payload_bytes", self.payload_bytes),
            ("memory", self.memory),
            ("table_elements", self.table_elements),
            ("page_size", u64::from(self.page_size)),
        ]
    }

    /// One slice of a refresh: it holds no lock that anyone waits for, and a first fill sorts the
    /// whole log in one statement.
    pub fn for_refresh() -> Self {
        Self {
            guest_time: Duration::from_secs(30),
            wall_time: Duration::from_mins(5),
            log_lock: Duration::from_mins(5),
            sql_steps: 100_000_000_000,
            rows: 1_000_000_000,
            ..Self::default()
        }
    }
}

/// What the engine's pools hold, for the whole process: changing one takes a restart. A strategy's own
/// limits lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// Instances that may exist at once; one more is an error, never a wait.
    pub instances: u32,
    /// Bytes of the largest linear memory.
    pub memory: u64,
    /// Elements of the largest table.
    pub table_elements: u64,
    /// Core instances of one component: its module, the two shims that the component model adds, and
    /// room for a component from another toolchain.
    pub core_instances: u32,
    /// Bytes of a guest's stack.
    pub stack: u64,
    /// Whether guest code counts fuel: exact and repeatable, and up to twice as slow.
    pub fuel: bool,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            instances: 64,
            memory: 64 << 20,
            table_elements: 20_000,
            core_instances: 8,
            stack: 512 << 10,
            fuel: false,
        }
    }
}

/// Sums the memory and table elements of all of an instance's memories and tables, which the
/// engine's own limits count one by one.
#[derive(Debug)]
pub struct GuestMemory {
    memory_limit: u64,
    table_limit: u64,
    memory: u64,
    tables: u64,
    refused: Option<&'static str>,
}

impl GuestMemory {
    /// An instance's counter.
    pub fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory,
            table_limit: limits.table_elements,
            memory: 0,
            tables: 0,
            refused: None,
        }
    }

    /// Bytes of linear memory in use, the most so far since memory never shrinks.
    pub fn peak(&self) -> u64 {
        self.memory
    }

    /// Starts the next call: what an earlier one was refused is not its doing.
    pub fn begin_call(&mut self) {
        self.refused = None;
    }

    /// The limit that refused a growth in the running call, if one did.
    pub fn refused(&self) -> Option<&'static str> {
        self.refused
    }
}

impl ResourceLimiter for GuestMemory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current) as u64);
        if total > self.memory_limit {
            self.refused = Some("memory");
            return Ok(false);
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_add(desired.saturating_sub(current) as u64);
        if total > self.table_limit {
            self.refused = Some("table_elements");
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_all_memories() {
        let mut memory = GuestMemory::new(&Limits { memory: 100, ..Limits::default() });
        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.memory_growing(40, 41, None).unwrap());
        assert_eq!((memory.peak(), memory.refused()), (100, Some("memory")));
    }

    #[test]
    fn table_elements_are_summed_over_all_tables() {
        let mut memory = GuestMemory::new(&Limits { table_elements: 10, ..Limits::default() });
        assert!(memory.table_growing(0, 10, None).unwrap());
        assert!(!memory.table_growing(0, 1, None).unwrap());
        assert_eq!(memory.refused(), Some("table_elements"));
    }
}
