//! A list of records, written as they come.

use std::{
    io::{self, Write},
    marker::PhantomData,
};

use super::{Cell, Format, Meta, Out, Record, csv_guard, escape_json, flat, sanitize, schema_of, table::Grid};
use crate::error::CliError;

/// Writes rows. [`Rows::finish`] ends the list; without it json is not whole, which is how a reader
/// sees that a stream broke off.
pub struct Rows<R: Record> {
    out: Out,
    columns: Vec<&'static str>,
    form: Form,
    count: u64,
    /// What stands before the rows, until it is written: an error before the first row leaves stdout empty.
    head: Option<String>,
    record: PhantomData<R>,
}

enum Form {
    Table { grid: Grid, to: Box<dyn Write>, foot: Vec<String> },
    Json(Box<dyn Write>),
    Ndjson(Box<dyn Write>),
    Csv(Box<csv::Writer<Box<dyn Write>>>),
}

impl<R: Record> Rows<R> {
    pub(super) fn start(out: &Out, schema: &str) -> Result<Self, CliError> {
        let columns = out.columns::<R>()?;
        let to = out.writer();
        let form = match out.format {
            Format::Table => Form::Table { grid: Grid::new(columns.len()), to, foot: Vec::new() },
            Format::Json => Form::Json(to),
            Format::Ndjson => Form::Ndjson(to),
            Format::Csv => Form::Csv(Box::new(csv::Writer::from_writer(to))),
        };
        Ok(Self { out: out.clone(), columns, form, count: 0, head: Some(schema_of(schema)), record: PhantomData })
    }

    fn head(&mut self) -> Result<(), CliError> {
        let Some(schema) = self.head.take() else {
            return Ok(());
        };
        match &mut self.form {
            Form::Json(to) => write!(to, "{{\"schema\":\"{schema}\",\"data\":[")?,
            Form::Csv(to) => to.write_record(&self.columns).map_err(fault)?,
            Form::Table { .. } | Form::Ndjson(_) => {}
        }
        Ok(())
    }

    /// Writes one row.
    pub fn row(&mut self, record: &R) -> Result<(), CliError> {
        self.head()?;
        match &mut self.form {
            Form::Table { grid, .. } => grid.push(self.columns.iter().map(|name| record.cell(name))),
            Form::Json(to) => {
                let text = self.out.data(record)?;
                write!(to, "{}\n{}", if self.count == 0 { "" } else { "," }, escape_json(&text))?;
            }
            Form::Ndjson(to) => {
                let text = flat(&self.columns, record);
                writeln!(to, "{}", escape_json(&text))?;
            }
            Form::Csv(to) => {
                for name in &self.columns {
                    write_csv(to, &record.cell(name), self.out.terminal).map_err(fault)?;
                }
                to.write_record(None::<&[u8]>).map_err(fault)?;
            }
        }
        self.count += 1;
        Ok(())
    }

    /// A line below the table; nothing in the other forms, which have it in their meta.
    pub fn foot(&mut self, line: String) {
        if let Form::Table { foot, .. } = &mut self.form {
            foot.push(line);
        }
    }

    /// How many rows there were so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Ends the list.
    pub fn finish(mut self, meta: Meta) -> Result<(), CliError> {
        self.head()?;
        match self.form {
            Form::Table { grid, mut to, foot } => {
                if self.count > 0 {
                    to.write_all(grid.render(&self.columns, self.out.width, self.out.color).as_bytes())?;
                }
                for line in foot {
                    writeln!(to, "{}", sanitize(&line))?;
                }
                to.flush()?;
            }
            Form::Json(mut to) => {
                let meta = meta.with("rows", &self.count);
                let text = serde_json::Value::Object(meta.0).to_string();
                writeln!(to, "{}],\"meta\":{}}}", if self.count == 0 { "" } else { "\n" }, escape_json(&text))?;
                to.flush()?;
            }
            Form::Ndjson(mut to) => to.flush()?,
            Form::Csv(mut to) => to.flush()?,
        }
        Ok(())
    }
}

fn write_csv(to: &mut csv::Writer<Box<dyn Write>>, cell: &Cell<'_>, terminal: bool) -> csv::Result<()> {
    match cell {
        Cell::None => to.write_field(""),
        Cell::Text(text) if terminal => to.write_field(csv_guard(&sanitize(text)).as_bytes()),
        Cell::Text(text) => to.write_field(csv_guard(text).as_bytes()),
        Cell::Amount(text) | Cell::Time(text) => to.write_field(text),
        Cell::Int(number) => to.write_field(number.to_string()),
        Cell::Bool(yes) => to.write_field(if *yes { "true" } else { "false" }),
    }
}

fn fault(error: csv::Error) -> CliError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => io::Error::other(format!("{other:?}")).into(),
    }
}
