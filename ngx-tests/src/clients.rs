//! The shop's clients, who use it as people and as bots do, and write down what they did.
//!
//! The ground truth of a client is what it knows itself: the credential that it held after each
//! answer (see the shop's rules in [`crate::shop`]), and when it held none, its address and the
//! user-agent that it sent. How the product finds sessions plays no part in it.

mod ledger;
mod people;
mod person;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub use ledger::{Label, Ledger};
pub use people::{everybody, guesser, scraper, shopper};
pub use person::{Answer, ClientError, Kind, Person};

/// Where clients find the shop, how fast they act, and where they write down what they did.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Where the shop answers: `http://127.0.0.1:8080`.
    pub url: String,
    /// What everybody writes into.
    pub ledger: Ledger,
    /// How long a person thinks before a request; bots think a tenth of it.
    pub pause: Duration,
}

impl Scene {
    /// A scene in which nobody stops to think.
    pub fn hurried(url: impl Into<String>) -> Self {
        Self { url: url.into(), ledger: Ledger::default(), pause: Duration::ZERO }
    }

    /// Somebody new, who holds no credential but what the kind brings along.
    ///
    /// `address` is one of the loopback's, so that NGINX sees clients of many addresses.
    pub fn person(&self, kind: Kind, address: IpAddr, agent: Option<&str>) -> Result<Person, ClientError> {
        Person::new(self, kind, address, agent)
    }
}

/// A client's address: `127.0.0.n`.
pub fn address(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}
