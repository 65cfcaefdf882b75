//! What files are taken for, and what is said of those that are refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use credentials::{Identity, client, server, shared_key};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A certificate that signs itself, and its key.
    fn identity(&self, name: &str) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Identity {
            certificate: self.write(&format!("{name}.crt"), 0o644, certificate),
            key: self.write(&format!("{name}.key"), 0o600, key.serialize_pem()),
        }
    }
}

#[test]
fn sound_files_are_taken_on_both_ends() {
    let folder = Folder::new();
    let identity = folder.identity("a");
    let ca = Some(identity.certificate.as_path());
    assert!(client(ca, None).is_ok() && client(ca, Some(&identity)).is_ok());
    assert!(server(&identity, None).is_ok() && server(&identity, ca).is_ok());
}

#[test]
fn a_certificate_with_the_key_of_another_is_refused_on_both_ends() {
    let folder = Folder::new();
    let (a, b) = (folder.identity("a"), folder.identity("b"));
    let mixed = Identity { certificate: a.certificate.clone(), key: b.key };
    for error in [server(&mixed, None).unwrap_err(), client(Some(&a.certificate), Some(&mixed)).unwrap_err()] {
        let told = error.to_string();
        assert!(told.contains("b.key\" is not the key of the certificate") && told.contains("a.crt"), "{told}");
    }
}

#[test]
fn a_refusal_names_the_file_and_what_would_be_right() {
    let folder = Folder::new();
    let sound = folder.identity("a");
    let key = fs::read(&sound.key).unwrap();
    let certificate = fs::read(&sound.certificate).unwrap();
    let with = |certificate: &Path, key: &Path| {
        let identity = Identity { certificate: certificate.to_owned(), key: key.to_owned() };
        server(&identity, None).unwrap_err().to_string()
    };
    let broken = b"-----BEGIN CERTIFICATE-----\nAA=A\n-----END CERTIFICATE-----\n";
    for (name, content, needle) in [
        ("empty.crt", &b""[..], "holds no certificate, expected PEM"),
        ("key.crt", &key, "holds no certificate, expected PEM"),
        ("broken.crt", broken, "is no sound PEM"),
        // What `openssl x509 -req` makes without -extfile.
        ("old.crt", include_bytes!("version-1.pem"), "of X.509 version 1, expected version 3"),
    ] {
        let told = with(&folder.write(name, 0o644, content), &sound.key);
        assert!(told.contains(name) && told.contains(needle), "{told}");
    }
    for (name, mode, content, needle) in [
        ("open.key", 0o644, key.as_slice(), "has the mode 0644: others can read it"),
        ("shared.key", 0o620, &key, "expected 0600 or 0640"),
        ("empty.key", 0o600, b"", "holds no private key, expected PEM without a passphrase"),
        ("certificate.key", 0o600, &certificate, "holds no private key"),
        ("large.key", 0o600, &vec![b'x'; (1 << 20) + 1], "more than 1048576 bytes"),
    ] {
        let told = with(&sound.certificate, &folder.write(name, mode, content));
        assert!(told.contains(name) && told.contains(needle), "{told}");
    }
    let told = with(&sound.certificate, &folder.0.path().join("missing.key"));
    assert!(told.contains("missing.key\" cannot be read: No such file"), "{told}");
    let told = with(folder.0.path(), &sound.key);
    assert!(told.contains("is no file"), "{told}");
    let junk = folder.write("junk.crt", 0o644, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let told = client(Some(&junk), None).unwrap_err().to_string();
    assert!(told.contains("junk.crt\" holds what is no authority's certificate, the 1. in it"), "{told}");
}

#[test]
fn a_shared_key_is_the_files_bytes_without_one_newline() {
    let folder = Folder::new();
    let key = "0123456789abcdef";
    for content in [key.to_owned(), format!("{key}\n")] {
        assert_eq!(shared_key(&folder.write("key", 0o640, content)).unwrap(), key.as_bytes());
    }
    assert_eq!(shared_key(&folder.write("key", 0o600, format!("{key}\n\n"))).unwrap().len(), 17);
    for (mode, content, needle) in [
        (0o600, "0123456789abcde\n".to_owned(), "holds a key of 15 bytes, expected 16 to 4096"),
        (0o600, "x".repeat(4097), "holds a key of 4097 bytes"),
        (0o604, key.to_owned(), "has the mode 0604: others can read it"),
    ] {
        let told = shared_key(&folder.write("key", mode, &content)).unwrap_err().to_string();
        assert!(told.contains("/key\"") && told.contains(needle), "{told}");
        assert!(!told.contains(&content), "the key is not told: {told}");
    }
}
