//! Asks the running server over its unix socket.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::api::{HIDDEN, TOTAL};
use crate::desk::new_id;

/// A little longer than the server itself gives a question.
const DEADLINE: Duration = Duration::from_secs(15);
/// Without a byte: longer than the server takes for a page of an export.
const SILENCE: Duration = Duration::from_secs(120);
/// How often it is told how far a question is.
const TELL: Duration = Duration::from_secs(1);
/// A bundle may take many questions to make.
const CHANGE: Duration = Duration::from_secs(120);
const CONNECT: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody listens.
    #[error(
        "the server is not running: nobody answers at {}\n\
         start it with `api-sessions serve`, or name its socket with --socket PATH",
        tried(.0)
    )]
    NotRunning(Vec<(PathBuf, io::Error)>),
    /// Somebody listens whom this user may not talk to.
    #[error(
        "this user may not connect to {}: it takes its owner and its group\n\
         use the server's user or group, or name another socket with --socket PATH",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// The connection broke.
    #[error("the server at {} did not answer: {reason}", socket.display())]
    Broken {
        /// Where.
        socket: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The server refused.
    #[error("{detail}")]
    Refused {
        /// Status of the answer.
        status: StatusCode,
        /// The parameter it is about.
        parameter: Option<String>,
        /// The server's words.
        detail: String,
    },
}

impl AskError {
    /// Whether the server refused because of this parameter.
    pub(super) fn is_about(&self, name: &str) -> bool {
        matches!(self, Self::Refused { parameter: Some(parameter), .. } if parameter == name)
    }

    /// Whether the server refused a parameter that was typed; page tokens are ours, and grow old.
    pub(super) fn is_wrong_usage(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::BAD_REQUEST, parameter: Some(name), .. } if name != "page_token")
    }
}

fn tried(sockets: &[(PathBuf, io::Error)]) -> String {
    let each: Vec<_> = sockets.iter().map(|(path, error)| format!("{} ({error})", path.display())).collect();
    each.join(", ")
}

/// Rows of an export, where the server knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// In all.
    pub(super) total: Option<u64>,
    /// Left out because they are noise.
    pub(super) hidden: Option<u64>,
}

/// A way to the server.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

impl Client {
    /// Takes the first of `sockets` at which a server answers.
    pub(super) async fn connect(sockets: &[PathBuf]) -> Result<Self, AskError> {
        let mut failures = Vec::new();
        for socket in sockets {
            let timeout = || io::Error::from(io::ErrorKind::TimedOut);
            let tried = tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await;
            match tried.unwrap_or_else(|_| Err(timeout())) {
                Ok(_) => return Self::new(socket),
                Err(error) => failures.push((socket.clone(), error)),
            }
        }
        match failures.iter().find(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied) {
            Some((socket, _)) => Err(AskError::Forbidden(socket.clone())),
            None => Err(AskError::NotRunning(failures)),
        }
    }

    fn new(socket: &Path) -> Result<Self, AskError> {
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .read_timeout(SILENCE)
            .build()
            .map_err(|e| AskError::Broken { socket: socket.to_owned(), reason: innermost(&e) })?;
        Ok(Self { http, socket: socket.to_owned() })
    }

    /// Where the server listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The answer to `GET /api/v1{path}`.
    pub(super) async fn get(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, AskError> {
        let response = self.ask(path, parameters, DEADLINE).await?;
        let (status, body) = (response.status(), response.bytes().await.map_err(|e| self.broken(&e))?);
        serde_json::from_slice(&body).map_err(|_| self.wordless(status))
    }

    /// The answer to `POST /api/v1{path}` with this body.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, AskError> {
        let request = self.http.post(self.url(path, &[])?).json(body).timeout(CHANGE);
        let response = self.send(request).await?;
        let (status, body) = (response.status(), response.bytes().await.map_err(|e| self.broken(&e))?);
        serde_json::from_slice(&body).map_err(|_| self.wordless(status))
    }

    /// The answer to `GET /api/v1{path}`, piece by piece: an export, which takes as long as it makes progress. Each piece
    /// comes with what the server knows of the number of rows.
    pub(super) async fn export(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        mut take: impl FnMut(&[u8], Counts) -> io::Result<()>,
    ) -> Result<io::Result<()>, AskError> {
        let query_id = new_id().to_string();
        let parameters: Vec<_> = parameters.iter().cloned().chain([("query_id", query_id.clone())]).collect();
        let response = self.telling(&query_id, self.send(self.http.get(self.url(path, &parameters)?))).await?;
        let count = |name| response.headers().get(name).and_then(|count| count.to_str().ok()?.parse().ok());
        let counts = Counts { total: count(TOTAL), hidden: count(HIDDEN) };
        self.pieces(response, |piece| take(piece, counts)).await
    }

    /// The answer to `GET /api/v1{path}`, piece by piece: a file.
    pub(super) async fn file(
        &self,
        path: &str,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<io::Result<()>, AskError> {
        let response = self.ask(path, &[], CHANGE).await?;
        self.pieces(response, take).await
    }

    async fn pieces(
        &self,
        mut response: reqwest::Response,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<io::Result<()>, AskError> {
        while let Some(piece) = response.chunk().await.map_err(|e| self.broken(&e))? {
            if let Err(error) = take(&piece) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    fn broken(&self, error: &reqwest::Error) -> AskError {
        AskError::Broken { socket: self.socket.clone(), reason: innermost(error) }
    }

    fn wordless(&self, status: StatusCode) -> AskError {
        let reason = format!("it answered {status} without words; is it really api-sessions?");
        AskError::Broken { socket: self.socket.clone(), reason }
    }

    fn url(&self, path: &str, parameters: &[(&str, String)]) -> Result<reqwest::Url, AskError> {
        let mut url = reqwest::Url::parse("http://localhost/api/v1")
            .map_err(|e| AskError::Broken { socket: self.socket.clone(), reason: e.to_string() })?;
        url.set_path(&format!("/api/v1{path}"));
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        Ok(url)
    }

    /// The answer to a question with this `query_id`; how far it is is told on the standard error meanwhile, if that is a
    /// terminal.
    async fn telling<T>(&self, query_id: &str, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        let mut told = false;
        loop {
            tokio::select! {
                answer = &mut answer => {
                    if told {
                        let _ = write!(io::stderr(), "\r\x1b[K");
                    }
                    return answer;
                }
                () = tokio::time::sleep(TELL), if io::stderr().is_terminal() => {
                    // It may have ended just now.
                    if let Ok(query) = self.get(&format!("/queries/{query_id}"), &[]).await {
                        let _ = write!(io::stderr(), "\r{}\x1b[K", progress(&query));
                        told = true;
                    }
                }
            }
        }
    }

    /// Asks within `deadline`; what the server refuses is an error.
    async fn ask(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        deadline: Duration,
    ) -> Result<reqwest::Response, AskError> {
        self.send(self.http.get(self.url(path, parameters)?).timeout(deadline)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, AskError> {
        let broken = |e: reqwest::Error| self.broken(&e);
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(broken)?;
        match serde_json::from_slice::<Value>(&body) {
            Ok(problem) if problem["detail"].is_string() => Err(AskError::Refused {
                status,
                parameter: problem["parameter"].as_str().map(str::to_owned),
                detail: problem["detail"].as_str().unwrap_or_default().to_owned(),
            }),
            _ => Err(self.wordless(status)),
        }
    }

    /// Up to `limit` rows of a list, over as many pages as it takes, as one answer.
    pub(super) async fn list(
        &self,
        path: &str,
        name: &str,
        parameters: &[(&str, String)],
        limit: usize,
    ) -> Result<Value, AskError> {
        let mut rows: Vec<Value> = Vec::new();
        let (mut token, mut hidden) = (None, 0);
        loop {
            let mut parameters = parameters.to_vec();
            parameters.push(("page_size", (limit - rows.len()).clamp(1, 1000).to_string()));
            parameters.extend(token.map(|token| ("page_token", token)));
            let query_id = new_id().to_string();
            parameters.push(("query_id", query_id.clone()));
            let mut page = self.telling(&query_id, self.get(path, &parameters)).await?;
            if let Some(Value::Array(more)) = page.get_mut(name).map(Value::take) {
                rows.extend(more);
            }
            hidden += page["hidden"].as_u64().unwrap_or_default();
            token = page["next_page_token"].as_str().map(str::to_owned);
            if token.is_none() || rows.len() >= limit {
                return Ok(serde_json::json!({ name: rows, "hidden": hidden, "next_page_token": token }));
            }
        }
    }
}

/// How far a question is, in words.
fn progress(query: &Value) -> String {
    format!("{} of {} days looked at", query["days_done"], query["days"])
}

/// The cause at the bottom: what the system said, without the layers around it.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
