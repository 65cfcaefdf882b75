//! The commonest values of a field on one day.

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::filter::column;
use super::list::scope;
use super::pieces::within;
use super::read::select;
use super::statement::Statement;
use crate::endpoints::{Endpoints, ShapeId};
use crate::filter::Field;
use crate::model::Day;
use crate::store::query::VALUE_BYTES;
use crate::store::{CommonQuery, StoreError};

/// Values of a day that are looked at: rarer ones cannot become the commonest of a week by much.
const VALUES: usize = 10_000;
/// Bytes of them.
const BYTES: u64 = 4 << 20;

/// Values with the number of requests that have them, in no order.
pub(super) fn of_day(
    connection: &Connection,
    day: Day,
    query: &CommonQuery,
    endpoints: &Endpoints,
) -> Result<Vec<(String, u64)>, StoreError> {
    let rows = Statement::of(" WHERE ").add(scope(query.as_of, None)).add(within(query.window));
    let grouped = |statement: Statement| {
        let limits = [Value::BigInt(VALUE_BYTES as i64), Value::BigInt(VALUES as i64), Value::UBigInt(BYTES)];
        Statement::of("SELECT * EXCLUDE (bytes) FROM (SELECT *, sum(strlen(value)) OVER (ORDER BY requests DESC, value) AS bytes FROM (")
            .add(statement)
            .add(Statement::with(
                " AND value <> '' AND strlen(value) <= ? GROUP BY ALL ORDER BY requests DESC LIMIT ?)) WHERE bytes <= ?",
                limits,
            ))
    };
    let run = |statement: Statement, read: fn(&Row, &Endpoints) -> duckdb::Result<(String, u64)>| {
        select(connection, day, &statement.text, statement.values, |row| read(row, endpoints))
    };
    let plain = |row: &Row, _: &Endpoints| Ok((row.get(0)?, row.get(1)?));
    let of_request = "p.pos = r.pos AND p.ordinal = r.ordinal";
    match &query.field {
        Field::Param(name) => {
            let from = format!(
                "SELECT p.value AS value, count(DISTINCT (p.pos, p.ordinal)) AS requests
                 FROM {{day}}.params AS p JOIN {{day}}.requests AS r ON {of_request}"
            );
            let named = Statement::with(" AND p.name = ?", [Value::Text(name.clone())]);
            run(grouped(Statement::of(&from).add(rows).add(named)), plain)
        }
        Field::Attack => {
            let from = format!(
                "SELECT p.kind AS value, count(DISTINCT (p.pos, p.ordinal)) AS requests
                 FROM {{day}}.attacks AS p JOIN {{day}}.requests AS r ON {of_request}"
            );
            run(grouped(Statement::of(&from).add(rows)), plain)
        }
        Field::Endpoint => {
            let from =
                "SELECT CASE WHEN r.shape IS NULL THEN r.method || ' ' || r.host || r.path ELSE ' ' END AS value,
                        count(*) AS requests, r.shape FROM {day}.requests AS r";
            run(grouped(Statement::of(from).add(rows)), |row, endpoints| {
                let shape = row.get::<_, Option<u64>>(2)?.map(ShapeId);
                let value: String = row.get(0)?;
                Ok((shape.and_then(|shape| endpoints.name(shape)).unwrap_or(value), row.get(1)?))
            })
        }
        field => {
            let (column, _) = column(field);
            let from = format!("SELECT {column}::VARCHAR AS value, count(*) AS requests FROM {{day}}.requests AS r");
            run(grouped(Statement::of(&from).add(rows)), plain)
        }
    }
}
