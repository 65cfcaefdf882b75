use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::model::{Attack, Day, KeyCount, Param, Who};

/// Markup, quotes, line ends, characters that steer terminals and the direction of writing, and much of it.
const HOSTILE: [&str; 6] = [
    "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"'><style>*{display:none}</style><!--",
    "&lt;b&gt; &amp;amp; &#0; ]]>",
    "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}",
    "\0\u{1b}[2J\u{7f}\u{9b}\r\n\t",
    "javascript:alert(1)\u{2028}\u{2029}",
];

fn evidence(value: &str, requests: usize) -> Evidence {
    let v = || value.to_owned();
    let who = || Some(Who { value: v(), hashed: false });
    let key = KeyCount { source: v(), name: v(), value: v(), hashed: false, requests: Some(1) };
    let part = SessionPart {
        day: Day(1),
        applications: vec![v()],
        keys: vec![key.clone()],
        user: who(),
        users: who().into_iter().collect(),
        role: who(),
        roles: who().into_iter().collect(),
        requests: requests as u64,
        ips: vec![v()],
        networks: vec![v()],
        countries: vec![v()],
        user_agents: vec![v()],
        hosts: vec![v()],
        top_endpoints: vec![crate::model::EndpointCount { endpoint: v(), requests: 1 }],
        statuses: [(v(), 1)].into(),
        methods: [(v(), 1)].into(),
        attacks: [(v(), 1)].into(),
        labels: vec![v()],
        ..SessionPart::default()
    };
    let by = By { who: v(), at: Micros(0) };
    let label = Label { label: v(), author: v(), at: Micros(0) };
    let note =
        Note { id: Id::default(), session_id: Id([1; 16]), request_id: None, text: v(), author: v(), at: Micros(0) };
    let mut evidence = Evidence::new(Id([2; 16]), Id([1; 16]), vec![part], vec![label], vec![note], by);
    for _ in 0..requests {
        let request = Request {
            method: v(),
            host: v(),
            path: v(),
            ip: v(),
            user_agent: v(),
            key: key.clone(),
            params: vec![Param { source: v(), name: v(), kind: v(), value: v(), hashed: false }],
            mcp: Some(crate::model::Mcp { method: v(), primitive: v(), arguments: None, error: None }),
            gql: Some(crate::model::Graphql { kind: v(), operation: v() }),
            attacks: vec![Attack { kind: v(), point: v(), payload: v(), engine: v(), blocked: false }],
            labels: vec![v()],
            ..Request::default()
        };
        if !evidence.add(request).unwrap() {
            break;
        }
    }
    evidence
}

/// The page's tags with their attributes, in order; the style's text is left out.
fn tags(html: &[u8]) -> Vec<String> {
    let html = std::str::from_utf8(html).unwrap().replace(page::STYLE, "");
    html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap().to_owned()).collect()
}

fn assert_harmless(value: &str) {
    let html = evidence(value, 2).archive().unwrap().html;
    // Whatever the values are, the page's tags and attributes are those of harmless ones.
    let plain = evidence(&"x\n".repeat(value.lines().count()), 2).archive().unwrap().html;
    assert_eq!(tags(&html), tags(&plain), "{value:?}");
    let text = String::from_utf8(html).unwrap();
    assert!(text.chars().all(|char| char == '\n' || crate::legible::is_plain(char)), "{value:?}");
}

#[test]
fn whatever_clients_sent_the_page_shows_it_and_obeys_nothing() {
    for value in HOSTILE.iter().map(|value| (*value).to_owned()).chain(HOSTILE.map(|value| value.repeat(2_000))) {
        assert_harmless(&value);
    }
    let html = String::from_utf8(evidence(HOSTILE[0], 1).archive().unwrap().html).unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_value_becomes_markup(value in "[<>&\"'/=a-c!\\-\\[\\]\u{200e}\u{0}-\u{20}]{0,40}") {
        assert_harmless(&value);
    }
}

#[test]
fn the_page_may_do_nothing_but_show_its_own_style() {
    let hash = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, Sha256::digest(page::STYLE));
    assert!(POLICY.ends_with(&format!("style-src 'sha256-{hash}'")), "the hash is {hash}");
    let html = String::from_utf8(evidence("x", 1).archive().unwrap().html).unwrap();
    let (policy, style) = (html.find("http-equiv=\"Content-Security-Policy\"").unwrap(), html.find("<style>").unwrap());
    assert!(policy < style && html[policy..style].contains("default-src 'none'"));
    for outside in ["src=", "href=", "url(", "@import", "<script", "<link", " on"] {
        assert!(
            !tags(html.as_bytes()).iter().any(|tag| tag.contains(outside)) && !page::STYLE.contains(outside),
            "{outside}"
        );
    }
}

#[test]
fn the_archive_holds_each_thing_on_a_line_and_the_page_names_its_hash() {
    let archive = evidence(HOSTILE[3], 3).archive().unwrap();
    let lines: Vec<serde_json::Value> = archive
        .ndjson
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["bundle", "part", "label", "note", "request", "request", "request"]);
    assert_eq!((&lines[0]["requests"], &lines[0]["requests_left_out"]), (&3.into(), &0.into()));
    assert_eq!(lines[4]["path"], HOSTILE[3]);
    let html = String::from_utf8(archive.html).unwrap();
    assert!(html.contains(blake3::hash(&archive.ndjson).to_hex().as_str()));
}

#[test]
fn what_finds_no_room_is_counted_and_said() {
    let mut full = evidence("x", REQUESTS);
    assert!(!full.add(Request::default()).unwrap());
    full.parts[0].requests += 1;
    let archive = full.archive().unwrap();
    assert_eq!((archive.requests, archive.left_out), (REQUESTS, 1));
    assert!(String::from_utf8(archive.html).unwrap().contains("1 later ones are left out"));

    let heavy = evidence(&"\u{1}".repeat(10_000), 50).archive().unwrap();
    assert!(heavy.requests > 0 && heavy.left_out == 50 - heavy.requests, "{} of 50", heavy.requests);
    assert!(heavy.ndjson.len() < BYTES + (4 << 20), "{}", heavy.ndjson.len());
}
