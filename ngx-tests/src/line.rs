//! A line of the access log, and what its record must say.

use serde::Deserialize;

use crate::rest::Request;

/// What NGINX says of a request, as `log_format told` in `tests/requests/site.conf` writes it.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// Request id.
    pub id: String,
    session: String,
    request: String,
    target: String,
    /// `$uri` before any rewrite; empty when the request did not come so far.
    path: String,
    status: String,
    #[serde(rename = "in")]
    bytes_in: String,
    #[serde(rename = "out")]
    bytes_out: String,
    time: String,
    upstream: String,
    host: String,
    proto: String,
    scheme: String,
    ip: String,
    agent: String,
}

/// NGINX's clock has milliseconds, and the start of a request may be taken up to 5 ms after it.
const CLOCKS_DIFFER: u64 = 6_000;
/// A worker that has to wait for the processor looks at the clock later than NGINX did. What is longer
/// is no delay but an error.
const WORKER_WAITS: u64 = 5_000_000;
/// Longest value of a context parameter, in bytes.
const SHOWN: usize = 1024;

/// All lines of a log.
///
/// # Panics
/// When one is not of that format.
pub fn read(log: &[u8]) -> Vec<Line> {
    let lines = log.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(&text(line)).unwrap_or_else(|e| panic!("{e}: {}", text(line)))).collect()
}

/// Bytes that are not UTF-8 are `\xHH` in records. (In JSON the backslash is doubled.)
fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|byte| format!("\\\\x{byte:02X}")));
    }
    out
}

/// Where a record does not say what its line says; empty when it does. A request whose line NGINX could not read has no
/// target in the log: its record tells what the line's own words are.
pub fn differences(line: &Line, record: &Request) -> Vec<String> {
    let param = record.params.iter().find(|param| param.name == "target");
    let recorded_target = param.map_or("", |param| &param.value);
    let (method, raw_target) = words(&line.request);
    let mut target = if line.target.is_empty() { raw_target } else { &line.target };
    target = &target[..target.floor_char_boundary(SHOWN)];
    let path = if line.path.is_empty() { &record.path } else { &line.path };
    let equal = [
        ("session", record.session_id.clone(), line.session.clone()),
        ("method", record.method.clone(), method.to_owned()),
        ("target", recorded_target.to_owned(), target.to_owned()),
        ("path", record.path.clone(), path.to_owned()),
        ("status", format!("{:03}", record.status), line.status.clone()),
        ("bytes in", record.bytes_in.to_string(), line.bytes_in.clone()),
        ("bytes out", record.bytes_out.to_string(), line.bytes_out.clone()),
        ("time in upstreams", format!("{:?}", record.upstream_us), format!("{:?}", upstream(&line.upstream))),
        ("host", record.host.clone(), line.host.clone()),
        ("protocol", record.proto.clone(), line.proto.clone()),
        ("scheme", record.scheme.clone(), line.scheme.clone()),
        ("address", record.ip.clone(), line.ip.clone()),
        ("user-agent", record.user_agent.clone(), line.agent.clone()),
    ];
    let mut found: Vec<String> = equal
        .into_iter()
        .filter(|(_, recorded, logged)| recorded != logged)
        .map(|(what, recorded, logged)| format!("{what}: recorded {recorded:?}, logged {logged:?}, of {line:?}"))
        .collect();
    let (recorded, logged) = (record.duration_us, micros(&line.time));
    if recorded.abs_diff(logged) > CLOCKS_DIFFER + WORKER_WAITS {
        found.push(format!("time: recorded {recorded} us, logged {logged} us, of {line:?}"));
    }
    found
}

/// Method and target of a request line, whether NGINX could read it or not.
fn words(line: &str) -> (&str, &str) {
    let is_method = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    match line.split_once(' ') {
        Some((method, rest)) if !method.is_empty() && is_method(method) => {
            let target = rest.trim_start().split(' ').next().unwrap_or_default();
            // Of a whole URL, NGINX has what follows the host.
            let path = target.strip_prefix("http://").and_then(|url| url.split_once('/'));
            (method, path.map_or(target, |(host, _)| &target["http://".len() + host.len()..]))
        }
        _ => ("", ""),
    }
}

/// `$upstream_response_time`: seconds of each try, and of each group of tries.
fn upstream(times: &str) -> Option<u64> {
    let tries: Vec<&str> = times.split([',', ':']).map(str::trim).filter(|time| !time.is_empty()).collect();
    (!tries.is_empty()).then(|| tries.iter().filter(|&&time| time != "-").map(|time| micros(time)).sum())
}

/// Seconds with three digits, in microseconds.
fn micros(seconds: &str) -> u64 {
    let (whole, millis) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|e| panic!("{seconds}: {e}"));
    number(whole) * 1_000_000 + number(millis) * 1_000
}
