//! Fifty reloads cost no thread, no descriptor and no memory.

use ngx_tests::{proc, wait};

use crate::site::{PATH, Site, config};

/// What the processes of an NGINX have.
#[derive(Debug)]
struct Holding {
    threads: Vec<usize>,
    descriptors: Vec<usize>,
    /// KiB, of the master and of the largest worker.
    memory: [u64; 2],
}

impl Holding {
    fn of(site: &Site) -> Self {
        let workers = site.nginx.workers();
        let sorted = |mut numbers: Vec<usize>| {
            numbers.sort();
            numbers
        };
        let all: Vec<u32> = std::iter::once(site.nginx.id()).chain(workers.iter().copied()).collect();
        Self {
            threads: sorted(all.iter().map(|&process| proc::threads(process).len()).collect()),
            descriptors: sorted(all.iter().map(|&process| proc::descriptors(process)).collect()),
            memory: [
                proc::resident_memory(site.nginx.id()),
                workers.iter().map(|&worker| proc::resident_memory(worker)).max().unwrap_or(0),
            ],
        }
    }
}

#[tokio::test]
async fn fifty_reloads_leave_threads_descriptors_and_memory_as_they_were() {
    /// Less than one page for each of the forty reloads that are compared.
    const TOLERANCE: u64 = 40 * 4 - 1;
    let mut site = Site::of(config()).await;
    let mut earlier = None;

    for reload in 1..=50 {
        site.nginx.reload().unwrap();
        for _ in 0..4 {
            site.get(PATH, &[]).await;
        }
        if reload == 10 || reload == 50 {
            // All are connected to the collector, and clients are gone.
            site.stored(reload * 4).await;
            let connected = async || (site.nginx.counters().await.ok()?.sum(CONNECTED) == 2).then_some(());
            wait::until("both workers to be connected", wait::LONG, connected).await.unwrap();
            let now = Holding::of(&site);
            println!("    after {reload} reloads: {now:?}");
            let before = earlier.get_or_insert_with(|| Holding::of(&site));
            assert_eq!((&now.threads, &now.descriptors), (&before.threads, &before.descriptors));
            for (now, before) in now.memory.iter().zip(before.memory) {
                assert!(*now <= before + TOLERANCE, "{now} KiB, {before} KiB before");
            }
        }
    }

    site.close();
}

const CONNECTED: &str = "wallarm_sessions_connected";
