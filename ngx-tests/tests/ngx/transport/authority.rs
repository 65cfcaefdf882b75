//! Certificates of the test's own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};

/// Signs certificates, and writes them into a folder.
pub struct Authority<'a> {
    folder: &'a Path,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Signed {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// When a certificate is good.
#[derive(Clone, Copy, PartialEq)]
pub enum Term {
    Now,
    Past,
}

impl<'a> Authority<'a> {
    pub fn new(folder: &'a Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join(format!("{name}.pem")), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// One for the loopback address, or for a name.
    pub fn sign(&self, file: &str, host: Option<&str>, term: Term) -> Signed {
        let mut params = CertificateParams::new(host.map(str::to_owned).into_iter().collect::<Vec<_>>()).unwrap();
        if host.is_none() {
            params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        if term == Term::Past {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
        }
        let key = KeyPair::generate().unwrap();
        let path = |end: &str| self.folder.join(format!("{file}.{end}"));
        let signed = Signed { certificate: path("crt"), key: path("key") };
        fs::write(&signed.certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        secret(&signed.key, &key.serialize_pem());
        signed
    }
}

/// A file that only its owner reads.
pub fn secret(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
