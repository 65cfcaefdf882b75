//! Credentials in paths: reset links and the like carry them, and a path leaves the node in clear.

use std::borrow::Cow;

use identity::Secret;

/// Shortest run of base64 or hex characters that is taken for a credential.
const CREDENTIAL_LENGTH: usize = 32;
/// Longest word of a slug (`how-to-choose-a-very-good-bicycle`), which is no credential.
const WORD_LENGTH: usize = 20;

/// Replaces each path segment that looks like a credential by its pseudonym.
pub(crate) fn mask<'a>(path: Cow<'a, str>, secret: &Secret) -> Cow<'a, str> {
    if path.len() < CREDENTIAL_LENGTH || !path.split('/').any(looks_like_credential) {
        return path;
    }
    let masked: Vec<Cow<str>> = path
        .split('/')
        .map(|segment| match looks_like_credential(segment) {
            true => Cow::Owned(identity::hex(&secret.pseudonym(segment.as_bytes()))),
            false => Cow::Borrowed(segment),
        })
        .collect();
    Cow::Owned(masked.join("/"))
}

/// JWTs, and 32 or more characters of base64 or hex; no UUIDs, no slugs made of words.
fn looks_like_credential(segment: &str) -> bool {
    if segment.len() < CREDENTIAL_LENGTH {
        return false;
    }
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'_' | b'=');
    let is_jwt = segment.starts_with("eyJ") && segment.bytes().all(|b| is_base64(b) || b == b'.');
    is_jwt || (segment.bytes().all(is_base64) && !is_uuid(segment) && !is_slug(segment))
}

fn is_uuid(segment: &str) -> bool {
    segment.len() == 36
        && segment.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_slug(segment: &str) -> bool {
    let letters = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase());
    let digits = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    segment.split(['-', '_']).all(|word| word.len() <= WORD_LENGTH && (letters(word) || digits(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_paths_become_pseudonyms() {
        let secret = Secret::from_file_bytes(b"s");
        let token = "0123456789abcdef0123456789abcdef";
        let masked = mask(format!("/reset/{token}/now").into(), &secret);
        assert_eq!(masked, format!("/reset/{}/now", identity::hex(&secret.pseudonym(token.as_bytes()))));
    }

    #[test]
    fn what_looks_like_a_credential() {
        for segment in [
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.c2ln",
            "dGhpcyBpcyBhIHNlY3JldCB0b2tlbiBvZiBtaW5l",
            "DEADBEEFDEADBEEFDEADBEEFDEADBEEF",
            "k3Fh-29fKd_2hfKq09fHs7Gk20fjKw92",
        ] {
            assert!(looks_like_credential(segment), "{segment}");
        }
    }

    #[test]
    fn what_does_not() {
        for segment in [
            "0190a5f0-7c3e-7b1a-9c6d-2f3e4d5c6b7a",
            "how-to-choose-a-very-good-bicycle-in-2026",
            "0123456789abcdef",
            "a-file.name.with.dots.and.more.of.them.js",
        ] {
            assert!(!looks_like_credential(segment), "{segment}");
        }
    }
}
