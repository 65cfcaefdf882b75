//! From a request's bytes to what leaves the node.

use std::sync::Arc;

use capture::{
    AddressMode, ContextSpec, Extractor, Format, KeySpec, NodeFacts, PathMode, Plan, PlanSpec, Reason, Slot, Snapshot,
    Source, Template, is_sensitive,
};
use identity::{Secret, hex};
use wire::ParamKind;

fn secret() -> Secret {
    Secret::from_file_bytes(b"0123456789abcdef0123456789abcdef")
}

fn key(text: &str) -> KeySpec {
    KeySpec {
        text: text.into(),
        source: Source::parse(text).unwrap(),
        name: Source::default_name(text),
        group: None,
        show: false,
    }
}

fn grouped(text: &str, group: &str) -> KeySpec {
    KeySpec { group: Some(Template::parse(group).unwrap()), ..key(text) }
}

fn context(text: &str, kind: ParamKind) -> ContextSpec {
    ContextSpec {
        text: text.into(),
        source: Source::parse(text).unwrap(),
        name: Source::default_name(text),
        kind,
        hash: is_sensitive(text),
    }
}

/// A request and its answer, as the event loop would copy them.
#[derive(Default)]
struct Request<'a> {
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    variables: &'a [(&'a str, &'a str)],
    answer: &'a [(&'a str, &'a str)],
    ip: &'a str,
}

fn snapshot(spec: PlanSpec, request: &Request) -> Snapshot {
    let plan = Arc::new(Plan::new(spec));
    let mut snapshot = Snapshot::default();
    snapshot.reset(&plan);
    let target = if request.target.is_empty() { "/" } else { request.target };
    let ip = if request.ip.is_empty() { "192.0.2.7" } else { request.ip };
    for (slot, value) in [(Slot::TARGET, target), (Slot::METHOD, "GET"), (Slot::HOST, "shop.test"), (Slot::IP, ip)] {
        snapshot.put(slot, value.as_bytes());
    }
    for (name, value) in request.headers {
        for wanted in plan.request_headers().iter().filter(|h| h.name.eq_ignore_ascii_case(name)) {
            snapshot.put(wanted.slot, value.as_bytes());
        }
    }
    for (name, value) in request.answer {
        for wanted in plan.response_headers().iter().filter(|h| h.name.eq_ignore_ascii_case(name)) {
            snapshot.put(wanted.slot, value.as_bytes());
        }
    }
    for (name, value) in request.variables {
        for wanted in plan.variables().iter().filter(|v| v.name == *name) {
            snapshot.put(wanted.slot, value.as_bytes());
        }
    }
    snapshot.facts.merge_slashes = true;
    snapshot
}

/// Session id and the source of the key that told it.
fn session(keys: &[KeySpec], request: &Request) -> (String, String) {
    let snapshot = snapshot(PlanSpec { keys: keys.to_vec(), ..PlanSpec::default() }, request);
    let secret = secret();
    let plan = Arc::clone(snapshot.plan.as_ref().unwrap());
    let identity = plan.identify(&snapshot, &secret);
    (hex(&identity.sid), identity.key.source.into_owned())
}

fn id(namespace: &str, value: &str) -> String {
    hex(&secret().id(namespace, &[value.as_bytes()]))
}

#[test]
fn a_token_in_an_answer_and_in_a_later_query_are_one_session() {
    let keys = [key("response.header.X-Token"), key("request.query.token")];
    let login = session(&keys, &Request { answer: &[("x-token", "a+b/c=")], ..Request::default() });
    let later = session(&keys, &Request { target: "/orders?token=a%2Bb%2Fc%3D", ..Request::default() });
    let expected = id("own", "a+b/c=");
    assert_eq!(login, (expected.clone(), "response.header.X-Token".into()));
    assert_eq!(later, (expected, "request.query.token".into()));
}

#[test]
fn own_keys_come_before_the_built_in_ones_and_empty_values_do_not_count() {
    let keys = [key("request.query.token")];
    let headers = &[("Cookie", "PHPSESSID=s3cr3t")][..];
    let own = session(&keys, &Request { target: "/?token=t", headers, ..Request::default() });
    let empty = session(&keys, &Request { target: "/?token=", headers, ..Request::default() });
    assert_eq!(own, (id("own", "t"), "request.query.token".into()));
    assert_eq!(empty, (id("cookie:PHPSESSID", "s3cr3t"), "cookie:PHPSESSID".into()));
}

#[test]
fn equal_values_in_two_groups_are_two_sessions() {
    let keys = [grouped("request.query.user", "$host")];
    let of =
        |host| session(&keys, &Request { target: "/?user=42", variables: &[("host", host)], ..Request::default() });
    assert_eq!(of("example.com").0, id("group:example.com", "42"));
    assert_ne!(of("example.com").0, of("example.org").0);
}

#[test]
fn a_value_with_an_empty_variable_is_absent() {
    let keys = [key("$arg_a:$arg_b")];
    let headers = &[("User-Agent", "curl/8.5.0")][..];
    let both = Request { variables: &[("arg_a", "1"), ("arg_b", "2")], headers, ..Request::default() };
    let one = Request { variables: &[("arg_a", "1")], headers, ..Request::default() };
    assert_eq!(session(&keys, &both), (id("own", "1:2"), "$arg_a:$arg_b".into()));
    assert_eq!(session(&keys, &one), (id("ip+ua", "192.0.2.7\0curl/8.5.0"), "ip+ua".into()));
}

#[test]
fn built_in_keys_are_tried_in_the_order_of_the_contract() {
    let mut headers = vec![
        ("User-Agent", "curl"),
        ("Authorization", "Token tok_123"),
        ("Cookie", "sid=c; JSESSIONID=b; PHPSESSID=a"),
        ("Session-Id", "h3"),
        ("X-Session-Id", "h2"),
        ("Mcp-Session-Id", "h1"),
    ];
    let answer = &[("Session-Id", "r2"), ("Set-Cookie", "sid=r1; Path=/")][..];
    let mut seen = Vec::new();
    let cookies = ["sid=c; JSESSIONID=b", "sid=c", "other=1"];
    for round in 0..8 {
        seen.push(session(&[], &Request { headers: &headers, answer, ..Request::default() }));
        match round {
            0..=2 => drop(headers.pop()),
            _ => {
                if let Some(cookie) = cookies.get(round - 3) {
                    headers[2].1 = cookie;
                }
            }
        }
    }
    let expected = [
        ("header:mcp-session-id", "h1"),
        ("header:x-session-id", "h2"),
        ("header:session-id", "h3"),
        ("cookie:PHPSESSID", "a"),
        ("cookie:JSESSIONID", "b"),
        ("cookie:sid", "c"),
        ("cookie:sid", "r1"),
    ];
    for ((sid, source), (namespace, value)) in seen.iter().zip(expected) {
        assert_eq!((sid.as_str(), source.as_str()), (id(namespace, value).as_str(), namespace));
    }
    let header_of_answer = Request { headers: &headers, answer: &[("Session-Id", "r2")], ..Request::default() };
    assert_eq!(session(&[], &header_of_answer).0, id("header:session-id", "r2"));
    let authorization = Request { headers: &headers, ..Request::default() };
    assert_eq!(session(&[], &authorization), (id("credential", "tok_123"), "credential".into()));
}

#[test]
fn a_first_answer_hands_out_the_id_that_later_requests_bring() {
    let first = session(&[], &Request { answer: &[("Set-Cookie", "PHPSESSID=x1; HttpOnly")], ..Request::default() });
    let later = session(&[], &Request { headers: &[("Cookie", "a=b; PHPSESSID=x1")], ..Request::default() });
    assert_eq!(first, later);
}

#[test]
fn refreshed_tokens_of_one_subject_are_one_session() {
    // {"iss":"https://issuer","sub":"user-7","exp":1} and the same with "exp":2.
    let tokens = [
        "Bearer e30.eyJpc3MiOiJodHRwczovL2lzc3VlciIsInN1YiI6InVzZXItNyIsImV4cCI6MX0.x",
        "Bearer e30.eyJpc3MiOiJodHRwczovL2lzc3VlciIsInN1YiI6InVzZXItNyIsImV4cCI6Mn0.y",
    ];
    for token in tokens {
        let headers = &[("Authorization", token)][..];
        let found = session(&[], &Request { headers, ..Request::default() });
        assert_eq!(found, (id("jwt", "https://issuer\0user-7"), "jwt".into()));
    }
}

#[test]
fn without_built_in_keys_only_address_and_agent_are_left() {
    let headers = &[("Cookie", "PHPSESSID=a"), ("User-Agent", "curl")][..];
    let spec = PlanSpec { builtin_keys: false, ..PlanSpec::default() };
    let snapshot = snapshot(spec, &Request { headers, ..Request::default() });
    let plan = Arc::clone(snapshot.plan.as_ref().unwrap());
    assert_eq!(plan.identify(&snapshot, &secret()).key.source, "ip+ua");
    let nothing = session(&[], &Request { ip: "2001:db8:1:2::9", ..Request::default() });
    assert_eq!(nothing, (id("ip", "2001:db8:1:2::/64"), "ip".into()));
}

/// The event of a request, as it would travel.
fn event(spec: PlanSpec, request: &Request) -> wire::Event<'static> {
    let snapshot = snapshot(spec, request);
    let plan = Arc::clone(snapshot.plan.as_ref().unwrap());
    let node = NodeFacts { name: "edge-1".into(), secret: secret() };
    let mut bytes = Vec::new();
    Extractor::new(node).extract(&plan, &snapshot).encode(&mut bytes);
    wire::Event::decode(bytes.leak()).unwrap()
}

#[test]
fn credentials_leave_as_pseudonyms_and_only_show_shows_them() {
    let pseudonym = hex(&secret().pseudonym(b"s3cret"));
    let headers = &[("X-Api-Key", "s3cret"), ("X-User", "ann")][..];
    let shown = ContextSpec { hash: false, ..context("request.header.X-Api-Key", ParamKind::Context) };
    let spec = PlanSpec {
        keys: vec![key("request.header.X-Api-Key")],
        contexts: vec![
            context("request.header.X-Api-Key", ParamKind::Context),
            context("request.header.X-User", ParamKind::User),
            shown,
        ],
        ..PlanSpec::default()
    };
    let event = event(spec, &Request { headers, ..Request::default() });
    assert_eq!((event.key.value.as_ref(), event.key.hashed), (pseudonym.as_str(), true));
    let values: Vec<_> = event.ctx.iter().map(|param| (param.value.as_ref(), param.hashed)).collect();
    assert_eq!(values, [(pseudonym.as_str(), true), ("ann", false), ("s3cret", false)]);
    assert_eq!(event.user, Some(wire::Who { value: "ann".into(), hashed: false }));
    assert_eq!(event.role, None);
}

#[test]
fn the_client_address_leaves_as_configured_and_identity_does_not_change() {
    let pseudonym = hex(&secret().pseudonym(b"192.0.2.7"));
    let of = |address, ip| event(PlanSpec { address, ..PlanSpec::default() }, &Request { ip, ..Request::default() });
    let clear = of(AddressMode::Clear, "192.0.2.7");
    let hash = of(AddressMode::Hash, "192.0.2.7");
    assert_eq!(clear.ip, "192.0.2.7");
    assert_eq!(hash.ip, pseudonym);
    assert_eq!(clear.sid, hash.sid);
    assert_eq!(of(AddressMode::Prefix, "192.0.2.7").ip, "192.0.2.0/24");
    assert_eq!(of(AddressMode::Prefix, "2001:db8:1:2::9").ip, "2001:db8:1::/48");
}

#[test]
fn paths_are_normal_and_masked_unless_said_otherwise() {
    let target = "/a/../reset/0123456789abcdef0123456789abcdef?token=never";
    let masked = event(PlanSpec::default(), &Request { target, ..Request::default() });
    let clear = PlanSpec { path: PathMode::Clear, ..PlanSpec::default() };
    let clear = event(clear, &Request { target, ..Request::default() });
    let pseudonym = hex(&secret().pseudonym(b"0123456789abcdef0123456789abcdef"));
    assert_eq!(masked.path, format!("/reset/{pseudonym}"));
    assert_eq!(clear.path, "/reset/0123456789abcdef0123456789abcdef");
}

#[test]
fn shown_values_are_cut_and_ids_are_made_of_the_whole() {
    let long = "ä".repeat(600);
    let headers = &[("X-User", long.as_str())][..];
    let spec = PlanSpec { keys: vec![KeySpec { show: true, ..key("request.header.X-User") }], ..PlanSpec::default() };
    let event = event(spec, &Request { headers, ..Request::default() });
    assert_eq!(event.key.value, "ä".repeat(512));
    assert_eq!(hex(&event.sid), id("own", &long));
}

#[test]
fn what_is_too_long_to_copy_is_absent_and_counted() {
    let long = "x".repeat(capture::MAX_VALUE + 1);
    let headers = &[("X-User", long.as_str()), ("User-Agent", "curl")][..];
    let spec = PlanSpec { keys: vec![key("request.header.X-User")], ..PlanSpec::default() };
    let snapshot = snapshot(spec, &Request { headers, ..Request::default() });
    let plan = Arc::clone(snapshot.plan.as_ref().unwrap());
    assert_eq!(snapshot.oversized, 1);
    assert_eq!(plan.identify(&snapshot, &secret()).key.source, "ip+ua");
}

#[test]
fn an_application_may_hold_variables_and_is_never_empty() {
    let spec = PlanSpec { application: Template::parse("$app").unwrap(), ..PlanSpec::default() };
    let of = |variables| event(spec.clone(), &Request { variables, ..Request::default() }).app.into_owned();
    assert_eq!(of(&[("app", "shop")]), "shop");
    assert_eq!(of(&[]), "default");
}

/// {"iss":"i","sub":"ann"} and {"iss":"i","sub":"bob"}, as their payloads stand in a token.
const ANN: &str = "Bearer e30.eyJpc3MiOiJpIiwic3ViIjoiYW5uIn0.c2ln";
const BOB: &str = "Bearer e30.eyJpc3MiOiJpIiwic3ViIjoiYm9iIn0.c2ln";

#[test]
fn an_event_does_not_depend_on_the_events_before_it() {
    let claim = "request.header.Authorization.jwt.payload.sub";
    let own = PlanSpec {
        keys: vec![grouped("request.query.user", "$host"), grouped("request.query.token", "shop")],
        contexts: vec![
            context(claim, ParamKind::User),
            ContextSpec { hash: false, ..context(claim, ParamKind::Context) },
            context("request.cookie.sid", ParamKind::Context),
        ],
        ..PlanSpec::default()
    };
    let shown = PlanSpec { keys: vec![KeySpec { show: true, ..key("request.query.token") }], ..PlanSpec::default() };
    let mut snapshots = Vec::new();
    for spec in [&PlanSpec::default(), &own, &shown] {
        for headers in [
            &[][..],
            &[("Authorization", ANN)],
            &[("Authorization", BOB), ("User-Agent", "curl")],
            &[("Authorization", "Basic YW5uOnB3")],
            &[("Authorization", "Bearer opaque")],
            &[("Cookie", "sid=ann"), ("Authorization", "ann")],
            &[("X-Session-Id", "ann")],
        ] {
            for (target, host) in
                [("/", "a.test"), ("/?user=ann", "a.test"), ("/?user=ann", "b.test"), ("/?token=ann", "")]
            {
                let variables = &[("host", host)][..];
                snapshots.push(snapshot(spec.clone(), &Request { target, headers, variables, ..Request::default() }));
            }
        }
    }
    let node = NodeFacts { name: "edge-1".into(), secret: secret() };
    let bytes = |extractor: &mut Extractor, snapshot: &Snapshot| {
        let mut bytes = Vec::new();
        extractor.extract(snapshot.plan.as_ref().unwrap(), snapshot).encode(&mut bytes);
        bytes
    };
    let mut used = Extractor::new(node.clone());
    for snapshot in snapshots.iter().chain(snapshots.iter().rev()) {
        let mut unused = Extractor::new(node.clone());
        assert_eq!(bytes(&mut used, snapshot), bytes(&mut unused, snapshot), "{snapshot:?}");
    }
}

#[test]
fn a_token_that_cannot_be_read_is_counted_each_time() {
    let contexts = vec![context("request.header.Authorization.jwt.payload.sub", ParamKind::User)];
    let headers = &[("Authorization", "Bearer a.%%%.c")][..];
    let snapshot = snapshot(PlanSpec { contexts, ..PlanSpec::default() }, &Request { headers, ..Request::default() });
    let mut extractor = Extractor::new(NodeFacts { name: "edge-1".into(), secret: secret() });
    for times in 1..=3 {
        extractor.extract(snapshot.plan.as_ref().unwrap(), &snapshot);
        assert_eq!(extractor.undecoded().get(Format::Jwt, Reason::Malformed), times);
    }
}
