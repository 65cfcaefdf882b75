//! Statistics over requests: what is counted, by what, and in which steps of time.

use std::cmp::Reverse;

use super::{Position, Window};
use crate::filter::{Field, Filter, Pattern};
use crate::model::{Id, Measures, Micros};

/// A question for statistics.
#[derive(Clone, Debug)]
pub struct StatsQuery {
    /// Whose requests; `None` for all.
    pub session: Option<Id>,
    /// Requests that started in it.
    pub window: Window,
    /// Requests that meet it.
    pub filter: Option<Filter>,
    /// The state to look at.
    pub as_of: Position,
    /// By what they are grouped: none to two.
    pub group_by: Vec<Dimension>,
    /// Groups wanted, those with the most requests; the others are told together.
    pub top: usize,
    /// What is told of each group.
    pub metrics: Vec<Metric>,
    /// Steps of time in microseconds, a divisor of a day; `None` for none.
    pub bucket: Option<i64>,
}

/// What requests can be grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A field of the request; its empty text is no value.
    Field(Field),
    /// The class of the status: `5xx`.
    Class,
    /// The hour of the start, UTC.
    Hour,
    /// The day of the start, UTC.
    Day,
}

/// What can be told of a group. Its requests always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Distinct sessions.
    Sessions,
    /// Distinct users that the requests name.
    Users,
    /// Requests with a status from 500 to 599.
    Errors,
    /// Requests with a status from 400 to 499.
    ClientErrors,
    /// Bytes received.
    BytesIn,
    /// Bytes sent.
    BytesOut,
    /// Time: median, 95th percentile, longest.
    Duration,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// Those with the most requests first, ties by value, no value first.
    pub groups: Vec<Group>,
    /// What is in none of them; `None` when nothing is.
    pub other: Option<Group>,
    /// Groups in all.
    pub group_count: u64,
    /// Whether distinct values and percentiles are exact.
    pub exact: bool,
}

/// Requests with equal values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// One for each dimension; none for `other`.
    pub values: Vec<Option<String>>,
    /// What is told of them.
    pub measures: Measures,
    /// The same for each step of time that has requests, in order.
    pub series: Vec<(Micros, Measures)>,
}

/// Fields that requests can be grouped by.
const FIELDS: &[Field] = &[
    Field::Node,
    Field::Application,
    Field::Method,
    Field::Scheme,
    Field::Host,
    Field::Path,
    Field::Proto,
    Field::Endpoint,
    Field::Status,
    Field::Ip,
    Field::Country,
    Field::Network,
    Field::UserAgent,
    Field::User,
    Field::Role,
    Field::KeySource,
    Field::KeyName,
    Field::McpMethod,
    Field::McpPrimitive,
    Field::McpServer,
    Field::GqlType,
    Field::GqlOperation,
];

/// Microseconds of an hour.
pub(super) const HOUR: i64 = 3_600_000_000;
/// Microseconds of a day.
pub(super) const DAY: i64 = 24 * HOUR;

impl Dimension {
    /// All there are.
    pub fn all() -> impl Iterator<Item = Self> {
        FIELDS.iter().cloned().map(Self::Field).chain([Self::Class, Self::Hour, Self::Day])
    }

    /// Its name: the field's, or `class`, `hour`, `day`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Field(field) => field.info().name,
            Self::Class => "class",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The filter that shows the requests with a value; `None` when no filter can.
    pub fn filter(&self, value: Option<&str>) -> Option<Filter> {
        let text = match (self, value) {
            (Self::Class, value) => format!("status={}", value?),
            (Self::Hour | Self::Day, value) => {
                let from = value?.parse::<jiff::Timestamp>().ok()?.as_microsecond();
                let long = if *self == Self::Hour { HOUR } else { DAY };
                format!("ts>=\"{}\" AND ts<\"{}\"", Micros(from), Micros(from.checked_add(long)?))
            }
            (Self::Field(field), None) => format!("NOT {}:*", field.info().name),
            (Self::Field(Field::Status), Some(value)) => format!("status={value}"),
            (Self::Field(field), Some(value)) => format!("{}={}", field.info().name, Pattern::literal(value)),
        };
        Filter::parse(&text).ok()
    }
}

impl Metric {
    /// All there are, with their names.
    pub const ALL: [(&'static str, Self); 7] = [
        ("sessions", Self::Sessions),
        ("users", Self::Users),
        ("errors", Self::Errors),
        ("client_errors", Self::ClientErrors),
        ("bytes_in", Self::BytesIn),
        ("bytes_out", Self::BytesOut),
        ("duration_us", Self::Duration),
    ];
}

/// The order of groups.
pub(super) fn rank(group: &Group) -> (Reverse<u64>, Vec<Option<String>>) {
    (Reverse(group.measures.requests), group.values.clone())
}

/// The beginning of the day, hour or step that a moment lies in.
pub(super) fn step(moment: Micros, long: i64) -> Micros {
    Micros(moment.0.div_euclid(long) * long)
}
