//! Everything that a test of the whole way needs, set up and taken down in one go.

use std::path::PathBuf;

use axum::Router;
use axum::http::HeaderMap;
use ngx_tests::clients::Scene;
use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::rest::{Request, Rest, Session};
use ngx_tests::shop::Shop;
use ngx_tests::wait;
use reqwest::StatusCode;

/// NGINX with the module, a collector behind it. Dropped from the front to the back.
pub struct Site {
    pub nginx: Nginx,
    pub collector: Collector,
    pub rest: Rest,
    _shop: Option<Shop>,
}

impl Site {
    /// The demo's configuration with the shop behind it.
    pub async fn shop() -> Self {
        let shop = Shop::open().await.unwrap();
        let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap();
        let site = Self::of(config).await;
        Self { _shop: Some(shop), ..site }
    }

    /// Any configuration.
    pub async fn of(config: Config) -> Self {
        let collector = Collector::start().await.unwrap();
        let nginx = Nginx::start(&config.runtime(&collector.runtime())).unwrap();
        let rest = collector.rest().unwrap();
        Self { nginx, collector, rest, _shop: None }
    }

    pub fn scene(&self) -> Scene {
        Scene::hurried(self.nginx.url())
    }

    /// GET with headers; the answer's status.
    pub async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> StatusCode {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(format!("{}{path}", self.nginx.url())).headers(all).send().await.unwrap().status()
    }

    /// Waits until so many requests are stored; then no more may come.
    pub async fn stored(&self, requests: u64) -> Vec<Session> {
        wait::until("requests to be stored", wait::LONG, async || {
            self.rest.stored().await.is_ok_and(|stored| stored >= requests).then_some(())
        })
        .await
        .unwrap();
        let sessions = self.rest.sessions().await.unwrap();
        assert_eq!(sessions.iter().map(|session| session.requests).sum::<u64>(), requests);
        sessions
    }

    /// The requests of the only session there is, in order.
    pub async fn only_session(&self, requests: u64) -> Vec<Request> {
        let sessions = self.stored(requests).await;
        assert_eq!(sessions.len(), 1, "expected one session: {sessions:#?}");
        self.rest.requests(&sessions[0].id).await.unwrap()
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
    }
}

/// The quickstart's configuration, with an origin in NGINX itself that answers everything.
pub fn quickstart(in_http: &str) -> Config {
    // The default collector is the installed one; that its path is right shows elsewhere.
    let collector = "    wallarm_session_collector unix:/run/api-sessions/collector.sock;";
    let config = Config::file("quickstart.conf").unwrap().in_http(&format!("{collector}\n{in_http}")).unwrap();
    config.replace("proxy_pass http://127.0.0.1:9000;", "return 200 \"served\\n\";").unwrap()
}

/// An origin with routes of its own, on a free port, as long as the test runs.
pub async fn origin(routes: Router) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, routes).into_future());
    address
}

/// The demo, built.
pub fn demo() -> PathBuf {
    ngx_tests::folder::binary("demo")
}
