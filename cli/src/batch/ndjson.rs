//! NDJSON rows: one object a line with the columns' names; metadata as `meta` or as `meta.NAME`.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Error as _, MapAccess, Visitor},
};

use super::{csv::safe, row::Row};

/// Reads a row. On a fault: the byte it is at, from 1, and what is wrong.
pub fn row(line: &str) -> Result<Row<'_>, (usize, String)> {
    let mut row = Row::default();
    let mut from = serde_json::Deserializer::from_str(line);
    RowSeed(&mut row).deserialize(&mut from).and_then(|()| from.end()).map_err(|error| {
        let text = error.to_string();
        // The place is said apart; serde_json's "line 1" would name the wrong line.
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        (error.column().max(1), what.to_owned())
    })?;
    Ok(row)
}

struct RowSeed<'r, 'a>(&'r mut Row<'a>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for RowSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

/// A string, or null for an empty one. Borrowed unless it has escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string (amounts too)")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed("")))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for RowSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose values are strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let row = self.0;
        let mut seen = 0_u16;
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            let (bit, place) = match &*name {
                "key" => (0, &mut row.key),
                "op" => (1, &mut row.op),
                "from" => (2, &mut row.from),
                "to" => (3, &mut row.to),
                "amount" => (4, &mut row.amount),
                "asset" => (5, &mut row.asset),
                "effective_at" => (6, &mut row.effective_at),
                "memo" => (7, &mut row.memo),
                "meta" => {
                    map.next_value_seed(MetaSeed(&mut row.meta))?;
                    continue;
                }
                other => {
                    let Some(name) = other.strip_prefix("meta.") else {
                        return Err(M::Error::custom(format_args!("unknown field {:?}", safe(other))));
                    };
                    let name = Cow::Owned(name.to_owned());
                    add(&mut row.meta, name, map.next_value::<Text<'de>>()?)?;
                    continue;
                }
            };
            if seen & (1 << bit) != 0 {
                return Err(M::Error::custom(format_args!("field {name:?} is there twice")));
            }
            seen |= 1 << bit;
            *place = map.next_value::<Text<'de>>()?.0;
        }
        Ok(())
    }
}

/// A field's name. Borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct MetaSeed<'r, 'a>(&'r mut Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for MetaSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for MetaSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            add(self.0, name, map.next_value::<Text<'de>>()?)?;
        }
        Ok(())
    }
}

fn add<'a, E: serde::de::Error>(
    meta: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
    name: Cow<'a, str>,
    value: Text<'a>,
) -> Result<(), E> {
    if meta.iter().any(|(there, _)| *there == name) {
        return Err(E::custom(format_args!("meta.{} is there twice", safe(&name))));
    }
    // As in CSV, where a column is there for every row: empty means absent.
    if !value.0.is_empty() {
        meta.push((name, value.0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_columns_names_and_metadata_in_either_form() {
        let row = row(r#"{"key":"k1","op":"deposit","to":"w","amount":"1.50","asset":"EUR","from":null,"meta":{"a":"x"},"meta.b":"y\u0041"}"#)
            .unwrap();
        assert_eq!((&*row.key, &*row.amount, &*row.from), ("k1", "1.50", ""));
        let meta: Vec<_> = row.meta.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(meta, [("a", "x"), ("b", "yA")]);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for bad in [
            "",
            "[]",
            "{",
            r#"{"key":"k"} x"#,
            r#"{"key":"k","colour":"red"}"#,
            r#"{"key":"k","key":"l"}"#,
            r#"{"key":"k","amount":1.5}"#,
            r#"{"meta":{"a":"1"},"meta.a":"2"}"#,
        ] {
            assert!(row(bad).is_err(), "{bad}");
        }
    }
}
