//! Asking the store: on threads that may wait, not too many at a time, not for ever.

use std::sync::Arc;

use super::Api;
use super::problem::Problem;
use crate::store::{Store, StoreError};

impl Api {
    /// Runs `question` against the store.
    ///
    /// A question that outlives its deadline keeps its slot until the store is done with it: the
    /// number of questions with the store holds whatever the readers do.
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
        let deadline = tokio::time::Instant::now() + self.limits.deadline;
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = match tokio::time::timeout_at(deadline, slot).await {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) | Err(_) => return Err(Problem::busy()),
        };
        let store = Arc::clone(&self.shared.store);
        let answer = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            question(store.as_ref())
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
