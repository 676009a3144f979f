//! The conformance list that every ledger adapter runs.
