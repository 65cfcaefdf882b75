//! What a value is called on the nodes: the ids of the sessions it would be the key of, in every namespace,
//! and its pseudonyms.
//!
//! A value is what somebody pastes: a token, a cookie, an e-mail, a line of a header. Where it stood is not
//! known, so all of these are tried.

use std::collections::BTreeSet;

use capture::{Authorization, authorization};
use identity::{BUILTIN_COOKIES, BUILTIN_HEADERS, Secret};

use crate::model::Id;

/// Groups that are tried; a configuration has a few.
pub const GROUPS: usize = 64;

/// An id that the value may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The namespace, such as `cookie:PHPSESSID`.
    pub namespace: String,
    /// The session's id, if it was found by the value in this namespace.
    pub id: Id,
}

/// All that a value may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Ids of sessions.
    pub sessions: Vec<Name>,
    /// What stands in the place of the value where it left hashed; of a header line, of its credential too.
    pub pseudonyms: Vec<Id>,
}

/// What `value` is called with `secret`, on nodes whose keys have these groups.
pub fn names(value: &str, groups: &BTreeSet<String>, secret: &Secret) -> Names {
    let mut sessions: Vec<Name> = Vec::new();
    let mut add = |namespace: &str, parts: &[&[u8]]| {
        let id = Id(secret.id(namespace, parts));
        if !sessions.iter().any(|known| known.id == id) {
            sessions.push(Name { namespace: namespace.to_owned(), id });
        }
    };
    let forms = forms(value);
    for form in &forms {
        let form = form.as_bytes();
        add(identity::OWN, &[form]);
        groups.iter().take(GROUPS).for_each(|group| add(&identity::group(group), &[form]));
        BUILTIN_HEADERS.iter().for_each(|header| add(header.namespace, &[form]));
        for cookie in BUILTIN_COOKIES {
            let named = form.strip_prefix(cookie.name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            add(cookie.namespace, &[named.unwrap_or(form)]);
        }
    }
    match authorization(value.as_bytes()) {
        Some(Authorization::Jwt { iss, sub }) => add(identity::JWT, &[iss.as_bytes(), &[0], sub.as_bytes()]),
        Some(Authorization::Basic(user)) => add(identity::BASIC, &[&user]),
        Some(Authorization::Credential(credential)) => {
            add(identity::CREDENTIAL, &[credential]);
            add(identity::BASIC, &[value.as_bytes()]);
        }
        None => {}
    }
    if value.parse::<std::net::IpAddr>().is_ok() {
        add(identity::IP, &[identity::address_text(value).as_bytes()]);
    }
    let pseudonyms = forms.iter().map(|form| Id(secret.pseudonym(form.as_bytes()))).collect();
    Names { sessions, pseudonyms }
}

/// The value, and what follows the scheme when it is a line of `Authorization`: sources read either.
fn forms(value: &str) -> Vec<&str> {
    let (scheme, rest) = value.split_once(' ').unwrap_or_default();
    let is_scheme = ["bearer", "basic", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let rest = Some(rest.trim()).filter(|rest| is_scheme && !rest.is_empty());
    std::iter::once(value).chain(rest).collect()
}

#[cfg(test)]
mod tests;
