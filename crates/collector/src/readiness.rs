//! Why the server should not get work, if it should not. `/readyz` shows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reasons, by the part of the server that gave them; none means ready.
#[derive(Debug, Default)]
pub struct Readiness {
    reasons: Mutex<BTreeMap<&'static str, String>>,
}

impl Readiness {
    /// Says that `part` is not ready, and why; answers whether it was.
    pub fn fail(&self, part: &'static str, reason: impl Into<String>) -> bool {
        self.lock().insert(part, reason.into()).is_none()
    }

    /// Says that `part` is ready (again); answers whether it was not.
    pub fn clear(&self, part: &'static str) -> bool {
        self.lock().remove(part).is_some()
    }

    /// What stands against readiness.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
