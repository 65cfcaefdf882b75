//! The sessions of a day that were seen last: found by what was seen last, without a look at all sessions.

use std::collections::HashSet;

use duckdb::Connection;
use duckdb::types::Value;

use super::joined;
use super::pieces::Extent;
use super::read::select;
use super::statement::Statement;
use crate::model::{Day, Id};
use crate::store::{Place, StoreError};

/// Times that are looked at for each session: one was seen in several pieces, and since.
const TIMES: usize = 4;
/// Sessions beyond those of a page, as some may stand on earlier pages.
const MORE: usize = 50;

/// Sessions among which those are that were seen last.
pub(super) struct Latest {
    pub(super) ids: Vec<Id>,
    /// No other was seen after it; `None` when there are no others.
    others: Option<i64>,
}

impl Latest {
    /// Looks for those of a page of so many rows, behind a place.
    pub(super) fn of(
        connection: &Connection,
        day: Day,
        extent: &Extent,
        after: Option<Place>,
        rows: usize,
    ) -> Result<Self, StoreError> {
        let after = after.filter(|after| after.day == day).and_then(|after| i64::try_from(after.key).ok());
        let wanted = rows.saturating_mul(2).saturating_add(MORE);
        let looked_at = wanted.saturating_mul(TIMES);
        let most = i64::try_from(looked_at).unwrap_or(i64::MAX);
        let bounds = [after.unwrap_or(i64::MAX), most].map(Value::BigInt);
        let Statement { text, values } = Statement::of("SELECT sid_hi, sid_lo, seen FROM (")
            .add(extent.seen())
            .add(Statement::with(") WHERE seen <= ? ORDER BY seen DESC LIMIT ?", bounds));
        let seen = select(connection, day, &text, values, |row| {
            Ok((joined(row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?))
        })?;
        let (mut ids, mut known) = (Vec::new(), HashSet::new());
        for &(id, seen) in &seen {
            if known.contains(&id) {
                continue;
            }
            if ids.len() >= wanted {
                return Ok(Self { ids, others: Some(seen) });
            }
            known.insert(id);
            ids.push(id);
        }
        Ok(Self { ids, others: seen.last().filter(|_| seen.len() >= looked_at).map(|(_, seen)| *seen) })
    }

    /// Whether all parts up to a place are among them, or all there are without one.
    pub(super) fn reach(&self, place: Option<Place>) -> bool {
        self.others.is_none_or(|others| place.is_some_and(|place| place.key > others.into()))
    }
}
