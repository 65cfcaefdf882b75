//! The way from NGINX to a collector over TCP: TLS, certificates on both ends, a shared key, zstd. What does not fit
//! is said on both ends while requests are served, and everything arrives when it is mended.

mod authority;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use ngx_tests::collector::Collector;
use ngx_tests::folder::{self, Port};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::wait;
use reqwest::StatusCode;
use tempfile::TempDir;

use authority::{Authority, Signed, Term, secret};

const KEY: &str = "0123456789abcdef0123456789abcdef\n";

/// Files, and a port for the collector.
struct Ground {
    folder: TempDir,
    port: Port,
    good: Signed,
}

impl Ground {
    fn new() -> Self {
        let folder = folder::temporary().unwrap();
        let path = folder.path();
        let ours = Authority::new(path, "ours");
        let good = ours.sign("good", None, Term::Now);
        ours.sign("expired", None, Term::Past);
        ours.sign("named", Some("collector.example"), Term::Now);
        let clients = Authority::new(path, "clients");
        clients.sign("node", Some("node-1"), Term::Now);
        Authority::new(path, "strange").sign("stranger", None, Term::Now);
        secret(&path.join("shared-key"), KEY);
        secret(&path.join("other-key"), &KEY.replace('0', "1"));
        Self { port: Port::lease().unwrap(), good, folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// A collector on this port; `FOLDER` in its flags is that of the files.
    async fn collector(&self, collector: Collector, flags: &str) -> Collector {
        let flags =
            format!("--ingest {} {flags}", self.address()).replace("FOLDER", &self.path().display().to_string());
        let mut collector = collector.with(&flags.split_whitespace().collect::<Vec<_>>());
        collector.run().await.unwrap();
        collector
    }

    /// An NGINX that ships there, with these options.
    fn nginx(&self, options: &str) -> Nginx {
        let options = options.replace("FOLDER", &self.path().display().to_string());
        let line = format!("    wallarm_session_collector {} {options};", self.address());
        Nginx::start(&serving(&line)).unwrap()
    }
}

/// The quickstart's configuration with a line in it, the status page, and an origin that answers everything.
fn serving(line: &str) -> Config {
    let status = "location = /wallarm-status { wallarm_sessions off; wallarm_session_status; }";
    let config = Config::file("quickstart.conf").unwrap().in_http(line).unwrap().in_server(status).unwrap();
    let config = config.replace("proxy_pass http://127.0.0.1:9000;", "return 200 \"served\\n\";").unwrap();
    config.replace("error.log;", "error.log notice;").unwrap()
}

const TLS: &str = "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key";
const TRUST: &str = "tls ca=FOLDER/ours.pem";

async fn serves(nginx: &Nginx, requests: usize) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for number in 0..requests {
        let answer = http.get(format!("{}/{number}", nginx.url())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

async fn stored(collector: &Collector, requests: u64) {
    let rest = collector.rest().unwrap();
    let all = async || (rest.stored().await.ok()? >= requests).then_some(());
    if wait::until("requests to be stored", wait::LONG, all).await.is_err() {
        panic!("{:?} of {requests} are stored; the collector:\n{}", rest.stored().await, collector.log());
    }
    assert_eq!(rest.stored().await.unwrap(), requests);
}

#[tokio::test]
async fn sessions_travel_over_tls_with_certificates_and_a_shared_key_shown_on_both_ends_and_compressed() {
    let ground = Ground::new();
    let guard = format!("{TLS} --ingest-tls-client-ca FOLDER/clients.pem --ingest-shared-key-file FOLDER/shared-key");
    let collector = ground.collector(Collector::new().unwrap(), &guard).await;
    let options = "cert=FOLDER/node.crt key=FOLDER/node.key shared_key_file=FOLDER/shared-key";
    let nginx = ground.nginx(&format!("{TRUST} {options}; wallarm_session_batch compress=zstd"));
    serves(&nginx, 40).await;
    stored(&collector, 40).await;
    let log = nginx.stop().unwrap();
    assert!(!log.contains("wallarm sessions"), "{log}");
    let log = collector.log();
    assert!(log.contains(&format!("ingest on {}, over TLS", ground.address())), "{log}");
    assert!(!log.contains("WARN") && !log.contains(KEY.trim()), "{log}");
}

#[tokio::test]
async fn a_certificate_for_a_name_is_trusted_under_that_name() {
    let ground = Ground::new();
    let tls = TLS.replace("good", "named");
    let collector = ground.collector(Collector::new().unwrap(), &tls).await;
    let nginx = ground.nginx(&format!("{TRUST} name=collector.example"));
    serves(&nginx, 3).await;
    stored(&collector, 3).await;
    nginx.stop().unwrap();
}

/// What is wrong, and what is said of it.
struct Wrong {
    collector: &'static str,
    nginx: &'static str,
    /// By NGINX.
    told: &'static str,
    /// By the collector; its reason in the metrics, and words of its log.
    counted: &'static str,
    said: &'static str,
    /// The collector's flags when it is mended.
    mended: &'static str,
}

/// Starts both ends as they do not fit, mends the collector, and expects everything to arrive.
async fn is_told_and_mended(wrong: Wrong) {
    let ground = Ground::new();
    let mut collector = ground.collector(Collector::new().unwrap(), wrong.collector).await;
    let nginx = ground.nginx(wrong.nginx);
    serves(&nginx, 5).await;
    let told = async || nginx.error_log().contains(wrong.told).then_some(());
    if wait::until("nginx to tell", wait::LONG, told).await.is_err() {
        panic!("no {:?}; nginx:\n{}collector:\n{}", wrong.told, nginx.error_log(), collector.log());
    }
    let rest = collector.rest().unwrap();
    let reason = format!("reason=\"{}\"", wrong.counted);
    wait::until("the collector to count", wait::LONG, async || {
        let metrics = rest.metrics().await.ok()?;
        (metrics.sum_with("api_sessions_ingest_closed_total", &reason) > 1).then_some(())
    })
    .await
    .unwrap();
    let log = collector.log();
    assert!(log.contains(wrong.said), "no {:?}:\n{log}", wrong.said);
    if wrong.counted != "malformed" {
        assert_eq!(log.matches("a node was refused").count(), 1, "once a minute:\n{log}");
    }
    let counters = nginx.counters().await.unwrap();
    let names = ["connection_failures_total", "disconnections_total"];
    let failed: u64 = names.iter().map(|name| counters.sum(&format!("wallarm_sessions_collector_{name}"))).sum();
    assert!(failed > 1);
    assert_eq!(rest.stored().await.unwrap(), 0);
    serves(&nginx, 5).await;

    collector.stop().unwrap();
    let collector = ground.collector(collector, wrong.mended).await;

    stored(&collector, 10).await;
    let log = nginx.stop().unwrap();
    assert_eq!(log.matches("cannot be reached").count(), 1, "{log}");
    assert!(log.contains("is reached"), "{log}");
}

macro_rules! wrong {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $value:expr,)* })*) => {
        $($(#[$meta])* #[tokio::test] async fn $name() { is_told_and_mended(Wrong { $($field: $value,)* }).await })*
    };
}

wrong! {
    a_collector_of_another_authority_gets_nothing {
        collector: "--ingest-tls-cert FOLDER/stranger.crt --ingest-tls-key FOLDER/stranger.key",
        nginx: "tls ca=FOLDER/ours.pem",
        told: "the collector's certificate is of no authority that is trusted here (ca=)",
        counted: "tls",
        said: "the sender does not trust this server",
        mended: TLS,
    }
    a_collector_whose_certificate_has_expired_gets_nothing {
        collector: "--ingest-tls-cert FOLDER/expired.crt --ingest-tls-key FOLDER/expired.key",
        nginx: "tls ca=FOLDER/ours.pem",
        told: "certificate expired",
        counted: "tls",
        said: "the sender does not trust this server",
        mended: TLS,
    }
    a_collector_whose_certificate_is_for_another_name_gets_nothing {
        collector: "--ingest-tls-cert FOLDER/named.crt --ingest-tls-key FOLDER/named.key",
        nginx: "tls ca=FOLDER/ours.pem",
        told: "not valid for name",
        counted: "tls",
        said: "the sender does not trust this server",
        mended: TLS,
    }
    a_node_that_shows_no_certificate_is_refused {
        collector: "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key \
                    --ingest-tls-client-ca FOLDER/clients.pem",
        nginx: "tls ca=FOLDER/ours.pem",
        told: "the collector asks for a client's certificate (cert=, key=)",
        counted: "tls",
        said: "the sender showed no certificate",
        mended: TLS,
    }
    a_node_whose_certificate_is_of_another_authority_is_refused {
        collector: "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key \
                    --ingest-tls-client-ca FOLDER/clients.pem",
        nginx: "tls ca=FOLDER/ours.pem cert=FOLDER/stranger.crt key=FOLDER/stranger.key",
        told: "the collector refused: received fatal alert",
        counted: "tls",
        said: "the sender's certificate is of no authority in ingest_tls_client_ca",
        mended: "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key \
                 --ingest-tls-client-ca FOLDER/strange.pem",
    }
    a_node_with_another_shared_key_is_refused {
        collector: "--ingest-shared-key-file FOLDER/other-key",
        nginx: "shared_key_file=FOLDER/shared-key",
        told: "the collector refused the shared key: shared_key mismatch",
        counted: "shared_key",
        said: "has another shared key",
        mended: "--ingest-shared-key-file FOLDER/shared-key",
    }
    a_node_with_another_shared_key_is_refused_over_tls_too {
        collector: "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key \
                    --ingest-shared-key-file FOLDER/other-key",
        nginx: "tls ca=FOLDER/ours.pem shared_key_file=FOLDER/shared-key",
        told: "the collector refused the shared key: shared_key mismatch",
        counted: "shared_key",
        said: "has another shared key",
        mended: "--ingest-tls-cert FOLDER/good.crt --ingest-tls-key FOLDER/good.key \
                 --ingest-shared-key-file FOLDER/shared-key",
    }
    a_node_that_knows_of_no_shared_key_is_refused {
        collector: "--ingest-shared-key-file FOLDER/shared-key",
        nginx: "",
        told: "HELO, with which a server asks for a shared key",
        counted: "shared_key",
        said: "a node was refused",
        mended: "",
    }
    a_plain_node_at_a_port_for_tls_is_told {
        collector: TLS,
        nginx: "",
        told: "the answer is TLS",
        counted: "tls",
        said: "the sender does not speak TLS, which is asked for here",
        mended: "",
    }
    a_node_with_tls_at_a_plain_port_is_told {
        collector: "",
        nginx: "tls ca=FOLDER/ours.pem",
        told: "within the TLS handshake, as one without TLS does",
        counted: "malformed",
        said: "the message is TLS",
        mended: TLS,
    }
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_used_without_a_restart() {
    let ground = Ground::new();
    let tls = TLS.replace("good", "expired");
    let collector = ground.collector(Collector::new().unwrap(), &tls).await;
    let nginx = ground.nginx(TRUST);
    serves(&nginx, 3).await;
    wait::until("nginx to tell", wait::LONG, async || nginx.error_log().contains("certificate expired").then_some(()))
        .await
        .unwrap();
    for (from, to) in [(&ground.good.certificate, "expired.crt"), (&ground.good.key, "expired.key")] {
        fs::rename(from, ground.path().join(to)).unwrap();
    }
    stored(&collector, 3).await;
    assert!(collector.log().contains("was read anew"), "{}", collector.log());
    nginx.stop().unwrap();
}

#[tokio::test]
async fn the_authorities_of_the_system_are_trusted_where_no_others_are_named() {
    let ground = Ground::new();
    let collector = ground.collector(Collector::new().unwrap(), TLS).await;
    let ca = ground.path().join("ours.pem").display().to_string();
    let line = format!("    wallarm_session_collector {} tls;", ground.address());
    let nginx = Nginx::start(&serving(&line).environment("SSL_CERT_FILE", &ca)).unwrap();
    serves(&nginx, 3).await;
    stored(&collector, 3).await;
    nginx.stop().unwrap();
    // Without ours among them it has nobody to trust.
    let nobody = ground.path().join("shared-key").display().to_string();
    let config = serving(&line).environment("SSL_CERT_FILE", &nobody).environment("SSL_CERT_DIR", &nobody);
    let (accepted, told) = Nginx::check(&config).unwrap();
    assert!(!accepted && told.contains("would hold the system's authorities"), "{told}");
}

#[tokio::test]
async fn events_go_to_another_collector_when_the_first_does_not_fit_and_the_log_says_why() {
    let ground = Ground::new();
    let first = ground.collector(Collector::new().unwrap(), "--ingest-shared-key-file FOLDER/other-key").await;
    let second = Collector::start().await.unwrap();
    let (key, socket) = (ground.path().join("shared-key"), second.ingest());
    let nginx = ground.nginx(&format!(
        "shared_key_file={}; wallarm_session_collector unix:{}",
        key.display(),
        socket.display()
    ));
    serves(&nginx, 5).await;
    stored(&second, 5).await;
    assert_eq!(first.rest().unwrap().stored().await.unwrap(), 0);
    let log = nginx.stop().unwrap();
    let said = format!(
        "the collector {} cannot be reached (the collector refused the shared key: shared_key mismatch); events go to \
         unix:{}",
        ground.address(),
        socket.display()
    );
    assert_eq!(log.matches(&said).count(), 1, "{log}");
}

#[tokio::test]
async fn keys_that_others_can_read_and_files_that_do_not_fit_are_found_by_nginx_t() {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    let path = ground.path();
    for name in ["good.key", "shared-key"] {
        fs::copy(path.join(name), path.join(format!("open-{name}"))).unwrap();
        fs::set_permissions(path.join(format!("open-{name}")), fs::Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(path.join("shared-key"), fs::Permissions::from_mode(0o600)).unwrap();
    secret(&path.join("short"), "15 bytes exact.\n");
    for (options, says) in [
        ("tls cert=FOLDER/good.crt key=FOLDER/open-good.key", "open-good.key\" has the mode 0644: others can read it"),
        ("shared_key_file=FOLDER/open-shared-key", "open-shared-key\" has the mode 0644: others can read it"),
        ("shared_key_file=FOLDER/short", "short\" holds a key of 15 bytes, expected 16 to 4096"),
        ("tls cert=FOLDER/good.crt key=FOLDER/node.key", "node.key\" is not the key of the certificate in"),
        ("tls cert=FOLDER/good.key key=FOLDER/good.key", "good.key\" holds no certificate, expected PEM"),
        ("tls cert=FOLDER/good.crt key=FOLDER/good.crt", "good.crt\" has the mode 0644"),
    ] {
        let options = options.replace("FOLDER", &path.display().to_string());
        let line = format!("wallarm_session_collector 127.0.0.1:1 {options};");
        let (accepted, told) = Nginx::check(&serving(&line)).unwrap();
        assert!(!accepted && told.contains(says) && told.contains("nginx.conf:"), "{line}\n{told}");
        assert!(!told.contains("15 bytes exact"), "a key is not told: {told}");
    }
}
