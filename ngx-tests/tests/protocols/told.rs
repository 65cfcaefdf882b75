//! What a node told of its requests, as it went over the wire.

use std::collections::BTreeSet;

use ngx_tests::forward::SESSIONS;
use rmpv::Value;

/// `$connection`, but for HTTP/3, where NGINX counts each stream as a connection; and the protocol,
/// which is nothing or empty when the head could not be read.
pub const MAPS: &str = "map $server_protocol $told_connection { default $connection; HTTP/3.0 -; } \
                        map $server_protocol $told_protocol { default $server_protocol; '' -; }";

/// The access log of these tests: what [`Told::line`] writes.
pub const FORMAT: &str = "$wallarm_request_id $told_connection $connection_requests $remote_addr $scheme $told_protocol \
                          $request_method $host $status $bytes_sent $request_length $uri";

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub id: String,
    pub sid: String,
    /// Seconds and nanoseconds.
    pub start: (u32, u32),
    pub conn: u64,
    pub n: u64,
    pub app: String,
    pub key: String,
    pub ip: String,
    pub scheme: String,
    pub proto: String,
    pub method: String,
    pub host: String,
    pub path: String,
    pub status: u64,
    pub bytes_out: u64,
    pub bytes_in: u64,
}

impl Told {
    /// As the access log has it. Of a head that NGINX could not read it knows less than the record.
    pub fn line(&self, logged: &str) -> String {
        let Self { id, conn, n, ip, scheme, proto, method, host, path, status, bytes_out, bytes_in, .. } = self;
        let or_dash = |word: &'_ str| if word.is_empty() { "-".to_owned() } else { word.to_owned() };
        let unread = logged.ends_with(" -");
        let [method, path] = [method, path].map(|word| if unread { "-".to_owned() } else { or_dash(word) });
        let (proto, conn) = (or_dash(proto), if proto == "HTTP/3.0" { "-".to_owned() } else { conn.to_string() });
        format!("{id} {conn} {n} {ip} {scheme} {proto} {method} {host} {status:03} {bytes_out} {bytes_in} {path}")
    }
}

/// The records in all frames, each once even if a chunk was sent again.
pub fn of(mut frames: &[u8]) -> Vec<Told> {
    let mut told = Vec::new();
    let mut seqs = BTreeSet::new();
    while let Ok(frame) = rmpv::decode::read_value(&mut frames) {
        let Value::Array(parts) = frame else { continue };
        let [tag, Value::Binary(entries), ..] = parts.as_slice() else { continue };
        let mut entries = entries.as_slice();
        while tag.as_str() == Some(SESSIONS) && !entries.is_empty() {
            let entry = rmpv::decode::read_value(&mut entries).unwrap();
            if seqs.insert(entry[1]["seq"].to_string()) {
                told.push(record(&entry));
            }
        }
    }
    told
}

fn record(entry: &Value) -> Told {
    let Value::Ext(0, time) = &entry[0] else { panic!("no time: {entry}") };
    let part = |at: usize| u32::from_be_bytes(time[at..at + 4].try_into().unwrap());
    let fields = &entry[1];
    let text = |key: &str| fields[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| fields[key].as_u64().unwrap_or_default();
    let hex = |key: &str| fields[key].as_slice().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    Told {
        id: hex("id"),
        sid: hex("sid"),
        start: (part(0), part(4)),
        conn: number("conn"),
        n: number("n"),
        app: text("app"),
        key: fields["key"][0].as_str().unwrap_or_default().to_owned(),
        ip: text("ip"),
        scheme: text("scheme"),
        proto: text("proto"),
        method: text("method"),
        host: text("host"),
        path: text("path"),
        status: number("status"),
        bytes_out: number("out"),
        bytes_in: number("in"),
    }
}
