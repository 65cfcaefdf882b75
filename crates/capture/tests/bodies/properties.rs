//! What holds for all bodies: nothing panics, and a cut never shows half a value.

use std::io::Write;

use proptest::collection::vec;
use proptest::prelude::*;

use super::request::{Sending, Sent, read};

/// A source, the content type of its bodies, a content coding, and a body that holds a value.
struct Format {
    source: &'static str,
    content_type: &'static str,
    encoding: Option<&'static str>,
    body: fn(&str) -> Vec<u8>,
}

fn json(value: &str) -> Vec<u8> {
    serde_json::json!({"b": [1, {"c": "x"}], "user": value, "z": value}).to_string().into_bytes()
}

fn number(value: &str) -> Vec<u8> {
    format!(r#"{{"b": 1, "user": {}, "z": 2}}"#, value.len() * 1001).into_bytes()
}

fn list(value: &str) -> Vec<u8> {
    serde_json::json!({"b": [{"user": value}, {"user": "second"}, {}], "z": 1}).to_string().into_bytes()
}

fn gzip(value: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(&json(value)).unwrap();
    out.finish().unwrap()
}

fn form(value: &str) -> Vec<u8> {
    let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("a=1&user={encoded}&b=2").into_bytes()
}

fn multipart(value: &str) -> Vec<u8> {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
         --b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{value}\r\n--b--\r\n"
    )
    .into_bytes()
}

fn xml(value: &str) -> Vec<u8> {
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace("\r", "&#13;");
    format!("<r><a b='1'>x</a><user id=\"{}\">{escaped}</user><z/></r>", escaped.replace('"', "&quot;")).into_bytes()
}

fn graphql(value: &str) -> Vec<u8> {
    let quoted = serde_json::Value::from(value).to_string().replace("\\u007f", "\u{7f}");
    format!("query Q {{ a {{ b }} c: login(user: {quoted}) {{ d }} }} fragment F on X {{ e }}").into_bytes()
}

fn batch(value: &str) -> Vec<u8> {
    let document = String::from_utf8(graphql(value)).unwrap();
    serde_json::json!([{"query": "{ a }"}, {"variables": {"user": value}, "query": document}]).to_string().into_bytes()
}

fn token(value: &str) -> Vec<u8> {
    use base64::Engine;
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json(value));
    format!("Bearer e30.{claims}.c2lnbmF0dXJl").into_bytes()
}

const FORMATS: [Format; 13] = [
    Format { source: "json.user", content_type: "application/json", encoding: None, body: json },
    Format { source: "json.user", content_type: "application/json", encoding: None, body: number },
    Format { source: "json.b.*.user", content_type: "application/json", encoding: None, body: list },
    Format { source: "json.user", content_type: "application/json", encoding: Some("gzip"), body: gzip },
    Format { source: "gzip.json.user", content_type: "text/plain", encoding: None, body: gzip },
    Format { source: "form.user", content_type: "application/x-www-form-urlencoded", encoding: None, body: form },
    Format {
        source: "multipart.user",
        content_type: "multipart/form-data; boundary=b",
        encoding: None,
        body: multipart,
    },
    Format { source: "xml.r.user", content_type: "text/xml", encoding: None, body: xml },
    Format { source: "xml.r.user.@id", content_type: "text/xml", encoding: None, body: xml },
    Format { source: "graphql.arg.login.user", content_type: "application/graphql", encoding: None, body: graphql },
    Format { source: "graphql.var.user", content_type: "application/json", encoding: None, body: batch },
    Format { source: "graphql.operation", content_type: "application/json", encoding: None, body: batch },
    Format { source: "jwt.payload.user", content_type: "text/plain", encoding: None, body: token },
];

fn value(format: &Format, body: &[u8], limit: usize) -> Option<String> {
    let source = format!("response.body.{}", format.source);
    let response = Sending { body: body.to_vec(), content_type: Some(format.content_type), encoding: format.encoding };
    read(&[&source], &Sent { response, ..Sent::default() }, limit).values.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_shows_a_whole_value_or_none(text in "[ -~äöü€😀\n]{1,40}", share in 0.0..1.0) {
        for format in &FORMATS {
            let body = (format.body)(&text);
            let whole = value(format, &body, usize::MAX);
            prop_assert!(whole.is_some(), "{} of {:?}", format.source, String::from_utf8_lossy(&body));
            let at = 1 + (share * (body.len() - 1) as f64) as usize;
            for limit in [at, body.len() - 1] {
                let cut = value(format, &body, limit);
                prop_assert!(cut.is_none() || cut == whole, "{} at {limit}: {cut:?}, not {whole:?}", format.source);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_absent(bytes in vec(any::<u8>(), 0..200)) {
        for format in &FORMATS {
            for limit in [bytes.len(), bytes.len() / 2] {
                let _ = value(format, &bytes, limit);
            }
        }
    }

    #[test]
    fn damage_anywhere_costs_values_at_most(text in "[a-z]{1,20}", place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for format in &FORMATS {
            let mut body = (format.body)(&text);
            let at = place.index(body.len());
            body[at] = byte;
            let _ = value(format, &body, usize::MAX);
        }
    }
}
