//! Who a request belongs to: session ids, pseudonyms, and the table of built-in grouping keys.
//!
//! An id is the first 16 bytes of keyed BLAKE3 over `namespace`, one zero byte, `value`. The
//! namespace keeps equal values of different meaning apart (a cookie and a user name), and lets
//! equal values of one meaning meet (a token in a login's answer and in a later request).
//!
//! Invariants:
//! - One secret, one namespace, one value: one id, on every node, in every version. The vectors in
//!   the tests were made with another implementation.
//! - The built-in table grows only at the end of each group: inserting elsewhere would regroup the
//!   traffic of everybody who upgrades.
//!
//! This crate does not read requests: `capture` finds the values.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv6Addr};

/// Context string of the key derivation. Part of the contract: changing it renames every session.
const CONTEXT: &str = "api-sessions v1";

/// Sixteen bytes that name a session or stand for a value; shown as 32 lower-case hex digits.
pub type Id = [u8; 16];

/// The key of all session ids and pseudonyms of an installation.
#[derive(Clone)]
pub struct Secret {
    key: [u8; blake3::KEY_LEN],
    kid: [u8; 4],
}

impl Secret {
    /// Derives the key from a secret file's bytes; one trailing newline does not count, so that
    /// files written by editors and by `printf` are the same secret.
    pub fn from_file_bytes(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut secret = Self { key: blake3::derive_key(CONTEXT, bytes), kid: [0; 4] };
        let [a, b, c, d, ..] = secret.id("kid", &[]);
        secret.kid = [a, b, c, d];
        secret
    }

    /// Names the secret without telling it, so that records made with different ones are told apart.
    pub fn kid(&self) -> [u8; 4] {
        self.kid
    }

    /// The id of a value in a namespace. The value is the concatenation of `parts`.
    pub fn id(&self, namespace: &str, parts: &[&[u8]]) -> Id {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(namespace.as_bytes()).update(&[0]);
        for part in parts {
            hasher.update(part);
        }
        let mut id = Id::default();
        hasher.finalize_xof().fill(&mut id);
        id
    }

    /// What leaves a node instead of a value that must not.
    pub fn pseudonym(&self, value: &[u8]) -> Id {
        self.id("pseudonym", &[value])
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Secret(kid {})", hex(&self.kid))
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            // A nibble is below 16.
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or_default()));
        }
    }
    text
}

/// Built-in headers of requests and, after the cookies, of responses, in the order they are tried.
pub const BUILTIN_HEADERS: [&str; 3] = ["Mcp-Session-Id", "X-Session-Id", "Session-Id"];

/// Built-in cookies of requests and, in `Set-Cookie`, of responses, in the order they are tried.
pub const BUILTIN_COOKIES: [&str; 12] = [
    "PHPSESSID",
    "JSESSIONID",
    "ASP.NET_SessionId",
    "connect.sid",
    "sessionid",
    "session_id",
    "SESSION",
    "session",
    "laravel_session",
    "_session_id",
    "ci_session",
    "sid",
];

/// What kind of thing a value is. Equal values of different kinds are different sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace<'a> {
    /// An own key without a group.
    Own,
    /// An own key with this group.
    Group(&'a str),
    /// The built-in header of this name, in any case.
    Header(&'a str),
    /// The built-in cookie of exactly this name.
    Cookie(&'a str),
    /// `iss`, zero byte, `sub` of a JWT in `Authorization`.
    Jwt,
    /// The user name of `Authorization: Basic`.
    Basic,
    /// What follows the scheme in `Authorization`.
    Credential,
    /// Address text, zero byte, user-agent.
    IpUserAgent,
    /// Address text.
    Ip,
}

impl std::fmt::Display for Namespace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Header(name) => write!(f, "header:{}", name.to_ascii_lowercase()),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Jwt => f.write_str("jwt"),
            Self::Basic => f.write_str("basic"),
            Self::Credential => f.write_str("credential"),
            Self::IpUserAgent => f.write_str("ip+ua"),
            Self::Ip => f.write_str("ip"),
        }
    }
}

/// Address text for identity: IPv4 dotted (IPv4-mapped too), IPv6 its /64, because a household or
/// a phone has a whole /64 and changes addresses within it.
///
/// What is no address (`unix:`) stays as it is.
pub fn address_text(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Ok(IpAddr::V6(ip)) => format!("{}/64", keep_bits(ip, 64)),
        Err(_) => address.to_owned(),
    }
}

/// The address with all but its first `bits` bits zeroed.
pub fn keep_bits(ip: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
    Ipv6Addr::from_bits(ip.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn ids_equal_those_of_another_implementation() {
        let vectors: serde_json::Value = serde_json::from_str(include_str!("../tests/identity-vectors.json")).unwrap();
        let secret = Secret::from_file_bytes(vectors["secret"].as_str().unwrap().as_bytes());
        assert_eq!(hex(&secret.key), vectors["key"].as_str().unwrap());
        for vector in vectors["vectors"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str().unwrap();
            let id = secret.id(text("namespace"), &[&unhex(text("value_hex"))]);
            assert_eq!(hex(&id), text("id"), "{vector}");
        }
    }

    #[test]
    fn kid_and_pseudonym_are_ids_of_their_own_namespaces() {
        let secret = Secret::from_file_bytes(b"0123456789abcdef0123456789abcdef");
        assert_eq!(hex(&secret.kid()), "6b89e299");
        assert_eq!(hex(&secret.pseudonym(b"a@example.com")), "3c4a88d903c51ccd084ad247f6523907");
    }

    #[test]
    fn one_trailing_newline_of_a_secret_file_does_not_count() {
        let kid = |bytes: &[u8]| Secret::from_file_bytes(bytes).kid();
        assert_eq!(kid(b"abc"), kid(b"abc\n"));
        assert_ne!(kid(b"abc"), kid(b"abc\n\n"));
    }

    #[test]
    fn values_in_parts_are_one_value() {
        let secret = Secret::from_file_bytes(b"x");
        assert_eq!(secret.id("jwt", &[b"iss", b"\0", b"sub"]), secret.id("jwt", &[b"iss\0sub"]));
    }

    #[test]
    fn namespaces_are_written_as_the_contract_says() {
        for (namespace, text) in [
            (Namespace::Own, "own"),
            (Namespace::Group("shop.test"), "group:shop.test"),
            (Namespace::Header("Mcp-Session-Id"), "header:mcp-session-id"),
            (Namespace::Cookie("PHPSESSID"), "cookie:PHPSESSID"),
            (Namespace::IpUserAgent, "ip+ua"),
        ] {
            assert_eq!(namespace.to_string(), text);
        }
    }

    #[test]
    fn addresses_are_grouped_as_the_contract_says() {
        for (address, text) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8::1", "2001:db8::/64"),
            ("::1", "::/64"),
            ("unix:", "unix:"),
        ] {
            assert_eq!(address_text(address), text);
        }
    }
}
