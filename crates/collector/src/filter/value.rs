//! Values of a filter, read as their field's kind wants them.

use super::{Kind, Pattern, Value};

/// Units of durations, the largest first, in microseconds.
pub(super) const DURATIONS: [(&str, i128); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)];
/// Units of sizes, the largest first, in bytes.
pub(super) const SIZES: [(&str, i128); 4] = [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10), ("", 1)];
/// The highest status there is.
const MAX_STATUS: i128 = 599;

impl Kind {
    /// What a value of it is, with an example.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Status => "status; those are 0 to 599, or a class such as `5xx` with =, != and IN",
            Self::Number => "whole number",
            Self::Size => "number of bytes such as 500, 64k, 2m or 1g",
            Self::Duration => "duration; a number with us, ms, s, m, h or d would be right, such as 500ms",
            Self::Time => "RFC 3339 time such as 2026-01-31T12:00:00Z",
            Self::Id => "id; an id is 32 hex digits",
            Self::Ip => {
                "address such as 192.0.2.7, range such as 10.0.0.0/8 or 2001:db8::/32, or pseudonym of 32 hex digits"
            }
            Self::Flag => "flag; `true` or `false` would be right",
        }
    }

    /// A value of `=`, `!=` or IN.
    pub(super) fn value(self, written: &Pattern) -> Option<Value> {
        if self == Self::Text {
            return Some(Value::Text(written.clone()));
        }
        let Some(text) = written.text() else {
            // `10.0.*` is no address, but what people write.
            return (self == Self::Ip).then(|| Value::Text(written.clone()));
        };
        match self {
            Self::Status if class(&text).is_some() => class(&text).map(Value::Class),
            Self::Id => text.parse().ok().map(Value::Id),
            Self::Ip => match text.parse() {
                Ok(network) => Some(Value::Network(network)),
                Err(()) => text.parse::<crate::model::Id>().ok().map(|_| Value::Text(Pattern::literal(&text))),
            },
            Self::Flag => text.parse().ok().map(Value::Flag),
            _ => self.number(&text).map(Value::Number),
        }
    }

    /// A number to compare with, in the base unit.
    pub(super) fn number(self, text: &str) -> Option<i128> {
        match self {
            Self::Status => digits(text).filter(|status| *status <= MAX_STATUS),
            Self::Number => digits(text),
            Self::Size => with_unit(text, &SIZES),
            Self::Duration => with_unit(text, &DURATIONS),
            Self::Time if !text.contains(['[', ' ']) => {
                text.parse::<jiff::Timestamp>().ok().map(|time| time.as_microsecond().into())
            }
            _ => None,
        }
    }
}

fn class(text: &str) -> Option<u8> {
    let digit = text.strip_suffix("xx")?;
    digit.parse().ok().filter(|class| (1..=5).contains(class) && digit.len() == 1)
}

/// A number as large as the store's.
fn digits(text: &str) -> Option<i128> {
    let number: u64 = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??;
    Some(number.into())
}

fn with_unit(text: &str, units: &[(&str, i128)]) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, size) = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    digits(number)?.checked_mul(*size).filter(|all| *all <= i128::from(u64::MAX))
}
