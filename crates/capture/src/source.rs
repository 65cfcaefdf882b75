//! What the configuration can name as the origin of a value: `request.header.X-User.base64.json.id`
//! or an NGINX value such as `$arg_a:$arg_b`.
//!
//! A source is `side.part[.name][.decoder[.path]]...`. A segment that holds a dot or a quote is
//! written in double quotes; an unquoted segment that is the name of a decoder starts that decoder,
//! so a JSON member of such a name is quoted too.

mod decoders;
mod segments;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::decode::Decoder;
use decoders::{DECODERS, decoders};
use segments::{Segments, segments};

/// A parsed source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where the raw bytes come from.
    pub origin: Origin,
    /// What is done with them, in order.
    pub decoders: Vec<Decoder>,
}

/// Where raw bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A request header, in lower case.
    RequestHeader(String),
    /// A cookie of the request, exactly.
    RequestCookie(String),
    /// A query parameter, exactly, percent-decoded with `+` as space.
    Query(String),
    /// The path before any rewrite.
    Path,
    /// One segment of it, from 0.
    PathSegment(usize),
    /// `$request_uri`.
    Uri,
    /// Method of the request line.
    Method,
    /// `$host`.
    Host,
    /// `$remote_addr`.
    Ip,
    /// `http` or `https`.
    Scheme,
    /// A response header, in lower case.
    ResponseHeader(String),
    /// A cookie that the response sets, exactly.
    ResponseCookie(String),
    /// The response's status.
    Status,
    /// The query string as a GraphQL request.
    QueryString,
    /// The request's body, content codings taken off.
    RequestBody,
    /// The response's body, likewise.
    ResponseBody,
    /// An NGINX value.
    Value(Template),
}

/// An NGINX value with variables: text and variable names in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// Value of the variable of this name, without `$`, in lower case.
    Variable(String),
}

/// What is wrong with a source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Does not begin with `request.` or `response.` and holds no variable.
    #[error(
        "begins with \"{0}\", expected \"request\", \"response\" or an NGINX value with variables such as \"$arg_user\""
    )]
    UnknownSide(String),
    /// No such part on that side.
    #[error("has no part \"{part}\" in \"{side}\", expected one of: {expected}")]
    UnknownPart {
        /// `request` or `response`.
        side: &'static str,
        /// What was written.
        part: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A part that needs a name has none.
    #[error("ends after \"{0}\", expected a name behind it, as in \"{1}\"")]
    MissingName(String, &'static str),
    /// What follows is no decoder.
    #[error("has no decoder \"{0}\", expected one of: {DECODERS}")]
    UnknownDecoder(String),
    /// A decoder that needs a path has none, or a wrong one.
    #[error("uses \"{0}\" without saying what to take, as in \"{1}\"")]
    MissingPath(&'static str, &'static str),
    /// A `$` without a variable behind it.
    #[error("has no valid variable name at \"{0}\"")]
    NoVariable(String),
    /// A capture by number: NGINX keeps those of the last regular expression only, whichever it was.
    #[error("uses the capture \"${0}\" by number, expected one with a name, as in \"(?<user>...)\" and \"$user\"")]
    Capture(String),
    /// Quotes or dots where none can be.
    #[error("{0}")]
    Syntax(String),
}

const REQUEST_PARTS: &str = "header, cookie, query, path, uri, method, host, ip, scheme, var, body";
const RESPONSE_PARTS: &str = "header, cookie, status, body";
/// Longer sources are nobody's intention.
const MAX_SOURCE: usize = 1024;

impl Source {
    /// Parses a source as it stands in the configuration.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.len() > MAX_SOURCE {
            return Err(SourceError::Syntax(format!("is longer than {MAX_SOURCE} characters")));
        }
        if text.contains('$') {
            if text.starts_with("request.") || text.starts_with("response.") {
                let wrong = "mixes a source with a variable, expected one of them; to decode a variable: \
                             \"request.var.NAME.decoder\"";
                return Err(SourceError::Syntax(wrong.into()));
            }
            return Ok(Self { origin: Origin::Value(Template::parse(text)?), decoders: Vec::new() });
        }
        let segments = segments(text)?;
        let mut rest = Segments { all: &segments, at: 0 };
        let origin = match rest.next_text().unwrap_or_default() {
            "request" => request_origin(&mut rest)?,
            "response" => response_origin(&mut rest)?,
            other => return Err(SourceError::UnknownSide(other.to_owned())),
        };
        Ok(Self { origin, decoders: decoders(&mut rest)? })
    }

    /// What readers call a value of this source unless the configuration says otherwise: the last
    /// segment, or the whole text of an NGINX value.
    pub fn default_name(text: &str) -> String {
        if text.contains('$') {
            return text.to_owned();
        }
        segments(text).ok().and_then(|all| all.into_iter().next_back()).map_or_else(|| text.to_owned(), |s| s.text)
    }
}

/// Whether values of a source leave as pseudonyms unless the configuration says `show`.
///
/// Looks at the source's words, not at its values: a rule that one can read off the configuration.
pub fn is_sensitive(source: &str) -> bool {
    const WORDS: [&str; 8] = ["authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey"];
    let folded = source.to_ascii_lowercase().replace('_', "-");
    WORDS.iter().any(|word| folded.contains(word))
}

impl Template {
    /// Parses an NGINX value: `$name`, `${name}`, and text around them.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, variable) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, after) = variable_name(variable)?;
            pieces.push(Piece::Variable(name.to_ascii_lowercase()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// Names of its variables, in order, repeated ones repeatedly.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

/// Splits `$name...` or `${name}...` into the name and what follows.
fn variable_name(text: &str) -> Result<(&str, &str), SourceError> {
    let bad = || SourceError::NoVariable(text.to_owned());
    let after_dollar = text.strip_prefix('$').ok_or_else(bad)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, rest) = match after_dollar.strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or_else(bad)?,
        None => after_dollar.split_at(after_dollar.find(|c| !is_name(c)).unwrap_or(after_dollar.len())),
    };
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(SourceError::Capture(name.to_owned()));
    }
    if name.is_empty() || !name.chars().all(is_name) { Err(bad()) } else { Ok((name, rest)) }
}

fn request_origin(rest: &mut Segments) -> Result<Origin, SourceError> {
    let part = rest.next_text().ok_or(SourceError::MissingName("request".into(), "request.header.X-User"))?;
    let name = |rest: &mut Segments, example| {
        rest.next_text().map(str::to_owned).ok_or(SourceError::MissingName(format!("request.{part}"), example))
    };
    Ok(match part {
        "header" => Origin::RequestHeader(name(rest, "request.header.X-User")?.to_ascii_lowercase()),
        "cookie" => Origin::RequestCookie(name(rest, "request.cookie.sid")?),
        // GraphQL stands in several fields of a query string; its own words tell it from a field "graphql".
        "query" if rest.sees(0, &["graphql"]) && rest.sees(1, &["operation", "type", "arg", "var"]) => {
            Origin::QueryString
        }
        "query" => Origin::Query(name(rest, "request.query.token")?),
        "var" => {
            let name = format!("${}", name(rest, "request.var.ssl_client_fingerprint")?);
            match variable_name(&name)? {
                (variable, "") => Origin::Value(Template(vec![Piece::Variable(variable.to_ascii_lowercase())])),
                _ => return Err(SourceError::NoVariable(name)),
            }
        }
        "path" => match rest.next_if(|s| !s.quoted && s.text.bytes().all(|b| b.is_ascii_digit())) {
            Some(n) => Origin::PathSegment(
                n.text.parse().map_err(|_| SourceError::Syntax(format!("has no path segment {}", n.text)))?,
            ),
            None => Origin::Path,
        },
        "uri" => Origin::Uri,
        "method" => Origin::Method,
        "host" => Origin::Host,
        "ip" => Origin::Ip,
        "scheme" => Origin::Scheme,
        "body" => Origin::RequestBody,
        other => {
            return Err(SourceError::UnknownPart { side: "request", part: other.into(), expected: REQUEST_PARTS });
        }
    })
}

fn response_origin(rest: &mut Segments) -> Result<Origin, SourceError> {
    let part = rest.next_text().ok_or(SourceError::MissingName("response".into(), "response.header.X-Token"))?;
    let mut name = |example| {
        rest.next_text().map(str::to_owned).ok_or(SourceError::MissingName(format!("response.{part}"), example))
    };
    Ok(match part {
        "header" => Origin::ResponseHeader(name("response.header.X-Token")?.to_ascii_lowercase()),
        "cookie" => Origin::ResponseCookie(name("response.cookie.sid")?),
        "status" => Origin::Status,
        "body" => Origin::ResponseBody,
        other => {
            return Err(SourceError::UnknownPart { side: "response", part: other.into(), expected: RESPONSE_PARTS });
        }
    })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Variable(name) => write!(f, "${{{name}}}"),
        })
    }
}
