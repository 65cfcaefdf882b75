//! One client: sends requests with what it holds, takes up what answers hand out, writes both down.

use std::net::IpAddr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::{Label, Ledger, Scene};
use crate::shop::{self, Jwt};

/// How a client carries its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Keeps cookies.
    Browser,
    /// Keeps no cookies; puts the token of its login into links (`?token=`).
    Linker,
    /// Signs in as an app and sends its JWT.
    App,
    /// Sends the API key of this partner.
    Partner(String),
    /// Keeps nothing.
    Bot,
}

/// What a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Cookie(String),
    Link(String),
    Bearer(String),
    Key(String),
}

/// Why a client gave up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer.
    #[error("{method} {url}: {source}")]
    NoAnswer {
        /// Of the request.
        method: Method,
        /// Of the request.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An answer that the client cannot go on with.
    #[error("{method} {url} was answered {status}, the client needs {wanted}")]
    Unexpected {
        /// Of the request.
        method: Method,
        /// Of the request.
        url: String,
        /// Of the answer.
        status: StatusCode,
        /// What would have been right.
        wanted: StatusCode,
    },
    /// No HTTP client could be made.
    #[error("no HTTP client on {address}: {source}")]
    NoClient {
        /// The address to send from.
        address: IpAddr,
        /// What went wrong.
        source: reqwest::Error,
    },
}

/// An answer as a client reads it.
#[derive(Clone, Debug)]
pub struct Answer {
    method: Method,
    url: String,
    /// The status.
    pub status: StatusCode,
    /// The JSON body; null when it was none.
    pub body: Value,
}

impl Answer {
    /// The answer, when it has the status that the client needs to go on.
    pub fn expect(self, wanted: StatusCode) -> Result<Self, ClientError> {
        if self.status == wanted {
            return Ok(self);
        }
        Err(ClientError::Unexpected { method: self.method, url: self.url, status: self.status, wanted })
    }
}

/// A client of the shop.
#[derive(Debug)]
pub struct Person {
    http: Client,
    url: String,
    ledger: Ledger,
    pause: Duration,
    kind: Kind,
    address: IpAddr,
    agent: Option<String>,
    held: Held,
}

impl Person {
    pub(super) fn new(scene: &Scene, kind: Kind, address: IpAddr, agent: Option<&str>) -> Result<Self, ClientError> {
        let pause = if kind == Kind::Bot { scene.pause / 10 } else { scene.pause };
        let held = match &kind {
            Kind::Partner(name) => Held::Key(shop::api_key_of(name)),
            _ => Held::Nothing,
        };
        Ok(Self {
            http: client(address, agent)?,
            url: scene.url.clone(),
            ledger: scene.ledger.clone(),
            pause,
            kind,
            address,
            agent: agent.map(str::to_owned),
            held,
        })
    }

    /// Goes on from another address, with everything held.
    pub fn move_to(&mut self, address: IpAddr) -> Result<(), ClientError> {
        self.http = client(address, self.agent.as_deref())?;
        self.address = address;
        Ok(())
    }

    /// Signs in; whether it worked is in the answer.
    pub async fn sign_in(&mut self, user: &str, password: &str) -> Result<Answer, ClientError> {
        let client = if self.kind == Kind::App { "app" } else { "browser" };
        let body = serde_json::json!({ "user": user, "password": password, "client": client });
        self.post("/api/login", body).await
    }

    /// `GET path`.
    pub async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, None).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&mut self, path: &str, body: Value) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, ClientError> {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        let mut url = format!("{}{path}", self.url);
        if let Held::Link(token) = &self.held {
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}token={}", utf8_percent_encode(token, NON_ALPHANUMERIC));
        }
        let mut request = self.http.request(method.clone(), &url);
        request = match &self.held {
            Held::Cookie(token) => request.header(COOKIE, format!("theme=dark; {}={token}", shop::COOKIE)),
            Held::Bearer(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            Held::Key(key) => request.header(shop::API_KEY_HEADER, key),
            Held::Nothing | Held::Link(_) => request,
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        let failed = |source| ClientError::NoAnswer { method: method.clone(), url: url.clone(), source };
        let answer = answer_to(request).await.map_err(failed)?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, set_cookie, request_id) = (answer.status(), header(SET_COOKIE.as_str()), header("x-request-id"));
        let body = answer.bytes().await.map_err(failed)?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.take_up(set_cookie.as_deref(), &body);
        self.ledger.write(self.label(), request_id);
        Ok(Answer { method, url, status, body })
    }

    /// Keeps what an answer hands out, as this kind of client does.
    fn take_up(&mut self, set_cookie: Option<&str>, body: &Value) {
        let token = || body.get("token").and_then(Value::as_str).map(str::to_owned);
        let taken = match self.kind {
            Kind::Browser => set_cookie.and_then(cookie_value).map(|value| Held::Cookie(value.to_owned())),
            Kind::Linker => token().map(Held::Link),
            Kind::App => token().map(Held::Bearer),
            Kind::Partner(_) | Kind::Bot => None,
        };
        if let Some(taken) = taken {
            self.held = taken;
        }
    }

    fn label(&self) -> Label {
        match &self.held {
            Held::Cookie(token) | Held::Link(token) => Label::Token(token.clone()),
            Held::Bearer(token) => match Jwt::read(token) {
                Some(jwt) => Label::Customer { iss: jwt.iss, sub: jwt.sub },
                None => Label::Token(token.clone()),
            },
            Held::Key(key) => Label::ApiKey(key.clone()),
            Held::Nothing => Label::Nobody { address: self.address, agent: self.agent.clone() },
        }
    }
}

/// An answer that does not come in this time never will.
const PATIENCE: Duration = Duration::from_secs(20);

fn client(address: IpAddr, agent: Option<&str>) -> Result<Client, ClientError> {
    let mut client = Client::builder().local_address(address).no_proxy().timeout(PATIENCE);
    if let Some(agent) = agent {
        client = client.user_agent(agent);
    }
    client.build().map_err(|source| ClientError::NoClient { address, source })
}

fn cookie_value(set_cookie: &str) -> Option<&str> {
    let (name, value) = set_cookie.split(';').next()?.split_once('=')?;
    (name == shop::COOKIE).then_some(value)
}

/// Sends a request, and once more when its connection closes without an answer, as browsers do (RFC 9112,
/// section 9.3.1): a server that reloads closes idle connections, perhaps while a request is on its way.
async fn answer_to(request: RequestBuilder) -> reqwest::Result<Response> {
    let again = request.try_clone();
    match (request.send().await, again) {
        (Err(error), Some(again)) if error.is_request() && !error.is_connect() && !error.is_timeout() => {
            again.send().await
        }
        (answer, _) => answer,
    }
}
