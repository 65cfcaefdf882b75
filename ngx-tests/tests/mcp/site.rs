//! A server for AI agents behind NGINX with `mcp.conf`, a collector, and a client.

use std::net::SocketAddr;

use ngx_tests::collector::Collector;
use ngx_tests::folder::{self, Port};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::node::Node;
use ngx_tests::process::Process;
use ngx_tests::rest::{Request, Rest, Session};
use ngx_tests::wait;

/// A server, which listens, and what starts its clients.
pub fn serve() -> (Node, Process, Port) {
    let node = Node::new("mcp", &folder::mcp_packages()).unwrap();
    let (server, port) = node.serve("server.mjs", None).unwrap();
    (node, server, port)
}

/// What a client got, having done what it does with the server there.
pub fn visit(node: &Node, server: SocketAddr) -> String {
    node.run("client.mjs", &format!("http://{server}/mcp")).unwrap()
}

/// NGINX and a collector behind it.
pub struct Site {
    pub nginx: Nginx,
    pub collector: Collector,
    pub rest: Rest,
}

impl Site {
    /// `mcp.conf`, changed where a test says so, in front of a server.
    pub async fn open(server: SocketAddr, change: impl FnOnce(Config) -> Config) -> Self {
        let collector = Collector::start().await.unwrap();
        let config = Config::file("mcp.conf").unwrap().shop(server).unwrap();
        let nginx = Nginx::start(&change(config).runtime(&collector.runtime())).unwrap();
        let rest = collector.rest().unwrap();
        Self { nginx, collector, rest }
    }

    /// Waits until all that NGINX logged is stored; the sessions.
    pub async fn stored(&self) -> Vec<Session> {
        wait::until("all to be stored", wait::LONG, async || {
            let logged = self.nginx.access_log().len() as u64;
            (self.rest.stored().await.ok()? == logged).then_some(())
        })
        .await
        .unwrap();
        self.rest.sessions().await.unwrap()
    }

    /// The requests of the only session there is, in order.
    pub async fn only_session(&self) -> (Session, Vec<Request>) {
        let sessions = self.stored().await;
        assert_eq!(sessions.len(), 1, "expected one session: {sessions:#?}");
        let session = sessions.into_iter().next().unwrap();
        let requests = self.rest.requests(&session.id).await.unwrap();
        (session, requests)
    }

    /// Stops everything; the error log must be clean.
    pub fn close(self) {
        let Self { nginx, mut collector, .. } = self;
        nginx.stop().unwrap();
        let ended = collector.stop().unwrap().unwrap();
        assert!(ended.success(), "the collector ended with {ended}:\n{}", collector.log());
    }
}
