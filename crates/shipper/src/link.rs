//! The way to a collector: which address, connecting, giving up, waiting before the next try, and going back to
//! an earlier address while a later one is in use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{Address, Conn, Counters, Failure, Net, Options, Status};

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

/// The way back to an address before the one in use.
enum Return<C> {
    /// Not tried until then.
    Waiting(Instant),
    /// As above.
    Connecting { conn: C, deadline: Instant },
    /// Taken as soon as nothing waits for its ack on the connection in use.
    Ready(C),
}

/// How much less often earlier addresses are tried, at most, when they take connections and no chunks.
const RARER: u32 = 16;

pub(crate) struct Link<N: Net> {
    net: N,
    addresses: Vec<Address>,
    connect_timeout: Duration,
    backoff: (Duration, Duration),
    return_interval: Duration,
    rng: Rng,
    counters: Arc<Counters>,
    state: State<N::Conn>,
    /// The address in use, or to be tried next.
    at: usize,
    back: Return<N::Conn>,
    /// The address that `back` is about.
    back_at: usize,
    /// By how much earlier addresses are tried less often.
    rarer: u32,
    /// Whether the connection in use is one that was gone back to.
    returned: bool,
    /// Why the last address that failed did.
    failure: Option<Failure>,
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
            return_interval: options.return_interval,
            rng,
            counters,
            state: State::Waiting(now),
            at: 0,
            back: Return::Waiting(now),
            back_at: 0,
            rarer: 1,
            returned: false,
            failure: None,
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
        if self.at > 0 && matches!(self.state, State::Up { .. }) {
            self.look_back(now);
        }
        match &mut self.state {
            State::Up { conn, .. } => Some(conn),
            _ => None,
        }
    }

    /// Goes on with the way back.
    fn look_back(&mut self, now: Instant) {
        match &mut self.back {
            Return::Waiting(until) if now < *until => return,
            Return::Waiting(_) => {
                let Some(address) = self.addresses.get(self.back_at) else { return };
                match self.net.connect(address) {
                    Ok(conn) => self.back = Return::Connecting { conn, deadline: now + self.connect_timeout },
                    Err(_) => return self.put_off_return(now),
                }
            }
            Return::Connecting { .. } | Return::Ready(_) => {}
        }
        let Return::Connecting { conn, deadline } = &mut self.back else { return };
        match conn.is_up() {
            Ok(true) => {
                let back = std::mem::replace(&mut self.back, Return::Waiting(now));
                if let Return::Connecting { conn, .. } = back {
                    self.back = Return::Ready(conn);
                }
            }
            Ok(false) if now < *deadline => {}
            Ok(false) | Err(_) => self.put_off_return(now),
        }
    }

    /// The earlier address does not work: the next time the one behind it is tried.
    fn put_off_return(&mut self, now: Instant) {
        Counters::add(&self.counters.connect_failures, 1);
        let next = self.back_at + 1;
        self.plan_return(if next < self.at { next } else { 0 }, now);
    }

    fn plan_return(&mut self, to: usize, now: Instant) {
        self.back_at = to;
        self.back = Return::Waiting(now + self.jittered(self.return_interval.saturating_mul(self.rarer)));
    }

    /// Whether the collector that was gone back to has still to show that it takes chunks.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.returned && matches!(self.state, State::Up { proven: false, .. })
    }

    /// Whether an earlier address takes connections again: nothing more is to be sent on this one.
    pub(crate) fn may_return(&self) -> bool {
        matches!(self.back, Return::Ready(_)) && self.is_up()
    }

    /// Goes back to it. On the connection in use nothing may wait for an ack.
    pub(crate) fn go_back(&mut self, now: Instant) {
        let back = std::mem::replace(&mut self.back, Return::Waiting(now));
        if let Return::Ready(conn) = back {
            Counters::add(&self.counters.connects, 1);
            self.at = self.back_at;
            self.returned = true;
            self.plan_return(0, now);
            self.state = State::Up { conn, since: now, proven: false };
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
                    self.returned = false;
                    self.plan_return(0, now);
                }
            }
            Ok(false) if now < *deadline => {}
            Ok(false) => {
                let missing = conn.waits_for();
                self.connect_failed(missing, now);
            }
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
            if self.returned {
                self.rarer = (self.rarer * 2).min(RARER);
            }
            self.give_up(reason, now);
        }
    }

    /// On to the next address; after the last one, wait.
    fn give_up(&mut self, reason: &str, now: Instant) {
        let address = self.addresses.get(self.at).map(ToString::to_string).unwrap_or_default();
        let failure = Failure { address, reason: reason.to_owned() };
        self.failure = Some(failure.clone());
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
        if !matches!(self.told, Some(Status::Unreachable(_))) {
            self.untold = Some(Status::Unreachable(failure));
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
            if self.returned || self.at == 0 {
                self.rarer = 1;
            }
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
            let same = matches!(&self.told, Some(Status::Connected { address: told, .. }) if told == address);
            let instead_of = self.failure.clone().filter(|_| self.at > 0);
            self.untold = (!same).then(|| Status::Connected { address: address.clone(), instead_of });
        }
        let change = self.untold.take()?;
        self.told = Some(change.clone());
        Some(change)
    }

    /// When to look at it again: at a connection that is up, at `look`; at one that comes up, after `poll`.
    pub(crate) fn next_event(&self, poll: Duration, look: Instant, now: Instant) -> Instant {
        match (&self.state, &self.back) {
            (State::Waiting(until), _) => *until,
            (State::Connecting { deadline, .. }, _) => (*deadline).min(now + poll),
            (State::Up { .. }, Return::Waiting(until)) if self.at > 0 => look.min(*until),
            (State::Up { .. }, Return::Connecting { .. }) => look.min(now + poll),
            (State::Up { .. }, _) => look,
        }
    }
}
