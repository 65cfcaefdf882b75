//! What goes into a decoder and what comes out of one.

use std::borrow::Cow;

use super::Decoder;
use super::media;
use super::undecoded::{Format, Reason, Undecoded};

/// Bytes to be read, and whether they are all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) bytes: &'a [u8],
    /// More followed that nobody copied or inflated: a value that touches the end may not be whole.
    pub(crate) cut: bool,
}

impl<'a> Input<'a> {
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, cut: false }
    }

    /// Why something ends where the bytes end.
    pub(crate) fn end(self) -> Reason {
        if self.cut { Reason::Cut } else { Reason::Malformed }
    }
}

/// What the wanted places of a document hold, in their order.
#[derive(Debug, Default)]
pub(crate) struct Found<'d> {
    pub(crate) values: Vec<Option<Cow<'d, [u8]>>>,
    /// Why values that are not there may be missing. What was found before still counts.
    pub(crate) failure: Option<Reason>,
    /// The values are beginnings: more would follow.
    pub(crate) cut: bool,
}

impl<'d> Found<'d> {
    pub(crate) fn none_of(wanted: usize) -> Self {
        Self { values: (0..wanted).map(|_| None).collect(), failure: None, cut: false }
    }

    /// Nothing could be read.
    pub(crate) fn failed(wanted: usize, reason: Reason) -> Self {
        Self { failure: Some(reason), ..Self::none_of(wanted) }
    }

    /// What a input as a whole was decoded to.
    pub(crate) fn whole(value: impl Into<Cow<'d, [u8]>>, cut: bool) -> Self {
        Self { values: vec![Some(value.into())], failure: None, cut }
    }

    /// The one value.
    pub(crate) fn into_value(mut self) -> Option<Vec<u8>> {
        self.values.pop().flatten().map(Cow::into_owned)
    }

    /// Values that do not borrow from what they were read from.
    pub(crate) fn owned(self) -> Found<'static> {
        let values = self.values.into_iter().map(|value| value.map(|value| Cow::Owned(value.into_owned())));
        Found { values: values.collect(), failure: self.failure, cut: self.cut }
    }

    /// Keeps the first value of each place.
    pub(crate) fn put(&mut self, place: usize, value: Cow<'d, [u8]>) {
        if let Some(free @ None) = self.values.get_mut(place) {
            *free = Some(value);
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.values.iter().all(Option::is_some)
    }

    /// Counts a failure that something is missing for.
    pub(crate) fn count(&self, format: Format, undecoded: &mut Undecoded) {
        match self.failure {
            // Whoever reads on meets the cut, and counts it.
            Some(Reason::Cut) if self.cut => {}
            Some(reason) if self.cut || !self.is_complete() => undecoded.count(format, reason),
            _ => {}
        }
    }
}

/// What the decoders of a tree need to know beside the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Around<'a> {
    /// The content type of a body.
    pub(crate) content_type: Option<&'a [u8]>,
    /// The input is a query string: GraphQL stands in its fields.
    pub(crate) query: bool,
}

impl Around<'_> {
    /// Whether a decoder reads bodies of this content type. One without a type may be anything.
    pub(crate) fn fits(&self, decoder: &Decoder) -> bool {
        self.content_type.is_none_or(|content_type| media::reads(decoder, media::of(content_type)))
    }
}
