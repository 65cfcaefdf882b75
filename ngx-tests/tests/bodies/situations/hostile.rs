//! Bodies that are made to cost much or to break what reads them: both ways.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::coding::{gzip, zlib};
use crate::situation::{FORM, JSON, Situation, situation};

/// 4 MiB of dots in JSON.
const BROTLI_BOMB: &str = "o///g99IjGMUL8SPVoro7LVLGBmc+C0QGHt/sE3Q///BLwEQh0UAuvcH+v8/+CUA4rAAQPf+QP//B78EQBwWAOjeH+j\
                           //+CXAIjDAgDd+wP9/x/8EgBxWACge3+g//+DXwIgDgsAdO8P9P9/8EsAxGEBgO79ASgAAi4uLi4uLi4uIiwiaWQiOi\
                           Jhbm4ifQM=";

/// A body, and by which decoder and for what reason it is counted.
pub struct Hostile {
    name: &'static str,
    /// The last segment of the location that reads it.
    format: &'static str,
    content_type: &'static str,
    coding: &'static str,
    body: Vec<u8>,
    pub counted: (&'static str, &'static str),
}

impl Hostile {
    /// As a request, and as an answer.
    pub fn both_ways(&self) -> [Situation; 2] {
        let path = format!("/hostile/{}", self.format);
        let coding = match self.coding {
            "" => String::new(),
            coding => format!("Content-Encoding: {coding}\r\n"),
        };
        [
            situation(&format!("{}-asked", self.name))
                .post_with(&path, self.content_type, &coding, &self.body)
                .told(200, &[])
                .answer("text/plain", "", ""),
            situation(&format!("{}-said", self.name)).get(&path).told(200, &[]).answer(
                self.content_type,
                &coding,
                &self.body,
            ),
        ]
    }
}

pub fn all() -> Vec<Hostile> {
    [codings(), documents(), tokens()].into_iter().flatten().collect()
}

fn hostile(
    name: &'static str,
    format: &'static str,
    content_type: &'static str,
    body: impl Into<Vec<u8>>,
    counted: (&'static str, &'static str),
) -> Hostile {
    Hostile { name, format, content_type, coding: "", body: body.into(), counted }
}

fn codings() -> Vec<Hostile> {
    let spaces = vec![b' '; 16 << 20];
    let coded =
        |name, coding, body, decoder| Hostile { coding, ..hostile(name, "json", JSON, body, (decoder, "too_large")) };
    vec![
        coded("gzip-bomb", "gzip", gzip(&spaces), "gzip"),
        coded("gzip-bomb-in-another", "gzip, gzip", gzip(&gzip(&spaces)), "gzip"),
        coded("deflate-bomb", "deflate", zlib(&spaces), "deflate"),
        coded("brotli-bomb", "br", BASE64_STANDARD.decode(BROTLI_BOMB).unwrap(), "br"),
        coded("zstd-bomb", "zstd", zstd::encode_all(&spaces[..], 1).unwrap(), "zstd"),
    ]
}

fn documents() -> Vec<Hostile> {
    let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">\
                <!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">]><a>&d;</a>";
    let file = "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
    let form_data = "multipart/form-data; boundary=b";
    vec![
        hostile("xml-bomb", "xml", "text/xml", bomb, ("xml", "malformed")),
        hostile("xml-file", "xml", "text/xml", file, ("xml", "malformed")),
        hostile("xml-deep", "xml", "text/xml", "<a>".repeat(5_000), ("xml", "too_deep")),
        hostile("form-fields", "form", FORM, "b=1&".repeat(10_000) + "a=1", ("form", "too_large")),
        hostile(
            "multipart-without-an-end",
            "multipart",
            form_data,
            "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nv",
            ("multipart", "malformed"),
        ),
        hostile(
            "multipart-parts",
            "multipart",
            form_data,
            "--b\r\n\r\n\r\n\r\n".repeat(2_000),
            ("multipart", "too_large"),
        ),
        hostile("json-deep", "json", JSON, "{\"a\":".repeat(12_000), ("json", "malformed")),
        hostile("json-deep-lists", "json", JSON, "[".repeat(60_000), ("json", "malformed")),
        hostile("json-not-text", "json", JSON, b"{\"a\":\"\xff\xfe".repeat(100), ("json", "malformed")),
    ]
}

fn tokens() -> Vec<Hostile> {
    let aliases: String = (0..10_000).map(|n| format!("a{n}:f ")).collect();
    let graphql = "application/graphql";
    vec![
        hostile("jwt-invalid", "jwt", "text/plain", "e30.%%%.x", ("jwt", "malformed")),
        hostile("jwt-of-no-json", "jwt", "text/plain", "e30.eyJzdWIi.x", ("jwt", "malformed")),
        hostile("graphql-aliases", "graphql", graphql, format!("{{ {aliases}}}"), ("graphql", "too_large")),
        hostile("graphql-deep", "graphql", graphql, "{a".repeat(30_000), ("graphql", "too_large")),
    ]
}
