//! What TLS needs on either end: whom to trust, and how to show who one is.
//!
//! TLS 1.2 and 1.3 with what rustls holds safe; one provider of cryptography, named each time instead of set
//! for the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::BadFile;
use crate::file::{certificates, private_key};

/// Files by which an end shows who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate, and those between it and the authority, as PEM.
    pub certificate: PathBuf,
    /// The private key of the first of them, as PEM.
    pub key: PathBuf,
}

/// For the end that connects. It trusts the authorities in the file `ca`, or else the system's; `identity` is
/// shown when the server asks for it.
///
/// # Errors
/// When a file is not what it should be, or certificate and key do not belong together.
pub fn client(ca: Option<&Path>, identity: Option<&Identity>) -> Result<Arc<ClientConfig>, BadFile> {
    let roots = match ca {
        Some(path) => authorities(path)?,
        None => system_authorities()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| no_tls(&error))?
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(certificates(&identity.certificate)?, private_key(&identity.key)?)
            .map_err(|error| not_together(identity, &error))?,
    };
    Ok(Arc::new(config))
}

/// For the end that is connected to. With `client_ca` it takes only those who show a certificate that an
/// authority in that file has signed.
///
/// # Errors
/// When a file is not what it should be, or certificate and key do not belong together.
pub fn server(identity: &Identity, client_ca: Option<&Path>) -> Result<Arc<ServerConfig>, BadFile> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| no_tls(&error))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| BadFile::new(path, error.to_string()))?)
        }
    };
    let config = builder
        .with_single_cert(certificates(&identity.certificate)?, private_key(&identity.key)?)
        .map_err(|error| not_together(identity, &error))?;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn authorities(path: &Path) -> Result<RootCertStore, BadFile> {
    let mut roots = RootCertStore::empty();
    for (number, certificate) in certificates(path)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            BadFile::new(path, format!("holds what is no authority's certificate, the {}. in it: {error}", number + 1))
        })?;
    }
    Ok(roots)
}

/// Those that the system's users trust: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or where OpenSSL has them.
fn system_authorities() -> Result<RootCertStore, BadFile> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        let reason =
            format!("would hold the system's authorities, but {reason}; install ca-certificates or name a file");
        return Err(BadFile::new(Path::new("/etc/ssl/certs"), reason));
    }
    Ok(roots)
}

fn not_together(identity: &Identity, error: &rustls::Error) -> BadFile {
    let reason = match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("is not the key of the certificate in \"{}\"", identity.certificate.display())
        }
        // The parser of certificates knows no other version; its own name for it is no help.
        rustls::Error::InvalidCertificate(error) if format!("{error:?}").contains("UnsupportedCertVersion") => {
            return BadFile::new(
                &identity.certificate,
                "holds a certificate of X.509 version 1, expected version 3: it is one with extensions, such as \
                 subjectAltName (openssl x509 -extfile)",
            );
        }
        error => format!("cannot be used with the certificate in \"{}\": {error}", identity.certificate.display()),
    };
    BadFile::new(&identity.key, reason)
}

/// Does not happen with a provider that is whole.
fn no_tls(error: &rustls::Error) -> BadFile {
    BadFile::new(Path::new("-"), error.to_string())
}
