//! How long a reload takes, with the module and without: see `scripts/bench/reload`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ngx_tests::collector::Collector;
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::proc;
use ngx_tests::process::Signal;
use ngx_tests::silent::{Deaf, Silent};

/// Reloads of each NGINX, in turn.
const ROUNDS: usize = 21;
/// Requests before each reload, so that there is something to deliver.
const REQUESTS: usize = 20;
/// Longer than any reload takes that ends at all.
const TOO_LONG: Duration = Duration::from_secs(20);

fn config() -> Result<Config, Box<dyn Error>> {
    Ok(Config::file("demo.conf")?.in_server("        location /load/ { return 200 \"served\\n\"; }")?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let collector = Collector::start().await?;
    let silent = Silent::start()?;
    let deaf = Deaf::start()?;
    let elsewhere = format!("wallarm_session_collector {};", deaf.address());
    let deaf = config()?.replace("wallarm_session_collector unix:/run/api-sessions/collector.sock;", &elsewhere)?;
    let mut all = [
        ("without the module", Nginx::start(&config()?.without_module())?, Vec::new()),
        ("collector answers", Nginx::start(&config()?.runtime(&collector.runtime()))?, Vec::new()),
        ("collector accepts, never answers", Nginx::start(&config()?.runtime(silent.runtime()))?, Vec::new()),
        ("connecting to the collector hangs", Nginx::start(&deaf)?, Vec::new()),
    ];
    for _ in 0..ROUNDS {
        for (_, nginx, times) in &mut all {
            for _ in 0..REQUESTS {
                get(nginx.address())?;
            }
            times.push(reload(nginx)?);
        }
    }
    let mut base = None;
    println!("{:<36} {:>10} {:>10} {:>8} {:>10}", "", "median ms", "worst ms", "ratio", "more ms");
    for (name, nginx, mut times) in all {
        times.sort();
        let (median, worst) = (times[ROUNDS / 2].as_secs_f64() * 1e3, times[ROUNDS - 1].as_secs_f64() * 1e3);
        let base = *base.get_or_insert(median);
        println!("{name:<36} {median:>10.1} {worst:>10.1} {:>8.3} {:>10.1}", median / base, median - base);
        nginx.stop()?;
    }
    Ok(())
}

/// Reloads: the time until the old workers are gone and a new one has answered.
fn reload(nginx: &mut Nginx) -> Result<Duration, Box<dyn Error>> {
    let old = proc::children(nginx.id());
    let begun = Instant::now();
    nginx.signal(Signal::HUP)?;
    while old.iter().any(|&worker| proc::is_alive(worker)) {
        if begun.elapsed() > TOO_LONG {
            return Err("the old workers do not end".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    get(nginx.address())?;
    Ok(begun.elapsed())
}

fn get(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /load/1 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("a request was refused".into()) }
}
