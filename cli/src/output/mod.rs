//! What goes to stdout: one result in one of four forms.
//!
//! - A [`Record`] has named columns. Tables, csv and ndjson are made of columns; json is the whole
//!   record in an envelope with its schema, only ever extended.
//! - Rows are written as they come: csv, ndjson and json in constant memory; a table needs all of
//!   them to know its widths.
//! - Text of others is stripped of control characters before a terminal sees it, and text cells that
//!   a spreadsheet would run are quoted in csv.

mod cell;
mod rows;
mod table;
mod text;

use std::{
    cell::RefCell,
    io::{self, IsTerminal as _, Write},
    rc::Rc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wallet_api::client::Answer;

pub use self::{
    cell::{Cell, Record},
    rows::Rows,
    text::{csv_guard, escape_json, sanitize},
};
use crate::{env::Env, error::CliError};

/// Width where a terminal does not tell its own.
const USUAL_WIDTH: usize = 80;

/// The forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One envelope with schema, data and meta
    Json,
    /// One flat object a line
    Ndjson,
    /// A header and one flat row a line
    Csv,
}

impl Format {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// True if errors are JSON too.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// At a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether a stream gets colour: --color, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a terminal.
    pub fn resolve(self, env: &Env, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if env.get("NO_COLOR").is_some() => false,
            Self::Auto if env.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
            Self::Auto => terminal && env.get("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// Facts about a result that are not part of it: cut, request, resolved times.
#[derive(Clone, Debug, Default)]
pub struct Meta(Map<String, Value>);

impl Meta {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those every answer has.
    pub fn of<T>(answer: &Answer<T>) -> Self {
        Self::new().with("request_id", &answer.request_id).with("trace_id", &answer.trace_id)
    }

    /// And this fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        self.0.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }
}

/// Where output goes and how it looks.
#[derive(Clone, Debug)]
pub struct Out {
    format: Format,
    fields: Option<Vec<String>>,
    terminal: bool,
    width: Option<usize>,
    color: bool,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Stdout,
    Memory(Rc<RefCell<Vec<u8>>>),
}

impl Out {
    /// Output to stdout.
    pub fn stdout(format: Format, fields: Option<Vec<String>>, color: Color, env: &Env) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = || rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        Self {
            format,
            fields,
            terminal,
            width: terminal
                .then(|| if format == Format::Table { width() } else { 0 })
                .map(|columns| if columns == 0 { USUAL_WIDTH } else { columns }),
            color: color.resolve(env, terminal),
            sink: Sink::Stdout,
        }
    }

    /// Output to memory, for tests.
    pub fn memory(format: Format, fields: Option<Vec<String>>, width: Option<usize>) -> Self {
        let sink = Sink::Memory(Rc::new(RefCell::new(Vec::new())));
        Self { format, fields, terminal: width.is_some(), width, color: false, sink }
    }

    /// What was written to memory.
    pub fn written(&self) -> String {
        match &self.sink {
            Sink::Stdout => String::new(),
            Sink::Memory(bytes) => String::from_utf8_lossy(&bytes.borrow()).into_owned(),
        }
    }

    /// The form.
    pub fn format(&self) -> Format {
        self.format
    }

    /// True if a person is looking.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Refuses `--fields` that a record does not have. Writes ask this before they send anything.
    pub fn check<R: Record>(&self) -> Result<(), CliError> {
        self.columns::<R>().map(drop)
    }

    /// Shows one record.
    pub fn one<R: Record>(&self, schema: &str, record: &R, meta: Meta) -> Result<(), CliError> {
        match self.format {
            Format::Table => {
                let columns = match &self.fields {
                    Some(_) => self.columns::<R>()?,
                    None => [R::TAIL, R::COLUMNS, R::MORE].concat(),
                };
                let text = table::facts(columns.iter().map(|name| (*name, record.cell(name))), self.color);
                self.write(text.as_bytes())
            }
            Format::Json => {
                let (data, meta) = (self.data(record)?, Value::Object(meta.0));
                let text = format!("{{\"schema\":\"{}\",\"data\":{data},\"meta\":{meta}}}\n", schema_of(schema));
                self.write(escape_json(&text).as_bytes())
            }
            Format::Ndjson | Format::Csv => {
                let mut rows = self.rows::<R>(schema)?;
                rows.row(record)?;
                rows.finish(meta)
            }
        }
    }

    /// Starts a list of records.
    pub fn rows<R: Record>(&self, schema: &str) -> Result<Rows<R>, CliError> {
        Rows::start(self, schema)
    }

    /// Shows a list that is already whole.
    pub fn list<R: Record>(&self, schema: &str, records: &[R], meta: Meta) -> Result<(), CliError> {
        let mut rows = self.rows::<R>(schema)?;
        for record in records {
            rows.row(record)?;
        }
        rows.finish(meta)
    }

    /// Writes bytes as they are.
    pub fn write(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut to = self.writer();
        to.write_all(bytes)?;
        to.flush()?;
        Ok(())
    }

    /// Writes one JSON value.
    pub fn json(&self, value: &Value) -> Result<(), CliError> {
        self.write(format!("{}\n", escape_json(&value.to_string())).as_bytes())
    }

    /// A record as JSON text: whole, or just the asked-for columns, in their order.
    fn data<R: Record>(&self, record: &R) -> Result<String, CliError> {
        if self.fields.is_none() {
            return serde_json::to_string(record).map_err(|e| CliError::new("internal", e.to_string()));
        }
        Ok(flat(&self.columns::<R>()?, record))
    }

    /// The columns to show, by `--fields` or by the form.
    fn columns<R: Record>(&self) -> Result<Vec<&'static str>, CliError> {
        let Some(fields) = &self.fields else {
            let main = if self.format == Format::Table { R::TABLE } else { R::COLUMNS };
            return Ok([main, R::TAIL].concat());
        };
        let known = [R::COLUMNS, R::TAIL, R::MORE].concat();
        let find = |field: &String| {
            known.iter().find(|name| *name == field).copied().ok_or_else(|| {
                CliError::usage(format!("--fields: there is no field {field}"))
                    .hint(format!("The fields are {}. Nothing was sent.", known.join(", ")))
            })
        };
        fields.iter().map(find).collect()
    }

    fn writer(&self) -> Box<dyn Write> {
        match &self.sink {
            Sink::Stdout => Box::new(io::BufWriter::with_capacity(64 << 10, io::stdout())),
            Sink::Memory(bytes) => Box::new(Memory(bytes.clone())),
        }
    }
}

/// A record as one flat JSON object of these columns.
fn flat<R: Record>(columns: &[&'static str], record: &R) -> String {
    let mut text = String::from("{");
    for (index, name) in columns.iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ",\"" });
        text.push_str(name);
        text.push_str("\":");
        text.push_str(&record.cell(name).to_json().to_string());
    }
    text.push('}');
    text
}

/// A schema's full name.
fn schema_of(name: &str) -> String {
    format!("walletctl.{name}/1")
}

struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
