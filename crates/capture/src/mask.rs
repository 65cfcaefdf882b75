//! Credentials in paths: reset links and the like carry them, and a path leaves the node in clear.
//!
//! Works on the path as the client sent it, segment by segment: a slash that is encoded belongs to
//! its segment, and base64 has slashes.

use std::borrow::Cow;
use std::ops::Range;

use identity::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Shortest run of base64 or hex characters that is taken for a credential.
const CREDENTIAL_LENGTH: usize = 32;
/// Longest word of a slug (`how-to-choose-a-very-good-bicycle`), which is no credential.
const WORD_LENGTH: usize = 20;
/// What is encoded again in a segment that was decoded to be masked.
const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b';').remove(b'=');

/// Replaces each run in a raw path that looks like a credential by its pseudonym.
pub(crate) fn mask<'a>(path: Cow<'a, [u8]>, secret: &Secret) -> Cow<'a, [u8]> {
    if path.len() < CREDENTIAL_LENGTH {
        return path;
    }
    let segments = || path.split(|&b| b == b'/');
    // A run is no longer than its segment, and decoding only shortens.
    if !segments().any(|segment| segment.len() >= CREDENTIAL_LENGTH && mask_segment(segment, secret).is_some()) {
        return path;
    }
    let masked: Vec<Cow<[u8]>> =
        segments().map(|segment| mask_segment(segment, secret).map_or(Cow::Borrowed(segment), Cow::Owned)).collect();
    Cow::Owned(masked.join(&b'/'))
}

/// The segment with its credentials replaced; `None` when it has none.
fn mask_segment(segment: &[u8], secret: &Secret) -> Option<Vec<u8>> {
    let decoded: Cow<[u8]> = percent_decode(segment).into();
    let mut out = Vec::new();
    let mut end = 0;
    for run in credentials(&decoded) {
        out.extend_from_slice(decoded.get(end..run.start)?);
        let pseudonym = secret.pseudonym(decoded.get(run.clone())?);
        out.extend_from_slice(identity::hex(&pseudonym).as_bytes());
        end = run.end;
    }
    if end == 0 {
        return None;
    }
    out.extend_from_slice(decoded.get(end..)?);
    Some(percent_encode(&out, SEGMENT).to_string().into_bytes())
}

/// JWTs, and runs of 32 or more characters of base64 or hex; no UUIDs, no slugs made of words.
fn credentials(segment: &[u8]) -> Vec<Range<usize>> {
    let dotted = runs(0, segment, |b| is_base64(b) || b == b'.');
    let found = dotted.into_iter().flat_map(|range| {
        let text = segment.get(range.clone()).unwrap_or_default();
        let jwt = text.starts_with(b"eyJ") && memchr::memchr_iter(b'.', text).count() == 2;
        if jwt { vec![range] } else { runs(range.start, text, is_base64) }
    });
    found.filter(|range| segment.get(range.clone()).is_some_and(looks_like_credential)).collect()
}

/// The longest runs of wanted bytes, as ranges that begin at `offset`.
fn runs(offset: usize, text: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut at = offset;
    let pieces = text.split(|&b| !wanted(b)).map(|piece| {
        let range = at..at + piece.len();
        at = range.end + 1;
        range
    });
    pieces.filter(|range| range.len() >= CREDENTIAL_LENGTH).collect()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn looks_like_credential(run: &[u8]) -> bool {
    !is_uuid(run) && !is_slug(run)
}

fn is_uuid(run: &[u8]) -> bool {
    run.len() == 36
        && run.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_slug(run: &[u8]) -> bool {
    let letters = |word: &[u8]| word.iter().all(u8::is_ascii_lowercase);
    let digits = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    run.split(|b| matches!(b, b'-' | b'_' | b'/'))
        .all(|word| word.len() <= WORD_LENGTH && (letters(word) || digits(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path masked, with `{}` where a pseudonym of `credential` stands.
    fn masked(path: &str, credential: &str) -> String {
        let secret = Secret::from_file_bytes(b"s");
        let out = mask(Cow::Borrowed(path.as_bytes()), &secret);
        String::from_utf8(out.into_owned())
            .unwrap()
            .replace(&identity::hex(&secret.pseudonym(credential.as_bytes())), "{}")
    }

    #[test]
    fn credentials_in_paths_become_pseudonyms_wherever_they_stand_in_a_segment() {
        let hex = "0123456789ABCDEF0123456789abcdef";
        for (path, credential, expected) in [
            (format!("/reset/{hex}/now"), hex, "/reset/{}/now"),
            (format!("/app/page.jsp;jsessionid={hex}"), hex, "/app/page.jsp;jsessionid={}"),
            (
                "/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe".into(),
                "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
                "/bot110201543%3A{}/getMe",
            ),
            ("/t/kQ7vT%2FzN3b%2Fx9Lq2Wm4Rt6Yp8Us0Df1Gh%3D".into(), "kQ7vT/zN3b/x9Lq2Wm4Rt6Yp8Us0Df1Gh", "/t/{}="),
            ("/t/eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.c2ln".into(), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1In0.c2ln", "/t/{}"),
            (format!("/a/{hex}.json"), hex, "/a/{}.json"),
        ] {
            assert_eq!(masked(&path, credential), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_credential_stays_as_it_is() {
        for path in [
            "/users/0190a5f0-7c3e-7b1a-9c6d-2f3e4d5c6b7a/cart",
            "/blog/how-to-choose-a-very-good-bicycle-in-2026",
            "/x/0123456789abcdef",
            "/a-file.name.with.dots.and.more.of.them.js",
            "/get/docs%2Fguide%2Fhow%2Fto%2Finstall%2Fa%2Fmodule",
        ] {
            assert_eq!(masked(path, ""), path);
        }
    }
}
