//! A network that lives in memory: it delays, cuts, refuses, swallows, and takes bytes in odd pieces.
//! Everything is decided by the seed, and time is what the test says it is.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{Address, Clock, Conn, Net};

/// What goes wrong, as chances between 0 and 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A connect is refused.
    pub refuse: f64,
    /// A connect never completes.
    pub hang: f64,
    /// An operation on a connection finds it cut.
    pub cut: f64,
    /// A new connection is half open: it takes bytes that arrive nowhere, and brings none.
    pub swallow: f64,
    /// Bytes arrive after at most so long.
    pub latency: Duration,
    /// Bytes under way to the collector at most; 0 means without limit.
    pub window: usize,
}

/// A simulated network. Clones are the same one.
#[derive(Clone, Debug)]
pub struct SimNet {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    now: Instant,
    faults: Faults,
    listening: BTreeMap<String, Vec<Arc<Mutex<Pipe>>>>,
    pipes: Vec<(String, Arc<Mutex<Pipe>>)>,
}

/// Both directions of one connection.
#[derive(Debug, Default)]
struct Pipe {
    up: Way,
    down: Way,
    hanging: bool,
    swallowing: bool,
    cut: bool,
}

#[derive(Debug, Default)]
struct Way {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    closed: bool,
}

impl Way {
    fn push(&mut self, at: Instant, bytes: &[u8]) {
        // In order: nothing overtakes what was sent before.
        let at = self.pieces.back().map_or(at, |(last, _)| at.max(*last));
        self.pieces.push_back((at, bytes.to_vec()));
        self.bytes += bytes.len();
    }

    fn pop(&mut self, now: Instant, most: usize) -> io::Result<Vec<u8>> {
        match self.pieces.front_mut() {
            Some((at, piece)) if *at <= now => {
                let rest = piece.split_off(most.min(piece.len()));
                let taken = std::mem::replace(piece, rest);
                if piece.is_empty() {
                    self.pieces.pop_front();
                }
                self.bytes -= taken.len();
                Ok(taken)
            }
            None if self.closed => Ok(Vec::new()),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl SimNet {
    /// A network at the moment `now` on which nobody listens.
    pub fn new(seed: u64, now: Instant) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            now,
            faults: Faults::default(),
            listening: BTreeMap::new(),
            pipes: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.state().now += by;
    }

    /// Somebody listens at `address` from now on.
    pub fn listen(&self, address: &Address) {
        self.state().listening.entry(address.to_string()).or_default();
    }

    /// Nobody listens at `address` any more, and its connections are cut.
    pub fn shut(&self, address: &Address) {
        let name = address.to_string();
        let mut state = self.state();
        state.listening.remove(&name);
        state.pipes.retain(|(at, pipe)| {
            if *at == name {
                lock(pipe).cut = true;
            }
            *at != name
        });
    }

    /// The next connection that came to `address`.
    pub fn accept(&self, address: &Address) -> Option<SimPeer> {
        let mut state = self.state();
        let waiting = state.listening.get_mut(&address.to_string())?;
        if waiting.is_empty() {
            return None;
        }
        let pipe = waiting.remove(0);
        Some(SimPeer { net: self.clone(), pipe })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Clock for SimNet {
    fn now(&self) -> Instant {
        self.state().now
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

impl State {
    fn happens(&mut self, chance: f64) -> bool {
        self.rng.f64() < chance
    }

    fn arrival(&mut self) -> Instant {
        self.now + self.faults.latency.mul_f64(self.rng.f64())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Net for SimNet {
    type Conn = SimConn;

    fn connect(&mut self, address: &Address) -> io::Result<SimConn> {
        let name = address.to_string();
        let mut state = self.state();
        let refuse = state.faults.refuse;
        if !state.listening.contains_key(&name) || state.happens(refuse) {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        let Faults { hang, swallow, .. } = state.faults;
        let pipe = Pipe { hanging: state.happens(hang), swallowing: state.happens(swallow), ..Pipe::default() };
        let (dead, pipe) = (pipe.hanging || pipe.swallowing, Arc::new(Mutex::new(pipe)));
        if !dead && let Some(waiting) = state.listening.get_mut(&name) {
            waiting.push(Arc::clone(&pipe));
        }
        state.pipes.push((name, Arc::clone(&pipe)));
        Ok(SimConn { net: self.clone(), pipe })
    }
}

/// The node's end of a connection.
#[derive(Debug)]
pub struct SimConn {
    net: SimNet,
    pipe: Arc<Mutex<Pipe>>,
}

impl SimConn {
    /// One operation, unless the connection is cut before it.
    fn operate<T>(&self, run: impl FnOnce(&mut State, &mut Pipe) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.net.state();
        let mut pipe = lock(&self.pipe);
        let chance = state.faults.cut;
        if !pipe.cut && state.happens(chance) {
            pipe.cut = true;
            // What is under way arrives in part.
            let arrives = state.rng.usize(0..=pipe.up.pieces.len());
            pipe.up.pieces.truncate(arrives);
            pipe.up.bytes = pipe.up.pieces.iter().map(|(_, piece)| piece.len()).sum();
        }
        if pipe.cut {
            return Err(ErrorKind::ConnectionReset.into());
        }
        run(&mut state, &mut pipe)
    }
}

impl Conn for SimConn {
    fn is_up(&mut self) -> io::Result<bool> {
        self.operate(|_, pipe| Ok(!pipe.hanging))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.operate(|state, pipe| {
            let room = match state.faults.window {
                0 => usize::MAX,
                window => window.saturating_sub(pipe.up.bytes),
            };
            let most = bytes.len().min(room);
            if most == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let size = state.rng.usize(1..=most);
            if pipe.swallowing {
                pipe.up.bytes += size;
            } else {
                let at = state.arrival();
                pipe.up.push(at, bytes.get(..size).unwrap_or_default());
            }
            Ok(size)
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.operate(|state, pipe| {
            let most = state.rng.usize(1..=buffer.len());
            let taken = pipe.down.pop(state.now, most)?;
            buffer.iter_mut().zip(&taken).for_each(|(to, from)| *to = *from);
            Ok(taken.len())
        })
    }
}

impl Drop for SimConn {
    fn drop(&mut self) {
        lock(&self.pipe).up.closed = true;
    }
}

/// The collector's end of a connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct SimPeer {
    net: SimNet,
    pipe: Arc<Mutex<Pipe>>,
}

impl SimPeer {
    /// What has arrived; empty when the node closed, or was cut off and nothing more arrives.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut state = self.net.state();
        let mut pipe = lock(&self.pipe);
        let now = state.now;
        let most = state.rng.usize(1..=4096);
        if pipe.cut && pipe.up.pieces.is_empty() {
            return Ok(Vec::new());
        }
        pipe.up.pop(now, most)
    }

    /// Whether the node has read all that was sent to it.
    pub fn all_read(&self) -> bool {
        lock(&self.pipe).down.bytes == 0
    }

    /// Sends to the node.
    pub fn write(&mut self, bytes: &[u8]) {
        let mut state = self.net.state();
        let at = state.arrival();
        lock(&self.pipe).down.push(at, bytes);
    }
}

impl Drop for SimPeer {
    fn drop(&mut self) {
        lock(&self.pipe).down.closed = true;
    }
}
