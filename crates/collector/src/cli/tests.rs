use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::client::{AskError, Client};
use super::table::{self, Side, Table, escape};
use super::*;
use crate::api::{Limits, router};
use crate::clock::ManualClock;
use crate::desk::Desk;
use crate::model::{Id, Micros, Request};
use crate::settings::Address;
use crate::shared::Shared;
use crate::sockets::bind;
use crate::store::memory::MemoryStore;
use crate::store::{Arrival, Batch, DayBatch, Row, Store};

/// 2026-03-10T12:00:00Z
const NOW: i64 = 1_773_144_000_000_000;

/// A server with a store in memory on a unix socket and a port of its own.
pub(super) struct Server {
    folder: tempfile::TempDir,
    port: u16,
    pub(super) store: Arc<MemoryStore>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

/// Puts requests of one session in, as one log record.
pub(super) fn put(store: &MemoryStore, requests: usize, user_agent: &str) {
    put_of(store, Id([7; 16]), requests, user_agent);
}

fn put_of(store: &MemoryStore, session: Id, requests: usize, user_agent: &str) {
    let pos = store.position();
    let row = |n: usize| Row {
        arrival: Arrival { pos, ordinal: n as u32 },
        request: Request {
            id: Id(((u128::from(pos) << 64) + n as u128 + 1).to_be_bytes()),
            session_id: session,
            ts: Micros(NOW + n as i64),
            path: format!("/{n}"),
            node: "edge".to_owned(),
            user_agent: user_agent.to_owned(),
            ..Request::default()
        },
        ..Row::default()
    };
    let day = DayBatch { rows: (0..requests).map(row).collect(), ..DayBatch::default() };
    store.apply(&Batch { from: pos, to: pos + 1, days: [(Micros(NOW).day(), day)].into() }).unwrap();
}

impl Server {
    pub(super) async fn start(requests: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::default());
        put(&store, requests, "agent");
        let shared = Shared {
            store: store.clone(),
            desk: Desk::open(&folder.path().join("settings.db"), folder.path()).await.unwrap(),
            secret: None,
            baselines: Arc::default(),
            noise: Arc::default(),
            nodes: Arc::default(),
            metrics: Arc::default(),
            readiness: Arc::default(),
            clock: Arc::new(ManualClock::new(Micros(NOW))),
        };
        let addresses = [Address::Unix(folder.path().join("api.sock")), Address::Tcp(([127, 0, 0, 1], 0).into())];
        let bound = bind(&addresses, false).await.unwrap();
        let port = bound.tcp_addresses()[0].port();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(bound.serve(router(shared, Limits::default()), async {
            let _ = stopped.await;
        }));
        Self { folder, port, store, stop: Some(stop), task }
    }

    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("api.sock")
    }

    async fn client(&self) -> Client {
        Client::connect(&[self.socket()]).await.unwrap()
    }

    /// Sends bytes over TCP and reads the answer to its end.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        // The server may refuse, and close, before all is sent.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test]
async fn a_command_reaches_the_server_over_its_socket() {
    let server = Server::start(3).await;
    let absent = server.folder.path().join("absent.sock");
    let client = Client::connect(&[absent, server.socket()]).await.unwrap();
    assert_eq!(client.socket(), server.socket());
    let list = client.list("/sessions", "sessions", &[], 50).await.unwrap();
    assert_eq!(list["sessions"][0]["requests"], 3);
    let error = client.list("/sessions", "sessions", &[("from", "+1 x".to_owned())], 50).await.unwrap_err();
    assert!(error.is_about("from") && error.to_string().contains("`+1 x` is no RFC 3339"), "{error}");
}

#[tokio::test]
async fn a_long_list_is_walked_page_by_page_up_to_the_limit() {
    let server = Server::start(2500).await;
    let client = server.client().await;
    let path = format!("/sessions/{}/requests", Id([7; 16]));
    for (limit, more) in [(2400, true), (2500, false), (9000, false)] {
        let list = client.list(&path, "requests", &[], limit).await.unwrap();
        let rows = list["requests"].as_array().unwrap();
        assert_eq!((rows.len(), list["next_page_token"].is_string()), (limit.min(2500), more));
        assert!(rows.iter().enumerate().all(|(n, row)| row["path"] == format!("/{n}")));
    }
}

#[tokio::test]
async fn an_export_is_written_whole_or_not_at_all() {
    let server = Server::start(2500).await;
    let (socket, file) = (server.socket(), server.folder.path().join("out"));
    let export = async |more: &[&str]| {
        let mut line = vec!["api-sessions", "export", "--socket", socket.to_str().unwrap()];
        line.extend(["-o", file.to_str().unwrap(), "--force"].iter().chain(more));
        let Command::Export(export) = Cli::try_parse_from(line).unwrap().command else { panic!("not an export") };
        export.run().await
    };
    let id = Id([7; 16]).to_string();
    export(&["requests", "--session", &id, "--format", "ndjson"]).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let paths = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["path"].clone());
    assert!(paths.eq((0..2500).map(|n| json!(format!("/{n}")))));
    let error = export(&["sessions", "--from", "never"]).await.unwrap_err();
    assert!(error.to_string().contains("`never` is no RFC 3339"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    export(&["requests", "--format", "ndjson"]).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2500);
    export(&["sessions"]).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("id,day,first_seen,") && text.lines().count() == 2, "{text}");
    assert!(!server.folder.path().join("out.part").exists());
    let line =
        ["api-sessions", "export", "--socket", socket.to_str().unwrap(), "sessions", "-o", file.to_str().unwrap()];
    let Command::Export(export) = Cli::try_parse_from(line).unwrap().command else { panic!("not an export") };
    assert!(export.run().await.unwrap_err().to_string().contains("--force replaces it"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn without_a_server_the_message_names_the_socket_and_how_to_start_it() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let error = Client::connect(&[dead, folder.path().join("absent.sock")]).await.unwrap_err();
    let text = error.to_string();
    for needle in ["not running", "dead.sock", "absent.sock", "api-sessions serve", "--socket"] {
        assert!(text.contains(needle), "{text}");
    }
    assert!(matches!(error, AskError::NotRunning(_)));
}

#[tokio::test]
async fn a_server_that_stops_ends_what_is_under_way_and_removes_its_socket() {
    let mut server = Server::start(1).await;
    let idle = UnixStream::connect(server.socket()).await.unwrap();
    server.client().await.get("/healthz", &[]).await.unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    (&mut server.task).await.unwrap();
    assert!(!server.socket().exists());
    drop(idle);
}

#[tokio::test]
async fn a_server_that_stops_ends_the_streams_of_its_readers() {
    let mut server = Server::start(1).await;
    let mut reader = UnixStream::connect(server.socket()).await.unwrap();
    reader.write_all(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    reader.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    server.stop.take().unwrap().send(()).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await.unwrap();
    // The last chunk: it is the end, not a connection that broke.
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    (&mut server.task).await.unwrap();
}

#[tokio::test]
async fn over_tcp_only_loopback_names_and_heads_of_measure_are_taken() {
    let server = Server::start(1).await;
    let get = |rest: &str| format!("GET /healthz HTTP/1.1\r\n{rest}Connection: close\r\n\r\n").into_bytes();
    assert!(server.raw(&get("Host: localhost\r\n")).await.starts_with("HTTP/1.1 200"));
    assert!(server.raw(&get("Host: evil.example\r\n")).await.starts_with("HTTP/1.1 421"));
    assert!(server.raw(&get("")).await.starts_with("HTTP/1.1 421"));
    let many = "x: y\r\n".repeat(200);
    assert!(server.raw(&get(&format!("Host: localhost\r\n{many}"))).await.starts_with("HTTP/1.1 431"));
    // The connection may be reset over what was not read, before the 431 is seen.
    let long = "y".repeat(1_000_000);
    assert!(!server.raw(&get(&format!("Host: localhost\r\nx: {long}\r\n"))).await.starts_with("HTTP/1.1 200"));
    assert!(!server.raw(b"\x16\x03\x01nonsense\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    let mut over_socket = UnixStream::connect(server.socket()).await.unwrap();
    over_socket.write_all(&get("Host: anything\r\n")).await.unwrap();
    let mut answer = String::new();
    over_socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn nothing_that_a_client_sent_is_obeyed_by_the_terminal() {
    let evil = "a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}31m\u{7f}\t\u{0}";
    let shown = escape(evil);
    assert_eq!(shown, "a\\x1b[2Jb\\r\\nc\\u{202e}d\\x9b31m\\x7f\\t\\x00");
    let request = json!({ "path": evil, "host": evil, "method": evil, "session_id": evil, "ts": evil,
        "key": { "name": evil, "value": evil }, "params": [{ "name": evil, "value": evil }] });
    let part = json!({ "day": evil, "users": [{ "value": evil }], "ips": [evil], "user_agents": [evil],
        "keys": [{ "source": evil, "value": evil }], "first_seen": evil, "statuses": { evil: 1 } });
    let texts = [
        tail::line(&request, None),
        sessions::shown(&json!({ "sessions": [part, { "id": evil, "user": { "value": evil } }] }), "", None),
        find::shown(&json!({ "filters": ["user=\"x\""] }), evil, None),
        session::shown(&json!({ "id": evil, "parts": [part], "requests": [request] }), None),
    ];
    for text in texts {
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn json_is_not_obeyed_by_the_terminal_either_and_means_the_same() {
    let value = json!({ "a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}31m\u{7f}\t\u{0}": ["\u{2066}", "日本語", "\\u009b"] });
    for text in [value.to_string(), format!("{value:#}")] {
        let shown = table::escape_json(&text);
        assert!(
            !shown.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}')),
            "{shown:?}"
        );
        assert!(shown.contains("\\u009b31m\\u007f") && shown.contains("日本語"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}

#[tokio::test]
async fn an_export_of_one_session_holds_no_other() {
    let server = Server::start(3).await;
    let (first, second) = (Id([7; 16]), Id([7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]));
    put_of(&server.store, second, 2, "other");
    let (socket, file) = (server.socket(), server.folder.path().join("out"));
    let export = async |id: Id, more: &[&str]| {
        let id = id.to_string();
        let mut line = vec!["api-sessions", "export", "sessions", "--session", &id, "--format", "ndjson", "--force"];
        line.extend(["--socket", socket.to_str().unwrap(), "-o", file.to_str().unwrap()].iter().chain(more));
        let Command::Export(export) = Cli::try_parse_from(line).unwrap().command else { panic!("not an export") };
        export.run().await?;
        let text = std::fs::read_to_string(&file).unwrap();
        let id = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        Ok::<_, CliError>(text.lines().map(id).collect::<Vec<_>>())
    };
    assert_eq!(export(first, &[]).await.unwrap(), [first.to_string()]);
    assert_eq!(export(second, &[]).await.unwrap(), [second.to_string()]);
    assert_eq!(export(second, &["--filter", "ua=other OR status=500"]).await.unwrap(), [second.to_string()]);
    assert_eq!(export(first, &["--filter", "ua=other OR status=500"]).await.unwrap(), [""; 0]);
    let error = export(Id([9; 16]), &[]).await.unwrap_err();
    assert!(error.to_string().contains("there is no session") && error.status() == 1, "{error}");
}

#[tokio::test]
async fn a_session_is_found_by_the_beginning_of_its_id_where_there_is_one_such() {
    let server = Server::start(3).await;
    let client = server.client().await;
    put_of(&server.store, Id([7, 7, 7, 7, 7, 8, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]), 1, "other");
    assert_eq!(session::whole(&client, "070707070707").await.unwrap(), Id([7; 16]));
    assert_eq!(session::whole(&client, &"07".repeat(16)).await.unwrap(), Id([7; 16]));
    let error = session::whole(&client, "07070707").await.unwrap_err();
    assert!(error.to_string().contains("the whole id would be right") && error.status() == 2, "{error}");
    let error = session::whole(&client, "09090909").await.unwrap_err();
    assert!(error.to_string().contains("no session of the days kept begins with 09090909"), "{error}");
}

#[tokio::test]
async fn what_was_typed_wrong_ends_as_wrong_usage_does() {
    let server = Server::start(1).await;
    let socket = server.socket();
    let id = Id([7; 16]).to_string();
    let run = async |line: &[&str]| {
        let server = ["--socket", socket.to_str().unwrap()];
        let line = ["api-sessions"].iter().chain(line).chain(&server);
        let done = match Cli::try_parse_from(line).unwrap().command {
            Command::Sessions(sessions) => sessions.run().await,
            Command::Session(session) => session.run().await,
            _ => panic!("another command"),
        };
        done.unwrap_err().status()
    };
    assert_eq!(run(&["sessions", "--from", "yesterday"]).await, 2);
    assert_eq!(run(&["sessions", "--from", "2026-03-10T00:00:00Z", "--to", "2026-03-09T00:00:00Z"]).await, 2);
    assert_eq!(run(&["session", &id, "--day", "22"]).await, 2);
    // It may be there tomorrow.
    assert_eq!(run(&["session", &"9".repeat(32)]).await, 1);
}

#[test]
fn an_empty_list_tells_why_it_is_empty() {
    let today = Micros(NOW).day();
    let none = |parameters: &[(&'static str, &str)]| {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        filter::nothing("sessions", &parameters, today)
    };
    assert!(none(&[]).starts_with("no sessions; requests appear here when they end"));
    assert_eq!(none(&[("noise", "show")]), none(&[]));
    assert_eq!(none(&[("noise", "only")]), "no sessions match what was asked for\n");
    assert_eq!(none(&[("mcp", "true")]), "no sessions match what was asked for\n");
    assert_eq!(none(&[("from", "2026-03-10T11:00:00Z")]), "no sessions match what was asked for\n");
    let kept = "no sessions match what was asked for; requests are kept from 2026-03-04 on\n";
    assert_eq!(none(&[("to", "2026-03-03T00:00:00Z")]), kept);
    assert_eq!(none(&[("from", "2026-03-01T00:00:00Z"), ("to", "2026-03-03T00:00:00Z")]), kept);
    assert!(none(&[("filter", "user='ada'")]).contains("double quotes"));
    assert!(!none(&[("filter", "user=\"o'hara\"")]).contains("double quotes"));
}

#[test]
fn a_value_that_is_shown_is_found_by_filters_that_are_ready() {
    let answer =
        json!({ "pseudonyms": ["3c4a"], "filters": ["user=\"3c4a\"", "param.\"e mail\" IN (\"3c4a\",\"5\")"] });
    let text = find::shown(&answer, "a\"n*n", None);
    assert!(
        text.ends_with("it is, these find it:\n  user=\"a\\\"n\\*n\"\n  param.\"e mail\"=\"a\\\"n\\*n\"\n"),
        "{text}"
    );
    // What no filter can hold is not offered.
    assert!(!find::shown(&answer, &"n".repeat(9000), None).contains("as it is"));
}

#[test]
fn numbers_and_what_they_count_agree() {
    assert_eq!([0, 1, 2].map(|n| table::counted(n, "row")), ["0 rows", "1 row", "2 rows"]);
}

#[test]
fn a_configuration_that_is_refused_ends_as_wrong_usage_does() {
    let unreadable = ConfigError::Unreadable { path: "/x".into(), reason: "no".to_owned() };
    assert_eq!(CliError::from(unreadable).status(), 2);
    assert_eq!(CliError::Start(io::ErrorKind::OutOfMemory.into()).status(), 1);
}

#[test]
fn a_table_is_aligned_and_fits_the_terminal() {
    let mut table = Table::new(&[("ID", Side::Whole), ("N", Side::Right), ("TEXT", Side::Left), ("MORE", Side::Left)]);
    table.row(["a".repeat(12), "7".to_owned(), "x".repeat(50), "short".to_owned()]);
    table.row(["b".to_owned(), "123".to_owned(), "日本語".repeat(10), String::new()]);
    let render = |width| table.clone().render(width);
    let wide = render(None);
    assert_eq!(wide.lines().next().unwrap(), format!("ID{}N  TEXT{}MORE", " ".repeat(14), " ".repeat(58)));
    assert!(wide.contains(&"x".repeat(50)));
    let narrow = render(Some(50));
    assert!(narrow.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 50), "{narrow}");
    assert!(narrow.contains(&"a".repeat(12)) && narrow.contains('…'), "{narrow}");
    // What must be whole stays whole, on however narrow a terminal.
    assert!(render(Some(5)).contains(&"a".repeat(12)));
}

#[test]
fn the_list_shows_who_when_and_how_many() {
    let list = json!({ "next_page_token": "x", "sessions": [{
        "id": "0123456789abcdef0123456789abcdef", "last_seen": "2026-03-10T12:00:00.123456Z", "duration_ms": 3_725_000,
        "requests": 12, "matched": 3, "statuses": { "2xx": 10, "4xx": 2 },
        "user": { "value": "alice", "hashed": false }, "keys": [{ "source": "cookie:sid", "name": "sid", "value": "0123456789abcdef0123456789abcdef", "hashed": true }],
        "ips": ["192.0.2.1"], "ip_count": 3, "user_agents": ["Mozilla/5.0"],
    }]});
    let text = sessions::shown(&list, "", None);
    let cells: Vec<_> = text.lines().nth(1).unwrap().split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
    let expected = [
        "2026-03-10 12:00:00.123",
        "0123456789abcdef0123456789abcdef",
        "3/12",
        "1h02m",
        "2xx 10, 4xx 2",
        "alice",
        "sid=#01234567…",
        "192.0.2.1 +2",
        "Mozilla/5.0",
    ];
    assert_eq!(cells, expected);
    assert!(text.ends_with("the first 1; --limit shows more\n"));
    assert_eq!(sessions::shown(&json!({ "sessions": [], "hidden": 2 }), "none\n", None).lines().next(), Some("none"));
}

#[test]
fn a_session_shows_its_facts_and_its_requests_in_order() {
    let request = |path: &str, status: u64| {
        json!({ "ts": "2026-03-10T12:00:00.5Z", "method": "GET", "host": "shop", "path": path, "status": status,
            "duration_us": 12_345, "bytes_out": 2048, "key": { "source": "ip+ua", "name": "ip+ua", "value": "", "hashed": true },
            "params": [{ "name": "email", "value": "a@b", "hashed": false }] })
    };
    let session = json!({ "id": "00ff", "parts": [{ "day": "2026-03-10", "requests": 2, "users": [{ "value": "alice" }] }],
        "requests": [request("/login", 200), request("/cart", 500)] });
    let text = session::shown(&session, None);
    let position = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no {needle} in {text}"));
    let order = ["session 00ff", "part of 2026-03-10", "alice", "METHOD", "shop/login", "shop/cart"].map(position);
    assert!(order.is_sorted(), "{text}");
    for needle in ["12.3", "2.0k", "email=a@b", "ip+ua", "500"] {
        position(needle);
    }
}

#[test]
fn calls_of_ai_agents_and_what_names_a_session_elsewhere_are_shown() {
    let row = |mcp: bool| json!({ "id": "00ff", "requests": 1, "mcp": mcp });
    let with = sessions::shown(&json!({ "sessions": [row(true), row(false)] }), "", None);
    assert!(with.lines().next().unwrap().contains("MCP") && with.lines().nth(1).unwrap().contains("yes"), "{with}");
    assert!(!sessions::shown(&json!({ "sessions": [row(false)] }), "", None).contains("MCP"));

    let mcp = json!({ "method": "tools/call", "primitive": "search", "arguments": null, "error": "-32602 no" });
    let requests = [json!({ "mcp": mcp }), json!({ "gql": { "type": "query", "operation": "Orders" } })];
    let part = json!({ "day": "2026-03-10", "user": { "value": "alice" }, "users": [], "roles": [] });
    let text = session::shown(&json!({ "id": "00ff", "parts": [part], "requests": requests }), None);
    for needle in ["CALL", "tools/call search (-32602 no)", "query Orders", "alice (of another day)"] {
        assert!(text.contains(needle), "no {needle} in {text}");
    }
}

#[test]
fn times_and_sizes_are_read_and_shown_as_people_write_them() {
    assert_eq!(["30s", "15m", "1h", "2d"].map(|text| sessions::duration(text).unwrap()), [30, 900, 3600, 172_800]);
    for wrong in ["", "h", "1", "0s", "-1h", "1w", "1hour", "99999999999d", "1µ"] {
        sessions::duration(wrong).unwrap_err();
    }
    assert_eq!([0, 999, 61_000, 7_200_000].map(table::span), ["0ms", "999ms", "1m01s", "2h00m"]);
    assert_eq!([0, 1023, 1536, 3 << 20, 5 << 30].map(table::bytes), ["0", "1023", "1.5k", "3.0m", "5.0g"]);
    assert_eq!(table::millis(1_999), "1.9");
}

#[test]
fn every_command_takes_the_flags_that_its_help_names() {
    let id = "0".repeat(32);
    let lines: [&[&str]; 19] = [
        &["serve", "--listen", "127.0.0.1:1", "--ingest", "unix:/a", "--clock-confirmed"],
        &["sessions", "--last", "1h", "--limit", "5", "--json"],
        &["sessions", "--from", "2026-03-10T00:00:00Z", "--to", "2026-03-11T00:00:00Z"],
        &["session", &id, "--day", "2026-03-10", "--socket", "/x"],
        &["tail", "-n", "5", "--limit", "6", "--json"],
        &["check", "http://127.0.0.1/", "--wait", "3", "--json"],
        &["check", "http://[::1]:8080/a?b=c", "--collector-socket", "/x"],
        &["sessions", "--config", "/x", "--mcp", "--filter", "status>=500"],
        &["sessions", "--noise", "show"],
        &["session", &id, "--noise", "only"],
        &["tail", "--noise", "hide", "--filter", "label=checked"],
        &["export", "sessions", "--from", "2026-03-10T00:00:00Z", "--format", "ndjson"],
        &["export", "requests", "--session", &id, "-o", "/x"],
        &["export", "sessions", "--session", &id, "-o", "-"],
        &["session", &id[..8], "--bundle", "x.html"],
        &["session", "0123456789AB"],
        &["session", &id, "--bundle", "/x/y.ndjson"],
        &["tail"],
        &["generate", "--requests", "10", "--sessions", "2", "--days", "7", "--until", "2026-03-11T00:00:00Z"],
    ];
    for line in lines {
        Cli::try_parse_from(std::iter::once(&"api-sessions").chain(line)).unwrap();
    }
    let wrong: [&[&str]; 18] = [
        &["session", "abc/def"],
        &["session", &id[..7]],
        &["session", "0123456789é"],
        &["session", &id, "--bundle", "x.pdf"],
        &["session", &id, "--bundle", "html"],
        &["sessions", "--last", "1h", "--from", "2026-03-10T00:00:00Z"],
        &["sessions", "--limit", "0"],
        &["tail", "--filter", "statsu=500"],
        &["session"],
        &["check", "https://localhost/"],
        &["check", "localhost"],
        &["check", "file:///etc/passwd"],
        &["sessions", "--noise", "yes"],
        &["export", "sessions", "--force"],
        &["export", "sessions", "--format", "xml"],
        &["generate", "--days", "8"],
        &["generate", "--until", "yesterday"],
        &["nonsense"],
    ];
    for line in wrong {
        let refused = Cli::try_parse_from(std::iter::once(&"api-sessions").chain(line)).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }
}

#[test]
fn a_bad_filter_is_shown_with_its_place() {
    let told =
        Cli::try_parse_from(["api-sessions", "sessions", "--filter", "user=\"é\u{7}\" AND statsu=500"]).unwrap_err();
    let told = told.to_string();
    let shown: Vec<_> = told.lines().skip_while(|line| !line.starts_with("  user=")).take(2).collect();
    let place = shown[0].find("statsu").map(|at| shown[0][..at].chars().count());
    assert_eq!(shown[1].find("^^^^^^"), place, "{told}");
    assert!(told.contains("near it are status") && !told.contains("\u{7}\" AND statsu=500\n"), "{told}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_on() {
    // Not a server at all: it takes connections and closes them.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let task = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let client = Client::connect(std::slice::from_ref(&path)).await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(60), client.get("/healthz", &[])).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("did not answer"), "{error}");
    assert!(matches!(error, AskError::Broken { .. }));
    task.abort();
}

#[tokio::test]
async fn a_bundle_is_written_to_a_file_that_was_not_there() {
    let server = Server::start(3).await;
    let client = server.client().await;
    let session = Id([7; 16]);
    let file = server.folder.path().join("evidence.html");
    let target = |file: &std::path::Path| bundle::Target::of(file.to_owned()).unwrap();
    super::bundle::run(&client, session, &target(&file)).await.unwrap();
    let bundles = client.get("/bundles", &[]).await.unwrap();
    let hash = blake3::hash(&std::fs::read(&file).unwrap()).to_hex();
    assert_eq!(bundles["bundles"][0]["blake3"]["html"], hash.as_str());
    // It costs no second bundle.
    let error = super::bundle::run(&client, session, &target(&file)).await.unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
    assert!(bundle::Target::of(file.with_extension("pdf")).unwrap_err().contains(".html or .ndjson"));
    assert_eq!(blake3::hash(&std::fs::read(&file).unwrap()).to_hex(), hash);
    let error = super::bundle::run(&client, Id([8; 16]), &target(&file.with_extension("ndjson"))).await.unwrap_err();
    assert!(error.to_string().contains("there is no session"), "{error}");
    assert!(!file.with_extension("ndjson").exists());
    assert_eq!(client.get("/bundles", &[]).await.unwrap()["bundles"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_found_is_shown_with_what_could_not_be_looked_at() {
    let answer = json!({
        "pseudonyms": ["3c4a"], "other_nodes": ["edge\u{1b}[2J"], "groups_left_out": ["$host"],
        "found": [{"session_id": "9017", "day": "2026-03-10", "requests": 12, "last_seen": "2026-03-10T11:59:01.000000Z"}],
    });
    let shown = super::find::shown(&answer, "ada", None);
    for needle in ["pseudonym 3c4a", "9017", "2026-03-10 11:59:01.000", "edge\\x1b[2J", "--group: $host"] {
        assert!(shown.contains(needle), "{shown}");
    }
    let nothing = json!({"pseudonyms": ["3c4a"], "other_nodes": [], "groups_left_out": [], "found": []});
    assert!(super::find::shown(&nothing, "ada", None).contains("no session"));
}
