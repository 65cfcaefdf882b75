//! Where batches go: the first value of `wallarm_session_collector`.

use std::net::SocketAddr;

use shipper::Address;

/// Longest path that fits a unix socket's address (sun_path, with its end).
const SOCKET_PATH: usize = 107;

/// Reads an address: `unix:/path`, or an IP address and port.
pub(crate) fn parse(text: &str) -> Result<Address, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            _ if !path.starts_with('/') => {
                Err(format!("\"{text}\" needs an absolute path, as in \"unix:/run/api-sessions/collector.sock\""))
            }
            _ if path.len() > SOCKET_PATH => {
                Err(format!("\"{text}\" is too long: a socket's path has at most {SOCKET_PATH} bytes"))
            }
            _ => Ok(Address::Unix(path.into())),
        };
    }
    let address = tcp(text)?;
    if address.port() == 0 {
        return Err(format!("\"{text}\" has no port, expected one from 1 to 65535"));
    }
    if address.ip().is_unspecified() {
        return Err(format!("\"{text}\" is no machine's address, expected one such as \"127.0.0.1:24224\""));
    }
    Ok(Address::Tcp(address))
}

fn tcp(text: &str) -> Result<SocketAddr, String> {
    let wrong = || {
        format!("\"{text}\" is no address, expected \"unix:/path\" or an address with port such as \"127.0.0.1:24224\"")
    };
    // Only literals and localhost: a name that has to be asked for would make a start depend on DNS.
    let literal = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    literal.parse().map_err(|_| wrong())
}
