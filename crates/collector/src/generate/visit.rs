//! A visit: somebody who comes, asks for this and that, and goes.

use std::fmt::Write;

use fastrand::Rng;
use identity::{Id, Secret, hex};
use wire::{Attack, Event, Key, Mcp, Param, ParamKind, Who};

use super::incident::Incidents;
use super::site::{self, Endpoint, fill, pick, zipf};
use crate::model::Micros;

/// Who visits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Visitor {
    Person,
    App,
    Partner,
    Crawler,
    Agent,
    Attacker,
    /// Somebody of whom nothing is like anybody else.
    Stranger,
}

/// What is usual for a kind of visitor.
struct Usual {
    visitor: Visitor,
    /// Of a thousand visits.
    share: u32,
    /// Requests of a visit, as multiple of the mean.
    length: f64,
    /// Mean seconds between requests.
    gap: f64,
    endpoints: &'static [Endpoint],
    agents: &'static [&'static str],
}

const fn usual(
    visitor: Visitor,
    share: u32,
    length: f64,
    gap: f64,
    endpoints: &'static [Endpoint],
    agents: &'static [&'static str],
) -> Usual {
    Usual { visitor, share, length, gap, endpoints, agents }
}

const PERSON: Usual = usual(Visitor::Person, 620, 0.7, 14.0, &site::SHOPPING, &BROWSERS);
const USUALS: [Usual; 5] = [
    PERSON,
    usual(Visitor::App, 280, 0.8, 9.0, &site::APP, &APPS),
    usual(Visitor::Crawler, 50, 2.5, 3.0, &site::CRAWLED, &CRAWLERS),
    usual(Visitor::Partner, 30, 6.0, 12.0, &site::PARTNER, &MACHINES),
    usual(Visitor::Agent, 20, 1.2, 4.0, &site::AGENT, &AGENTS),
];
const ATTACKER: Usual = usual(Visitor::Attacker, 0, 3.0, 0.6, &site::PROBED, &MACHINES);
const STRANGER: Usual = usual(Visitor::Stranger, 0, 1.0, 30.0, &site::SHOPPING, &BROWSERS);

const BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
];
const APPS: [&str; 3] = ["ShopApp/7.4.1 (iOS 26.1)", "ShopApp/7.4.1 (Android 16)", "ShopApp/6.9.0 (Android 14)"];
const MACHINES: [&str; 3] = ["python-requests/2.32.5", "Go-http-client/2.0", "okhttp/5.1.0"];
const CRAWLERS: [&str; 2] =
    ["Mozilla/5.0 (compatible; ExampleBot/2.1; +https://bot.example/)", "SearchSpider/1.0 (+https://search.example)"];
const AGENTS: [&str; 2] = ["assistant-client/1.8", "shop-agent/0.3"];
const TOOLS: [&str; 5] = ["search_products", "get_order", "list_orders", "create_return", "cancel_order"];
const LANGUAGES: [&str; 4] = ["en-US,en;q=0.9", "de-DE,de;q=0.8", "hu-HU,hu;q=0.8", "fr-FR"];

/// A visit under way.
#[derive(Debug)]
pub(super) struct Visit {
    visitor: Visitor,
    sid: Id,
    /// Source and name of the key that found the session, and its value's pseudonym.
    key: (&'static str, &'static str, String),
    ip: String,
    agent: &'static str,
    /// Who logs in, and the pseudonym of the address for letters.
    user: Option<(String, String)>,
    /// After how many requests.
    login: u64,
    language: &'static str,
    conn: u64,
    asked: u64,
    left: u64,
    gap: f64,
    endpoints: &'static [Endpoint],
    path: String,
}

impl Visit {
    /// Somebody comes at `at`; of `people` there are so many.
    pub(super) fn begin(rng: &mut Rng, secret: &Secret, at: Micros, incidents: &Incidents, people: u64) -> Self {
        let usual = if incidents.attacked(at) && rng.u32(0..4) == 0 {
            &ATTACKER
        } else {
            let mut place = rng.u32(0..1000);
            let chosen = USUALS.iter().find(|usual| {
                let here = place < usual.share;
                place = place.saturating_sub(usual.share);
                here
            });
            chosen.unwrap_or(&PERSON)
        };
        Self::of(usual, rng, secret, people)
    }

    /// A stranger comes.
    pub(super) fn of_stranger(rng: &mut Rng, secret: &Secret) -> Self {
        Self::of(&STRANGER, rng, secret, u64::MAX)
    }

    fn of(usual: &Usual, rng: &mut Rng, secret: &Secret, people: u64) -> Self {
        let who = zipf(rng, people);
        let ip = address(if usual.visitor == Visitor::Stranger { rng.u64(..) } else { mix(who) });
        let agent = usual.agents.get(mix(who) as usize % usual.agents.len()).copied().unwrap_or_default();
        let value = format!("{:032x}", rng.u128(..));
        let (source, name) = match usual.visitor {
            Visitor::Person | Visitor::Stranger => ("cookie:PHPSESSID", "PHPSESSID"),
            Visitor::App => ("jwt", "sub"),
            Visitor::Partner => ("request.header.X-Api-Key", "X-Api-Key"),
            Visitor::Agent => ("header:mcp-session-id", "Mcp-Session-Id"),
            Visitor::Crawler | Visitor::Attacker => ("ip+ua", "ip+ua"),
        };
        let namespace = if usual.visitor == Visitor::Partner { identity::OWN } else { source };
        let user = match usual.visitor {
            Visitor::Person if rng.u32(0..3) > 0 => None,
            Visitor::Person | Visitor::App => {
                let user = format!("user-{who:06}");
                let letters = hex(&secret.pseudonym(format!("{user}@mail.example").as_bytes()));
                Some((user, letters))
            }
            Visitor::Partner => Some((format!("partner-{:02}", who % 40), String::new())),
            _ => None,
        };
        Self {
            visitor: usual.visitor,
            sid: secret.id(namespace, &[value.as_bytes()]),
            key: (source, name, hex(&secret.pseudonym(value.as_bytes()))),
            ip,
            agent,
            user,
            login: if usual.visitor == Visitor::Person { rng.u64(0..4) } else { 0 },
            language: LANGUAGES.get(mix(who) as usize >> 3 & 3).copied().unwrap_or_default(),
            conn: rng.u64(1..10_000_000),
            asked: 0,
            left: 1,
            gap: usual.gap,
            endpoints: usual.endpoints,
            path: String::new(),
        }
    }

    /// Says how many requests it may have, of which `mean` are usual; at most `most`.
    pub(super) fn plan(&mut self, rng: &mut Rng, mean: f64, most: u64) -> u64 {
        let length =
            USUALS.iter().chain([&ATTACKER]).find(|usual| usual.visitor == self.visitor).map_or(1.0, |u| u.length);
        self.left = ((mean * length * -rng.f64().max(1e-12).ln()).round() as u64).clamp(1, most.max(1));
        self.left
    }

    /// Requests that are to come.
    pub(super) fn set_left(&mut self, left: u64) {
        self.left = left;
    }

    /// When the request after one at `at` comes, before `end`; `None` after the last.
    pub(super) fn next(&self, rng: &mut Rng, at: Micros, end: Micros) -> Option<Micros> {
        if self.left == 0 {
            return None;
        }
        let gap = (self.gap * 1e6 * -rng.f64().max(1e-12).ln()) as i64 + 1000;
        let next = at.0.saturating_add(gap);
        if next < end.0 {
            return Some(Micros(next));
        }
        // Who is still there at the end hurries.
        Some(Micros(at.0 + rng.i64(0..(end.0 - at.0).max(1))))
    }

    /// Its next request, which begins at `at`; `base` is what it has in common with all others.
    pub(super) fn request<'a>(
        &'a mut self,
        rng: &mut Rng,
        at: Micros,
        incidents: &Incidents,
        base: Event<'a>,
        host: &'a mut String,
    ) -> Event<'a> {
        self.asked += 1;
        self.left = self.left.saturating_sub(1);
        let logs_in = self.user.is_some() && self.visitor == Visitor::Person && self.asked == self.login + 1;
        let endpoint = if logs_in { &site::LOGIN } else { pick(rng, self.endpoints) };
        fill(endpoint.path, rng, &mut self.path);
        host.clear();
        host.push_str(endpoint.host);
        if self.visitor == Visitor::Stranger {
            host.clear();
            let _ = write!(host, "{:08x}.example", rng.u32(..));
            self.path.clear();
            let _ = write!(self.path, "/{:016x}", rng.u64(..));
        }
        let outage = incidents.outage(at) && endpoint.host == site::APP[0].host && rng.u32(0..10) < 6;
        let status = match rng.u32(0..1000) {
            _ if outage => 503,
            0..5 => 500,
            5..15 => 400,
            15..40 if endpoint.path.contains('{') => 404,
            40..90 if endpoint.millis == 0 => 304,
            _ => endpoint.status,
        };
        let slower = if outage { 20.0 } else { 1.0 };
        let spread = |rng: &mut Rng| 0.4 - rng.f64().max(1e-9).ln() * 0.6;
        let micros = (f64::from(endpoint.millis) * 1000.0 * slower * spread(rng)) as u64;
        let bytes = (f64::from(endpoint.bytes) * spread(rng)) as u64;
        let user = self.user.as_ref().filter(|_| self.asked > self.login);
        let mut ctx = Vec::new();
        if let Some((user, letters)) = user {
            ctx.push(param("request.header.Authorization.jwt.payload.sub", "user", ParamKind::User, user, false));
            if !letters.is_empty() {
                ctx.push(param(
                    "request.header.Authorization.jwt.payload.email",
                    "email",
                    ParamKind::Context,
                    letters,
                    true,
                ));
            }
        }
        if matches!(self.visitor, Visitor::Person | Visitor::App) {
            ctx.push(param("request.header.Accept-Language", "language", ParamKind::Context, self.language, false));
        }
        let attacks = match (self.visitor, endpoint.path) {
            (Visitor::Attacker, "/search") => vec![attack("sqli", "query.q", "1' OR '1'='1", status == 403)],
            (Visitor::Attacker, "/.env") => vec![attack("scanner", "path", "/.env", false)],
            _ => Vec::new(),
        };
        let mcp = (self.visitor == Visitor::Agent).then(|| match self.asked {
            1 => Mcp { method: "initialize".into(), ..Mcp::default() },
            _ => Mcp {
                method: "tools/call".into(),
                primitive: rng.choice(TOOLS).unwrap_or_default().into(),
                error: (status >= 400).then(|| "-32603".into()),
                ..Mcp::default()
            },
        });
        let (source, name, value) = &self.key;
        let role = match self.visitor {
            Visitor::Partner => Some("partner"),
            Visitor::Person | Visitor::App => user.map(|_| "customer"),
            _ => None,
        };
        Event {
            app: match endpoint.host.split('.').next() {
                Some(name) => name.into(),
                None => endpoint.host.into(),
            },
            sid: self.sid,
            key: Key { source: (*source).into(), name: (*name).into(), value: value.into(), hashed: true },
            conn: self.conn,
            n: self.asked,
            host: host.as_str().into(),
            method: endpoint.method.into(),
            path: self.path.as_str().into(),
            proto: if self.visitor == Visitor::Partner { "HTTP/1.1" } else { "HTTP/2.0" }.into(),
            scheme: "https".into(),
            status,
            dur: micros + 150,
            up: (micros > 0).then_some(micros),
            bytes_in: 400 + self.path.len() as u64 + bytes / 40,
            bytes_out: if matches!(status, 200..=299) { bytes + 200 } else { 350 },
            ip: self.ip.as_str().into(),
            ua: self.agent.into(),
            user: user.map(|(user, _)| Who { value: user.into(), hashed: false }),
            role: role.map(|role| Who { value: role.into(), hashed: false }),
            ctx,
            mcp,
            gql: (endpoint.path == "/graphql")
                .then(|| wire::Graphql { kind: "query".into(), operation: "Feed".into() }),
            attacks,
            ..base
        }
    }
}

fn param<'a>(source: &'static str, name: &'static str, kind: ParamKind, value: &'a str, hashed: bool) -> Param<'a> {
    Param { source: source.into(), name: name.into(), kind, value: value.into(), hashed }
}

fn attack(kind: &'static str, point: &'static str, payload: &'static str, blocked: bool) -> Attack<'static> {
    Attack { kind: kind.into(), point: point.into(), payload: payload.into(), engine: "generated".into(), blocked }
}

/// Scatters numbers, the same one always to the same place.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ n >> 29
}

/// A unicast address for a number.
fn address(n: u64) -> String {
    let [a, b, c, d, ..] = n.to_be_bytes();
    let first = match a % 220 + 1 {
        10 | 127 => 80,
        first => first,
    };
    format!("{first}.{b}.{c}.{}", d.max(1))
}
