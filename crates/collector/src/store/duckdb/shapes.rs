//! Which shapes each day file holds, so that it gets those that its rows need, each once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::endpoints::{Endpoints, Shape, ShapeId};
use crate::model::Day;
use crate::store::DayBatch;

/// The shapes of all day files.
#[derive(Debug, Default)]
pub(super) struct DayShapes {
    /// What they are called.
    pub(super) endpoints: Arc<Endpoints>,
    /// Those that a day's file holds, and whether it says that they were learned.
    held: Mutex<BTreeMap<Day, HashMap<ShapeId, bool>>>,
}

impl DayShapes {
    /// Takes in what a day's file holds.
    pub(super) fn restore(&self, day: Day, shapes: Vec<Shape>) {
        self.note(day, &shapes);
        self.endpoints.restore(shapes);
    }

    /// The shapes of a batch's rows that the day's file does not hold yet, or does not know as learned.
    pub(super) fn new_to(&self, day: Day, batch: &DayBatch) -> Vec<Shape> {
        let mut held = self.held();
        let held = held.entry(day).or_default();
        let mut new: HashMap<ShapeId, Shape> = HashMap::new();
        for id in batch.rows.iter().filter_map(|row| row.shape) {
            let before = held.get(&id).copied();
            if before != Some(true)
                && !new.contains_key(&id)
                && let Some(shape) = self.endpoints.shape(id).filter(|shape| before.is_none() || shape.learned)
            {
                new.insert(id, shape);
            }
        }
        new.into_values().collect()
    }

    /// Notes what was written.
    pub(super) fn note(&self, day: Day, shapes: &[Shape]) {
        let mut held = self.held();
        let held = held.entry(day).or_default();
        for shape in shapes {
            *held.entry(shape.id()).or_default() |= shape.learned;
        }
    }

    /// Forgets a day. What its shapes taught stays until the next start.
    pub(super) fn forget(&self, day: Day) {
        self.held().remove(&day);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Day, HashMap<ShapeId, bool>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
