//! What of a call may leave the node.
//!
//! Contexts hide what comes from a source whose name says that it is a secret. In arguments a member's
//! name says so, at any depth: its whole value becomes a pseudonym. An address of a resource leaves like
//! the path of a request: without what follows `?` or `#`, and with what looks like a credential as a
//! pseudonym where paths do so. User and password in it do not leave.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use identity::Secret;
use serde::de::IgnoredAny;

use crate::is_sensitive;
use crate::mask::mask;

/// Arguments as JSON text, secrets in it as pseudonyms. `None` when they are no JSON: then nobody can
/// tell names from values.
pub(crate) fn arguments(json: &[u8], secret: &Secret) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(json).ok()?;
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'"', rest) {
        let (before, from) = rest.split_at(at);
        let (text, after) = from.split_at(string_end(from));
        out.extend_from_slice(before);
        out.extend_from_slice(text);
        rest = after;
        // Only a member's name has a colon behind it.
        let Some(value) = after.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
        if hides(text) && !value.starts_with(b"null") {
            let (hidden, after) = value.split_at(value_end(value));
            out.extend_from_slice(format!(":\"{}\"", pseudonym(hidden, secret)).as_bytes());
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Whether a member's name, written with its quotes, says that its value is a secret. One that is no text
/// says nothing good.
fn hides(name: &[u8]) -> bool {
    serde_json::from_slice::<String>(name).map_or(true, |name| is_sensitive(&name))
}

/// The pseudonym of a value: of what a string stands for, of anything else as it is written.
fn pseudonym(value: &[u8], secret: &Secret) -> String {
    let pseudonym = match serde_json::from_slice::<String>(value) {
        Ok(text) => secret.pseudonym(text.as_bytes()),
        Err(_) => secret.pseudonym(value),
    };
    identity::hex(&pseudonym)
}

/// Where the value ends that sound JSON begins with.
fn value_end(json: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at += string_end(json.get(at..).unwrap_or_default()),
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' if depth > 0 => (depth, at) = (depth - 1, at + 1),
            b'}' | b']' | b',' if depth == 0 => break,
            byte if depth == 0 && byte.is_ascii_whitespace() => break,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the string ends that sound JSON begins with.
fn string_end(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if json.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    json.len()
}

/// The name of a tool or prompt as it is, the address of a resource without its secrets; `masked` says
/// with what to mask it, when paths are.
pub(crate) fn primitive<'a>(name: &'a [u8], masked: Option<&Secret>) -> Cow<'a, [u8]> {
    let Some(scheme) = memchr::memmem::find(name, b"://") else { return Cow::Borrowed(name) };
    let end = name.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(name.len());
    let (head, rest) = name.get(..end).unwrap_or_default().split_at_checked(scheme + 3).unwrap_or((name, b""));
    let authority = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    let user = rest.get(..authority).and_then(|authority| memchr::memrchr(b'@', authority)).map_or(0, |at| at + 1);
    let place = match user {
        0 => Cow::Borrowed(name.get(..end).unwrap_or_default()),
        _ => Cow::Owned([head, rest.get(user..).unwrap_or_default()].concat()),
    };
    match masked {
        Some(secret) => mask(place, secret),
        None => place,
    }
}

/// What a header says: names that are no visible ASCII come as `=?base64?...?=` (SEP-2243 of the
/// protocol).
pub(crate) fn header(value: &[u8]) -> Cow<'_, [u8]> {
    let wrapped = value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?="));
    wrapped.and_then(|text| STANDARD.decode(text).ok()).map_or(Cow::Borrowed(value), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::from_file_bytes(b"s")
    }

    /// Arguments as they leave, with `#value` for the pseudonym of one of `hidden`.
    fn left(json: &str, hidden: &[&str]) -> Option<String> {
        let text = String::from_utf8(arguments(json.as_bytes(), &secret())?).unwrap();
        let told = |text: String, value: &&str| {
            text.replace(&identity::hex(&secret().pseudonym(value.as_bytes())), &format!("#{value}"))
        };
        Some(hidden.iter().fold(text, told))
    }

    #[test]
    fn what_a_members_name_calls_a_secret_leaves_as_its_pseudonym_at_any_depth() {
        for (json, hidden, expected) in [
            (r#"{"q":"x","apiKey":"k1"}"#, &["k1"][..], r##"{"q":"x","apiKey":"#k1"}"##),
            (
                r#"{"a":[{"Pass_Word":1,"PASSWORD" : "p\u0031" , "b":2}]}"#,
                &["p1"],
                r##"{"a":[{"Pass_Word":1,"PASSWORD":"#p1" , "b":2}]}"##,
            ),
            (r#"{"\u0074oken":true,"b":1}"#, &["true"], r##"{"\u0074oken":"#true","b":1}"##),
            (r#"{"cookies":["a","}\"]"],"n":0}"#, &[r#"["a","}\"]"]"#], r##"{"cookies":"#["a","}\"]"]","n":0}"##),
            (
                r#"{"headers":{"Authorization":{"a":{}}},"x":1}"#,
                &[r#"{"a":{}}"#],
                r##"{"headers":{"Authorization":"#{"a":{}}"},"x":1}"##,
            ),
            (r#"{"secret":null,"client-secret":7}"#, &["7"], r##"{"secret":null,"client-secret":"#7"}"##),
            (r#"{"note":"the \"token\": abc"}"#, &[], r#"{"note":"the \"token\": abc"}"#),
            (r#""token""#, &[], r#""token""#),
            ("[]", &[], "[]"),
        ] {
            assert_eq!(left(json, hidden).as_deref(), Some(expected), "{json}");
        }
    }

    #[test]
    fn arguments_that_are_no_json_do_not_leave() {
        for json in ["", r#"{"token" "abc"}"#, r#"{token:"abc"}"#, r#"{"token":"abc""#, r#"{"a":1}{"token":"b"}"#] {
            assert_eq!(left(json, &[]), None, "{json}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_read_hides_its_value() {
        assert_eq!(left(r#"{"\ud800":"a"}"#, &["a"]).as_deref(), Some(r##"{"\ud800":"#a"}"##));
    }

    #[test]
    fn addresses_of_resources_leave_without_their_secrets_and_names_as_they_are() {
        let hex = "0123456789abcdef0123456789abcdef";
        let hidden = identity::hex(&secret().pseudonym(hex.as_bytes()));
        for (name, expected) in [
            ("search".to_owned(), "search".to_owned()),
            (hex.to_owned(), hex.to_owned()),
            ("demo://resource/static/1".to_owned(), "demo://resource/static/1".to_owned()),
            ("https://h/a?token=abc#b".to_owned(), "https://h/a".to_owned()),
            ("postgres://u:p@w@db/t/schema".to_owned(), "postgres://db/t/schema".to_owned()),
            ("file:///at@home".to_owned(), "file:///at@home".to_owned()),
            (format!("x://h/{hex}/now"), format!("x://h/{hidden}/now")),
            ("?://".to_owned(), String::new()),
        ] {
            assert_eq!(String::from_utf8_lossy(&primitive(name.as_bytes(), Some(&secret()))), expected, "{name}");
        }
    }

    #[test]
    fn where_paths_leave_in_clear_an_address_still_leaves_without_its_query() {
        let name = b"x://u:p@h/0123456789abcdef0123456789abcdef?token=abc";
        assert_eq!(primitive(name, None).as_ref(), b"x://h/0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn names_wrapped_for_a_header_are_unwrapped() {
        assert_eq!(header(b"=?base64?Y2Fmw6k=?=").as_ref(), "café".as_bytes());
        assert_eq!(header(b"=?base64?no?=").as_ref(), b"=?base64?no?=");
        assert_eq!(header(b"search").as_ref(), b"search");
    }
}
