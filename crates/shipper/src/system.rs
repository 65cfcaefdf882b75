//! The operating system's network: unix sockets and TCP.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, getpeername, recv, send,
    socket_with, sockopt,
};

use crate::{Address, Conn, Net};

/// Non-blocking sockets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNet;

/// A socket that is connecting or connected.
#[derive(Debug)]
pub struct SystemConn {
    socket: OwnedFd,
    up: bool,
}

impl Net for SystemNet {
    type Conn = SystemConn;

    fn connect(&mut self, address: &Address) -> io::Result<SystemConn> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let open = |family| socket_with(family, SocketType::STREAM, flags, None);
        let (socket, begun) = match address {
            Address::Unix(path) => {
                let socket = open(AddressFamily::UNIX)?;
                let begun = connect(&socket, &SocketAddrUnix::new(path)?);
                (socket, begun)
            }
            Address::Tcp(address) => {
                let socket = open(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
                // A chunk is written whole; its last packet must not wait for more.
                sockopt::set_tcp_nodelay(&socket, true)?;
                sockopt::set_socket_keepalive(&socket, true)?;
                let begun = connect(&socket, address);
                (socket, begun)
            }
        };
        match begun {
            Ok(()) => Ok(SystemConn { socket, up: true }),
            Err(Errno::INPROGRESS) => Ok(SystemConn { socket, up: false }),
            Err(error) => Err(error.into()),
        }
    }
}

impl Conn for SystemConn {
    fn is_up(&mut self) -> io::Result<bool> {
        if !self.up {
            sockopt::socket_error(&self.socket)??;
            self.up = match getpeername(&self.socket) {
                Ok(_) => true,
                Err(Errno::NOTCONN) => false,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(self.up)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.socket, bytes, SendFlags::NOSIGNAL)?)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(&self.socket, buffer, RecvFlags::empty())?.0)
    }
}
