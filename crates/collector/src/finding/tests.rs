use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use capture::{KeySpec, Plan, PlanSpec, Slot, Snapshot, Source, Template};
use proptest::prelude::*;

use super::*;

fn secret() -> Secret {
    Secret::from_file_bytes(b"0123456789abcdef0123456789abcdef")
}

fn found(value: &str) -> Vec<String> {
    let groups = ["users".to_owned()].into();
    names(value, &groups, &secret()).sessions.into_iter().map(|name| name.id.to_string()).collect()
}

/// The session that a node makes of a request with this header, and with one own key if there is a source.
fn session_of(header: (&str, &str), own: Option<(&str, Option<&str>)>) -> String {
    let keys = own.into_iter().map(|(source, group)| KeySpec {
        text: source.into(),
        source: Source::parse(source).unwrap(),
        name: Source::default_name(source),
        group: group.map(|group| Template::parse(group).unwrap()),
        show: false,
    });
    let plan = Arc::new(Plan::new(PlanSpec { keys: keys.collect(), ..PlanSpec::default() }));
    let mut snapshot = Snapshot::default();
    snapshot.reset(&plan);
    for (slot, value) in
        [(Slot::TARGET, "/"), (Slot::METHOD, "GET"), (Slot::HOST, "shop.test"), (Slot::IP, "192.0.2.7")]
    {
        snapshot.put(slot, value.as_bytes());
    }
    for wanted in plan.request_headers().iter().filter(|wanted| wanted.name.eq_ignore_ascii_case(header.0)) {
        snapshot.put(wanted.slot, header.1.as_bytes());
    }
    let secret = secret();
    identity::hex(&plan.identify(&snapshot, &secret).sid)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_value_finds_the_session_that_a_node_made_of_it(value in "[A-Za-z0-9][A-Za-z0-9._~+/=@-]{0,60}") {
        let ids = found(&value);
        let own = "request.header.X-Token";
        prop_assert!(ids.contains(&session_of(("X-Token", &value), Some((own, None)))));
        prop_assert!(ids.contains(&session_of(("X-Token", &value), Some((own, Some("users"))))));
        for header in BUILTIN_HEADERS {
            prop_assert!(ids.contains(&session_of((header.name, &value), None)), "{}", header.name);
        }
        for cookie in BUILTIN_COOKIES {
            let pair = format!("{}={value}", cookie.name);
            let session = session_of(("Cookie", &pair), None);
            prop_assert!(ids.contains(&session) && found(&pair).contains(&session), "{pair}");
        }
        for line in [value.clone(), format!("Bearer {value}")] {
            let session = session_of(("Authorization", &line), None);
            prop_assert!(ids.contains(&session) && found(&line).contains(&session), "{line}");
        }
        let line = format!("Bearer {value}");
        prop_assert!(found(&line).contains(&session_of(("Authorization", &line), Some(("request.header.Authorization", None)))));
        prop_assert!(
            found(&line).contains(&session_of(("Authorization", &line), Some(("request.header.Authorization.bearer", None))))
        );
    }

    #[test]
    fn a_token_finds_its_subject_and_a_login_its_user(iss in "[a-z:/.]{0,20}", sub in "[a-zA-Z0-9@ä.-]{1,20}") {
        let payload = serde_json::json!({ "iss": iss, "sub": sub }).to_string();
        let token = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload));
        let session = session_of(("Authorization", &format!("Bearer {token}")), None);
        prop_assert!(found(&token).contains(&session));
        let line = format!("bearer {token}");
        prop_assert!(found(&line).contains(&session));
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{sub}:password")));
        let session = session_of(("Authorization", &login), None);
        prop_assert!(found(&login).contains(&session) && found(&sub).contains(&session));
    }
}

#[test]
fn names_equal_the_vectors_of_another_implementation() {
    let vectors = include_str!("../../../identity/tests/identity-vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let mut compared = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = |name: &str| vector[name].as_str().unwrap();
        let bytes: Vec<u8> = (0..text("value_hex").len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text("value_hex")[at..at + 2], 16).unwrap())
            .collect();
        let Ok(value) = String::from_utf8(bytes) else { continue };
        let namespace = text("namespace");
        let groups = namespace.strip_prefix("group:").map(str::to_owned).into_iter().collect();
        let names = names(&value, &groups, &secret());
        let ids: Vec<String> = match namespace {
            // Not made of a value that somebody pastes: of two, or of none.
            "ip+ua" | "kid" | "jwt" => continue,
            "ip" if value.ends_with("/64") => continue,
            "pseudonym" => names.pseudonyms.iter().map(Id::to_string).collect(),
            _ => names.sessions.iter().map(|name| name.id.to_string()).collect(),
        };
        assert!(ids.iter().any(|id| id == text("id")), "{vector}");
        compared += 1;
    }
    assert!(compared >= 5, "{compared}");
}

#[test]
fn an_address_finds_those_who_had_nothing_else() {
    let session = session_of(("X-Nothing", "x"), None);
    assert!(found("192.0.2.7").contains(&session));
}
