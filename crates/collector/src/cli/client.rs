//! Asks the running server over its unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::api::TOTAL;

/// A little longer than the server itself gives a question.
const DEADLINE: Duration = Duration::from_secs(15);
/// Likewise for an export, whose pages are good for ten minutes.
const EXPORT: Duration = Duration::from_secs(630);
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
}

fn tried(sockets: &[(PathBuf, io::Error)]) -> String {
    let each: Vec<_> = sockets.iter().map(|(path, error)| format!("{} ({error})", path.display())).collect();
    each.join(", ")
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

    /// The answer to `GET /api/v1{path}`, piece by piece: an export, which may take as long as the
    /// server gives one. Each piece comes with the number of rows in all, where the server knows it.
    pub(super) async fn export(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        mut take: impl FnMut(&[u8], Option<u64>) -> io::Result<()>,
    ) -> Result<io::Result<()>, AskError> {
        let mut response = self.ask(path, parameters, EXPORT).await?;
        let total = response.headers().get(TOTAL).and_then(|total| total.to_str().ok()?.parse().ok());
        while let Some(piece) = response.chunk().await.map_err(|e| self.broken(&e))? {
            if let Err(error) = take(&piece, total) {
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
        let mut token = None;
        loop {
            let mut parameters = parameters.to_vec();
            parameters.push(("page_size", (limit - rows.len()).clamp(1, 1000).to_string()));
            parameters.extend(token.map(|token| ("page_token", token)));
            let mut page = self.get(path, &parameters).await?;
            if let Some(Value::Array(more)) = page.get_mut(name).map(Value::take) {
                rows.extend(more);
            }
            token = page["next_page_token"].as_str().map(str::to_owned);
            if token.is_none() || rows.len() >= limit {
                return Ok(serde_json::json!({ name: rows, "next_page_token": token }));
            }
        }
    }
}

/// The cause at the bottom: what the system said, without the layers around it.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
