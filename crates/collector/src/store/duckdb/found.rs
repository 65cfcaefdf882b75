//! What a list of sessions found on the days that it has looked at so far.
//!
//! Orders that are not by time mix the days, and what is hidden is counted up to the end of a page, which is known when
//! all days are. So what was found of them is kept, and no request is read twice: in a table of the connection's
//! own, which the engine bounds and spills. The usual first page finds little and needs none.

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::engine::failed;
use super::statement::Statement;
use super::{halves, joined, sql};
use crate::model::Day;
use crate::store::{Place, SessionsQuery, StoreError};

/// A part that a list shows, with how many of its requests window and filter leave; none of one that it hides.
pub(super) type Part = (Place, u64);

/// The parts found so far.
pub(super) struct Found<'a> {
    connection: &'a Connection,
    few: Vec<Part>,
    has_table: bool,
    shown: usize,
}

/// The parts of a page.
pub(super) struct Page {
    pub(super) places: Vec<Part>,
    pub(super) more: bool,
    pub(super) hidden: u64,
}

impl<'a> Found<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, few: Vec::new(), has_table: false, shown: 0 }
    }

    /// Parts that are shown, of all days so far.
    pub(super) fn shown(&self) -> usize {
        self.shown
    }

    /// Adds some.
    pub(super) fn add(&mut self, parts: Vec<Part>) {
        self.shown += parts.iter().filter(|(_, matched)| *matched > 0).count();
        self.few.extend(parts);
    }

    /// Adds what a statement selects of a day, in the order of [`sql::FOUND`].
    pub(super) fn insert(&mut self, day: Day, selected: Statement) -> Result<(), StoreError> {
        if !self.has_table {
            self.connection.execute_batch(sql::MAKE_FOUND).map_err(failed("listing sessions"))?;
            self.has_table = true;
        }
        let Statement { text, values } = Statement::of("INSERT INTO temp.found ").add(selected);
        let inserted = self.connection.execute(&sql::on(day, &text), params_from_iter(values));
        inserted.map_err(failed(&format!("reading {day}")))?;
        let shown = self.select(Statement::of(sql::FOUND_SHOWN), |row| row.get::<_, u64>(0))?;
        self.shown = shown.into_iter().sum::<u64>() as usize + self.few.iter().filter(|part| part.1 > 0).count();
        Ok(())
    }

    /// The page that a list is asked for.
    pub(super) fn page(self, query: &SessionsQuery) -> Result<Page, StoreError> {
        let (direction, before) = if query.order.ascending { ("ASC", "<") } else { ("DESC", ">") };
        let (mut places, mut noise): (Vec<Part>, Vec<Part>) =
            self.few.iter().copied().partition(|part: &Part| part.1 > 0);
        if self.has_table {
            let most = Value::BigInt(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX));
            places.extend(self.select(Statement::with(&sql::found_page(direction), [most]), |row| {
                let (day, id) = (Day(row.get(0)?), joined(row.get(1)?, row.get(2)?));
                Ok((Place { key: row.get(4)?, id, day }, row.get(3)?))
            })?);
        }
        places.sort_by(|(a, _), (b, _)| query.order.compare(a, b));
        let more = places.len() > query.limit;
        places.truncate(query.limit);
        let end = places.last().filter(|_| more).map(|(place, _)| *place);
        noise.retain(|(place, _)| end.is_none_or(|end| query.order.compare(place, &end).is_lt()));
        let mut hidden = noise.len() as u64;
        if self.has_table {
            let mut counted = Statement::of(sql::FOUND_HIDDEN);
            if let Some(Place { key, id, day }) = end {
                let (hi, lo) = halves(id);
                let values = [key, key].map(Value::HugeInt).into_iter().chain([hi, hi, lo, lo].map(Value::UBigInt));
                counted = counted.add(Statement::with(&sql::before(before), values.chain([Value::Int(day.0)])));
            }
            hidden += self.select(counted, |row| row.get::<_, u64>(0))?.into_iter().sum::<u64>();
            self.connection.execute_batch(sql::DROP_FOUND).map_err(failed("listing sessions"))?;
        }
        Ok(Page { places, more, hidden })
    }

    fn select<T>(
        &self,
        statement: Statement,
        read: impl FnMut(&Row) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let Statement { text, values } = statement;
        let run = || -> duckdb::Result<Vec<T>> {
            self.connection.prepare(&text)?.query_map(params_from_iter(values), read)?.collect()
        };
        run().map_err(failed("listing sessions"))
    }
}
