//! A GeoIP2 database in which every IPv4 address is in one country.
//!
//! The format is MaxMind DB 2.0 (<https://maxmind.github.io/MaxMind-DB/>): a search tree, 16 zero
//! bytes, data, and metadata behind a marker.

const MAP: u8 = 7;
const TEXT: u8 = 2;
const U16: u8 = 5;
const U32: u8 = 6;
/// Extended: the type is in a byte of its own, less 7.
const U64: u8 = 9;
const LIST: u8 = 11;

/// The whole file.
pub fn of_country(code: &str) -> Vec<u8> {
    // One node of two records of 24 bits; both lead to the beginning of the data: nodes + 16.
    let mut file = [0, 0, 17].repeat(2);
    file.extend([0; 16]);
    file.extend(map(&[("country", map(&[("iso_code", text(code))]))]));
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("node_count", number(U32, 1)),
        ("record_size", number(U16, 24)),
        ("ip_version", number(U16, 4)),
        ("database_type", text("Country")),
        ("languages", start(LIST, 0)),
        ("binary_format_major_version", number(U16, 2)),
        ("binary_format_minor_version", number(U16, 0)),
        ("build_epoch", number(U64, 1)),
        ("description", map(&[])),
    ]));
    file
}

/// The control byte of a value, for sizes below 29.
fn start(kind: u8, size: usize) -> Vec<u8> {
    let size = u8::try_from(size).ok().filter(|&size| size < 29).unwrap();
    if kind > 7 { vec![size, kind - 7] } else { vec![kind << 5 | size] }
}

fn text(text: &str) -> Vec<u8> {
    [start(TEXT, text.len()), text.as_bytes().to_vec()].concat()
}

fn number(kind: u8, number: u8) -> Vec<u8> {
    [start(kind, 1), vec![number]].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = start(MAP, pairs.len());
    for (name, value) in pairs {
        out.extend(text(name));
        out.extend(value);
    }
    out
}
