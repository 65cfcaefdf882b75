//! Sends the probe, and asks the server what arrived.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{SERVER, USER_AGENT};
use serde_json::Value;
use tokio::time::Instant;

use super::steps::{Answer, Record, Refused, Worker};
use crate::cli::client::{AskError, Client, innermost};
use crate::cli::sessions::key;
use crate::metrics::CloseReason;

/// How long NGINX may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two looks for the record.
const PAUSE: Duration = Duration::from_millis(200);
/// Requests of others that are looked through for the probe's, at most.
const MOST: usize = 1_000_000;

/// Why a server closes connections of its own accord.
const REFUSALS: [CloseReason; 6] = [
    CloseReason::Tls,
    CloseReason::SharedKey,
    CloseReason::TooMany,
    CloseReason::Malformed,
    CloseReason::TooLarge,
    CloseReason::TooManyEntries,
];

/// What came of the probe.
pub(super) struct Probed {
    pub(super) server: Result<String, String>,
    /// The socket at which the server answers.
    pub(super) socket: Option<PathBuf>,
    pub(super) ready: Result<(), String>,
    pub(super) answer: Result<Answer, String>,
    pub(super) record: Option<Record>,
    pub(super) workers: Vec<Worker>,
    pub(super) refused: Refused,
}

/// The URL of an argument, if it is one that can be probed.
pub(super) fn url(text: &str) -> Result<reqwest::Url, String> {
    let url = reqwest::Url::parse(text).map_err(|e| format!("{e}; http://HOST/PATH would be right"))?;
    match url.scheme() {
        "http" if url.has_host() => Ok(url),
        "https" => Err("https is not probed yet; give an http:// address that the same NGINX serves".to_owned()),
        _ => Err("http://HOST/PATH would be right".to_owned()),
    }
}

/// Sends a request to `url` and waits for its record at the server behind one of `sockets`.
pub(super) async fn run(sockets: &[PathBuf], url: &reqwest::Url, wait: Duration) -> Probed {
    let mark = format!("{:016x}", fastrand::u64(..));
    let agent = format!("api-sessions-check/{mark}");
    let client = Client::connect(sockets).await;
    // What is newest now: the probe comes after it.
    let before = match &client {
        Ok(client) => follow(client, None, 1).await.map(|page| token(&page)),
        Err(_) => Ok(None),
    };
    let refused_before = match &client {
        Ok(client) => refused(client).await,
        Err(_) => BTreeMap::new(),
    };
    let answer = send(url, &agent, &mark).await;
    let answered = Instant::now();
    let mut probed = Probed {
        server: Err(String::new()),
        socket: None,
        ready: Ok(()),
        answer,
        record: None,
        workers: Vec::new(),
        refused: Refused::default(),
    };
    let client = match (client, &before) {
        (Ok(client), Ok(_)) => client,
        (Err(error), _) => {
            probed.server = Err(first_line(&error));
            return probed;
        }
        (_, Err(error)) => {
            probed.server = Err(first_line(error));
            return probed;
        }
    };
    probed.socket = Some(client.socket().to_owned());
    probed.server = Ok(client.socket().display().to_string());
    if probed.answer.is_ok() {
        probed.record = find(&client, &agent, before.ok().flatten(), answered, wait).await;
    }
    probed.ready = client.get("/readyz", &[]).await.map(drop).map_err(|error| first_line(&error));
    probed.workers = client.get("/nodes", &[]).await.map(|nodes| workers(&nodes)).unwrap_or_default();
    probed.refused = Refused { before: refused_before, after: refused(&client).await };
    probed
}

/// How many connections of nodes the server refused since it started, by why; none where it does not tell.
async fn refused(client: &Client) -> BTreeMap<String, u64> {
    let mut page = Vec::new();
    let read = client.file("/metrics", |piece| {
        page.extend_from_slice(piece);
        Ok(())
    });
    match read.await {
        Ok(Ok(())) => refused_in(&String::from_utf8_lossy(&page)),
        _ => BTreeMap::new(),
    }
}

/// The same of a page of metrics. Connections that broke are none that were refused.
pub(super) fn refused_in(page: &str) -> BTreeMap<String, u64> {
    let count = |line: &str| {
        let (reason, count) = line.strip_prefix("api_sessions_ingest_closed_total{reason=\"")?.split_once("\"} ")?;
        let count = count.parse().ok()?;
        REFUSALS.iter().any(|refusal| refusal.as_str() == reason).then(|| (reason.to_owned(), count))
    };
    page.lines().filter_map(count).collect()
}

/// The first line: the others are advice, and the step has its own.
fn first_line(error: &AskError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

async fn send(url: &reqwest::Url, agent: &str, mark: &str) -> Result<Answer, String> {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("api-sessions-check", mark);
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER)
        .build()
        .map_err(|e| innermost(&e))?;
    let response =
        http.get(url).header(USER_AGENT, agent).send().await.map_err(|e| {
            if e.is_timeout() { format!("nothing within {} s", ANSWER.as_secs()) } else { innermost(&e) }
        })?;
    let server = response.headers().get(SERVER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    // The record is made when the request ends: when the whole answer has been sent.
    let _ = response.bytes().await;
    Ok(Answer { status, server })
}

async fn follow(client: &Client, token: Option<String>, size: usize) -> Result<Value, AskError> {
    let mut parameters = vec![("order_by", "arrival".to_owned()), ("page_size", size.to_string())];
    // Whatever the path is that is checked.
    parameters.push(("noise", "show".to_owned()));
    parameters.extend(token.map(|token| ("page_token", token)));
    client.get("/requests", &parameters).await
}

fn token(page: &Value) -> Option<String> {
    page["next_page_token"].as_str().map(str::to_owned)
}

/// The record of the request that `agent` made, if it arrives in time.
async fn find(
    client: &Client,
    agent: &str,
    mut after: Option<String>,
    answered: Instant,
    wait: Duration,
) -> Option<Record> {
    let mut looked_at = 0;
    while looked_at < MOST {
        let page = follow(client, after.clone(), 1000).await.ok();
        let requests =
            page.as_ref().and_then(|page| page["requests"].as_array()).map(Vec::as_slice).unwrap_or_default();
        if let Some(found) = requests.iter().find(|request| request["user_agent"] == agent) {
            let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
            return Some(Record {
                request: text("id"),
                session: text("session_id"),
                node: text("node"),
                application: text("application"),
                key: key(&found["key"]),
                after: answered.elapsed(),
            });
        }
        if answered.elapsed() >= wait {
            return None;
        }
        looked_at += requests.len();
        if requests.len() < 1000 {
            tokio::time::sleep(PAUSE).await;
        }
        after = page.as_ref().and_then(token).or(after);
    }
    None
}

/// The workers that `/nodes` tells of.
fn workers(nodes: &Value) -> Vec<Worker> {
    let mut all = Vec::new();
    for node in nodes["nodes"].as_array().into_iter().flatten() {
        for worker in node["workers"].as_array().into_iter().flatten() {
            let queue = |name: &str| worker["queue"][name].as_u64().unwrap_or_default();
            all.push(Worker {
                node: node["name"].as_str().unwrap_or_default().to_owned(),
                pid: worker["pid"].as_u64().unwrap_or_default(),
                age_ms: worker["age_ms"].as_u64().unwrap_or(u64::MAX),
                queued: queue("length"),
                capacity: queue("capacity"),
                unacked_chunks: queue("unacked_chunks"),
                drops: worker["drops"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum(),
            });
        }
    }
    all
}
