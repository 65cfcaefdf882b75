//! TLS and shared keys, on the simulated network: chunks arrive, deadlines hold, and whatever does not fit is told
//! in words that help.

mod collector;

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::{address, record};
use credentials::Identity;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ServerConfig, ServerConnection};
use shipper::simulation::{Faults, SimNet, SimPeer};
use shipper::{Batch, Clock, Failure, Left, Options, SecureNet, Security, Shipper, Status};
use tempfile::TempDir;
use wire::{EventTime, FrameReader, SharedKey, write_ack, write_helo, write_pong, write_refusal};

const NONCE: [u8; 16] = [9; 16];

fn key(text: &str) -> SharedKey {
    SharedKey::new(text.as_bytes().to_vec())
}

/// An authority, and what it signs.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self, name: &str) -> Identity {
        use std::os::unix::fs::PermissionsExt;
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let path = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let identity = Identity { certificate: path("crt"), key: path("key") };
        std::fs::write(&identity.certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&identity.key, std::fs::Permissions::from_mode(0o600)).unwrap();
        identity
    }
}

fn tls(ca: &Path, identity: Option<&Identity>, name: &str) -> Security {
    let config = credentials::client(Some(ca), identity).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    Security { tls: Some((config, name)), ..Security::default() }
}

/// A collector that may speak TLS, may ask for a key, and acknowledges all it gets.
struct Server {
    config: Option<Arc<ServerConfig>>,
    key: Option<SharedKey>,
    peers: Vec<Peer>,
    events: usize,
    /// It stays connected and reads nothing.
    deaf: bool,
}

struct Peer {
    peer: SimPeer,
    tls: Option<ServerConnection>,
    reader: FrameReader,
    greeted: bool,
    inbox: Vec<u8>,
}

impl Server {
    fn new(config: Option<Arc<ServerConfig>>, key: Option<SharedKey>) -> Self {
        Self { config, key, peers: Vec::new(), events: 0, deaf: false }
    }

    fn serve(&mut self, net: &SimNet) {
        while let Some(peer) = net.accept(&address(1)) {
            let tls = self.config.clone().map(|config| ServerConnection::new(config).unwrap());
            let mut peer =
                Peer { peer, tls, reader: FrameReader::new(), greeted: self.key.is_none(), inbox: Vec::new() };
            if self.key.is_some() {
                let mut helo = Vec::new();
                write_helo(&mut helo, &NONCE);
                peer.write(&helo);
            }
            self.peers.push(peer);
        }
        if self.deaf {
            return;
        }
        let Self { peers, key, events, .. } = self;
        peers.retain_mut(|peer| peer.serve(key.as_ref(), events));
    }
}

impl Peer {
    fn write(&mut self, bytes: &[u8]) {
        let Some(tls) = &mut self.tls else { return self.peer.write(bytes) };
        tls.writer().write_all(bytes).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out).unwrap();
        }
        if !out.is_empty() {
            self.peer.write(&out);
        }
    }

    /// False when it closes.
    fn serve(&mut self, key: Option<&SharedKey>, events: &mut usize) -> bool {
        loop {
            let bytes = match self.peer.read() {
                Ok(bytes) if bytes.is_empty() => return false,
                Ok(bytes) => bytes,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    return true;
                }
            };
            let Some(clear) = self.decrypt(&bytes) else { return false };
            self.inbox.extend(clear);
            if !self.greeted {
                match self.greet(key.unwrap()) {
                    None => continue,
                    Some(false) => return false,
                    Some(true) => {}
                }
            }
            self.reader.push(&std::mem::take(&mut self.inbox));
            let mut acks = Vec::new();
            loop {
                match self.reader.next_frame() {
                    Ok(None) => break,
                    Ok(Some(frame)) => {
                        *events += frame.entries().count();
                        write_ack(&mut acks, &frame.chunk.unwrap());
                    }
                    Err(_) => return false,
                }
            }
            if !acks.is_empty() {
                self.write(&acks);
            }
        }
    }

    /// `None` when TLS failed, of which the other end is told.
    fn decrypt(&mut self, mut bytes: &[u8]) -> Option<Vec<u8>> {
        let Some(tls) = &mut self.tls else { return Some(bytes.to_vec()) };
        let mut clear = Vec::new();
        let mut sound = true;
        while sound && !bytes.is_empty() {
            tls.read_tls(&mut bytes).unwrap();
            sound = tls.process_new_packets().is_ok();
            let _ = tls.reader().read_to_end(&mut clear);
        }
        self.flush();
        sound.then_some(clear)
    }

    /// Whether the other end showed the key, once that is known.
    fn greet(&mut self, key: &SharedKey) -> Option<bool> {
        let (ping, size) = match wire::read_ping(&self.inbox) {
            Ok(read) => read?,
            Err(_) => return Some(false),
        };
        self.inbox.drain(..size);
        self.greeted = ping.proves(key, &NONCE);
        let mut pong = Vec::new();
        match self.greeted {
            true => write_pong(&mut pong, key, &NONCE, "collector", &ping),
            false => write_refusal(&mut pong, "shared_key mismatch"),
        }
        self.write(&pong);
        Some(self.greeted)
    }
}

struct Node {
    net: SimNet,
    shipper: Shipper<SecureNet<SimNet>>,
    left: usize,
    said: Vec<Status>,
}

impl Node {
    fn new(security: Security) -> Self {
        let net = SimNet::new(1, std::time::Instant::now());
        net.listen(&address(1));
        let secured = SecureNet::new(net.clone(), vec![(address(1), security)], "node-1".into());
        let shipper = Shipper::new(secured, Options::new(vec![address(1)], [1; 8]), 1, net.now());
        Self { net, shipper, left: 0, said: Vec::new() }
    }

    fn run(&mut self, time: Duration, server: &mut Server) {
        let end = self.net.now() + time;
        while self.net.now() < end {
            let left = &mut self.left;
            let step = self.shipper.step(self.net.now(), &mut |batch: &mut Batch| {
                let more = *left > 0;
                if more {
                    *left -= 1;
                    batch.push(EventTime::default(), |out| {
                        record(out, 0, 400);
                        true
                    });
                }
                more
            });
            self.said.extend(step.change);
            server.serve(&self.net);
            self.net.advance(step.wake.saturating_duration_since(self.net.now()).max(Duration::from_millis(1)));
        }
    }

    /// What was said when it did not get through.
    fn refusal(&mut self, server: &mut Server) -> String {
        self.left = 10;
        self.run(Duration::from_secs(20), server);
        assert_eq!(server.events, 0);
        assert_eq!(self.shipper.left(), Left { chunks: 1, events: 10 });
        let Some(Status::Unreachable(Failure { reason, .. })) = self.said.first() else { panic!("{:?}", self.said) };
        reason.clone()
    }
}

#[test]
fn chunks_go_over_tls_whatever_the_pieces_in_which_bytes_travel() {
    let authority = Authority::new();
    let config = credentials::server(&authority.sign("collector"), None).unwrap();
    let mut server = Server::new(Some(config), None);
    let mut node = Node::new(tls(&authority.file(), None, "collector"));
    node.net.set_faults(Faults { latency: Duration::from_millis(20), window: 10_000, ..Faults::default() });
    node.left = 5_000;
    node.run(Duration::from_secs(60), &mut server);
    assert_eq!(server.events, 5_000, "{:?}", node.said);
    assert_eq!(node.shipper.left(), Left::default());
}

#[test]
fn chunks_go_over_tls_with_certificates_and_keys_shown_on_both_ends() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let config = credentials::server(&servers.sign("127.0.0.1"), Some(&clients.file())).unwrap();
    let mut server = Server::new(Some(config), Some(key("a key of both")));
    let mut security = tls(&servers.file(), Some(&clients.sign("node-1")), "127.0.0.1");
    security.shared_key = Some(key("a key of both"));
    let mut node = Node::new(security);
    node.left = 1_000;
    node.run(Duration::from_secs(5), &mut server);
    assert_eq!((server.events, node.shipper.left()), (1_000, Left::default()), "{:?}", node.said);
}

#[test]
fn a_connection_that_is_cut_anywhere_is_made_anew_and_everything_arrives() {
    let authority = Authority::new();
    let config = credentials::server(&authority.sign("collector"), None).unwrap();
    let mut server = Server::new(Some(config), Some(key("a key of both")));
    let mut node =
        Node::new(Security { shared_key: Some(key("a key of both")), ..tls(&authority.file(), None, "collector") });
    node.net.set_faults(Faults {
        cut: 0.02,
        refuse: 0.1,
        hang: 0.1,
        swallow: 0.05,
        window: 5_000,
        ..Faults::default()
    });
    node.left = 2_000;
    node.run(Duration::from_secs(120), &mut server);
    node.net.set_faults(Faults::default());
    node.run(Duration::from_secs(30), &mut server);
    assert_eq!(node.shipper.left(), Left::default());
    assert!(server.events >= 2_000, "{}", server.events);
}

#[test]
fn a_collector_that_takes_no_byte_is_given_up_as_soon_as_without_tls() {
    let authority = Authority::new();
    let config = credentials::server(&authority.sign("collector"), None).unwrap();
    let mut server = Server::new(Some(config), None);
    let mut node = Node::new(tls(&authority.file(), None, "collector"));
    node.net.set_faults(Faults { window: 20_000, ..Faults::default() });
    node.run(Duration::from_secs(2), &mut server);
    assert!(matches!(node.said.as_slice(), [Status::Connected { .. }]), "{:?}", node.said);
    server.deaf = true;
    node.left = 2_000;
    node.run(Duration::from_secs(12), &mut server);
    let timeouts = node.shipper.counters().ack_timeouts.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(timeouts, 1);
    server.deaf = false;
    node.run(Duration::from_secs(30), &mut server);
    assert_eq!((server.events, node.shipper.left()), (2_000, Left::default()));
}

#[test]
fn a_handshake_that_does_not_end_is_given_up_in_the_time_for_connecting() {
    let authority = Authority::new();
    let mut server = Server::new(None, None);
    server.deaf = true;
    let mut node = Node::new(tls(&authority.file(), None, "collector"));
    assert_eq!(node.refusal(&mut server), "no end of the TLS handshake in time");
    let mut node = Node::new(Security { shared_key: Some(key("a key of both")), ..Security::default() });
    let told = node.refusal(&mut Server::new(None, None));
    assert_eq!(told, "no answer in time to a shared key, which the collector may not ask for");
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_with_the_reason() {
    let (authority, other) = (Authority::new(), Authority::new());
    let mut server = Server::new(Some(credentials::server(&authority.sign("collector"), None).unwrap()), None);
    let told = Node::new(tls(&other.file(), None, "collector")).refusal(&mut server);
    assert_eq!(told, "the collector's certificate is of no authority that is trusted here (ca=)");
    let told = Node::new(tls(&authority.file(), None, "another")).refusal(&mut server);
    assert!(told.contains("not valid for name \"another\"") && told.contains("\"collector\""), "{told}");
    let clients = credentials::server(&authority.sign("collector"), Some(&other.file())).unwrap();
    for (identity, needle) in [(None, "asks for a client's certificate"), (Some(authority.sign("node")), "refused")] {
        let mut server = Server::new(Some(Arc::clone(&clients)), None);
        let told = Node::new(tls(&authority.file(), identity.as_ref(), "collector")).refusal(&mut server);
        assert!(told.contains(needle), "{told}");
    }
}

#[test]
fn ends_that_do_not_speak_the_same_say_what_the_other_speaks() {
    let authority = Authority::new();
    let over_tls = || Some(credentials::server(&authority.sign("collector"), None).unwrap());
    let told = Node::new(tls(&authority.file(), None, "collector")).refusal(&mut Server::new(None, None));
    assert_eq!(told, "the collector closed the connection within the TLS handshake, as one without TLS does");
    let told = Node::new(Security::default()).refusal(&mut Server::new(over_tls(), None));
    assert!(told.contains("the answer is TLS"), "{told}");
    let told = Node::new(Security::default()).refusal(&mut Server::new(None, Some(key("a key of both"))));
    assert!(told.contains("the answer is HELO, with which a server asks for a shared key"), "{told}");
}

#[test]
fn a_key_that_is_not_the_same_is_refused_on_either_end() {
    let with = |text: &str| Security { shared_key: Some(key(text)), ..Security::default() };
    let told = Node::new(with("a key of one")).refusal(&mut Server::new(None, Some(key("a key of two"))));
    assert_eq!(told, "the collector refused the shared key: shared_key mismatch");
    // One that takes any key has to show that it knows it.
    let mut impostor = Impostor::default();
    let mut node = Node::new(with("a key of one"));
    node.left = 10;
    for _ in 0..3000 {
        let step = node.shipper.step(node.net.now(), &mut |_| false);
        node.said.extend(step.change);
        impostor.serve(&node.net);
        node.net.advance(Duration::from_millis(5));
    }
    let Some(Status::Unreachable(Failure { reason, .. })) = node.said.first() else { panic!("{:?}", node.said) };
    assert_eq!(reason, "the collector does not know the shared key");
}

/// Accepts whatever it is shown, with a digest of a key of its own.
#[derive(Default)]
struct Impostor(Vec<(SimPeer, Vec<u8>)>);

impl Impostor {
    fn serve(&mut self, net: &SimNet) {
        while let Some(mut peer) = net.accept(&address(1)) {
            let mut helo = Vec::new();
            write_helo(&mut helo, &NONCE);
            peer.write(&helo);
            self.0.push((peer, Vec::new()));
        }
        self.0.retain_mut(|(peer, inbox)| {
            let Ok(bytes) = peer.read() else { return true };
            if bytes.is_empty() {
                return false;
            }
            inbox.extend(bytes);
            let Some((ping, _)) = wire::read_ping(inbox).unwrap() else { return true };
            let mut pong = Vec::new();
            write_pong(&mut pong, &key("a guess"), &NONCE, "collector", &ping);
            peer.write(&pong);
            true
        });
    }
}
