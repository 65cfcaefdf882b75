//! A reader of the collector's REST API, as far as the demo and the tests ask.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::counters::Counters;

/// A value that may be a pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Who {
    /// The value.
    pub value: String,
    /// Whether it is a pseudonym.
    pub hashed: bool,
}

/// The key that decided a request's session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// Source as configured, or the namespace of a built-in key.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether it is a pseudonym.
    pub hashed: bool,
}

/// One part of a session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Session {
    /// Session id.
    pub id: String,
    /// The UTC day.
    pub day: String,
    /// What decided its requests.
    pub keys: Vec<Key>,
    /// The last seen.
    pub user: Option<Who>,
    /// The last seen first.
    pub users: Vec<Who>,
    /// The last seen.
    pub role: Option<Who>,
    /// RFC 3339.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
    /// Requests in it.
    pub requests: u64,
    /// Client addresses.
    pub ips: Vec<String>,
    /// User-agents.
    pub user_agents: Vec<String>,
    /// Requests by status class.
    pub statuses: std::collections::BTreeMap<String, u64>,
    /// Whether an AI agent's calls are in it.
    pub mcp: bool,
}

/// A call of an AI agent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Mcp {
    /// JSON-RPC method.
    pub method: String,
    /// Name of the tool, prompt or resource.
    pub primitive: String,
    /// As JSON text.
    pub arguments: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

/// A context parameter of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Param {
    /// Source as configured.
    pub source: String,
    /// What readers call it.
    pub name: String,
    /// `context`, `user` or `role`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// Whether it is a pseudonym.
    pub hashed: bool,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Request {
    /// Request id.
    pub id: String,
    /// The session it is in.
    pub session_id: String,
    /// RFC 3339.
    pub ts: String,
    /// Application.
    pub application: String,
    /// Method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host.
    pub host: String,
    /// Path without query.
    pub path: String,
    /// Protocol.
    pub proto: String,
    /// Status.
    pub status: u16,
    /// Microseconds in all.
    pub duration_us: u64,
    /// Microseconds in upstreams.
    pub upstream_us: Option<u64>,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Client address.
    pub ip: String,
    /// User-agent.
    pub user_agent: String,
    /// What decided.
    pub key: Key,
    /// Context parameters.
    pub params: Vec<Param>,
    /// Set on calls of AI agents.
    pub mcp: Option<Mcp>,
}

/// A page of a list; the list's name is the API's.
#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "sessions", alias = "requests")]
    rows: Vec<T>,
    next_page_token: Option<String>,
}

/// What went wrong with a question.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// No answer, or none that can be read.
    #[error("GET {path}: {source}")]
    NoAnswer {
        /// What was asked for.
        path: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("GET {path} was answered {status}: {body}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: StatusCode,
        /// The problem JSON.
        body: String,
    },
    /// A list that does not end.
    #[error("GET {path}: more than {MOST_PAGES} pages")]
    Endless {
        /// What was asked for.
        path: String,
    },
}

const MOST_PAGES: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// The API of one collector.
#[derive(Clone, Debug)]
pub struct Rest {
    http: Client,
    base: String,
}

impl Rest {
    /// Over TCP.
    pub fn tcp(address: SocketAddr) -> Result<Self, reqwest::Error> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, base: format!("http://{address}/api/v1") })
    }

    /// Over its unix socket.
    pub fn unix(socket: &Path) -> Result<Self, reqwest::Error> {
        let http = Client::builder().no_proxy().timeout(PATIENCE).unix_socket(socket).build()?;
        Ok(Self { http, base: "http://localhost/api/v1".to_owned() })
    }

    /// The text of any answer of 2xx.
    pub async fn text(&self, path: &str) -> Result<String, RestError> {
        let failed = |source| RestError::NoAnswer { path: path.to_owned(), source };
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.text().await.map_err(failed)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(RestError::Refused { path: path.to_owned(), status, body })
    }

    /// A JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        let failed = |source| RestError::NoAnswer { path: path.to_owned(), source };
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.map_err(failed)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(failed);
        }
        let body = answer.text().await.map_err(failed)?;
        Err(RestError::Refused { path: path.to_owned(), status, body })
    }

    /// The rows that parameters leave of a list, page by page.
    async fn list_of<T: DeserializeOwned>(&self, path: &str, narrowed: &str) -> Result<Vec<T>, RestError> {
        let mut rows = Vec::new();
        let mut from = format!("{path}?page_size=1000{narrowed}");
        for _ in 0..MOST_PAGES {
            let page: Page<T> = self.json(&from).await?;
            rows.extend(page.rows);
            match page.next_page_token {
                Some(token) => {
                    let token = utf8_percent_encode(&token, NON_ALPHANUMERIC);
                    from = format!("{path}?page_size=1000{narrowed}&page_token={token}");
                }
                None => return Ok(rows),
            }
        }
        Err(RestError::Endless { path: path.to_owned() })
    }

    /// All sessions (their parts), the last seen first.
    pub async fn sessions(&self) -> Result<Vec<Session>, RestError> {
        self.list_of("/sessions", "&noise=show").await
    }

    /// Those of AI agents.
    pub async fn mcp_sessions(&self) -> Result<Vec<Session>, RestError> {
        self.list_of("/sessions", "&mcp=true&noise=show").await
    }

    /// All requests of a session, in order.
    pub async fn requests(&self, session: &str) -> Result<Vec<Request>, RestError> {
        self.list_of(&format!("/sessions/{session}/requests"), "&noise=show").await
    }

    /// Requests stored, over all sessions.
    pub async fn stored(&self) -> Result<u64, RestError> {
        Ok(self.sessions().await?.iter().map(|session| session.requests).sum())
    }

    /// Every request of every session, as the pages of the API tell them.
    pub async fn everything(&self) -> Result<Vec<Request>, RestError> {
        let mut ids: Vec<String> = self.sessions().await?.into_iter().map(|session| session.id).collect();
        ids.sort();
        ids.dedup();
        let mut all = Vec::new();
        for id in ids {
            all.extend(self.requests(&id).await?);
        }
        Ok(all)
    }

    /// The collector's own counters.
    pub async fn metrics(&self) -> Result<Counters, RestError> {
        Ok(Counters::read(&self.text("/metrics").await?))
    }
}
