//! TLS on the sockets that nodes connect to.
//!
//! Certificates are renewed while the server runs: when a node connects the files are looked at, once a second
//! at most, and read anew when they changed. Files that do not fit, as when one of two is replaced, change nothing:
//! the certificate before stays, and the log says so.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use credentials::{BadFile, Identity};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Closed;
use crate::metrics::CloseReason;
use crate::settings::TlsFiles;

/// How often files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);
/// What is read at most from a node that was refused, so that it can read why.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 64 << 10);

/// How to speak TLS, as the files say by now.
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    looked: Instant,
    stamps: Vec<Stamp>,
}

/// What tells one version of a file from another, rights and owner too: inode, size, change in seconds and nanoseconds.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Tls {
    /// Reads the files.
    pub fn open(files: TlsFiles) -> Result<Self, BadFile> {
        let stamps = stamps(&files);
        let current = Current { config: read(&files)?, looked: Instant::now(), stamps };
        Ok(Self { files, current: Mutex::new(current) })
    }

    /// Agrees with a node on TLS, within `patience`; `None` with one that leaves before, as a check of the port does.
    pub async fn accept<S>(&self, stream: S, patience: Duration) -> Result<Option<TlsStream<S>>, Closed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let refused = |message: String| Closed { reason: CloseReason::Tls, message };
        let accepting = TlsAcceptor::from(self.config()).accept(stream).into_fallible();
        match timeout(patience, accepting).await {
            Ok(Ok(stream)) => Ok(Some(stream)),
            Ok(Err((error, _))) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Ok(Err((error, stream))) => {
                part(stream).await;
                Err(refused(told(&error)))
            }
            Err(_) => Err(refused(format!("the TLS handshake did not end within {} s", patience.as_secs()))),
        }
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK {
            current.looked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != current.stamps {
                current.stamps = stamps;
                match read(&self.files) {
                    Ok(config) => {
                        current.config = config;
                        tracing::info!("the certificate that nodes are shown was read anew");
                    }
                    Err(error) => {
                        tracing::warn!("the certificate before is kept, as the new one cannot be used: {error}")
                    }
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, BadFile> {
    let identity = Identity { certificate: files.certificate.clone(), key: files.key.clone() };
    credentials::server(&identity, files.client_ca.as_deref())
}

fn stamps(files: &TlsFiles) -> Vec<Stamp> {
    let stamp = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.ino(), about.size(), about.ctime(), about.ctime_nsec()))
    };
    let all = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    all.into_iter().flatten().map(PathBuf::as_path).map(stamp).collect()
}

/// What an operator can do something about, in words that say so.
fn told(error: &std::io::Error) -> String {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidMessage(_)) => "the sender does not speak TLS, which is asked for here".into(),
        Some(Error::NoCertificatesPresented) => "the sender showed no certificate".into(),
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "the sender's certificate is of no authority in ingest_tls_client_ca".into()
        }
        Some(Error::AlertReceived(_)) => format!("the sender does not trust this server: {error}"),
        _ => format!("the TLS handshake failed: {error}"),
    }
}

/// Says nothing more, and reads for a moment: closed with something unread, the connection would be reset before
/// the other end has read why.
async fn part(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = timeout(LINGER.0, async {
        let _ = stream.shutdown().await;
        let mut piece = [0; 1024];
        let mut read = 0;
        while read < LINGER.1 {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::ClientConfig;
    use rustls::pki_types::{CertificateDer, ServerName};
    use tokio::io::duplex;
    use tokio_rustls::TlsConnector;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    /// Writes a certificate that signs itself, which makes it its own authority.
    fn identity(folder: &Path, name: &str) -> TlsFiles {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let path = |end: &str| folder.join(format!("{name}.{end}"));
        fs::write(path("crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        fs::set_permissions(path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        TlsFiles { certificate: path("crt"), key: path("key"), client_ca: None }
    }

    fn client(trusted: &TlsFiles, own: Option<&TlsFiles>) -> Arc<ClientConfig> {
        let own = own.map(|own| Identity { certificate: own.certificate.clone(), key: own.key.clone() });
        credentials::client(Some(&trusted.certificate), own.as_ref()).unwrap()
    }

    /// What the server says of a node, and the certificate that the node has seen.
    async fn meet(tls: &Tls, config: Arc<ClientConfig>) -> (Result<(), Closed>, Option<CertificateDer<'static>>) {
        let (node, ours) = duplex(64 << 10);
        let node = tokio::spawn(async move {
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = TlsConnector::from(config).connect(name, node).await.ok()?;
            let seen = stream.get_ref().1.peer_certificates()?.first()?.clone().into_owned();
            // A certificate that was not shown is missed after that.
            let _ = stream.read(&mut [0]).await;
            Some(seen)
        });
        let accepted = tls.accept(ours, LONG).await.map(drop);
        (accepted, node.await.unwrap())
    }

    #[tokio::test]
    async fn a_certificate_that_was_renewed_is_shown_without_a_restart_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (files, other) = (identity(folder.path(), "a"), identity(folder.path(), "b"));
        let tls = Tls::open(files.clone()).unwrap();
        let look_again = || tls.current.lock().unwrap().looked -= LOOK;
        let old = meet(&tls, client(&files, None)).await.1.unwrap();
        // The certificate comes first: without its key it is of no use.
        fs::rename(&other.certificate, &files.certificate).unwrap();
        look_again();
        let trust_new = client(&files, None);
        assert!(meet(&tls, Arc::clone(&trust_new)).await.0.is_err(), "the old one is still shown");
        fs::rename(&other.key, &files.key).unwrap();
        look_again();
        let (accepted, new) = meet(&tls, trust_new).await;
        assert!(accepted.is_ok() && new.is_some_and(|new| new != old));

        // The key is open to others at first, and mended.
        let third = identity(folder.path(), "c");
        fs::set_permissions(&third.key, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(&third.certificate, &files.certificate).unwrap();
        fs::rename(&third.key, &files.key).unwrap();
        look_again();
        let trust_third = client(&files, None);
        assert!(meet(&tls, Arc::clone(&trust_third)).await.0.is_err(), "a key that is open to others is used");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        look_again();
        assert!(meet(&tls, trust_third).await.0.is_ok());
    }

    #[tokio::test]
    async fn a_node_is_asked_for_a_certificate_and_refused_without_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, trusted, strange] = ["a", "b", "c"].map(|name| identity(folder.path(), name));
        let tls = Tls::open(TlsFiles { client_ca: Some(trusted.certificate.clone()), ..ours.clone() }).unwrap();
        for (own, needle) in
            [(None, "the sender showed no certificate"), (Some(&strange), "of no authority in ingest_tls_client_ca")]
        {
            let closed = meet(&tls, client(&ours, own)).await.0.unwrap_err();
            assert!(closed.reason == CloseReason::Tls && closed.message.contains(needle), "{closed}");
        }
        let closed = meet(&tls, client(&strange, Some(&trusted))).await.0.unwrap_err();
        assert!(closed.message.contains("the sender does not trust this server"), "{closed}");
    }

    #[tokio::test]
    async fn a_node_that_speaks_something_else_or_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::open(identity(folder.path(), "a")).unwrap();
        let (mut node, ours) = duplex(64 << 10);
        node.write_all(b"\x93\xb0wallarm.sessions").await.unwrap();
        let (accepted, told) = tokio::join!(tls.accept(ours, LONG), async {
            let mut told = Vec::new();
            let _ = node.read_to_end(&mut told).await;
            drop(node);
            told
        });
        let closed = accepted.unwrap_err();
        assert_eq!(closed.message, "the sender does not speak TLS, which is asked for here");
        // An alert, by which it can tell.
        assert_eq!(told.first(), Some(&0x15));
        let (node, ours) = duplex(64 << 10);
        drop(node);
        assert!(tls.accept(ours, LONG).await.unwrap().is_none(), "a check of the port");
        let (_node, ours) = duplex(64 << 10);
        let closed = tls.accept(ours, Duration::from_millis(20)).await.unwrap_err();
        assert!(closed.message.contains("did not end within"), "{closed}");
    }

    #[test]
    fn files_that_cannot_be_used_are_named_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let files = identity(folder.path(), "a");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Tls::open(files.clone()).err().unwrap().to_string();
        assert!(error.contains("a.key\" has the mode 0644"), "{error}");
        let error = Tls::open(TlsFiles { certificate: folder.path().join("none"), ..files }).err().unwrap();
        assert!(error.to_string().contains("none\" cannot be read"), "{error}");
    }
}
