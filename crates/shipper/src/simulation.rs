//! A network that lives in memory: it delays, cuts, refuses, swallows, and takes bytes in odd pieces.
//! Everything is decided by the seed, and time is what the test says it is.

use std::collections::VecDeque;
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
    /// Those that the collector sends, after at most so much longer.
    pub answer_latency: Duration,
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
    /// For addresses that have none of their own.
    faults: Faults,
    places: Vec<Place>,
}

/// An address, and what became of it.
#[derive(Debug)]
struct Place {
    address: Address,
    faults: Option<Faults>,
    listens: bool,
    /// Connections that were not accepted yet.
    waiting: VecDeque<Arc<Mutex<Pipe>>>,
    /// All there are.
    pipes: Vec<Arc<Mutex<Pipe>>>,
}

/// Both directions of one connection.
#[derive(Debug, Default)]
struct Pipe {
    /// The index of its place.
    place: usize,
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
        let state = State { rng: Rng::with_seed(seed), now, faults: Faults::default(), places: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What goes wrong from now on, wherever nothing else was set.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// What goes wrong from now on on the way to one address.
    pub fn set_faults_at(&self, address: &Address, faults: Faults) {
        self.state().place(address).1.faults = Some(faults);
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.state().now += by;
    }

    /// Somebody listens at `address` from now on.
    pub fn listen(&self, address: &Address) {
        self.state().place(address).1.listens = true;
    }

    /// Nobody listens at `address` any more, and its connections are cut: all but those that are half open, of
    /// which neither side hears.
    pub fn shut(&self, address: &Address) {
        let mut state = self.state();
        let (_, place) = state.place(address);
        place.listens = false;
        place.waiting.clear();
        for pipe in place.pipes.drain(..) {
            let mut pipe = lock(&pipe);
            pipe.cut = !pipe.swallowing;
        }
    }

    /// The next connection that came to `address`.
    pub fn accept(&self, address: &Address) -> Option<SimPeer> {
        let pipe = self.state().place(address).1.waiting.pop_front()?;
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
    fn place(&mut self, address: &Address) -> (usize, &mut Place) {
        let known = self.places.iter().position(|place| place.address == *address);
        let index = known.unwrap_or_else(|| {
            let (waiting, pipes) = Default::default();
            self.places.push(Place { address: address.clone(), faults: None, listens: false, waiting, pipes });
            self.places.len() - 1
        });
        (index, &mut self.places[index])
    }

    fn faults(&self, place: usize) -> Faults {
        self.places[place].faults.unwrap_or(self.faults)
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.rng.f64() < chance
    }

    fn arrival(&mut self, latency: Duration) -> Instant {
        self.now + latency.mul_f64(self.rng.f64())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Net for SimNet {
    type Conn = SimConn;

    fn connect(&mut self, address: &Address) -> io::Result<SimConn> {
        let mut state = self.state();
        let (index, place) = state.place(address);
        let listens = place.listens;
        let Faults { refuse, hang, swallow, .. } = state.faults(index);
        if !listens || state.happens(refuse) {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        let (hanging, swallowing) = (state.happens(hang), state.happens(swallow));
        let pipe = Arc::new(Mutex::new(Pipe { place: index, hanging, swallowing, ..Pipe::default() }));
        let place = &mut state.places[index];
        if !hanging && !swallowing {
            place.waiting.push_back(Arc::clone(&pipe));
        }
        // Those that both sides left.
        place.pipes.retain(|pipe| Arc::strong_count(pipe) > 1);
        place.pipes.push(Arc::clone(&pipe));
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
        let chance = state.faults(pipe.place).cut;
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
            let faults = state.faults(pipe.place);
            let room = match faults.window {
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
                let at = state.arrival(faults.latency);
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
        let mut pipe = lock(&self.pipe);
        let Faults { latency, answer_latency, .. } = state.faults(pipe.place);
        let at = state.arrival(latency + answer_latency);
        pipe.down.push(at, bytes);
    }
}

impl Drop for SimPeer {
    fn drop(&mut self) {
        lock(&self.pipe).down.closed = true;
    }
}
