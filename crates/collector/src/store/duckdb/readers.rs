//! Connections for queries, apart from the one that writes: so many at a time, each query with an
//! end. Queries make way when files are to be closed ([`Readers::clear`]).

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use duckdb::{Connection, InterruptHandle};

use super::engine::connect;
use crate::store::{Interest, StoreError};

/// Queries at a time; more wait. Two more than the API runs, so that `/readyz` gets its turn.
pub(super) const LIMIT: usize = 10;
/// How long a query may wait for its turn.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How long a query may run. Longer than anybody waits for one, unless many run at a time.
const MAX_RUN: Duration = Duration::from_secs(40);
/// How often it is looked whether one runs too long, or for nobody.
const WATCH: Duration = Duration::from_millis(100);

/// Lends connections.
pub(super) struct Readers {
    pool: Arc<Pool>,
}

struct Pool {
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    root: Connection,
    idle: Vec<Connection>,
    running: HashMap<u64, Running>,
    next: u64,
    /// From when on no query may run.
    clear_from: Option<Instant>,
}

impl State {
    fn is_cleared(&self) -> bool {
        self.clear_from.is_some_and(|from| Instant::now() >= from)
    }
}

struct Running {
    started: Instant,
    handle: Arc<InterruptHandle>,
    interest: Interest,
    /// Whether it had to make way.
    cleared: bool,
}

/// While it is there, queries make way.
pub(super) struct Clearing<'a>(&'a Pool);

impl Drop for Clearing<'_> {
    fn drop(&mut self) {
        self.0.lock().clear_from = None;
        self.0.returned.notify_all();
    }
}

impl Readers {
    /// Readers of the engine that `root` is connected to.
    pub(super) fn new(root: Connection) -> std::io::Result<Self> {
        let state = State { root, idle: Vec::new(), running: HashMap::new(), next: 0, clear_from: None };
        let pool = Arc::new(Pool { state: Mutex::new(state), returned: Condvar::new() });
        let watched = Arc::downgrade(&pool);
        std::thread::Builder::new().name("query-watch".into()).spawn(move || watch(&watched))?;
        Ok(Self { pool })
    }

    /// Runs `query` on a connection of its own; `None` when it had to make way.
    pub(super) fn with<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let interest = Interest::current();
        let Some((number, connection)) = self.pool.take(&interest)? else { return Ok(None) };
        let answer = query(&connection);
        // After a failure a connection may hold a transaction that nothing ends.
        let cleared = self.pool.put_back(number, answer.is_ok().then_some(connection));
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(_) if interest.is_lost() => Err(StoreError::GivenUp { doing: "running a query".into() }),
            Err(_) if cleared => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets queries make way: those that still run after a while are interrupted, and no other begins, until
    /// the answer is dropped.
    pub(super) fn clear(&self, patience: Duration) -> Clearing<'_> {
        self.pool.lock().clear_from = Some(Instant::now() + patience);
        Clearing(&self.pool)
    }

    /// Waits while queries make way.
    pub(super) fn wait_cleared(&self) {
        let asked = Instant::now();
        let mut state = self.pool.lock();
        while state.clear_from.is_some() && asked.elapsed() < MAX_WAIT {
            state = self.pool.returned.wait_timeout(state, WATCH).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes connections of another engine from now on; none is lent.
    pub(super) fn replace(&self, root: Connection) {
        let mut state = self.pool.lock();
        state.idle.clear();
        state.root = root;
    }
}

impl Pool {
    fn take(&self, interest: &Interest) -> Result<Option<(u64, Connection)>, StoreError> {
        let asked = Instant::now();
        let mut state = self.lock();
        loop {
            if interest.is_lost() {
                return Err(StoreError::GivenUp { doing: "waiting to run a query".into() });
            }
            if state.is_cleared() {
                return Ok(None);
            }
            if state.running.len() < LIMIT {
                break;
            }
            let left = MAX_WAIT.saturating_sub(asked.elapsed());
            if left.is_zero() {
                let reason = format!("{LIMIT} queries run already, try again later");
                return Err(StoreError::Failed { doing: "waiting to run a query".into(), reason });
            }
            state = self.returned.wait_timeout(state, left.min(WATCH)).unwrap_or_else(PoisonError::into_inner).0;
        }
        let connection = match state.idle.pop() {
            Some(connection) => connection,
            None => connect(&state.root)?,
        };
        let number = state.next;
        state.next += 1;
        let (started, handle) = (Instant::now(), connection.interrupt_handle());
        state.running.insert(number, Running { started, handle, interest: interest.clone(), cleared: false });
        Ok(Some((number, connection)))
    }

    /// Says whether the query had to make way.
    fn put_back(&self, number: u64, connection: Option<Connection>) -> bool {
        let mut state = self.lock();
        let cleared = state.running.remove(&number).is_some_and(|running| running.cleared);
        state.idle.extend(connection);
        self.returned.notify_one();
        cleared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interrupts what runs too long, for nobody or in the way, as often as it takes: a query may be several
/// statements. Ends with the readers.
fn watch(pool: &Weak<Pool>) {
    while let Some(pool) = pool.upgrade() {
        let mut state = pool.lock();
        let is_cleared = state.is_cleared();
        for running in state.running.values_mut() {
            running.cleared |= is_cleared;
            if is_cleared || running.started.elapsed() > MAX_RUN || running.interest.is_lost() {
                running.handle.interrupt();
            }
        }
        drop(state);
        drop(pool);
        std::thread::sleep(WATCH);
    }
}
