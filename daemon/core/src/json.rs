//! JSON written straight into one buffer, for what is written many thousand times a second: the writer's caller puts the names,
//! commas and brackets down as one text with what stands before a value.
//!
//! Text is copied as it is unless it holds something to escape; then it is `serde_json`'s.

use crate::digits::Digits;

/// A buffer that JSON is written to.
#[derive(Debug)]
pub struct Json(Vec<u8>);

impl Json {
    /// An empty one with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// What is JSON as it stands.
    pub fn plain(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Digits behind `before`, which opens their quotes where they need any.
    pub fn digits(&mut self, before: &str, digits: &Digits) {
        self.plain(before);
        self.plain(digits);
    }

    /// `true` or `false`.
    pub fn flag(&mut self, before: &str, flag: bool) {
        self.plain(before);
        self.plain(if flag { "true" } else { "false" });
    }

    /// A string.
    pub fn text(&mut self, before: &str, text: &str) {
        self.plain(before);
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.plain("\"");
            self.plain(text);
            self.plain("\"");
        } else {
            // Writing a string to memory cannot fail.
            let _ = serde_json::to_writer(&mut self.0, text);
        }
    }

    /// An object of strings.
    pub fn map<'a>(&mut self, before: &str, facts: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.plain(before);
        let mut open = "{";
        for (name, value) in facts {
            self.text(open, name);
            self.text(":", value);
            open = ",";
        }
        self.plain(if open == "{" { "{}" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_what_serde_json_makes_of_them(text in any::<String>()) {
            let mut json = Json::with_capacity(0);
            json.text("", &text);
            prop_assert_eq!(json.into_bytes(), serde_json::to_vec(&text).unwrap());
        }

        #[test]
        fn maps_are_what_serde_json_makes_of_them(map in prop::collection::btree_map(any::<String>(), any::<String>(), 0..4)) {
            let mut json = Json::with_capacity(0);
            json.map("", map.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(json.into_bytes(), serde_json::to_vec(&map).unwrap());
        }
    }
}
