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
        let mut room = [0; SHORT];
        let pieces = [namespace.as_bytes(), &[0]].into_iter().chain(parts.iter().copied());
        let hash = match gather(&mut room, pieces.clone()) {
            Some(short) => blake3::keyed_hash(&self.key, short),
            None => {
                let mut hasher = blake3::Hasher::new_keyed(&self.key);
                for piece in pieces {
                    hasher.update(piece);
                }
                hasher.finalize()
            }
        };
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// What leaves a node instead of a value that must not.
    pub fn pseudonym(&self, value: &[u8]) -> Id {
        self.id("pseudonym", &[value])
    }
}

/// Up to this length a value is hashed in one piece, which costs half of hashing it part by part.
const SHORT: usize = 256;

/// The pieces one after the other; `None` without room.
fn gather<'a, 'b>(room: &'a mut [u8], pieces: impl Iterator<Item = &'b [u8]>) -> Option<&'a [u8]> {
    let mut end = 0;
    for piece in pieces {
        let start = end;
        end += piece.len();
        room.get_mut(start..end)?.copy_from_slice(piece);
    }
    room.get(..end)
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Secret(kid {})", hex(&self.kid))
    }
}

/// Lower-case hex.
pub fn hex<const N: usize>(bytes: &[u8; N]) -> String {
    const PAIRS: [[u8; 2]; 256] = pairs();
    let digits = bytes.map(|byte| PAIRS[usize::from(byte)]);
    // Digits are ASCII.
    std::str::from_utf8(digits.as_flattened()).unwrap_or_default().to_owned()
}

/// The two digits of each byte.
const fn pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
}

/// Namespace of an own key without a group.
pub const OWN: &str = "own";
/// Namespace of `iss`, zero byte, `sub` of a JWT in `Authorization`.
pub const JWT: &str = "jwt";
/// Namespace of the user name of `Authorization: Basic`.
pub const BASIC: &str = "basic";
/// Namespace of what follows the scheme in `Authorization`.
pub const CREDENTIAL: &str = "credential";
/// Namespace of address text, zero byte, user-agent.
pub const IP_USER_AGENT: &str = "ip+ua";
/// Namespace of address text.
pub const IP: &str = "ip";

/// Namespace of an own key with a group.
pub fn group(group: &str) -> String {
    format!("group:{group}")
}

/// A header or cookie that many applications keep a session id in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Its name; headers in any case, cookies exactly.
    pub name: &'static str,
    /// Its namespace; headers in lower case.
    pub namespace: &'static str,
}

macro_rules! builtin {
    ($prefix:literal, $($name:literal as $spelled:literal),*) => {
        [$(Builtin { name: $name, namespace: concat!($prefix, $spelled) }),*]
    };
    ($prefix:literal, $($name:literal),*) => { builtin!($prefix, $($name as $name),*) };
}

/// Built-in headers of requests and, after the cookies, of responses, in the order they are tried.
pub const BUILTIN_HEADERS: [Builtin; 3] = builtin!(
    "header:",
    "Mcp-Session-Id" as "mcp-session-id",
    "X-Session-Id" as "x-session-id",
    "Session-Id" as "session-id"
);

/// Built-in cookies of requests and, in `Set-Cookie`, of responses, in the order they are tried.
pub const BUILTIN_COOKIES: [Builtin; 12] = builtin!(
    "cookie:",
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
    "sid"
);

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
    fn long_values_are_hashed_as_short_ones_are() {
        let secret = Secret::from_file_bytes(b"x");
        let by_parts = |value: &[u8]| {
            let mut hasher = blake3::Hasher::new_keyed(&secret.key);
            hasher.update(b"own\0").update(value).finalize().as_bytes()[..16].to_vec()
        };
        for length in [0, 1, 60, 61, SHORT - 4, SHORT - 3, 5000] {
            let value = vec![7; length];
            assert_eq!(secret.id(OWN, &[&value]).to_vec(), by_parts(&value), "{length}");
        }
    }

    #[test]
    fn namespaces_of_built_in_keys_are_their_kind_and_name() {
        for header in BUILTIN_HEADERS {
            assert_eq!(header.namespace, format!("header:{}", header.name.to_lowercase()));
        }
        for cookie in BUILTIN_COOKIES {
            assert_eq!(cookie.namespace, format!("cookie:{}", cookie.name));
        }
        assert_eq!(group("shop.test"), "group:shop.test");
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
