//! A second ledger, written differently, for tests to compare with.
