//! Finding somebody by a value of which only the pseudonym was stored.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::JsonBody;
use super::openapi::examples;
use super::params::Params;
use super::{Api, Problem};
use crate::filter::{Expr, Field, Filter, Pattern, Test, Value};
use crate::finding::{GROUPS, Names, names};
use crate::model::{Day, Id, Micros};

/// Context parameters that filters are told for.
const CONTEXTS: usize = 64;
/// Bytes of a value.
const LONGEST: usize = 64 << 10;

/// Whom to look for.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    value: String,
    /// A group to try besides those that nodes tell: they tell those with variables only as they are written.
    group: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// Names the secret that the ids were made with.
    kid: String,
    /// Nodes whose secret is another one: nothing of theirs can be found.
    other_nodes: BTreeSet<String>,
    /// Groups that hold variables and were not tried.
    groups_left_out: BTreeSet<String>,
    /// What stands in the place of the value where it left hashed.
    pseudonyms: Vec<Id>,
    /// Filters that find requests with one of them, as user, role, key or context parameter.
    filters: Vec<String>,
    /// Every id that the value may have given a session.
    names: Vec<NameOfSession>,
    /// The sessions among them that are kept.
    found: Vec<FoundSession>,
}

#[derive(Serialize, JsonSchema)]
struct NameOfSession {
    namespace: String,
    session_id: Id,
}

/// A part of a session that is kept.
#[derive(Serialize, JsonSchema)]
struct FoundSession {
    session_id: Id,
    day: Day,
    requests: u64,
    last_seen: Micros,
}

impl Asked {
    pub(super) fn example() -> Self {
        Self { value: "ada@example.com".to_owned(), group: None }
    }
}

impl Found {
    pub(super) fn example() -> Self {
        let part = examples::part();
        let (requests, last_seen) = (part.requests, part.last_seen);
        Self {
            kid: "6b89e299".to_owned(),
            other_nodes: BTreeSet::new(),
            groups_left_out: ["$host".to_owned()].into(),
            pseudonyms: vec![examples::id()],
            filters: vec![format!("user=\"{}\"", examples::id())],
            names: vec![NameOfSession { namespace: identity::OWN.to_owned(), session_id: part.id }],
            found: vec![FoundSession { session_id: part.id, day: part.day, requests, last_seen }],
        }
    }
}

/// `POST /pseudonym`.
pub(super) async fn find(
    State(api): State<Api>,
    params: Params,
    JsonBody(asked): JsonBody<Asked>,
) -> Result<Json<Found>, Problem> {
    params.only(&[])?;
    let Some(secret) = api.shared.secret.clone() else { return Err(Problem::no_secret()) };
    api.finding.take(api.shared.clock.monotonic()).map_err(Problem::too_often)?;
    if asked.value.is_empty() || asked.value.len() > LONGEST {
        return Err(Problem::parameter("value", format!("a value has 1 to {LONGEST} bytes")));
    }
    let (mut groups, groups_left_out) = api.groups();
    groups.extend(asked.group);
    let Names { sessions, pseudonyms } = names(&asked.value, &groups, &secret);
    let found = api.kept(sessions.iter().map(|name| name.id).collect()).await?;
    let first = pseudonyms.first().copied().unwrap_or_default();
    api.shared.desk.found(first, found.len(), &api.by()).await?;
    let kid = secret.kid();
    let names = sessions.into_iter().map(|name| NameOfSession { namespace: name.namespace, session_id: name.id });
    Ok(Json(Found {
        kid: identity::hex(&kid),
        other_nodes: api.nodes_with_another_secret(kid),
        groups_left_out,
        filters: api.filters(&pseudonyms),
        pseudonyms,
        names: names.collect(),
        found,
    }))
}

impl Api {
    /// The parts that are kept of these sessions.
    async fn kept(&self, ids: Vec<Id>) -> Result<Vec<FoundSession>, Problem> {
        let oldest = self.oldest().day();
        let parts = self
            .ask(move |store| {
                let as_of = store.position();
                ids.into_iter().map(|id| store.parts(id, as_of)).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let kept = parts.into_iter().flatten().filter(|part| part.day >= oldest);
        let found = kept.map(|part| FoundSession {
            session_id: part.id,
            day: part.day,
            requests: part.requests,
            last_seen: part.last_seen,
        });
        Ok(found.collect())
    }

    /// The groups of the keys in force, and those that hold variables.
    fn groups(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut groups = BTreeSet::new();
        for node in self.shared.nodes.list() {
            let keys = node.report.plans.into_iter().flat_map(|plan| plan.keys);
            groups.extend(keys.map(|key| key.group).filter(|group| !group.is_empty()).take(GROUPS));
        }
        groups.into_iter().take(2 * GROUPS).partition(|group| !group.contains('$'))
    }

    /// Filters for values that left as one of these pseudonyms: by user, role and key, and by each context parameter
    /// that nodes tell.
    fn filters(&self, pseudonyms: &[Id]) -> Vec<String> {
        let plans = self.shared.nodes.list().into_iter().flat_map(|node| node.report.plans);
        let names: BTreeSet<String> = plans.flat_map(|plan| plan.contexts).map(|context| context.name).collect();
        let params = names.into_iter().filter(|name| !name.is_empty()).take(CONTEXTS).map(Field::Param);
        let values = || pseudonyms.iter().map(|id| Value::Text(Pattern::literal(&id.to_string()))).collect();
        let filter = |field| Filter { root: Expr::Term(field, Test::OneOf(values())) }.to_string();
        [Field::User, Field::Role, Field::KeyValue].into_iter().chain(params).map(filter).collect()
    }

    fn nodes_with_another_secret(&self, kid: [u8; 4]) -> BTreeSet<String> {
        let nodes = self.shared.nodes.list().into_iter().map(|node| node.report);
        nodes.filter(|report| report.kid != kid).map(|report| report.node).collect()
    }
}
