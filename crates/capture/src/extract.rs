//! From a snapshot to an event: find the session, read the contexts, hide what must not leave.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;

use bumpalo::Bump;
use identity::{BUILTIN_COOKIES, BUILTIN_HEADERS, Builtin, Secret};
use wire::{Event, Graphql, Key, Mcp, Param, ParamKind, Who, escape};

use crate::body::{self, Side};
use crate::decode::{Around, Decoder, Format, Input, Media, Undecoded, Values, is_json_rpc, media};
use crate::http::{self, Authorization};
use crate::mask::mask;
use crate::mcp::{self, Call, McpMode};
use crate::plan::{AddressMode, BuiltinSlots, ContextSpec, KeySpec, PathMode, Plan};
use crate::remembered::{Asker, Known, Remembered};
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

/// Makes the events of a node, one after the other.
#[derive(Debug)]
pub struct Extractor {
    node: NodeFacts,
    kept: Kept,
    /// Texts of the event that were not copied from the request; there until the next.
    texts: Bump,
}

/// What one event leaves for the next. Good for one secret.
#[derive(Debug, Default)]
struct Kept {
    undecoded: Undecoded,
    remembered: Remembered,
}

impl Extractor {
    /// Of the node that has these facts.
    pub fn new(node: NodeFacts) -> Self {
        Self { node, kept: Kept::default(), texts: Bump::new() }
    }

    /// What could not be read so far.
    pub fn undecoded(&self) -> Undecoded {
        self.kept.undecoded
    }

    /// Makes the event of a snapshot of the plan.
    pub fn extract<'a>(&'a mut self, plan: &'a Plan, snapshot: &'a Snapshot) -> Event<'a> {
        let Self { node, kept, texts } = self;
        texts.reset();
        let reading = Reading { texts: Some(texts), ..Reading::new(plan, snapshot, &node.secret) };
        let identity = reading.identify(kept);
        let ctx = reading.params(kept);
        let undecoded = &mut kept.undecoded;
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
            method: reading.method(),
            path: reading.path(),
            proto: reading.shown(Slot::PROTO),
            scheme: Cow::Borrowed(scheme(facts.https)),
            status: facts.status,
            dur: facts.duration,
            up: facts.upstream,
            bytes_in: facts.bytes_in,
            bytes_out: facts.bytes_out,
            ip: reading.address(),
            ua: reading.shown(plan.user_agent),
            user: who(&ctx, ParamKind::User),
            role: who(&ctx, ParamKind::Role),
            ctx,
            gql: reading.graphql(undecoded),
            mcp: reading.mcp(undecoded),
            ..Event::default()
        }
    }
}

impl Plan {
    /// Finds the session alone.
    pub fn identify<'a>(&'a self, snapshot: &'a Snapshot, secret: &'a Secret) -> Identity<'a> {
        Reading::new(self, snapshot, secret).identify(&mut Kept::default())
    }

    /// Finds the user alone, as it may leave the node.
    pub fn user<'a>(&'a self, snapshot: &'a Snapshot, secret: &'a Secret) -> Option<Who<'a>> {
        let params = Reading::new(self, snapshot, secret).params(&mut Kept::default());
        who(&params, ParamKind::User)
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

/// Bytes as text for people.
fn text(bytes: Cow<[u8]>) -> Cow<str> {
    match bytes {
        Cow::Borrowed(bytes) => escape(bytes),
        Cow::Owned(bytes) => {
            Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| escape(error.as_bytes()).into_owned()))
        }
    }
}

/// The part of a text that these bytes are; `None` when they lie elsewhere.
fn part_of<'a>(text: &'a str, bytes: &[u8]) -> Option<&'a str> {
    let start = bytes.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    text.get(start..start.checked_add(bytes.len())?)
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

/// Passes a value through decoders.
fn decode<'a>(value: Cow<'a, [u8]>, decoders: &[Decoder], undecoded: &mut Undecoded) -> Option<Cow<'a, [u8]>> {
    decoders.iter().try_fold(value, |value, decoder| decoder.apply(value, undecoded))
}

fn best_cookie<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Option<(&'static Builtin, &'a [u8])> {
    let known = headers.filter_map(|header| http::first_cookie(header, &BUILTIN_COOKIES));
    let (rank, value) = known.min_by_key(|&(rank, _)| rank)?;
    BUILTIN_COOKIES.get(rank).map(|cookie| (cookie, value))
}

/// A plan, a snapshot and the secret, read together.
struct Reading<'a> {
    plan: &'a Plan,
    snapshot: &'a Snapshot,
    secret: &'a Secret,
    /// All of the snapshot's text, when it is UTF-8.
    utf8: Option<&'a str>,
    /// `None` where a text is worth memory of its own.
    texts: Option<&'a Bump>,
    request_body: Document,
    response_body: Document,
    query: Document,
}

/// The values of an input that is read at once, when the first of them is asked for. Each is asked
/// for once, so it is given away.
type Document = RefCell<Option<Values>>;

impl<'a> Reading<'a> {
    fn new(plan: &'a Plan, snapshot: &'a Snapshot, secret: &'a Secret) -> Self {
        let [request_body, response_body, query] = [const { RefCell::new(None) }; 3];
        Self { plan, snapshot, secret, utf8: snapshot.utf8(), texts: None, request_body, response_body, query }
    }

    fn identify(&self, kept: &mut Kept) -> Identity<'a> {
        let keys = self.plan.spec.keys.iter().zip(&self.plan.key_inputs);
        keys.enumerate()
            .find_map(|(number, (key, &input))| self.own_key(number, key, input, kept))
            .or_else(|| self.builtin_key(self.plan.builtin.as_ref()?, kept))
            .unwrap_or_else(|| self.address_key(kept))
    }

    fn own_key(&self, number: usize, key: &'a KeySpec, input: Option<Slot>, kept: &mut Kept) -> Option<Identity<'a>> {
        let Kept { undecoded, remembered } = kept;
        let (raw, decoders) = self.read(number, &key.source, input, undecoded)?;
        let mut find_out = || {
            let value = decode(Cow::Borrowed(&raw), decoders, undecoded).filter(|value| !value.is_empty())?;
            let sid = match &key.group {
                None => self.secret.id(identity::OWN, &[&value]),
                Some(group) => self.secret.id(&identity::group(&self.text_of(group)), &[&value]),
            };
            Some(Known { sid, text: self.leaving(value, !key.show).into_owned(), ..Known::default() })
        };
        let varies = key.group.as_ref().is_some_and(|group| group.variables().next().is_some());
        let identity = |known: &Known| self.identity(known, &key.text, &key.name, !key.show);
        if varies {
            find_out().as_ref().map(identity)
        } else {
            remembered.recall(Asker::Source(self.plan.number, number), &[&raw], find_out, identity)
        }
    }

    /// What a key of that source and name came to.
    fn identity(&self, known: &Known, source: &'a str, name: &'a str, hashed: bool) -> Identity<'a> {
        let value = self.copied(&known.text);
        Identity {
            sid: known.sid,
            key: Key { source: Cow::Borrowed(source), name: Cow::Borrowed(name), value, hashed },
        }
    }

    fn copied(&self, text: &str) -> Cow<'a, str> {
        match self.texts {
            Some(texts) => Cow::Borrowed(texts.alloc_str(text)),
            None => Cow::Owned(text.to_owned()),
        }
    }

    /// The built-in keys in the order of the contract: the request's, then those that a first answer
    /// hands out, then `Authorization`.
    fn builtin_key(&self, slots: &BuiltinSlots, kept: &mut Kept) -> Option<Identity<'a>> {
        let known = self
            .builtin_header(&slots.request_headers)
            .or_else(|| self.builtin_cookie(slots.cookie))
            .or_else(|| self.builtin_set_cookie(slots.set_cookie))
            .or_else(|| self.builtin_header(&slots.response_headers));
        match known {
            Some((key, value)) => {
                self.builtin(key.namespace, &[value], kept, || Some(self.known(key.namespace, key.name, &[value])))
            }
            None => self.authorization_key(slots.authorization, kept),
        }
    }

    fn builtin_header(&self, slots: &[Slot]) -> Option<(&'static Builtin, &'a [u8])> {
        BUILTIN_HEADERS.iter().zip(slots).find_map(|(header, &slot)| {
            let value = self.snapshot.get(slot).filter(|value| !value.is_empty())?;
            Some((header, value))
        })
    }

    fn builtin_cookie(&self, slot: Slot) -> Option<(&'static Builtin, &'a [u8])> {
        best_cookie(self.snapshot.all(slot))
    }

    fn builtin_set_cookie(&self, slot: Slot) -> Option<(&'static Builtin, &'a [u8])> {
        best_cookie(self.snapshot.all(slot).filter_map(http::cookie_set))
    }

    fn authorization_key(&self, slot: Slot, kept: &mut Kept) -> Option<Identity<'a>> {
        let header = self.snapshot.get(slot)?;
        self.builtin("authorization", &[header], kept, || {
            Some(match http::authorization(header)? {
                Authorization::Jwt { iss, sub } => {
                    self.known(identity::JWT, "sub", &[iss.as_bytes(), b"\0", sub.as_bytes()])
                }
                Authorization::Basic(user) => self.known(identity::BASIC, "user", &[&user]),
                Authorization::Credential(text) => self.known(identity::CREDENTIAL, "credential", &[text]),
            })
        })
    }

    /// What is left when no key found anything.
    fn address_key(&self, kept: &mut Kept) -> Identity<'a> {
        let (ip, agent) = (self.snapshot.get(Slot::IP).unwrap_or_default(), self.user_agent());
        let find_out = || {
            let address = identity::address_text(&escape(ip));
            match agent {
                b"" => self.known(identity::IP, "ip", &[address.as_bytes()]),
                agent => self.known(identity::IP_USER_AGENT, "ip+ua", &[address.as_bytes(), b"\0", agent]),
            }
        };
        let known = self.builtin("address", &[ip, b"\0", agent], kept, || Some(find_out()));
        known.unwrap_or_else(|| self.builtin_identity(&find_out()))
    }

    /// The session that a built-in key names.
    fn builtin(
        &self,
        asker: &'static str,
        parts: &[&[u8]],
        kept: &mut Kept,
        find_out: impl FnOnce() -> Option<Known>,
    ) -> Option<Identity<'a>> {
        kept.remembered.recall(Asker::Builtin(asker), parts, find_out, |known| self.builtin_identity(known))
    }

    fn builtin_identity(&self, known: &Known) -> Identity<'a> {
        let (namespace, name) = known.builtin;
        self.identity(known, namespace, name, true)
    }

    /// Values of built-in keys always leave as pseudonyms.
    fn known(&self, namespace: &'static str, name: &'static str, parts: &[&[u8]]) -> Known {
        let text = identity::hex(&self.secret.id("pseudonym", parts));
        Known { sid: self.secret.id(namespace, parts), text, builtin: (namespace, name) }
    }

    fn params(&self, kept: &mut Kept) -> Vec<Param<'a>> {
        let contexts = self.plan.spec.contexts.iter().zip(&self.plan.context_inputs);
        let mut params = Vec::with_capacity(contexts.len());
        for ((context, &input), number) in contexts.zip(self.plan.spec.keys.len()..) {
            let value = self.context_value(number, context, input, kept);
            params.extend(value.map(|value| Param {
                source: Cow::Borrowed(&context.text),
                name: Cow::Borrowed(&context.name),
                kind: context.kind,
                value,
                hashed: context.hash,
            }));
        }
        params
    }

    /// The value of a context as it may leave the node.
    fn context_value(
        &self,
        number: usize,
        context: &'a ContextSpec,
        input: Option<Slot>,
        kept: &mut Kept,
    ) -> Option<Cow<'a, str>> {
        let Kept { undecoded, remembered } = kept;
        let (raw, decoders) = self.read(number, &context.source, input, undecoded)?;
        if decoders.is_empty() && !context.hash {
            return Some(cut(self.text(raw), SHOWN));
        }
        let find_out = || {
            let value = decode(Cow::Borrowed(&raw), decoders, undecoded)?;
            Some(Known { text: self.leaving(value, context.hash).into_owned(), ..Known::default() })
        };
        let copied = |known: &Known| self.copied(&known.text);
        remembered.recall(Asker::Source(self.plan.number, number), &[&raw], find_out, copied)
    }

    /// A value as it may leave the node.
    fn leaving<'b>(&self, value: Cow<'b, [u8]>, hash: bool) -> Cow<'b, str> {
        if hash { self.pseudonym(&value) } else { cut(text(value), SHOWN) }
    }

    fn pseudonym<'b>(&self, value: &[u8]) -> Cow<'b, str> {
        Cow::Owned(identity::hex(&self.secret.pseudonym(value)))
    }

    /// What a source reads, and the decoders that it has to pass yet. `number` is the source's place among all
    /// keys and contexts, `input` the header that it reads, when it reads one.
    fn read(
        &self,
        number: usize,
        source: &'a Source,
        input: Option<Slot>,
        undecoded: &mut Undecoded,
    ) -> Option<(Cow<'a, [u8]>, &'a [Decoder])> {
        let value = match source.origin {
            Origin::RequestBody => self.request_body_value(number, undecoded)?,
            Origin::ResponseBody => {
                let body = &self.plan.documents.response_body;
                let read = |out: &mut _| body.read(self.snapshot, Side::Response, out, undecoded);
                self.document_value(&self.response_body, number, read)?
            }
            Origin::QueryString => self.query_value(number, undecoded)?,
            _ => return Some((self.raw(&source.origin, input)?, &source.decoders)),
        };
        Some((Cow::Owned(value), &[]))
    }

    fn request_body_value(&self, number: usize, undecoded: &mut Undecoded) -> Option<Vec<u8>> {
        let body = &self.plan.documents.request_body;
        let read = |out: &mut _| body.read(self.snapshot, Side::Request, out, undecoded);
        self.document_value(&self.request_body, number, read)
    }

    fn query_value(&self, number: usize, undecoded: &mut Undecoded) -> Option<Vec<u8>> {
        let (input, around) = (Input::whole(self.target().1), Around { content_type: None, query: true });
        let tree = &self.plan.documents.query;
        let read = |out: &mut _| tree.read(input, Format::Graphql, around, out, undecoded);
        self.document_value(&self.query, number, read)
    }

    /// Takes one value of a document, which is read when it was not yet.
    fn document_value(&self, document: &Document, number: usize, read: impl FnOnce(&mut Values)) -> Option<Vec<u8>> {
        let mut values = document.borrow_mut();
        let values = values.get_or_insert_with(|| {
            let mut values: Values = (0..self.plan.documents.values + 2).map(|_| None).collect();
            read(&mut values);
            values
        });
        values.get_mut(number)?.take()
    }

    /// The GraphQL operation, when the plan reads GraphQL and the request is one.
    fn graphql(&self, undecoded: &mut Undecoded) -> Option<Graphql<'a>> {
        let documents = &self.plan.documents;
        let behind = documents.values;
        let (kind, operation) = if documents.request_body.tree.begins_with(Format::Graphql)
            && let Some(kind) = self.request_body_value(behind, undecoded)
        {
            (kind, self.request_body_value(behind + 1, undecoded))
        } else if documents.query.begins_with(Format::Graphql) {
            (self.query_value(behind, undecoded)?, self.query_value(behind + 1, undecoded))
        } else {
            return None;
        };
        let text = |bytes: Vec<u8>| cut(Cow::Owned(escape(&bytes).into_owned()), SHOWN);
        Some(Graphql { kind: text(kind), operation: operation.map(text).unwrap_or_default() })
    }

    /// The call of an AI agent, when the request is one.
    fn mcp(&self, undecoded: &mut Undecoded) -> Option<Mcp<'a>> {
        let slots = self.plan.mcp.as_ref()?;
        let header = |slot: Slot| self.snapshot.get(slot).filter(|value| !value.is_empty());
        let [session, method, name, version] = slots.request_headers.map(header);
        let first = header(slots.answer).is_some() && session.is_none();
        if !first && session.or(method).or(name).or(version).is_none() {
            return None;
        }
        let message = |side: Side, undecoded: &mut Undecoded| {
            let fits = is_json_rpc(self.snapshot.get(side.content_type()));
            fits.then(|| body::decoded(self.snapshot, side, undecoded)).flatten()
        };
        let call =
            message(Side::Request, undecoded).map(|body| Call::read(body.input(), undecoded)).unwrap_or_default();
        let owned = |text: &[u8]| cut(Cow::Owned(escape(text).into_owned()), SHOWN);
        // A body that was not copied does not hide what every first call is.
        let method = method.or(call.method.as_deref()).or(first.then_some(b"initialize"))?;
        let primitive = name.map(mcp::header).or(call.primitive.as_deref().map(Cow::Borrowed)).unwrap_or_default();
        let masked = (self.plan.spec.path == PathMode::Mask).then_some(self.secret);
        let primitive = mcp::primitive(&primitive, masked);
        let arguments = call.arguments.as_deref().filter(|_| self.plan.spec.mcp == McpMode::Arguments);
        let arguments = arguments.and_then(|json| mcp::arguments(json, self.secret));
        let stream = self.snapshot.get(Slot::RESPONSE_TYPE).is_some_and(|text| media(text) == Media::Events);
        let answer = message(Side::Response, undecoded);
        let error = answer.and_then(|body| call.error(body.input(), stream, undecoded));
        Some(Mcp {
            method: owned(method),
            primitive: owned(&primitive),
            arguments: arguments.as_deref().map(owned),
            error: error.as_deref().map(owned),
        })
    }

    fn raw(&self, origin: &Origin, input: Option<Slot>) -> Option<Cow<'a, [u8]>> {
        let borrowed = match origin {
            Origin::RequestHeader(_) | Origin::ResponseHeader(_) => self.snapshot.get(input?)?,
            Origin::RequestCookie(name) => self.snapshot.all(input?).find_map(|header| http::cookie(header, name))?,
            Origin::ResponseCookie(name) => {
                self.snapshot.all(input?).find_map(|header| http::set_cookie(header, name))?
            }
            Origin::Uri => self.snapshot.get(Slot::TARGET)?,
            Origin::Method => self.snapshot.get(Slot::METHOD)?,
            Origin::Host => self.snapshot.get(Slot::HOST)?,
            Origin::Ip => self.snapshot.get(Slot::IP)?,
            Origin::Scheme => scheme(self.snapshot.facts.https).as_bytes(),
            Origin::Path => return self.snapshot.get(Slot::TARGET).map(|_| self.normalized_path()),
            Origin::PathSegment(n) => return self.path_segment(*n),
            Origin::Query(name) => return uri::parameter(self.target().1, name),
            Origin::Status => return self.status(),
            Origin::Value(template) => return self.evaluate(template).map(Cow::Owned),
            // Read by `value`, many values at once.
            Origin::RequestBody | Origin::ResponseBody | Origin::QueryString => return None,
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
        let text = self.shown(Slot::IP);
        if self.plan.spec.address == AddressMode::Clear {
            return text;
        }
        match (self.plan.spec.address, text.parse::<IpAddr>().map(|ip| ip.to_canonical())) {
            (AddressMode::Clear, _) => text,
            (AddressMode::Hash, Ok(ip)) => self.pseudonym(ip.to_string().as_bytes()),
            (AddressMode::Hash, Err(_)) => self.pseudonym(text.as_bytes()),
            (AddressMode::Prefix, Ok(IpAddr::V4(ip))) => {
                let [a, b, c, _] = ip.octets();
                Cow::Owned(format!("{a}.{b}.{c}.0/24"))
            }
            (AddressMode::Prefix, Ok(IpAddr::V6(ip))) => Cow::Owned(format!("{}/48", identity::keep_bits(ip, 48))),
            (AddressMode::Prefix, Err(_)) => text,
        }
    }

    fn path(&self) -> Cow<'a, str> {
        // Before it is decoded: an encoded slash may stand inside a credential.
        let path = match self.masked(self.target().0) {
            Cow::Borrowed(raw) => self.normalize(raw),
            Cow::Owned(raw) => Cow::Owned(self.normalize(&raw).into_owned()),
        };
        cut(self.text(path), SHOWN_PATH)
    }

    /// The first word of what a client sent, which need not be a method: one that is out of step sends
    /// the middle of something there.
    fn method(&self) -> Cow<'a, str> {
        cut(self.text(self.masked(self.snapshot.get(Slot::METHOD).unwrap_or_default())), SHOWN)
    }

    fn masked(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        match self.plan.spec.path {
            PathMode::Mask => mask(Cow::Borrowed(raw), self.secret),
            PathMode::Clear => Cow::Borrowed(raw),
        }
    }

    fn normalized_path(&self) -> Cow<'a, [u8]> {
        self.normalize(self.target().0)
    }

    fn normalize<'b>(&self, path: &'b [u8]) -> Cow<'b, [u8]> {
        uri::normalize(path, self.snapshot.facts.merge_slashes)
    }

    fn target(&self) -> (&'a [u8], &'a [u8]) {
        uri::split(self.snapshot.get(Slot::TARGET).unwrap_or_default())
    }

    fn user_agent(&self) -> &'a [u8] {
        self.snapshot.get(self.plan.user_agent).unwrap_or_default()
    }

    fn shown(&self, slot: Slot) -> Cow<'a, str> {
        cut(self.text(Cow::Borrowed(self.snapshot.get(slot).unwrap_or_default())), SHOWN)
    }

    /// Bytes as text for people: what was copied has been looked at once for all values.
    fn text(&self, bytes: Cow<'a, [u8]>) -> Cow<'a, str> {
        match (&bytes, self.utf8) {
            (Cow::Borrowed(part), Some(utf8)) => part_of(utf8, part).map_or_else(|| text(bytes), Cow::Borrowed),
            _ => text(bytes),
        }
    }

    fn variable(&self, name: &str) -> Option<&'a [u8]> {
        self.snapshot.get(self.plan.inputs.variable_slot(name)?)
    }
}
