//! Waiting for something to become true, with a deadline. Nothing here asserts on time: the deadline
//! only ends what would otherwise hang.

use std::time::{Duration, Instant};

/// Long enough for anything that works, on a slow and busy machine.
pub const LONG: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(20);

/// It did not come true.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} for {what}")]
pub struct TooLate {
    what: String,
    waited: Duration,
}

/// Asks again and again until there is an answer.
pub async fn until<T>(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T, TooLate> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if start.elapsed() > deadline {
            return Err(TooLate { what: what.to_owned(), waited: deadline });
        }
        tokio::time::sleep(STEP).await;
    }
}

/// The same where nothing asynchronous runs.
pub fn until_blocking<T>(what: &str, deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> Result<T, TooLate> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if start.elapsed() > deadline {
            return Err(TooLate { what: what.to_owned(), waited: deadline });
        }
        std::thread::sleep(STEP);
    }
}
