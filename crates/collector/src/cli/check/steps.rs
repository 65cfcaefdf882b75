//! From what was seen to what it means: pure, so that each case can be shown in a test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A worker reports every ten seconds; one that has been silent for three times that is not there.
const FRESH_MS: u64 = 30_000;
/// A worker has a chunk or two on the way at any time, and its report is one itself.
const USUAL_UNACKED: u64 = 8;

/// Everything that was seen.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// Where the server answers, or why it does not.
    pub(super) server: Result<String, String>,
    /// Whether it is ready, or why not.
    pub(super) ready: Result<(), String>,
    /// What was asked for.
    pub(super) url: String,
    /// NGINX's answer, or why there is none.
    pub(super) answer: Result<Answer, String>,
    /// The probe's record, when the server showed it in time.
    pub(super) record: Option<Record>,
    /// How long was waited for it.
    pub(super) waited: Duration,
    /// Workers of all nodes that reported to this server.
    pub(super) workers: Vec<Worker>,
    /// Connections of nodes that the server refused.
    pub(super) refused: Refused,
    /// Worker processes on this machine.
    pub(super) processes: Vec<Process>,
    /// The socket that workers of this machine ship to; `None` when the server takes TCP only.
    pub(super) socket: Option<Socket>,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The `Server` header.
    pub(super) server: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) request: String,
    pub(super) session: String,
    pub(super) node: String,
    pub(super) application: String,
    pub(super) key: String,
    /// From the answer to the moment it was seen.
    pub(super) after: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) node: String,
    pub(super) pid: u64,
    pub(super) age_ms: u64,
    pub(super) queued: u64,
    pub(super) capacity: u64,
    pub(super) unacked_chunks: u64,
    pub(super) drops: u64,
}

/// Connections of nodes that the server refused, by why.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    /// Since the server started, until the probe was sent; empty when it did not tell.
    pub(super) before: BTreeMap<String, u64>,
    /// Since then until now.
    pub(super) after: BTreeMap<String, u64>,
}

impl Refused {
    /// Those refused while the probe was on its way, in words.
    fn meanwhile(&self) -> Option<String> {
        let new = |(reason, after): (_, &u64)| Some((reason, after.saturating_sub(*self.before.get(reason)?)));
        in_words(self.after.iter().filter_map(new))
    }

    /// All of them, in words.
    fn ever(&self) -> Option<String> {
        in_words(self.after.iter().map(|(reason, count)| (reason, *count)))
    }
}

fn in_words<'a>(counts: impl Iterator<Item = (&'a String, u64)>) -> Option<String> {
    let words: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(reason, count)| format!("{reason} {count}")).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) uid: u32,
    /// Whether the module is in its memory; `None` when this user may not look.
    pub(super) module: Option<bool>,
    /// Primary and supplementary groups.
    pub(super) groups: Vec<u32>,
    /// The primary one as people name it.
    pub(super) group: String,
}

#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) path: PathBuf,
    pub(super) state: SocketState,
}

#[derive(Clone, Debug)]
pub(super) enum SocketState {
    Missing,
    NoSocket,
    /// This user may not look: the reason.
    Unseen(String),
    Present {
        /// The directories above it, from the root, then itself.
        path: Vec<Rights>,
    },
}

/// Who may do what with one file.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    pub(super) path: PathBuf,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

impl Rights {
    /// Whether `process` has one of the rights `r` 4, `w` 2, `x` 1.
    fn allow(&self, process: &Process, right: u32) -> bool {
        let shift = match () {
            () if process.uid == 0 => return true,
            () if process.uid == self.uid => 6,
            () if process.groups.contains(&self.gid) => 3,
            () => 0,
        };
        self.mode >> shift & right != 0
    }
}

/// One step of the way.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// What was seen.
    pub(super) found: String,
    /// What to do about it.
    pub(super) advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Failed,
    NotSeen,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::NotSeen => "not seen",
        }
    }
}

/// Whether the probe came through: its record was seen and no step failed.
pub(super) fn passed(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.outcome != Outcome::Failed)
        && steps.last().is_some_and(|step| step.outcome == Outcome::Ok)
}

/// The steps in the order of the request's way; the first that failed is where it stops.
pub(super) fn judge(seen: &Observed) -> Vec<Step> {
    vec![server(seen), nginx(seen), module(seen), location(seen), socket(seen), acknowledged(seen), store(seen)]
}

fn ok(name: &'static str, found: impl Into<String>) -> Step {
    Step { name, outcome: Outcome::Ok, found: found.into(), advice: None }
}

fn not_seen(name: &'static str, found: impl Into<String>) -> Step {
    Step { name, outcome: Outcome::NotSeen, found: found.into(), advice: None }
}

fn failed(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Step {
    Step { name, outcome: Outcome::Failed, found: found.into(), advice: Some(advice.into()) }
}

fn server(seen: &Observed) -> Step {
    match &seen.server {
        Ok(socket) => ok("collector", format!("it answers at {socket}")),
        Err(reason) => failed(
            "collector",
            reason.clone(),
            "start it with `api-sessions serve` (or systemctl start api-sessions), or name its socket with --socket",
        ),
    }
}

fn nginx(seen: &Observed) -> Step {
    match &seen.answer {
        Ok(Answer { status, server }) => {
            let by = server.as_deref().map(|server| format!(" by {server}")).unwrap_or_default();
            ok("nginx", format!("{} was answered with {status}{by}", seen.url))
        }
        Err(reason) => failed(
            "nginx",
            format!("{} was not answered: {reason}", seen.url),
            "give an http:// address that NGINX listens on, and see that it runs",
        ),
    }
}

fn fresh(seen: &Observed) -> impl Iterator<Item = &Worker> {
    seen.workers.iter().filter(|worker| worker.age_ms <= FRESH_MS)
}

fn reports(seen: &Observed) -> Option<String> {
    let mut nodes: Vec<_> = fresh(seen).map(|worker| worker.node.as_str()).collect();
    let workers = nodes.len();
    nodes.dedup();
    (workers > 0).then(|| {
        let more = if nodes.len() > 3 { format!(" and {} more", nodes.len() - 3) } else { String::new() };
        nodes.truncate(3);
        format!("{workers} worker{} of {}{more} reported in the last 30 s", plural(workers), nodes.join(", "))
    })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn module(seen: &Observed) -> Step {
    const NAME: &str = "module";
    if seen.record.is_some() {
        return ok(NAME, reports(seen).unwrap_or_else(|| "the request was recorded, so it is loaded".to_owned()));
    }
    if let Some(reports) = reports(seen) {
        return ok(NAME, reports);
    }
    let with = seen.processes.iter().filter(|process| process.module == Some(true)).count();
    let without = seen.processes.iter().filter(|process| process.module == Some(false)).count();
    let unseen = seen.processes.len() - with - without;
    if with > 0 {
        return ok(NAME, format!("it is loaded in {with} NGINX process{} here", if with == 1 { "" } else { "es" }));
    }
    if without > 0 && unseen == 0 {
        return failed(
            NAME,
            format!("{without} NGINX worker{} on this machine, the module in none", plural(without)),
            "put `load_module modules/ngx_http_wallarm_sessions_module.so;` at the top of nginx.conf, \
             then `nginx -t` and restart or reload",
        );
    }
    not_seen(
        NAME,
        if unseen > 0 {
            "no worker reports here, and this user may not look into the workers' memory: run this as root"
        } else {
            "no worker reports here, and no NGINX worker is on this machine: run this where NGINX is"
        },
    )
}

/// What tells why a connection was refused.
const ASK_WHY: &str = "see the collector's messages and NGINX's error log; docs/operations.md has a table of what they say \
                       of certificates and keys";

fn socket(seen: &Observed) -> Step {
    const NAME: &str = "socket";
    if seen.record.is_some() || fresh(seen).next().is_some() {
        return ok(NAME, "workers reach the collector");
    }
    if let Some(refused) = seen.refused.meanwhile() {
        return failed(
            NAME,
            format!(
                "the collector refused connections of nodes just now: {refused} (api_sessions_ingest_closed_total)"
            ),
            ASK_WHY,
        );
    }
    let step = local_socket(seen);
    match seen.refused.ever() {
        // NGINX may ship by another way than this socket.
        Some(refused) if step.outcome != Outcome::Ok => Step {
            found: format!(
                "{}; since it started the collector refused connections of nodes: {refused} \
                 (api_sessions_ingest_closed_total)",
                step.found
            ),
            advice: step.advice.map(|advice| format!("{advice}; for those refused {ASK_WHY}")),
            ..step
        },
        _ => step,
    }
}

/// The socket that workers of this machine ship to, unless they ship over TCP.
fn local_socket(seen: &Observed) -> Step {
    const NAME: &str = "socket";
    let Some(socket) = &seen.socket else {
        return not_seen(NAME, "the collector takes TCP only by its configuration; see NGINX's error log");
    };
    let shown = socket.path.display();
    match &socket.state {
        SocketState::Missing => failed(
            NAME,
            format!("{shown} is not there"),
            "start the collector, or give both sides the same path: `ingest` here and \
             `wallarm_session_collector unix:PATH;` there",
        ),
        SocketState::NoSocket => {
            failed(NAME, format!("{shown} is no socket"), "move it away and start the collector again")
        }
        SocketState::Unseen(reason) => not_seen(NAME, format!("{shown}: {reason}: run this as root")),
        SocketState::Present { path } => {
            // Which NGINX of this machine serves the address is not known: one that can is enough.
            let senders = || seen.processes.iter().filter(|process| process.module != Some(false));
            match senders().map(|process| obstacle(path, process)).collect::<Option<Vec<_>>>() {
                None => ok(NAME, format!("{shown} is there, and its rights let the workers write to it")),
                Some(obstacles) => match obstacles.into_iter().next() {
                    Some((what, advice)) => failed(NAME, what, advice),
                    None => {
                        not_seen(NAME, format!("{shown} is there, but no NGINX worker of this machine would use it"))
                    }
                },
            }
        }
    }
}

/// What keeps `process` from connecting, if the rights do: unix(7) asks for `x` on the directories
/// and `w` on the socket.
fn obstacle(path: &[Rights], process: &Process) -> Option<(String, String)> {
    let (socket, directories) = path.split_last()?;
    let user = format!("worker {} (uid {})", process.pid, process.uid);
    let told = |rights: &Rights| {
        format!("{} (mode {:04o}, owner {}:{})", rights.path.display(), rights.mode & 0o7777, rights.uid, rights.gid)
    };
    if let Some(closed) = directories.iter().find(|directory| !directory.allow(process, 1)) {
        return Some((
            format!("{user} may not enter {}", told(closed)),
            format!(
                "chmod o+x {}, or run the collector in the workers' group {}",
                closed.path.display(),
                process.group
            ),
        ));
    }
    (!socket.allow(process, 2)).then(|| {
        (
            format!("{user} may not write to {}", told(socket)),
            format!(
                "run the collector in the workers' group {group} (systemd: `Group={group}`, see docs/install.md); \
                 until its next start `chgrp {group} {path} && chmod g+w {path}` does",
                group = process.group,
                path = socket.path.display()
            ),
        )
    })
}

fn location(seen: &Observed) -> Step {
    const NAME: &str = "location";
    if let Some(record) = &seen.record {
        return ok(
            NAME,
            format!("it is on: application {}, session {} by {}", record.application, record.session, record.key),
        );
    }
    if seen.server.is_err() || seen.answer.is_err() {
        return not_seen(NAME, "without an answer and a running collector it cannot be told");
    }
    if fresh(seen).next().is_none() {
        let loaded = seen.processes.iter().any(|process| process.module == Some(true));
        if loaded && seen.ready.is_ok() && socket(seen).outcome == Outcome::Ok {
            return failed(
                NAME,
                "the module is loaded and may write to the collector's socket, but no worker reports here",
                "set `wallarm_sessions on;` where this address is served, and reload; if it is on, \
                 `wallarm_session_collector` names another address: NGINX's error log then says \
                 `the collector ... cannot be reached`",
            );
        }
        return not_seen(NAME, "no worker reports here, so it cannot be told whether sessions are on there");
    }
    if seen.ready.is_err() || stuck(seen).is_some() {
        return not_seen(NAME, "what workers send does not all arrive, so it cannot be told");
    }
    failed(
        NAME,
        format!("workers report, but the request was not recorded within {} s", seen.waited.as_secs()),
        "set `wallarm_sessions on;` for the location that serves this address; if it is on, this NGINX ships \
         to another collector (`wallarm_session_collector`), or its workers are older than the configuration (reload)",
    )
}

/// What the workers say of chunks that nobody acknowledges.
fn stuck(seen: &Observed) -> Option<String> {
    let worker =
        fresh(seen).find(|w| w.unacked_chunks > USUAL_UNACKED || (w.capacity > 0 && w.queued >= w.capacity))?;
    Some(format!(
        "{} s ago worker {} of {} had {} chunks unacknowledged and {} of {} places in its queue taken",
        worker.age_ms / 1000,
        worker.pid,
        worker.node,
        worker.unacked_chunks,
        worker.queued,
        worker.capacity
    ))
}

fn acknowledged(seen: &Observed) -> Step {
    const NAME: &str = "ack";
    let dropped: u64 = fresh(seen).map(|worker| worker.drops).sum();
    let lost =
        if dropped > 0 { format!("; workers dropped {dropped} events since they started") } else { String::new() };
    match stuck(seen) {
        // Under load a worker may well have several chunks on the way.
        Some(stuck) if seen.record.is_some() => ok(NAME, format!("the chunk was taken, but {stuck}{lost}")),
        Some(stuck) => failed(
            NAME,
            format!("{stuck}{lost}"),
            "see the collector's messages and /readyz: a full disk or a log that cannot be applied holds acks back",
        ),
        None if seen.record.is_some() => ok(NAME, format!("the chunk was taken{lost}")),
        None if fresh(seen).next().is_some() => ok(NAME, format!("workers have nothing unacknowledged{lost}")),
        None => match seen.workers.iter().map(|worker| worker.age_ms).min() {
            Some(age) => not_seen(NAME, format!("workers have been silent for {} s", age / 1000)),
            None => not_seen(NAME, "no worker reports here"),
        },
    }
}

fn store(seen: &Observed) -> Step {
    const NAME: &str = "store";
    if let Some(record) = &seen.record {
        let after = format!("{:.1}", record.after.as_secs_f64());
        return ok(
            NAME,
            format!("request {} of node {} was visible {after} s after its answer", record.request, record.node),
        );
    }
    match (&seen.server, &seen.ready) {
        (Ok(_), Err(reason)) => failed(
            NAME,
            format!("the collector is not ready: {reason}"),
            "see the collector's messages; its data directory, the disk's free space and the clock are the usual causes",
        ),
        (Ok(_), Ok(())) => not_seen(NAME, "it answers, but the request did not appear"),
        (Err(_), _) => not_seen(NAME, "the collector does not run"),
    }
}
