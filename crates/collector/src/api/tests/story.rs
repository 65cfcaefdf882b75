//! What is promised of visits, of what changed inside a session, and of related sessions.

use super::*;

const MINUTE: i64 = 60 * SECOND;

/// A request of session `n` from an address by a user.
fn from(at: u32, n: u8, ts: i64, ip: &str, user: Option<&str>) -> Row {
    let mut row = row(Arrival { pos: 0, ordinal: at }, n, ts);
    row.request.ip = ip.to_owned();
    row.user = user.map(|user| Who { value: user.to_owned(), hashed: false });
    row
}

#[tokio::test]
async fn half_an_hour_without_a_request_begins_a_visit_and_the_reason_is_told() {
    let server = Server::new();
    server.put(&[0, 10, 39, 69, 70].map(|minutes| (1, NOW + minutes * MINUTE)));
    let part = server.ok(&format!("/sessions/{}", session(1))).await["parts"][0].take();
    let visits = part["visits"].as_array().unwrap();
    let told: Vec<_> =
        visits.iter().map(|v| (v["requests"].clone(), v["reason"].clone(), v["idle_ms"].clone())).collect();
    let expected = [(3, "start", Value::Null), (2, "idle", Value::from(30 * 60_000))];
    assert_eq!(told, expected.map(|(requests, reason, idle)| (requests.into(), reason.into(), idle)));
    assert_eq!(part["visit_count"], 2);
    assert_eq!(visits[1]["first_seen"], Micros(NOW + 69 * MINUTE).to_string());
    assert_eq!(visits[1]["last_seen"], part["last_seen"]);
}

#[tokio::test]
async fn a_visit_across_midnight_goes_on_in_the_part_of_the_next_day() {
    let server = Server::new();
    let midnight = Micros(NOW).day().start().0;
    server.put(&[(1, midnight - 5 * MINUTE), (1, midnight + 5 * MINUTE), (2, midnight - HOUR), (2, midnight)]);
    for (n, reason) in [(1, "midnight"), (2, "idle")] {
        let whole = server.ok(&format!("/sessions/{}", session(n))).await;
        let reasons = whole["parts"].as_array().unwrap().iter().map(|part| part["visits"][0]["reason"].clone());
        assert_eq!(reasons.collect::<Vec<_>>(), [reason, "start"]);
        let one = server.ok(&format!("/sessions/{}?day={}", session(n), Micros(midnight).day())).await;
        assert_eq!(one["parts"][0]["visits"][0]["reason"], reason);
    }
}

#[tokio::test]
async fn what_changes_inside_a_session_is_told_with_the_request_that_showed_it() {
    let server = Server::new();
    let mut rows: Vec<_> = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"]
        .into_iter()
        .zip(0..)
        .map(|(ip, n)| from(n, 1, NOW - DAY + i64::from(n) * 12 * HOUR, ip, None))
        .collect();
    rows[3].request.user_agent = "another".to_owned();
    server.put_rows(rows.clone());
    let whole = server.ok(&format!("/sessions/{}", session(1))).await;
    let changes: Vec<_> =
        whole["parts"].as_array().unwrap().iter().flat_map(|p| p["changes"].as_array().unwrap()).collect();
    let told =
        changes.iter().map(|c| [&c["what"], &c["value"], &c["request_id"]].map(|v| v.as_str().unwrap().to_owned()));
    let expected = [("user_agent", "another", &rows[3]), ("ip", "192.0.2.2", &rows[2])];
    let expected = expected.map(|(what, value, row)| [what.to_owned(), value.to_owned(), row.request.id.to_string()]);
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn sessions_are_related_by_user_and_by_address() {
    let server = Server::new();
    server.put_rows([
        from(0, 1, NOW, "192.0.2.1", Some("ada")),
        from(1, 1, NOW, "", None),
        from(2, 2, NOW, "192.0.2.1", Some("bob")),
        from(3, 2, NOW + 1, "192.0.2.1", None),
        from(4, 3, NOW - DAY, "198.51.100.1", Some("ada")),
        from(5, 4, NOW, "", None),
        from(6, 5, NOW, "198.51.100.2", Some("eve")),
    ]);
    let path = format!("/sessions/{}/related", session(1));
    let related = server.ok(&path).await;
    let told: Vec<_> =
        related["related"].as_array().unwrap().iter().map(|r| (r["id"].clone(), r["why"].clone())).collect();
    let why = |what: &str, value: &str, requests: u64| serde_json::json!([{ "what": what, "value": value, "hashed": false, "requests": requests }]);
    let expected = [(3, why("user", "ada", 1)), (2, why("ip", "192.0.2.1", 2))];
    assert_eq!(told, expected.map(|(n, why)| (session(n).to_string().into(), why)));
    assert_eq!(related["more"], false);
    let first = server.ok(&format!("{path}?page_size=1")).await;
    assert_eq!((first["related"].as_array().unwrap().len(), &first["more"]), (1, &Value::Bool(true)));
    server.problem(&format!("/sessions/{}/related", session(9)), 404).await;
    assert_eq!(server.problem("/sessions/9/related", 400).await["parameter"], "id");
    assert_eq!(server.problem(&format!("{path}?page_size=0"), 400).await["parameter"], "page_size");
}
