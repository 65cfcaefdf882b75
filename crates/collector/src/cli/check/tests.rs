use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::steps::{Answer, Process, Record, Refused, Rights, Socket, SocketState, Worker, judge, passed};
use super::*;
use crate::cli::tests::{Server, put};

/// Everything works.
fn working() -> Observed {
    Observed {
        server: Ok("/run/api-sessions/api.sock".to_owned()),
        ready: Ok(()),
        url: "http://127.0.0.1/".to_owned(),
        answer: Ok(Answer { status: 200, server: Some("nginx/1.22.1".to_owned()) }),
        record: Some(Record {
            request: "0".repeat(32),
            session: "1".repeat(32),
            node: "edge".to_owned(),
            application: "default".to_owned(),
            key: "ip+ua".to_owned(),
            after: Duration::from_millis(1300),
        }),
        waited: Duration::from_secs(10),
        workers: vec![worker()],
        refused: Refused::default(),
        processes: vec![process()],
        socket: Some(socket(0o660, 33)),
    }
}

fn worker() -> Worker {
    Worker { node: "edge".to_owned(), pid: 7, age_ms: 4000, queued: 0, capacity: 8192, unacked_chunks: 0, drops: 0 }
}

fn process() -> Process {
    Process { pid: 7, uid: 33, module: Some(true), groups: vec![33], group: "www-data".to_owned() }
}

/// A socket of root and group `gid` in a directory that anybody may enter.
fn socket(mode: u32, gid: u32) -> Socket {
    let rights = |path: &str, mode, gid| Rights { path: path.into(), uid: 0, gid, mode };
    let path = vec![rights("/", 0o40755, 0), rights("/run", 0o40755, 0), rights("/run/c.sock", 0o140_000 | mode, gid)];
    Socket { path: "/run/c.sock".into(), state: SocketState::Present { path } }
}

/// The probe's record did not appear.
fn unrecorded() -> Observed {
    Observed { record: None, ..working() }
}

/// Nor does any worker report.
fn unreported() -> Observed {
    Observed { workers: Vec::new(), ..unrecorded() }
}

const NAMES: [&str; 7] = ["collector", "nginx", "module", "location", "socket", "ack", "store"];

/// Outcomes as one letter a step: ok, Failed, not seen.
fn letters(steps: &[Step]) -> String {
    assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), NAMES);
    steps
        .iter()
        .map(|step| match step.outcome {
            Outcome::Ok => 'o',
            Outcome::Failed => 'F',
            Outcome::NotSeen => '-',
        })
        .collect()
}

#[test]
fn each_break_of_the_way_is_named_at_its_step() {
    let closed_directory = {
        let mut socket = socket(0o660, 33);
        if let SocketState::Present { path } = &mut socket.state {
            path[1].mode = 0o40750;
        }
        socket
    };
    let with_socket = |socket| Observed { socket: Some(socket), ..unreported() };
    let state = |state| with_socket(Socket { path: "/run/c.sock".into(), state });
    let with_process = |process| Observed { processes: vec![process], ..unreported() };
    let with_worker = |worker| Observed { workers: vec![worker], ..unrecorded() };
    let no_server = || Observed { server: Err("nobody answers at /x".to_owned()), ..unreported() };
    let counted = |before, after| {
        let tls = |count| [("tls".to_owned(), count)].into();
        Refused { before: tls(before), after: tls(after) }
    };
    let untold = Refused { before: [].into(), ..counted(0, 2) };
    let untold = Observed { refused: untold, ..with_socket(socket(0o660, 0)) };
    let refusing = |before, after| Observed { refused: counted(before, after), ..with_socket(socket(0o660, 0)) };
    let cases: Vec<(&str, Observed, &str, &str)> = vec![
        ("all well", working(), "ooooooo", ""),
        ("all well, from another machine", Observed { processes: vec![], socket: None, ..working() }, "ooooooo", ""),
        ("recorded before the first report", Observed { workers: vec![], ..working() }, "ooooooo", ""),
        ("server down", no_server(), "Foo-o--", "api-sessions serve"),
        (
            "nginx down",
            Observed { answer: Err("connection refused".to_owned()), ..unreported() },
            "oFo-o--",
            "listens on",
        ),
        ("module not loaded", with_process(Process { module: Some(false), ..process() }), "ooF----", "load_module"),
        ("maps closed", with_process(Process { module: None, ..process() }), "oo--o--", ""),
        ("nginx elsewhere, nothing reported", Observed { processes: vec![], ..unreported() }, "oo-----", ""),
        ("location off", unrecorded(), "oooFoo-", "wallarm_sessions on;"),
        ("workers silent for a minute", with_worker(Worker { age_ms: 60_000, ..worker() }), "oooFo--", "error log"),
        ("socket missing", state(SocketState::Missing), "ooo-F--", "wallarm_session_collector"),
        ("socket is a file", state(SocketState::NoSocket), "ooo-F--", "move it"),
        ("socket unseen", state(SocketState::Unseen("permission denied".to_owned())), "ooo----", ""),
        ("socket of another group", with_socket(socket(0o660, 0)), "ooo-F--", "Group="),
        (
            "one nginx of two may write",
            Observed { processes: vec![Process { uid: 34, groups: vec![34], ..process() }, process()], ..unreported() },
            "oooFo--",
            "names another address",
        ),
        (
            "socket without w for its group",
            with_socket(socket(0o640, 33)),
            "ooo-F--",
            "chgrp www-data /run/c.sock && chmod g+w /run",
        ),
        ("refused over TCP", refusing(1, 2), "ooo-F--", "table of what they say of certificates"),
        ("refused over TCP some time ago", refusing(2, 2), "ooo-F--", "for those refused see the collector's messages"),
        ("refused at a time unknown", untold, "ooo-F--", "for those refused"),
        ("refused before it worked", Observed { refused: counted(1, 2), ..working() }, "ooooooo", ""),
        ("directory closed", with_socket(closed_directory), "ooo-F--", "chmod o+x /run"),
        ("loaded, but sessions are on nowhere", with_socket(socket(0o666, 0)), "oooFo--", "wallarm_sessions on;"),
        ("collector takes tcp", Observed { socket: None, ..unreported() }, "ooo----", ""),
        ("chunks unacked", with_worker(Worker { unacked_chunks: 9, ..worker() }), "ooo-oF-", "/readyz"),
        ("queue full", with_worker(Worker { queued: 8192, ..worker() }), "ooo-oF-", "/readyz"),
        (
            "store broken",
            Observed { ready: Err("store: no space".to_owned()), ..unrecorded() },
            "ooo-ooF",
            "free space",
        ),
    ];
    for (name, seen, expected, advice) in cases {
        let steps = judge(&seen);
        assert_eq!(letters(&steps), expected, "{name}: {steps:#?}");
        assert_eq!(passed(&steps), !expected.contains('F') && expected.ends_with('o'), "{name}");
        let failed = steps.iter().find(|step| step.outcome == Outcome::Failed);
        assert_eq!(failed.is_some(), !advice.is_empty(), "{name}");
        for step in &steps {
            assert_eq!(step.advice.is_some(), step.outcome == Outcome::Failed, "{name}: {step:?}");
            assert!(!step.found.is_empty(), "{name}: {step:?}");
        }
        if let Some(step) = failed {
            assert!(step.advice.as_deref().unwrap().contains(advice), "{name}: {step:?}");
        }
    }
}

#[test]
fn a_worker_that_is_root_may_write_to_any_socket() {
    let root = Process { uid: 0, groups: vec![0], ..process() };
    let seen = Observed { processes: vec![root], socket: Some(socket(0o600, 0)), ..unreported() };
    assert_eq!(letters(&judge(&seen)), "oooFo--");
}

#[test]
fn connections_that_broke_are_not_counted_as_refused() {
    let metrics = crate::metrics::Metrics::default();
    metrics.closed.of(crate::metrics::CloseReason::Tls).add(3);
    metrics.closed.of(crate::metrics::CloseReason::Network).add(5);
    let page = metrics.render();
    let refused = probe::refused_in(&page);
    assert_eq!(refused.into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [("tls".to_owned(), 3)]);
}

#[test]
fn the_text_names_every_step_and_where_it_stops() {
    let text = as_text(&judge(&unrecorded()));
    assert!(text.contains("4. location   failed"), "{text}");
    assert!(text.contains("what to do: set `wallarm_sessions on;`"), "{text}");
    assert!(text.ends_with("it stops at: location\n"), "{text}");
    assert!(as_text(&judge(&working())).ends_with("the whole way works\n"));
    assert!(as_text(&judge(&Observed { processes: vec![], ..unreported() })).contains("could not be seen"));
    let json = as_json(&judge(&unrecorded()));
    assert_eq!((&json["passed"], &json["stops_at"]), (&false.into(), &"location".into()));
    assert_eq!(json["steps"].as_array().unwrap().len(), 7);
    assert_eq!(json["steps"][0]["outcome"], "ok");
}

fn fake_process(proc: &Path, pid: u32, title: &str, uid: u32, maps: Option<&str>) {
    let dir = proc.join(pid.to_string());
    std::fs::create_dir_all(&dir).unwrap();
    let comm = title.split([':', ' ']).next().unwrap();
    std::fs::write(dir.join("comm"), format!("{comm}\n")).unwrap();
    std::fs::write(dir.join("cmdline"), format!("{title}\0")).unwrap();
    let status = format!("Name:\t{comm}\nUid:\t0\t{uid}\t{uid}\t{uid}\nGid:\t0\t{uid}\t0\t0\nGroups:\t4 24 \n");
    std::fs::write(dir.join("status"), status).unwrap();
    if let Some(maps) = maps {
        std::fs::write(dir.join("maps"), maps).unwrap();
    }
}

#[test]
fn workers_are_found_with_their_user_groups_and_module() {
    let root = tempfile::tempdir().unwrap();
    let loaded = "7f00-7f01 r-xp 0 00:01 1 /usr/lib/nginx/modules/ngx_http_wallarm_sessions_module.so\n";
    fake_process(root.path(), 10, "nginx: master process nginx", 0, Some(loaded));
    fake_process(root.path(), 11, "nginx: worker process", 33, Some(loaded));
    fake_process(root.path(), 12, "nginx: worker process", 33, Some("7f00-7f01 r-xp 0 00:01 1 /usr/sbin/nginx\n"));
    fake_process(root.path(), 13, "nginx: worker process is shutting down", 33, Some(""));
    fake_process(root.path(), 14, "nginx: cache manager process", 33, Some(loaded));
    fake_process(root.path(), 15, "bash: worker process", 33, Some(loaded));
    std::fs::create_dir(root.path().join("self")).unwrap();
    let mut workers = Machine::with_proc(root.path()).nginx_workers();
    workers.sort_by_key(|worker| worker.pid);
    let seen: Vec<_> = workers.iter().map(|w| (w.pid, w.uid, w.module, w.groups.clone())).collect();
    let groups = vec![4, 24, 33];
    let expected =
        [(11, 33, Some(true), groups.clone()), (12, 33, Some(false), groups.clone()), (13, 33, None, groups)];
    assert_eq!(seen, expected);
}

#[test]
fn a_single_process_nginx_is_its_own_worker() {
    let root = tempfile::tempdir().unwrap();
    fake_process(root.path(), 20, "nginx -g daemon off; master_process off;", 1000, None);
    let workers = Machine::with_proc(root.path()).nginx_workers();
    assert_eq!(workers.len(), 1);
    assert_eq!(workers[0].module, None);
}

#[test]
fn a_socket_is_told_from_a_file_and_from_nothing() {
    let root = tempfile::tempdir().unwrap();
    let machine = Machine::this();
    let path = root.path().join("c.sock");
    assert!(matches!(machine.look_at_socket(&path).state, SocketState::Missing));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(machine.look_at_socket(&path).state, SocketState::NoSocket));
    std::fs::remove_file(&path).unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();
    let SocketState::Present { path: rights } = machine.look_at_socket(&path).state else { panic!("not present") };
    assert_eq!(rights.last().unwrap().mode & 0o777, 0o620);
    assert_eq!(rights.first().unwrap().path, Path::new("/"));
}

/// Answers one HTTP request and tells its head.
async fn answer_once(listener: tokio::net::TcpListener) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\nServer: nginx\r\nConnection: close\r\n\r\n").await.unwrap();
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn the_probe_is_found_among_the_requests_of_others() {
    let server = Server::start(1200).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = probe::url(&format!("http://{}/path?a=b", listener.local_addr().unwrap())).unwrap();
    let store = server.store.clone();
    let nginx = tokio::spawn(async move {
        let head = answer_once(listener).await;
        let agent = head.lines().find_map(|line| line.strip_prefix("user-agent: ")).unwrap().to_owned();
        put(&store, 2500, "somebody else");
        put(&store, 1, &agent);
        head
    });
    let probed = probe::run(&[server.socket()], &url, Duration::from_secs(60)).await;
    let head = nginx.await.unwrap();
    assert!(head.starts_with("GET /path?a=b&api-sessions-check="), "{head}");
    let record = probed.record.unwrap();
    assert_eq!((record.node.as_str(), record.request.as_str()), ("edge", "00000000000000020000000000000001"));
    assert_eq!(probed.answer.unwrap().server.as_deref(), Some("nginx"));
    assert!(probed.ready.is_ok() && probed.server.is_ok());
}

#[tokio::test]
async fn a_probe_that_does_not_arrive_is_not_waited_for_beyond_the_time_given() {
    let server = Server::start(0).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = probe::url(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let nginx = tokio::spawn(answer_once(listener));
    let probed = probe::run(&[server.socket()], &url, Duration::ZERO).await;
    nginx.await.unwrap();
    assert!(probed.record.is_none() && probed.answer.is_ok());
}
