//! Bodies: what a plan wants of them, and how a copied one is read.

use crate::decode::{Around, Coding, Format, Input, Reason, Tree, Undecoded, Values, inflate};
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
        let Some(body) = snapshot.body(side).filter(|body| !body.bytes.is_empty()) else { return };
        let content_type = snapshot.get(side.content_type());
        let around = Around { content_type, query: false };
        if !self.tree.fits(&around) {
            return;
        }
        let codings = snapshot.get(side.content_encoding()).unwrap_or_default();
        let mut decoded = None;
        for (number, name) in codings.rsplit(|&b| b == b',').map(<[u8]>::trim_ascii).enumerate() {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let Some(coding) = Coding::of(name).filter(|_| number < MAX_CODINGS) else {
                return undecoded.count(Format::Body, Reason::Unsupported);
            };
            let input = decoded.as_ref().map_or(body.input(), Decoded::input);
            let found = inflate(input, coding);
            found.count(coding.format(), undecoded);
            let cut = found.cut;
            let Some(bytes) = found.into_value() else { return };
            decoded = Some(Decoded { bytes, cut });
        }
        let input = decoded.as_ref().map_or(body.input(), Decoded::input);
        self.tree.read(input, Format::Body, around, out, undecoded);
    }
}

/// A body without a content coding.
struct Decoded {
    bytes: Vec<u8>,
    cut: bool,
}

impl Decoded {
    fn input(&self) -> Input<'_> {
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
