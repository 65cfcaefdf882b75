//! Session rows: what is known of the sessions of a day, so that lists do not read its requests.
//!
//! A day's rows are cut into chunks by their arrival. For each chunk `pieces` holds one row for each session
//! in it: the facts that the chunk's requests give (see `facts`), and where the first and the last of them
//! stand. What arrived since the last chunk, the *tail*, is aggregated when it is asked for, into rows of the
//! same form. So the running day, a late event on a day that is over, and a day that nothing comes to any
//! more are one case, and memory holds no session.
//!
//! Arrival is nearly time. So of a window only the chunks at its edges are read row by row, and of a session
//! only the rows between the first and the last of it: days without it are not read at all.
//!
//! Invariants:
//! - Pieces are made of rows alone, in one transaction with the note of their chunk. They may go: the next
//!   checkpoint makes them anew.
//! - Chunks lie one behind the other, without gaps, from the first row on. A chunk once made stays.
//! - A query uses the chunks that end at or before the state it looks at, and rows from there on. Where there are
//!   none it does not speak of rows: to plan what finds nothing took most of a question about a week.

use std::time::Instant;

use duckdb::Connection;
use duckdb::types::Value;

use super::engine::failed;
use super::facts::{FACTS, Fact};
use super::read::select;
use super::statement::Statement;
use super::{filter, halves, sql};
use crate::model::{Day, Id, Micros};
use crate::store::{Position, StoreError, Window};

/// The tail of a day that is over is made a chunk when it has one of so many parts of a usual one.
const SMALLER: u64 = 25;
/// Rises when facts change their meaning: pieces that were made before are made anew.
const FORM: &str = "2";

/// A stretch of arrivals of which there are pieces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chunk {
    /// The first position after it.
    to: Position,
    pub(super) rows: u64,
    /// When its requests began, the first and the last.
    first: Micros,
    last: Micros,
}

/// Makes the tables of a day that has none; those of another form go.
pub(super) fn load(connection: &Connection, day: Day) -> Result<Vec<Chunk>, StoreError> {
    let doing = format!("preparing the sessions of {day}");
    let run = |text: &str| connection.execute_batch(&sql::on(day, text)).map_err(failed(&doing));
    run(&tables())?;
    let found = select(connection, day, sql::CHUNKS, vec![Value::Text(FORM.into())], |row| {
        let chunk = Chunk { to: row.get(0)?, rows: row.get(1)?, first: Micros(row.get(2)?), last: Micros(row.get(3)?) };
        Ok((chunk, row.get::<_, bool>(4)?))
    })?;
    let of_this_form = match found.is_empty() {
        // Tables without a chunk do not say of which form they are.
        true => {
            select(connection, day, sql::LOOK_AT_PIECES, vec![Value::Text(day.to_string())], |row| {
                Ok(row.get::<_, String>(0)? == columns() && !row.get::<_, bool>(1)?)
            })? == [true]
        }
        false => found.iter().all(|(_, known)| *known),
    };
    // Nothing is written to a file that is as it should be: the disk may be full.
    if !of_this_form {
        run(sql::DROP_PIECES)?;
        run(&tables())?;
        return Ok(Vec::new());
    }
    Ok(found.into_iter().map(|(chunk, _)| chunk).collect())
}

/// The names of the columns of `pieces`.
fn columns() -> String {
    sql::PIECES_KEYS.into_iter().chain(FACTS.iter().map(|fact| fact.name)).collect::<Vec<_>>().join(" ")
}

fn tables() -> String {
    let columns: String = FACTS.iter().map(|fact| format!(", {} {}", fact.name, fact.kind)).collect();
    sql::PIECES_TABLES.replace("{facts}", &columns)
}

/// What there is of a day.
pub(super) struct Held {
    pub(super) rows: u64,
    /// All of them stand before it.
    pub(super) to: Position,
    /// Whether the day is over, and no request of it is expected any more.
    pub(super) over: bool,
}

/// Makes the chunks that are due of a day, of `size` rows and what is left of a log record, and adds them: at
/// least one, until it is late.
pub(super) fn make(
    connection: &Connection,
    day: Day,
    chunks: &mut Vec<Chunk>,
    held: &Held,
    size: u64,
    until: Instant,
) -> Result<(), StoreError> {
    let due = if held.over { (size / SMALLER).max(1) } else { size };
    loop {
        let from = end(chunks);
        let tail = held.rows.saturating_sub(chunks.iter().map(|chunk| chunk.rows).sum());
        if tail < due {
            return Ok(());
        }
        let to = if tail <= size { held.to } else { cut(connection, day, from, size)?.unwrap_or(held.to) };
        chunks.push(make_one(connection, day, from, to)?);
        if Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Where so many rows from a position on have their end; a log record is not cut.
fn cut(connection: &Connection, day: Day, from: Position, size: u64) -> Result<Option<Position>, StoreError> {
    let bound = vec![Value::UBigInt(from), Value::UBigInt(size.saturating_sub(1))];
    let last = select(connection, day, sql::NTH_POSITION, bound, |row| row.get::<_, u64>(0))?;
    Ok(last.first().map(|last| last.saturating_add(1)))
}

fn make_one(connection: &Connection, day: Day, from: Position, to: Position) -> Result<Chunk, StoreError> {
    let facts = FACTS.iter().map(|fact| format!(", {}", fact.of_rows)).collect::<String>();
    let pieces = sql::on(day, &sql::MAKE_PIECES.replace("{facts}", &facts));
    let note = sql::on(day, sql::NOTE_CHUNK);
    let make = || -> duckdb::Result<Chunk> {
        // Rolled back when dropped before `commit`.
        let transaction = connection.unchecked_transaction()?;
        transaction.execute(&pieces, [to, from, to])?;
        let chunk = transaction.query_row(&sql::on(day, sql::LOOK_AT_CHUNK), [from, to], |row| {
            Ok(Chunk { to, rows: row.get(0)?, first: Micros(row.get(1)?), last: Micros(row.get(2)?) })
        })?;
        transaction.execute(&note, duckdb::params![to, chunk.rows, chunk.first.0, chunk.last.0, FORM])?;
        transaction.commit()?;
        Ok(chunk)
    };
    make().map_err(failed(&format!("making the sessions of {day}")))
}

fn end(chunks: &[Chunk]) -> Position {
    chunks.last().map_or(0, |chunk| chunk.to)
}

/// What a query at `as_of` reads of a day: pieces of these chunks, and rows from their end on.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    chunks: Vec<Chunk>,
    as_of: Position,
    /// Whether rows without a shape are among those of the day.
    pub(super) shapeless: bool,
}

/// How chunks stand to a window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Inside,
    Outside,
    Edge,
}

impl Extent {
    pub(super) fn new(chunks: &[Chunk], as_of: Position, shapeless: bool) -> Self {
        let chunks = chunks.iter().copied().take_while(|chunk| chunk.to <= as_of).collect();
        Self { chunks, as_of, shapeless }
    }

    /// The state that is looked at.
    pub(super) fn as_of(&self) -> Position {
        self.as_of
    }

    fn tail(&self) -> Position {
        end(&self.chunks)
    }

    /// Whether rows may be there of which there are no pieces.
    fn has_tail(&self) -> bool {
        self.tail() < self.as_of
    }

    /// The relation `pieces`: rows with the facts of the sessions that a condition leaves, several for one session;
    /// `there` of all of them together is how many requests the window leaves, and `matched` how many of those are
    /// noise, or are none, where `noise` says so.
    pub(super) fn pieces(&self, facts: &[Fact], window: Window, noise: Option<bool>, of: &Statement) -> Statement {
        let names: String = facts.iter().map(|fact| format!(", {}", fact.name)).collect();
        let of_rows: String = facts.iter().map(|fact| format!(", {} AS {}", fact.of_rows, fact.name)).collect();
        let nothing: String = facts.iter().map(|fact| format!(", NULL AS {}", fact.name)).collect();
        let spans = self.spans(window);
        let mut pieces = Statement::of("pieces AS (SELECT sid_hi, sid_lo, ")
            .add(matched(&spans, noise))
            .add(" AS matched, ")
            .add(matched(&spans, None))
            .add(format!(" AS there{names} FROM {{day}}.pieces").as_str())
            .add(Statement::with(" WHERE chunk <= ?", [Value::UBigInt(self.tail())]))
            .add(of.clone());
        if self.has_tail() {
            pieces = pieces
                .add(" UNION ALL SELECT r.sid_hi, r.sid_lo, count(*) FILTER (true")
                .add(within(window))
                .add(quiet(noise))
                .add("), count(*) FILTER (true")
                .add(within(window))
                .add(format!("){of_rows} FROM {{day}}.requests AS r WHERE ").as_str())
                .add(between(self.tail(), self.as_of))
                .add(of.clone())
                .add(" GROUP BY r.sid_hi, r.sid_lo");
        }
        for (from, to) in spans.iter().filter(|span| span.0 == Side::Edge).map(|span| (span.1, span.2)) {
            pieces = pieces
                .add(" UNION ALL SELECT r.sid_hi, r.sid_lo, count(*) FILTER (true")
                .add(quiet(noise))
                .add(format!("), count(*){nothing} FROM {{day}}.requests AS r WHERE ").as_str())
                .add(between(from, to))
                .add(within(window))
                .add(of.clone())
                .add(" GROUP BY r.sid_hi, r.sid_lo");
        }
        pieces.add(")")
    }

    /// When sessions were seen, several times for one, its last time among them.
    pub(super) fn seen(&self) -> Statement {
        let seen = Statement::of("SELECT sid_hi, sid_lo, last_seen AS seen FROM {day}.pieces")
            .add(Statement::with(" WHERE chunk <= ?", [Value::UBigInt(self.tail())]));
        if !self.has_tail() {
            return seen;
        }
        seen.add(" UNION ALL SELECT r.sid_hi, r.sid_lo, max(r.ts) FROM {day}.requests AS r WHERE ")
            .add(between(self.tail(), self.as_of))
            .add(" GROUP BY r.sid_hi, r.sid_lo")
    }

    /// Where a stretch of rows from a position on ends that is about as long as a chunk, or all that are left.
    pub(super) fn end_of_stretch(&self, from: Position) -> Position {
        self.chunks.iter().map(|chunk| chunk.to).find(|&to| to > from).unwrap_or(self.as_of)
    }

    /// How the chunks stand to a window, neighbours of one kind together: from where, to where.
    fn spans(&self, window: Window) -> Vec<(Side, Position, Position)> {
        let mut spans: Vec<(Side, Position, Position)> = Vec::new();
        let mut from = 0;
        for chunk in &self.chunks {
            let side = match (window.contains(chunk.first), window.contains(chunk.last)) {
                _ if chunk.last < window.from || chunk.first >= window.to => Side::Outside,
                (true, true) => Side::Inside,
                _ => Side::Edge,
            };
            match spans.last_mut() {
                Some(last) if last.0 == side => last.2 = chunk.to,
                _ => spans.push((side, from, chunk.to)),
            }
            from = chunk.to;
        }
        spans
    }

    /// Where on the day requests of some sessions may be: a condition over `r`, if they may be anywhere.
    pub(super) fn reach(&self, connection: &Connection, day: Day, ids: &[Id]) -> Result<Option<Statement>, StoreError> {
        let tail = self.tail();
        let found =
            Statement::of(sql::REACH).add(Statement::with(" WHERE chunk <= ?", [Value::UBigInt(tail)])).add(among(ids));
        let reach = select(connection, day, &found.text, found.values, |row| {
            Ok(row.get::<_, Option<u64>>(0)?.zip(row.get::<_, Option<u64>>(1)?))
        })?;
        Ok(match reach.into_iter().flatten().next() {
            // What lies between need not be told apart.
            Some((first, last)) if last.saturating_add(1) >= tail => Some(between(first, self.as_of)),
            Some((first, last)) if !self.has_tail() => Some(between(first, last.saturating_add(1))),
            Some((first, last)) => {
                let places = [first, last, tail, self.as_of].map(Value::UBigInt);
                Some(Statement::with("((r.pos >= ? AND r.pos <= ?) OR r.pos >= ?) AND r.pos < ?", places))
            }
            None => self.has_tail().then(|| between(tail, self.as_of)),
        })
    }
}

/// How many requests of a piece a window leaves, where that is known without reading them.
fn matched(spans: &[(Side, Position, Position)], noise: Option<bool>) -> Statement {
    let all = match noise {
        None => "requests",
        Some(true) => "noise",
        Some(false) => "(requests - noise)",
    };
    if spans.iter().all(|span| span.0 == Side::Inside) {
        return Statement::of(all);
    }
    let inside = spans.iter().filter(|span| span.0 == Side::Inside);
    let inside =
        inside.map(|&(_, from, to)| Statement::with("(chunk > ? AND chunk <= ?)", [from, to].map(Value::UBigInt)));
    let whole = inside.fold(Statement::of("CASE WHEN false"), |done, span| done.add(" OR ").add(span));
    whole.add(format!(" THEN {all} ELSE 0 END").as_str())
}

/// And that is noise, or is none; over `r`.
fn quiet(noise: Option<bool>) -> Statement {
    noise.map(|noise| Statement::of(" AND ").add(filter::noise(noise))).unwrap_or_default()
}

fn between(from: Position, to: Position) -> Statement {
    Statement::with("r.pos >= ? AND r.pos < ?", [from, to].map(Value::UBigInt))
}

/// And that began in the window; over `r`.
pub(super) fn within(window: Window) -> Statement {
    Statement::with(" AND r.ts >= ? AND r.ts < ?", [window.from, window.to].map(|moment| Value::BigInt(moment.0)))
}

/// And that belong to some sessions; no ids are all sessions.
pub(super) fn among(ids: &[Id]) -> Statement {
    let (his, los): (Vec<_>, Vec<_>) = ids.iter().copied().map(halves).unzip();
    match (his.as_slice(), los.as_slice()) {
        ([], _) | (_, []) => Statement::default(),
        ([hi], [lo]) => Statement::with(" AND sid_hi = ? AND sid_lo = ?", [*hi, *lo].map(Value::UBigInt)),
        _ => {
            let ids = sql::numbers(&["hi", "lo"]);
            Statement::with(&format!(" AND (sid_hi, sid_lo) IN {ids}"), [sql::column(his), sql::column(los)])
        }
    }
}
