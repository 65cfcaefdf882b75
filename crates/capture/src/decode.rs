//! Decoders: from raw bytes to the value that a source names.
//!
//! What cannot be decoded is absent, never an error for the request; [`Undecoded`] counts it by
//! decoder and reason. Each decoder reads a input once for everything that is wanted of it, its
//! time and memory are linear in the input, nothing recurses deeper than a source's path, and what
//! is inflated is bounded. A input may be the beginning of something longer: what lies whole in it
//! is read, what touches its end is not.

mod form;
mod graphql;
mod inflate;
mod input;
mod json;
mod media;
mod multipart;
mod tree;
mod undecoded;
mod xml;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub use graphql::GraphqlPath;
pub(crate) use inflate::{Coding, MAX_INFLATED, inflate};
pub(crate) use input::{Around, Found, Input};
pub(crate) use media::{Media, is_json_rpc, of as media};
pub(crate) use tree::{Tree, Values};
pub use undecoded::{Format, Reason, Undecoded};
pub use xml::XmlPath;

/// One step of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoder {
    /// A value in JSON, by path; `*` takes all elements.
    Json(Vec<String>),
    /// A form field, by name.
    Form(String),
    /// A field of a multipart body, or the name of a file in it.
    Multipart(String),
    /// An element or an attribute in XML.
    Xml(XmlPath),
    /// Something of a GraphQL request.
    Graphql(GraphqlPath),
    /// A claim in the header of a JWT.
    JwtHeader(Vec<String>),
    /// A claim in its payload.
    JwtPayload(Vec<String>),
    /// Base64 in either alphabet, with or without padding.
    Base64,
    /// Gzip.
    Gzip,
    /// Percent-encoding, `+` stays `+`.
    Percent,
    /// What follows the scheme in `Authorization`.
    Bearer,
}

impl Decoder {
    /// Who counts what this one cannot read. What cannot fail counts as a body.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Json(_) => Format::Json,
            Self::Form(_) => Format::Form,
            Self::Multipart(_) => Format::Multipart,
            Self::Xml(_) => Format::Xml,
            Self::Graphql(_) => Format::Graphql,
            Self::JwtHeader(_) | Self::JwtPayload(_) => Format::Jwt,
            Self::Base64 => Format::Base64,
            Self::Gzip => Format::Gzip,
            Self::Percent | Self::Bearer => Format::Body,
        }
    }

    /// Applies the decoder to a whole value. `None` when what it takes is not there or cannot be
    /// read; the latter counts.
    pub fn apply<'a>(&self, input: Cow<'a, [u8]>, undecoded: &mut Undecoded) -> Option<Cow<'a, [u8]>> {
        match input {
            Cow::Borrowed(bytes) => self.apply_to(bytes, undecoded),
            Cow::Owned(bytes) => self.apply_to(&bytes, undecoded).map(|value| Cow::Owned(value.into_owned())),
        }
    }

    fn apply_to<'a>(&self, bytes: &'a [u8], undecoded: &mut Undecoded) -> Option<Cow<'a, [u8]>> {
        let mut found = read(std::slice::from_ref(self), Input::whole(bytes), Around::default());
        found.count(self.format(), undecoded);
        // The next decoder may read a beginning; a value is never one.
        found.values.pop().flatten().filter(|_| !found.cut)
    }
}

/// Reads what decoders of one kind take from a input.
pub(crate) fn read<'d>(decoders: &[Decoder], input: Input<'d>, around: Around) -> Found<'d> {
    match decoders.first() {
        None => Found::none_of(0),
        Some(Decoder::Json(_)) => json::read(input, decoders),
        Some(Decoder::JwtHeader(_)) => jwt(input, 0, decoders),
        Some(Decoder::JwtPayload(_)) => jwt(input, 1, decoders),
        Some(Decoder::Form(_)) => form::read(input, &names(decoders)),
        Some(Decoder::Multipart(_)) => {
            let boundary = around.content_type.and_then(multipart::boundary);
            multipart::read(input, boundary.as_deref(), &names(decoders))
        }
        Some(Decoder::Xml(_)) => xml::read(input, &xml_paths(decoders)),
        Some(Decoder::Graphql(_)) if around.query => graphql::read_query(input, &graphql_paths(decoders)),
        Some(Decoder::Graphql(_)) => graphql::read(input, &graphql_paths(decoders)),
        Some(Decoder::Base64) => {
            // Of a beginning, what whole groups of four hold.
            let len = if input.cut { input.bytes.len() / 4 * 4 } else { input.bytes.len() };
            let decoded = input.bytes.get(..len).and_then(base64);
            decoded.map_or_else(|| Found::failed(1, Reason::Malformed), |bytes| Found::whole(bytes, input.cut))
        }
        Some(Decoder::Gzip) => inflate(input, Coding::Gzip, MAX_INFLATED),
        Some(Decoder::Percent) => percent(input),
        Some(Decoder::Bearer) => match credential(input.bytes) {
            Some((_, rest)) => Found::whole(rest, input.cut),
            None => Found::none_of(1),
        },
    }
}

fn names(decoders: &[Decoder]) -> Vec<&str> {
    taken(decoders, |decoder| match decoder {
        Decoder::Form(name) | Decoder::Multipart(name) => Some(name.as_str()),
        _ => None,
    })
}

fn xml_paths(decoders: &[Decoder]) -> Vec<&XmlPath> {
    taken(decoders, |decoder| if let Decoder::Xml(path) = decoder { Some(path) } else { None })
}

fn graphql_paths(decoders: &[Decoder]) -> Vec<&GraphqlPath> {
    taken(decoders, |decoder| if let Decoder::Graphql(path) = decoder { Some(path) } else { None })
}

/// What each of some decoders takes.
fn taken<'p, P: ?Sized>(decoders: &'p [Decoder], what: impl Fn(&'p Decoder) -> Option<&'p P>) -> Vec<&'p P> {
    decoders.iter().filter_map(what).collect()
}

/// Percent-decoding that leaves `+` and broken escapes alone.
fn percent(input: Input) -> Found {
    let mut bytes = input.bytes;
    if input.cut
        && let Some(at) = memchr::memrchr(b'%', bytes).filter(|at| at + 3 > bytes.len())
    {
        bytes = bytes.get(..at).unwrap_or_default();
    }
    Found::whole(percent_encoding::percent_decode(bytes), input.cut)
}

fn jwt(input: Input, part: usize, decoders: &[Decoder]) -> Found<'static> {
    match jwt_part(input.bytes, part) {
        Some(document) => json::read(Input::whole(&document), decoders).owned(),
        None => Found::failed(decoders.len(), input.end()),
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

/// Claims of a JSON object in one pass: the first scalar of each wanted member, as text.
pub fn scalar_members<const N: usize>(document: &[u8], names: [&str; N]) -> [Option<String>; N] {
    json::scalars(document, names).map(|value| String::from_utf8(value?.into_owned()).ok())
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
        // Also where reading goes on for another path.
        let paths = [Decoder::Json(vec!["a".into()]), Decoder::Json(vec!["b".into()])];
        let body = Input { bytes: br#"{"a":1,"a":2,"a":{"a":3},"b":4}"#, cut: false };
        let found = json::read(body, &paths).values;
        assert_eq!(found, [Some(Cow::Borrowed(&b"1"[..])), Some(Cow::Borrowed(&b"4"[..]))]);
    }

    #[test]
    fn a_value_before_the_damage_is_read_and_one_behind_it_is_counted() {
        assert_eq!(json_at("a", r#"{"a":"whole","b":"cu"#).as_deref(), Some("whole"));
        let mut undecoded = Undecoded::default();
        let path = Decoder::Json(vec!["b".into()]);
        assert_eq!(path.apply(Cow::Borrowed(br#"{"a":"whole","b":"cu"#), &mut undecoded), None);
        assert_eq!(undecoded.get(Format::Json, Reason::Malformed), 1);
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
