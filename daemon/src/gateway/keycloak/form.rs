//! Forms of OAuth: read strictly, and written anew, so that Keycloak reads what was judged here.

use std::fmt::Write as _;

/// Most parameters of a form: OAuth and its extensions know some thirty.
const MAX_FIELDS: usize = 64;

/// A form sent by a client: names and values in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

/// The form cannot be read, or says something twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// It is not `application/x-www-form-urlencoded`.
    #[error("the body is not application/x-www-form-urlencoded")]
    Malformed,
    /// No form needs so many.
    #[error("the body has more than {MAX_FIELDS} parameters")]
    Many,
    /// OAuth allows no parameter twice (RFC 6749, 3.2).
    #[error("a parameter is there more than once")]
    Repeated,
}

impl Form {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, FormError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').ok_or(FormError::Malformed)?;
            let (name, value) = pair.split_at(at);
            let (name, value) = (decoded(name)?, decoded(value.get(1..).unwrap_or_default())?);
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Repeated);
            }
            if pairs.len() == MAX_FIELDS {
                return Err(FormError::Many);
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same, written in the one way there is.
    pub(super) fn written(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('&');
            }
            encode(&mut text, name);
            text.push('=');
            encode(&mut text, value);
        }
        text
    }
}

/// One part of a form, decoded. Every byte that is not escaped must be one that need not be.
pub(super) fn decoded(part: &[u8]) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().copied().and_then(digit), rest.next().copied().and_then(digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(FormError::Malformed),
            },
            0x21..=0x7e if !b"\"<>\\^`{|}#".contains(byte) => *byte,
            _ => return Err(FormError::Malformed),
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::Malformed)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn encode(text: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_written_in_one_way() {
        let form = Form::read(b"grant_type=urn%3Aietf%3Aparams%3aoauth&scope=open+id%20x&empty=&a=b=c&").unwrap();
        assert_eq!(form.get("grant_type"), Some("urn:ietf:params:oauth"));
        assert_eq!(form.get("scope"), Some("open id x"));
        assert_eq!(form.get("empty"), Some(""));
        assert_eq!(form.get("a"), Some("b=c"));
        assert_eq!(form.get("none"), None);
        let written = form.written();
        assert_eq!(written, "grant_type=urn%3Aietf%3Aparams%3Aoauth&scope=open%20id%20x&empty=&a=b%3Dc");
        assert_eq!(Form::read(written.as_bytes()).unwrap(), form);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for body in
            [&b"grant_type=password&grant_type=refresh_token"[..], b"grant_type=refresh_token&grant%5Ftype=password"]
        {
            assert_eq!(Form::read(body), Err(FormError::Repeated), "{}", body.escape_ascii());
        }
        for body in [
            &b"grant_type"[..],
            b"a=b&grant_type",
            b"a=%",
            b"a=%4",
            b"a=%zz",
            b"a=%ff",
            b"a=\xff",
            b"a=\0",
            b"a=b\r\nc",
            b"a=b c",
            b"{\"grant_type\":\"password\"}",
        ] {
            assert_eq!(Form::read(body), Err(FormError::Malformed), "{}", body.escape_ascii());
        }
        assert_eq!(Form::read(b""), Ok(Form(Vec::new())));
        let many = (0..=MAX_FIELDS).map(|number| format!("a{number}=b&")).collect::<Vec<_>>().concat();
        assert_eq!(Form::read(many.as_bytes()), Err(FormError::Many));
    }
}
