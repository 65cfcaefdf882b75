//! What is usual of each endpoint on each day, computed from the stored requests and kept in memory.
//!
//! When a day has grown, twice as large or some minutes later, what came is counted and added, a stretch of rows at a
//! time ([`Store::figures`]): however large a day is, no row is read twice, and what is interrupted goes on where it
//! was. Only the shapes that most requests have are counted. Figures are kept by shape, so that pins, merges and templates
//! that change name them anew without a question to the store.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::endpoints::{Endpoints, Figures, ShapeId, Usual};
use crate::model::{Day, Request};
use crate::store::{Position, Store, StoreError, Stretch, Window};

/// How old the figures of a day that grew may become.
const MAX_AGE: Duration = Duration::from_secs(300);
/// How often it is looked whether a day has grown.
pub const LOOK: Duration = Duration::from_secs(10);
/// With fewer requests nothing is usual.
const MIN_REQUESTS: u64 = 20;

/// Shapes of a day that are counted.
const SHAPES: usize = 1000;
/// States that are kept, for lists whose pages show the state of their first.
const GENERATIONS: usize = 8;

/// The figures of all days.
#[derive(Debug, Default)]
pub struct Baselines {
    /// Some states, the newest last.
    generations: RwLock<VecDeque<Generation>>,
    counted: Mutex<BTreeMap<Day, Counted>>,
}

/// What was counted so far of a day.
#[derive(Debug, Default)]
struct Counted {
    shapes: Arc<HashMap<ShapeId, Figures>>,
    /// All rows before it are in.
    to: Position,
    /// How many the day had when all were in last.
    rows: u64,
}

impl Counted {
    /// Counts what came since, in stretches, the day having so many rows.
    fn go_on(
        &mut self,
        rows: u64,
        mut stretch: impl FnMut(Position) -> Result<Stretch, StoreError>,
    ) -> Result<Arc<HashMap<ShapeId, Figures>>, StoreError> {
        if rows < self.rows {
            // The day was made anew, of what was left of it.
            *self = Self::default();
        }
        loop {
            let Stretch { shapes, to, more } = stretch(self.to)?;
            let known = Arc::make_mut(&mut self.shapes);
            shapes.iter().for_each(|(&shape, figures)| known.entry(shape).or_default().unite(figures));
            keep_busiest(known);
            self.to = to;
            if !more {
                self.rows = rows;
                return Ok(Arc::clone(&self.shapes));
            }
        }
    }
}

/// Forgets the shapes with the fewest requests, when there are too many.
fn keep_busiest(shapes: &mut HashMap<ShapeId, Figures>) {
    if shapes.len() <= SHAPES {
        return;
    }
    let mut busiest: Vec<_> = shapes.iter().map(|(&shape, figures)| (Reverse(figures.requests()), shape)).collect();
    busiest.sort_unstable();
    busiest.iter().skip(SHAPES).for_each(|(_, shape)| drop(shapes.remove(shape)));
}

/// A state, told by its number.
#[derive(Clone, Debug, Default)]
struct Generation {
    number: u64,
    days: BTreeMap<Day, Arc<DayFigures>>,
}

/// What was counted of an endpoint on each day.
pub type EndpointDays = BTreeMap<Day, Figures>;

#[derive(Debug)]
struct DayFigures {
    /// Requests in the day when it was looked at.
    rows: u64,
    /// When that was, by the monotonic clock.
    at: Duration,
    shapes: Arc<HashMap<ShapeId, Figures>>,
    /// Of which version of the endpoints the names are.
    version: u64,
    endpoints: HashMap<String, (Figures, Option<Usual>)>,
}

impl DayFigures {
    fn new(rows: u64, at: Duration, shapes: Arc<HashMap<ShapeId, Figures>>, endpoints: &Endpoints) -> Self {
        let version = endpoints.version();
        let mut named: HashMap<String, Figures> = HashMap::new();
        for (&shape, figures) in shapes.as_ref() {
            if let Some(name) = endpoints.name(shape) {
                named.entry(name).or_default().unite(figures);
            }
        }
        let usual = |figures: &Figures| Some(figures).filter(|f| f.requests() >= MIN_REQUESTS).and_then(Figures::usual);
        let named = named.into_iter().map(|(name, figures)| {
            let usual = usual(&figures);
            (name, (figures, usual))
        });
        Self { rows, at, version, endpoints: named.collect(), shapes }
    }
}

impl Baselines {
    /// Looks at the days that have grown, and forgets those that the store has not. `now` is monotonic.
    pub fn refresh(&self, store: &dyn Store, now: Duration) -> Result<(), StoreError> {
        let endpoints = store.endpoints();
        let known = self.newest();
        let held = store.rows_by_day();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|day, _| held.contains_key(day));
        let mut days = BTreeMap::new();
        for (day, rows) in held {
            let fresh = match known.days.get(&day) {
                Some(known) if due(known, rows, now) => None,
                Some(known) if known.version == endpoints.version() => Some(Arc::clone(known)),
                Some(known) => {
                    let shapes = Arc::clone(&known.shapes);
                    Some(Arc::new(DayFigures::new(known.rows, known.at, shapes, &endpoints)))
                }
                None => None,
            };
            let fresh = match fresh {
                Some(fresh) => fresh,
                None => {
                    let shapes = counted.entry(day).or_default().go_on(rows, |from| store.figures(day, from))?;
                    Arc::new(DayFigures::new(rows, now, shapes, &endpoints))
                }
            };
            days.insert(day, fresh);
        }
        let same = known.days.len() == days.len()
            && known.days.iter().zip(&days).all(|(one, other)| one.0 == other.0 && Arc::ptr_eq(one.1, other.1));
        if !same {
            let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
            generations.push_back(Generation { number: known.number + 1, days });
            if generations.len() > GENERATIONS {
                generations.pop_front();
            }
        }
        Ok(())
    }

    /// The number of the newest state.
    pub fn generation(&self) -> u64 {
        self.newest().number
    }

    /// What is usual of a request's endpoint on its day, or else on the last day before that tells.
    pub fn usual(&self, request: &Request) -> Option<Usual> {
        let generations = self.read();
        let mut before = generations.back()?.days.range(..=request.ts.day()).rev();
        before.find_map(|(_, figures)| figures.endpoints.get(&request.endpoint).and_then(|(_, usual)| *usual))
    }

    /// All endpoints of a state with their figures, of the days that a window touches; `None` when the
    /// state is no longer kept.
    pub fn endpoints(&self, generation: u64, window: Window) -> Option<BTreeMap<String, EndpointDays>> {
        let known = self.read().iter().find(|known| known.number == generation).cloned();
        let known = known.or_else(|| (generation == 0).then(Generation::default))?;
        let mut found: BTreeMap<String, EndpointDays> = BTreeMap::new();
        for (&day, figures) in known.days.iter().filter(|(day, _)| window.touches(**day)) {
            for (name, (figures, _)) in &figures.endpoints {
                found.entry(name.clone()).or_default().insert(day, figures.clone());
            }
        }
        Some(found)
    }

    fn newest(&self) -> Generation {
        self.read().back().cloned().unwrap_or_default()
    }

    fn read(&self) -> RwLockReadGuard<'_, VecDeque<Generation>> {
        self.generations.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a day is to be looked at anew.
fn due(known: &DayFigures, rows: u64, now: Duration) -> bool {
    rows >= known.rows.saturating_mul(2).max(1) || rows != known.rows && now.saturating_sub(known.at) >= MAX_AGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Micros;
    use crate::store::memory::MemoryStore;
    use crate::store::{Arrival, Batch, DayBatch, Row};

    const DAY: Day = Day(20_000);

    fn put(store: &MemoryStore, day: Day, path: &str, durations: impl Iterator<Item = u64>) {
        let pos = store.position();
        let rows = (0..).zip(durations).map(|(ordinal, duration_us)| {
            let shape = store.endpoints().learn("GET", "shop", path, 200).0;
            let request = Request { ts: day.start(), duration_us, bytes_out: 7, status: 200, ..Request::default() };
            Row { arrival: Arrival { pos, ordinal }, request, shape: Some(shape), ..Row::default() }
        });
        let batch = DayBatch { rows: rows.collect(), ..DayBatch::default() };
        store.apply(&Batch { from: pos, to: pos + 1, days: BTreeMap::from([(day, batch)]) }).unwrap();
    }

    fn usual(baselines: &Baselines, day: Day, endpoint: &str) -> Option<(u64, u64)> {
        let request = Request { ts: Micros(day.start().0 + 5), endpoint: endpoint.into(), ..Request::default() };
        baselines.usual(&request).map(|usual| (usual.duration_us.p50, usual.duration_us.p95))
    }

    #[test]
    fn what_is_usual_is_told_by_the_day_or_else_by_the_last_before_that_has_enough() {
        let (store, baselines) = (MemoryStore::default(), Baselines::default());
        put(&store, DAY, "/users/7", (1..=100).map(|n| n * 1000));
        put(&store, Day(DAY.0 + 2), "/users/8", [5; 19].into_iter());
        baselines.refresh(&store, Duration::ZERO).unwrap();
        assert_eq!(usual(&baselines, DAY, "GET shop/users/{id}"), Some((50_000, 95_000)));
        assert_eq!(usual(&baselines, Day(DAY.0 + 2), "GET shop/users/{id}"), Some((50_000, 95_000)));
        assert_eq!(usual(&baselines, Day(DAY.0 - 1), "GET shop/users/{id}"), None);
        assert_eq!(usual(&baselines, DAY, "GET shop/other"), None);

        put(&store, Day(DAY.0 + 2), "/users/9", [5].into_iter());
        baselines.refresh(&store, MAX_AGE - Duration::from_secs(1)).unwrap();
        assert_eq!(usual(&baselines, Day(DAY.0 + 2), "GET shop/users/{id}"), Some((50_000, 95_000)));
        baselines.refresh(&store, MAX_AGE).unwrap();
        assert_eq!(usual(&baselines, Day(DAY.0 + 2), "GET shop/users/{id}"), Some((5, 5)));

        store.forget_before(Day(DAY.0 + 1)).unwrap();
        baselines.refresh(&store, MAX_AGE).unwrap();
        assert_eq!(usual(&baselines, DAY, "GET shop/users/{id}"), None);
        let all = baselines.endpoints(baselines.generation(), Window::ALL).unwrap();
        assert_eq!(all["GET shop/users/{id}"].values().map(Figures::requests).collect::<Vec<_>>(), [20]);
        // Whoever walks through an earlier state goes on in it.
        assert_eq!(baselines.generation(), 3);
        let before = baselines.endpoints(1, Window::ALL).unwrap();
        assert_eq!(before["GET shop/users/{id}"].values().map(Figures::requests).collect::<Vec<_>>(), [100, 19]);
        assert!(baselines.endpoints(4, Window::ALL).is_none());
    }

    fn figures(requests: u64) -> Figures {
        Figures { statuses: BTreeMap::from([("2xx".to_owned(), requests)]), ..Figures::default() }
    }

    #[test]
    fn counting_that_is_interrupted_goes_on_where_it_was_and_counts_nothing_twice() {
        let mut asked = Vec::new();
        let mut stretch = |from: Position| {
            asked.push(from);
            match asked.len() {
                3 => Err(StoreError::Failed { doing: "reading".into(), reason: "interrupted".into() }),
                _ => Ok(Stretch { shapes: HashMap::from([(ShapeId(7), figures(1))]), to: from + 10, more: from < 30 }),
            }
        };
        let mut counted = Counted::default();
        assert!(counted.go_on(4, &mut stretch).is_err());
        assert_eq!(counted.go_on(4, &mut stretch).unwrap()[&ShapeId(7)], figures(4));
        assert_eq!(counted.go_on(5, &mut stretch).unwrap()[&ShapeId(7)], figures(5));
        // A day that lost rows begins anew.
        assert_eq!(counted.go_on(4, &mut stretch).unwrap()[&ShapeId(7)], figures(4));
        assert_eq!(asked, [0, 10, 20, 20, 30, 40, 0, 10, 20, 30]);
    }

    #[test]
    fn of_a_day_with_any_number_of_shapes_the_busiest_are_kept() {
        let mut shapes: HashMap<_, _> = (0..2 * SHAPES as u64).map(|n| (ShapeId(n), figures(n))).collect();
        keep_busiest(&mut shapes);
        assert_eq!(shapes.keys().map(|shape| shape.0).min(), Some(SHAPES as u64));
        assert_eq!(shapes.len(), SHAPES);
    }

    #[test]
    fn a_template_that_changes_unites_the_figures_without_a_look_at_the_store() {
        let (store, baselines) = (MemoryStore::default(), Baselines::default());
        for n in 0..50 {
            put(&store, DAY, &format!("/a/word-{n}"), [10; 2].into_iter());
        }
        baselines.refresh(&store, Duration::ZERO).unwrap();
        assert_eq!(usual(&baselines, DAY, "GET shop/a/word-1"), None);
        for n in 0..200 {
            store.endpoints().learn("GET", "shop", &format!("/a/more-{n}"), 200);
        }
        baselines.refresh(&store, Duration::ZERO).unwrap();
        assert_eq!(usual(&baselines, DAY, "GET shop/a/{name}"), Some((10, 10)));
        let all = baselines.endpoints(baselines.generation(), Window::ALL).unwrap();
        assert_eq!(all["GET shop/a/{name}"][&DAY].requests(), 100);
    }
}
