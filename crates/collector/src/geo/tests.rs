//! What files of countries and networks promise, with files made here.

use super::*;

/// A value of a record.
enum Value {
    Text(&'static str),
    Small(u16),
    Number(u32),
    Large(u64),
    Map(Vec<(&'static str, Value)>),
}

use Value::{Large, Map, Number, Small, Text};

fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Text(text) => {
            match text.len() {
                short @ ..29 => out.push(2 << 5 | short as u8),
                long => out.extend_from_slice(&[2 << 5 | 29, (long - 29) as u8]),
            }
            out.extend_from_slice(text.as_bytes());
        }
        Small(number) => {
            out.push(5 << 5 | 2);
            out.extend_from_slice(&number.to_be_bytes());
        }
        // An extended type.
        Large(number) => {
            out.extend_from_slice(&[8, 2]);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Number(number) => {
            out.push(6 << 5 | 4);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Map(entries) => {
            out.push(7 << 5 | entries.len() as u8);
            for (key, value) in entries {
                encode(out, &Text(key));
                encode(out, value);
            }
        }
    }
}

/// A file for IPv6 with IPv4 in `::/96`, as the format's specification 2.0 has it: nodes of two 24-bit
/// records, a gap, the data, the metadata.
fn file(kind: &'static str, records: &[(&str, u8, Value)]) -> Vec<u8> {
    const OPEN: usize = usize::MAX;
    let mut nodes = vec![[OPEN; 2]];
    let (mut data, mut ends) = (Vec::new(), Vec::new());
    for (address, length, value) in records {
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 96 + length),
            IpAddr::V6(ip) => (ip.to_bits(), *length),
        };
        let bit = |n: u8| (bits >> (127 - n) & 1) as usize;
        let mut node = 0;
        for n in 0..length - 1 {
            if nodes[node][bit(n)] == OPEN {
                nodes[node][bit(n)] = nodes.len();
                nodes.push([OPEN; 2]);
            }
            node = nodes[node][bit(n)];
        }
        ends.push((node, bit(length - 1), data.len()));
        encode(&mut data, value);
    }
    let count = nodes.len();
    for (node, side, offset) in ends {
        nodes[node][side] = count + 16 + offset;
    }
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let record = if *record == OPEN { count } else { *record };
        out.extend_from_slice(&(record as u32).to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend(data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let mut metadata = vec![
        ("node_count", Number(count as u32)),
        ("record_size", Small(24)),
        ("ip_version", Small(6)),
        ("binary_format_major_version", Small(2)),
        ("binary_format_minor_version", Small(0)),
        ("build_epoch", Large(1)),
    ];
    metadata.push(("database_type", Text(kind)));
    metadata.push(("description", Map(Vec::new())));
    let at = out.len();
    encode(&mut out, &Map(metadata));
    // One entry more, with an empty array: an extended type.
    out[at] += 1;
    encode(&mut out, &Text("languages"));
    out.extend_from_slice(&[0, 4]);
    out
}

fn written(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn an_address_has_the_country_and_network_that_the_files_say() {
    let dir = tempfile::tempdir().unwrap();
    let countries = file(
        "Country",
        &[
            ("192.0.2.0", 24, Map(vec![("country", Map(vec![("iso_code", Text("DE"))]))])),
            ("198.51.100.0", 24, Map(vec![("country_code", Text("FR"))])),
            ("2001:db8::", 32, Map(vec![("country", Text("PL"))])),
        ],
    );
    let asn = |number, name| {
        let number = ("autonomous_system_number", Number(number));
        Map(std::iter::once(number).chain(name).collect())
    };
    let name = ("autonomous_system_organization", Text("Example Networks"));
    let networks = file("ASN", &[("192.0.2.0", 25, asn(64496, Some(name))), ("192.0.2.128", 25, asn(64497, None))]);
    let files = [written(dir.path(), "country.mmdb", &countries), written(dir.path(), "asn.mmdb", &networks)];
    let mut geo = Geo::open(&files).unwrap();
    for (address, country, network) in [
        ("192.0.2.1", Some("DE"), Some("AS64496 Example Networks")),
        ("192.0.2.200", Some("DE"), Some("AS64497")),
        ("::ffff:192.0.2.1", Some("DE"), Some("AS64496 Example Networks")),
        ("198.51.100.7", Some("FR"), None),
        ("2001:db8::7", Some("PL"), None),
        ("203.0.113.1", None, None),
        ("unix:", None, None),
        ("1234567890abcdef1234567890abcdef", None, None),
    ] {
        for _ in 0..2 {
            let place = geo.place(address);
            assert_eq!((place.country.as_deref(), place.network.as_deref()), (country, network), "{address}");
        }
    }
}

#[test]
fn addresses_that_are_remembered_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let one = file("Country", &[("192.0.2.0", 24, Map(vec![("country_code", Text("DE"))]))]);
    let mut geo = Geo::open(&[written(dir.path(), "one.mmdb", &one)]).unwrap();
    for n in 0..MAX_REMEMBERED as u32 * 2 {
        geo.place(&std::net::Ipv4Addr::from_bits(n).to_string());
    }
    assert!(geo.remembered.len() <= MAX_REMEMBERED);
    assert_eq!(geo.place("192.0.2.9").country.unwrap(), "DE");
}

#[test]
fn a_file_of_no_use_is_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let whole = file("Country", &[("192.0.2.0", 24, Map(vec![("country_code", Text("DE"))]))]);
    let other = file("Names", &[("192.0.2.0", 24, Map(vec![("name", Text("x"))]))]);
    for (name, bytes, needle) in [
        ("missing.mmdb", None, "No such file"),
        ("empty.mmdb", Some(&whole[..0]), "MaxMind DB"),
        ("cut.mmdb", Some(&whole[..whole.len() / 2]), "MaxMind DB"),
        ("text.mmdb", Some(b"not a database".as_slice()), "MaxMind DB"),
        ("names.mmdb", Some(other.as_slice()), "neither country nor network"),
    ] {
        let path = match bytes {
            Some(bytes) => written(dir.path(), name, bytes),
            None => dir.path().join(name),
        };
        let error = Geo::open(std::slice::from_ref(&path)).err().unwrap().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(needle), "{error}");
    }
}
