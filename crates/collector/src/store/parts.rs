//! What is the same of session parts in every store: how many values their lists hold, and who names a
//! part.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::endpoints::{Endpoints, ShapeId};
use crate::model::{Day, Id, Request, SessionPart, Who};

/// Applications of a part.
pub(super) const APPLICATIONS: usize = 5;
/// Grouping keys of a part.
pub(super) const KEYS: usize = 5;
/// Users, and roles, of a part.
pub(super) const USERS: usize = 5;
/// Addresses of a part.
pub(super) const IPS: usize = 10;
/// User-Agents of a part.
pub(super) const USER_AGENTS: usize = 5;
/// Hosts of a part.
pub(super) const HOSTS: usize = 10;
/// Endpoints of a part.
pub(super) const ENDPOINTS: usize = 5;
/// Countries of a part.
pub(super) const COUNTRIES: usize = 5;
/// Networks of a part.
pub(super) const NETWORKS: usize = 5;
/// Methods, and types of attacks, of a part.
pub(super) const KINDS: usize = 20;

/// Names parts whose own requests name nobody: a user or role names the session from then on, so by the
/// last day before that knows one, and its earlier requests too, so else by the first day after.
///
/// `known` tells for a day which of some sessions have which user and role, the last seen of each.
pub(super) fn name_by_other_days<E>(
    parts: &mut [SessionPart],
    days: &[Day],
    mut known: impl FnMut(Day, &[Id]) -> Result<HashMap<Id, Named>, E>,
) -> Result<(), E> {
    let nameless = |part: &SessionPart| part.user.is_none() || part.role.is_none();
    let wanting: BTreeSet<Day> = parts.iter().filter(|part| nameless(part)).map(|part| part.day).collect();
    // A day is asked once for all, as asking costs more than what is asked for.
    let ids: BTreeSet<Id> = parts.iter().filter(|part| nameless(part)).map(|part| part.id).collect();
    let ids: Vec<Id> = ids.into_iter().collect();
    let mut asked: BTreeMap<Day, HashMap<Id, Named>> = BTreeMap::new();
    for day in wanting {
        let (before, after): (Vec<Day>, Vec<Day>) = days.iter().filter(|&&other| other != day).partition(|&&d| d < day);
        for other in before.into_iter().rev().chain(after) {
            if !parts.iter().any(|part| part.day == day && nameless(part)) {
                break;
            }
            let named = match asked.entry(other) {
                Entry::Occupied(asked) => asked.into_mut(),
                Entry::Vacant(first) => first.insert(known(other, &ids)?),
            };
            for part in parts.iter_mut().filter(|part| part.day == day) {
                if let Some(named) = named.get(&part.id) {
                    part.user = part.user.take().or_else(|| named.user.clone());
                    part.role = part.role.take().or_else(|| named.role.clone());
                }
            }
        }
    }
    Ok(())
}

/// Who a session is on a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) user: Option<Who>,
    pub(super) role: Option<Who>,
}

/// The class of a status, `2xx`.
pub(super) fn status_class(status: u16) -> String {
    format!("{}xx", status / 100)
}

/// The endpoint of a request: that of its shape, else method, host and path.
pub(super) fn endpoint(endpoints: &Endpoints, shape: Option<ShapeId>, request: &Request) -> String {
    shape
        .and_then(|shape| endpoints.name(shape))
        .unwrap_or_else(|| own_endpoint(&request.method, &request.host, &request.path))
}

/// The endpoint of a request without a shape.
pub(super) fn own_endpoint(method: &str, host: &str, path: &str) -> String {
    format!("{method} {host}{path}")
}
