//! Content types: which decoders read a body of which one.

use super::Decoder;

/// What a content type says of a body, as far as decoders care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    Form,
    Multipart,
    Xml,
    Graphql,
    /// Server-sent events.
    Events,
    Other,
}

/// Understands a content type; its parameters do not matter. Neither allocates nor fails: the event
/// loop asks.
pub(crate) fn of(content_type: &[u8]) -> Media {
    // Most are written so.
    if content_type == b"application/json" {
        return Media::Json;
    }
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    let essence = content_type.get(..end).unwrap_or_default().trim_ascii();
    let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
    let ends = |suffix: &str| {
        let tail = essence.len().checked_sub(suffix.len()).and_then(|at| essence.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    if is("application/json") || is("text/json") || ends("+json") {
        Media::Json
    } else if is("application/x-www-form-urlencoded") {
        Media::Form
    } else if is("multipart/form-data") {
        Media::Multipart
    } else if is("application/xml") || is("text/xml") || ends("+xml") {
        Media::Xml
    } else if is("application/graphql") {
        Media::Graphql
    } else if is("text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}

/// Whether a decoder reads bodies of that kind. Those that read no format of their own read all.
pub(crate) fn reads(decoder: &Decoder, media: Media) -> bool {
    match decoder {
        Decoder::Json(_) => media == Media::Json,
        Decoder::Form(_) => media == Media::Form,
        Decoder::Multipart(_) => media == Media::Multipart,
        Decoder::Xml(_) => media == Media::Xml,
        Decoder::Graphql(_) => matches!(media, Media::Json | Media::Graphql),
        Decoder::JwtHeader(_)
        | Decoder::JwtPayload(_)
        | Decoder::Base64
        | Decoder::Gzip
        | Decoder::Percent
        | Decoder::Bearer => true,
    }
}

/// Whether JSON-RPC messages may stand in a body of this content type.
pub(crate) fn is_json_rpc(content_type: Option<&[u8]>) -> bool {
    content_type.is_none_or(|content_type| matches!(of(content_type), Media::Json | Media::Events))
}
