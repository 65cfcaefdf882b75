//! Connections for queries, apart from the one that writes: so many at a time, each query with an
//! end.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use duckdb::{Connection, InterruptHandle};

use super::failed;
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
}

struct Running {
    started: Instant,
    handle: Arc<InterruptHandle>,
    interest: Interest,
}

impl Readers {
    /// Readers of the engine that `root` is connected to.
    pub(super) fn new(root: Connection) -> std::io::Result<Self> {
        let state = State { root, idle: Vec::new(), running: HashMap::new(), next: 0 };
        let pool = Arc::new(Pool { state: Mutex::new(state), returned: Condvar::new() });
        let watched = Arc::downgrade(&pool);
        std::thread::Builder::new().name("query-watch".into()).spawn(move || watch(&watched))?;
        Ok(Self { pool })
    }

    /// Runs `query` on a connection of its own.
    pub(super) fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let interest = Interest::current();
        let (number, connection) = self.pool.take(&interest)?;
        let answer = query(&connection).map_err(|error| match interest.is_lost() {
            true => StoreError::GivenUp { doing: "running a query".into() },
            false => error,
        });
        // After a failure a connection may hold a transaction that nothing ends.
        self.pool.put_back(number, answer.is_ok().then_some(connection));
        answer
    }
}

impl Pool {
    fn take(&self, interest: &Interest) -> Result<(u64, Connection), StoreError> {
        let asked = Instant::now();
        let mut state = self.lock();
        while state.running.len() >= LIMIT {
            if interest.is_lost() {
                return Err(StoreError::GivenUp { doing: "waiting to run a query".into() });
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
            None => state.root.try_clone().map_err(failed("connecting to the engine"))?,
        };
        let number = state.next;
        state.next += 1;
        let (started, handle) = (Instant::now(), connection.interrupt_handle());
        state.running.insert(number, Running { started, handle, interest: interest.clone() });
        Ok((number, connection))
    }

    fn put_back(&self, number: u64, connection: Option<Connection>) {
        let mut state = self.lock();
        state.running.remove(&number);
        state.idle.extend(connection);
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interrupts what runs too long or for nobody, as often as it takes: a query may be several statements, as long as there are readers.
fn watch(pool: &Weak<Pool>) {
    while let Some(pool) = pool.upgrade() {
        for Running { started, handle, interest } in pool.lock().running.values() {
            if started.elapsed() > MAX_RUN || interest.is_lost() {
                handle.interrupt();
            }
        }
        drop(pool);
        std::thread::sleep(WATCH);
    }
}
