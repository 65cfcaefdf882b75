//! A request and its answer as the event loop would copy them, and what one source gives for them.

use std::sync::Arc;

use capture::{
    Body, ContextSpec, Extractor, Format, NodeFacts, Plan, PlanSpec, Reason, Side, Slot, Snapshot, Source, Undecoded,
};
use identity::Secret;
use wire::ParamKind;

/// What a test sends.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    pub target: Vec<u8>,
    pub method: Vec<u8>,
    pub host: Vec<u8>,
    pub ip: Vec<u8>,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub answer: Vec<(&'static str, Vec<u8>)>,
    pub variables: Vec<(&'static str, Vec<u8>)>,
    pub status: u16,
    pub request: Sending,
    pub response: Sending,
}

/// A body as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Sending {
    pub body: Vec<u8>,
    pub content_type: Option<&'static str>,
    pub encoding: Option<&'static str>,
}

/// What came out of a request.
#[derive(Debug)]
pub struct Got {
    /// Values of the sources, in their order.
    pub values: Vec<Option<String>>,
    /// Values too long to copy.
    pub oversized: u32,
    pub undecoded: Undecoded,
    pub graphql: Option<(String, String)>,
    /// Method, primitive, arguments and error of a call of an AI agent.
    pub mcp: Option<[String; 4]>,
}

impl Got {
    pub fn counted(&self) -> Vec<(Format, Reason)> {
        self.undecoded.each().filter(|(_, _, n)| *n > 0).map(|(format, reason, _)| (format, reason)).collect()
    }
}

pub fn plan(sources: &[&str], body_limit: usize) -> Arc<Plan> {
    let context = |(number, text): (usize, &&str)| ContextSpec {
        text: (*text).into(),
        source: Source::parse(text).unwrap_or_else(|e| panic!("{text} {e}")),
        name: number.to_string(),
        kind: ParamKind::Context,
        hash: false,
    };
    let contexts = sources.iter().enumerate().map(context).collect();
    Arc::new(Plan::new(PlanSpec { contexts, body_limit, ..PlanSpec::default() }))
}

/// Copies as the event loop does: bodies that fit, up to the limit.
pub fn snapshot(plan: &Arc<Plan>, sent: &Sent) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.reset(plan);
    let fixed =
        [(Slot::TARGET, &sent.target), (Slot::METHOD, &sent.method), (Slot::HOST, &sent.host), (Slot::IP, &sent.ip)];
    for (slot, value) in fixed.into_iter().filter(|(_, value)| !value.is_empty()) {
        snapshot.put(slot, value);
    }
    for (wanted, sent) in [(plan.request_headers(), &sent.headers), (plan.response_headers(), &sent.answer)] {
        for (name, value) in sent {
            for wanted in wanted.iter().filter(|wanted| wanted.name.eq_ignore_ascii_case(name)) {
                snapshot.put(wanted.slot, value);
            }
        }
    }
    for (name, value) in &sent.variables {
        for wanted in plan.variables().iter().filter(|wanted| wanted.name == *name) {
            snapshot.put(wanted.slot, value);
        }
    }
    snapshot.facts.status = sent.status;
    snapshot.facts.merge_slashes = true;
    for (side, sending) in [(Side::Request, &sent.request), (Side::Response, &sent.response)] {
        let mcp = sent.headers.iter().any(|(name, _)| name.starts_with("Mcp-"));
        if sending.body.is_empty() || !plan.wants_body(side, sending.content_type.map(str::as_bytes), || mcp) {
            continue;
        }
        let len = sending.body.len().min(plan.body_limit());
        snapshot.put_body(side, Body { bytes: sending.body[..len].to_vec(), cut: len < sending.body.len() });
        for (slot, text) in [(side.content_type(), sending.content_type), (side.content_encoding(), sending.encoding)] {
            text.into_iter().for_each(|text| snapshot.put(slot, text.as_bytes()));
        }
    }
    snapshot
}

/// What these sources give for a request.
pub fn read(sources: &[&str], sent: &Sent, body_limit: usize) -> Got {
    let plan = plan(sources, body_limit);
    let snapshot = snapshot(&plan, sent);
    let node = NodeFacts { name: "edge-1".into(), secret: Secret::from_file_bytes(b"s") };
    let mut extractor = Extractor::new(node);
    let event = extractor.extract(&plan, &snapshot);
    let value = |number: usize| {
        let name = number.to_string();
        event.ctx.iter().find(|param| param.name == name).map(|param| param.value.clone().into_owned())
    };
    let text = |text: &Option<std::borrow::Cow<str>>| text.as_deref().unwrap_or_default().to_owned();
    Got {
        mcp: event
            .mcp
            .as_ref()
            .map(|mcp| [mcp.method.to_string(), mcp.primitive.to_string(), text(&mcp.arguments), text(&mcp.error)]),
        values: (0..sources.len()).map(value).collect(),
        oversized: snapshot.oversized,
        graphql: event.gql.as_ref().map(|gql| (gql.kind.clone().into_owned(), gql.operation.clone().into_owned())),
        undecoded: extractor.undecoded(),
    }
}

/// What sources give for a request body.
pub fn read_body(sources: &[&str], content_type: &'static str, body: impl Into<Vec<u8>>) -> Got {
    let request = Sending { body: body.into(), content_type: Some(content_type), encoding: None };
    read(sources, &Sent { request, ..Sent::default() }, capture::DEFAULT_BODY_LIMIT)
}
