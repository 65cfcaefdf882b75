//! A server for AI agents behind NGINX with `mcp.conf`, a collector, and a client.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use ngx_tests::collector::Collector;
use ngx_tests::folder::{self, Port};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::Process;
use ngx_tests::rest::{Request, Rest, Session};
use ngx_tests::wait;
use tempfile::TempDir;

/// What there is of the packages: a folder with the scripts, from where they are found.
pub struct Agents {
    folder: TempDir,
}

impl Agents {
    pub fn new() -> Self {
        let folder = folder::temporary().unwrap();
        let packages = folder::mcp_packages();
        assert!(packages.exists(), "no {}: run scripts/setup --mcp", packages.display());
        std::os::unix::fs::symlink(packages, folder.path().join("node_modules")).unwrap();
        for script in ["server.mjs", "client.mjs"] {
            fs::copy(folder::checkout().join("ngx-tests/mcp").join(script), folder.path().join(script)).unwrap();
        }
        Self { folder }
    }

    /// A server that listens.
    pub fn serve(&self) -> (Process, Port) {
        let port = Port::lease().unwrap();
        let mut command = self.node("server.mjs");
        command.env("PORT", port.address().port().to_string());
        let mut server = Process::start(&mut command).unwrap();
        let listening = wait::until_blocking("the server to listen", wait::LONG, || {
            assert!(server.ended().is_none(), "the server ended: {}", self.said("server.mjs"));
            TcpStream::connect(port.address()).ok()
        });
        listening.unwrap();
        (server, port)
    }

    /// What the client got, having done what it does.
    pub fn visit(&self, server: SocketAddr) -> String {
        let mut command = self.node("client.mjs");
        let mut client = Process::start(command.arg(format!("http://{server}/mcp"))).unwrap();
        let ended = client.wait(wait::LONG);
        let said = self.said("client.mjs");
        assert!(ended.is_some_and(|status| status.success()), "the client ended with {ended:?}: {said}");
        said
    }

    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        let log = File::create(self.log(script)).unwrap();
        command.arg(script).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    fn log(&self, script: &str) -> std::path::PathBuf {
        self.folder.path().join(Path::new(script).with_extension("log"))
    }

    fn said(&self, script: &str) -> String {
        fs::read_to_string(self.log(script)).unwrap_or_default()
    }
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
