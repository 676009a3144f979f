//! Text that comes from outside: bounded, UTF-8, without control characters, stored as given.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Why a piece of text was refused: the field, and the rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: must be {rule}")]
pub struct TextError {
    /// What was being read.
    pub what: &'static str,
    /// What it must look like.
    pub rule: &'static str,
}

impl TextError {
    /// A refusal of `what` for breaking `rule`.
    pub const fn new(what: &'static str, rule: &'static str) -> Self {
        Self { what, rule }
    }
}

/// Serde for a type that is its text: `Display` out, `FromStr` in.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Visit;
                impl serde::de::Visitor<'_> for Visit {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a string")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(Visit)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// True for characters that must not reach a log, a terminal or a store: C0, DEL, C1, and the
/// bidirectional and line controls that make text lie about its order.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A bounded piece of free text; `MAX` is in bytes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Arc<str>);

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.len() > MAX {
            return Err(TextError::new("text", "shorter"));
        }
        if text.chars().any(is_control) {
            return Err(TextError::new("text", "without control characters"));
        }
        Ok(Self(text.into()))
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A transaction's memo.
pub type Memo = Text<500>;
/// A wallet's label.
pub type Label = Text<200>;
/// Why an operator did something; kept in the journal.
pub type Reason = Text<500>;

/// Most entries in one metadata map.
pub const MAX_METADATA_ENTRIES: usize = 32;
/// Most bytes of one metadata map, names and values together.
pub const MAX_METADATA_BYTES: usize = 4096;

/// Free facts about a wallet or a transaction: name to value, bounded.
///
/// Names are `[A-Za-z0-9._-]{1,64}`, so that they sort the same everywhere and can be CSV columns.
///
/// A copy shares them: the same facts are in a command, in its record and in the record's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata(Option<Arc<Facts>>);

/// Sorted by name, each name once; never empty where it is kept. Most have one or two: a tree would take a kilobyte.
type Facts = [(Box<str>, Box<str>)];

impl Metadata {
    /// Checks and takes the given names and values; of the same name the last counts.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, TextError> {
        let taken = |(name, value): (N, V)| (name.as_ref().into(), value.as_ref().into());
        Self::of(pairs.into_iter().map(taken).collect())
    }

    fn of(mut facts: Vec<(Box<str>, Box<str>)>) -> Result<Self, TextError> {
        // Behind this the last of a name stands first.
        facts.reverse();
        facts.sort_by(|(one, _), (other, _)| one.cmp(other));
        facts.dedup_by(|(again, _), (name, _)| again == name);
        let mut bytes = 0_usize;
        for (name, value) in &facts {
            let named = (1..=64).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            if !named {
                return Err(TextError::new("metadata name", "1 to 64 of A-Z a-z 0-9 . _ -"));
            }
            if value.chars().any(is_control) {
                return Err(TextError::new("metadata value", "without control characters"));
            }
            bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
        }
        if facts.len() > MAX_METADATA_ENTRIES || bytes > MAX_METADATA_BYTES {
            return Err(TextError::new("metadata", "at most 32 entries and 4096 bytes"));
        }
        Ok(Self((!facts.is_empty()).then(|| facts.into())))
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|facts| facts.iter()).map(|(name, value)| (&**name, &**value))
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let facts = self.0.as_ref()?;
        let found = facts.binary_search_by(|(there, _)| (**there).cmp(name)).ok()?;
        facts.get(found).map(|(_, value)| &**value)
    }
}

impl Serialize for Metadata {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> serde::de::Visitor<'de> for Visit {
            type Value = Vec<(Box<str>, Box<str>)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut facts = Vec::new();
                while let Some(fact) = map.next_entry()? {
                    facts.push(fact);
                }
                Ok(facts)
            }
        }
        let facts = from.deserialize_map(Visit)?;
        Self::of(facts).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_has_no_control_characters() {
        assert!("ok, ünïcode".parse::<Text<20>>().is_ok());
        for bad in ["a\0b", "a\nb", "a\u{1b}[31m", "a\u{85}b", "\u{202e}x", "123456789012345678901"] {
            assert!(bad.parse::<Text<20>>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn metadata_is_bounded() {
        assert!(Metadata::new([("invoice", "INV-1")]).is_ok());
        assert!(Metadata::new([("in voice", "x")]).is_err());
        assert!(Metadata::new([("a", "x\0")]).is_err());
        assert!(Metadata::new([("a", "x".repeat(5000))]).is_err());
        assert!(Metadata::new((0..33).map(|i| (format!("n{i}"), "v"))).is_err());
    }

    #[test]
    fn metadata_is_sorted_and_of_the_same_name_the_last_counts() {
        let facts = Metadata::new([("b", "1"), ("a", "2"), ("b", "3")]).unwrap();
        assert_eq!(facts.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        assert_eq!((facts.get("a"), facts.get("b"), facts.get("c")), (Some("2"), Some("3"), None));
        assert_eq!(serde_json::from_str::<Metadata>(r#"{"b":"1","a":"2","b":"3"}"#).unwrap(), facts);
        assert!(Metadata::new([("", ""); 0]).unwrap().is_empty());
    }
}
