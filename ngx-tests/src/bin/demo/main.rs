//! `demo`: the shop, its clients, NGINX with the module, and the collector, for a look around
//! (until Ctrl-C) or for one round whose outcome is checked (`--once`).

mod stage;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use ngx_tests::clients::{self, Scene};
use ngx_tests::wait;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use stage::Stage;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The shop behind NGINX with sessions, and clients that use it as people and as bots do.
#[derive(Parser)]
struct Arguments {
    /// One round of the clients; ends with a line of JSON, and with 0 only when every request is
    /// stored and the sessions are those that the clients expect.
    #[arg(long)]
    once: bool,
    /// Do something wrong on purpose, to see `--once` fail.
    #[arg(long, value_enum, requires = "once")]
    tamper: Option<Tamper>,
    /// Seconds that `--once` waits for the last request to be stored.
    #[arg(long, default_value_t = 30)]
    deadline: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tamper {
    /// Lose one event between NGINX and the collector.
    DropOne,
    /// Give the cookie's key a namespace of its own, so that a login and what follows part.
    Namespace,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // The terminal was closed.
    let mut hung_up = signal(SignalKind::hangup())?;
    let stage = Stage::set(arguments.tamper).await?;
    stage.announce();
    let outcome = tokio::select! {
        outcome = play(&stage, arguments) => outcome,
        _ = interrupted.recv() => Ok(ExitCode::SUCCESS),
        _ = terminated.recv() => Ok(ExitCode::SUCCESS),
        _ = hung_up.recv() => Ok(ExitCode::SUCCESS),
    };
    stage.strike()?;
    outcome
}

async fn play(stage: &Stage, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.once { once(stage, Duration::from_secs(arguments.deadline)).await } else { go_on(stage).await }
}

/// One round, and what came of it.
async fn once(stage: &Stage, deadline: Duration) -> Result<ExitCode, Failure> {
    let scene = Scene::hurried(stage.url());
    clients::everybody(&scene, 0).await?;
    let requests = scene.ledger.requests();
    // What is not stored in time is told below, as a number.
    let _ = wait::until("every request to be stored", deadline, async || {
        stage.rest().stored().await.is_ok_and(|stored| stored >= requests).then_some(())
    })
    .await;
    let sessions = stage.rest().sessions().await?;
    print!("{}", table::of(&sessions));
    let stored: u64 = sessions.iter().map(|session| session.requests).sum();
    let expected_sessions = scene.ledger.expected_sessions();
    let outcome = Outcome { requests, stored, sessions: table::distinct(&sessions), expected_sessions };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(if outcome.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `--once` ends with: what the clients say, and what the API says.
#[derive(Serialize)]
struct Outcome {
    requests: u64,
    stored: u64,
    sessions: u64,
    expected_sessions: u64,
}

impl Outcome {
    fn is_right(&self) -> bool {
        self.requests == self.stored && self.sessions == self.expected_sessions
    }
}

/// How long a person thinks between two requests while somebody watches.
const THINKING: Duration = Duration::from_millis(700);
const REDRAW: Duration = Duration::from_secs(2);

/// Round after round, with the table as it grows.
async fn go_on(stage: &Stage) -> Result<ExitCode, Failure> {
    let scene = Scene { pause: THINKING, ..Scene::hurried(stage.url()) };
    let rounds = async {
        for round in 0.. {
            clients::everybody(&scene, round % 10).await?;
        }
        Ok::<(), Failure>(())
    };
    let drawing = async {
        loop {
            tokio::time::sleep(REDRAW).await;
            let sessions = stage.rest().sessions().await?;
            table::draw(&sessions, scene.ledger.requests());
        }
    };
    tokio::select! {
        ended = rounds => ended?,
        failed = drawing => return failed,
    }
    Ok(ExitCode::SUCCESS)
}
