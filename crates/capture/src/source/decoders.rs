//! The decoders of a source: their names, and what each takes.

use super::SourceError;
use super::segments::{Segment, Segments};
use crate::decode::{Decoder, GraphqlPath, XmlPath};

/// As an error lists them.
pub(super) const DECODERS: &str = "json, form, multipart, xml, graphql, jwt, bearer, base64, gzip, percent";
/// Longest chain of decoders.
const MAX_DECODERS: usize = 8;
/// Longest path of one decoder; reading JSON recurses along it.
const MAX_PATH: usize = 64;

/// Whether an unquoted segment starts a decoder.
pub(super) fn is_decoder(text: &str) -> bool {
    DECODERS.split(", ").any(|name| name == text)
}

/// All that follow a part.
pub(super) fn decoders(rest: &mut Segments) -> Result<Vec<Decoder>, SourceError> {
    let mut decoders = Vec::new();
    while let Some(segment) = rest.next() {
        if decoders.len() == MAX_DECODERS {
            return Err(SourceError::Syntax(format!("chains more than {MAX_DECODERS} decoders")));
        }
        decoders.push(decoder(segment, rest)?);
    }
    Ok(decoders)
}

fn decoder(segment: &Segment, rest: &mut Segments) -> Result<Decoder, SourceError> {
    if segment.quoted {
        return Err(SourceError::UnknownDecoder(segment.text.clone()));
    }
    Ok(match segment.text.as_str() {
        "json" => Decoder::Json(path(rest, "json", "json.user.id")?),
        "form" => Decoder::Form(name(rest, "form", "form.user")?),
        "multipart" => Decoder::Multipart(name(rest, "multipart", "multipart.user")?),
        "xml" => Decoder::Xml(xml(rest)?),
        "graphql" => Decoder::Graphql(graphql(rest)?),
        "jwt" => {
            let example = "jwt.payload.sub";
            match rest.next_text().unwrap_or_default() {
                "header" => Decoder::JwtHeader(path(rest, "jwt.header", "jwt.header.kid")?),
                "payload" => Decoder::JwtPayload(path(rest, "jwt.payload", example)?),
                _ => return Err(SourceError::MissingPath("jwt", example)),
            }
        }
        "base64" => Decoder::Base64,
        "gzip" => Decoder::Gzip,
        "percent" => Decoder::Percent,
        "bearer" => Decoder::Bearer,
        other => return Err(SourceError::UnknownDecoder(other.to_owned())),
    })
}

/// One segment, whatever it is.
fn name(rest: &mut Segments, decoder: &'static str, example: &'static str) -> Result<String, SourceError> {
    rest.next_text().map(str::to_owned).ok_or(SourceError::MissingPath(decoder, example))
}

/// At least one segment, up to the next decoder.
fn path(rest: &mut Segments, decoder: &'static str, example: &'static str) -> Result<Vec<String>, SourceError> {
    let path = rest.path();
    match path.len() {
        0 => Err(SourceError::MissingPath(decoder, example)),
        1..=MAX_PATH => Ok(path),
        _ => Err(SourceError::Syntax(format!("has a path of more than {MAX_PATH} segments"))),
    }
}

/// Elements, and perhaps an attribute behind them.
fn xml(rest: &mut Segments) -> Result<XmlPath, SourceError> {
    let mut elements = path(rest, "xml", "xml.order.@id")?;
    let attribute = elements.pop_if(|last| last.starts_with('@')).map(|name| name.replacen('@', "", 1));
    let misplaced = elements.iter().any(|element| element.starts_with('@'));
    if misplaced || elements.is_empty() || attribute.as_ref().is_some_and(String::is_empty) {
        return Err(SourceError::MissingPath("xml", "xml.order.@id"));
    }
    Ok(XmlPath { elements, attribute })
}

fn graphql(rest: &mut Segments) -> Result<GraphqlPath, SourceError> {
    let example = "graphql.operation\", \"graphql.type\", \"graphql.arg.FIELD.ARG\" or \"graphql.var.NAME";
    let missing = || SourceError::MissingPath("graphql", example);
    Ok(match rest.next_text().unwrap_or_default() {
        "operation" => GraphqlPath::Operation,
        "type" => GraphqlPath::Type,
        "arg" => {
            let mut path = path(rest, "graphql.arg", "graphql.arg.login.email")?.into_iter();
            let (field, argument) = path.next().zip(path.next()).ok_or_else(missing)?;
            GraphqlPath::Argument { field, argument, path: path.collect() }
        }
        "var" => GraphqlPath::Variable(path(rest, "graphql.var", "graphql.var.email")?),
        _ => return Err(missing()),
    })
}
