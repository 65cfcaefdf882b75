use std::io::Write;

use proptest::prelude::*;
use rmpv::Value;

use super::*;

const TIME: EventTime = EventTime { secs: 1_790_000_000, nanos: 123_456_000 };

fn record() -> Vec<u8> {
    encoded(&Value::Map(vec![("path".into(), "/orders".into())]))
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

fn event_time() -> Value {
    Value::Ext(0, [TIME.secs.to_be_bytes(), TIME.nanos.to_be_bytes()].concat())
}

fn record_value() -> Value {
    rmpv::decode::read_value(&mut record().as_slice()).unwrap()
}

/// The only frame in `bytes`.
fn read(bytes: &[u8]) -> Result<Frame, FrameError> {
    let mut reader = FrameReader::new();
    reader.push(bytes);
    let frame = reader.next_frame()?;
    assert_eq!(reader.next_frame()?, None);
    Ok(frame.expect("a whole frame"))
}

fn assert_one_entry(frame: &Frame, time: EventTime) {
    let record = record();
    let entries: Vec<_> = frame.entries().collect();
    assert_eq!(entries, [Ok(Entry { time, record: &record })]);
}

fn packed(entries: Value, option: Vec<(Value, Value)>) -> Vec<u8> {
    encoded(&Value::Array(vec!["app".into(), entries, Value::Map(option)]))
}

#[test]
fn what_the_shipper_writes_is_read_back() {
    let mut entries = Vec::new();
    write_entry(&mut entries, TIME, &record());
    assert_eq!(entries.len(), ENTRY_HEAD + record().len());
    let mut bytes = Vec::new();
    write_packed(&mut bytes, crate::TAG_SESSIONS, &entries, "c-1", 1);
    let frame = read(&bytes).unwrap();
    assert_eq!((frame.tag.as_str(), frame.chunk.as_deref()), (crate::TAG_SESSIONS, Some("c-1")));
    assert_one_entry(&frame, TIME);
    // The option map tells the number of entries, for other receivers.
    let Value::Array(parts) = rmpv::decode::read_value(&mut bytes.as_slice()).unwrap() else { panic!() };
    assert_eq!(parts[2]["size"], Value::from(1));
}

#[test]
fn every_mode_of_the_protocol_is_read() {
    let entry = Value::Array(vec![event_time(), record_value()]);
    let modes = [
        ("packed as bin", packed(Value::Binary(encoded(&entry)), vec![("chunk".into(), "x".into())])),
        (
            "packed as str",
            [&[0x92, 0xa3][..], b"app", &[0xda, 0, encoded(&entry).len() as u8], &encoded(&entry)].concat(),
        ),
        ("forward", packed(Value::Array(vec![entry.clone()]), vec![])),
        ("forward without option", encoded(&Value::Array(vec!["app".into(), Value::Array(vec![entry])]))),
        ("message", encoded(&Value::Array(vec!["app".into(), event_time(), record_value()]))),
        (
            "message with option",
            encoded(&Value::Array(vec![
                "app".into(),
                event_time(),
                record_value(),
                Value::Map(vec![("chunk".into(), "y".into())]),
            ])),
        ),
        (
            "with metadata (v1.5)",
            packed(
                Value::Array(vec![Value::Array(vec![
                    Value::Array(vec![event_time(), Value::Map(vec![])]),
                    record_value(),
                ])]),
                vec![("fluent_signal".into(), 0.into())],
            ),
        ),
    ];
    for (mode, bytes) in modes {
        let frame = read(&bytes).unwrap_or_else(|e| panic!("{mode}: {e}"));
        assert_eq!(frame.tag, "app", "{mode}");
        assert_one_entry(&frame, TIME);
    }
}

#[test]
fn the_chunk_id_is_found_in_each_mode() {
    let option = || vec![(Value::from("size"), Value::from(1)), ("chunk".into(), Value::Binary(b"id".to_vec()))];
    for bytes in [
        packed(Value::Binary(vec![]), option()),
        packed(Value::Array(vec![]), option()),
        encoded(&Value::Array(vec!["app".into(), 1.into(), record_value(), Value::Map(option())])),
    ] {
        assert_eq!(read(&bytes).unwrap().chunk.as_deref(), Some("id"));
    }
}

#[test]
fn seconds_are_taken_as_time() {
    let bytes = encoded(&Value::Array(vec!["app".into(), TIME.secs.into(), record_value()]));
    assert_one_entry(&read(&bytes).unwrap(), EventTime { nanos: 0, ..TIME });
    // Written as a signed integer, as some senders do.
    let mut signed = vec![0x93, 0xa3, b'a', b'p', b'p', 0xd3];
    signed.extend_from_slice(&u64::from(TIME.secs).to_be_bytes());
    signed.extend_from_slice(&record());
    assert_one_entry(&read(&signed).unwrap(), EventTime { nanos: 0, ..TIME });
}

#[test]
fn heartbeats_are_passed_over() {
    let mut reader = FrameReader::new();
    reader.push(&[0xc0, 0xc0]);
    assert_eq!(reader.next_frame(), Ok(None));
    reader.push(&[&[0xc0], packed(Value::Binary(vec![]), vec![]).as_slice(), &[0xc0]].concat());
    assert_eq!(reader.next_frame().unwrap().unwrap().tag, "app");
    assert_eq!(reader.next_frame(), Ok(None));
    assert_eq!(reader.buffered(), 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_entries_are_inflated() {
    let mut entry = Vec::new();
    write_entry(&mut entry, TIME, &record());
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    for (method, bytes) in [("gzip", gzip(&entry)), ("zstd", zstd(&entry)), ("text", entry.clone())] {
        let frame = read(&packed(Value::Binary(bytes), vec![("compressed".into(), method.into())])).unwrap();
        assert_one_entry(&frame, TIME);
    }
    // Fluentd concatenates compressed pieces.
    for (method, piece) in [("gzip", gzip(&entry)), ("zstd", zstd(&entry))] {
        let twice = [piece.as_slice(), &piece].concat();
        let frame = read(&packed(Value::Binary(twice), vec![("compressed".into(), method.into())])).unwrap();
        assert_eq!(frame.entries().filter(Result::is_ok).count(), 2, "{method}");
    }
}

#[test]
fn a_frame_compressed_here_is_read_back_and_is_smaller() {
    let (mut plain, mut smaller) = (Vec::new(), b"left over".to_vec());
    let packed = begin_packed(&mut plain, "app");
    (0..50).for_each(|_| write_entry(&mut plain, TIME, &record()));
    let entries = plain[packed.entries..].to_vec();
    let mut compressor = Compressor::new().unwrap();
    // Its memory is used again.
    for chunk in ["one", "two"] {
        assert!(packed.compress(&plain, &mut compressor, &mut smaller, chunk, 50));
        assert!(smaller.len() * 2 < plain.len(), "{} of {}", smaller.len(), plain.len());
        let frame = read(&smaller).unwrap();
        assert_eq!((frame.tag.as_str(), frame.chunk.as_deref()), ("app", Some(chunk)));
        assert_eq!(frame.stream, entries);
    }
}

#[test]
fn what_does_not_become_smaller_is_left_as_it_is() {
    let mut rng = fastrand::Rng::with_seed(1);
    for length in [0, 1, 20, 10_000] {
        let mut plain = Vec::new();
        let packed = begin_packed(&mut plain, "app");
        plain.extend(std::iter::repeat_with(|| rng.u8(..)).take(length));
        let mut out = Vec::new();
        assert!(!packed.compress(&plain, &mut Compressor::new().unwrap(), &mut out, "c", 1), "{length}");
        assert!(out.is_empty());
    }
}

#[test]
fn a_small_frame_cannot_inflate_to_much_memory() {
    let zeros = vec![0; MAX_INFLATED + 1];
    for (method, bytes) in [("gzip", gzip(&zeros)), ("zstd", zstd::encode_all(zeros.as_slice(), 1).unwrap())] {
        let bytes = packed(Value::Binary(bytes), vec![("compressed".into(), method.into())]);
        assert_eq!(read(&bytes), Err(FrameError::Inflated), "{method}");
    }
}

#[test]
fn a_small_frame_cannot_hold_more_entries_than_are_cheap_to_look_at() {
    for count in [MAX_ENTRIES, MAX_ENTRIES + 1] {
        let zeros = zstd::encode_all(vec![0; count].as_slice(), 1).unwrap();
        let bytes = packed(Value::Binary(zeros), vec![("compressed".into(), "zstd".into())]);
        let frame = read(&bytes);
        match count {
            MAX_ENTRIES => assert_eq!(frame.unwrap().entries().count(), MAX_ENTRIES),
            _ => assert_eq!(frame, Err(FrameError::TooManyEntries)),
        }
    }
}

#[test]
fn an_entry_of_too_many_values_or_bytes_is_bad_and_its_neighbours_are_not() {
    let good = encoded(&Value::Array(vec![event_time(), record_value()]));
    let with = |value: Value| encoded(&Value::Array(vec![event_time(), Value::Map(vec![("x".into(), value)])]));
    let values = |count| with(Value::Array(vec![Value::Nil; count]));
    // Around them: entry, time, map, key, array.
    let most = MAX_ENTRY_VALUES as usize - 5;
    assert!(Entries::new(&values(most)).all(|entry| entry.is_ok()));
    for large in [values(most + 1), with(Value::Binary(vec![0; MAX_ENTRY]))] {
        let stream = [good.as_slice(), &large, &good].concat();
        let told: Vec<_> = Entries::new(&stream).map(|entry| entry.is_ok()).collect();
        assert_eq!(told, [true, false, true]);
    }
}

#[test]
fn the_size_of_a_frame_is_known_before_it_is_unpacked() {
    let mut entry = Vec::new();
    write_entry(&mut entry, TIME, &record());
    let mut reader = FrameReader::new();
    assert_eq!(reader.next_size(), Ok(None));
    reader.push(&[0xc0]);
    reader.push(&packed(Value::Binary(entry.clone()), vec![]));
    reader.push(&packed(Value::Binary(gzip(&entry)), vec![("compressed".into(), "gzip".into())]));
    for size in [entry.len(), MAX_INFLATED] {
        assert_eq!((reader.next_size(), reader.next_size()), (Ok(Some(size)), Ok(Some(size))));
        assert_one_entry(&reader.next_frame().unwrap().unwrap(), TIME);
    }
    assert_eq!((reader.next_size(), reader.buffered()), (Ok(None), 0));
}

#[test]
fn entries_that_do_not_inflate_are_told() {
    for method in ["gzip", "zstd"] {
        let bytes = packed(Value::Binary(b"no".to_vec()), vec![("compressed".into(), method.into())]);
        assert!(matches!(read(&bytes), Err(FrameError::Inflate { .. })), "{method}");
    }
    let bytes = packed(Value::Binary(vec![]), vec![("compressed".into(), "lzma".into())]);
    let error = read(&bytes).unwrap_err().to_string();
    assert_eq!(error, "the option compressed is \"lzma\", expected gzip, zstd or text");
}

#[test]
fn an_announced_size_over_the_limit_is_refused_before_it_comes() {
    let announced = (MAX_FRAME as u32).to_be_bytes();
    let [a, b, c, d] = announced;
    let heads: [&[u8]; 4] = [
        &[0x92, 0xa1, b't', 0xc6, a, b, c, d],
        &[0x92, 0xa1, b't', 0xdd, a, b, c, d],
        &[0x92, 0xa1, b't', 0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0x92, 0xdb, 0xff, 0xff, 0xff, 0xff],
    ];
    for head in heads {
        let mut reader = FrameReader::new();
        reader.push(head);
        assert!(matches!(reader.next_frame(), Err(FrameError::Oversized { .. })), "{head:x?}");
        reader.push(head);
        assert_eq!(reader.buffered(), 0);
        assert!(matches!(reader.next_frame(), Err(FrameError::Oversized { .. })), "{head:x?}");
    }
}

#[test]
fn another_protocol_is_told_at_its_first_byte() {
    for first in ["GET / HTTP/1.1", "\x16\x03\x01", "{\"a\":1}"] {
        let mut reader = FrameReader::new();
        reader.push(first.as_bytes());
        let error = reader.next_frame().unwrap_err().to_string();
        assert!(error.contains("expected an array of 2 to 4 that starts with a tag"), "{error}");
    }
}

#[test]
fn what_is_no_message_is_refused_by_name() {
    let cases = [
        (Value::Array(vec![1.into(), Value::Binary(vec![])]), "the tag is an integer, expected a string"),
        (
            Value::Array(vec!["t".into(), Value::Nil]),
            "the message's second part is nil, expected entries, or a time and a record",
        ),
        (
            Value::Array(vec!["t".into(), Value::Binary(vec![]), 1.into()]),
            "the message's option is an integer, expected a map",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(read(&encoded(&message)).unwrap_err().to_string(), expected);
    }
    let mut reader = FrameReader::new();
    reader.push(&packed(Value::Binary(vec![]), vec![]));
    assert!(reader.next_frame().unwrap().is_some());
    reader.push(&[0x92, 0xc1]);
    let error = reader.next_frame().unwrap_err().to_string();
    assert_eq!(error, "byte 9 of the stream is not MessagePack: 0xc1 is no type");
}

#[test]
fn a_bad_entry_leaves_its_neighbours_alone() {
    let good = encoded(&Value::Array(vec![event_time(), record_value()]));
    let bad = [
        encoded(&Value::from("no entry")),
        encoded(&Value::Array(vec![event_time()])),
        encoded(&Value::Array(vec![event_time(), 1.into()])),
        encoded(&Value::Array(vec!["yesterday".into(), record_value()])),
        encoded(&Value::Array(vec![u64::MAX.into(), record_value()])),
        encoded(&Value::Array(vec![Value::Ext(0, vec![0xff; 8]), record_value()])),
    ];
    for bad in bad {
        let stream = [good.as_slice(), &bad, &good].concat();
        let frame = read(&packed(Value::Binary(stream), vec![])).unwrap();
        let entries: Vec<_> = frame.entries().collect();
        assert_eq!(entries.len(), 3);
        assert!(entries[0].is_ok() && entries[2].is_ok());
        assert_eq!(entries[1].unwrap_err().bytes, bad);
    }
}

#[test]
fn entries_that_break_off_are_set_aside_from_there() {
    let good = encoded(&Value::Array(vec![event_time(), record_value()]));
    for rest in [&good[..5], &[0xc1, 0, 0], &[0xdd, 0xff, 0xff, 0xff, 0xff]] {
        let frame = read(&packed(Value::Binary([good.as_slice(), rest].concat()), vec![])).unwrap();
        let entries: Vec<_> = frame.entries().collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].unwrap_err().bytes, rest);
    }
}

#[test]
fn nesting_costs_no_stack() {
    let deep = [vec![0x91; 1_000_000], vec![0xc0]].concat();
    let frame = read(&packed(Value::Binary(deep.clone()), vec![])).unwrap();
    assert!(frame.entries().next().unwrap().is_err());
    assert!(read(&[&[0x92, 0xa1, b't'], deep.as_slice()].concat()).is_ok());
}

#[test]
fn acks_are_read_as_they_come() {
    let mut bytes = Vec::new();
    write_ack(&mut bytes, "first");
    let end = bytes.len();
    write_ack(&mut bytes, "second");
    for cut in 0..end {
        assert_eq!(read_ack(&bytes[..cut]), Ok(None));
    }
    assert_eq!(read_ack(&bytes), Ok(Some(("first", end))));
    assert_eq!(read_ack(&bytes[end..]), Ok(Some(("second", bytes.len() - end))));
    let other = encoded(&Value::Map(vec![("x".into(), 1.into()), ("ack".into(), Value::Binary(b"c".to_vec()))]));
    assert_eq!(read_ack(&other), Ok(Some(("c", other.len()))));
}

#[test]
fn an_answer_that_is_no_ack_is_an_error() {
    for bytes in [&b"HTTP/1.1 400"[..], &[0x80], &[0x81, 0xa1, b'x', 1], &[0xc1]] {
        assert!(read_ack(bytes).is_err(), "{bytes:x?}");
    }
    assert!(matches!(read_ack(&[0xdb, 0, 1, 0, 0]), Err(FrameError::Oversized { .. })));
}

#[test]
fn times_are_kept_to_the_microsecond() {
    for micros in [0, 1, 999_999, 1_790_000_000_123_456] {
        assert_eq!(EventTime::from_micros(micros).as_micros(), micros);
    }
    assert_eq!(EventTime::from_micros(u64::MAX).secs, u32::MAX);
}

proptest! {
    #[test]
    fn frames_survive_any_cutting_of_the_stream(
        chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), "[a-z0-9]{0,40}"), 1..6),
        pieces in prop::collection::vec(1usize..200, 1..40),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (content, id) in &chunks {
            let mut stream = Vec::new();
            write_entry(&mut stream, TIME, &encoded(&Value::Map(vec![("b".into(), Value::Binary(content.clone()))])));
            write_packed(&mut bytes, "t", &stream, id, 1);
            expected.push(Frame { tag: "t".into(), chunk: Some(id.clone()), stream });
        }
        let mut reader = FrameReader::new();
        let mut got = Vec::new();
        let mut rest = bytes.as_slice();
        for &piece in pieces.iter().cycle() {
            if rest.is_empty() { break }
            let (now, later) = rest.split_at(piece.min(rest.len()));
            rest = later;
            reader.push(now);
            while let Some(frame) = reader.next_frame().unwrap() {
                prop_assert!(frame.entries().all(|e| e.is_ok()));
                got.push(frame);
            }
        }
        prop_assert_eq!(got, expected);
        prop_assert_eq!(reader.buffered(), 0);
    }

    #[test]
    fn no_bytes_make_the_reader_panic_or_lose_track(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let mut whole = FrameReader::new();
        whole.push(&bytes);
        let mut pieces = FrameReader::new();
        let collect = |reader: &mut FrameReader| {
            let mut got = Vec::new();
            loop {
                match reader.next_frame() {
                    Ok(Some(frame)) => {
                        let told: usize = frame.entries().map(|e| e.map_or_else(|b| b.bytes.len(), |_| 0)).sum();
                        assert!(told <= frame.stream.len());
                        got.push(Ok(frame));
                    }
                    Ok(None) => return got,
                    Err(e) => { got.push(Err(e)); return got }
                }
            }
        };
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        pieces.push(first);
        let mut got = collect(&mut pieces);
        if got.last().is_none_or(Result::is_ok) {
            pieces.push(second);
            got.extend(collect(&mut pieces));
        }
        prop_assert_eq!(collect(&mut whole), got);
        let _ = read_ack(&bytes);
    }

    #[test]
    fn a_frame_with_one_changed_byte_never_panics(at in 0usize..80, with in any::<u8>()) {
        let mut bytes = Vec::new();
        let mut stream = Vec::new();
        write_entry(&mut stream, TIME, &record());
        write_packed(&mut bytes, "tag", &stream, "chunk-1", 1);
        let len = bytes.len();
        bytes[at % len] = with;
        let mut reader = FrameReader::new();
        reader.push(&bytes);
        while let Ok(Some(frame)) = reader.next_frame() {
            frame.entries().for_each(drop);
        }
    }
}
