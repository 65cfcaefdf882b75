//! What Fluent Bit's output `forward` sends by default: PackedForward with `[[EventTime, metadata], record]`
//! entries, compressed with zstd where that is set.
//!
//! Written from the specification of the protocol, v1 with its addition of metadata (v1.5), byte by byte:
//! <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1.5>.

use std::time::{SystemTime, UNIX_EPOCH};

use ngx_tests::forward::Sender;

use crate::Site;

/// An entry: `[[EventTime, {}], {...}]`, with a record that has the keys without which none is a request.
fn entry(number: u8) -> Vec<u8> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;
    let mut bytes = vec![0x92, 0x92]; // array 2, array 2
    bytes.extend([0xd7, 0x00]); // fixext 8 of type 0: EventTime
    bytes.extend(seconds.to_be_bytes());
    bytes.extend(500_000_000u32.to_be_bytes());
    bytes.push(0x80); // no metadata
    bytes.push(0x87); // map 7
    bytes.extend(b"\xa1v\x01");
    bytes.extend(b"\xa2id\xc4\x10"); // bin 16
    bytes.extend([[0; 15].as_slice(), &[number]].concat());
    bytes.extend(b"\xa3seq\x92\xc4\x08fluentbt");
    bytes.push(number);
    bytes.extend(b"\xa3sid\xc4\x10");
    bytes.extend([5; 16]);
    bytes.extend(b"\xa6method\xa3GET");
    bytes.extend(b"\xa4path\xa4/fb");
    bytes.push(b'0' + number);
    bytes.extend(b"\xa6status\xcc\xc8"); // uint 8: 200
    bytes
}

/// `["wallarm.sessions", bin, {"size": n, "chunk": "...", "fluent_signal": 0, "compressed": "..."}]`
fn frame(entries: &[u8], count: u8, chunk: &str, compressed: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0x93, 0xb0]; // array 3, str 16
    bytes.extend(b"wallarm.sessions");
    bytes.push(0xc5); // bin 16
    bytes.extend((entries.len() as u16).to_be_bytes());
    bytes.extend(entries);
    bytes.push(0x83 + u8::from(compressed.is_some()));
    bytes.extend(b"\xa4size");
    bytes.push(count);
    bytes.extend(b"\xa5chunk");
    bytes.push(0xa0 | chunk.len() as u8);
    bytes.extend(chunk.as_bytes());
    bytes.extend(b"\xadfluent_signal\x00");
    if let Some(method) = compressed {
        bytes.extend(b"\xaacompressed");
        bytes.push(0xa0 | method.len() as u8);
        bytes.extend(method.as_bytes());
    }
    bytes
}

#[tokio::test]
async fn chunks_as_fluent_bit_sends_them_are_acknowledged_and_stored() {
    let site = Site::start().await;
    let mut sender = Sender::connect(&site.socket).unwrap();
    let plain = [entry(1), entry(2)].concat();
    let packed = zstd::encode_all([entry(3), entry(4)].concat().as_slice(), 1).unwrap();
    for (bytes, chunk) in [(frame(&plain, 2, "p1", None), "p1"), (frame(&packed, 2, "z1", Some("zstd")), "z1")] {
        sender.send(&bytes).unwrap();
        assert_eq!(sender.ack().unwrap(), chunk);
    }

    let stored = site.stored(4).await;
    let paths: Vec<&str> = stored.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/fb1", "/fb2", "/fb3", "/fb4"]);
    assert!(stored.iter().all(|request| request.ts.contains(".500000") && request.status == 200), "{stored:#?}");
    site.close().await;
}
