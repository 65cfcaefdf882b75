//! What one level of the configuration asks for, made ready to run.
//!
//! A [`PlanSpec`] is what the directives say; [`Plan::new`] finds out which bytes of a request it
//! needs and gives each a [`Slot`]. Equal inputs share a slot, so nothing is copied twice.

use wire::ParamKind;

use crate::snapshot::Slot;
use crate::source::{Origin, Source, Template};

/// Most keys and contexts together.
pub const MAX_PARAMETERS: usize = 32;

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
    pub(crate) spec: PlanSpec,
    pub(crate) inputs: Inputs,
}

impl Plan {
    /// Finds out what the plan needs to know of a request.
    pub fn new(spec: PlanSpec) -> Self {
        let mut inputs = Inputs::default();
        inputs.request_header("user-agent");
        for template in spec.keys.iter().filter_map(|key| key.group.as_ref()).chain([&spec.application]) {
            template.variables().for_each(|name| inputs.variable(name));
        }
        let sources = spec.keys.iter().map(|key| &key.source).chain(spec.contexts.iter().map(|c| &c.source));
        for source in sources {
            inputs.origin(&source.origin);
        }
        if spec.builtin_keys {
            inputs.builtin_keys();
        }
        Self { spec, inputs }
    }

    /// Request headers to copy.
    pub fn request_headers(&self) -> &[HeaderSlot] {
        &self.inputs.request_headers
    }

    /// Response headers to copy.
    pub fn response_headers(&self) -> &[HeaderSlot] {
        &self.inputs.response_headers
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
    fn next_slot(&mut self) -> Slot {
        let slot = Slot(Slot::FIRST_FREE + self.given);
        self.given += 1;
        slot
    }

    fn origin(&mut self, origin: &Origin) {
        match origin {
            Origin::RequestHeader(name) => self.request_header(name),
            Origin::RequestCookie(_) => self.request_header("cookie"),
            Origin::ResponseHeader(name) => self.response_header(name),
            Origin::ResponseCookie(_) => self.response_header("set-cookie"),
            Origin::Value(template) => template.variables().for_each(|name| self.variable(name)),
            Origin::Query(_)
            | Origin::Path
            | Origin::PathSegment(_)
            | Origin::Uri
            | Origin::Method
            | Origin::Host
            | Origin::Ip
            | Origin::Scheme
            | Origin::Status => {}
        }
    }

    fn builtin_keys(&mut self) {
        for name in identity::BUILTIN_HEADERS {
            self.request_header(&name.to_ascii_lowercase());
            self.response_header(&name.to_ascii_lowercase());
        }
        self.request_header("cookie");
        self.response_header("set-cookie");
        self.request_header("authorization");
    }

    fn request_header(&mut self, name: &str) {
        if self.request_header_slot(name).is_none() {
            let slot = self.next_slot();
            self.request_headers.push(HeaderSlot { name: name.to_owned(), slot });
        }
    }

    fn response_header(&mut self, name: &str) {
        if self.response_header_slot(name).is_none() {
            let slot = self.next_slot();
            self.response_headers.push(HeaderSlot { name: name.to_owned(), slot });
        }
    }

    fn variable(&mut self, name: &str) {
        if self.variable_slot(name).is_none() {
            let slot = self.next_slot();
            self.variables.push(VariableSlot { name: name.to_owned(), slot });
        }
    }

    pub(crate) fn request_header_slot(&self, name: &str) -> Option<Slot> {
        self.request_headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.slot)
    }

    pub(crate) fn response_header_slot(&self, name: &str) -> Option<Slot> {
        self.response_headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.slot)
    }

    pub(crate) fn variable_slot(&self, name: &str) -> Option<Slot> {
        self.variables.iter().find(|variable| variable.name == name).map(|variable| variable.slot)
    }
}
