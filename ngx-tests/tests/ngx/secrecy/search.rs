//! Secrets, and finding them: as they are, percent-encoded, in base64, in hex, in escapes of JSON,
//! whole or in part, wherever they stand in other text.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Of a secret so much must be seen to be found: chance does not write it.
const SEEN: usize = 16;
/// Long enough for a path to take it for a credential.
const LENGTH: usize = 48;
/// What else is in some of them: what is encoded on the way, and takes several bytes.
const ODD: [&str; 6] = ["+", "/", "=", " ", "&", "é"];

/// Secrets that requests carried, and where.
#[derive(Default)]
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// A new one, of letters and digits.
    pub fn plant(&mut self, place: &str) -> String {
        self.keep(place, letters(LENGTH))
    }

    /// A new one with characters that are encoded on the way.
    pub fn plant_odd(&mut self, place: &str) -> String {
        let secret = ODD.map(|odd| odd.to_owned() + &letters(LENGTH / ODD.len()));
        self.keep(place, secret.concat())
    }

    /// One that somebody else made.
    pub fn keep(&mut self, place: &str, secret: String) -> String {
        self.0.push((place.to_owned(), secret.clone()));
        secret
    }

    /// The places whose secrets a text tells of, with the form in which it does.
    pub fn found_in(&self, text: &[u8]) -> Vec<String> {
        let seen: HashSet<&[u8]> = text.windows(SEEN).collect();
        let mut found = Vec::new();
        for (place, secret) in &self.0 {
            let told = forms(secret).into_iter().find(|(_, needle)| seen.contains(needle.as_slice()));
            found.extend(told.map(|(form, _)| format!("{place} ({form})")));
        }
        found
    }
}

fn letters(count: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(count).collect()
}

/// The first bytes of what each part of a secret looks like, in each form.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = Vec::new();
    let starts = secret.char_indices().map(|(at, _)| at);
    for part in starts.filter_map(|at| secret.get(at..)).filter(|part| part.len() >= SEEN) {
        let mut add = |form, text: String| forms.extend(text.as_bytes().get(..SEEN).map(|seen| (form, seen.to_vec())));
        let bytes = part.as_bytes();
        let each = |of_byte: fn(&u8) -> String| bytes.iter().map(of_byte).collect::<String>();
        add("as it is", part.to_owned());
        add("percent", utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
        add("percent", utf8_percent_encode(part, NON_ALPHANUMERIC).to_string().replace("%20", "+"));
        add("percent", each(|byte| format!("%{byte:02X}")));
        add("percent", each(|byte| format!("%{byte:02x}")));
        add("hex", each(|byte| format!("{byte:02x}")));
        add("hex", each(|byte| format!("{byte:02X}")));
        add("escapes", part.chars().map(|c| format!("\\u{:04x}", c as u32)).collect());
        add("escapes", part.escape_default().to_string());
        for before in 0..3 {
            // What stands before shifts it; the first characters say that too.
            let shifted = [&vec![0; before], bytes].concat();
            let skip = (before * 8).div_ceil(6);
            for engine in [&STANDARD, &URL_SAFE] {
                add("base64", engine.encode(&shifted).get(skip..).unwrap_or_default().to_owned());
            }
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_form_that_these_tests_look_for() {
    let mut secrets = Secrets::default();
    let secret = secrets.plant_odd("the place");
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let part = &secret[LENGTH / 2..];
    let json: String = part.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    for (form, text) in [
        ("as it is", format!("text {part}")),
        ("percent", utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()),
        ("percent", secret.bytes().map(|byte| format!("%{byte:02x}")).collect()),
        ("hex", format!("xx{hex}")),
        ("hex", hex.to_uppercase()),
        ("escapes", json),
        ("base64", STANDARD.encode(format!("{{\"id\":\"{secret}\"}}"))),
        ("base64", STANDARD.encode(format!("1{{\"id\":\"{secret}\"}}"))),
        ("base64", URL_SAFE.encode(format!("12{{\"id\":\"{secret}\"}}"))),
    ] {
        let found = secrets.found_in(format!("before {text} behind").as_bytes());
        assert_eq!(found.len(), 1, "{form}: {text}");
    }
    assert_eq!(secrets.found_in(letters(10_000).as_bytes()), [""; 0]);
}
