//! The session and the request that the document shows.

use super::words::ID;
use crate::model::{EndpointCount, Id, KeyCount, Micros, Param, Request, SessionPart, Who};

/// 2026-03-10T12:00:00.25Z
const AT: Micros = Micros(1_773_144_000_250_000);

pub(in crate::api) fn id() -> Id {
    ID.parse().unwrap_or_default()
}

pub(in crate::api) fn time() -> Micros {
    AT
}

fn key(requests: Option<u64>) -> KeyCount {
    let value = "5f2b7c1d9e0a4b6c8d7e6f5a4b3c2d1e".to_owned();
    KeyCount { source: "cookie:PHPSESSID".to_owned(), name: "PHPSESSID".to_owned(), value, hashed: true, requests }
}

fn user() -> Who {
    Who { value: "ada@example.com".to_owned(), hashed: false }
}

const ENDPOINT: &str = "GET shop.example/cart";

pub(in crate::api) fn part() -> SessionPart {
    SessionPart {
        id: id(),
        day: AT.day(),
        applications: vec!["shop".to_owned()],
        keys: vec![key(Some(12))],
        user: Some(user()),
        users: vec![user()],
        user_count: 1,
        first_seen: Micros(AT.0 - 60_000_000),
        last_seen: AT,
        duration_ms: 60_000,
        requests: 12,
        counted: 12,
        ips: vec!["192.0.2.7".to_owned()],
        ip_count: 1,
        user_agents: vec!["Mozilla/5.0".to_owned()],
        hosts: vec!["shop.example".to_owned()],
        top_endpoints: vec![EndpointCount { endpoint: ENDPOINT.to_owned(), requests: 12 }],
        endpoint_count: 1,
        statuses: [("2xx".to_owned(), 12)].into(),
        methods: [("GET".to_owned(), 12)].into(),
        bytes_in: 4_800,
        bytes_out: 96_000,
        ..SessionPart::default()
    }
}

pub(in crate::api) fn request() -> Request {
    Request {
        id: id(),
        session_id: id(),
        ts: AT,
        node: "edge-1".to_owned(),
        application: "shop".to_owned(),
        method: "GET".to_owned(),
        scheme: "https".to_owned(),
        host: "shop.example".to_owned(),
        path: "/cart".to_owned(),
        proto: "HTTP/1.1".to_owned(),
        endpoint: ENDPOINT.to_owned(),
        status: 200,
        duration_us: 12_300,
        upstream_us: Some(11_000),
        bytes_in: 400,
        bytes_out: 8_000,
        ip: "192.0.2.7".to_owned(),
        user_agent: "Mozilla/5.0".to_owned(),
        key: key(None),
        params: vec![Param {
            source: "request.body.json.user.email".to_owned(),
            name: "email".to_owned(),
            kind: "user".to_owned(),
            value: user().value,
            hashed: false,
        }],
        ..Request::default()
    }
}
