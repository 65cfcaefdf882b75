//! Calls of AI agents: the Model Context Protocol, JSON-RPC 2.0 over HTTP.
//!
//! A request is one when it carries an `Mcp-*` header, or when its answer hands out an
//! `Mcp-Session-Id`: that is `initialize`, the first, which has no header yet. Newer clients name
//! method and primitive in headers (`Mcp-Method`, `Mcp-Name`); else both stand in the request's body.
//! Whether the call failed stands in the answer, with status 200: a JSON document, or an event
//! stream in which the answer follows notifications.

mod leaving;

use std::borrow::Cow;

pub(crate) use leaving::{arguments, header, primitive};

use crate::decode::{self, Decoder, Format, Input, Undecoded};

/// Most events of an answer that are looked at.
const MAX_EVENTS: usize = 100;

/// What is told of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum McpMode {
    /// Nothing.
    Off,
    /// Method, primitive, error.
    #[default]
    On,
    /// The arguments too.
    Arguments,
}

/// Request headers that make a request a call, in lower case. The session's is among the built-in keys.
pub(crate) const HEADERS: [&str; 4] = ["mcp-session-id", "mcp-method", "mcp-name", "mcp-protocol-version"];

/// A call as the request's body has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: Option<Vec<u8>>,
    /// Name of the tool or prompt, or address of the resource.
    pub(crate) primitive: Option<Vec<u8>>,
    pub(crate) arguments: Option<Vec<u8>>,
    /// As it is written, with quotes when it is a string.
    id: Option<Vec<u8>>,
}

impl Call {
    /// Reads a request's body; of a batch the first call.
    pub(crate) fn read(input: Input, undecoded: &mut Undecoded) -> Self {
        let paths = ["method", "params.name", "params.uri", "params.arguments", "id"];
        let [method, name, uri, arguments, id] = members(input, paths, undecoded);
        Self { method, primitive: name.or(uri), arguments, id }
    }

    /// Why the call failed, as its answer has it: code and message of an error, or that the tool said
    /// so. What else a tool said stays where it is.
    pub(crate) fn error(&self, answer: Input, is_stream: bool, undecoded: &mut Undecoded) -> Option<Vec<u8>> {
        if !is_stream {
            return self.error_of(answer, undecoded);
        }
        let mut events = Events { rest: answer.bytes };
        // An answer that is cut ends with half an event.
        let whole = std::iter::from_fn(|| events.next_whole(answer.cut)).take(MAX_EVENTS);
        whole.filter_map(|event| self.error_of(Input::whole(&event), undecoded)).next()
    }

    fn error_of(&self, answer: Input, undecoded: &mut Undecoded) -> Option<Vec<u8>> {
        let paths = ["id", "error.code", "error.message", "result.isError"];
        let [id, code, message, failed] = members(answer, paths, undecoded);
        if self.id.is_some() && id.is_some() && id != self.id {
            return None;
        }
        match (code, message) {
            (Some(code), Some(message)) => Some([code, message].join(&b' ')),
            (Some(only), None) | (None, Some(only)) => Some(only),
            (None, None) => (failed.as_deref() == Some(b"true")).then(|| b"tool error".to_vec()),
        }
    }
}

/// Members of a JSON-RPC message; of a batch those of the first.
fn members<const N: usize>(input: Input, paths: [&str; N], undecoded: &mut Undecoded) -> [Option<Vec<u8>>; N] {
    let batch = input.bytes.trim_ascii_start().starts_with(b"[");
    let decoders = paths.map(|path| {
        let segments = path.split('.').map(str::to_owned);
        Decoder::Json(batch.then(|| "0".to_owned()).into_iter().chain(segments).collect())
    });
    let found = decode::read(&decoders, input, decode::Around::default());
    // Most messages lack some of the members: only a broken one counts.
    found.count(Format::Json, undecoded);
    let mut values = found.values.into_iter();
    paths.map(|_| values.next().flatten().map(Cow::into_owned))
}

/// Events of a stream (HTML, section 9.2.6): what their `data` lines hold.
struct Events<'s> {
    rest: &'s [u8],
}

impl Events<'_> {
    /// The data of the next event that has some; of a stream that is `cut` none that the end may cut.
    fn next_whole(&mut self, cut: bool) -> Option<Vec<u8>> {
        let mut data: Option<Vec<u8>> = None;
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest);
            let (line, rest) = self.rest.split_at(end.map_or(self.rest.len(), |at| at + 1));
            self.rest = rest;
            match line.trim_ascii_end() {
                // Servers open a stream with an event that only has an id, which clients go on from.
                b"" => match data.take().filter(|data| !data.is_empty()) {
                    Some(data) => return Some(data),
                    None => continue,
                },
                line => {
                    if let Some(more) = line.strip_prefix(b"data:") {
                        let data = data.get_or_insert_default();
                        if !data.is_empty() {
                            data.push(b'\n');
                        }
                        data.extend_from_slice(more.trim_ascii_start());
                    }
                }
            }
        }
        data.filter(|_| !cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(body: &str) -> Call {
        Call::read(Input::whole(body.as_bytes()), &mut Undecoded::default())
    }

    fn error(body: &str, answer: &str, is_stream: bool) -> Option<String> {
        let error = call(body).error(Input::whole(answer.as_bytes()), is_stream, &mut Undecoded::default());
        error.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    const TOOL: &str =
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"search","arguments":{"q":"x"}}}"#;

    #[test]
    fn method_primitive_and_arguments_are_read_from_the_body() {
        let text = |value: &str| Some(value.as_bytes().to_vec());
        for body in [TOOL.to_owned(), format!("[{TOOL},{{}}]")] {
            let call = call(&body);
            assert_eq!(call.method, text("tools/call"));
            assert_eq!(call.primitive, text("search"));
            assert_eq!(call.arguments, text(r#"{"q":"x"}"#));
        }
        let read = call(r#"{"method":"resources/read","params":{"uri":"file:///a"},"id":"x"}"#);
        assert_eq!(read.primitive, text("file:///a"));
    }

    #[test]
    fn an_error_is_known_by_the_answer_not_by_its_status() {
        for (answer, expected) in [
            (r#"{"id":3,"error":{"code":-32602,"message":"Unknown tool"}}"#, Some("-32602 Unknown tool")),
            (r#"{"id":3,"result":{"content":[{"text":"secret"}],"isError":true}}"#, Some("tool error")),
            (r#"{"id":3,"result":{"content":[],"isError":false}}"#, None),
            (r#"{"id":4,"error":{"code":1,"message":"of another call"}}"#, None),
            ("", None),
        ] {
            assert_eq!(error(TOOL, answer, false).as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn in_an_event_stream_the_answer_follows_notifications() {
        let stream = "event: message\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\n: ping\n\n\
                      data: {\"id\":3,\ndata: \"error\":{\"code\":-1,\"message\":\"no\"}}\n\n";
        assert_eq!(error(TOOL, stream, true).as_deref(), Some("-1 no"));
        assert_eq!(error(TOOL, "data: {\"id\":3,\"result\":{}}\n\n", true), None);
    }

    #[test]
    fn an_event_that_only_opens_a_stream_is_nothing_that_could_not_be_read() {
        let mut undecoded = Undecoded::default();
        let stream = b"id: 7\nretry: 1000\ndata: \n\ndata: {\"id\":3,\"result\":{\"isError\":true}}\n\n";
        let error = call(TOOL).error(Input::whole(stream), true, &mut undecoded);
        assert_eq!(error.as_deref(), Some(&b"tool error"[..]));
        assert!(undecoded.each().all(|(_, _, count)| count == 0), "{undecoded:?}");
    }
}
