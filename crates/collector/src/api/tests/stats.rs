//! What is promised of statistics.

use serde_json::json;

use super::*;

/// Requests: three of session 1 (200, 200, 500), one of session 2 (404), an hour later.
fn server() -> Server {
    let server = Server::new();
    let rows = [(1, 200, 0), (1, 200, 1), (1, 500, 2), (2, 404, HOUR)];
    server.put_rows((0..).zip(rows).map(|(n, (session, status, after))| {
        let mut row = row(Arrival { pos: 0, ordinal: n }, session, NOW - 2 * HOUR + after);
        row.request.status = status;
        row.request.duration_us = u64::from(n) * 10;
        row
    }));
    server
}

#[tokio::test]
async fn groups_come_with_their_counts_and_the_filter_that_shows_them() {
    let server = server();
    let stats = server.ok("/stats?group_by=class,user&metrics=sessions,errors,client_errors,duration_us").await;
    let groups = stats["groups"].as_array().unwrap();
    assert_eq!(groups[0]["group"], json!({ "class": "2xx", "user": "user-1" }));
    assert_eq!((&groups[0]["requests"], &groups[0]["sessions"]), (&json!(2), &json!(1)));
    assert_eq!(groups[1]["duration_us"], json!({ "p50": 30, "p95": 30, "max": 30 }));
    assert_eq!(
        (stats["group_count"].as_u64(), &stats["other"], &stats["exact"]),
        (Some(3), &Value::Null, &json!(true))
    );
    for group in groups {
        let filter = group["filter"].as_str().unwrap().replace(' ', "%20").replace('"', "%22");
        let shown = server.ok(&format!("/requests?order_by=ts&filter={filter}")).await;
        assert_eq!(shown["requests"].as_array().unwrap().len() as u64, group["requests"].as_u64().unwrap(), "{filter}");
    }
}

#[tokio::test]
async fn what_is_in_no_group_is_told_together_and_steps_of_time_add_up() {
    let server = server();
    let stats = server.ok("/stats?group_by=status&top=1&bucket=1h&metrics=requests").await;
    assert_eq!(stats["groups"][0]["requests"], 2);
    assert_eq!((&stats["other"]["requests"], &stats["group_count"]), (&json!(2), &json!(3)));
    let steps = stats["other"]["series"].as_array().unwrap();
    let told: Vec<_> = steps.iter().map(|step| (step["from"].as_str().unwrap(), step["requests"].as_u64())).collect();
    assert_eq!(told, [("2026-03-10T10:00:00.000000Z", Some(1)), ("2026-03-10T11:00:00.000000Z", Some(1))]);
    let whole = server.ok("/stats?filter=status%3E=400").await;
    assert_eq!((&whole["groups"][0]["requests"], &whole["groups"][0]["sessions"]), (&json!(2), &json!(2)));
    assert!(whole["groups"][0].get("users").is_none() && whole["groups"][0].get("series").is_none());
    assert_eq!(server.ok("/stats?to=2026-03-10T00:00:00Z").await["groups"], json!([]));
}

#[tokio::test]
async fn a_session_has_statistics_of_its_own() {
    let server = server();
    let stats = server.ok(&format!("/sessions/{}/stats?group_by=hour", session(2))).await;
    assert_eq!(stats["groups"][0]["group"], json!({ "hour": "2026-03-10T11:00:00.000000Z" }));
    server.problem(&format!("/sessions/{}/stats", session(9)), 404).await;
    assert_eq!(server.ok(&format!("/sessions/{}/stats?filter=status=405", session(2))).await["groups"], json!([]));
}

#[tokio::test]
async fn bad_questions_for_statistics_name_what_would_be_right() {
    let server = server();
    let cases = [
        ("group_by=colour", "group_by", "`colour` is nothing to group by"),
        ("group_by=", "group_by", "up to 2 of node"),
        ("group_by=host,host", "group_by", "given twice"),
        ("group_by=host,method,path", "group_by", "3 are too many"),
        ("metrics=joy", "metrics", "there are requests, sessions"),
        ("bucket=7m", "bucket", "there are 1m, 5m"),
        ("bucket=1m", "bucket", "a shorter window or longer steps"),
        ("bucket=5m&from=2026-03-09T00:00:00Z&group_by=path&top=100", "bucket", "20000 in all groups"),
        ("top=0", "top", "1 to 100"),
        ("top=101", "top", "1 to 100"),
        ("filter=status%3E%3E1", "filter", "at byte"),
        ("from=x", "from", "RFC 3339"),
    ];
    for (query, parameter, needle) in cases {
        let problem = server.problem(&format!("/stats?{query}"), 400).await;
        assert_eq!(problem["parameter"], parameter, "{query}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(needle), "{query}: {problem}");
    }
}
