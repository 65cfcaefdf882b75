//! The way to a collector: which address, connecting, giving up, waiting before the next try.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{Address, Conn, Counters, Net, Options, Status};

/// A new connection counts as good after so long, when nothing waits for an ack.
const PROVEN_AFTER: Duration = Duration::from_secs(1);

enum State<C> {
    /// Down until then.
    Waiting(Instant),
    /// Given up at `deadline` when it is not up by then.
    Connecting { conn: C, deadline: Instant },
    /// `proven` by an ack.
    Up { conn: C, since: Instant, proven: bool },
}

pub(crate) struct Link<N: Net> {
    net: N,
    addresses: Vec<Address>,
    connect_timeout: Duration,
    backoff: (Duration, Duration),
    rng: Rng,
    counters: Arc<Counters>,
    state: State<N::Conn>,
    /// The address in use, or to be tried next.
    at: usize,
    /// How often all addresses failed since a connection was good.
    rounds: u32,
    told: Option<Status>,
    untold: Option<Status>,
}

impl<N: Net> Link<N> {
    pub(crate) fn new(net: N, options: &Options, rng: Rng, counters: Arc<Counters>, now: Instant) -> Self {
        Self {
            net,
            addresses: options.addresses.clone(),
            connect_timeout: options.connect_timeout,
            backoff: (options.backoff_min, options.backoff_max),
            rng,
            counters,
            state: State::Waiting(now),
            at: 0,
            rounds: 0,
            told: None,
            untold: None,
        }
    }

    /// Brings the connection up as far as that goes without waiting, and gives it when it is.
    pub(crate) fn conn(&mut self, now: Instant) -> Option<&mut N::Conn> {
        // Each address once at most, then it waits.
        for _ in 0..=self.addresses.len() {
            match &mut self.state {
                State::Waiting(until) if now < *until => return None,
                State::Waiting(_) => {
                    let address = self.addresses.get(self.at)?;
                    match self.net.connect(address) {
                        Ok(conn) => {
                            self.state = State::Connecting { conn, deadline: now + self.connect_timeout };
                            self.check_connecting(now);
                        }
                        Err(error) => self.connect_failed(&error.to_string(), now),
                    }
                }
                State::Connecting { .. } => self.check_connecting(now),
                State::Up { .. } => break,
            }
            if matches!(self.state, State::Connecting { .. }) {
                return None;
            }
        }
        match &mut self.state {
            State::Up { conn, .. } => Some(conn),
            _ => None,
        }
    }

    fn check_connecting(&mut self, now: Instant) {
        let State::Connecting { conn, deadline } = &mut self.state else { return };
        match conn.is_up() {
            Ok(true) => {
                Counters::add(&self.counters.connects, 1);
                self.counters.connected.store(true, Ordering::Relaxed);
                let state = std::mem::replace(&mut self.state, State::Waiting(now));
                if let State::Connecting { conn, .. } = state {
                    self.state = State::Up { conn, since: now, proven: false };
                }
            }
            Ok(false) if now < *deadline => {}
            Ok(false) => self.connect_failed("no connection in time", now),
            Err(error) => self.connect_failed(&error.to_string(), now),
        }
    }

    fn connect_failed(&mut self, reason: &str, now: Instant) {
        Counters::add(&self.counters.connect_failures, 1);
        self.give_up(reason, now);
    }

    /// The connection is of no use any more.
    pub(crate) fn lost(&mut self, reason: &str, now: Instant) {
        Counters::add(&self.counters.disconnects, 1);
        self.counters.connected.store(false, Ordering::Relaxed);
        if matches!(self.state, State::Up { proven: true, .. }) {
            // It worked: most likely the collector restarts. Begin again with the first.
            self.at = 0;
            self.rounds = 0;
            self.state = State::Waiting(now + self.jittered(self.backoff.0));
        } else {
            self.give_up(reason, now);
        }
    }

    /// On to the next address; after the last one, wait.
    fn give_up(&mut self, reason: &str, now: Instant) {
        let address = self.addresses.get(self.at).map(ToString::to_string).unwrap_or_default();
        self.at += 1;
        if self.at < self.addresses.len() {
            self.state = State::Waiting(now);
            return;
        }
        self.at = 0;
        let (min, max) = self.backoff;
        let pause = min.saturating_mul(1 << self.rounds.min(16)).min(max);
        self.rounds = self.rounds.saturating_add(1);
        self.state = State::Waiting(now + self.jittered(pause));
        if !matches!(self.told, Some(Status::Unreachable { .. })) {
            self.untold = Some(Status::Unreachable { address, reason: reason.to_owned() });
        }
    }

    /// Between half of it and all of it, so that many workers do not come back at once.
    fn jittered(&mut self, pause: Duration) -> Duration {
        pause.mul_f64(0.5 + self.rng.f64() / 2.0)
    }

    /// An ack came: the collector at the other end works.
    pub(crate) fn prove(&mut self) {
        if let State::Up { proven, .. } = &mut self.state {
            *proven = true;
            self.rounds = 0;
        }
    }

    /// Whether a connection is up.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// What changed since the last call, to be logged. A connection is told of when it proved good,
    /// so that a collector that accepts and closes does not fill the log.
    pub(crate) fn take_change(&mut self, nothing_waits: bool, now: Instant) -> Option<Status> {
        if let State::Up { since, proven, .. } = &self.state
            && (*proven || nothing_waits && now >= *since + PROVEN_AFTER)
            && let Some(address) = self.addresses.get(self.at)
        {
            let same = matches!(&self.told, Some(Status::Connected { address: told }) if told == address);
            self.untold = (!same).then(|| Status::Connected { address: address.clone() });
        }
        let change = self.untold.take()?;
        self.told = Some(change.clone());
        Some(change)
    }

    /// When something happens that needs no byte from outside; `None` while connected.
    pub(crate) fn next_event(&self, poll: Duration, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Waiting(until) => Some(*until),
            State::Connecting { deadline, .. } => Some((*deadline).min(now + poll)),
            State::Up { .. } => None,
        }
    }
}
