//! A collector as `wallarm_session_collector` names it: where it is, and what has to happen on the way to it.
//!
//! Files are read here, by the master: workers may not have the rights, and `nginx -t` is to tell of them.

use std::net::SocketAddr;
use std::path::Path;

use credentials::Identity;
use rustls::pki_types::ServerName;
use shipper::{Address, Security};
use wire::SharedKey;

use crate::collector_address;

/// What may stand behind the address.
const OPTIONS: &str = "\"tls\", \"ca=\", \"cert=\", \"key=\", \"name=\", \"shared_key_file=\" or \"insecure_plain\"";

/// Where to ship, and how.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) address: Address,
    pub(crate) security: Security,
}

/// The words behind the address.
#[derive(Default)]
struct Words<'a> {
    tls: Option<&'a str>,
    ca: Option<&'a str>,
    cert: Option<&'a str>,
    key: Option<&'a str>,
    name: Option<&'a str>,
    shared_key_file: Option<&'a str>,
    insecure_plain: Option<&'a str>,
}

/// Reads address and options; `full_path` makes a file's name absolute.
pub(crate) fn read(
    text: &str,
    options: &[String],
    full_path: impl Fn(&str) -> Result<String, String>,
) -> Result<Collector, String> {
    let words = Words::read(options)?;
    let address = collector_address::parse(text)?;
    words.check(text, &address)?;
    let mut security = Security::default();
    if words.tls.is_some() {
        let path = |name: Option<&str>| name.map(&full_path).transpose();
        let (ca, cert, key) = (path(words.ca)?, path(words.cert)?, path(words.key)?);
        let identity = cert.zip(key).map(|(cert, key)| Identity { certificate: cert.into(), key: key.into() });
        let config = credentials::client(ca.as_deref().map(Path::new), identity.as_ref());
        let config = config.map_err(|error| error.to_string())?;
        security.tls = Some((config, server_name(text, &address, words.name)?));
    }
    if let Some(name) = words.shared_key_file {
        let key = credentials::shared_key(Path::new(&full_path(name)?)).map_err(|error| error.to_string())?;
        security.shared_key = Some(SharedKey::new(key));
    }
    Ok(Collector { address, security })
}

impl<'a> Words<'a> {
    fn read(options: &'a [String]) -> Result<Self, String> {
        let mut words = Self::default();
        for option in options {
            let (place, value) = match option.split_once('=') {
                None if option == "tls" => (&mut words.tls, option.as_str()),
                None if option == "insecure_plain" => (&mut words.insecure_plain, option.as_str()),
                Some(("ca", file)) => (&mut words.ca, file),
                Some(("cert", file)) => (&mut words.cert, file),
                Some(("key", file)) => (&mut words.key, file),
                Some(("name", name)) => (&mut words.name, name),
                Some(("shared_key_file", file)) => (&mut words.shared_key_file, file),
                _ => return Err(format!("has the option \"{option}\", expected {OPTIONS}")),
            };
            if value.is_empty() {
                return Err(format!("has the option \"{option}\", expected a value behind it"));
            }
            if place.replace(value).is_some() {
                return Err(format!("says \"{option}\" after it said that already, expected once"));
            }
        }
        Ok(words)
    }

    /// Whether they fit together, and to the address.
    fn check(&self, text: &str, address: &Address) -> Result<(), String> {
        let for_tls = [("ca=", self.ca), ("cert=", self.cert), ("key=", self.key), ("name=", self.name)];
        if self.tls.is_none()
            && let Some((option, _)) = for_tls.iter().find(|(_, value)| value.is_some())
        {
            return Err(format!("says \"{option}\" without \"tls\", expected both"));
        }
        if self.cert.is_some() != self.key.is_some() {
            return Err("says one of \"cert=\" and \"key=\", expected both".into());
        }
        if self.tls.is_some() && self.insecure_plain.is_some() {
            return Err("says both \"tls\" and \"insecure_plain\", expected one of them".into());
        }
        match address {
            Address::Unix(_) if self.tls.or(self.shared_key_file).or(self.insecure_plain).is_some() => {
                Err(format!("\"{text}\" is guarded by the rights of its file, expected no option"))
            }
            Address::Tcp(tcp) if is_another_machine(tcp) && self.tls.or(self.insecure_plain).is_none() => Err(format!(
                "\"{text}\" is another machine, expected \"tls\", or \"insecure_plain\" where nobody else can read or \
                 change what is sent"
            )),
            _ => Ok(()),
        }
    }
}

fn is_another_machine(address: &SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// What the collector's certificate has to be for: what `name=` says, or else the address as it is written.
fn server_name(text: &str, address: &Address, name: Option<&str>) -> Result<ServerName<'static>, String> {
    let name = match (name, address) {
        (Some(name), _) => name.to_owned(),
        (None, _) if text.starts_with("localhost:") => "localhost".to_owned(),
        (None, Address::Tcp(tcp)) => return Ok(ServerName::from(tcp.ip())),
        (None, Address::Unix(_)) => String::new(),
    };
    let wrong = |_| format!("has the name \"{name}\", expected that of a host, as in the collector's certificate");
    ServerName::try_from(name.clone()).map_err(wrong)
}
