//! What a collector asks for before it takes chunks: TLS, and proof of a shared key.
//!
//! [`SecureNet`] puts both around any network, so that they are part of connecting: a connection is up when they
//! are done, the time for connecting bounds them too, and what fails there is told as a failure to connect. As
//! everything here it never waits, and keeps at most [`BUFFERED`] bytes that the network has not taken, so that a
//! collector that reads no more is noticed as soon as without TLS.
//!
//! A connection that needs neither goes through untouched.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use wire::{NONCE, SharedKey, read_helo, read_pong, write_ping};

use crate::{Address, Conn, Net};

/// Bytes that TLS takes from a chunk before the network has taken them.
const BUFFERED: usize = 64 << 10;
/// Characters that are shown of what a collector says.
const SHOWN: usize = 200;
/// Read at once while greeting.
const PIECE: usize = 1024;

/// What has to happen on a connection before the first chunk.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// How to speak TLS, and the name that the collector's certificate has to be for.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// The key to show, and to be shown.
    pub shared_key: Option<SharedKey>,
}

/// A network whose connections are secured.
#[derive(Debug)]
pub struct SecureNet<N> {
    net: N,
    secured: Vec<(Address, Security)>,
    /// What this end calls itself when it shows a key.
    host: String,
}

/// A connection, up when TLS and keys are done.
#[derive(Debug)]
pub struct SecureConn<C> {
    conn: C,
    tls: Option<Box<ClientConnection>>,
    stage: Stage,
    greeting: Option<Greeting>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Connecting,
    Tls,
    Greeting,
    Up,
}

impl<N: Net> SecureNet<N> {
    /// `host` is what this end calls itself. Addresses that are not among `secured` need nothing.
    pub fn new(net: N, secured: Vec<(Address, Security)>, host: String) -> Self {
        Self { net, secured, host }
    }
}

impl<N: Net> Net for SecureNet<N> {
    type Conn = SecureConn<N::Conn>;

    fn connect(&mut self, address: &Address) -> io::Result<Self::Conn> {
        let security = self.secured.iter().find(|(secured, _)| secured == address).map(|(_, security)| security);
        let tls = match security.and_then(|security| security.tls.as_ref()) {
            None => None,
            Some((config, name)) => {
                let mut tls = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
                tls.set_buffer_limit(Some(BUFFERED));
                Some(Box::new(tls))
            }
        };
        let greeting = match security.and_then(|security| security.shared_key.clone()) {
            None => None,
            Some(key) => Some(Greeting::new(key, self.host.clone())?),
        };
        Ok(SecureConn { conn: self.net.connect(address)?, tls, stage: Stage::Connecting, greeting })
    }
}

impl<C: Conn> Conn for SecureConn<C> {
    fn is_up(&mut self) -> io::Result<bool> {
        loop {
            let done = match self.stage {
                Stage::Up => return Ok(true),
                Stage::Connecting => self.conn.is_up()?,
                Stage::Tls => self.shake_hands()?,
                Stage::Greeting => self.greet()?,
            };
            if !done {
                return Ok(false);
            }
            self.stage = match self.stage {
                Stage::Connecting if self.tls.is_some() => Stage::Tls,
                Stage::Connecting | Stage::Tls if self.greeting.is_some() => Stage::Greeting,
                _ => Stage::Up,
            };
        }
    }

    fn waits_for(&self) -> &'static str {
        match self.stage {
            Stage::Connecting => self.conn.waits_for(),
            Stage::Tls => "no end of the TLS handshake in time",
            Stage::Greeting => "no answer in time to a shared key, which the collector may not ask for",
            Stage::Up => "nothing",
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.conn.write(bytes) };
        let taken = flush(tls, &mut self.conn)
            .and_then(|()| tls.writer().write(bytes))
            .and_then(|taken| flush(tls, &mut self.conn).map(|()| taken))
            .map_err(|error| reason(error, tls, &mut self.conn))?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.conn.read(buffer) };
        // What a write left behind.
        flush(tls, &mut self.conn).map_err(|error| reason(error, tls, &mut self.conn))?;
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // It was cut, or ended without TLS's own word for it: no more comes either way.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            receive(tls, &mut self.conn)?;
        }
    }
}

impl<C: Conn> SecureConn<C> {
    /// Whether TLS is agreed upon by now.
    fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        loop {
            flush(tls, &mut self.conn)?;
            if !tls.is_handshaking() {
                return Ok(true);
            }
            match receive(tls, &mut self.conn) {
                Ok(0) => {
                    let told = "the collector closed the connection within the TLS handshake, as one without TLS does";
                    return Err(io::Error::new(ErrorKind::ConnectionAborted, told));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether both have shown their keys by now.
    fn greet(&mut self) -> io::Result<bool> {
        let Some(mut greeting) = self.greeting.take() else { return Ok(true) };
        let done = self.go_on(&mut greeting);
        self.greeting = Some(greeting);
        done
    }

    fn go_on(&mut self, greeting: &mut Greeting) -> io::Result<bool> {
        let mut piece = [0; PIECE];
        loop {
            while !greeting.outbox.is_empty() {
                match self.write(&greeting.outbox) {
                    Ok(written) => drop(greeting.outbox.drain(..written)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            if greeting.done {
                return Ok(true);
            }
            match self.read(&mut piece) {
                Ok(0) => {
                    let told = "the collector closed the connection when it was shown the shared key";
                    return Err(io::Error::new(ErrorKind::ConnectionAborted, told));
                }
                Ok(read) => greeting.receive(piece.get(..read).unwrap_or_default()).map_err(io::Error::other)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Hands to the network what TLS wants to say, as far as it takes it now.
fn flush(tls: &mut ClientConnection, conn: &mut impl Conn) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut Plain(conn)) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why writing failed: the collector may have said it before it closed.
fn reason(error: io::Error, tls: &mut ClientConnection, conn: &mut impl Conn) -> io::Error {
    match receive(tls, conn) {
        Err(said) if said.kind() == ErrorKind::InvalidData => said,
        _ => error,
    }
}

/// Takes from the network what is there, and tells how much; 0 at its end.
fn receive(tls: &mut ClientConnection, conn: &mut impl Conn) -> io::Result<usize> {
    let read = tls.read_tls(&mut Plain(conn))?;
    if let Err(error) = tls.process_new_packets() {
        // The collector is to know why; that it may be gone changes nothing.
        let _ = flush(tls, conn);
        return Err(io::Error::new(ErrorKind::InvalidData, told(&error)));
    }
    Ok(read)
}

/// What an operator can do something about, in words that say so.
fn told(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    match error {
        Error::InvalidMessage(_) => "the collector does not speak TLS at this address".into(),
        // Signed by one of the same name, or by none.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the collector's certificate is of no authority that is trusted here (ca=)".into()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("the collector asks for a client's certificate (cert=, key=): {error}")
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            format!("the collector asks for a client's certificate (cert=, key=), or speaks no TLS in common: {error}")
        }
        Error::AlertReceived(_) => format!("the collector refused: {error}"),
        error => format!("TLS: {error}"),
    }
}

/// A connection as TLS sees it.
struct Plain<'a, C>(&'a mut C);

impl<C: Conn> Read for Plain<'_, C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<C: Conn> Write for Plain<'_, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// This end's part of HELO, PING, PONG.
#[derive(Debug)]
struct Greeting {
    key: SharedKey,
    host: String,
    salt: [u8; NONCE],
    /// The collector's, once it said HELO.
    nonce: Option<Vec<u8>>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    done: bool,
}

impl Greeting {
    fn new(key: SharedKey, host: String) -> io::Result<Self> {
        let mut salt = [0; NONCE];
        // So few bytes come whole or not at all.
        rustix::rand::getrandom(&mut salt[..], rustix::rand::GetRandomFlags::empty())?;
        Ok(Self { key, host, salt, nonce: None, inbox: Vec::new(), outbox: Vec::new(), done: false })
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), String> {
        let wrong = |error: wire::FrameError| format!("the collector does not ask for a shared key: {error}");
        self.inbox.extend_from_slice(bytes);
        let size = match &self.nonce {
            None => {
                let Some((helo, size)) = read_helo(&self.inbox).map_err(wrong)? else { return Ok(()) };
                if helo.wants_user {
                    return Err("the collector asks for a user's name and password, which are not known here".into());
                }
                write_ping(&mut self.outbox, &self.key, &helo.nonce, &self.host, &self.salt);
                self.nonce = Some(helo.nonce);
                size
            }
            Some(nonce) => {
                let Some((pong, size)) = read_pong(&self.inbox).map_err(wrong)? else { return Ok(()) };
                if !pong.accepted {
                    // Whatever it holds, it stays one line of a log.
                    let reason: String = pong.reason.chars().take(SHOWN).flat_map(char::escape_debug).collect();
                    return Err(format!("the collector refused the shared key: {reason}"));
                }
                if !pong.proves(&self.key, &self.salt, &self.host, nonce) {
                    return Err("the collector does not know the shared key".into());
                }
                self.done = true;
                size
            }
        };
        self.inbox.drain(..size);
        match self.inbox.is_empty() {
            true => Ok(()),
            false => Err("the collector said more than the greeting".into()),
        }
    }
}
