//! The ground truth: who made how many requests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What tells a client from others: one session each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Label {
    /// Holds this token of a login, whatever carries it.
    Token(String),
    /// Holds a JWT of this customer.
    Customer {
        /// Who says so.
        iss: String,
        /// The customer.
        sub: String,
    },
    /// Holds this API key.
    ApiKey(String),
    /// Holds nothing.
    Nobody {
        /// Where the requests come from.
        address: IpAddr,
        /// The user-agent sent with them.
        agent: Option<String>,
    },
}

#[derive(Debug, Default)]
struct Pages {
    requests: BTreeMap<Label, u64>,
    by_request_id: BTreeMap<String, Label>,
}

/// Counts answered requests by label. Clones write into the same one.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Pages>>);

/// Request ids kept; beyond it requests are only counted, so that a demo may run for days.
const REQUEST_IDS: usize = 200_000;

impl Ledger {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down one answered request, with the request id that the answer told, if any.
    pub fn write(&self, label: Label, request_id: Option<String>) {
        let mut pages = self.pages();
        if let Some(id) = request_id
            && pages.by_request_id.len() < REQUEST_IDS
        {
            pages.by_request_id.insert(id, label.clone());
        }
        *pages.requests.entry(label).or_default() += 1;
    }

    /// Requests answered so far.
    pub fn requests(&self) -> u64 {
        self.pages().requests.values().sum()
    }

    /// Sessions that these requests make.
    pub fn expected_sessions(&self) -> u64 {
        self.pages().requests.len() as u64
    }

    /// Requests of each label.
    pub fn by_label(&self) -> BTreeMap<Label, u64> {
        self.pages().requests.clone()
    }

    /// The label of each request whose answer told its id.
    pub fn by_request_id(&self) -> BTreeMap<String, Label> {
        self.pages().by_request_id.clone()
    }
}
