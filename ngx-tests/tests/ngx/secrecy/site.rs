//! A node whose every byte to the collector is seen, and an origin that answers with secrets.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::any;
use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::raw::Raw;
use ngx_tests::relay::{Manner, Relay};
use ngx_tests::rest::Rest;
use ngx_tests::wait;

use super::search::Secrets;
use crate::site::origin;

/// What the configuration wants: each kind of source, hidden by `hash`, by being a key, or by its name;
/// and three values that it shows.
const CONFIG: &str = r#"
load_module modules/ngx_http_wallarm_sessions_module.so;
user www-data;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log info;

events {
}

http {
    # So that headers of odd names get as far as they can.
    underscores_in_headers on;
    ignore_invalid_headers off;

    wallarm_sessions on;
    wallarm_session_secret /etc/api-sessions/secret;
    wallarm_session_collector unix:/run/api-sessions/collector.sock;

    wallarm_session_key request.header.X-Key;
    wallarm_session_key request.body.json.session;
    wallarm_session_key response.body.json.session;
    wallarm_session_context request.header.X-Mail type=user hash;
    wallarm_session_context request.header.Authorization.jwt.payload.email type=role;
    wallarm_session_context request.header.X-State.base64.json.who hash;
    wallarm_session_context request.cookie.basket;
    wallarm_session_context request.query.mail hash;
    wallarm_session_context request.query.api_key;
    wallarm_session_context request.uri hash;
    wallarm_session_context request.path.1 hash;
    wallarm_session_context $http_x_raw hash;
    wallarm_session_context request.body.json.card.number hash;
    wallarm_session_context request.body.json.password;
    wallarm_session_context request.body.form.pin hash;
    wallarm_session_context request.body.multipart.note hash;
    wallarm_session_context request.body.xml.order.card hash;
    wallarm_session_context request.body.graphql.arg.login.email hash;
    wallarm_session_context response.header.X-Balance hash;
    wallarm_session_context response.cookie.basket;
    wallarm_session_context response.body.json.balance hash;

    wallarm_session_context request.header.X-Shown;
    wallarm_session_context request.body.json.shown;
    wallarm_session_context response.body.json.shown;

    log_format ours '$wallarm_request_id $wallarm_session_id $wallarm_session_key $wallarm_session_user';
    access_log /var/log/nginx/access.log ours;

    server {
        listen 127.0.0.1:8080;

        location / {
            proxy_pass http://127.0.0.1:9000;
        }

        location = /wallarm-status {
            wallarm_sessions off;
            wallarm_session_status;
        }
    }
}
"#;

/// The node, and what stands behind it.
pub struct Watched {
    pub nginx: Nginx,
    pub relay: Relay,
    collector: Collector,
    rest: Rest,
    requests: u64,
}

impl Watched {
    /// An origin that answers everything with these headers and this body.
    pub async fn answering(headers: HeaderMap, body: String) -> Self {
        // It reads all of the request, as an application does.
        let answer = any(move |_: Bytes| {
            let answer = (headers.clone(), body.clone());
            async move { answer }
        });
        let origin = origin(Router::new().fallback(answer)).await;
        let collector = Collector::start().await.unwrap();
        let relay = Relay::start(&collector.ingest(), Manner::Honest).unwrap();
        let config = Config::text("watched", CONFIG).shop(origin).unwrap().runtime(relay.runtime());
        let nginx = Nginx::start(&config).unwrap();
        let rest = collector.rest().unwrap();
        Self { nginx, relay, collector, rest, requests: 0 }
    }

    /// Sends bytes on a connection of their own, and reads what comes.
    pub async fn send(&mut self, request: &[u8]) {
        let mut connection = Raw::connect(self.nginx.address()).await.unwrap();
        connection.send(request).await.unwrap();
        connection.read_to_end().await.unwrap();
        self.requests += 1;
    }

    /// Everything that left the node so far, or can be read about it, by where.
    pub async fn seen(&self) -> Vec<(&'static str, Vec<u8>)> {
        wait::until("the requests to be stored", wait::LONG, async || {
            (self.rest.stored().await.ok()? >= self.requests).then_some(())
        })
        .await
        .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let page = |accept| http.get(format!("{}/wallarm-status", self.nginx.url())).header("accept", accept).send();
        let [text, json] = ["*/*", "application/json"].map(page);
        vec![
            ("wire", self.relay.seen()),
            ("status page", text.await.unwrap().bytes().await.unwrap().to_vec()),
            ("status page as JSON", json.await.unwrap().bytes().await.unwrap().to_vec()),
            ("error log", self.nginx.error_log().into_bytes()),
            ("variables in the access log", self.nginx.access_log().join("\n").into_bytes()),
            ("collector's metrics", self.rest.text("/metrics").await.unwrap().into_bytes()),
            ("collector's log", self.collector.log().into_bytes()),
        ]
    }

    /// Nowhere may be any of them; stops everything.
    pub async fn tells_none_of(self, secrets: &Secrets) {
        let seen = self.seen().await;
        let leaks: Vec<String> = seen
            .iter()
            .flat_map(|(place, text)| secrets.found_in(text).into_iter().map(move |leak| format!("{place}: {leak}")))
            .collect();
        assert!(leaks.is_empty(), "{leaks:#?}");
        self.close();
    }

    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        assert!(collector.stop().unwrap().unwrap().success());
    }
}
