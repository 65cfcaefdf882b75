//! What the configuration can name as the origin of a value: `request.header.X-User.base64.json.id`
//! or an NGINX value such as `$arg_a:$arg_b`.
//!
//! A source is `side.part[.name][.decoder[.path]]...`. A segment that holds a dot or a quote is
//! written in double quotes; an unquoted segment that is the name of a decoder starts that decoder,
//! so a JSON member of such a name is quoted too.

use std::fmt;

use crate::decode::Decoder;

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
    /// Planned, not there yet.
    #[error("needs {0}, which this version cannot read yet")]
    NotYet(String),
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

const REQUEST_PARTS: &str = "header, cookie, query, path, uri, method, host, ip, scheme, var";
const RESPONSE_PARTS: &str = "header, cookie, status";
const DECODERS: &str = "json, jwt, base64, percent, bearer";
/// Decoders and parts of the contract that a later version brings.
const LATER_DECODERS: [&str; 5] = ["form", "multipart", "xml", "graphql", "gzip"];
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
        let mut decoders = Vec::new();
        while let Some(segment) = rest.next() {
            decoders.push(decoder(segment, &mut rest)?);
        }
        Ok(Self { origin, decoders })
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

/// A segment and whether it was quoted (a quoted one never names a decoder).
#[derive(Debug)]
struct Segment {
    text: String,
    quoted: bool,
}

struct Segments<'a> {
    all: &'a [Segment],
    at: usize,
}

impl<'a> Segments<'a> {
    fn next(&mut self) -> Option<&'a Segment> {
        let segment = self.all.get(self.at)?;
        self.at += 1;
        Some(segment)
    }

    fn next_text(&mut self) -> Option<&'a str> {
        self.next().map(|segment| segment.text.as_str())
    }

    /// The segment that follows, when `wanted` takes it.
    fn next_if(&mut self, wanted: impl Fn(&Segment) -> bool) -> Option<&'a Segment> {
        let segment = self.all.get(self.at).filter(|segment| wanted(segment))?;
        self.at += 1;
        Some(segment)
    }

    /// The segments up to the next decoder's name.
    fn path(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(segment) = self.next_if(|segment| segment.quoted || !is_decoder(&segment.text)) {
            path.push(segment.text.clone());
        }
        path
    }
}

fn is_decoder(text: &str) -> bool {
    ["json", "jwt", "base64", "percent", "bearer"].contains(&text) || LATER_DECODERS.contains(&text)
}

/// Splits at dots outside double quotes.
fn segments(text: &str) -> Result<Vec<Segment>, SourceError> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let (segment, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (inner, after) = quoted
                .split_once('"')
                .ok_or_else(|| SourceError::Syntax(format!("has a quote without end at \"{rest}\"")))?;
            (Segment { text: inner.to_owned(), quoted: true }, after)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let (plain, after) = rest.split_at(end);
            (Segment { text: plain.to_owned(), quoted: false }, after)
        };
        if segment.text.is_empty() {
            return Err(SourceError::Syntax("has an empty segment".into()));
        }
        if !segment.quoted && segment.text.contains('"') {
            return Err(SourceError::Syntax(format!("has a quote inside the segment \"{}\"", segment.text)));
        }
        segments.push(segment);
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => return Ok(segments),
            None => return Err(SourceError::Syntax(format!("has \"{after}\" behind a quoted segment"))),
        };
    }
}

fn request_origin(rest: &mut Segments) -> Result<Origin, SourceError> {
    let part = rest.next_text().ok_or(SourceError::MissingName("request".into(), "request.header.X-User"))?;
    let mut name = |example| {
        rest.next_text().map(str::to_owned).ok_or(SourceError::MissingName(format!("request.{part}"), example))
    };
    Ok(match part {
        "header" => Origin::RequestHeader(name("request.header.X-User")?.to_ascii_lowercase()),
        "cookie" => Origin::RequestCookie(name("request.cookie.sid")?),
        "query" => Origin::Query(name("request.query.token")?),
        "var" => {
            let name = format!("${}", name("request.var.ssl_client_fingerprint")?);
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
        "body" => return Err(SourceError::NotYet("the request's body".into())),
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
        "body" => return Err(SourceError::NotYet("the response's body".into())),
        other => {
            return Err(SourceError::UnknownPart { side: "response", part: other.into(), expected: RESPONSE_PARTS });
        }
    })
}

fn decoder(segment: &Segment, rest: &mut Segments) -> Result<Decoder, SourceError> {
    let path_of = |rest: &mut Segments, name, example| match rest.path() {
        path if path.is_empty() => Err(SourceError::MissingPath(name, example)),
        path => Ok(path),
    };
    match segment.text.as_str() {
        _ if segment.quoted => Err(SourceError::UnknownDecoder(segment.text.clone())),
        "json" => Ok(Decoder::Json(path_of(rest, "json", "json.user.id")?)),
        "jwt" => {
            let part = rest.next_text().unwrap_or_default();
            let example = "jwt.payload.sub";
            match part {
                "header" => Ok(Decoder::JwtHeader(path_of(rest, "jwt.header", "jwt.header.kid")?)),
                "payload" => Ok(Decoder::JwtPayload(path_of(rest, "jwt.payload", example)?)),
                _ => Err(SourceError::MissingPath("jwt", example)),
            }
        }
        "base64" => Ok(Decoder::Base64),
        "percent" => Ok(Decoder::Percent),
        "bearer" => Ok(Decoder::Bearer),
        later if LATER_DECODERS.contains(&later) => Err(SourceError::NotYet(format!("the decoder \"{later}\""))),
        other => Err(SourceError::UnknownDecoder(other.to_owned())),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Variable(name) => write!(f, "${{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Source {
        Source::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    fn error(text: &str) -> String {
        Source::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn each_part_of_the_contract_is_understood() {
        for (text, origin) in [
            ("request.header.X-Token", Origin::RequestHeader("x-token".into())),
            ("request.cookie.sid", Origin::RequestCookie("sid".into())),
            ("request.query.token", Origin::Query("token".into())),
            ("request.path", Origin::Path),
            ("request.path.2", Origin::PathSegment(2)),
            ("request.uri", Origin::Uri),
            ("request.method", Origin::Method),
            ("request.host", Origin::Host),
            ("request.ip", Origin::Ip),
            ("request.scheme", Origin::Scheme),
            ("request.var.Foo", Origin::Value(Template(vec![Piece::Variable("foo".into())]))),
            ("response.header.X-Token", Origin::ResponseHeader("x-token".into())),
            ("response.cookie.sid", Origin::ResponseCookie("sid".into())),
            ("response.status", Origin::Status),
        ] {
            assert_eq!(parsed(text), Source { origin, decoders: Vec::new() }, "{text}");
        }
    }

    #[test]
    fn a_quoted_segment_holds_dots_and_decoder_names() {
        assert_eq!(parsed("request.cookie.\"connect.sid\"").origin, Origin::RequestCookie("connect.sid".into()));
        assert_eq!(
            parsed("request.header.X.json.\"base64\".base64").decoders,
            [Decoder::Json(vec!["base64".into()]), Decoder::Base64]
        );
    }

    #[test]
    fn decoders_are_chained_in_any_order() {
        assert_eq!(
            parsed("request.header.X-State.percent.base64.json.a.0.json.b").decoders,
            [
                Decoder::Percent,
                Decoder::Base64,
                Decoder::Json(vec!["a".into(), "0".into()]),
                Decoder::Json(vec!["b".into()])
            ]
        );
        assert_eq!(
            parsed("request.header.Authorization.jwt.payload.details.username").decoders,
            [Decoder::JwtPayload(vec!["details".into(), "username".into()])]
        );
    }

    #[test]
    fn an_nginx_value_is_text_and_variables() {
        assert_eq!(
            parsed("$arg_a:${arg_B}x").origin,
            Origin::Value(Template(vec![
                Piece::Variable("arg_a".into()),
                Piece::Text(":".into()),
                Piece::Variable("arg_b".into()),
                Piece::Text("x".into()),
            ]))
        );
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (text, says) in [
            ("header.X", "expected \"request\", \"response\""),
            ("request", "as in \"request.header.X-User\""),
            ("request.head.X", "expected one of: header, cookie, query"),
            ("response.query.x", "expected one of: header, cookie, status"),
            ("request.header", "expected a name"),
            ("request.header.X.rot13", "no decoder \"rot13\", expected one of: json, jwt"),
            ("request.header.X.json", "as in \"json.user.id\""),
            ("request.header.X.jwt.sub", "as in \"jwt.payload.sub\""),
            ("request.body.json.a", "the request's body, which this version cannot read yet"),
            ("request.header.X.gzip", "the decoder \"gzip\", which this version cannot read yet"),
            ("request..x", "empty segment"),
            ("request.header.\"x", "quote without end"),
            ("request.header.$x", "to decode a variable"),
            ("$", "no valid variable name"),
            ("request.var.a-b", "no valid variable name"),
            ("$1", "\"$user\""),
            ("${a", "no valid variable name"),
        ] {
            let error = error(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_value_is_called_by_the_last_segment_of_its_source() {
        for (text, name) in [
            ("request.header.X-User", "X-User"),
            ("request.header.Authorization.jwt.payload.sub", "sub"),
            ("request.cookie.\"connect.sid\"", "connect.sid"),
            ("$arg_a:$arg_b", "$arg_a:$arg_b"),
        ] {
            assert_eq!(Source::default_name(text), name);
        }
    }

    #[test]
    fn sources_that_name_credentials_are_sensitive() {
        for source in [
            "request.header.Authorization.jwt.payload.sub",
            "request.cookie.theme",
            "response.cookie.x",
            "request.query.access_token",
            "request.header.Api_Key",
            "request.header.X-API-Key",
            "$http_authorization",
            "$cookie_a",
            "request.query.client_secret",
            "request.query.Password",
        ] {
            assert!(is_sensitive(source), "{source}");
        }
        for source in ["request.header.X-User", "request.query.page", "request.path.1", "$host"] {
            assert!(!is_sensitive(source), "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_source_or_an_error(text in "(request|response|\\$)?[.\"a-z0-9$]{0,40}") {
            let _ = Source::parse(&text);
        }
    }
}
