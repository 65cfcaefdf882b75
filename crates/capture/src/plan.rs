//! What one level of the configuration asks for, made ready to run.
//!
//! A [`PlanSpec`] is what the directives say; [`Plan::new`] finds out which bytes of a request it
//! needs and gives each a [`Slot`]. Equal inputs share a slot, so nothing is copied twice.

use std::sync::atomic::{AtomicU64, Ordering};

use identity::BUILTIN_HEADERS;
use wire::ParamKind;

use crate::body::{BodyPlan, Side};
use crate::decode::{self, Decoder, Format, GraphqlPath, Tree};
use crate::mcp::{self, McpMode};
use crate::snapshot::Slot;
use crate::source::{Origin, Source, Template};

/// Most keys and contexts together.
pub const MAX_PARAMETERS: usize = 32;

/// How many bytes of a body are looked at unless the configuration says otherwise.
pub const DEFAULT_BODY_LIMIT: usize = 64 << 10;

/// A grouping key as configured.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// As written, for people.
    pub text: String,
    /// As understood.
    pub source: Source,
    /// What readers call it.
    pub name: String,
    /// Separates equal values of different meaning.
    pub group: Option<Template>,
    /// Whether the value leaves as it is instead of as a pseudonym.
    pub show: bool,
}

/// A context parameter as configured.
#[derive(Clone, Debug)]
pub struct ContextSpec {
    /// As written, for people.
    pub text: String,
    /// As understood.
    pub source: Source,
    /// What readers call it.
    pub name: String,
    /// What it says.
    pub kind: ParamKind,
    /// Whether the value leaves as a pseudonym.
    pub hash: bool,
}

/// How the client address leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressMode {
    /// As it is.
    #[default]
    Clear,
    /// Its /24 or /48.
    Prefix,
    /// Its pseudonym.
    Hash,
}

/// How paths leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathMode {
    /// As they are.
    Clear,
    /// Segments that look like credentials as pseudonyms.
    #[default]
    Mask,
}

/// Everything the directives of one level say about capturing.
#[derive(Clone, Debug)]
pub struct PlanSpec {
    /// Application; may hold variables.
    pub application: Template,
    /// Grouping keys in the order they are tried.
    pub keys: Vec<KeySpec>,
    /// Context parameters.
    pub contexts: Vec<ContextSpec>,
    /// Whether the built-in keys are tried after the own ones.
    pub builtin_keys: bool,
    /// How the client address leaves.
    pub address: AddressMode,
    /// How paths leave.
    pub path: PathMode,
    /// How many bytes of a body are looked at, each way.
    pub body_limit: usize,
    /// What is told of calls of AI agents.
    pub mcp: McpMode,
}

impl Default for PlanSpec {
    fn default() -> Self {
        Self {
            application: Template(vec![crate::Piece::Text("default".into())]),
            keys: Vec::new(),
            contexts: Vec::new(),
            builtin_keys: true,
            address: AddressMode::default(),
            path: PathMode::default(),
            body_limit: DEFAULT_BODY_LIMIT,
            mcp: McpMode::default(),
        }
    }
}

/// A header that has to be copied.
#[derive(Clone, Debug)]
pub struct HeaderSlot {
    /// In lower case.
    pub name: String,
    /// Where its values go.
    pub slot: Slot,
}

/// A variable that has to be evaluated and copied.
#[derive(Clone, Debug)]
pub struct VariableSlot {
    /// Without `$`, in lower case.
    pub name: String,
    /// Where its value goes.
    pub slot: Slot,
}

/// A [`PlanSpec`] with its inputs found.
#[derive(Debug)]
pub struct Plan {
    /// Tells it from every other one of this process.
    pub(crate) number: u64,
    pub(crate) spec: PlanSpec,
    pub(crate) inputs: Inputs,
    pub(crate) user_agent: Slot,
    /// `None` when the built-in keys are off.
    pub(crate) builtin: Option<BuiltinSlots>,
    /// Inputs of the keys, in their order.
    pub(crate) key_inputs: Vec<Option<Slot>>,
    /// Inputs of the contexts, in their order.
    pub(crate) context_inputs: Vec<Option<Slot>>,
    pub(crate) documents: Documents,
    /// `None` when nothing is told of calls of AI agents.
    pub(crate) mcp: Option<McpSlots>,
}

/// Where the headers of calls of AI agents are.
#[derive(Debug)]
pub(crate) struct McpSlots {
    /// Of [`mcp::HEADERS`], in their order.
    pub(crate) request_headers: [Slot; mcp::HEADERS.len()],
    /// `Mcp-Session-Id` of the answer.
    pub(crate) answer: Slot,
}

/// Inputs of which several values are read at once. Keys and contexts are numbered in their order,
/// contexts behind keys.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) request_body: BodyPlan,
    pub(crate) response_body: BodyPlan,
    /// The query string, as a GraphQL request.
    pub(crate) query: Tree,
    /// How many values there are.
    pub(crate) values: usize,
}

impl Documents {
    /// Behind the values of keys and contexts: type and name of a GraphQL operation, which every
    /// event tells whose plan reads GraphQL.
    const GRAPHQL: [GraphqlPath; 2] = [GraphqlPath::Type, GraphqlPath::Operation];

    fn new(spec: &PlanSpec) -> Self {
        let mut documents = Self { values: spec.keys.len() + spec.contexts.len(), ..Self::default() };
        let keys = spec.keys.iter().map(|key| &key.source);
        for (number, source) in keys.chain(spec.contexts.iter().map(|context| &context.source)).enumerate() {
            match source.origin {
                Origin::RequestBody => documents.request_body.tree.add(&source.decoders, number),
                Origin::ResponseBody => documents.response_body.tree.add(&source.decoders, number),
                Origin::QueryString => documents.query.add(&source.decoders, number),
                _ => {}
            }
        }
        let trees = [&mut documents.request_body.tree, &mut documents.query];
        for tree in trees.into_iter().filter(|tree| tree.begins_with(Format::Graphql)) {
            for (number, path) in Self::GRAPHQL.into_iter().enumerate() {
                tree.add(&[Decoder::Graphql(path)], documents.values + number);
            }
        }
        documents
    }
}

/// Where the values of the built-in keys are.
#[derive(Debug)]
pub(crate) struct BuiltinSlots {
    pub(crate) request_headers: [Slot; BUILTIN_HEADERS.len()],
    pub(crate) cookie: Slot,
    pub(crate) set_cookie: Slot,
    pub(crate) response_headers: [Slot; BUILTIN_HEADERS.len()],
    pub(crate) authorization: Slot,
}

/// How many plans this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

impl Plan {
    /// Finds out what the plan needs to know of a request.
    pub fn new(spec: PlanSpec) -> Self {
        let mut inputs = Inputs::default();
        let user_agent = inputs.request_header("user-agent");
        for template in spec.keys.iter().filter_map(|key| key.group.as_ref()).chain([&spec.application]) {
            inputs.template(template);
        }
        let key_inputs = spec.keys.iter().map(|key| inputs.origin(&key.source.origin)).collect();
        let context_inputs = spec.contexts.iter().map(|context| inputs.origin(&context.source.origin)).collect();
        let builtin = spec.builtin_keys.then(|| inputs.builtin_keys());
        let documents = Documents::new(&spec);
        let mcp = (spec.mcp != McpMode::Off).then(|| McpSlots {
            request_headers: mcp::HEADERS.map(|name| inputs.request_header(name)),
            answer: inputs.response_header("mcp-session-id"),
        });
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        Self { number, spec, inputs, user_agent, builtin, key_inputs, context_inputs, documents, mcp }
    }

    /// What is wanted of the bodies that go one way; `None` when nothing is.
    pub fn body(&self, side: Side) -> Option<&BodyPlan> {
        let body = match side {
            Side::Request => &self.documents.request_body,
            Side::Response => &self.documents.response_body,
        };
        (!body.tree.is_empty()).then_some(body)
    }

    /// Whether any body that goes one way may be worth copying.
    pub fn may_want_body(&self, side: Side) -> bool {
        self.mcp.is_some() || self.body(side).is_some()
    }

    /// Whether a body is worth copying. Made for the event loop: it neither allocates nor looks at the
    /// body. `mcp` tells whether the request may be a call of an AI agent: most are known not to be before
    /// the content type is understood.
    pub fn wants_body(&self, side: Side, content_type: Option<&[u8]>, mcp: impl FnOnce() -> bool) -> bool {
        let of_sources = self.body(side).is_some_and(|body| body.fits(content_type));
        of_sources || (self.mcp.is_some() && mcp() && decode::is_json_rpc(content_type))
    }

    /// How many bytes of a body to copy, each way.
    pub fn body_limit(&self) -> usize {
        self.spec.body_limit
    }

    /// Request headers to copy.
    pub fn request_headers(&self) -> &[HeaderSlot] {
        &self.inputs.request_headers
    }

    /// Response headers to copy.
    pub fn response_headers(&self) -> &[HeaderSlot] {
        &self.inputs.response_headers
    }

    /// Slots that were given, the fixed ones included.
    pub(crate) fn slots(&self) -> usize {
        usize::from(Slot::FIRST_FREE + self.inputs.given)
    }

    /// Variables to evaluate and copy; an empty or missing value need not be put.
    pub fn variables(&self) -> &[VariableSlot] {
        &self.inputs.variables
    }

    /// The plan for people: what the node reports to the collector.
    pub fn report(&self) -> wire::PlanReport {
        let keys = self.spec.keys.iter().map(|key| wire::PlanKey {
            source: key.text.clone(),
            name: key.name.clone(),
            group: key.group.as_ref().map(Template::to_string).unwrap_or_default(),
            show: key.show,
        });
        let contexts = self.spec.contexts.iter().map(|context| wire::PlanContext {
            source: context.text.clone(),
            name: context.name.clone(),
            kind: context.kind.as_str().to_owned(),
            hashed: context.hash,
        });
        wire::PlanReport { keys: keys.collect(), builtin_keys: self.spec.builtin_keys, contexts: contexts.collect() }
    }
}

/// The distinct inputs of a plan and their slots.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    request_headers: Vec<HeaderSlot>,
    response_headers: Vec<HeaderSlot>,
    variables: Vec<VariableSlot>,
    given: u16,
}

impl Inputs {
    /// The header that an origin reads, when it reads one.
    fn origin(&mut self, origin: &Origin) -> Option<Slot> {
        match origin {
            Origin::RequestHeader(name) => Some(self.request_header(name)),
            Origin::RequestCookie(_) => Some(self.request_header("cookie")),
            Origin::ResponseHeader(name) => Some(self.response_header(name)),
            Origin::ResponseCookie(_) => Some(self.response_header("set-cookie")),
            Origin::Value(template) => {
                self.template(template);
                None
            }
            Origin::Query(_)
            | Origin::Path
            | Origin::PathSegment(_)
            | Origin::Uri
            | Origin::Method
            | Origin::Host
            | Origin::Ip
            | Origin::Scheme
            | Origin::Status
            | Origin::QueryString
            | Origin::RequestBody
            | Origin::ResponseBody => None,
        }
    }

    fn builtin_keys(&mut self) -> BuiltinSlots {
        let lower = BUILTIN_HEADERS.map(|header| header.name.to_ascii_lowercase());
        BuiltinSlots {
            request_headers: lower.each_ref().map(|name| self.request_header(name)),
            cookie: self.request_header("cookie"),
            set_cookie: self.response_header("set-cookie"),
            response_headers: lower.each_ref().map(|name| self.response_header(name)),
            authorization: self.request_header("authorization"),
        }
    }

    fn request_header(&mut self, name: &str) -> Slot {
        header_slot(&mut self.request_headers, name, &mut self.given)
    }

    fn response_header(&mut self, name: &str) -> Slot {
        header_slot(&mut self.response_headers, name, &mut self.given)
    }

    fn template(&mut self, template: &Template) {
        for name in template.variables() {
            if self.variable_slot(name).is_none() {
                let slot = next_slot(&mut self.given);
                self.variables.push(VariableSlot { name: name.to_owned(), slot });
            }
        }
    }

    pub(crate) fn variable_slot(&self, name: &str) -> Option<Slot> {
        self.variables.iter().find(|variable| variable.name == name).map(|variable| variable.slot)
    }
}

/// The slot of a header, given now when it has none yet.
fn header_slot(headers: &mut Vec<HeaderSlot>, name: &str, given: &mut u16) -> Slot {
    if let Some(header) = headers.iter().find(|header| header.name == name) {
        return header.slot;
    }
    let slot = next_slot(given);
    headers.push(HeaderSlot { name: name.to_owned(), slot });
    slot
}

fn next_slot(given: &mut u16) -> Slot {
    let slot = Slot(Slot::FIRST_FREE + *given);
    *given += 1;
    slot
}
