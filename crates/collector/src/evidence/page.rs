//! The page: who, when, from where, then what, in order. For a screen and for paper.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Evidence;
use crate::legible::escape;
use crate::model::{KeyCount, Param, Request, SessionPart, Who};

/// What a browser may do with the page: show it with its own style, nothing else. The hash is that of [`STYLE`].
pub const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
     style-src 'sha256-zeqIqVTXFHIeiKTh1/iQCgdq1EHCxNtd3aQ9ewkSXGs='";

pub(super) const STYLE: &str = "
body { font: 14px/1.5 system-ui, sans-serif; color: #111; background: #fff; margin: 2em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.5em; }
dt { color: #555; } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th, td { text-align: left; vertical-align: top; padding: .3em .6em; border-bottom: 1px solid #ccc; }
td.number, th.number { text-align: right; }
dd, td, p, bdi { overflow-wrap: anywhere; }
p.note { white-space: pre-wrap; border-left: 3px solid #999; padding-left: 1em; }
.aside { color: #555; } .attack { color: #a00; }
@media print { @page { size: landscape; margin: 1cm; } body { margin: 0; } thead { display: table-header-group; }
  tr { break-inside: avoid; } }
";

/// The page of `evidence`, whose archive hashes to `hash`.
pub(super) fn page(evidence: &Evidence, hash: &str) -> String {
    let session = evidence.session.to_string();
    let content = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width";
                title { "Session " (session) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Session " (session) }
                (story(&evidence.parts))
                (bundle(evidence, hash))
                @if !evidence.labels.is_empty() {
                    h2 { "Labels" }
                    ul { @for label in &evidence.labels {
                        li { (text(&label.label)) span.aside { " by " (text(&label.author)) ", " (label.at) } }
                    } }
                }
                @if !evidence.notes.is_empty() {
                    h2 { "Notes" }
                    @for note in &evidence.notes {
                        p.aside {
                            (text(&note.author)) ", " (note.at)
                            @if let Some(request) = note.request_id { ", on request " (request) }
                        }
                        p.note { (lines(&note.text)) }
                    }
                }
                @for part in evidence.parts.iter().rev() { (day(part)) }
                (requests(evidence))
            }
        }
    };
    content.into_string()
}

/// Who, when, from where, in a sentence.
fn story(parts: &[SessionPart]) -> Markup {
    let count: u64 = parts.iter().map(|part| part.requests).sum();
    let first = parts.iter().map(|part| part.first_seen).min().unwrap_or_default();
    let last = parts.iter().map(|part| part.last_seen).max().unwrap_or_default();
    let user = parts.iter().find_map(|part| part.user.as_ref());
    let role = parts.iter().find_map(|part| part.role.as_ref());
    let mut addresses: Vec<&str> = parts.iter().flat_map(|part| &part.ips).map(String::as_str).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let attacks: u64 = parts.iter().flat_map(|part| part.attacks.values()).sum();
    html! {
        p {
            @match user { Some(user) => (who(user)), None => "Somebody without a name" }
            @if let Some(role) = role { " (" (who(role)) ")" }
            " made " (count) " requests between " (first) " and " (last) " from "
            @if addresses.is_empty() { "no known address" }
            (list(addresses.iter().copied()))
            @if attacks > 0 { span.attack { ", with " (attacks) " attacks in them" } }
            ". Times are UTC."
        }
    }
}

/// What this is, and how to tell that nobody changed it.
fn bundle(evidence: &Evidence, hash: &str) -> Markup {
    html! {
        dl {
            dt { "bundle" } dd { (evidence.id) }
            dt { "made" } dd { (evidence.by.at) " by " (text(&evidence.by.who)) ", by api-sessions " (env!("CARGO_PKG_VERSION")) }
            dt { "archive" } dd { (evidence.id) ".ndjson, BLAKE3 " (hash) }
            dt { "requests" } dd {
                (evidence.requests.len()) " in this bundle"
                @if evidence.left_out() > 0 {
                    strong { ", " (evidence.left_out()) " later ones are left out: there was no room for them" }
                }
            }
        }
    }
}

/// A part of the session.
fn day(part: &SessionPart) -> Markup {
    let counts = |map: &BTreeMap<String, u64>| map.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>();
    let facts: [(&str, Vec<String>); 13] = [
        ("seen", vec![format!("{} to {}", part.first_seen, part.last_seen)]),
        ("requests", [vec![part.requests.to_string()], counts(&part.statuses), counts(&part.methods)].concat()),
        ("bytes", vec![format!("{} in", part.bytes_in), format!("{} out", part.bytes_out)]),
        ("users", part.users.iter().map(named).collect()),
        ("roles", part.roles.iter().map(named).collect()),
        ("keys", part.keys.iter().map(key).collect()),
        ("addresses", more(&part.ips, part.ip_count)),
        ("networks", [part.countries.clone(), part.networks.clone()].concat()),
        ("user agents", part.user_agents.clone()),
        ("hosts", part.hosts.clone()),
        ("applications", part.applications.clone()),
        ("endpoints", more(&endpoints(part), part.endpoint_count)),
        ("attacks", counts(&part.attacks)),
    ];
    html! {
        h2 { (part.day) }
        dl { @for (name, values) in facts { @if values.iter().any(|value| !value.is_empty()) {
            dt { (name) } dd { (list(values.iter().map(String::as_str))) }
        } } }
    }
}

fn requests(evidence: &Evidence) -> Markup {
    html! {
        h2 { "Requests" }
        table {
            thead { tr {
                th { "Time" } th { "Method" } th { "Host and path" } th.number { "Status" } th.number { "ms" }
                th.number { "Bytes" } th { "Address and agent" } th { "Key and parameters" } th { "Marks" }
            } }
            tbody { @for request in &evidence.requests { (row(request)) } }
        }
    }
}

fn row(request: &Request) -> Markup {
    html! {
        tr id=(request.id) {
            td { (request.ts) br; span.aside { (request.id) } }
            td { (text(&request.method)) }
            td {
                (text(&request.host)) (text(&request.path))
                @if let Some(mcp) = &request.mcp { br; (text(&mcp.method)) " " (text(&mcp.primitive)) }
                @if let Some(gql) = &request.gql { br; (text(&gql.kind)) " " (text(&gql.operation)) }
            }
            td.number { (request.status) }
            td.number {
                (millis(request.duration_us))
                @if let Some(usual) = &request.usual {
                    br;
                    span.aside { "usual " (millis(usual.duration_us.p50)) " to " (millis(usual.duration_us.p95)) }
                }
            }
            td.number {
                (request.bytes_out)
                @if let Some(usual) = &request.usual {
                    br;
                    span.aside { "usual " (usual.bytes_out.p50) " to " (usual.bytes_out.p95) }
                }
            }
            td { (text(&request.ip)) br; span.aside { (text(&request.user_agent)) } }
            td { (text(&key(&request.key))) @for parameter in &request.params { br; (text(&param(parameter))) } }
            td {
                @for attack in &request.attacks {
                    div.attack { (text(&attack.kind)) " in " (text(&attack.point)) ": " (text(&attack.payload)) }
                }
                (list(request.labels.iter().map(String::as_str)))
            }
        }
    }
}

/// Microseconds as milliseconds with one decimal.
fn millis(micros: u64) -> String {
    format!("{}.{}", micros / 1000, micros % 1000 / 100)
}

/// A value of others: nothing in it steers, and what surrounds it keeps its direction.
fn text(value: &str) -> Markup {
    html! { bdi { (escape(value)) } }
}

/// Likewise, with its line ends.
fn lines(value: &str) -> Markup {
    html! { @for line in value.lines() { bdi { (escape(line)) } "\n" } }
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> Markup {
    html! { @for (index, value) in values.enumerate() { @if index > 0 { ", " } (text(value)) } }
}

fn who(who: &Who) -> Markup {
    text(&named(who))
}

fn named(who: &Who) -> String {
    if who.hashed { format!("pseudonym {}", who.value) } else { who.value.clone() }
}

fn key(key: &KeyCount) -> String {
    let name = if key.name.is_empty() { &key.source } else { &key.name };
    match (key.value.is_empty(), key.hashed) {
        (true, _) => name.clone(),
        (false, true) => format!("{name} = pseudonym {}", key.value),
        (false, false) => format!("{name} = {}", key.value),
    }
}

fn param(param: &Param) -> String {
    let Param { name, value, hashed, .. } = param;
    if *hashed { format!("{name} = pseudonym {value}") } else { format!("{name} = {value}") }
}

fn endpoints(part: &SessionPart) -> Vec<String> {
    part.top_endpoints.iter().map(|top| format!("{} ({})", top.endpoint, top.requests)).collect()
}

/// The values, and how many more there are.
fn more(values: &[String], count: u64) -> Vec<String> {
    let more = count.saturating_sub(values.len() as u64);
    let rest = (more > 0).then(|| format!("and {more} more"));
    values.iter().cloned().chain(rest).collect()
}
