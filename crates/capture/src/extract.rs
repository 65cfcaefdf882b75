//! From a snapshot to an event: find the session, read the contexts, hide what must not leave.

use std::borrow::Cow;
use std::net::IpAddr;

use identity::{BUILTIN_COOKIES, BUILTIN_HEADERS, Namespace, Secret};
use wire::{Event, Key, Param, ParamKind, Who, escape};

use crate::decode::Undecoded;
use crate::http::{self, Authorization};
use crate::mask::mask;
use crate::plan::{AddressMode, ContextSpec, KeySpec, PathMode, Plan};
use crate::snapshot::{Slot, Snapshot};
use crate::source::{Origin, Piece, Source, Template};
use crate::uri;

/// Shown values are cut here, in bytes. Identity and pseudonyms use the whole value.
const SHOWN: usize = 1024;
/// Paths are cut here: NGINX's default for the longest request line.
const SHOWN_PATH: usize = 8192;

/// What a node adds to every event.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// Node name.
    pub name: String,
    /// Key of ids and pseudonyms.
    pub secret: Secret,
}

/// The session of a request and the key that told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity<'a> {
    /// Session id.
    pub sid: identity::Id,
    /// The key, its value as it may leave.
    pub key: Key<'a>,
}

impl Plan {
    /// Makes the event of a snapshot of this plan.
    pub fn extract<'a>(&'a self, snapshot: &'a Snapshot, node: &'a NodeFacts, undecoded: &mut Undecoded) -> Event<'a> {
        let reading = Reading { plan: self, snapshot, secret: &node.secret };
        let identity = reading.identify(undecoded);
        let ctx: Vec<Param> = self.spec.contexts.iter().filter_map(|c| reading.param(c, undecoded)).collect();
        let facts = &snapshot.facts;
        Event {
            id: facts.id,
            seq: facts.seq,
            node: Cow::Borrowed(&node.name),
            app: reading.application(),
            kid: node.secret.kid(),
            sid: identity.sid,
            key: identity.key,
            conn: facts.connection,
            n: facts.number,
            host: reading.shown(Slot::HOST),
            method: reading.shown(Slot::METHOD),
            path: reading.path(),
            proto: reading.shown(Slot::PROTO),
            scheme: Cow::Borrowed(scheme(facts.https)),
            status: facts.status,
            dur: facts.duration,
            up: facts.upstream,
            bytes_in: facts.bytes_in,
            bytes_out: facts.bytes_out,
            ip: reading.address(),
            ua: cut(escape(reading.user_agent()), SHOWN),
            user: who(&ctx, ParamKind::User),
            role: who(&ctx, ParamKind::Role),
            ctx,
            ..Event::default()
        }
    }

    /// Finds the session alone.
    pub fn identify<'a>(&'a self, snapshot: &'a Snapshot, secret: &'a Secret) -> Identity<'a> {
        Reading { plan: self, snapshot, secret }.identify(&mut Undecoded::default())
    }

    /// Finds the user alone, as it may leave the node.
    pub fn user<'a>(&'a self, snapshot: &'a Snapshot, secret: &'a Secret) -> Option<Who<'a>> {
        let reading = Reading { plan: self, snapshot, secret };
        let users = self.spec.contexts.iter().filter(|context| context.kind == ParamKind::User);
        let found = users.filter_map(|context| reading.param(context, &mut Undecoded::default())).next()?;
        Some(Who { value: found.value, hashed: found.hashed })
    }
}

fn scheme(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

/// The first parameter of a kind names the user or role.
fn who<'a>(params: &[Param<'a>], kind: ParamKind) -> Option<Who<'a>> {
    let param = params.iter().find(|param| param.kind == kind)?;
    Some(Who { value: param.value.clone(), hashed: param.hashed })
}

/// Cuts text at a length in bytes, between characters.
fn cut(text: Cow<str>, max: usize) -> Cow<str> {
    if text.len() <= max {
        return text;
    }
    let end = text.floor_char_boundary(max);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or_default()),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}

/// A plan, a snapshot and the secret, read together.
struct Reading<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    secret: &'a Secret,
}

impl<'a> Reading<'a> {
    fn identify(&self, undecoded: &mut Undecoded) -> Identity<'a> {
        self.plan
            .spec
            .keys
            .iter()
            .find_map(|key| self.own_key(key, undecoded))
            .or_else(|| self.plan.spec.builtin_keys.then(|| self.builtin_key()).flatten())
            .unwrap_or_else(|| self.address_key())
    }

    fn own_key(&self, key: &'a KeySpec, undecoded: &mut Undecoded) -> Option<Identity<'a>> {
        let value = self.value(&key.source, undecoded).filter(|value| !value.is_empty())?;
        let group = key.group.as_ref().map(|group| self.text_of(group));
        let namespace = group.as_deref().map_or(Namespace::Own, Namespace::Group);
        let sid = self.id(namespace, &[&value]);
        let (value, hashed) = self.leaving(value, !key.show);
        let key = Key { source: Cow::Borrowed(&key.text), name: Cow::Borrowed(&key.name), value, hashed };
        Some(Identity { sid, key })
    }

    /// The built-in keys in the order of the contract.
    fn builtin_key(&self) -> Option<Identity<'a>> {
        self.builtin_of_request().or_else(|| self.builtin_of_response()).or_else(|| self.authorization_key())
    }

    fn builtin_of_request(&self) -> Option<Identity<'a>> {
        let headers = BUILTIN_HEADERS.iter().filter_map(|name| {
            let value = self.request_header(name).next()?;
            self.builtin(Namespace::Header(name), name, value)
        });
        let cookies = BUILTIN_COOKIES.iter().filter_map(|name| {
            let value = self.request_header("cookie").find_map(|header| http::cookie(header, name))?;
            self.builtin(Namespace::Cookie(name), name, value)
        });
        headers.chain(cookies).next()
    }

    /// A first answer hands out the id that later requests bring.
    fn builtin_of_response(&self) -> Option<Identity<'a>> {
        let cookies = BUILTIN_COOKIES.iter().filter_map(|name| {
            let value = self.response_header("set-cookie").find_map(|header| http::set_cookie(header, name))?;
            self.builtin(Namespace::Cookie(name), name, value)
        });
        let headers = BUILTIN_HEADERS.iter().filter_map(|name| {
            let value = self.response_header(name).next()?;
            self.builtin(Namespace::Header(name), name, value)
        });
        cookies.chain(headers).next()
    }

    fn authorization_key(&self) -> Option<Identity<'a>> {
        let header = self.request_header("authorization").next()?;
        Some(match http::authorization(header)? {
            Authorization::Jwt { iss, sub } => {
                self.builtin_parts(Namespace::Jwt, "sub", &[iss.as_bytes(), b"\0", sub.as_bytes()])
            }
            Authorization::Basic(user) => self.builtin_parts(Namespace::Basic, "user", &[&user]),
            Authorization::Credential(text) => self.builtin_parts(Namespace::Credential, "credential", &[text]),
        })
    }

    /// What is left when no key found anything.
    fn address_key(&self) -> Identity<'a> {
        let address = identity::address_text(&escape(self.snapshot.get(Slot::IP).unwrap_or_default()));
        match self.user_agent() {
            b"" => self.builtin_parts(Namespace::Ip, "ip", &[address.as_bytes()]),
            agent => self.builtin_parts(Namespace::IpUserAgent, "ip+ua", &[address.as_bytes(), b"\0", agent]),
        }
    }

    fn builtin(&self, namespace: Namespace, name: &'static str, value: &[u8]) -> Option<Identity<'a>> {
        (!value.is_empty()).then(|| self.builtin_parts(namespace, name, &[value]))
    }

    /// Values of built-in keys always leave as pseudonyms.
    fn builtin_parts(&self, namespace: Namespace, name: &'static str, parts: &[&[u8]]) -> Identity<'a> {
        let key = Key {
            source: Cow::Owned(namespace.to_string()),
            name: Cow::Borrowed(name),
            value: Cow::Owned(identity::hex(&self.secret.id("pseudonym", parts))),
            hashed: true,
        };
        Identity { sid: self.id(namespace, parts), key }
    }

    fn id(&self, namespace: Namespace, parts: &[&[u8]]) -> identity::Id {
        self.secret.id(&namespace.to_string(), parts)
    }

    fn param(&self, context: &'a ContextSpec, undecoded: &mut Undecoded) -> Option<Param<'a>> {
        let value = self.value(&context.source, undecoded)?;
        let (value, hashed) = self.leaving(value, context.hash);
        Some(Param {
            source: Cow::Borrowed(&context.text),
            name: Cow::Borrowed(&context.name),
            kind: context.kind,
            value,
            hashed,
        })
    }

    /// A value as it may leave the node.
    fn leaving(&self, value: Cow<'a, [u8]>, hash: bool) -> (Cow<'a, str>, bool) {
        if hash {
            return (Cow::Owned(identity::hex(&self.secret.pseudonym(&value))), true);
        }
        let text = match value {
            Cow::Borrowed(bytes) => escape(bytes),
            Cow::Owned(bytes) => Cow::Owned(escape(&bytes).into_owned()),
        };
        (cut(text, SHOWN), false)
    }

    /// The value of a source, decoded.
    fn value(&self, source: &Source, undecoded: &mut Undecoded) -> Option<Cow<'a, [u8]>> {
        let raw = self.raw(&source.origin)?;
        source.decoders.iter().try_fold(raw, |value, decoder| decoder.apply(value, undecoded))
    }

    fn raw(&self, origin: &Origin) -> Option<Cow<'a, [u8]>> {
        let borrowed = match origin {
            Origin::RequestHeader(name) => self.request_header(name).next()?,
            Origin::RequestCookie(name) => {
                self.request_header("cookie").find_map(|header| http::cookie(header, name))?
            }
            Origin::ResponseHeader(name) => self.response_header(name).next()?,
            Origin::ResponseCookie(name) => {
                self.response_header("set-cookie").find_map(|header| http::set_cookie(header, name))?
            }
            Origin::Uri => self.snapshot.get(Slot::TARGET)?,
            Origin::Method => self.snapshot.get(Slot::METHOD)?,
            Origin::Host => self.snapshot.get(Slot::HOST)?,
            Origin::Ip => self.snapshot.get(Slot::IP)?,
            Origin::Scheme => scheme(self.snapshot.facts.https).as_bytes(),
            Origin::Path => return Some(self.normalized_path()),
            Origin::PathSegment(n) => return self.path_segment(*n),
            Origin::Query(name) => return uri::parameter(self.target().1, name),
            Origin::Status => return self.status(),
            Origin::Value(template) => return self.evaluate(template).map(Cow::Owned),
        };
        Some(Cow::Borrowed(borrowed))
    }

    fn status(&self) -> Option<Cow<'a, [u8]>> {
        let status = self.snapshot.facts.status;
        (status != 0).then(|| Cow::Owned(status.to_string().into_bytes()))
    }

    fn path_segment(&self, n: usize) -> Option<Cow<'a, [u8]>> {
        match self.normalized_path() {
            Cow::Borrowed(path) => uri::segment(path, n).map(Cow::Borrowed),
            Cow::Owned(path) => uri::segment(&path, n).map(|segment| Cow::Owned(segment.to_vec())),
        }
    }

    /// A template's value; absent when any variable in it is empty.
    fn evaluate(&self, template: &Template) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &template.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(name) => out.extend_from_slice(self.variable(name).filter(|v| !v.is_empty())?),
            }
        }
        Some(out)
    }

    /// A template's text; empty variables leave nothing behind.
    fn text_of(&self, template: &'a Template) -> Cow<'a, str> {
        if let [Piece::Text(text)] = template.0.as_slice() {
            return Cow::Borrowed(text);
        }
        let pieces = template.0.iter().map(|piece| match piece {
            Piece::Text(text) => Cow::Borrowed(text.as_str()),
            Piece::Variable(name) => escape(self.variable(name).unwrap_or_default()),
        });
        Cow::Owned(pieces.collect())
    }

    fn application(&self) -> Cow<'a, str> {
        match cut(self.text_of(&self.plan.spec.application), SHOWN) {
            text if text.is_empty() => Cow::Borrowed("default"),
            text => text,
        }
    }

    fn address(&self) -> Cow<'a, str> {
        let text = cut(escape(self.snapshot.get(Slot::IP).unwrap_or_default()), SHOWN);
        match (self.plan.spec.address, text.parse::<IpAddr>().map(|ip| ip.to_canonical())) {
            (AddressMode::Clear, _) => text,
            (AddressMode::Hash, _) => Cow::Owned(identity::hex(&self.secret.pseudonym(text.as_bytes()))),
            (AddressMode::Prefix, Ok(IpAddr::V4(ip))) => {
                let [a, b, c, _] = ip.octets();
                Cow::Owned(format!("{a}.{b}.{c}.0/24"))
            }
            (AddressMode::Prefix, Ok(IpAddr::V6(ip))) => Cow::Owned(format!("{}/48", identity::keep_bits(ip, 48))),
            (AddressMode::Prefix, Err(_)) => text,
        }
    }

    fn path(&self) -> Cow<'a, str> {
        let text = match self.normalized_path() {
            Cow::Borrowed(path) => escape(path),
            Cow::Owned(path) => Cow::Owned(escape(&path).into_owned()),
        };
        let text = match self.plan.spec.path {
            PathMode::Mask => mask(text, self.secret),
            PathMode::Clear => text,
        };
        cut(text, SHOWN_PATH)
    }

    fn normalized_path(&self) -> Cow<'a, [u8]> {
        uri::normalize(self.target().0, self.snapshot.facts.merge_slashes)
    }

    fn target(&self) -> (&'a [u8], &'a [u8]) {
        uri::split(self.snapshot.get(Slot::TARGET).unwrap_or_default())
    }

    fn user_agent(&self) -> &'a [u8] {
        self.request_header("user-agent").next().unwrap_or_default()
    }

    fn shown(&self, slot: Slot) -> Cow<'a, str> {
        cut(escape(self.snapshot.get(slot).unwrap_or_default()), SHOWN)
    }

    fn request_header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let snapshot = self.snapshot;
        self.plan.inputs.request_header_slot(name).into_iter().flat_map(|slot| snapshot.all(slot))
    }

    fn response_header(&self, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let snapshot = self.snapshot;
        self.plan.inputs.response_header_slot(name).into_iter().flat_map(|slot| snapshot.all(slot))
    }

    fn variable(&self, name: &str) -> Option<&'a [u8]> {
        self.snapshot.get(self.plan.inputs.variable_slot(name)?)
    }
}
