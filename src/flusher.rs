//! The flusher thread: takes snapshots from the queue, makes events of them, and lets the shipper
//! deliver them.
//!
//! It owns all it touches but atomics and the two wait-free queues; no NGINX object is among them.
//! It looks into the queue now and then instead of waiting on it: to wake a thread that waits would
//! cost the event loop a system call.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use capture::{Extractor, NodeFacts, Snapshot, Undecoded};
use crossbeam_channel::{Receiver, Sender, bounded};
use rtrb::{Consumer, Producer, PushError};
use shipper::{
    Batch, Clock, Failure, Options, Pushed, SecureNet, Shipper, SpoolOptions, SpoolStatus, Status, SystemClock,
    SystemNet, Until,
};
use spool::OsDisk;
use wire::EventTime;

use crate::clock::now_micros;
use crate::config::{MainConf, Queue};
use crate::counters::{self, Count, Dropped};
use crate::guard::{guard_thread, planted};
use crate::lives;
use crate::log;
use crate::worker::Link;

/// Between two looks into the queue: while there is something in it, and while there is not.
const BUSY_NAP: Duration = Duration::from_millis(10);
const IDLE_NAP: Duration = Duration::from_millis(50);
/// How often the node tells the collector of itself.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// How often it looks for workers that were killed.
const OTHERS_INTERVAL: Duration = Duration::from_secs(1);
/// Enough for the deepest JSON that is read; far from the default 2 MiB.
const STACK: usize = 512 << 10;

/// The thread before it runs.
pub(crate) struct Flusher {
    shipper: Shipper<SecureNet<SystemNet>>,
    intake: Intake,
    say: Sender<Said>,
    about: About,
    published: Published,
    /// When to look for workers that were killed.
    others_due: Instant,
}

/// Ends the thread.
pub(crate) struct Exit {
    asked: Arc<AtomicBool>,
    done: Receiver<()>,
    thread: thread::Thread,
}

/// What the thread wants said in the error log, which only the event loop may write to.
pub(crate) enum Said {
    Way(Status),
    Spool(SpoolStatus),
}

impl Flusher {
    pub(crate) fn new(
        conf: &MainConf,
        instance: [u8; 8],
        link: Arc<Link>,
        waiting: Consumer<Box<Snapshot>>,
        give_back: Producer<Box<Snapshot>>,
        say: Sender<Said>,
    ) -> Result<Self, String> {
        let facts = conf.facts.clone().ok_or("the configuration was not finished")?;
        let queue = conf.queue.unwrap_or_default();
        let batch = conf.batch.unwrap_or_default();
        let collectors = conf.collectors();
        let addresses = collectors.iter().map(|collector| collector.address.clone()).collect();
        let secured = collectors.into_iter().map(|collector| (collector.address, collector.security)).collect();
        let net = SecureNet::new(SystemNet, secured, facts.name.clone());
        let options = Options {
            batch_size: batch.events,
            batch_interval: batch.interval,
            zstd: batch.zstd,
            max_held: queue.memory,
            ..Options::new(addresses, instance)
        };
        let random = u64::from_be_bytes(crate::entropy::random_bytes());
        let now = Instant::now();
        let mut shipper = Shipper::new(net, options, random, now);
        if let Some(spool) = &conf.spool {
            let options = SpoolOptions { max_bytes: spool.max, wall: now_micros() };
            shipper = shipper.with_spool(OsDisk::unchecked(spool.directory.clone()), options, now);
        }
        let (plans, spool) = (conf.plans.clone(), conf.spool.as_ref().map(|spool| spool.max));
        let about = About { instance, facts: Arc::clone(&facts), queue, plans, spool, due: now };
        let extractor = Extractor::new((*facts).clone());
        let intake = Intake { waiting, give_back, link, extractor, pulled: false };
        Ok(Self { shipper, intake, say, about, published: Published::default(), others_due: now })
    }

    /// Starts the thread.
    pub(crate) fn spawn(self) -> Result<Exit, String> {
        let asked = Arc::new(AtomicBool::new(false));
        let (tell, done) = bounded(1);
        let stop = Arc::clone(&asked);
        let link = Arc::clone(&self.intake.link);
        let body = move || {
            let ended_well = guard_thread("flusher", false, || {
                self.run(&stop);
                true
            });
            if !ended_well {
                link.broken.store(true, Ordering::Release);
            }
            // Nobody listens any more when the deadline has passed.
            let _ = tell.send(());
        };
        let builder = thread::Builder::new().name("wallarm-flusher".into()).stack_size(STACK);
        let thread = builder.spawn(body).map_err(|error| error.to_string())?.thread().clone();
        Ok(Exit { asked, done, thread })
    }

    fn run(mut self, stop: &AtomicBool) {
        let cycle = counters::newest_cycle();
        while !stop.load(Ordering::Acquire) {
            if counters::newest_cycle() != cycle {
                // A reload: NGINX gives the new workers 100 ms before it ends this one.
                self.shipper.hasten();
            }
            let wake = self.step();
            let nap = if self.intake.pulled { BUSY_NAP } else { IDLE_NAP };
            // Only `Exit` wakes it before that.
            thread::park_timeout(nap.min(wake.saturating_duration_since(SystemClock.now())));
        }
        self.finish();
    }

    fn step(&mut self) -> Instant {
        let now = SystemClock.now();
        if now >= self.about.due {
            self.about.due = now + REPORT_INTERVAL;
            self.report();
        }
        if now >= self.others_due {
            self.others_due = now + OTHERS_INTERVAL;
            counters::dropped(Dropped::WorkerKilled, lives::take_lost());
        }
        let Self { shipper, intake, .. } = self;
        intake.pulled = false;
        let step = shipper.step(now, &mut |batch| intake.pull(batch));
        planted("flusher_step");
        if let Some(change) = step.change {
            self.say(Said::Way(change));
        }
        if let Some(change) = step.spool {
            self.say(Said::Spool(change));
        }
        self.publish();
        step.wake
    }

    fn say(&self, what: Said) {
        // A full channel means that the log is told of sixteen changes already.
        let _ = self.say.try_send(what);
    }

    /// Sends what is left, for a bounded time, and counts what could be neither sent nor stored.
    fn finish(mut self) {
        // The last numbers: a reader of gaps needs to know where they end.
        self.report();
        let Self { shipper, intake, about, .. } = &mut self;
        let for_sending = if about.spool.is_some() { Exit::BEFORE_STORING } else { Exit::FOR_SENDING };
        let now = SystemClock.now();
        let until = Until { sending: now + for_sending, storing: now + Exit::FOR_STORING };
        let left = shipper.finish(&SystemClock, until, &mut |batch| intake.pull(batch));
        let waiting = intake.waiting.slots();
        intake.link.settle(Dropped::UnsentAtExit, || (left.events + waiting) as u64);
        while let Some(change) = self.shipper.take_spool_change() {
            self.say(Said::Spool(change));
        }
        self.publish();
        clear_gauges();
    }

    fn report(&mut self) {
        let report = self.about.report(&self.intake, &self.shipper);
        let mut record = Vec::with_capacity(1024);
        if report.encode(&mut record).is_ok() {
            self.shipper.report(wire::TAG_NODE, EventTime::from_micros(now_micros()), &record);
        }
    }

    /// Carries the shipper's numbers over into shared memory, where the status page reads them.
    fn publish(&mut self) {
        let shipped = self.shipper.counters();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = counters::current();
        let last = &mut self.published;
        let live = get(&shipped.acked_events) - get(&shipped.fetched_events);
        lives::settled(last.settled.grown(live + get(&shipped.spooled_events)));
        last.sent.carry(get(&shipped.sent_events), &counters.sent_events);
        last.acked.carry(get(&shipped.acked_events), &counters.acked_events);
        last.spooled.carry(get(&shipped.spooled_events), &counters.spooled_events);
        last.fetched.carry(get(&shipped.fetched_events), &counters.fetched_events);
        counters::dropped(Dropped::SpoolFull, last.spool_full.grown(get(&shipped.spool_full_events)));
        counters::dropped(Dropped::SpoolDamaged, last.spool_damaged.grown(get(&shipped.spool_damaged_events)));
        if let (Some(_), Some(shared)) = (self.about.spool, counters::shared()) {
            shared.spool_bytes.set(get(&shipped.spool_bytes));
        }
        last.resent.carry(get(&shipped.resent_chunks), &counters.resent_chunks);
        last.ack_timeouts.carry(get(&shipped.ack_timeouts), &counters.ack_timeouts);
        last.connects.carry(get(&shipped.connects), &counters.connects);
        last.connect_failures.carry(get(&shipped.connect_failures), &counters.connect_failures);
        last.disconnects.carry(get(&shipped.disconnects), &counters.disconnects);
        let undecoded = self.intake.extractor.undecoded();
        if undecoded != last.undecoded {
            let grown = undecoded.each().zip(last.undecoded.each()).map(|((.., now), (.., before))| now - before);
            grown.zip(&counters.undecoded).for_each(|(more, count)| count.add(more));
            last.undecoded = undecoded;
        }
        let link = &self.intake.link;
        let held = get(&shipped.held_bytes);
        link.shipping_bytes.store(held, Ordering::Relaxed);
        counters.memory.set(held + link.queued_bytes.load(Ordering::Relaxed));
        counters.queue_length.set(self.intake.waiting.slots() as u64);
        let events = get(&shipped.unacked_events) + get(&shipped.open_events);
        link.shipping_events.store(events, Ordering::Relaxed);
        counters.unacked_events.set(events);
        counters.connected.set(shipped.connected.load(Ordering::Relaxed).into());
    }
}

impl Exit {
    /// How long the thread goes on sending when it is asked to end.
    const FOR_SENDING: Duration = Duration::from_millis(800);

    /// The same where the rest of the time is for the disk.
    const BEFORE_STORING: Duration = Duration::from_millis(500);

    /// When what is neither sent nor stored is given up.
    const FOR_STORING: Duration = Duration::from_millis(900);

    /// Asks the thread to end and waits for it, at most until `deadline`. A thread that is late is
    /// left to the end of the process: the module's code stays mapped (`-z nodelete`).
    pub(crate) fn join(&self, deadline: Instant) {
        self.asked.store(true, Ordering::Release);
        self.thread.unpark();
        let _ = self.done.recv_deadline(deadline);
    }
}

impl Said {
    /// Writes the line, unless another worker has said the same.
    pub(crate) fn log(&self) {
        match self {
            Self::Way(way) => Self::log_way(way),
            Self::Spool(spool) => Self::log_spool(spool),
        }
    }

    fn log_spool(spool: &SpoolStatus) {
        let fails = counters::shared().map(|shared| &shared.spool_fails_said);
        match spool {
            SpoolStatus::Fails { reason } if begins(fails) => {
                let text = format!(
                    "wallarm sessions: the spool cannot be used ({reason}); requests are served, events wait in \
                     memory, it is tried again"
                );
                log::cycle(log::Level::Error, &text);
            }
            SpoolStatus::Works if ends(fails) => {
                log::cycle(log::Level::Notice, "wallarm sessions: the spool can be used again");
            }
            SpoolStatus::Fails { .. } | SpoolStatus::Works => {}
            SpoolStatus::Damaged { part, offset, bytes } => {
                let text = format!(
                    "wallarm sessions: {bytes} bytes at byte {offset} of {part} are no whole record and were left out, \
                     as after a crash"
                );
                log::cycle(log::Level::Warn, &text);
            }
        }
    }

    fn log_way(way: &Status) {
        let unreachable = counters::shared().map(|shared| &shared.unreachable_said);
        let elsewhere = counters::shared().map(|shared| &shared.failover_said);
        match way {
            Status::Unreachable(Failure { address, reason }) => {
                if begins(unreachable) {
                    let text = format!(
                        "wallarm sessions: the collector {address} cannot be reached ({reason}); requests are \
                         served, events wait in memory, it is tried again"
                    );
                    log::cycle(log::Level::Error, &text);
                }
            }
            Status::Connected { address, instead_of: None } => {
                let was_elsewhere = ends(elsewhere);
                if ends(unreachable) || was_elsewhere {
                    log::cycle(log::Level::Notice, &format!("wallarm sessions: the collector {address} is reached"));
                }
            }
            Status::Connected { address, instead_of: Some(Failure { address: other, reason }) } => {
                let was_unreachable = ends(unreachable);
                if begins(elsewhere) {
                    let text = format!(
                        "wallarm sessions: the collector {other} cannot be reached ({reason}); events go to \
                         {address}, those before it are tried again"
                    );
                    log::cycle(log::Level::Error, &text);
                } else if was_unreachable {
                    log::cycle(log::Level::Notice, &format!("wallarm sessions: the collector {address} is reached"));
                }
            }
        }
    }
}

/// Notes for all workers that a trouble is there. True for the first one that says so, and without shared memory.
fn begins(trouble: Option<&Count>) -> bool {
    trouble.is_none_or(|said| said.swap(1) == 0)
}

/// Notes for all workers that it is over. True for the first one that says so, of a trouble that was said.
fn ends(trouble: Option<&Count>) -> bool {
    trouble.is_some_and(|said| said.swap(0) != 0)
}

/// The end of the queue where snapshots become events.
struct Intake {
    waiting: Consumer<Box<Snapshot>>,
    give_back: Producer<Box<Snapshot>>,
    link: Arc<Link>,
    extractor: Extractor,
    /// Whether the last step found something.
    pulled: bool,
}

impl Intake {
    /// Adds the next event to the batch. False when there is none.
    fn pull(&mut self, batch: &mut Batch) -> bool {
        let Ok(snapshot) = self.waiting.pop() else { return false };
        self.pulled = true;
        // Bodies are freed, and taken out of the count, on the event loop.
        let bytes = (snapshot.memory() - snapshot.body_memory()) as u64;
        // From here on, so that it is counted wherever this thread ends.
        self.link.shipping_events.fetch_add(1, Ordering::Relaxed);
        // One broken request must not end the thread.
        let pushed = guard_thread("extract", Pushed::Refused, || self.push(&snapshot, batch));
        if pushed != Pushed::Kept {
            self.link.shipping_events.fetch_sub(1, Ordering::Relaxed);
            counters::dropped(Dropped::Failed, 1);
        }
        self.link.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Err(PushError::Full(snapshot)) = self.give_back.push(snapshot) {
            // Rare: the event loop has filled other ones meanwhile.
            self.link.queued_bytes.fetch_sub(snapshot.body_memory() as u64, Ordering::Relaxed);
        }
        true
    }

    fn push(&mut self, snapshot: &Snapshot, batch: &mut Batch) -> Pushed {
        let Some(plan) = &snapshot.plan else { return Pushed::Refused };
        let event = self.extractor.extract(plan, snapshot);
        batch.push(EventTime::from_micros(snapshot.facts.start), |out| {
            event.encode(out);
            true
        })
    }
}

/// What the node tells of itself.
struct About {
    instance: [u8; 8],
    facts: Arc<NodeFacts>,
    queue: Queue,
    plans: Vec<wire::PlanReport>,
    /// Its limit in bytes.
    spool: Option<u64>,
    due: Instant,
}

impl About {
    fn report(&self, intake: &Intake, shipper: &Shipper<SecureNet<SystemNet>>) -> wire::NodeReport {
        let shipped = shipper.counters();
        let link = &intake.link;
        wire::NodeReport {
            v: 1,
            node: self.facts.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            nginx: nginx_sys::NGINX_VERSION.to_string_lossy().into_owned(),
            instance: self.instance,
            pid: std::process::id(),
            kid: self.facts.secret.kid(),
            next_seq: link.next_seq.load(Ordering::Relaxed),
            queue: wire::QueueReport {
                length: intake.waiting.slots() as u64,
                capacity: self.queue.snapshots as u64,
                bytes: link.queued_bytes.load(Ordering::Relaxed) + shipper.held_bytes() as u64,
                memory: self.queue.memory as u64,
                unacked_chunks: shipped.unacked_chunks.load(Ordering::Relaxed),
                unacked_events: shipped.unacked_events.load(Ordering::Relaxed),
            },
            drops: counters::drops_of_this_instance(),
            spool: self.spool.map(|max| spool_report(max, &shipped)),
            plans: self.plans.clone(),
        }
    }
}

fn spool_report(max: u64, shipped: &shipper::Counters) -> BTreeMap<String, u64> {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let of = [("bytes", get(&shipped.spool_bytes)), ("parts", get(&shipped.spool_parts)), ("max", max)];
    of.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Nothing is held any more.
pub(crate) fn clear_gauges() {
    let counters = counters::current();
    for gauge in [&counters.queue_length, &counters.memory, &counters.unacked_events, &counters.connected] {
        gauge.set(0);
    }
}

/// How far the shipper's numbers were carried over.
#[derive(Default)]
struct Published {
    /// Own events that are acknowledged or on disk.
    settled: Carried,
    sent: Carried,
    acked: Carried,
    spooled: Carried,
    fetched: Carried,
    spool_full: Carried,
    spool_damaged: Carried,
    resent: Carried,
    ack_timeouts: Carried,
    connects: Carried,
    connect_failures: Carried,
    disconnects: Carried,
    undecoded: Undecoded,
}

#[derive(Default)]
struct Carried(u64);

impl Carried {
    fn carry(&mut self, now: u64, to: &Count) {
        to.add(self.grown(now));
    }

    /// By how much it has grown since the last call.
    fn grown(&mut self, now: u64) -> u64 {
        now - std::mem::replace(&mut self.0, now)
    }
}
