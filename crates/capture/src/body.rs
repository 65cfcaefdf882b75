//! Bodies: what a plan wants of them, and how a copied one is read.

use std::borrow::Cow;

use crate::decode::{Around, Coding, Format, Input, MAX_INFLATED, Reason, Tree, Undecoded, Values, inflate};
use crate::snapshot::{Slot, Snapshot};

/// Most content codings of one body that are taken off.
const MAX_CODINGS: usize = 3;

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// What the sources of a plan take from the bodies that go one way.
#[derive(Debug, Default)]
pub struct BodyPlan {
    pub(crate) tree: Tree,
}

impl BodyPlan {
    /// Whether a body of this content type is worth copying. Made for the event loop: it neither
    /// allocates nor looks at the body. A body without a type may be anything.
    pub fn fits(&self, content_type: Option<&[u8]>) -> bool {
        self.tree.fits(&Around { content_type, query: false })
    }

    /// Reads all values from the copied body.
    pub(crate) fn read(&self, snapshot: &Snapshot, side: Side, out: &mut Values, undecoded: &mut Undecoded) {
        let around = Around { content_type: snapshot.get(side.content_type()), query: false };
        if self.tree.fits(&around)
            && let Some(body) = decoded(snapshot, side, undecoded)
        {
            self.tree.read(body.input(), Format::Body, around, out, undecoded);
        }
    }
}

/// The copied body without its content codings. `None` when there is none, or it cannot be inflated.
pub(crate) fn decoded<'s>(snapshot: &'s Snapshot, side: Side, undecoded: &mut Undecoded) -> Option<Decoded<'s>> {
    let body = snapshot.body(side).filter(|body| !body.bytes.is_empty())?;
    let mut decoded = Decoded { bytes: Cow::Borrowed(&body.bytes), cut: body.cut };
    let mut left = MAX_INFLATED;
    let codings = snapshot.get(side.content_encoding()).unwrap_or_default();
    for (number, name) in codings.rsplit(|&b| b == b',').map(<[u8]>::trim_ascii).enumerate() {
        if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            continue;
        }
        let Some(coding) = Coding::of(name).filter(|_| number < MAX_CODINGS) else {
            undecoded.count(Format::Body, Reason::Unsupported);
            return None;
        };
        let found = inflate(decoded.input(), coding, left);
        found.count(coding.format(), undecoded);
        decoded = Decoded { cut: found.cut, bytes: Cow::Owned(found.into_value()?) };
        left = left.saturating_sub(decoded.bytes.len());
    }
    Some(decoded)
}

/// A body without a content coding.
pub(crate) struct Decoded<'s> {
    bytes: Cow<'s, [u8]>,
    cut: bool,
}

impl Decoded<'_> {
    pub(crate) fn input(&self) -> Input<'_> {
        Input { bytes: &self.bytes, cut: self.cut }
    }
}

impl Side {
    /// Where its `Content-Type` goes.
    pub fn content_type(self) -> Slot {
        match self {
            Self::Request => Slot::REQUEST_TYPE,
            Self::Response => Slot::RESPONSE_TYPE,
        }
    }

    /// Where its `Content-Encoding` goes.
    pub fn content_encoding(self) -> Slot {
        match self {
            Self::Request => Slot::REQUEST_ENCODING,
            Self::Response => Slot::RESPONSE_ENCODING,
        }
    }
}
