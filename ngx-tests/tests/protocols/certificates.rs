//! Certificates of the test's own, and TLS clients that trust them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ngx_tests::folder;
use rcgen::CertifiedKey;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A folder with `server.pem` and `server.key`, for the names in [`NAMES`].
pub struct Certificates {
    folder: TempDir,
    server: CertificateDer<'static>,
}

/// Who the server is.
pub const NAMES: [&str; 2] = ["shop.example", "other.example"];

/// Lines of a server with TLS.
pub const TLS: &str = "ssl_certificate FOLDER/server.pem; ssl_certificate_key FOLDER/server.key;";

/// Which versions of TLS a client speaks.
pub const ANY: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

impl Certificates {
    pub fn make() -> Self {
        let folder = folder::temporary().unwrap();
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).unwrap();
        fs::write(folder.path().join("server.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("server.key"), signing_key.serialize_pem()).unwrap();
        Self { folder, server: cert.into() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that speaks these versions and asks for an application protocol, with a certificate
    /// of its own if it is `somebody`.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion], alpn: &str, somebody: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = if somebody {
            let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
            let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
            builder.with_client_auth_cert(vec![cert.into()], key.into()).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        config
    }
}

/// A connection with TLS to a server of this name.
pub async fn connect(config: ClientConfig, address: SocketAddr, name: &'static str) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await.unwrap()
}
