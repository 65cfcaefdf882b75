//! Values inside header fields: cookies and `Authorization`.

use identity::Builtin;

use crate::decode;

/// The first cookie of exactly this name in a `Cookie` header (RFC 6265, section 4.2.1).
pub(crate) fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    header.split(|&b| b == b';').find_map(|pair| named_value(pair, name))
}

/// The value that a `Set-Cookie` header gives to the cookie of exactly this name.
pub(crate) fn set_cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    named_value(cookie_set(header)?, name)
}

/// The pair of a `Set-Cookie` header; `None` when the header deletes the cookie: what stands in it
/// then (`deleted`, say) is equal for everybody.
///
/// `Max-Age` decides; else an `Expires` of before 2000, as everybody writes who means "long ago".
pub(crate) fn cookie_set(header: &[u8]) -> Option<&[u8]> {
    let mut parts = header.split(|&b| b == b';');
    let pair = parts.next()?;
    let mut expired = false;
    for attribute in parts.filter_map(|part| std::str::from_utf8(part).ok()) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match name.trim() {
            name if name.eq_ignore_ascii_case("max-age") => {
                return value.trim().parse().is_ok_and(|seconds: i64| seconds > 0).then_some(pair);
            }
            name if name.eq_ignore_ascii_case("expires") => expired = is_long_ago(value),
            _ => {}
        }
    }
    (!expired).then_some(pair)
}

/// Whether a date in any of the forms of RFC 6265, section 5.1.1, has a year of four digits before 2000.
fn is_long_ago(date: &str) -> bool {
    let numbers = date.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 4);
    numbers.filter_map(|digits| digits.parse().ok()).any(|year: u16| year < 2000)
}

/// Of the cookies in `header` that have a value, the one whose name stands first in `names`.
pub(crate) fn first_cookie<'a>(header: &'a [u8], names: &[Builtin]) -> Option<(usize, &'a [u8])> {
    let known = header.split(|&b| b == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = pair.split_at(memchr::memchr(b'=', pair)?);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let rank = names.iter().position(|known| known.name.as_bytes() == name.trim_ascii_end())?;
        (!value.is_empty()).then_some((rank, value))
    });
    // Of equal names the first counts: `min_by_key` keeps it.
    known.min_by_key(|&(rank, _)| rank)
}

fn named_value<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let pair = pair.trim_ascii();
    let value = pair.strip_prefix(name.as_bytes())?.trim_ascii_start().strip_prefix(b"=")?;
    Some(value.trim_ascii())
}

/// Who an `Authorization` header speaks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// `iss` (may be empty) and `sub` of a JWT.
    Jwt {
        /// The issuer; may be empty.
        iss: String,
        /// The subject.
        sub: String,
    },
    /// User name of Basic authentication.
    Basic(Vec<u8>),
    /// Anything else: what follows the scheme.
    Credential(&'a [u8]),
}

/// Reads `Authorization`; `None` when it holds nothing.
pub fn authorization(header: &[u8]) -> Option<Authorization<'_>> {
    let header = header.trim_ascii();
    let (scheme, credential) = decode::credential(header).unwrap_or((b"", header));
    if credential.is_empty() {
        return None;
    }
    if scheme.eq_ignore_ascii_case(b"basic") {
        let user = decode::base64(credential).map(|pair| {
            let end = pair.iter().position(|&b| b == b':').unwrap_or(pair.len());
            pair.get(..end).unwrap_or_default().to_vec()
        });
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            return Some(Authorization::Basic(user));
        }
    }
    if let Some(payload) = decode::jwt_part(credential, 1)
        && let [iss, Some(sub)] = decode::scalar_members(&payload, ["iss", "sub"])
        && !sub.is_empty()
    {
        return Some(Authorization::Jwt { iss: iss.unwrap_or_default(), sub });
    }
    Some(Authorization::Credential(credential))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn cookies_are_found_by_their_exact_name() {
        let header = b"a=1; sid=x=y ;SID=other; empty=; sid=second";
        assert_eq!(cookie(header, "sid"), Some(&b"x=y"[..]));
        assert_eq!(cookie(header, "SID"), Some(&b"other"[..]));
        assert_eq!(cookie(header, "empty"), Some(&b""[..]));
        assert_eq!(cookie(header, "si"), None);
    }

    #[test]
    fn a_set_cookie_sets_one_cookie_and_attributes_are_none() {
        let header = b"sid=abc; Path=/; HttpOnly";
        assert_eq!(set_cookie(header, "sid"), Some(&b"abc"[..]));
        assert_eq!(set_cookie(header, "Path"), None);
    }

    #[test]
    fn a_cookie_that_is_deleted_is_not_set() {
        for header in [
            "sid=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/",
            "sid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "sid=x; max-age=-1",
        ] {
            assert_eq!(set_cookie(header.as_bytes(), "sid"), None, "{header}");
        }
        for header in
            ["sid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "sid=x; Expires=Fri, 01 Jan 2038 10:00:00 GMT"]
        {
            assert_eq!(set_cookie(header.as_bytes(), "sid"), Some(&b"x"[..]), "{header}");
        }
    }

    #[test]
    fn authorization_speaks_for_a_subject_a_user_or_a_credential() {
        let jwt = |iss: &str, sub: &str| Authorization::Jwt { iss: iss.into(), sub: sub.into() };
        for (header, expected) in [
            (format!("Bearer {}", token(r#"{"iss":"i","sub":"s"}"#)), Some(jwt("i", "s"))),
            (format!("Bearer {}", token(r#"{"sub":"s"}"#)), Some(jwt("", "s"))),
            (token(r#"{"sub":7}"#), Some(jwt("", "7"))),
            ("Basic YWxpY2U6cHc=".into(), Some(Authorization::Basic(b"alice".to_vec()))),
            ("Basic !!".into(), Some(Authorization::Credential(b"!!"))),
            ("Token tok_123".into(), Some(Authorization::Credential(b"tok_123"))),
            ("bare".into(), Some(Authorization::Credential(b"bare"))),
            ("  ".into(), None),
        ] {
            assert_eq!(authorization(header.as_bytes()), expected, "{header}");
        }
    }

    #[test]
    fn a_token_without_subject_is_a_credential() {
        let token = token(r#"{"iss":"i"}"#);
        let header = format!("Bearer {token}");
        assert_eq!(authorization(header.as_bytes()), Some(Authorization::Credential(token.as_bytes())));
    }
}
