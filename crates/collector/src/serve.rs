//! The running server: opens what it keeps, starts threads and sockets, and ends them in order.
//!
//! At the end nothing is lost and little is left to do for the next start: first no new connections,
//! then what came is synced and acknowledged, then applied, then checkpointed.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use spool::{Log, Options, OsDisk};
use tokio::sync::{mpsc, oneshot, watch};

use crate::KEPT_DAYS;
use crate::api;
use crate::apply::{
    Applier, ApplyStopped, ApplyThread, AsideFiles, ClockGuard, DamagedSegments, LogDays, Marks, READ_PATIENCE, Seen,
};
use crate::baselines;
use crate::clock::{Clock, SystemClock};
use crate::data_dir::{DataDir, DataDirError, load_json};
use crate::desk::{Desk, DeskError};
use crate::endpoints::DecisionError;
use crate::expiry;
use crate::geo::{Geo, GeoError};
use crate::ingest::{self, Entrance, Job, Journal, JournalStopped, JournalThread, Progress, Tls};
use crate::metrics::Metrics;
use crate::model::{Day, Micros};
use crate::nodes::Nodes;
use crate::noise::{Noise, NoiseError};
use crate::readiness::Readiness;
use crate::secret::{self, BadSecret};
use crate::settings::{Address, IngestGuard, Settings};
use crate::shared::Shared;
use crate::sockets::{self, BindError, Bound};
use crate::store::duckdb::{DuckStore, Limits};
use crate::store::{Resume, Store, StoreError};

/// Frames that wait for the journal thread; their bytes have a limit of their own.
const JOBS: usize = 1024;
/// How long what came may take at the end to get into the log, which waits for a store that is behind.
const LOG_END: Duration = Duration::from_secs(10);

/// How long a log is kept that was put away.
const WEEK: Duration = Duration::from_secs(KEPT_DAYS as u64 * 86_400);

/// Why the server does not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The secret file cannot be used.
    #[error(transparent)]
    Secret(#[from] BadSecret),
    /// A certificate or key of the ingest sockets cannot be used.
    #[error(transparent)]
    Credentials(#[from] credentials::BadFile),
    /// What people added cannot be used.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] spool::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Log and store do not belong together.
    #[error(
        "log {log} holds {first}..{end}, but the store has to do with {needed} of it: a part is missing; \
         bring the folder back, or move away positions.json beside the day files to go on with what there is"
    )]
    Gap {
        /// The log's folder.
        log: String,
        /// Where it begins.
        first: u64,
        /// Where it ends.
        end: u64,
        /// What is needed of it.
        needed: u64,
    },
    /// A small file cannot be used.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which one.
        path: String,
        /// What is wrong.
        source: std::io::Error,
    },
    /// Countries and networks cannot be told.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// Pins and merges cannot be used.
    #[error(transparent)]
    Decisions(#[from] DecisionError),
    /// The rules of noise cannot be used.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// The system does not give what a server needs.
    #[error("cannot {doing}: {source}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The log failed under way.
    #[error(transparent)]
    Journal(#[from] JournalStopped),
    /// Applying failed under way.
    #[error(transparent)]
    Apply(#[from] ApplyStopped),
    /// A thread ended without a word: a bug.
    #[error("the {0} thread panicked; its message is above")]
    Panicked(&'static str),
}

/// A server that is open and listens, but does not work yet.
pub struct Server {
    shared: Shared,
    settings: Settings,
    ingest: Bound,
    entrance: Entrance,
    api: Bound,
    journal: JournalThread,
    jobs: mpsc::Sender<Job>,
    apply: ApplyThread,
    progress: Arc<Progress>,
    // Dropped last: until then the directory is taken.
    _data_dir: DataDir,
}

/// Runs a server until `stop`.
pub async fn serve(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let server = Server::open(settings, Arc::new(SystemClock::default())).await?;
    server.announce();
    server.run(stop).await
}

impl Server {
    /// Opens everything and binds the sockets.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let secret = settings.secret.as_deref().map(secret::read).transpose()?;
        let entrance = entrance(&settings.ingest_guard)?;
        let data_dir = DataDir::open(&settings.data_dir, settings.create_data_dir)?;
        forget_closed(&data_dir, clock.as_ref())?;
        data_dir.probe()?;
        let noise = Arc::new(Noise::open(&data_dir.noise_file())?);
        let marks = Marks { geo: Geo::open(&settings.geo)?, noise: Arc::clone(&noise) };
        let limits = Limits { memory: settings.memory_limit, threads: settings.threads, ..Limits::default() };
        let store: Arc<dyn Store> = Arc::new(DuckStore::open(&data_dir.days(), &data_dir.temp(), limits)?);
        let desk = Desk::open(&data_dir.settings_db(), &data_dir.bundles()).await?;
        store.endpoints().decide_by(&data_dir.endpoints_file())?;
        let metrics = Arc::new(Metrics::default());
        let readiness = Arc::new(Readiness::default());
        let nodes = Arc::new(Nodes::default());
        metrics.store_rows.set(store.rows());

        let mut resume = store.resume()?;
        let log = open_log(&data_dir, &mut resume, &settings, &metrics)?;
        let progress = Arc::new(Progress::default());
        progress.set_synced(log.end());
        let complete = resume.complete;
        progress.set_applied(complete);
        let guard = open_guard(&data_dir, &settings, store.newest(), clock.as_ref())?;

        if guard.stopped().is_none() {
            data_dir.forget_logs(WEEK)?;
        }

        let log_days_file = data_dir.log_days_file();
        let log_days = LogDays::load(log_days_file.clone())
            .map_err(|source| ServeError::File { path: log_days_file.display().to_string(), source })?;

        let ingest = sockets::bind(&settings.ingest, settings.ingest_guard.lets_others_in()).await?;
        let api = sockets::bind(&settings.api, false).await?;
        let (jobs, queue) = mpsc::channel(JOBS);
        let journal = JournalThread {
            journal: Journal::new(log, Arc::clone(&metrics)).with_reserve(settings.disk_reserve),
            jobs: queue,
            progress: Arc::clone(&progress),
            unapplied_max: settings.log_unapplied_max,
            readiness: Arc::clone(&readiness),
            clock: Arc::clone(&clock),
        };
        let aside = AsideFiles::new(&data_dir.set_aside());
        let applier =
            Applier::new(Arc::clone(&store), resume, Arc::clone(&nodes), Arc::clone(&metrics), aside, guard.today())
                .with_marks(marks);
        let apply = ApplyThread {
            applier,
            reader: journal.journal.reader(),
            read_patience: READ_PATIENCE,
            damaged: DamagedSegments::new(&data_dir.log(), &data_dir.set_aside()),
            store: Arc::clone(&store),
            applied: complete,
            safe: 0,
            progress: Arc::clone(&progress),
            journal: jobs.downgrade(),
            log_retain: settings.log_retain,
            log_days,
            guard,
            guard_file: data_dir.clock_file(),
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
        };
        let baselines = Arc::default();
        let shared = Shared { store, desk, secret, baselines, noise, nodes, metrics, readiness, clock };
        Ok(Self { shared, settings, ingest, entrance, api, journal, jobs, apply, progress, _data_dir: data_dir })
    }

    /// What the API gets to see.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where nodes connect to, with the ports that the system chose.
    pub fn ingest_addresses(&self) -> Vec<Address> {
        self.ingest.addresses()
    }

    /// Where readers connect to, with the ports that the system chose.
    pub fn api_addresses(&self) -> Vec<Address> {
        self.api.addresses()
    }

    /// Says on the standard output where the server listens.
    fn announce(&self) {
        let mut out = std::io::stdout().lock();
        // Nobody has to listen.
        for address in self.ingest_addresses() {
            let over = match address {
                Address::Tcp(_) if self.settings.ingest_guard.tls.is_some() => ", over TLS",
                _ => "",
            };
            let _ = writeln!(out, "collector: ingest on {address}{over}");
        }
        for address in self.api_addresses() {
            let _ = match address {
                Address::Tcp(address) => writeln!(out, "collector: api on http://{address}"),
                Address::Unix(_) => writeln!(out, "collector: api on {address}"),
            };
        }
        let _ = out.flush();
    }

    /// Works until `stop`, or until something that cannot be mended under way.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { shared, settings, ingest, entrance, api, journal, jobs, apply, progress, _data_dir } = self;
        let mut journal = spawn("journal", move || journal.run())?;
        let mut apply = spawn("apply", move || apply.run())?;
        let figures = tokio::spawn(keep_baselines(shared.clone()));
        let (stopping, stopped) = watch::channel(false);
        let metrics = Arc::clone(&shared.metrics);
        let looking = tokio::spawn(ingest::keep_looking(jobs.downgrade()));
        let mut nodes = tokio::spawn(ingest::listen::serve(
            ingest,
            entrance,
            settings.ingest_connections,
            jobs,
            metrics,
            stopped.clone(),
        ));
        let until = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|&stopped| stopped).await;
        };
        let limits = api::Limits { visit_gap: settings.visit_gap, ..api::Limits::default() };
        let desk = shared.desk.clone();
        let expiry = tokio::spawn(expiry::run(shared.clone()));
        let readers = tokio::spawn(api.serve(api::router(shared, limits), until(stopped)));

        let mut failure = None;
        let (mut journal_ended, mut apply_ended) = (false, false);
        tokio::select! {
            () = stop => {}
            ended = &mut journal => {
                journal_ended = true;
                failure = Some(ended_early("journal", ended));
            }
            ended = &mut apply => {
                apply_ended = true;
                failure = Some(ended_early("apply", ended));
            }
        }
        let _ = stopping.send(true);
        figures.abort();
        looking.abort();
        if failure.is_some() {
            // Nobody waits any more for what cannot come.
            progress.stop();
        }
        let _ = (&mut nodes).await;
        if !journal_ended {
            let end = match tokio::time::timeout(LOG_END, &mut journal).await {
                Ok(end) => end,
                Err(_) => {
                    tracing::warn!("the store is too far behind to wait for: the next start applies the rest");
                    progress.stop();
                    journal.await
                }
            };
            failure = failure.or(ended("journal", end).err());
        }
        progress.stop();
        if !apply_ended {
            let ended = ended("apply", apply.await);
            failure = failure.or(ended.err());
        }
        let _ = readers.await;
        expiry.abort();
        desk.close().await;
        failure.map_or(Ok(()), Err)
    }
}

fn entrance(guard: &IngestGuard) -> Result<Entrance, credentials::BadFile> {
    let tls = guard.tls.clone().map(Tls::open).transpose()?;
    let shared_key = guard.shared_key.as_deref().map(credentials::shared_key).transpose()?;
    Ok(Entrance { tls, shared_key: shared_key.map(wire::SharedKey::new) })
}

fn open_log(
    data_dir: &DataDir,
    resume: &mut Resume,
    settings: &Settings,
    metrics: &Metrics,
) -> Result<Log<OsDisk>, ServeError> {
    let path = data_dir.log();
    let name = path.display().to_string();
    let start = resume.days.values().copied().max().unwrap_or_default().max(resume.complete);
    let open = || -> Result<_, ServeError> {
        let disk = OsDisk::new(&path).map_err(|source| ServeError::File { path: name.clone(), source })?;
        Ok(Log::open(disk, Options { start, ..Options::default() })?)
    };
    let (mut log, recovery) = open()?;
    if let Some(file) = &recovery.cut_from {
        metrics.log_cut_bytes.set(recovery.cut_bytes);
        tracing::warn!(file, bytes = recovery.cut_bytes, "an incomplete last record was cut from the log");
    }
    if resume.complete == 0 {
        // Nothing was ever checkpointed, or an operator wants everything that is left applied anew.
        if log.end() < start {
            // Its end would get positions that the days have taken for read.
            let (first, end) = (log.first(), log.end());
            drop(log);
            let away = data_dir.put_log_away()?;
            tracing::error!("{name} held {first}..{end}, but a day file got to {start}: it is now {}", away.display());
            log = open()?.0;
        }
        resume.complete = log.first();
    } else if resume.complete < log.first() || start > log.end() {
        let needed = if resume.complete < log.first() { resume.complete } else { start };
        return Err(ServeError::Gap { log: name, first: log.first(), end: log.end(), needed });
    }
    let again = log.end() - resume.complete;
    metrics.log_unapplied_bytes.set(again);
    tracing::info!(bytes = again, retain = settings.log_retain, "the log is open; what is not in the store is applied");
    Ok(log)
}

/// Keeps what is usual of endpoints up to date.
async fn keep_baselines(shared: Shared) {
    loop {
        let Shared { store, baselines: known, clock, .. } = shared.clone();
        let refreshed = tokio::task::spawn_blocking(move || known.refresh(store.as_ref(), clock.monotonic())).await;
        if let Ok(Err(error)) = refreshed {
            tracing::warn!(%error, "what is usual of endpoints could not be told");
        }
        tokio::time::sleep(baselines::LOOK).await;
    }
}

/// Makes room on a disk that may be full, by a clock that may be wrong: only what is over a week old
/// by the time that was believed last goes, and by now if that is no more than a day later.
fn forget_closed(data_dir: &DataDir, clock: &dyn Clock) -> Result<(), ServeError> {
    let seen = load_seen(data_dir)?;
    let guard = ClockGuard::new(seen.clone(), None, false, clock.now(), clock.monotonic());
    if seen.last > 0 && guard.stopped().is_none() {
        DuckStore::forget_closed(&data_dir.days(), Day(guard.today().0 - KEPT_DAYS + 1))?;
    }
    Ok(())
}

fn load_seen(data_dir: &DataDir) -> Result<Seen, ServeError> {
    let path = data_dir.clock_file();
    load_json(&path).map_err(|source| ServeError::File { path: path.display().to_string(), source })
}

fn open_guard(
    data_dir: &DataDir,
    settings: &Settings,
    newest: Option<Micros>,
    clock: &dyn Clock,
) -> Result<ClockGuard, ServeError> {
    let seen = load_seen(data_dir)?;
    Ok(ClockGuard::new(seen, newest, settings.clock_confirmed, clock.now(), clock.monotonic()))
}

/// Runs `work` on a thread of its own; its end is told to whoever waits for it.
fn spawn<E: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> Result<oneshot::Receiver<Result<(), E>>, ServeError> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            // The server waits for this until its own end.
            let _ = ended.send(work());
        })
        .map_err(|source| ServeError::System { doing: "start a thread", source })?;
    Ok(end)
}

fn ended<E: Into<ServeError>>(
    name: &'static str,
    end: Result<Result<(), E>, oneshot::error::RecvError>,
) -> Result<(), ServeError> {
    match end {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(ServeError::Panicked(name)),
    }
}

fn ended_early<E: Into<ServeError>>(
    name: &'static str,
    end: Result<Result<(), E>, oneshot::error::RecvError>,
) -> ServeError {
    ended(name, end).err().unwrap_or(ServeError::Panicked(name))
}
