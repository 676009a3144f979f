//! Sorting more than memory should hold: items of fixed size, compared as bytes, in sorted runs of one
//! temporary file that are merged while they are read.
//!
//! Memory: one buffer of [`RUN_ITEMS`] items while they come in, one of [`READ_ITEMS`] per run while
//! they go out. Up to [`RUN_ITEMS`] items never touch the disk.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
};

/// Items sorted at once: 6 MiB of keys with their lines.
const RUN_ITEMS: usize = 1 << 18;
/// Items read at once from one run.
const READ_ITEMS: usize = 1 << 10;

/// Takes items in any order.
pub struct Sorter<const N: usize> {
    buffer: Vec<[u8; N]>,
    spill: Option<File>,
    runs: Vec<Run<N>>,
    spilled: u64,
    capacity: usize,
}

/// A sorted run, and what of it is in memory.
struct Run<const N: usize> {
    next: u64,
    end: u64,
    items: std::vec::IntoIter<[u8; N]>,
}

impl<const N: usize> Default for Sorter<N> {
    fn default() -> Self {
        Self::with_capacity(RUN_ITEMS)
    }
}

impl<const N: usize> Sorter<N> {
    fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::new(), spill: None, runs: Vec::new(), spilled: 0, capacity }
    }

    /// Takes an item.
    pub fn push(&mut self, item: [u8; N]) -> io::Result<()> {
        if self.buffer.len() >= self.capacity {
            self.spill()?;
        }
        self.buffer.push(item);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable();
        let spill = match &mut self.spill {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        spill.write_all(self.buffer.as_flattened())?;
        let end = self.spilled + self.buffer.as_flattened().len() as u64;
        self.runs.push(Run { next: self.spilled, end, items: Vec::new().into_iter() });
        self.spilled = end;
        self.buffer.clear();
        Ok(())
    }

    /// The items in order.
    pub fn finish(mut self) -> io::Result<Sorted<N>> {
        self.buffer.sort_unstable();
        // What is still in memory is a run that needs no file.
        self.runs.push(Run { next: 0, end: 0, items: self.buffer.into_iter() });
        let mut sorted = Sorted { heap: BinaryHeap::new(), runs: self.runs, spill: self.spill };
        for run in 0..sorted.runs.len() {
            sorted.pull(run)?;
        }
        Ok(sorted)
    }
}

/// Gives items in order.
pub struct Sorted<const N: usize> {
    heap: BinaryHeap<Reverse<([u8; N], usize)>>,
    runs: Vec<Run<N>>,
    spill: Option<File>,
}

impl<const N: usize> Sorted<N> {
    /// The next item.
    pub fn next_item(&mut self) -> io::Result<Option<[u8; N]>> {
        let Some(Reverse((item, run))) = self.heap.pop() else {
            return Ok(None);
        };
        self.pull(run)?;
        Ok(Some(item))
    }

    fn pull(&mut self, index: usize) -> io::Result<()> {
        let Some(run) = self.runs.get_mut(index) else {
            return Ok(());
        };
        if run.items.as_slice().is_empty() && run.next < run.end {
            let left = usize::try_from((run.end - run.next) / N as u64).unwrap_or(READ_ITEMS);
            let mut items = vec![[0; N]; left.min(READ_ITEMS)];
            if let Some(file) = &self.spill {
                file.read_exact_at(items.as_flattened_mut(), run.next)?;
            }
            run.next += items.as_flattened().len() as u64;
            run.items = items.into_iter();
        }
        if let Some(item) = run.items.next() {
            self.heap.push(Reverse((item, index)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_in_order_from_memory_and_from_disk() {
        for capacity in [3, 100, 5_000] {
            let mut sorter = Sorter::<8>::with_capacity(capacity);
            let mut expected = Vec::new();
            let mut x = 12_345_u64;
            for _ in 0..4_000 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                expected.push((x >> 40).to_be_bytes());
                sorter.push((x >> 40).to_be_bytes()).unwrap();
            }
            expected.sort_unstable();
            let mut out = sorter.finish().unwrap();
            let mut got = Vec::new();
            while let Some(item) = out.next_item().unwrap() {
                got.push(item);
            }
            assert_eq!(got, expected, "capacity {capacity}");
        }
    }
}
