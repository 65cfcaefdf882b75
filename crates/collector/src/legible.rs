//! Texts of others, made harmless to look at: values come from clients of the watched site, who may try
//! to write to the reader's screen, or to turn what he reads.

/// `text` without anything that a terminal obeys: control characters, and those that turn the
/// direction of writing, show as escapes; line ends too.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if steers(char) => {
                shown.push_str(&format!("\\u{{{:x}}}", char as u32));
            }
            _ if char.is_control() => shown.push_str(&format!("\\x{:02x}", char as u32)),
            _ => shown.push(char),
        }
    }
    shown
}

/// JSON of the same meaning without anything that a terminal obeys but line ends.
pub fn escape_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for char in json.chars() {
        // They can only stand within strings.
        if char != '\n' && !is_plain(char) {
            shown.push_str(&format!("\\u{:04x}", char as u32));
        } else {
            shown.push(char);
        }
    }
    shown
}

/// A number with what it counts: `1 row`, `2 rows`.
pub fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Whether it is what it looks like.
pub fn is_plain(char: char) -> bool {
    !char.is_control() && !steers(char)
}

/// Whether it turns the direction of writing, or is not to be seen.
fn steers(char: char) -> bool {
    matches!(char,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
