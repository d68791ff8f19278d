//! JSON as the hub writes it into lines of a stream or answers: compact, and without characters that end lines for some.
//!
//! U+0085, U+2028 and U+2029 are legal in JSON, but two clients cut data at them (sse-clients.md §1, rule 11).

use std::fmt;

/// A text, shown as a JSON string.
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut written = 0;
        for (at, char) in self.0.char_indices() {
            if !(char.is_control() || is_line_end(char) || matches!(char, '"' | '\\')) {
                continue;
            }
            f.write_str(&self.0[written..at])?;
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                _ => write!(f, "\\u{:04x}", u32::from(char))?,
            }
            written = at + char.len_utf8();
        }
        f.write_str(&self.0[written..])?;
        f.write_str("\"")
    }
}

/// Removes white space between the tokens of valid JSON and escapes what ends lines. Everything else stays as written:
/// numbers keep their digits, objects their order and their repeated names.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut in_string = false;
    let mut after_backslash = false;
    for char in json.chars() {
        match char {
            '"' if !after_backslash => in_string = !in_string,
            ' ' | '\t' | '\r' | '\n' if !in_string => continue,
            _ => {}
        }
        after_backslash = char == '\\' && !after_backslash;
        if is_line_end(char) {
            out.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            out.push(char);
        }
    }
    out
}

fn is_line_end(char: char) -> bool {
    matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn compact_changes_only_white_space_and_line_ends() {
        for (json, expected) in [
            ("{ \"a\" : [ 1 , 2 ] }", r#"{"a":[1,2]}"#),
            ("\t[\r\n1.50e+2 ]", "[1.50e+2]"),
            (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":2}"#),
            (r#"[ " \" , \\" , " " ]"#, r#"[" \" , \\"," "]"#),
            ("[\"a\u{2028}b\u{85}c\u{2029}\"]", r#"["a\u2028b\u0085c\u2029"]"#),
            ("12345678901234567890123", "12345678901234567890123"),
            (r#"["\ud83d\ude00é"]"#, r#"["\ud83d\ude00é"]"#),
        ] {
            assert_eq!(compact(json), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_read_back_by_any_json_parser(text in any::<String>()) {
            let json = JsonText(&text).to_string();
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            prop_assert!(!json.chars().any(|char| char.is_control() || is_line_end(char)));

            let spaced = format!(" {{ {json} : [ {json} ] }} ");
            prop_assert_eq!(compact(&spaced), format!("{{{json}:[{json}]}}"));
        }
    }
}
