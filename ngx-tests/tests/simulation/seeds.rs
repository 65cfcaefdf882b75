//! Many schedules, on all cores: one a thread at a time.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::plant::Plant;
use crate::report::Report;
use crate::world::World;

/// After so many schedules it is told how far it got.
const TOLD: u64 = 20_000;

/// A schedule in which something did not hold.
#[derive(Debug)]
pub struct Broken {
    pub seed: u64,
    pub what: String,
}

/// Runs the schedules of `seeds`; of those that break something the first is given.
pub fn run(seeds: Range<u64>, plant: Plant) -> Result<Report, Broken> {
    let (total, broken) = (Mutex::new(Report::default()), Mutex::new(None::<Broken>));
    let next = AtomicU64::new(seeds.start);
    let begin = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || lock(&broken).as_ref().is_some_and(|broken| broken.seed < seed) {
                return;
            }
            match run_one(seed, plant) {
                Ok(report) => lock(&total).add(&report),
                Err(what) => {
                    let mut broken = lock(&broken);
                    if broken.as_ref().is_none_or(|broken| seed < broken.seed) {
                        *broken = Some(Broken { seed, what });
                    }
                }
            }
            let done = seed + 1 - seeds.start;
            if done.is_multiple_of(TOLD) {
                eprintln!("{done} schedules in {:.0} s", begin.elapsed().as_secs_f64());
            }
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(work)));
    });
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(broken) => Err(broken),
        None => Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// One schedule. A panic is something that did not hold, too.
pub fn run_one(seed: u64, plant: Plant) -> Result<Report, String> {
    let mut world = World::new(seed, plant);
    let run = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")))
    });
    run.map_err(|what| format!("{what}\nuntil then it met:\n{}", world.report))?;
    Ok(world.report)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
