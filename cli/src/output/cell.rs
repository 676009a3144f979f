//! Records and their cells.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

/// Something with named columns.
pub trait Record: Serialize {
    /// The flat columns that scripts rely on: only ever extended at their end.
    const COLUMNS: &'static [&'static str];
    /// The columns of a table for people.
    const TABLE: &'static [&'static str] = Self::COLUMNS;
    /// Columns after all others, in every form.
    const TAIL: &'static [&'static str] = &[];
    /// Columns that are shown for a single record, or when asked for by `--fields`.
    const MORE: &'static [&'static str] = &[];

    /// The cell of one of these columns.
    fn cell(&self, column: &str) -> Cell<'_>;
}

/// One value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    None,
    /// Text, possibly somebody else's.
    Text(Cow<'a, str>),
    /// A signed decimal; a string in JSON, never guarded in csv.
    Amount(&'a str),
    /// A time. Tables drop its fraction when there is no room.
    Time(&'a str),
    /// A whole number.
    Int(u64),
    /// Yes or no.
    Bool(bool),
}

impl<'a> Cell<'a> {
    /// Text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Text that was made here.
    pub fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// Text that may be missing.
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::None, Self::text)
    }

    /// An amount that may be missing.
    pub fn maybe_amount(text: Option<&'a str>) -> Self {
        text.map_or(Self::None, Self::Amount)
    }

    /// A number that may be missing.
    pub fn maybe_int(number: Option<u64>) -> Self {
        number.map_or(Self::None, Self::Int)
    }

    /// Facts by name, as `name=value` pairs.
    pub fn pairs(map: &std::collections::BTreeMap<String, String>) -> Self {
        if map.is_empty() {
            return Self::None;
        }
        Self::owned(map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    /// As a value of a flat JSON row.
    pub fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Text(text) => Value::from(text.as_ref()),
            Self::Amount(text) | Self::Time(text) => Value::from(*text),
            Self::Int(number) => Value::from(*number),
            Self::Bool(yes) => Value::from(*yes),
        }
    }

    /// True for what is aligned to the right.
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Amount(_) | Self::Int(_))
    }
}
