//! The host's side: rows in memory, handed out in every shape.

use std::hint::black_box;
use std::sync::Arc;

use boundary_guest::packed::sum_of_ids;
use keyhole_runtime::memory::GuestMemory;
use wasmtime::component::Resource;

use crate::{Crossing, SIZES, Shape};

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "bench",
        imports: { default: trappable },
        with: { "keyhole:boundary/rows.event": crate::rows::Claim },
    });
}

pub(crate) use generated::keyhole::boundary::rows::{self as wit, Numbers, Row};
pub(crate) use generated::{Bench, BenchPre};

/// What a handle stands for: nothing is held for it but its number.
pub struct Claim;

/// The rows, ready to be copied in each shape.
pub struct Rows {
    pub(crate) records: Vec<Row>,
    numbers: Vec<Numbers>,
    packed: Vec<u8>,
    /// Where each row of `packed` ends.
    ends: Vec<usize>,
}

impl Default for Rows {
    /// Rows such as the contract's.
    fn default() -> Self {
        let [.., most] = SIZES;
        let (mut records, mut packed, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for (number, place) in (0..i64::from(most)).zip(0_usize..) {
            let [action, kind] =
                [["UPDATE", "CREATE", "LOGIN", "DELETE"][place % 4], ["PRODUCT", "ORDER", "USER"][place % 3]];
            let row = Row {
                id: 50_000 - 37 * number,
                created_at: 1_767_052_800 - 52 * number,
                actor_id: number * 7 % 2_000 + 1,
                action: action.to_owned(),
                resource_type: kind.to_owned(),
                resource_id: format!("{kind}-{}", 2_000_000 + number * 991),
            };
            for field in [row.id, row.created_at, row.actor_id] {
                packed.extend_from_slice(&field.to_le_bytes());
            }
            for text in [&row.action, &row.resource_type, &row.resource_id] {
                packed.extend_from_slice(&u16::try_from(text.len()).unwrap_or_default().to_le_bytes());
                packed.extend_from_slice(text.as_bytes());
            }
            ends.push(packed.len());
            records.push(row);
        }
        let numbers = records.iter().map(|row| Numbers {
            id: row.id,
            created_at: row.created_at,
            actor_id: row.actor_id,
        });
        Self { numbers: numbers.collect(), records, packed, ends }
    }
}

impl Rows {
    /// What a call must return.
    pub fn sum(&self, crossing: Crossing) -> i64 {
        Self::first(&self.records, crossing.rows).iter().map(|row| row.id).sum()
    }

    /// How many bytes so many rows have in one piece.
    fn packed_bytes(&self, count: u32) -> usize {
        count.checked_sub(1).and_then(|last| self.ends.get(last as usize)).copied().unwrap_or(0)
    }

    /// The row behind a handle.
    fn row(&self, claim: &Resource<Claim>) -> wasmtime::Result<&Row> {
        let row = self.records.get(claim.rep() as usize);
        row.ok_or_else(|| wasmtime::Error::msg("there is no such row"))
    }

    /// The id behind a handle.
    pub(crate) fn claimed(&self, claim: &Resource<Claim>) -> wasmtime::Result<i64> {
        self.row(claim).map(|row| row.id)
    }

    fn first<T>(rows: &[T], count: u32) -> &[T] {
        rows.get(..count as usize).unwrap_or(rows)
    }

    fn packed(&self, count: u32) -> &[u8] {
        self.packed.get(..self.packed_bytes(count)).unwrap_or_default()
    }

    fn claims(count: u32) -> Vec<Resource<Claim>> {
        (0..count).map(Resource::new_own).collect()
    }

    /// The work of a shape without a boundary: the same copies, looked at in the same way. What the guest must parse or
    /// ask for again is read where it lies.
    pub fn native(&self, crossing: Crossing) -> wasmtime::Result<i64> {
        let count = black_box(crossing.rows);
        match crossing.shape {
            Shape::Call => Ok(0),
            Shape::Records => {
                Ok(black_box(Self::first(&self.records, count).to_vec()).iter().map(|row| row.id).sum())
            }
            Shape::Numbers => {
                Ok(black_box(Self::first(&self.numbers, count).to_vec()).iter().map(|row| row.id).sum())
            }
            Shape::Packed => Ok(sum_of_ids(&black_box(self.packed(count).to_vec()))),
            Shape::Fields => {
                let rows = black_box(Self::claims(count));
                rows.iter().map(|claim| self.row(claim).map(|row| black_box(row.clone()).id)).sum()
            }
            Shape::Handles | Shape::Claims => {
                black_box(Self::claims(count)).iter().map(|claim| self.claimed(claim)).sum()
            }
        }
    }
}

/// What a store of the benchmark holds.
pub(crate) struct State {
    pub(crate) rows: Arc<Rows>,
    pub(crate) memory: GuestMemory,
}

impl wit::Host for State {
    fn records(&mut self, count: u32) -> wasmtime::Result<Vec<Row>> {
        Ok(Rows::first(&self.rows.records, count).to_vec())
    }

    fn number_records(&mut self, count: u32) -> wasmtime::Result<Vec<Numbers>> {
        Ok(Rows::first(&self.rows.numbers, count).to_vec())
    }

    fn packed(&mut self, count: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(self.rows.packed(count).to_vec())
    }

    fn handles(&mut self, count: u32) -> wasmtime::Result<Vec<Resource<Claim>>> {
        Ok(Rows::claims(count))
    }
}

impl wit::HostEvent for State {
    fn id(&mut self, event: Resource<Claim>) -> wasmtime::Result<i64> {
        self.rows.claimed(&event)
    }

    fn created_at(&mut self, event: Resource<Claim>) -> wasmtime::Result<i64> {
        self.rows.row(&event).map(|row| row.created_at)
    }

    fn actor_id(&mut self, event: Resource<Claim>) -> wasmtime::Result<i64> {
        self.rows.row(&event).map(|row| row.actor_id)
    }

    fn action(&mut self, event: Resource<Claim>) -> wasmtime::Result<String> {
        self.rows.row(&event).map(|row| row.action.clone())
    }

    fn resource_type(&mut self, event: Resource<Claim>) -> wasmtime::Result<String> {
        self.rows.row(&event).map(|row| row.resource_type.clone())
    }

    fn resource_id(&mut self, event: Resource<Claim>) -> wasmtime::Result<String> {
        self.rows.row(&event).map(|row| row.resource_id.clone())
    }

    fn drop(&mut self, _event: Resource<Claim>) -> wasmtime::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_hold_what_the_records_hold() {
        let rows = Rows::default();
        for count in SIZES {
            let texts = Rows::first(&rows.records, count).iter();
            let bytes: usize = texts
                .map(|row| 30 + row.action.len() + row.resource_type.len() + row.resource_id.len())
                .sum();
            assert_eq!(rows.packed_bytes(count), bytes);
        }
    }
}
