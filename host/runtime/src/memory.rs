//! The counter of an instance's memory.

use wasmtime::ResourceLimiter;

use keyhole_log::limits::Limits;

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
        memory.begin_call();
        assert_eq!((memory.peak(), memory.refused()), (100, None));
    }

    #[test]
    fn table_elements_are_summed_over_all_tables() {
        let mut memory = GuestMemory::new(&Limits { table_elements: 10, ..Limits::default() });
        assert!(memory.table_growing(0, 10, None).unwrap());
        assert!(!memory.table_growing(0, 1, None).unwrap());
        assert_eq!(memory.refused(), Some("table_elements"));
    }
}
