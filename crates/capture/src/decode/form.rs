//! `application/x-www-form-urlencoded`: names and values percent-decoded with `+` as space.
//!
//! The first field of a name counts. Fields behind the first thousand are not looked at, as in
//! the servers that these bodies are meant for; a body that holds more is counted when a wanted
//! field was not among them.

use super::input::{Found, Input};
use super::undecoded::Reason;
use crate::uri;

/// Most fields that are looked at.
pub(crate) const MAX_FIELDS: usize = 1000;

/// Reads the fields of these names.
pub(crate) fn read<'d>(input: Input<'d>, names: &[&str]) -> Found<'d> {
    let mut found = Found::none_of(names.len());
    let mut fields = input.bytes.split(|&b| b == b'&').enumerate().peekable();
    while let Some((number, field)) = fields.next() {
        let last = fields.peek().is_none();
        if number == MAX_FIELDS || (last && input.cut) {
            found.failure = Some(if number == MAX_FIELDS { Reason::TooLarge } else { Reason::Cut });
            break;
        }
        let (name, value) = uri::pair(field);
        for (place, wanted) in names.iter().enumerate() {
            if name.as_ref() == wanted.as_bytes() {
                found.put(place, uri::form_decode(value));
            }
        }
        if found.is_complete() {
            break;
        }
    }
    found
}
