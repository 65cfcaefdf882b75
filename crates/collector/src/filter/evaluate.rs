//! Filters evaluated plainly: what stores must agree with.

use std::collections::BTreeSet;

use super::{Expr, Field, Filter, Level, Order, Pattern, Test, Value};
use crate::model::{Id, Request, SessionPart, Who};

/// A request with who it names.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The request.
    pub request: &'a Request,
    /// The user that it names.
    pub user: Option<&'a Who>,
    /// The role that it names.
    pub role: Option<&'a Who>,
}

/// The part of a session that a request belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The whole part's facts.
    pub facts: &'a SessionPart,
    /// Its requests that the window leaves.
    pub requests: &'a [Seen<'a>],
}

/// What a field is for one request or part; nothing where it is absent.
enum Found {
    Texts(Vec<String>),
    Number(Option<i128>),
    Id(Id),
    Flag(bool),
}

impl Filter {
    /// Whether a request, and the part that it belongs to, meet it. Where no part is given, as there is
    /// none yet for a request that has just arrived, terms on sessions are false.
    pub fn matches(&self, seen: Seen, part: Option<Part>) -> bool {
        self.root.matches(seen, part)
    }
}

impl Field {
    /// The different values that it has in a request, as texts, the empty one left out.
    pub(crate) fn values(&self, seen: Seen) -> BTreeSet<String> {
        let mut values: BTreeSet<String> = match found_in_request(self, seen) {
            Found::Texts(texts) => texts.into_iter().collect(),
            Found::Number(number) => number.map(|number| number.to_string()).into_iter().collect(),
            Found::Id(_) | Found::Flag(_) => BTreeSet::new(),
        };
        values.remove("");
        values
    }
}

impl Expr {
    fn matches(&self, seen: Seen, part: Option<Part>) -> bool {
        let times = |inner: &Expr| {
            part.map(|part| part.requests.iter().filter(|seen| inner.matches(**seen, None)).count() as i128)
        };
        match self {
            Self::And(all) => all.iter().all(|expr| expr.matches(seen, part)),
            Self::Or(all) => all.iter().any(|expr| expr.matches(seen, part)),
            Self::Not(inner) => !inner.matches(seen, part),
            Self::Word(word) => is_found(word, seen),
            Self::Term(field, test) => match (field.info().level, part) {
                (Level::Request, _) => found_in_request(field, seen).meets(test),
                (Level::Session, Some(part)) => found_in_part(field, part.facts).meets(test),
                (Level::Session, None) => false,
            },
            Self::Any(inner) => times(inner).is_some_and(|times| times > 0),
            Self::Count(inner, test) => Found::Number(times(inner)).meets(test),
        }
    }
}

impl Test {
    /// Whether a field that is this text meets it.
    pub(crate) fn is_met_by_text(&self, text: &str) -> bool {
        Found::Texts(vec![text.to_owned()]).meets(self)
    }
}

impl Found {
    fn meets(&self, test: &Test) -> bool {
        match (self, test) {
            (Self::Texts(texts), Test::Present) => texts.iter().any(|text| !text.is_empty()),
            (Self::Number(number), Test::Present) => number.is_some(),
            (Self::Id(_) | Self::Flag(_), Test::Present) => true,
            (Self::Texts(texts), Test::Contains(pattern)) => texts.iter().any(|text| pattern.is_contained_in(text)),
            (Self::Number(Some(number)), Test::Compare(order, than)) => match order {
                Order::Less => number < than,
                Order::AtMost => number <= than,
                Order::More => number > than,
                Order::AtLeast => number >= than,
            },
            (_, Test::OneOf(values)) => values.iter().any(|value| self.is(value)),
            _ => false,
        }
    }

    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Texts(texts), Value::Text(pattern)) => texts.iter().any(|text| pattern.matches(text)),
            (Self::Texts(texts), Value::Network(network)) => texts.iter().any(|text| network.holds(text)),
            (Self::Number(Some(number)), Value::Number(wanted)) => number == wanted,
            (Self::Number(Some(number)), Value::Class(class)) => *number / 100 == i128::from(*class),
            (Self::Id(id), Value::Id(wanted)) => id == wanted,
            (Self::Flag(flag), Value::Flag(wanted)) => flag == wanted,
            _ => false,
        }
    }
}

fn is_found(word: &Pattern, Seen { request, user, .. }: Seen) -> bool {
    let texts = [&request.key.value, &request.ip, &request.path, &request.endpoint];
    texts.into_iter().chain(user.map(|user| &user.value)).any(|text| word.is_contained_in(text))
        || ids_of(word).is_some_and(|ids| ids.contains(&request.id) || ids.contains(&request.session_id))
}

/// The ids that begin with a word: of 8 hex digits at least.
pub(crate) fn ids_of(word: &Pattern) -> Option<std::ops::RangeInclusive<Id>> {
    let text = word.text().filter(|text| text.len() >= 8)?;
    let bound = |fill: &str| format!("{text}{}", fill.repeat(32_usize.saturating_sub(text.len()))).parse::<Id>().ok();
    Some(bound("0")?..=bound("f")?)
}

fn found_in_request(field: &Field, Seen { request, user, role }: Seen) -> Found {
    let text = |text: &str| Found::Texts(vec![text.to_owned()]);
    let maybe = |text: Option<&String>| Found::Texts(text.cloned().into_iter().collect());
    let number = |number: u64| Found::Number(Some(number.into()));
    let (mcp, gql) = (request.mcp.as_ref(), request.gql.as_ref());
    match field {
        Field::Ts => Found::Number(Some(request.ts.0.into())),
        Field::Id => Found::Id(request.id),
        Field::SessionId => Found::Id(request.session_id),
        Field::Node => text(&request.node),
        Field::Application => text(&request.application),
        Field::Method => text(&request.method),
        Field::Scheme => text(&request.scheme),
        Field::Host => text(&request.host),
        Field::Path => text(&request.path),
        Field::Proto => text(&request.proto),
        Field::Endpoint => text(&request.endpoint),
        Field::Status => number(request.status.into()),
        Field::Duration => number(request.duration_us),
        Field::Upstream => Found::Number(request.upstream_us.map(i128::from)),
        Field::BytesIn => number(request.bytes_in),
        Field::BytesOut => number(request.bytes_out),
        Field::Ip => text(&request.ip),
        Field::Country => maybe(request.country.as_ref()),
        Field::Network => maybe(request.network.as_ref()),
        Field::UserAgent => text(&request.user_agent),
        Field::User => maybe(user.map(|who| &who.value)),
        Field::Role => maybe(role.map(|who| &who.value)),
        Field::KeySource => text(&request.key.source),
        Field::KeyName => text(&request.key.name),
        Field::KeyValue => text(&request.key.value),
        Field::Param(name) => {
            let own = request.params.iter().filter(|param| param.name == *name);
            Found::Texts(own.map(|param| param.value.clone()).collect())
        }
        Field::Attack => Found::Texts(request.attacks.iter().map(|attack| attack.kind.clone()).collect()),
        Field::Label => Found::Texts(request.labels.clone()),
        Field::Noise => Found::Flag(request.noise),
        Field::McpMethod => maybe(mcp.map(|mcp| &mcp.method)),
        Field::McpPrimitive => maybe(mcp.map(|mcp| &mcp.primitive)),
        Field::McpServer => maybe(mcp.map(|_| format!("{}{}", request.host, request.path)).as_ref()),
        Field::McpError => maybe(mcp.and_then(|mcp| mcp.error.as_ref())),
        Field::GqlType => maybe(gql.map(|gql| &gql.kind)),
        Field::GqlOperation => maybe(gql.map(|gql| &gql.operation)),
        _ => Found::Texts(Vec::new()),
    }
}

fn found_in_part(field: &Field, part: &SessionPart) -> Found {
    let number = |number: u64| Found::Number(Some(number.into()));
    match field {
        Field::SessionRequests => number(part.requests),
        Field::SessionNoise => number(part.noise),
        Field::SessionDuration => Found::Number(Some(i128::from(part.last_seen.0) - i128::from(part.first_seen.0))),
        Field::SessionFirstSeen => Found::Number(Some(part.first_seen.0.into())),
        Field::SessionLastSeen => Found::Number(Some(part.last_seen.0.into())),
        Field::SessionBytesIn => number(part.bytes_in),
        Field::SessionBytesOut => number(part.bytes_out),
        Field::SessionUsers => number(part.user_count),
        Field::SessionIps => number(part.ip_count),
        Field::SessionMcp => Found::Flag(part.mcp),
        _ => Found::Texts(Vec::new()),
    }
}
