//! Decoders: from raw bytes to the value that a source names.
//!
//! What cannot be decoded is absent, never an error for the request; [`Undecoded`] counts it by
//! decoder so that a wrong configuration shows. Time and memory are linear in the input, and only
//! the wanted path of a JSON document is read, up to the value that is wanted.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::json;

/// One step of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// A value in JSON, by path; `*` takes all elements.
    Json(Vec<String>),
    /// A claim in the header of a JWT.
    JwtHeader(Vec<String>),
    /// A claim in its payload.
    JwtPayload(Vec<String>),
    /// Base64 in either alphabet, with or without padding.
    Base64,
    /// Percent-encoding, `+` stays `+`.
    Percent,
    /// What follows the scheme in `Authorization`.
    Bearer,
}

/// How often each decoder could not read what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecoded {
    /// Broken JSON before the wanted value.
    pub json: u64,
    /// Not a JWT.
    pub jwt: u64,
    /// Not base64.
    pub base64: u64,
}

impl Decoder {
    /// Applies the decoder. `None` when the value is not there or cannot be read; the latter counts.
    pub fn apply<'a>(&self, input: Cow<'a, [u8]>, undecoded: &mut Undecoded) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Json(path) => match input {
                Cow::Borrowed(document) => json(document, path, &mut undecoded.json),
                Cow::Owned(document) => {
                    json(&document, path, &mut undecoded.json).map(|value| Cow::Owned(value.into_owned()))
                }
            },
            Self::JwtHeader(path) => jwt(&input, 0, path, undecoded).map(Cow::Owned),
            Self::JwtPayload(path) => jwt(&input, 1, path, undecoded).map(Cow::Owned),
            Self::Base64 => match base64(&input) {
                Some(bytes) => Some(Cow::Owned(bytes)),
                None => {
                    undecoded.base64 += 1;
                    None
                }
            },
            Self::Percent => Some(match percent_encoding::percent_decode(&input).into() {
                // Nothing was encoded: keep the borrow of the input.
                Cow::Borrowed(_) => input,
                Cow::Owned(decoded) => Cow::Owned(decoded),
            }),
            Self::Bearer => match input {
                Cow::Borrowed(bytes) => credential(bytes).map(|(_, rest)| Cow::Borrowed(rest)),
                Cow::Owned(bytes) => credential(&bytes).map(|(_, rest)| Cow::Owned(rest.to_vec())),
            },
        }
    }
}

/// Splits `Authorization` into scheme and credential (RFC 9110, section 11.4).
pub fn credential(authorization: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', authorization)?;
    let (scheme, rest) = authorization.split_at(space);
    let rest = rest.trim_ascii();
    (!scheme.is_empty() && !rest.is_empty()).then_some((scheme, rest))
}

/// Decodes base64 in the standard or the URL-safe alphabet, padded or not.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    const LAX: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LAX);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LAX);
    let url_safe = memchr::memchr2(b'-', b'_', text).is_some();
    let mut bytes = Vec::with_capacity(text.len());
    if url_safe { URL_SAFE.decode_vec(text, &mut bytes) } else { STANDARD.decode_vec(text, &mut bytes) }.ok()?;
    Some(bytes)
}

/// One part (0 header, 1 payload) of a JWT, decoded. `Bearer ` before it does not matter.
pub fn jwt_part(input: &[u8], part: usize) -> Option<Vec<u8>> {
    let token = match credential(input) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer") => rest,
        _ => input,
    };
    let (header, rest) = split_at_dot(token)?;
    let (payload, signature) = split_at_dot(rest)?;
    if split_at_dot(signature).is_some() {
        return None;
    }
    base64(if part == 0 { header } else { payload })
}

fn split_at_dot(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'.', text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn jwt(input: &[u8], part: usize, path: &[String], undecoded: &mut Undecoded) -> Option<Vec<u8>> {
    let Some(document) = jwt_part(input, part) else {
        undecoded.jwt += 1;
        return None;
    };
    json(&document, path, &mut undecoded.jwt).map(Cow::into_owned)
}

/// The value at `path`: strings unescaped, everything else as it is written; `null` and what is not
/// there are absent. Several (after `*`) are joined by `,`.
fn json<'a>(document: &'a [u8], path: &[String], undecoded: &mut u64) -> Option<Cow<'a, [u8]>> {
    let mut values: Option<Cow<[u8]>> = None;
    let read = json::find(document, path, |raw| {
        let Some(value) = json::text_of(raw) else { return };
        match &mut values {
            None => values = Some(value),
            Some(values) => {
                let values = values.to_mut();
                values.push(b',');
                values.extend_from_slice(&value);
            }
        }
    });
    if read.is_err() {
        *undecoded += 1;
        return None;
    }
    values
}

/// Claims of a JSON object in one pass: the first scalar of each wanted member, as text.
pub fn scalar_members<const N: usize>(document: &[u8], names: [&str; N]) -> [Option<String>; N] {
    let mut values = [const { None }; N];
    let read = json::each_member(document, |name, raw| {
        let wanted = names.iter().zip(&mut values).find(|(wanted, _)| name.is(wanted));
        if let Some((_, value @ None)) = wanted
            && !matches!(raw, [b'{' | b'[', ..])
        {
            *value = json::text_of(raw).and_then(|text| String::from_utf8(text.into_owned()).ok());
        }
    });
    if read.is_ok() { values } else { [const { None }; N] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(decoder: Decoder, input: &[u8]) -> Option<String> {
        let mut undecoded = Undecoded::default();
        let value = decoder.apply(Cow::Borrowed(input), &mut undecoded)?;
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    fn json_at(path: &str, document: &str) -> Option<String> {
        read(Decoder::Json(path.split('.').map(str::to_owned).collect()), document.as_bytes())
    }

    #[test]
    fn json_values_are_found_by_path() {
        let document = r#"{"a":{"b":["x",{"c":"v\u0041\n"}]},"n":1.50,"t":true,"z":null,"o":{"k":[1, 2]}}"#;
        for (path, value) in [
            ("a.b.1.c", Some("vA\n")),
            ("a.b.0", Some("x")),
            ("n", Some("1.50")),
            ("t", Some("true")),
            ("z", None),
            ("o.k", Some("[1, 2]")),
            ("o.k.*", Some("1,2")),
            ("a.b.7", None),
            ("a.q", None),
            ("n.deeper", None),
        ] {
            assert_eq!(json_at(path, document).as_deref(), value, "{path}");
        }
    }

    #[test]
    fn a_star_takes_all_elements() {
        assert_eq!(json_at("*.id", r#"[{"id":"a"},{"no":1},{"id":"b"}]"#).as_deref(), Some("a,b"));
    }

    #[test]
    fn of_repeated_members_the_first_counts() {
        assert_eq!(json_at("a", r#"{"a":1,"a":2}"#).as_deref(), Some("1"));
    }

    #[test]
    fn a_value_before_the_damage_is_read_and_one_behind_it_is_counted() {
        assert_eq!(json_at("a", r#"{"a":"whole","b":"cu"#).as_deref(), Some("whole"));
        let mut undecoded = Undecoded::default();
        let path = Decoder::Json(vec!["b".into()]);
        assert_eq!(path.apply(Cow::Borrowed(br#"{"a":"whole","b":"cu"#), &mut undecoded), None);
        assert_eq!(undecoded.json, 1);
    }

    #[test]
    fn deep_nesting_is_absent_not_a_crash() {
        assert_eq!(json_at("a", &"[".repeat(100_000)), None);
        assert_eq!(json_at("a", &r#"{"a":"#.repeat(100_000)), None);
    }

    #[test]
    fn claims_are_read_with_and_without_bearer() {
        // {"alg":"none","kid":"k1"} . {"sub":"user-7","details":{"username":"ann"}}
        let token =
            "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.eyJzdWIiOiJ1c2VyLTciLCJkZXRhaWxzIjp7InVzZXJuYW1lIjoiYW5uIn19.c2ln";
        let claim = Decoder::JwtPayload(vec!["details".into(), "username".into()]);
        for input in [token.to_owned(), format!("Bearer {token}"), format!("bearer  {token}")] {
            assert_eq!(read(claim.clone(), input.as_bytes()).as_deref(), Some("ann"));
        }
        assert_eq!(read(Decoder::JwtHeader(vec!["kid".into()]), token.as_bytes()).as_deref(), Some("k1"));
        assert_eq!(read(claim.clone(), b"Bearer opaque"), None);
        assert_eq!(read(claim, b"a.%%%.c"), None);
    }

    #[test]
    fn base64_is_read_in_either_alphabet_with_or_without_padding() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(&[0xfb, 0xff][..]), "{text}");
        }
        assert_eq!(base64(b"!"), None);
    }

    #[test]
    fn percent_decodes_and_leaves_plus_alone() {
        assert_eq!(read(Decoder::Percent, b"a%2Bb+c%zz").as_deref(), Some("a+b+c%zz"));
    }

    #[test]
    fn bearer_is_what_follows_the_scheme() {
        assert_eq!(read(Decoder::Bearer, b"Bearer  tok ").as_deref(), Some("tok"));
        assert_eq!(read(Decoder::Bearer, b"tok"), None);
        assert_eq!(read(Decoder::Bearer, b"Bearer "), None);
    }

    #[test]
    fn members_are_read_in_one_pass() {
        let [iss, sub, none] = scalar_members(br#"{"sub":7,"x":{},"iss":"i"}"#, ["iss", "sub", "none"]);
        assert_eq!((iss.as_deref(), sub.as_deref(), none), (Some("i"), Some("7"), None));
        assert_eq!(scalar_members(br#"{"a":{"b":1},"c":[]}"#, ["a", "c"]), [None, None]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_decoded_or_absent(bytes: Vec<u8>) {
            for decoder in [
                Decoder::Json(vec!["*".into(), "a".into()]),
                Decoder::JwtPayload(vec!["sub".into()]),
                Decoder::Base64,
                Decoder::Percent,
                Decoder::Bearer,
            ] {
                let _ = decoder.apply(Cow::Borrowed(&bytes), &mut Undecoded::default());
            }
        }
    }
}
