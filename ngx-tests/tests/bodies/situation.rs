//! A situation: what a client does, what the origin says, and what must be told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use ngx_tests::raw::Step;

use crate::message::Head;
use crate::origin;
use crate::streams::Asked;

pub const JSON: &str = "application/json";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// What must be told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub method: String,
    pub path: String,
    pub status: u16,
    /// All its context parameters, by name, but those that every request has.
    pub params: BTreeMap<String, String>,
}

/// Its requests are told apart by their query parameter `x`: the name of the situation, and for
/// those after the first a number behind it.
#[derive(Clone, Debug)]
pub struct Situation {
    pub name: String,
    pub steps: Vec<Step>,
    /// What the origin says to the first request, if not what it received.
    pub answer: Option<Vec<Vec<u8>>>,
    asked: Vec<(String, String)>,
    /// By `x`.
    pub told: Vec<(String, Told)>,
}

/// Nothing done, nothing told yet.
pub fn situation(name: &str) -> Situation {
    Situation { name: name.to_owned(), steps: Vec::new(), answer: None, asked: Vec::new(), told: Vec::new() }
}

impl Situation {
    /// Sends bytes.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    /// Sends each byte in a packet of its own.
    pub fn trickle(mut self, bytes: &str) -> Self {
        for byte in bytes.bytes() {
            self = self.send([byte]).pause(2);
        }
        self
    }

    /// Sends the head of a request; each of `headers` ends with CRLF.
    pub fn head(mut self, method: &str, target: &str, headers: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.push((method.to_owned(), path.to_owned()));
        let x = self.x();
        self.send(format!(
            "{method} {path}?x={x}&{query} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: table\r\n{headers}\r\n"
        ))
    }

    /// The last request of its connection, without a body.
    pub fn ask(self, method: &str, path: &str, headers: &str) -> Self {
        self.head(method, path, &format!("Connection: close\r\n{headers}"))
    }

    pub fn get(self, path: &str) -> Self {
        self.ask("GET", path, "")
    }

    /// The same of HTTP/1.0, which knows no chunks.
    pub fn get_1_0(mut self, path: &str) -> Self {
        self = self.get(path);
        if let Some(Step::Send(head)) = self.steps.last_mut() {
            *head = String::from_utf8_lossy(head).replace("HTTP/1.1", "HTTP/1.0").into_bytes();
        }
        self
    }

    /// The last request of its connection, with a body.
    pub fn post(self, path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        self.post_with(path, content_type, "", body)
    }

    pub fn post_with(self, path: &str, content_type: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len();
        self.announce(path, content_type, &format!("{headers}Content-Length: {length}\r\n")).send(body)
    }

    /// The same in chunks, with a moment between them.
    pub fn post_chunks(mut self, path: &str, content_type: &str, chunks: &[&[u8]]) -> Self {
        self = self.announce(path, content_type, "Transfer-Encoding: chunked\r\n");
        for chunk in chunks {
            self = self.send([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).pause(5);
        }
        self.send("0\r\n\r\n")
    }

    /// The head of a POST, the last request of its connection.
    pub fn announce(self, path: &str, content_type: &str, headers: &str) -> Self {
        self.ask("POST", path, &format!("Content-Type: {content_type}\r\n{headers}"))
    }

    /// Reads until the answer holds `text`.
    pub fn wait_for(mut self, text: &'static str) -> Self {
        self.steps.push(Step::WaitFor(text));
        self
    }

    /// Closes without reading on.
    pub fn leave(mut self) -> Self {
        self.steps.push(Step::Leave);
        self
    }

    /// Does nothing for a while.
    pub fn pause(mut self, millis: u64) -> Self {
        self.steps.push(Step::Pause(Duration::from_millis(millis)));
        self
    }

    /// Sends in one packet what is sent.
    pub fn in_one_piece(mut self) -> Self {
        let sent =
            self.steps.iter().filter_map(|step| if let Step::Send(bytes) = step { Some(&bytes[..]) } else { None });
        self.steps = vec![Step::Send(sent.collect::<Vec<_>>().concat())];
        self
    }

    /// The origin says this.
    pub fn answer(self, content_type: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let answer = origin::answer(content_type, headers, body.as_ref());
        self.answer_pieces(&[&answer])
    }

    /// The origin says this as it stands, with a moment between the pieces.
    pub fn answer_pieces(mut self, pieces: &[&[u8]]) -> Self {
        self.answer = Some(pieces.iter().map(|piece| piece.to_vec()).collect());
        self
    }

    /// What must be told of the request that was sent last.
    pub fn told(mut self, status: u16, params: &[(&str, &str)]) -> Self {
        let (method, path) = self.asked.last().unwrap().clone();
        let params = params.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.told.push((self.x(), Told { method, path, status, params }));
        self
    }

    /// The request, if it is one that is sent whole, and its answer is read whole.
    pub fn asked(&self) -> Option<Asked> {
        let mut sent = Vec::new();
        for step in &self.steps {
            match step {
                Step::Send(bytes) => sent.extend_from_slice(bytes),
                Step::Finish | Step::Leave => return None,
                Step::WaitFor(_) | Step::Pause(_) => {}
            }
        }
        let (head, body) = Head::of(&sent)?;
        let (body, rest) = head.body(body)?;
        (rest.is_empty() && self.asked.len() == 1).then_some(Asked { head, body })
    }

    pub fn is_head(&self) -> bool {
        self.asked.first().is_some_and(|(method, _)| method == "HEAD")
    }

    fn x(&self) -> String {
        let number = self.asked.len();
        if number > 1 { format!("{}-{number}", self.name) } else { self.name.clone() }
    }
}
