//! The life of a worker: its flusher thread, the queue to it, and the timer that speaks for it.
//!
//! The queue is wait-free in both directions: full snapshots go to the flusher, empty ones come
//! back, so that the event loop allocates nothing once it is warm and the flusher frees nothing
//! that the event loop's allocator arena owns. One ring for each direction, with one thread at each
//! end: a channel for many senders and receivers costs more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use capture::Snapshot;
use crossbeam_channel::{Receiver, bounded};
use nginx_sys::{
    NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER, ngx_add_timer, ngx_cycle, ngx_cycle_t, ngx_event_t, ngx_process, ngx_uint_t,
};
use ngx::http::HttpModuleConfExt;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::config::MainConf;
use crate::counters::Dropped;
use crate::drops::Drops;
use crate::entropy::random_bytes;
use crate::flusher::{self, Exit, Flusher, Said};
use crate::guard::{self, guard};
use crate::{counters, lives, log, module};

/// How often the timer looks for what the flusher has to say.
const TICK: Duration = Duration::from_secs(1);
/// How long a worker that exits waits for acknowledgements. On TERM the master kills after about
/// 1.5 s (src/os/unix/ngx_process_cycle.c).
const LAST_WORDS: Duration = Duration::from_millis(1000);
/// Empty snapshots that are kept for the next burst; of more, each tick gives this part back.
const KEEP_EMPTY: usize = 64;
const FREED_PART: usize = 16;
const FREED_AT_ONCE: usize = 512;
/// This part of the memory takes no bodies.
const WITHOUT_BODIES: u64 = 8;
/// Snapshots taken back at most when memory is short, for that of their bodies.
const RECLAIM: usize = 16;
/// Memory of a snapshot that is used again, at most.
const KEEP_BYTES: usize = 64 << 10;
/// Buffers of bodies that are kept for the next ones, and the size of each, at most.
const KEEP_BUFFERS: usize = 16;
const KEEP_BUFFER: usize = 16 << 10;

/// What the event loop and the flusher both look at. Atomics only.
#[derive(Default)]
pub(crate) struct Link {
    /// Bytes in snapshots that wait in the queue.
    pub(crate) queued_bytes: AtomicU64,
    /// Bytes that the shipper holds: the open batch and chunks without acknowledgement.
    pub(crate) shipping_bytes: AtomicU64,
    /// Events in them.
    pub(crate) shipping_events: AtomicU64,
    /// The number that the next snapshot will get.
    pub(crate) next_seq: AtomicU64,
    /// The flusher thread has ended by a panic; what it held is lost.
    pub(crate) broken: AtomicBool,
    /// Set by whoever counts what is left unsent, the flusher as it ends or the worker that cannot
    /// wait for it: it is counted once.
    pub(crate) settled: AtomicBool,
}

impl Link {
    /// Counts what was not delivered, unless that was done.
    pub(crate) fn settle(&self, reason: Dropped, left: impl FnOnce() -> u64) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            counters::dropped(reason, left());
        }
    }

    /// Bytes that count against the memory of the queue.
    fn held(&self) -> u64 {
        self.queued_bytes.load(Ordering::Relaxed) + self.shipping_bytes.load(Ordering::Relaxed)
    }
}

struct Worker {
    instance: [u8; 8],
    next_seq: u64,
    memory_limit: u64,
    random: fastrand::Rng,
    queue: Producer<Box<Snapshot>>,
    empty: Consumer<Box<Snapshot>>,
    /// Snapshots to fill, taken back from the flusher.
    #[expect(clippy::vec_box, reason = "they go into the ring as they are")]
    free: Vec<Box<Snapshot>>,
    /// Buffers for copies of bodies, empty.
    buffers: Vec<Vec<u8>>,
    link: Arc<Link>,
    /// `None` when the thread could not be started.
    flusher: Option<Exit>,
    said: Receiver<Said>,
    drops: Drops,
}

/// Of this process. Touched by the event loop's thread alone.
static WORKER: AtomicPtr<Worker> = AtomicPtr::new(std::ptr::null_mut());

/// The worker, for the time of a call from NGINX.
///
/// # Safety
/// On the event loop's thread; the reference does not outlive the call, and no call nests.
unsafe fn current<'a>() -> Option<&'a mut Worker> {
    // SAFETY: only `start` and `stop` change the pointer, on the same thread.
    unsafe { WORKER.load(Ordering::Relaxed).as_mut() }
}

/// The configuration of a cycle; `None` without an `http` block.
///
/// # Safety
/// `cycle` is one that runs or is about to, of which the module is a part.
unsafe fn conf_of<'a>(cycle: *mut ngx_cycle_t) -> Option<&'a MainConf> {
    // SAFETY: upheld by the caller; the main configuration lives as long as the cycle.
    unsafe { (*cycle).http_main_conf_unchecked::<MainConf>(module()).map(|conf| conf.as_ref()) }
}

/// Prepares for a cycle that is about to run. Without a master process a reload begins no process: the
/// one that is there goes on with the new configuration.
///
/// # Safety
/// Called by NGINX when a configuration is read and workers for it are not started yet.
pub(crate) unsafe fn prepare(cycle: *mut ngx_cycle_t) {
    // SAFETY: upheld by the caller; only the first cycle follows one without configurations
    // (ngx_is_init_cycle in src/core/ngx_cycle.h).
    unsafe {
        let Some(conf) = conf_of(cycle) else { return };
        if (conf.used || conf.status_used)
            && let Err(error) = counters::begin_cycle()
        {
            let text = format!("wallarm sessions: no memory for the counters of all workers ({error})");
            log::cycle(log::Level::Error, &text);
        }
        let first = (*cycle).old_cycle.as_ref().is_none_or(|old| old.conf_ctx.is_null());
        if ngx_process == NGX_PROCESS_SINGLE as ngx_uint_t && !first {
            stop();
            start(cycle);
        }
    }
}

/// Starts what a worker needs; does nothing in the master's helpers, or where sessions are off.
///
/// # Safety
/// Called as a process begins, or goes on with another configuration, with the cycle that it runs.
pub(crate) unsafe fn start(cycle: *mut ngx_cycle_t) {
    // SAFETY: upheld by the caller.
    unsafe {
        // The cache manager and loader come here too.
        let serves = [NGX_PROCESS_SINGLE, NGX_PROCESS_WORKER].contains(&(ngx_process as u32));
        let Some(conf) = conf_of(cycle) else { return };
        if !serves || !conf.used || current().is_some() {
            return;
        }
        counters::begin_instance();
        lives::begin();
        let worker = Box::new(Worker::new(conf));
        WORKER.store(Box::into_raw(worker), Ordering::Relaxed);
        start_timer();
    }
}

impl Worker {
    fn new(conf: &MainConf) -> Self {
        let limits = conf.queue.unwrap_or_default();
        let instance = random_bytes();
        let (queue, waiting) = RingBuffer::new(limits.snapshots);
        // As many as can be on their way, so that the flusher can always give one back.
        let (give_back, empty) = RingBuffer::new(limits.snapshots + 2);
        let (say, said) = bounded(16);
        let link = Arc::new(Link::default());
        let flusher = Flusher::new(conf, instance, Arc::clone(&link), waiting, give_back, say);
        let flusher = match flusher.and_then(|flusher| without_signals(|| flusher.spawn())) {
            Ok(exit) => Some(exit),
            Err(error) => {
                let text = format!("wallarm sessions: no flusher thread ({error}); requests are served, not recorded");
                log::cycle(log::Level::Error, &text);
                None
            }
        };
        Self {
            instance,
            next_seq: 0,
            memory_limit: limits.memory as u64,
            random: fastrand::Rng::with_seed(u64::from_be_bytes(random_bytes())),
            queue,
            empty,
            free: Vec::with_capacity(KEEP_EMPTY),
            buffers: Vec::with_capacity(KEEP_BUFFERS),
            link,
            flusher,
            said,
            drops: Drops::default(),
        }
    }

    /// A snapshot to fill, with its number; `None`, counted, when it could not leave anyway.
    fn begin(&mut self) -> Option<(Box<Snapshot>, wire::Seq)> {
        let counters = counters::current();
        counters.seen.add(1);
        lives::seen();
        let seq = wire::Seq { instance: self.instance, number: self.next_seq };
        self.next_seq += 1;
        self.link.next_seq.store(self.next_seq, Ordering::Relaxed);
        self.notice_end();
        if self.flusher.is_none() {
            counters::dropped(Dropped::NoFlusher, 1);
            return None;
        }
        if self.link.held() >= self.memory_limit {
            self.reclaim(RECLAIM);
        }
        if self.link.held() >= self.memory_limit {
            counters::dropped(Dropped::MemoryFull, 1);
            return None;
        }
        let snapshot = self.free.pop().or_else(|| self.take_back());
        // One huge request must not keep its memory for ever; it goes back here, where it came from.
        let snapshot = snapshot.filter(|snapshot| snapshot.memory() <= KEEP_BYTES);
        Some((snapshot.unwrap_or_default(), seq))
    }

    /// Keeps a snapshot that did not leave, for the next request.
    fn keep(&mut self, mut snapshot: Box<Snapshot>) {
        snapshot.drop_bodies();
        if self.free.len() < KEEP_EMPTY {
            self.free.push(snapshot);
        }
    }

    /// A snapshot that the flusher is done with. The memory of its bodies counts until it is freed, or
    /// kept for others, here, where it came from.
    fn take_back(&mut self) -> Option<Box<Snapshot>> {
        let mut snapshot = self.empty.pop().ok()?;
        self.link.queued_bytes.fetch_sub(snapshot.body_memory() as u64, Ordering::Relaxed);
        for mut body in snapshot.take_bodies() {
            if self.buffers.len() < KEEP_BUFFERS && (1..=KEEP_BUFFER).contains(&body.bytes.capacity()) {
                body.bytes.clear();
                self.buffers.push(body.bytes);
            }
        }
        Some(snapshot)
    }

    /// Takes back what the flusher is done with, so that the memory of bodies is free again, and keeps
    /// some of it for the requests to come.
    fn reclaim(&mut self, most: usize) {
        for _ in 0..most {
            match self.take_back() {
                Some(snapshot) => self.keep(snapshot),
                None => break,
            }
        }
    }

    /// Counts memory for the copy of a body; false when there is none left. The last part of the memory
    /// is for requests without bodies: bodies are given up first.
    fn hold(&mut self, bytes: u64) -> bool {
        let limit = self.memory_limit - self.memory_limit / WITHOUT_BODIES;
        if self.link.held() + bytes > limit {
            self.reclaim(RECLAIM);
        }
        let fits = self.flusher.is_some() && self.link.held() + bytes <= limit;
        if fits {
            self.link.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// Hands a filled snapshot to the flusher.
    fn send(&mut self, snapshot: Box<Snapshot>) {
        let counters = counters::current();
        counters.oversized.add(snapshot.oversized.into());
        let bytes = snapshot.memory() as u64;
        // Before the flusher can subtract it.
        self.link.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Err(PushError::Full(snapshot)) = self.queue.push(snapshot) {
            self.link.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.keep(snapshot);
            counters::dropped(Dropped::QueueFull, 1);
        }
    }

    /// Snapshots in the queue; the ring still tells when the flusher has gone.
    fn waiting(&self) -> u64 {
        (self.queue.buffer().capacity() - self.queue.slots()) as u64
    }

    /// Counts what a flusher thread that broke leaves behind, and says so. Here and not by the thread:
    /// nothing can come into the queue meanwhile.
    fn notice_end(&mut self) {
        if !self.link.broken.load(Ordering::Acquire) || self.flusher.take().is_none() {
            return;
        }
        self.link.settle(Dropped::NoFlusher, || self.waiting() + self.link.shipping_events.load(Ordering::Relaxed));
        flusher::clear_gauges();
        let text = "wallarm sessions: the flusher thread has ended; requests of this worker are served, not recorded; \
                    a reload starts another one";
        log::cycle(log::Level::Error, text);
    }

    /// Says in the error log what the flusher wants said, and gives memory of a burst back.
    fn tick(&mut self) {
        while let Ok(said) = self.said.try_recv() {
            said.log();
        }
        guard::say();
        self.notice_end();
        self.drops.tell();
        let returned = self.empty.slots();
        self.reclaim(if returned <= KEEP_EMPTY { returned } else { returned.div_ceil(FREED_PART).min(FREED_AT_ONCE) });
    }
}

/// Memory that the copy of a body counts, in the worker that was there when it grew, until this goes.
#[derive(Default)]
pub(crate) struct Held {
    link: Option<Arc<Link>>,
    bytes: u64,
}

impl Held {
    /// Makes room in a buffer, and counts it; false when there is no memory for it.
    ///
    /// # Safety
    /// On the event loop's thread.
    pub(crate) unsafe fn enlarge(&mut self, buffer: &mut Vec<u8>, capacity: usize) -> bool {
        // SAFETY: upheld by the caller.
        let Some(worker) = (unsafe { current() }) else { return false };
        if buffer.capacity() == 0 {
            // One that is too small is freed: those that are kept grow with what is asked for.
            let kept = worker.buffers.pop().filter(|kept| kept.capacity() >= capacity);
            if let Some(kept) = kept {
                *buffer = kept;
                return self.count(worker, buffer.capacity());
            }
        }
        // Without memory for it NGINX goes on, and so do we.
        self.count(worker, capacity - buffer.capacity()) && buffer.try_reserve_exact(capacity - buffer.len()).is_ok()
    }

    fn count(&mut self, worker: &mut Worker, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let link = self.link.get_or_insert_with(|| Arc::clone(&worker.link));
        if !Arc::ptr_eq(link, &worker.link) || !worker.hold(bytes) {
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.queued_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// Hands a request over to the flusher: `fill` copies it.
///
/// # Safety
/// On the event loop's thread.
pub(crate) unsafe fn record(fill: impl FnOnce(&mut Snapshot) -> Option<()>) {
    // The worker is not held while `fill` runs: it may come back for a request id, and evaluates
    // variables of other modules.
    // SAFETY: upheld by the caller.
    let Some(worker) = (unsafe { current() }) else {
        // It could not be started, and that was said; or, without a master process, sessions were switched
        // off while the request was under way.
        counters::current().seen.add(1);
        lives::seen();
        return counters::dropped(Dropped::NoFlusher, 1);
    };
    let Some((mut snapshot, seq)) = worker.begin() else { return };
    let unless_filled = CountFailed;
    let filled = fill(&mut snapshot);
    // SAFETY: upheld by the caller.
    let Some(worker) = (unsafe { current() }) else { return };
    match filled {
        Some(()) => {
            std::mem::forget(unless_filled);
            snapshot.facts.seq = Some(seq);
            worker.send(snapshot);
        }
        None => worker.keep(snapshot),
    }
}

/// Counts a request that was seen and could not be copied, also when copying panicked.
struct CountFailed;

impl Drop for CountFailed {
    fn drop(&mut self) {
        counters::dropped(Dropped::Failed, 1);
    }
}

/// A new request id: a UUIDv7 (RFC 9562, section 5.7) of the given time.
///
/// # Safety
/// On the event loop's thread.
pub(crate) unsafe fn request_id(start_micros: u64) -> wire::RequestId {
    // SAFETY: upheld by the caller.
    let (high, low) = match unsafe { current() } {
        Some(worker) => (worker.random.u16(..), worker.random.u64(..)),
        None => (fastrand::u16(..), fastrand::u64(..)),
    };
    let high = ((start_micros / 1_000) << 16) | 0x7000 | u64::from(high & 0x0fff);
    let low = (0b10 << 62) | (low & (u64::MAX >> 2));
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

/// Runs `spawn` with every signal blocked but those of crashes: threads inherit the mask, and
/// NGINX's signals belong to its own thread (src/core/ngx_thread_pool.c does the same).
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised before they are read; both calls take valid pointers.
    unsafe {
        let mut blocked = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&raw mut blocked);
        for signal in [libc::SIGILL, libc::SIGFPE, libc::SIGSEGV, libc::SIGBUS] {
            libc::sigdelset(&raw mut blocked, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, &raw mut before);
        let out = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        out
    }
}

/// Whether the timer runs. Touched by the event loop's thread alone.
static TICKING: AtomicBool = AtomicBool::new(false);

/// # Safety
/// On the event loop's thread.
unsafe fn start_timer() {
    if TICKING.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: events live as long as the process; a cancelable timer does not hold a graceful
    // shutdown up (src/event/ngx_event_timer.c), and NGINX reads `data` when it logs in debug mode.
    unsafe {
        let event: &'static mut ngx_event_t = Box::leak(Box::new(std::mem::zeroed()));
        event.handler = Some(on_timer);
        event.data = std::ptr::from_mut(event).cast();
        event.log = (*ngx_cycle).log;
        event.set_cancelable(1);
        ngx_add_timer(event, TICK.as_millis() as ngx_uint_t);
    }
}

#[unsafe(export_name = "wallarm_sessions_entry_timer")]
unsafe extern "C" fn on_timer(event: *mut ngx_event_t) {
    // SAFETY: NGINX calls on the event loop's thread with the event that `start_timer` made and no
    // longer has in its timers.
    unsafe {
        let again = guard("timer", true, || {
            if !is_in_use() {
                stop();
            }
            current().map(Worker::tick).is_some()
        });
        if again {
            // Without a master process a reload replaces the cycle, and its log, under a running timer.
            (*event).log = (*ngx_cycle).log;
            ngx_add_timer(event, TICK.as_millis() as ngx_uint_t);
        } else {
            TICKING.store(false, Ordering::Relaxed);
            drop(Box::from_raw(event));
        }
    }
}

/// Whether the module is a part of the running cycle. Without a master process a reload can leave it
/// out and tells it nothing.
///
/// # Safety
/// On the event loop's thread.
unsafe fn is_in_use() -> bool {
    // SAFETY: upheld by the caller; the list ends with null (src/core/ngx_module.c).
    unsafe {
        let mut at = (*ngx_cycle).modules;
        while !(*at).is_null() {
            if std::ptr::eq(*at, module()) {
                return true;
            }
            at = at.add(1);
        }
    }
    false
}

/// Lets the flusher send what is left, for a bounded time, and counts what it could not.
///
/// # Safety
/// On the event loop's thread, as the process exits or goes on with another configuration.
pub(crate) unsafe fn stop() {
    // SAFETY: the pointer came from `Box::into_raw`; after the swap nobody else finds it.
    unsafe {
        let worker = WORKER.swap(std::ptr::null_mut(), Ordering::Relaxed);
        if worker.is_null() {
            return;
        }
        let mut worker = Box::from_raw(worker);
        if let Some(exit) = &worker.flusher {
            exit.join(Instant::now() + LAST_WORDS);
        }
        worker.tick();
        let left = || worker.link.shipping_events.load(Ordering::Relaxed) + worker.waiting();
        worker.link.settle(Dropped::UnsentAtExit, left);
        worker.drops.tell();
    }
}
