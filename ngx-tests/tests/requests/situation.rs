//! A situation: what a client does, and what must be told of it.

use std::time::Duration;

use ngx_tests::raw::{Raw, Step};

/// Which server of `site.conf` is asked.
#[derive(Clone, Copy, Debug)]
pub enum Server {
    /// Everything that NGINX does by default.
    Shop,
    /// Small buffers, slashes kept, and pages of its own for requests that cannot be read.
    Narrow,
    /// Little time for a request's head.
    Hasty,
}

/// What must be told of a request: a row of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub application: String,
    pub method: String,
    pub path: String,
    /// The query parameter `x`, by which a client's requests are told apart.
    pub x: String,
    pub status: u16,
}

/// `{tag}` in what is sent and told stands for text that is another one each time.
#[derive(Clone, Debug)]
pub struct Situation {
    pub name: &'static str,
    pub server: Server,
    steps: Vec<Step>,
    told: Vec<Told>,
}

/// Nothing done, nothing told yet.
pub fn situation(name: &'static str) -> Situation {
    Situation { name, server: Server::Shop, steps: Vec::new(), told: Vec::new() }
}

impl Situation {
    pub fn to(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// Sends bytes.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Send(bytes.as_ref().to_vec()));
        self
    }

    /// Sends a whole request, the last one on its connection; `target` gets the tag.
    pub fn ask(self, method: &str, target: &str) -> Self {
        self.ask_with(method, target, "")
    }

    /// The same with header lines, each ended with CRLF.
    pub fn ask_with(self, method: &str, target: &str, headers: &str) -> Self {
        self.send(head(method, target, &format!("Connection: close\r\n{headers}")))
    }

    /// Sends a whole request with a body.
    pub fn ask_with_body(self, method: &str, target: &str, body: &str) -> Self {
        let length = body.len();
        self.ask_with(method, target, &format!("Content-Length: {length}\r\n")).send(body)
    }

    /// Asks for another protocol.
    pub fn ask_upgrade(self, target: &str) -> Self {
        self.send(head("GET", target, "Connection: upgrade\r\nUpgrade: websocket\r\n"))
    }

    /// Reads until the answer holds `text`.
    pub fn wait_for(mut self, text: &'static str) -> Self {
        self.steps.push(Step::WaitFor(text));
        self
    }

    /// Does nothing for a while.
    pub fn pause(mut self, millis: u64) -> Self {
        self.steps.push(Step::Pause(Duration::from_millis(millis)));
        self
    }

    /// Says that no more comes, and goes on reading.
    pub fn finish(mut self) -> Self {
        self.steps.push(Step::Finish);
        self
    }

    /// Closes without reading on.
    pub fn leave(mut self) -> Self {
        self.steps.push(Step::Leave);
        self
    }

    /// What must be told, with the tag as `x`.
    pub fn told(self, method: &str, path: &str, status: u16) -> Self {
        self.tell(method, path, "{tag}", status)
    }

    /// What must be told where the query did not arrive.
    pub fn told_without_query(self, method: &str, path: &str, status: u16) -> Self {
        self.tell(method, path, "", status)
    }

    fn tell(mut self, method: &str, path: &str, x: &str, status: u16) -> Self {
        let [application, method, path, x] = ["shop", method, path, x].map(str::to_owned);
        self.told.push(Told { application, method, path, x, status });
        self
    }

    /// The application of what was told last.
    pub fn application(mut self, name: &str) -> Self {
        if let Some(told) = self.told.last_mut() {
            told.application = name.to_owned();
        }
        self
    }

    /// What must be told with this tag.
    pub fn told_of(&self, tag: &str) -> Vec<Told> {
        let mut told = self.told.clone();
        for told in &mut told {
            told.path = told.path.replace("{tag}", tag);
            told.x = told.x.replace("{tag}", tag);
        }
        told
    }

    /// Does what the client does.
    pub async fn play(&self, address: std::net::SocketAddr, tag: &str) -> std::io::Result<()> {
        let with_tag = |step: &Step| match step {
            Step::Send(bytes) => Step::Send(with_tag(bytes, tag)),
            step => step.clone(),
        };
        let steps: Vec<Step> = self.steps.iter().map(with_tag).collect();
        Raw::play(address, &steps).await.map(drop)
    }
}

/// The head of a request to the shop; its target gets the tag.
pub fn head(method: &str, target: &str, headers: &str) -> String {
    let mark = if target.contains('?') { '&' } else { '?' };
    format!("{method} {target}{mark}x={{tag}} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: table\r\n{headers}\r\n")
}

/// Bytes need not be text, so that no `str::replace` does it.
fn with_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    let mark = b"{tag}";
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + mark.len()..];
    }
    out.extend_from_slice(rest);
    out
}
