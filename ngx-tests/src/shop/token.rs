//! What the shop hands out: opaque tokens, and JWTs signed with HS256 (RFC 7519, RFC 7515).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The `iss` of every JWT of the shop.
pub const ISSUER: &str = "https://shop.example";

/// A demo's key, good for nothing else.
const SIGNING_KEY: &[u8] = b"the shop's signing key";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const LIFETIME_SECONDS: u64 = 3600;

/// A token that says nothing about whom it was given to. It holds `+`, `/` and `=` as they come, so
/// that clients must percent-encode it in a query.
pub(super) fn opaque() -> String {
    let random: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    STANDARD.encode(random)
}

/// The claims of a JWT of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwt {
    /// Who issued it: [`ISSUER`].
    pub iss: String,
    /// The customer.
    pub sub: String,
    /// When it was issued, in seconds since the Unix epoch.
    pub iat: u64,
    /// When it ends, likewise.
    pub exp: u64,
    /// Different in each, so that a refreshed token is another text with the same `iss` and `sub`.
    pub jti: String,
}

impl Jwt {
    /// A new one for a customer.
    pub(super) fn issue(customer: &str) -> Self {
        let iat = now();
        let jti = format!("{:016x}", fastrand::u64(..));
        Self { iss: ISSUER.to_owned(), sub: customer.to_owned(), iat, exp: iat + LIFETIME_SECONDS, jti }
    }

    pub(super) fn sign(&self) -> String {
        let claims = serde_json::to_vec(self).unwrap_or_default();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
        let signature = mac(signed.as_bytes()).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token that the shop signed and that has not ended.
    pub(super) fn verify(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        mac(signed.as_bytes()).verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        Self::read(token).filter(|jwt| jwt.exp > now())
    }

    /// The claims of a token, unverified: what a client can read in it.
    pub fn read(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1)?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

fn mac(signed: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(SIGNING_KEY).expect("HMAC takes a key of any length");
    mac.update(signed);
    mac
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_accepted_until_somebody_changes_it() {
        let token = Jwt::issue("ada").sign();
        assert_eq!(Jwt::verify(&token).map(|jwt| jwt.sub), Some("ada".to_owned()));

        let (head, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{}.{}.{signature}", head.split('.').next().unwrap(), URL_SAFE_NO_PAD.encode("{}"));
        assert_eq!(Jwt::verify(&forged), None);
    }

    #[test]
    fn a_refreshed_jwt_is_another_text_of_the_same_customer() {
        let (first, second) = (Jwt::issue("ada"), Jwt::issue("ada"));
        assert_ne!(first.sign(), second.sign());
        assert_eq!((first.iss, first.sub), (second.iss, second.sub));
    }
}
