//! What a list of a session part holds at most, the same for every store.

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
/// Methods, and types of attacks, of a part.
pub(super) const KINDS: usize = 20;

/// The class of a status, `2xx`.
pub(super) fn status_class(status: u16) -> String {
    format!("{}xx", status / 100)
}

/// The endpoint of a request: host, method and path.
pub(crate) fn endpoint(host: &str, method: &str, path: &str) -> String {
    format!("{method} {host}{path}")
}
