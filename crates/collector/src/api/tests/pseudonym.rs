//! Finding somebody by a value of which only the pseudonym is stored.

use identity::Secret;
use serde_json::json;
use wire::{PlanKey, PlanReport};

use super::*;

fn with_secret() -> Server {
    let mut server = Server::new();
    server.shared.secret = Some(Secret::from_file_bytes(b"0123456789abcdef0123456789abcdef"));
    server.router = router(server.shared.clone(), Limits::default());
    server
}

/// A request of the session that a value names in a namespace.
fn put(server: &Server, namespace: &str, value: &str) -> String {
    let secret = server.shared.secret.clone().unwrap();
    let id = Id(secret.id(namespace, &[value.as_bytes()]));
    let pos = server.store.position();
    let mut row = row(Arrival { pos, ordinal: 0 }, 1, NOW - HOUR);
    row.request.session_id = id;
    server.put_rows([row]);
    id.to_string()
}

async fn ask(server: &Server, body: Value) -> Vec<String> {
    let (status, answer) = server.change("POST", "/pseudonym", Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    answer["found"].as_array().unwrap().iter().map(|part| part["session_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_pasted_value_finds_its_session_and_is_not_written_down() {
    let server = with_secret();
    let value = "s3cr3t-t0ken";
    let own = put(&server, "own", value);
    let cookie = put(&server, "cookie:PHPSESSID", value);
    put(&server, "own", "another");
    let mut found = ask(&server, json!({ "value": value })).await;
    let mut right = vec![own, cookie];
    found.sort();
    right.sort();
    assert_eq!(found, right);
    let (_, answer) = server.change("POST", "/pseudonym", Some(json!({"value": "a@example.com"}))).await;
    assert_eq!((&answer["kid"], &answer["found"]), (&"6b89e299".into(), &json!([])));
    assert_eq!(answer["pseudonyms"], json!(["3c4a88d903c51ccd084ad247f6523907"]));

    let audit = server.ok("/audit").await;
    let rows = audit["entries"].as_array().unwrap();
    assert_eq!((&rows[0]["action"], &rows[0]["subject"]), (&"find".into(), &"3c4a88d903c51ccd084ad247f6523907".into()));
    assert_eq!(rows[1]["after"], "2 parts of sessions");
    assert!(!audit.to_string().contains(value));
    assert!(!std::fs::read_dir(server._folder.path()).unwrap().flatten().any(|file| {
        std::fs::read(file.path()).is_ok_and(|bytes| bytes.windows(value.len()).any(|part| part == value.as_bytes()))
    }));
}

#[tokio::test]
async fn groups_that_nodes_tell_are_tried_and_those_with_variables_are_named() {
    let server = with_secret();
    let key = |group: &str| PlanKey { group: group.to_owned(), ..PlanKey::default() };
    let plan = PlanReport { keys: vec![key("users"), key("$host"), key("")], ..PlanReport::default() };
    let report = NodeReport { node: "a".to_owned(), kid: [1; 4], plans: vec![plan], ..NodeReport::default() };
    server.shared.nodes.record(server.clock.now(), report);
    let of_users = put(&server, "group:users", "42");
    let of_host = put(&server, "group:shop.test", "42");
    assert_eq!(ask(&server, json!({"value": "42"})).await, std::slice::from_ref(&of_users));
    let mut both = ask(&server, json!({"value": "42", "group": "shop.test"})).await;
    let mut right = vec![of_users, of_host];
    both.sort();
    right.sort();
    assert_eq!(both, right);
    let (_, answer) = server.change("POST", "/pseudonym", Some(json!({"value": "42"}))).await;
    assert_eq!((&answer["groups_left_out"], &answer["other_nodes"]), (&json!(["$host"]), &json!(["a"])));
}

#[tokio::test]
async fn who_asks_too_often_has_to_wait() {
    let server = with_secret();
    for _ in 0..20 {
        ask(&server, json!({"value": "x"})).await;
    }
    let body = Body::from(r#"{"value":"x"}"#);
    let request =
        Request::post("/api/v1/pseudonym").header("host", "localhost").header("content-type", "application/json");
    let response = server.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()[header::RETRY_AFTER]), (429, &"1".parse().unwrap()));
    server.clock.advance(Duration::from_secs(1));
    ask(&server, json!({"value": "x"})).await;
}

#[tokio::test]
async fn without_a_secret_it_is_said_how_to_name_one_and_bad_values_are_refused() {
    let (status, problem) = Server::new().change("POST", "/pseudonym", Some(json!({"value": "x"}))).await;
    assert_eq!(status, 409);
    for needle in ["wallarm_session_secret", "`secret`"] {
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{problem}");
    }
    let server = with_secret();
    for (body, right) in [
        (json!({"value": ""}), 400),
        (json!({"value": "x".repeat(70_000)}), 400),
        (json!({"value": 7}), 400),
        (json!({"name": "x"}), 400),
        (json!({"value": "x".repeat(200_000)}), 413),
    ] {
        assert_eq!(server.change("POST", "/pseudonym", Some(body)).await.0, right);
    }
    // Nothing of a value is an address or a parameter, where logs and histories would keep it.
    server.problem("/pseudonym?value=x", 405).await;
}
