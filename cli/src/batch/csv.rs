//! CSV as RFC 4180 writes it, read strictly: header by name, a quote only around a whole field.
//!
//! Written by hand because money is in it: a reader that guesses (text behind a closing quote, a
//! quote inside a plain field, an open quote that swallows the rows behind it) would move the wrong
//! amount without a word. Fields are ranges of the line; nothing is copied unless a quote is doubled.

use std::borrow::Cow;

use super::{faults::Faults, row::Row};

/// Most columns: the nine named ones and the most metadata a transaction may have, twice over.
const MAX_COLUMNS: usize = 80;

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    start: usize,
    end: usize,
    doubled: bool,
}

impl Field {
    /// The field's text.
    pub fn text(self, line: &str) -> Cow<'_, str> {
        let text = line.get(self.start..self.end).unwrap_or_default();
        if self.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) }
    }

    /// The character it starts at, from 1.
    pub fn column(self, line: &str) -> usize {
        column(line, self.start)
    }
}

/// The character a byte of the line belongs to, from 1.
pub fn column(line: &str, byte: usize) -> usize {
    line.get(..byte).map_or(byte, |before| before.chars().count()) + 1
}

/// Splits a line. On a fault: the byte it is at, and what is wrong.
pub fn split(line: &str, fields: &mut Vec<Field>) -> Result<(), (usize, &'static str)> {
    fields.clear();
    let bytes = line.as_bytes();
    if memchr::memchr(b'"', bytes).is_none() {
        unquoted(bytes, fields);
        return Ok(());
    }
    let mut at = 0;
    loop {
        let field = if bytes.get(at) == Some(&b'"') { quoted(bytes, at)? } else { plain(bytes, at)? };
        // Behind a quoted field stands its closing quote.
        let behind = if bytes.get(at) == Some(&b'"') { field.end + 1 } else { field.end };
        fields.push(field);
        match bytes.get(behind) {
            None => return Ok(()),
            Some(b',') => at = behind + 1,
            Some(_) => return Err((behind, "text behind a closing quote")),
        }
    }
}

/// Without a quote every comma ends a field.
fn unquoted(bytes: &[u8], fields: &mut Vec<Field>) {
    let mut start = 0;
    for end in memchr::memchr_iter(b',', bytes) {
        fields.push(Field { start, end, doubled: false });
        start = end + 1;
    }
    fields.push(Field { start, end: bytes.len(), doubled: false });
}

fn plain(bytes: &[u8], start: usize) -> Result<Field, (usize, &'static str)> {
    let rest = bytes.get(start..).unwrap_or_default();
    let end = match memchr::memchr2(b',', b'"', rest) {
        Some(at) if rest.get(at) == Some(&b'"') => {
            return Err((start + at, "a quote inside a field that does not start with one"));
        }
        Some(at) => start + at,
        None => bytes.len(),
    };
    Ok(Field { start, end, doubled: false })
}

fn quoted(bytes: &[u8], open: usize) -> Result<Field, (usize, &'static str)> {
    let (start, mut at, mut doubled) = (open + 1, open + 1, false);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(quote) = memchr::memchr(b'"', rest) else {
            return Err((open, "a quote that is not closed on its line (no column may hold a line break)"));
        };
        let end = at + quote;
        if bytes.get(end + 1) != Some(&b'"') {
            return Ok(Field { start, end, doubled });
        }
        doubled = true;
        at = end + 2;
    }
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Key,
    Op,
    From,
    To,
    Amount,
    Asset,
    EffectiveAt,
    Memo,
    Meta(Box<str>),
}

/// The header: which column holds what.
#[derive(Clone, Debug)]
pub struct Header {
    columns: Vec<Column>,
}

impl Header {
    /// Reads the header line.
    pub fn read(line: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Vec::new();
        if let Err((at, what)) = split(line, &mut fields) {
            faults.at(1, column(line, at), what);
            return None;
        }
        if fields.len() > MAX_COLUMNS {
            faults.at(1, 1, format!("{} columns; at most {MAX_COLUMNS} are taken", fields.len()));
            return None;
        }
        let mut columns: Vec<Column> = Vec::new();
        for field in &fields {
            let name = field.text(line);
            match named(&name) {
                Some(column) if columns.contains(&column) => {
                    faults.at(1, field.column(line), format!("column {:?} is there twice", safe(&name)));
                }
                Some(column) => columns.push(column),
                None => faults.at(
                    1,
                    field.column(line),
                    format!(
                        "unknown column {:?}: columns are key, op, from, to, amount, asset, effective_at, memo and meta.NAME",
                        safe(&name)
                    ),
                ),
            }
        }
        for (needed, name) in
            [(Column::Key, "key"), (Column::Op, "op"), (Column::Amount, "amount"), (Column::Asset, "asset")]
        {
            if !columns.contains(&needed) {
                faults.at(1, 1, format!("column {name} is missing"));
            }
        }
        faults.is_empty().then_some(Self { columns })
    }

    /// Reads a row. On a fault: the character it is at, and what is wrong.
    pub fn row<'a>(&'a self, line: &'a str, fields: &mut Vec<Field>) -> Result<Row<'a>, (usize, String)> {
        split(line, fields).map_err(|(at, what)| (column(line, at), what.to_owned()))?;
        if fields.len() != self.columns.len() {
            let at = fields.get(self.columns.len()).or(fields.last()).map_or(1, |field| field.column(line));
            return Err((at, format!("{} fields; the header has {}", fields.len(), self.columns.len())));
        }
        let mut row = Row::default();
        for (column, field) in self.columns.iter().zip(fields.iter()) {
            let text = field.text(line);
            match column {
                Column::Key => row.key = text,
                Column::Op => row.op = text,
                Column::From => row.from = text,
                Column::To => row.to = text,
                Column::Amount => row.amount = text,
                Column::Asset => row.asset = text,
                Column::EffectiveAt => row.effective_at = text,
                Column::Memo => row.memo = text,
                Column::Meta(_) if text.is_empty() => {}
                Column::Meta(name) => row.meta.push((Cow::Borrowed(name), text)),
            }
        }
        Ok(row)
    }
}

fn named(name: &str) -> Option<Column> {
    Some(match name {
        "key" => Column::Key,
        "op" => Column::Op,
        "from" => Column::From,
        "to" => Column::To,
        "amount" => Column::Amount,
        "asset" => Column::Asset,
        "effective_at" => Column::EffectiveAt,
        "memo" => Column::Memo,
        _ => {
            let name = name.strip_prefix("meta.")?;
            wallet_core::text::Metadata::new([(name, "")]).ok()?;
            Column::Meta(name.into())
        }
    })
}

/// The start of somebody's text, for a message.
pub fn safe(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Result<Vec<String>, (usize, &'static str)> {
        let mut fields = Vec::new();
        split(line, &mut fields)?;
        Ok(fields.iter().map(|field| field.text(line).into_owned()).collect())
    }

    #[test]
    fn fields_are_split_as_rfc_4180_says() {
        assert_eq!(fields("a,b,,d").unwrap(), ["a", "b", "", "d"]);
        assert_eq!(fields("").unwrap(), [""]);
        assert_eq!(fields("a,").unwrap(), ["a", ""]);
        assert_eq!(fields(r#""a,b","say ""hi""","",x"#).unwrap(), ["a,b", "say \"hi\"", "", "x"]);
    }

    #[test]
    fn a_quote_in_the_wrong_place_is_a_fault_where_it_stands() {
        assert_eq!(fields(r#"a,b"c"#).unwrap_err().0, 3);
        assert_eq!(fields(r#"a,"b"c"#).unwrap_err().0, 5);
        assert_eq!(fields(r#"a,"b"#).unwrap_err().0, 2);
    }

    #[test]
    fn the_header_is_by_name_and_knows_its_columns() {
        let mut faults = Faults::default();
        assert!(Header::read("amount,meta.invoice,key,asset,op,to", &mut faults).is_some());
        for bad in
            ["key,op,amount", "key,op,amount,asset,colour", "key,key,op,amount,asset", "key,op,amount,asset,meta."]
        {
            let mut faults = Faults::default();
            assert!(Header::read(bad, &mut faults).is_none(), "{bad}");
            assert_eq!(faults.count(), 1, "{bad}");
        }
    }
}
