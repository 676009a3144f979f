//! Text of others, made harmless where it is shown.

use std::{borrow::Cow, fmt::Write as _, iter::Peekable, str::Chars};

use wallet_core::text::is_control;

/// Text without control characters and without the escape sequences they start.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => skip_parameters(&mut chars),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut chars),
                _ => {}
            },
            '\u{9b}' => skip_parameters(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\n' | '\t' => out.push(' '),
            c if is_control(c) => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The rest of a control sequence: up to its final byte.
fn skip_parameters(chars: &mut Peekable<Chars<'_>>) {
    for c in chars.by_ref() {
        if matches!(c, '\u{40}'..='\u{7e}') {
            break;
        }
    }
}

/// The rest of an operating system command or another string: up to BEL or ST.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next() {
        if c == '\u{7}' || c == '\u{9c}' {
            break;
        }
        if c == '\u{1b}' {
            chars.next_if_eq(&'\\');
            break;
        }
    }
}

/// A csv text cell that a spreadsheet would run as a formula gets a leading apostrophe.
pub fn csv_guard(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON text with the control characters that JSON itself lets through (DEL, C1, bidirectional)
/// written as escapes: the same value, harmless on a terminal.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let harmful = |c: char| is_control(c) && c != '\n';
    if !json.chars().any(harmful) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if harmful(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_escape_sequences_never_reach_a_terminal() {
        for (given, shown) in [
            ("rent, flat 3 ünï", "rent, flat 3 ünï"),
            ("a\u{1b}[31mred\u{1b}[0m", "ared"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("\u{9b}2Jx\u{9d}y\u{9c}z", "xz"),
            ("a\u{202e}b\u{2028}c\0d\u{7f}", "abcd"),
            ("a\nb\tc", "a b c"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}cx", "x"),
        ] {
            assert_eq!(sanitize(given), shown, "{given:?}");
        }
    }

    #[test]
    fn formulas_are_quoted_in_csv() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert_eq!(csv_guard(bad), format!("'{bad}"));
        }
        assert_eq!(csv_guard("rent = 3"), "rent = 3");
    }

    #[test]
    fn json_stays_the_same_value_without_raw_controls() {
        let json = serde_json::json!({"memo": "a\u{9b}31m\u{202e}\u{7f}\n"}).to_string();
        let escaped = escape_json(&json);
        assert!(!escaped.chars().any(is_control));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            serde_json::from_str::<serde_json::Value>(&json).unwrap()
        );
    }
}
