//! Whether millions of requests and many reloads leave memory, descriptors and threads as they were: see
//! `scripts/bench/steady`.

use std::error::Error;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::Parser;
use ngx_tests::collector::Collector;
use ngx_tests::load::{Load, get};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::rest::Rest;
use ngx_tests::{proc, wait};

/// Serves requests with reloads between, and compares what the processes hold in the end with the beginning.
#[derive(clap::Parser)]
struct Arguments {
    /// Requests in all.
    #[arg(long, default_value_t = 2_000_000)]
    requests: u64,
    /// Reloads, each before an equal part of the requests.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(4..))]
    reloads: u64,
    /// Where one line a figure goes.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// The last quarter may differ so much from the first, as a share.
const BAR: f64 = 0.05;
const CONNECTED: &str = "wallarm_sessions_connected";

/// What one process had after a reload and the requests behind it.
#[derive(Clone, Copy, Debug)]
struct Holding {
    /// KiB.
    memory: u64,
    descriptors: usize,
    threads: usize,
}

impl Holding {
    fn of(process: u32) -> Self {
        Self {
            memory: proc::resident_memory(process),
            descriptors: proc::descriptors(process),
            threads: proc::threads(process).len(),
        }
    }

    /// The most of each, over the workers of an NGINX.
    fn of_workers(nginx: &Nginx) -> Self {
        nginx.workers().into_iter().map(Self::of).fold(Self { memory: 0, descriptors: 0, threads: 0 }, |most, one| {
            Self {
                memory: most.memory.max(one.memory),
                descriptors: most.descriptors.max(one.descriptors),
                threads: most.threads.max(one.threads),
            }
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { requests, reloads, json } = Arguments::parse();
    let names = ["master", "worker", "collector"];
    let mut taken: [Vec<Holding>; 3] = Default::default();

    let collector = Collector::start().await?;
    let rest = collector.rest()?;
    let config = Config::file("demo.conf")?.in_server("        location /load/ { return 200 \"served\\n\"; }")?;
    let mut nginx = Nginx::start(&config.runtime(&collector.runtime()))?;
    for reload in 1..=reloads {
        nginx.reload()?;
        serve(&nginx, requests / reloads)?;
        stored(&rest, &nginx, requests / reloads * reload).await?;
        let collector = collector.id().ok_or("the collector has ended")?;
        let now = [Holding::of(nginx.id()), Holding::of_workers(&nginx), Holding::of(collector)];
        for (taken, now) in taken.iter_mut().zip(now) {
            taken.push(now);
        }
        progress(reload, reloads, &now);
    }
    nginx.stop()?;

    let mut lines = String::new();
    println!("\n{:<26} {:>14} {:>14} {:>10}   bar", "", "first quarter", "last quarter", "change");
    for (name, taken) in names.iter().zip(&taken) {
        let quarter = taken.len().div_ceil(4);
        let (first, last) = (&taken[..quarter], &taken[taken.len() - quarter..]);
        for (what, bar, of) in [
            ("rss_kib", BAR, (|one| one.memory as f64) as fn(&Holding) -> f64),
            ("descriptors", 0.0, |one| one.descriptors as f64),
            ("threads", 0.0, |one| one.threads as f64),
        ] {
            let [first, last] = [first, last].map(|some| some.iter().map(of).sum::<f64>() / some.len() as f64);
            let (change, holds) = (last / first - 1.0, (last / first - 1.0) <= bar + f64::EPSILON);
            let missed = if holds { "" } else { ", missed" };
            println!(
                "{:<26} {first:>14.1} {last:>14.1} {:>9.1}%   {:.0}%{missed}",
                format!("{name} {what}"),
                change * 100.0,
                bar * 100.0
            );
            lines += &serde_json::json!({
                "figure": format!("steady.{name}.{what}.change"), "value": change, "unit": "ratio", "bar": bar, "holds": holds,
            })
            .to_string();
            lines.push('\n');
        }
    }
    if let Some(file) = json {
        File::create(file)?.write_all(lines.as_bytes())?;
    }
    Ok(())
}

/// So many requests of a thousand clients, over sixteen connections.
fn serve(nginx: &Nginx, requests: u64) -> Result<(), Box<dyn Error>> {
    let heads = (0..1000).map(|client| get("/load/{n}", &[("Cookie", &format!("sid=client-{client}"))])).collect();
    let load = Load { address: nginx.address(), connections: 16, requests, rate: None, heads };
    let reached = load.start()?.join()?;
    if reached.answered == requests { Ok(()) } else { Err(format!("{reached:?} of {requests}").into()) }
}

/// Waits until so many are in the store and both workers have nothing left to tell.
async fn stored(rest: &Rest, nginx: &Nginx, requests: u64) -> Result<(), Box<dyn Error>> {
    let all = async || rest.stored().await.is_ok_and(|stored| stored == requests).then_some(());
    wait::until(&format!("{requests} requests to be stored"), wait::LONG * 10, all).await?;
    let connected = async || (nginx.counters().await.ok()?.sum(CONNECTED) == 2).then_some(());
    Ok(wait::until("both workers to be connected", wait::LONG, connected).await?)
}

fn progress(reload: u64, reloads: u64, [master, worker, collector]: &[Holding; 3]) {
    let line = format!(
        "reload {reload:>3} of {reloads}: RSS in KiB: master {}, worker {}, collector {}",
        master.memory, worker.memory, collector.memory
    );
    if std::io::stderr().is_terminal() { eprint!("\r{line}") } else { eprintln!("{line}") }
}
