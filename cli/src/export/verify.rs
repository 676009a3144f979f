//! Checking an export: its bytes against its manifest, and for a journal the chain of hashes.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    path::Path,
};

use serde::Serialize;
use wallet_api::types::JournalLine;
use wallet_core::{
    cut::Hash,
    journal::{Record, chain, genesis},
};

use super::{
    manifest::{Form, Manifest},
    target::sha256_of,
};

/// One check of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub check: &'static str,
    /// True if it holds.
    pub ok: bool,
    /// What was found.
    pub detail: String,
}

/// Runs every check that the manifest allows.
pub fn verify(file: &Path, manifest: &Manifest) -> io::Result<Vec<Check>> {
    let (bytes, sha256) = sha256_of(file)?;
    let mut checks = vec![
        Check { check: "bytes", ok: bytes == manifest.bytes, detail: said(&bytes, &manifest.bytes) },
        Check { check: "sha256", ok: sha256 == manifest.sha256, detail: said(&sha256, &manifest.sha256) },
    ];
    if manifest.format != Form::Hledger {
        let rows = rows(file, manifest.format)?;
        checks.push(Check { check: "rows", ok: rows == manifest.rows, detail: said(&rows, &manifest.rows) });
    }
    if manifest.kind == "journal" && manifest.format != Form::Hledger {
        checks.push(match chain_of(file, manifest)? {
            Ok(records) => {
                Check { check: "chain", ok: true, detail: format!("{records} records up to {}", manifest.cut.seq) }
            }
            Err(fault) => Check { check: "chain", ok: false, detail: fault },
        });
    }
    Ok(checks)
}

fn said<T: PartialEq + std::fmt::Display>(found: &T, told: &T) -> String {
    if found == told { found.to_string() } else { format!("{found}, but the manifest says {told}") }
}

/// Rows of a file: a row is a line in every form, unless a quoted CSV cell has a line break, which none of ours has.
fn rows(file: &Path, form: Form) -> io::Result<u64> {
    let mut count = 0;
    each_line(file, |line| {
        count += u64::from(row_of(line, form).is_some());
        Ok(())
    })?;
    // The header.
    Ok(if form == Form::Csv { count - count.min(1) } else { count })
}

fn row_of(line: &[u8], form: Form) -> Option<&[u8]> {
    match form {
        Form::Json => {
            let line = line.strip_suffix(b",").unwrap_or(line);
            (line.starts_with(b"{") && !line.starts_with(b"{\"schema\":")).then_some(line)
        }
        Form::Csv | Form::Ndjson | Form::Hledger => (!line.is_empty()).then_some(line),
    }
}

fn each_line(file: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut from = BufReader::with_capacity(1 << 18, File::open(file)?);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        take(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
    }
    Ok(())
}

/// The chain of a journal's hashes from the record before its first up to the cut.
fn chain_of(file: &Path, manifest: &Manifest) -> io::Result<Result<u64, String>> {
    let mut link = Link {
        hash: match &manifest.previous {
            Some(hash) => match hash.parse() {
                Ok(hash) => hash,
                Err(error) => return Ok(Err(format!("{error}"))),
            },
            None => genesis(&manifest.ledger_id),
        },
        seq: manifest.query.get("after").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        records: 0,
        fault: None,
    };
    if manifest.format == Form::Csv {
        let mut reader = csv::Reader::from_path(file).map_err(io::Error::other)?;
        for line in reader.deserialize::<JournalLine>() {
            link.add(line.map_err(|error| error.to_string()));
        }
    } else {
        each_line(file, |line| {
            if let Some(row) = row_of(line, manifest.format) {
                link.add(serde_json::from_slice(row).map_err(|error| error.to_string()));
            }
            Ok(())
        })?;
    }
    if let Some(fault) = link.fault {
        return Ok(Err(fault));
    }
    if link.seq != manifest.cut.seq || link.hash.to_string() != manifest.cut.hash {
        return Ok(Err(format!("it ends at record {} with {}, not at the manifest's cut", link.seq, link.hash)));
    }
    Ok(Ok(link.records))
}

struct Link {
    hash: Hash,
    seq: u64,
    records: u64,
    fault: Option<String>,
}

impl Link {
    fn add(&mut self, line: Result<JournalLine, String>) {
        if self.fault.is_some() {
            return;
        }
        self.fault = self.check(line).err();
        self.records += 1;
    }

    fn check(&mut self, line: Result<JournalLine, String>) -> Result<(), String> {
        let behind = self.seq;
        let line = line.map_err(|error| format!("the record behind {behind} cannot be read: {error}"))?;
        let bytes = line.record.as_bytes();
        let record = Record::from_bytes(bytes).map_err(|error| format!("record {}: {error}", line.seq))?;
        if line.seq != behind + 1 || record.seq != line.seq {
            return Err(format!("record {} stands behind record {behind}", line.seq));
        }
        let hash = chain(self.hash, bytes);
        if hash.to_string() != line.hash {
            return Err(format!("record {}: its hash does not follow from its bytes and the hash before it", line.seq));
        }
        (self.hash, self.seq) = (hash, line.seq);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for (form, text, count) in [
            (Form::Csv, "a,b\n1,2\n3,4\n", 2),
            (Form::Csv, "a,b\n", 0),
            (Form::Ndjson, "{\"a\":1}\n{\"a\":2}\n", 2),
            (Form::Json, "{\"schema\":\"x\",\"data\":[\n{\"a\":1},\n{\"a\":2}\n],\"meta\":{}}\n", 2),
            (Form::Json, "{\"schema\":\"x\",\"data\":[\n\n],\"meta\":{}}\n", 0),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(rows(&path, form).unwrap(), count, "{text}");
        }
    }
}
