//! Things that go wrong on purpose, for the suite `safety`: only in the module of `ngx-tests/planted`.
//!
//! `WALLARM_SESSIONS_PLANTED` says what and where: `panic:log` at each call of the entry `log`,
//! `panic:log@3` at its third in a process. Read in the master, as workers have another environment.

use std::hint::black_box;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names this build: no module that holds it may be shipped.
const VARIABLE: &str = "WALLARM_SESSIONS_PLANTED";

struct Plant {
    fault: Fault,
    place: String,
    /// The only call that goes wrong, from 1.
    call: Option<u64>,
}

#[derive(Clone, Copy)]
enum Fault {
    Panic,
    UseAfterFree,
    Leak,
}

/// Goes wrong if this place is the planted one.
pub(crate) fn here(place: &'static str) {
    static PLANT: OnceLock<Option<Plant>> = OnceLock::new();
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let Some(plant) = PLANT.get_or_init(Plant::read) else { return };
    if plant.place != place {
        return;
    }
    let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    if plant.call.is_none_or(|only| only == call) {
        plant.fault.happen(place);
    }
}

impl Plant {
    fn read() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let (fault, place) = text.split_once(':')?;
        let fault = match fault {
            "panic" => Fault::Panic,
            "use-after-free" => Fault::UseAfterFree,
            "leak" => Fault::Leak,
            _ => return None,
        };
        let (place, call) = match place.split_once('@') {
            Some((place, call)) => (place, Some(call.parse().ok()?)),
            None => (place, None),
        };
        Some(Self { fault, place: place.to_owned(), call })
    }
}

/// What a planted panic says: there is one place for it in a process.
static TEXT: OnceLock<String> = OnceLock::new();

impl Fault {
    fn happen(self, place: &str) {
        match self {
            // Only text that was there before is logged.
            Self::Panic => std::panic::panic_any(TEXT.get_or_init(|| format!("planted in {place}")).as_str()),
            Self::UseAfterFree => {
                let freed: *const u8 = black_box(&raw const **black_box(&Box::new(7)));
                // SAFETY: none, the memory was given back: this is what a sanitizer has to find.
                black_box(unsafe { freed.read_volatile() });
            }
            Self::Leak => std::mem::forget(black_box(vec![7_u8; 1234])),
        }
    }
}
