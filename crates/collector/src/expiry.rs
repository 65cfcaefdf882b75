//! Notes and labels go with the week they are about.
//!
//! A session or request counts as gone only when the store, which has the last word on what is kept, no
//! longer knows it: a clock that is wrong removes nothing here.

use std::time::Duration;

use crate::KEPT_DAYS;
use crate::desk::{By, DeskError, Kind};
use crate::model::{Day, Id};
use crate::shared::Shared;
use crate::store::StoreError;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(600);
/// How many are looked at each time.
const AT_A_TIME: usize = 1_000;

/// Why nothing was removed this time.
#[derive(Debug, thiserror::Error)]
enum ExpiryError {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the question to the store died: {0}")]
    Died(#[from] tokio::task::JoinError),
}

/// Looks now and then, for ever; not at once, as the log may still be read again after a start.
pub async fn run(shared: Shared) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match expire(&shared).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "notes and labels of sessions and requests that are gone were removed"),
            Err(error) => tracing::error!(%error, "notes and labels could not be looked through; it is tried again"),
        }
    }
}

/// Removes what is on sessions and requests that the store has forgotten; says of how many.
async fn expire(shared: &Shared) -> Result<usize, ExpiryError> {
    let now = shared.clock.now();
    let oldest = Day(now.day().0.saturating_sub(KEPT_DAYS - 1));
    let mut count = 0;
    for (kind, id) in shared.desk.outdated(oldest, AT_A_TIME).await? {
        let store = std::sync::Arc::clone(&shared.store);
        match tokio::task::spawn_blocking(move || last_day(store.as_ref(), kind, id)).await?? {
            Some(day) => shared.desk.prolong(kind, id, day).await?,
            None => {
                shared.desk.forget(kind, id, &By::local(now)).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The last day on which the store knows it.
fn last_day(store: &dyn crate::store::Store, kind: Kind, id: Id) -> Result<Option<Day>, StoreError> {
    Ok(match kind {
        Kind::Session => store.parts(id, store.position())?.first().map(|part| part.day),
        Kind::Request => store.request(id)?.map(|request| request.ts.day()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;
    use crate::desk::{Desk, Subject};
    use crate::model::{Micros, Request};
    use crate::store::memory::MemoryStore;
    use crate::store::{Arrival, Batch, DayBatch, Row, Store};

    const TODAY: Day = Day(20_000);

    fn put(store: &MemoryStore, day: Day, session: u8, request: u8) {
        let pos = store.position();
        let request = Request {
            id: Id([request; 16]),
            session_id: Id([session; 16]),
            ts: Micros(day.start().0 + i64::from(request)),
            ..Request::default()
        };
        let row = Row { arrival: Arrival { pos, ordinal: 0 }, request, ..Row::default() };
        let mut batch = Batch { from: pos, to: pos + 1, ..Batch::default() };
        batch.days.insert(day, DayBatch { rows: vec![row], ..DayBatch::default() });
        store.apply(&batch).unwrap();
    }

    #[tokio::test]
    async fn notes_and_labels_go_when_the_store_has_forgotten_what_they_are_on_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::new(TODAY.start()));
        let desk = Desk::open(&dir.path().join("settings.db"), dir.path()).await.unwrap();
        let shared = Shared {
            store: store.clone(),
            desk: desk.clone(),
            baselines: Arc::default(),
            noise: Arc::default(),
            secret: None,
            nodes: Arc::default(),
            metrics: Arc::default(),
            readiness: Arc::default(),
            clock: clock.clone(),
        };
        put(&store, TODAY, 1, 1);
        put(&store, TODAY, 2, 2);
        let by = By::local(TODAY.start());
        let session = |n| Id([n; 16]);
        for n in [1, 2] {
            let subject = Subject { kind: Kind::Session, id: session(n), session: session(n), last_day: TODAY };
            desk.add_label(subject, "odd", &by).await.unwrap();
        }
        let subject = Subject { kind: Kind::Request, id: Id([1; 16]), session: session(1), last_day: TODAY };
        desk.add_note(subject, "of the first request", &by).await.unwrap();
        put(&store, Day(TODAY.0 + 3), 2, 3);

        let labelled = || async {
            desk.labels_of(Kind::Session, [1, 2].map(session)).await.unwrap().into_keys().collect::<Vec<_>>()
        };
        // The clock says that the week is over; the store does not.
        clock.set(Day(TODAY.0 + 365).start());
        assert_eq!(expire(&shared).await.unwrap(), 0);
        clock.set(Day(TODAY.0 + KEPT_DAYS).start());
        assert_eq!(expire(&shared).await.unwrap(), 0);
        assert_eq!(labelled().await, [1, 2].map(session));

        store.forget_before(Day(TODAY.0 + 1)).unwrap();
        assert_eq!(expire(&shared).await.unwrap(), 2);
        assert_eq!(labelled().await, [session(2)]);
        assert_eq!(desk.notes_of_session(session(1)).await.unwrap(), []);
        let audit = desk.audit(None, 100).await.unwrap();
        assert!(!audit.iter().any(|row| row.after.as_deref() == Some("of the first request")), "{audit:?}");
        assert_eq!(audit.iter().filter(|row| row.action == "expire").count(), 2);

        // The second session is looked at again when its later day is over.
        clock.set(Day(TODAY.0 + 3 + KEPT_DAYS).start());
        store.forget_before(Day(TODAY.0 + 4)).unwrap();
        assert_eq!(expire(&shared).await.unwrap(), 1);
        assert_eq!(expire(&shared).await.unwrap(), 0);
    }
}
