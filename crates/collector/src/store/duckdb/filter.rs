//! Filters as SQL.
//!
//! A filter becomes conditions over two relations: `r`, the rows of `requests`, and `s`, one row for each
//! session of the day with the facts that the filter asks for and, as `n0`, `n1`, ..., how many of its
//! requests meet what each `any` and `count` holds. Where `s` comes from is the asker's affair:
//! [`Compiled::facts`] names the columns. Conditions are never NULL, so that NOT means what it says.
//! Texts of a filter are bound; what is put into the text of a statement stands in this file.

use duckdb::types::Value as Bound;

use super::facts::{self, Fact};
use super::glob;
use super::halves;
use super::statement::Statement;
use crate::endpoints::Endpoints;
use crate::filter::{Atom, Expr, Field, Filter, Kind, Level, Network, Order, Pattern, Test, Value, ids_of};

/// A filter as conditions.
#[derive(Debug)]
pub(super) struct Compiled<'a> {
    /// What shapes are called.
    pub(super) endpoints: &'a Endpoints,
    /// What a session must be, over `s` alone.
    pub(super) session: Vec<Statement>,
    /// What a request must be, over `r`, and `s` too if `requests_need_session`.
    pub(super) requests: Vec<Statement>,
    /// Whether `requests` speak of `s`.
    pub(super) requests_need_session: bool,
    /// Whether a request must be noise, or must not, where that is all that it must be: lists of sessions know
    /// how many of their requests are, and need not read them.
    pub(super) noise: Option<bool>,
    /// Whether requests that are noise are told apart, as what is hidden, instead of not being looked at.
    pub(super) hides: bool,
    /// The columns of `s` that are spoken of.
    pub(super) facts: Vec<Fact>,
    /// What the requests meet, over `r`, that `n0`, `n1`, ... count.
    pub(super) counts: Vec<Statement>,
}

impl<'a> Compiled<'a> {
    fn new(endpoints: &'a Endpoints) -> Self {
        Self {
            endpoints,
            session: Vec::new(),
            requests: Vec::new(),
            requests_need_session: false,
            noise: None,
            hides: false,
            facts: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// The conditions of a filter that is asked of requests in their parts.
    pub(super) fn of(filter: Option<&Filter>, endpoints: &'a Endpoints) -> Self {
        let mut compiled = Self::new(endpoints);
        let Some(filter) = filter else { return compiled };
        for term in filter.terms() {
            if let (Some(noise), None) = (term.is_noise(), compiled.noise) {
                compiled.noise = Some(noise);
                continue;
            }
            let condition = compiled.condition(term);
            match (term.speaks_of_session(), speaks_of_request(term)) {
                (true, false) => compiled.session.push(condition),
                (needs_session, _) => {
                    compiled.requests_need_session |= needs_session;
                    compiled.requests.push(condition);
                }
            }
        }
        if !compiled.requests.is_empty() {
            compiled.requests.extend(compiled.noise.take().map(noise));
        }
        compiled
    }

    /// The same for a filter whose last term leaves noise out, for who counts what that hides.
    pub(super) fn hiding(filter: Option<&Filter>, endpoints: &'a Endpoints) -> Self {
        let with_noise = filter.and_then(Filter::with_noise);
        let mut compiled = Self::of(with_noise.as_ref(), endpoints);
        compiled.requests.extend(compiled.noise.take().map(noise));
        Self { hides: true, ..compiled }
    }

    /// All that a row must be, over `r` and `s`.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Statement> {
        self.noise.map(noise).into_iter().chain(self.requests.iter().chain(&self.session).cloned())
    }

    /// Whether there is no `s` without it.
    pub(super) fn speaks_of_session(&self) -> bool {
        !self.facts.is_empty() || !self.counts.is_empty()
    }

    fn condition(&mut self, expr: &Expr) -> Statement {
        match expr {
            Expr::And(all) => self.joined(all, " AND "),
            Expr::Or(all) => self.joined(all, " OR "),
            Expr::Not(inner) => Statement::of("NOT ").add(self.condition(inner)),
            Expr::Word(word) => found(word, self.endpoints),
            Expr::Term(field, test) => match field.info().level {
                Level::Request => of_request(field, test, self.endpoints),
                Level::Session => self.of_session(field, test),
            },
            Expr::Any(inner) => self.count(inner).add(" > 0").enclosed(),
            Expr::Count(inner, test) => {
                let column = self.count(inner);
                number(&column.text, Kind::Number, test)
            }
        }
    }

    fn joined(&mut self, all: &[Expr], by: &str) -> Statement {
        let all: Vec<_> = all.iter().map(|expr| self.condition(expr)).collect();
        Statement::default().add_joined(all, by).enclosed()
    }

    fn of_session(&mut self, field: &Field, test: &Test) -> Statement {
        if *field == Field::SessionDuration {
            self.need(facts::FIRST_SEEN);
            self.need(facts::LAST_SEEN);
            return number("(s.last_seen - s.first_seen)", Kind::Time, test);
        }
        let Some(fact) = fact(field) else { return Statement::of("false") };
        self.need(fact);
        let column = format!("s.{}", fact.name);
        match field.info().kind {
            Kind::Flag => flag(&column, test),
            kind => number(&column, kind, test),
        }
    }

    /// Asks for a column of `s`.
    pub(super) fn need(&mut self, fact: Fact) {
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    fn count(&mut self, inner: &Expr) -> Statement {
        let condition = self.condition(inner);
        self.counts.push(condition);
        Statement::of(&format!("s.n{}", self.counts.len() - 1))
    }
}

/// Whether a row is noise, or is none.
pub(super) fn noise(wanted: bool) -> Statement {
    Statement::of(if wanted { "coalesce(r.noise, false)" } else { "NOT coalesce(r.noise, false)" })
}

/// A filter of requests whose parts are not looked at: what speaks of those is false.
pub(super) fn of_requests_alone(filter: &Filter, endpoints: &Endpoints) -> Statement {
    Compiled::new(endpoints).alone(&filter.root)
}

impl Compiled<'_> {
    fn alone(&mut self, expr: &Expr) -> Statement {
        let mut joined = |all: &[Expr], by: &str| {
            let all: Vec<_> = all.iter().map(|expr| self.alone(expr)).collect();
            Statement::default().add_joined(all, by).enclosed()
        };
        match expr {
            Expr::And(all) => joined(all, " AND "),
            Expr::Or(all) => joined(all, " OR "),
            Expr::Not(inner) => Statement::of("NOT ").add(self.alone(inner)),
            expr if expr.speaks_of_session() => Statement::of("false"),
            expr => self.condition(expr),
        }
    }
}

fn speaks_of_request(expr: &Expr) -> bool {
    match expr {
        Expr::And(all) | Expr::Or(all) => all.iter().any(speaks_of_request),
        Expr::Not(inner) => speaks_of_request(inner),
        Expr::Word(_) => true,
        Expr::Term(field, _) => field.info().level == Level::Request,
        Expr::Any(_) | Expr::Count(..) => false,
    }
}

fn fact(field: &Field) -> Option<Fact> {
    Some(match field {
        Field::SessionRequests => facts::REQUESTS,
        Field::SessionNoise => facts::NOISE,
        Field::SessionFirstSeen => facts::FIRST_SEEN,
        Field::SessionLastSeen => facts::LAST_SEEN,
        Field::SessionBytesIn => facts::BYTES_IN,
        Field::SessionBytesOut => facts::BYTES_OUT,
        Field::SessionUsers => facts::USERS,
        Field::SessionIps => facts::IPS,
        Field::SessionMcp => facts::MCP,
        _ => return None,
    })
}

/// What a field is of a row `r`, and whether it may be NULL.
pub(super) fn column(field: &Field) -> (&'static str, bool) {
    match field {
        Field::Ts => ("r.ts", false),
        Field::Node => ("r.node", false),
        Field::Application => ("r.app", false),
        Field::Method => ("r.method", false),
        Field::Scheme => ("r.scheme", false),
        Field::Host => ("r.host", false),
        Field::Path => ("r.path", false),
        Field::Proto => ("r.proto", false),
        Field::Status => ("r.status", false),
        Field::Duration => ("r.duration", false),
        Field::Upstream => ("r.upstream", true),
        Field::BytesIn => ("r.bytes_in", false),
        Field::BytesOut => ("r.bytes_out", false),
        Field::Ip => ("r.ip", false),
        Field::Country => ("r.country", true),
        Field::Network => ("r.network", true),
        Field::UserAgent => ("r.ua", false),
        Field::User => ("r.user_value", true),
        Field::Role => ("r.role_value", true),
        Field::KeySource => ("r.key_source", false),
        Field::KeyName => ("r.key_name", false),
        Field::KeyValue => ("r.key_value", false),
        Field::Noise => ("coalesce(r.noise, false)", false),
        Field::McpMethod => ("r.mcp_method", true),
        Field::McpPrimitive => ("r.mcp_primitive", true),
        Field::McpServer => ("(CASE WHEN r.mcp_method IS NOT NULL THEN r.host || r.path END)", true),
        Field::McpError => ("r.mcp_error", true),
        Field::GqlType => ("r.gql_kind", true),
        Field::GqlOperation => ("r.gql_operation", true),
        // Those that have no single column.
        _ => ("NULL::VARCHAR", true),
    }
}

fn of_request(field: &Field, test: &Test, endpoints: &Endpoints) -> Statement {
    match field {
        Field::Id => ids(test, "r.id_hi", "r.id_lo"),
        Field::SessionId => ids(test, "r.sid_hi", "r.sid_lo"),
        Field::Endpoint => endpoint(test, endpoints),
        Field::Param(name) => {
            let start = "((r.pos, r.ordinal) IN (SELECT p.pos, p.ordinal FROM {day}.params AS p WHERE p.name = ? AND ";
            Statement::with(start, [Bound::Text(name.clone())]).add(text("p.value", test)).add("))")
        }
        Field::Attack => {
            let start = "((r.pos, r.ordinal) IN (SELECT p.pos, p.ordinal FROM {day}.attacks AS p WHERE ";
            Statement::of(start).add(text("p.kind", test)).add("))")
        }
        field => {
            let (column, nullable) = column(field);
            let test = match field.info().kind {
                Kind::Text | Kind::Ip if is_equality(test) => text(column, test),
                Kind::Text | Kind::Ip => late(text(column, test)),
                Kind::Flag => flag(column, test),
                kind => number(column, kind, test),
            };
            match nullable {
                true => Statement::of(&format!("({column} IS NOT NULL AND ")).add(test).add(")"),
                false => test,
            }
        }
    }
}

/// Whether a text is compared as a whole.
fn is_equality(test: &Test) -> bool {
    let is_whole = |value: &Value| matches!(value, Value::Text(pattern) if pattern.text().is_some());
    match test {
        Test::Present => true,
        Test::OneOf(values) => values.iter().all(is_whole),
        Test::Contains(_) | Test::Compare(..) => false,
    }
}

/// A condition that is looked at when the others are met. The engine would do it within the scan, where it unpacks all
/// texts of a column and not those of the rows that are left: for paths of requests that failed, four times the work.
/// It does not what speaks of two columns; no `pos` is NULL.
fn late(condition: Statement) -> Statement {
    Statement::of("(").add(condition).add(" OR r.pos IS NULL)")
}

/// The shapes that are called so now, and rows without a shape by what they hold.
fn endpoint(test: &Test, endpoints: &Endpoints) -> Statement {
    let shapes = endpoints.matching(|name| test.is_met_by_text(name));
    let shapes: Vec<_> = shapes.into_iter().map(|shape| shape.0.to_string()).collect();
    let of_shape = match shapes.is_empty() {
        true => Statement::of("false"),
        // There may be many: one value is bound, not one for each.
        false => Statement::with(
            "(r.shape IS NOT NULL AND r.shape IN (SELECT unnest(string_split(?, ',')::UBIGINT[])))",
            [Bound::Text(shapes.join(","))],
        ),
    };
    let shapeless = Statement::of("(r.shape IS NULL AND ").add(text("(r.method || ' ' || r.host || r.path)", test));
    any_of([of_shape, shapeless.add(")")])
}

fn any_of(conditions: impl IntoIterator<Item = Statement>) -> Statement {
    Statement::default().add_joined(conditions, " OR ").enclosed()
}

fn text(column: &str, test: &Test) -> Statement {
    match test {
        Test::Present => Statement::of(&format!("({column} <> '')")),
        Test::Contains(pattern) => like(&format!("lower({column})"), &pattern.folded().inside()),
        Test::OneOf(values) => any_of(values.iter().map(|value| match value {
            Value::Text(pattern) => like(column, pattern),
            Value::Network(network) => in_network(column, network),
            _ => Statement::of("false"),
        })),
        Test::Compare(..) => Statement::of("false"),
    }
}

/// A text that matches a pattern. Most patterns are one text with a `*` at an end or both.
fn like(column: &str, pattern: &Pattern) -> Statement {
    let atoms = pattern.atoms();
    let (begins, atoms) = match atoms {
        [Atom::Many, atoms @ ..] => (false, atoms),
        atoms => (true, atoms),
    };
    let (ends, atoms) = match atoms {
        [atoms @ .., Atom::Many] => (false, atoms),
        // `*` alone was both.
        atoms => (begins || !atoms.is_empty(), atoms),
    };
    let Some(text) = atoms.iter().copied().collect::<Pattern>().text() else {
        return Statement::with(&format!("globs({column}, ?)"), [Bound::Text(glob::written(pattern))]);
    };
    let test = match (begins, ends) {
        (true, true) => format!("({column} = ?)"),
        (true, false) => format!("starts_with({column}, ?)"),
        (false, true) => format!("ends_with({column}, ?)"),
        (false, false) => format!("contains({column}, ?)"),
    };
    Statement::with(&test, [Bound::Text(text)])
}

/// An address in a network. Parsing each address would cost most of a query's time, so texts that
/// cannot be in it are passed over by their beginning.
fn in_network(column: &str, network: &Network) -> Statement {
    let likely = match network.ipv4_beginning() {
        Some(beginning) => {
            let likely = format!("(starts_with({column}, ?) OR contains({column}, ':'))");
            Statement::with(&likely, [Bound::Text(beginning)])
        }
        None => Statement::of(&format!("contains({column}, ':')")),
    };
    let exact = format!(" AND coalesce(ip_in({column}, ?), false)");
    likely.add(Statement::with(&exact, [Bound::Text(network.to_string())])).enclosed()
}

/// A number as its column has it. Beyond the column's range the largest stands for all.
fn bound(kind: Kind, number: i128) -> Bound {
    match kind {
        Kind::Time => Bound::BigInt(i64::try_from(number).unwrap_or(i64::MAX)),
        Kind::Status => Bound::USmallInt(u16::try_from(number).unwrap_or(u16::MAX)),
        _ => Bound::UBigInt(u64::try_from(number).unwrap_or(u64::MAX)),
    }
}

fn number(column: &str, kind: Kind, test: &Test) -> Statement {
    match test {
        Test::Present => Statement::of("true"),
        Test::Compare(order, number) => {
            let sign = match order {
                Order::Less => "<",
                Order::AtMost => "<=",
                Order::More => ">",
                Order::AtLeast => ">=",
            };
            Statement::with(&format!("({column} {sign} ?)"), [bound(kind, *number)])
        }
        Test::OneOf(values) => any_of(values.iter().map(|value| match value {
            Value::Number(number) => Statement::with(&format!("{column} = ?"), [bound(kind, *number)]),
            Value::Class(class) => {
                let first = u16::from(*class) * 100;
                let bounds = [first, first + 99].map(Bound::USmallInt);
                Statement::with(&format!("{column} BETWEEN ? AND ?"), bounds)
            }
            _ => Statement::of("false"),
        })),
        Test::Contains(_) => Statement::of("false"),
    }
}

fn flag(column: &str, test: &Test) -> Statement {
    let Test::OneOf(values) = test else { return Statement::of("true") };
    any_of(values.iter().map(|value| match value {
        Value::Flag(wanted) => Statement::with(&format!("{column} = ?"), [Bound::Boolean(*wanted)]),
        _ => Statement::of("false"),
    }))
}

/// Ids that are compared one by one; more are looked up in a table of them.
const ONE_BY_ONE: usize = 8;

fn ids(test: &Test, hi: &str, lo: &str) -> Statement {
    let Test::OneOf(values) = test else { return Statement::of("true") };
    let ids = values.iter().filter_map(|value| match value {
        Value::Id(id) => Some(halves(*id)),
        _ => None,
    });
    if values.is_empty() {
        return Statement::of("false");
    }
    if values.len() <= ONE_BY_ONE {
        return any_of(
            ids.map(|(high, low)| {
                Statement::with(&format!("({hi} = ? AND {lo} = ?)"), [high, low].map(Bound::UBigInt))
            }),
        );
    }
    let (highs, lows): (Vec<_>, Vec<_>) = ids.map(|(high, low)| (high.to_string(), low.to_string())).unzip();
    // Two values are bound, not two for each.
    let numbers = "unnest(string_split(?, ',')::UBIGINT[])";
    Statement::with(
        &format!("(({hi}, {lo}) IN (SELECT {numbers}, {numbers}))"),
        [highs.join(","), lows.join(",")].map(Bound::Text),
    )
}

/// What a bare word finds.
fn found(word: &Pattern, endpoints: &Endpoints) -> Statement {
    let fields = [Field::KeyValue, Field::Ip, Field::Path, Field::Endpoint, Field::User];
    let texts = fields.iter().map(|field| of_request(field, &Test::Contains(word.clone()), endpoints));
    let ids = ids_of(word).into_iter().flat_map(|ids| {
        [("r.id_hi", "r.id_lo"), ("r.sid_hi", "r.sid_lo")].map(|(hi, lo)| {
            let ((first_hi, first_lo), (last_hi, last_lo)) = (halves(*ids.start()), halves(*ids.end()));
            Statement::with(
                &format!("({hi} BETWEEN ? AND ? AND ({hi} > ? OR {lo} >= ?) AND ({hi} < ? OR {lo} <= ?))"),
                [first_hi, last_hi, first_hi, first_lo, last_hi, last_lo].map(Bound::UBigInt),
            )
        })
    });
    any_of(texts.chain(ids))
}
