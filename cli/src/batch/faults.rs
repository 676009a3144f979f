//! What is wrong with a batch file: the first faults in full, the rest counted.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

/// Most faults kept with their text. More help nobody, and memory stays bounded.
pub const MAX_FAULTS: usize = 100;

/// One fault, at a place in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Line, from 1.
    pub line: u64,
    /// Character in that line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The first [`MAX_FAULTS`] faults by place, and how many there are.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    first: BTreeSet<Fault>,
    count: u64,
}

impl Faults {
    /// Takes one.
    pub fn add(&mut self, fault: Fault) {
        self.count += 1;
        self.first.insert(fault);
        if self.first.len() > MAX_FAULTS {
            self.first.pop_last();
        }
    }

    /// Takes one at a place.
    pub fn at(&mut self, line: u64, column: usize, message: impl Into<String>) {
        self.add(Fault { line, column, message: message.into() });
    }

    /// How many there are in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first of them, in file order.
    pub fn first(&self) -> impl Iterator<Item = &Fault> {
        self.first.iter()
    }
}
