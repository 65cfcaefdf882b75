//! What a segment of a path says by its looks alone: a word that names something, or a value.

/// Longest segment that is taken for a word, in bytes.
const MAX_WORD: usize = 64;
/// Shortest run of hex digits, some of them numbers, that is taken for a hash.
const HEX_LENGTH: usize = 16;
/// Shortest run of base64 characters, of upper and lower case and numbers, that is taken for one.
const BASE64_LENGTH: usize = 20;

/// A segment of which a place has too many to tell them apart.
pub(super) const NAME: &str = "{name}";
/// What follows the part of a path that is known.
pub(super) const REST: &str = "{rest}";

/// The segment as it stands in a template: a word itself, or a placeholder.
pub(super) fn general(segment: &str) -> &str {
    let bytes = segment.as_bytes();
    if is_placeholder(segment) {
        segment
    } else if bytes.len() > MAX_WORD && !holds_hash(bytes) || bytes.iter().any(|b| b"{}".contains(b) || *b < b' ') {
        "{text}"
    } else if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) {
        "{id}"
    } else if is_uuid(bytes) {
        "{uuid}"
    } else if is_date(bytes) {
        "{date}"
    } else if is_email(segment) {
        "{email}"
    } else if holds_hash(bytes) {
        "{hash}"
    } else {
        segment
    }
}

/// Whether a segment stands for many.
pub(super) fn is_placeholder(segment: &str) -> bool {
    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| {
        !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    })
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// `2026-01-31`, and what may follow it as in `2026-01-31T12:00:00Z`.
fn is_date(bytes: &[u8]) -> bool {
    let Some((date, rest)) = bytes.split_at_checked(10) else { return false };
    let shaped = date.iter().enumerate().all(|(i, b)| match i {
        4 | 7 => *b == b'-',
        _ => b.is_ascii_digit(),
    });
    shaped && rest.first().is_none_or(|b| matches!(b, b'T' | b't' | b' '))
}

fn is_email(segment: &str) -> bool {
    segment.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
}

/// Whether a long run of hex or base64 is in it: a hash, a token, or the pseudonym of one.
fn holds_hash(bytes: &[u8]) -> bool {
    let has = |run: &[u8], of: fn(&u8) -> bool| run.iter().any(of);
    let is_base64 = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let mixed = |run: &[u8]| {
        run.len() >= BASE64_LENGTH
            && has(run, u8::is_ascii_digit)
            && has(run, u8::is_ascii_uppercase)
            && (has(run, u8::is_ascii_lowercase) || run.iter().all(u8::is_ascii_alphanumeric))
    };
    bytes.len() >= HEX_LENGTH
        && (bytes.split(|b| !b.is_ascii_hexdigit()).any(|run| run.len() >= HEX_LENGTH && has(run, u8::is_ascii_digit))
            || bytes.split(|b| !is_base64(b)).any(mixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_from_words_by_their_looks() {
        let long = "x".repeat(65);
        let long_hash = "0123456789abcdef".repeat(8);
        for (segment, expected) in [
            ("users", "users"),
            ("v1", "v1"),
            ("2fa", "2fa"),
            ("", ""),
            ("index.html", "index.html"),
            ("how-to-choose-a-very-good-bicycle", "how-to-choose-a-very-good-bicycle"),
            ("accessibilitystatement", "accessibilitystatement"),
            ("deadbeefdeadbeef", "deadbeefdeadbeef"),
            ("0", "{id}"),
            ("12345678901234567890123", "{id}"),
            ("550e8400-e29b-41d4-a716-446655440000", "{uuid}"),
            ("550E8400-E29B-41D4-A716-446655440000", "{uuid}"),
            ("2026-01-31", "{date}"),
            ("2026-01-31T12:00:00Z", "{date}"),
            ("2026-01-31x", "2026-01-31x"),
            ("a.b@shop.example", "{email}"),
            ("@types", "@types"),
            ("a@b", "a@b"),
            ("d41d8cd98f00b204e9800998ecf8427e", "{hash}"),
            (&long_hash, "{hash}"),
            ("page.jsp;jsessionid=d41d8cd98f00b204e9800998ecf8427e", "{hash}"),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "{hash}"),
            ("AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "{hash}"),
            (&long, "{text}"),
            ("{x", "{text}"),
            ("{}", "{text}"),
            ("a\u{0}b", "{text}"),
            ("{id}", "{id}"),
            ("grüße", "grüße"),
        ] {
            assert_eq!(general(segment), expected, "{segment}");
            assert_eq!(general(general(segment)), general(segment), "{segment}");
        }
    }
}
