//! Tables for people: no lines, headers in capitals, numbers to the right, as wide as the terminal.
//!
//! Numbers are never cut. Where there is no room, times lose their fraction first, then the widest
//! texts are shortened; what still does not fit wraps.

use tabled::{
    builder::Builder,
    grid::util::string::get_line_width,
    settings::{Alignment, Modify, Padding, Style, object::Columns},
};

use super::{Cell, sanitize};

/// Space between two columns.
const GAP: usize = 2;
/// A text is never cut shorter than this.
const SHORTEST: usize = 8;

/// A table's rows, already harmless text.
#[derive(Default)]
pub(super) struct Grid {
    rows: Vec<Vec<String>>,
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Empty,
    Text,
    Time,
    Number,
}

impl Grid {
    pub(super) fn new(columns: usize) -> Self {
        Self { rows: Vec::new(), kinds: vec![Kind::Empty; columns] }
    }

    pub(super) fn push<'a>(&mut self, cells: impl Iterator<Item = Cell<'a>>) {
        let row = cells.enumerate().map(|(index, cell)| {
            if let Some(kind) = self.kinds.get_mut(index) {
                *kind = match (&cell, *kind) {
                    (Cell::None, kind) => kind,
                    (cell, Kind::Empty | Kind::Number) if cell.is_number() => Kind::Number,
                    (Cell::Time(_), Kind::Empty | Kind::Time) => Kind::Time,
                    _ => Kind::Text,
                };
            }
            shown(&cell)
        });
        self.rows.push(row.collect());
    }

    pub(super) fn render(mut self, headers: &[&str], width: Option<usize>, color: bool) -> String {
        let headers: Vec<String> = headers.iter().map(|name| name.replace('_', " ").to_uppercase()).collect();
        if let Some(width) = width {
            self.fit(&headers, width);
        }
        let mut builder = Builder::new();
        builder.push_record(headers);
        for row in self.rows {
            builder.push_record(row);
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
        for (index, kind) in self.kinds.iter().enumerate() {
            if *kind == Kind::Number {
                table.with(Modify::new(Columns::one(index)).with(Alignment::right()));
            }
        }
        finish(&table.to_string(), color)
    }

    fn fit(&mut self, headers: &[String], width: usize) {
        let mut widths = self.widths(headers);
        let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if total(&widths) <= width {
            return;
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            if *kind == Kind::Time {
                self.rows.iter_mut().filter_map(|row| row.get_mut(index)).for_each(|time| *time = to_seconds(time));
            }
        }
        widths = self.widths(headers);
        let floors: Vec<usize> = headers.iter().map(|name| get_line_width(name).max(SHORTEST)).collect();
        while total(&widths) > width {
            let shrinkable =
                |index: &usize| self.kinds.get(*index) == Some(&Kind::Text) && widths.get(*index) > floors.get(*index);
            let Some(widest) = (0..widths.len()).filter(shrinkable).max_by_key(|index| widths.get(*index)) else {
                break;
            };
            if let Some(width) = widths.get_mut(widest) {
                *width -= 1;
            }
        }
        for row in &mut self.rows {
            for ((text, width), kind) in row.iter_mut().zip(&widths).zip(&self.kinds) {
                if *kind == Kind::Text {
                    *text = shorten(text, *width);
                }
            }
        }
    }

    fn widths(&self, headers: &[String]) -> Vec<usize> {
        let of = |(index, header): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|text| get_line_width(text));
            cells.chain([get_line_width(header)]).max().unwrap_or_default()
        };
        headers.iter().enumerate().map(of).collect()
    }
}

/// One record, a line for each of its columns that has a value.
pub(super) fn facts<'a>(cells: impl Iterator<Item = (&'a str, Cell<'a>)>, color: bool) -> String {
    let lines: Vec<(String, String)> = cells
        .filter(|(_, cell)| *cell != Cell::None && *cell != Cell::text(""))
        .map(|(name, cell)| (name.replace('_', " "), shown(&cell)))
        .collect();
    let width = lines.iter().map(|(name, _)| get_line_width(name)).max().unwrap_or_default();
    let (bold, plain) = if color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let line = |(name, value): &(String, String)| format!("{bold}{name:width$}{plain}  {value}");
    lines.iter().map(line).fold(String::new(), |text, line| text + &line + "\n")
}

fn shown(cell: &Cell<'_>) -> String {
    match cell {
        Cell::None => String::new(),
        Cell::Text(text) => sanitize(text).into_owned(),
        Cell::Amount(text) | Cell::Time(text) => sanitize(text).into_owned(),
        Cell::Int(number) => number.to_string(),
        Cell::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
    }
}

/// `2026-01-31T23:59:59.999999Z` as `2026-01-31T23:59:59Z`.
fn to_seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

fn shorten(text: &str, width: usize) -> String {
    if get_line_width(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if get_line_width(&out) + get_line_width(c.encode_utf8(&mut [0; 4])) >= width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Without spaces at the ends of lines, the header bold.
fn finish(text: &str, color: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if index == 0 && color {
            out.extend(["\u{1b}[1m", line, "\u{1b}[0m\n"]);
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
