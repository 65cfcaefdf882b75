//! Asking the store: on threads that may wait, not too many at a time, not for ever.

use std::sync::Arc;

use super::Api;
use super::params::Params;
use super::problem::Problem;
use crate::store::{Interest, Store, StoreError};

/// Somebody who waits for an answer.
struct Waiting(Interest);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.lose();
    }
}

impl Api {
    /// With the time that the asker grants, as a question that others can see and cancel.
    pub(super) fn within(mut self, params: &Params) -> Result<Self, Problem> {
        self.limits.deadline = params.timeout()?.unwrap_or(self.limits.deadline);
        let query = match params.query() {
            Some(whole) => whole.clone(),
            None => self.queries.begin(params.text("query_id"), params.address(), self.shared.clock.now())?,
        };
        Ok(Self { query: Some(query), ..self })
    }

    /// Runs `question` against the store.
    ///
    /// It is given up when its time is over or the asker goes away, and keeps its slot until the store is
    /// done with it: the number of questions with the store holds whatever the readers do.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.try_ask(question).await?.map_err(|error| {
            tracing::error!(%error, "the store could not answer");
            self.shared.metrics.store_errors.add(1);
            Problem::internal()
        })
    }

    /// Likewise, with the store's own error for those who want to tell it.
    pub(super) async fn try_ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Result<T, StoreError>, Problem> {
        let Some(query) = &self.query else { return self.answer(question, Interest::default()).await };
        tokio::select! {
            answer = self.answer(question, Interest::told(query.progress())) => answer,
            () = query.cancelled() => Err(Problem::cancelled()),
        }
    }

    async fn answer<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
        interest: Interest,
    ) -> Result<Result<T, StoreError>, Problem> {
        let deadline = tokio::time::Instant::now() + self.limits.deadline;
        // Dropped with this future, be it that the time is over, that the asker has gone or has cancelled it.
        let waiting = Waiting(interest);
        let interest = waiting.0.clone();
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = match tokio::time::timeout_at(deadline, slot).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) | Err(_) => return Err(Problem::busy()),
        };
        let store = Arc::clone(&self.shared.store);
        let answer = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            interest.ask(|| question(store.as_ref()))
        });
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panicked)) => {
                tracing::error!(error = %panicked, "a question to the store died");
                Err(Problem::internal())
            }
            Err(_) => Err(Problem::timed_out(self.limits.deadline.as_secs())),
        }
    }
}
