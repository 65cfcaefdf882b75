//! Each source against everything that its value can be.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use capture::{Format, Reason};

use super::request::{Sending, Sent, read};

/// What is expected of a source.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// The value that was sent, or the first of them.
    Sent,
    /// This text.
    Is(&'static str),
    /// Nothing, and nothing is counted.
    Absent,
    /// Nothing, and a decoder counts why.
    Counted(Format, Reason),
    /// Nothing, and the event loop counts a value too long to copy.
    Oversized,
    /// The source cannot be in this situation.
    Never,
}
use Expect::{Absent, Counted, Is, Never, Oversized, Sent as AsSent};

const LABELS: [&str; 12] = [
    "present",
    "absent",
    "empty",
    "repeated",
    "not UTF-8",
    "1 byte",
    "1 KiB",
    "1 MiB",
    "wrong content type",
    "wrong encoding",
    "nested 1,000 deep",
    "cut by the limit",
];

/// A source, how values get where it looks, and what is expected in the order of [`LABELS`].
struct Row {
    source: &'static str,
    /// Puts values there: none, one, or two of the same name.
    put: fn(&[&[u8]]) -> Sent,
    /// The same beside or within something 1,000 deep.
    deep: fn(&[u8]) -> Sent,
    expected: [Expect; 12],
}

fn body(content_type: &'static str, body: Vec<u8>) -> Sent {
    let request = Sending { body, content_type: Some(content_type), encoding: None };
    Sent { response: request.clone(), request, ..Sent::default() }
}

/// `before`, then each value between `open` and `close`, then `after`; without values nothing of it
/// but `before` and `after`.
fn around(values: &[&[u8]], [before, open, close, after]: [&str; 4]) -> Vec<u8> {
    let mut out = before.as_bytes().to_vec();
    for value in values {
        out.extend_from_slice(&[open.as_bytes(), value, close.as_bytes()].concat());
    }
    out.extend_from_slice(after.as_bytes());
    out
}

fn header(values: &[&[u8]]) -> Sent {
    let headers: Vec<_> = values.iter().map(|value| ("X-User", value.to_vec())).collect();
    Sent { answer: headers.clone(), headers, ..Sent::default() }
}

/// A value behind a decoder, in a header.
fn encoded(values: &[&[u8]], encode: impl Fn(&[u8]) -> Vec<u8>) -> Sent {
    let encoded: Vec<Vec<u8>> = values.iter().map(|value| encode(value)).collect();
    header(&encoded.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn cookie(values: &[&[u8]]) -> Sent {
    let pairs: Vec<Vec<u8>> = values.iter().map(|value| [b"sid=", *value].concat()).collect();
    let answer = pairs.iter().map(|pair| ("Set-Cookie", pair.clone())).collect();
    let mut all = vec![b"theme=dark".to_vec()];
    all.extend(pairs);
    Sent { headers: vec![("Cookie", all.join(&b"; "[..]))], answer, ..Sent::default() }
}

fn target(values: &[&[u8]], parts: [&str; 4]) -> Sent {
    Sent { target: around(values, parts), ..Sent::default() }
}

fn variable(values: &[&[u8]]) -> Sent {
    // The event loop passes empty values by.
    let given = values.iter().filter(|value| !value.is_empty()).map(|value| ("user", value.to_vec()));
    Sent { variables: given.collect(), ..Sent::default() }
}

fn json(values: &[&[u8]]) -> Sent {
    body("application/json; charset=utf-8", around(values, [r#"{"a":{"b":[1]}"#, r#","user":""#, r#"""#, "}"]))
}

fn deep_json(value: &[u8]) -> Sent {
    let deep = format!(r#"{{"deep":{}{}"#, "[".repeat(1000), "]".repeat(1000));
    body("application/problem+json", around(&[value], [&deep, r#","user":""#, r#"""#, "}"]))
}

fn form(values: &[&[u8]]) -> Sent {
    body("application/x-www-form-urlencoded", around(values, ["a=1&", "user=", "&", "b=2"]))
}

fn deep_form(value: &[u8]) -> Sent {
    body("application/x-www-form-urlencoded", around(&[value], [&"[a]".repeat(1000), "&user=", "&", "b=2"]))
}

const MULTIPART: &str = "multipart/form-data; boundary=XyZ";

fn multipart(values: &[&[u8]]) -> Sent {
    let open = "--XyZ\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n";
    body(MULTIPART, around(values, ["", open, "\r\n", "--XyZ--\r\n"]))
}

fn deep_multipart(value: &[u8]) -> Sent {
    let parts: String =
        (0..998).map(|n| format!("--XyZ\r\nContent-Disposition: form-data; name=\"{n}\"\r\n\r\n\r\n")).collect();
    let open = "--XyZ\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n";
    body(MULTIPART, around(&[value], [&parts, open, "\r\n", "--XyZ--\r\n"]))
}

fn xml(values: &[&[u8]]) -> Sent {
    body("text/xml", around(values, ["<?xml version=\"1.0\"?>\n<r><a/>", "<user>", "</user>", "</r>"]))
}

fn deep_xml(value: &[u8]) -> Sent {
    let deep = format!("<r>{}{}", "<d>".repeat(1000), "</d>".repeat(1000));
    body("application/soap+xml", around(&[value], [&deep, "<s:user>", "</s:user>", "</r>"]))
}

fn attribute(values: &[&[u8]]) -> Sent {
    body("application/xml", around(values, ["<r>", "<user id=\"", "\"/>", "</r>"]))
}

fn variables(values: &[&[u8]]) -> Sent {
    let query = r#"{"query":"query Q($user: ID) { me(id: $user) { name } }","variables":{"a":1"#;
    body("application/json", around(values, [query, r#","user":""#, r#"""#, "}}"]))
}

fn deep_variables(value: &[u8]) -> Sent {
    let deep = format!(r#"{{"query":"{{a}}","variables":{{"deep":{}{}"#, "[".repeat(1000), "]".repeat(1000));
    body("application/json", around(&[value], [&deep, r#","user":""#, r#"""#, "}}"]))
}

fn argument(values: &[&[u8]]) -> Sent {
    body("application/graphql", around(values, ["mutation Login { ", "a: login(user: \"", "\") { id } ", "ping }"]))
}

fn deep_argument(value: &[u8]) -> Sent {
    let deep = format!("{{ {} b {}", "a { ".repeat(1000), " }".repeat(1000));
    body("application/graphql", around(&[value], [&deep, " login(user: \"", "\") { id } ", "}"]))
}

fn operation(values: &[&[u8]]) -> Sent {
    body("application/graphql", around(values, ["", "query ", " { a } ", "{ b }"]))
}

fn deep_operation(value: &[u8]) -> Sent {
    let deep = format!("{{ a(b: {}1{}) }}", "[".repeat(1000), "]".repeat(1000));
    body("application/graphql", around(&[value], ["", "query ", &deep, ""]))
}

fn in_query(values: &[&[u8]]) -> Sent {
    target(values, ["/graphql?query={me}", "&variables={%22user%22:%22", "%22}", ""])
}

fn token(claims: &[u8]) -> Vec<u8> {
    format!("e30.{}.c2ln", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(claims)).into_bytes()
}

fn claim(values: &[&[u8]]) -> Sent {
    let claims = around(values, [r#"{"a":1"#, r#","user":""#, r#"""#, "}"]);
    body("text/plain", token(&claims))
}

fn deep_claim(value: &[u8]) -> Sent {
    let deep = format!(r#"{{"deep":{}{}"#, "[".repeat(1000), "]".repeat(1000));
    body("text/plain", token(&around(&[value], [&deep, r#","user":""#, r#"""#, "}"])))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut out, bytes).unwrap();
    out.finish().unwrap()
}

fn raw(values: &[&[u8]]) -> Sent {
    body("text/plain", values.concat())
}

fn based(values: &[&[u8]]) -> Sent {
    body("text/plain", BASE64_STANDARD.encode(values.concat()).into_bytes())
}

fn percented(values: &[&[u8]]) -> Sent {
    body("text/plain", values.concat().iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect())
}

fn gzipped(values: &[&[u8]]) -> Sent {
    body("application/octet-stream", if values.is_empty() { Vec::new() } else { gzip(&values.concat()) })
}

fn none(_: &[u8]) -> Sent {
    Sent::default()
}

/// What all bodies of a format have in common; `not_utf8` and `empty` differ.
const fn of_format(format: Format, empty: Expect, not_utf8: Expect) -> [Expect; 12] {
    let cut = Counted(format, Reason::Cut);
    let coding = Counted(Format::Gzip, Reason::Malformed);
    [AsSent, Absent, empty, AsSent, not_utf8, AsSent, AsSent, cut, Absent, coding, AsSent, cut]
}

/// Bodies that a decoder of no format reads, of any content type.
const fn of_any(format: Format, empty: Expect, repeated: Expect, not_utf8: Expect) -> [Expect; 12] {
    let cut = Counted(format, Reason::Cut);
    let coding = Counted(Format::Gzip, Reason::Malformed);
    [AsSent, Absent, empty, repeated, not_utf8, AsSent, AsSent, cut, AsSent, coding, Never, cut]
}

/// Values that are no bodies.
const fn plain(empty: Expect, repeated: Expect) -> [Expect; 12] {
    [AsSent, Absent, empty, repeated, BYTES, AsSent, AsSent, Oversized, Never, Never, Never, Never]
}

const BYTES: Expect = Is("\\xFF\\xFE");

/// Bodies, each way.
fn bodies() -> Vec<Row> {
    use Format::{Base64, Body, Form, Graphql, Gzip, Json, Jwt, Multipart, Xml};
    let malformed = |format| Counted(format, Reason::Malformed);
    let row = |source, put, deep, expected| Row { source, put, deep, expected };
    vec![
        row(
            "json.user",
            json as fn(&[&[u8]]) -> Sent,
            deep_json as fn(&[u8]) -> Sent,
            of_format(Json, AsSent, malformed(Json)),
        ),
        row("form.user", form, deep_form, of_format(Form, AsSent, BYTES)),
        row("multipart.user", multipart, deep_multipart, of_format(Multipart, AsSent, BYTES)),
        row("xml.r.user", xml, deep_xml, of_format(Xml, AsSent, malformed(Xml))),
        row(
            "xml.r.user.@id",
            attribute,
            |value| {
                let deep = format!("<r>{}{}", "<d>".repeat(1000), "</d>".repeat(1000));
                body("application/xml", around(&[value], [&deep, "<user id=\"", "\"/>", "</r>"]))
            },
            of_format(Xml, AsSent, malformed(Xml)),
        ),
        row("graphql.var.user", variables, deep_variables, of_format(Graphql, AsSent, malformed(Graphql))),
        row("graphql.arg.me.id", variables, deep_me, of_format(Graphql, AsSent, malformed(Graphql))),
        row("graphql.arg.login.user", argument, deep_argument, of_format(Graphql, AsSent, BYTES)),
        row("graphql.operation", operation, deep_operation, of_format(Graphql, Absent, malformed(Graphql))),
        row("jwt.payload.user", claim, deep_claim, {
            let mut expected = of_any(Jwt, AsSent, AsSent, malformed(Jwt));
            expected[10] = AsSent;
            expected
        }),
        row("base64", based, none, of_any(Base64, Absent, Is("v1v2"), BYTES)),
        row("gzip", gzipped, none, of_any(Gzip, AsSent, Is("v1v2"), BYTES)),
        row("percent", percented, none, of_any(Body, Absent, Is("v1v2"), BYTES)),
        row(
            "gzip.base64.json.user",
            |values| {
                let Sent { request, .. } = json(values);
                body("application/gzip", gzip(BASE64_STANDARD.encode(&request.body).as_bytes()))
            },
            |value| {
                let Sent { request, .. } = deep_json(value);
                body("application/gzip", gzip(BASE64_STANDARD.encode(&request.body).as_bytes()))
            },
            {
                let mut expected = of_any(Json, AsSent, AsSent, malformed(Json));
                expected[10] = AsSent;
                expected
            },
        ),
    ]
}

fn deep_me(value: &[u8]) -> Sent {
    let deep = format!(
        r#"{{"query":"query($u: ID) {{ {} b {} me(id: $u) {{ id }} }}","variables":{{"a":1"#,
        "a { ".repeat(1000),
        " }".repeat(1000)
    );
    body("application/json", around(&[value], [&deep, r#","u":""#, r#"""#, "}}"]))
}

/// Everything else.
fn others() -> Vec<Row> {
    use Format::{Base64, Gzip, Json, Jwt};
    let malformed = |format| Counted(format, Reason::Malformed);
    let row = |source, put: fn(&[&[u8]]) -> Sent, expected| Row { source, put, deep: none, expected };
    let mut rows = vec![
        row("request.header.X-User", header, plain(AsSent, AsSent)),
        row("response.header.X-User", header, plain(AsSent, AsSent)),
        row("request.cookie.sid", cookie, plain(AsSent, AsSent)),
        row("response.cookie.sid", cookie, plain(AsSent, AsSent)),
        row("request.query.user", |v| target(v, ["/?a=1", "&user=", "", ""]), plain(AsSent, AsSent)),
        row("request.query.graphql.var.user", in_query, {
            let mut expected = plain(AsSent, AsSent);
            expected[4] = malformed(Format::Graphql);
            expected
        }),
        row("request.path", |v| target(v, ["", "/", "", ""]), {
            let mut expected = plain(Is("/"), Is("/v1/v2"));
            (expected[0], expected[1], expected[4]) = (Is("/v1"), Absent, Is("/\\xFF\\xFE"));
            (expected[5], expected[6]) = (Is("/x"), Never);
            expected
        }),
        row("request.path.1", |v| target(v, ["/users", "/", "", ""]), plain(Absent, AsSent)),
        row("request.uri", |v| target(v, ["", "", "", ""]), plain(Absent, Is("v1v2"))),
        row("request.method", |v| Sent { method: v.concat(), ..Sent::default() }, plain(Absent, Never)),
        row("request.host", |v| Sent { host: v.concat(), ..Sent::default() }, plain(Absent, Never)),
        row("request.ip", |v| Sent { ip: v.concat(), ..Sent::default() }, plain(Absent, Never)),
        row("request.var.user", variable, plain(Absent, AsSent)),
        row("$user", variable, plain(Absent, AsSent)),
        row(
            "request.header.X-User.json.user",
            |v| encoded(&[&around(v, [r#"{"a":1"#, r#","user":""#, r#"""#, "}"])], <[u8]>::to_vec),
            {
                let mut expected = plain(AsSent, AsSent);
                expected[4] = malformed(Json);
                expected
            },
        ),
        row("request.header.X-User.bearer", |v| encoded(v, |v| [b"Bearer ", v].concat()), plain(Absent, AsSent)),
        row(
            "request.header.X-User.base64",
            |v| encoded(v, |v| BASE64_STANDARD.encode(v).into()),
            plain(AsSent, AsSent),
        ),
        row(
            "request.header.X-User.base64.gzip",
            |v| encoded(v, |v| BASE64_STANDARD.encode(gzip(v)).into()),
            plain(AsSent, AsSent),
        ),
        row(
            "request.cookie.sid.jwt.payload.user",
            |v| cookie(&[&token(&around(v, [r#"{"a":1"#, r#","user":""#, r#"""#, "}"]))]),
            {
                let mut expected = plain(AsSent, AsSent);
                expected[4] = malformed(Jwt);
                expected
            },
        ),
    ];
    // Not in the encoding that the decoder reads.
    for (source, format) in [
        ("request.header.X-User.base64", Base64),
        ("request.header.X-User.gzip", Gzip),
        ("request.header.X-User.json.a", Json),
        ("request.header.X-User.jwt.payload.sub", Jwt),
    ] {
        let mut expected = [Never; 12];
        expected[9] = malformed(format);
        rows.push(Row { source, put: |_| header(&[b"!~ no such thing ~!"]), deep: none, expected });
    }
    rows
}

/// The value and the request of a situation.
fn situation(row: &Row, label: &str) -> (Vec<u8>, Sent) {
    let put = |value: &[u8]| (value.to_vec(), (row.put)(&[value]));
    match label {
        "absent" => (Vec::new(), (row.put)(&[])),
        "empty" => put(b""),
        "repeated" => (b"v1".to_vec(), (row.put)(&[b"v1", b"v2"])),
        "not UTF-8" => put(b"\xff\xfe"),
        "1 byte" => put(b"x"),
        "1 KiB" => put(&[b'x'; 1 << 10]),
        "1 MiB" => put(&vec![b'x'; 1 << 20]),
        "wrong content type" => {
            let (value, mut sent) = put(b"v1");
            for sending in [&mut sent.request, &mut sent.response] {
                sending.content_type = Some("image/png");
            }
            (value, sent)
        }
        "wrong encoding" => {
            let (value, mut sent) = put(b"v1");
            for sending in [&mut sent.request, &mut sent.response] {
                sending.encoding = Some("gzip");
                // What is gzip already is so once too little.
            }
            (value, sent)
        }
        "nested 1,000 deep" => (b"v1".to_vec(), (row.deep)(b"v1")),
        "cut by the limit" => put(&[b'x'; 70 << 10]),
        _ => put(b"v1"),
    }
}

fn check(side: &str, row: &Row) {
    let source = if side.is_empty() { row.source.to_owned() } else { format!("{side}.body.{}", row.source) };
    for (label, expected) in LABELS.into_iter().zip(row.expected) {
        let (value, sent) = situation(row, label);
        let got = read(&[&source], &sent, capture::DEFAULT_BODY_LIMIT);
        let text = got.values[0].as_deref();
        let what = format!("{source}, {label}: {got:?}");
        match expected {
            AsSent => assert_eq!(text, Some(String::from_utf8(value).unwrap().as_str()), "{what}"),
            Is(expected) => assert_eq!(text, Some(expected), "{what}"),
            Absent => assert_eq!((text, got.counted(), got.oversized), (None, vec![], 0), "{what}"),
            Counted(format, reason) => {
                assert!(text.is_none() && got.counted().contains(&(format, reason)), "{what}");
            }
            Oversized => assert!(text.is_none() && got.oversized > 0, "{what}"),
            Never => {}
        }
    }
}

#[test]
fn each_source_of_a_body_gives_what_is_there_or_counts_why_not() {
    for row in bodies() {
        check("request", &row);
        check("response", &row);
    }
}

#[test]
fn each_other_source_gives_what_is_there_or_counts_why_not() {
    for row in others() {
        check("", &row);
    }
}

#[test]
fn a_whole_body_is_a_value_too() {
    for side in ["request", "response"] {
        let source = format!("{side}.body");
        let of = |bytes: &[u8]| read(&[&source], &raw(&[bytes]), capture::DEFAULT_BODY_LIMIT);
        assert_eq!(of(b"v1").values, [Some("v1".into())]);
        assert_eq!(of(b"").values, [None]);
        let cut = of(&[b'x'; 70 << 10]);
        assert_eq!((&cut.values[0], cut.counted()), (&None, vec![(Format::Body, Reason::Cut)]));
    }
}

#[test]
fn status_and_scheme_are_always_there() {
    let sent = Sent { status: 404, ..Sent::default() };
    let got = read(&["response.status", "request.scheme"], &sent, 0);
    assert_eq!(got.values, [Some("404".into()), Some("http".into())]);
}
