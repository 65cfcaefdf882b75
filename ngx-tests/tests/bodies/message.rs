//! Messages of HTTP/1.1 as they are on the wire, taken apart.

/// A head without its last, empty line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head(pub String);

impl Head {
    /// The head that bytes begin with, and what follows it; `None` when it has not come whole.
    pub fn of(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
        Some((Self(String::from_utf8_lossy(&bytes[..end]).into_owned()), &bytes[end + 4..]))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The second word of its first line: the target, or the status.
    pub fn word(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    /// The body that follows it, and what follows that; `None` when it has not come whole.
    pub fn body<'b>(&self, bytes: &'b [u8]) -> Option<(Vec<u8>, &'b [u8])> {
        if self.header("transfer-encoding").is_some() {
            return chunks(bytes);
        }
        let length = self.header("content-length").map_or(0, |length| length.parse().unwrap());
        let (body, rest) = bytes.split_at_checked(length)?;
        Some((body.to_vec(), rest))
    }

    /// Without what differs from one answer to the next.
    fn lasting(&self) -> Self {
        let lines = self.0.lines().filter(|line| !line.starts_with("Date: "));
        Self(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// What chunks hold, and what follows them; `None` when they have not come whole.
fn chunks(mut bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|part| part == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        let (chunk, rest) = bytes[end + 2..].split_at_checked(length)?;
        body.extend_from_slice(chunk);
        bytes = rest.strip_prefix(b"\r\n")?;
        if length == 0 {
            return Some((body, bytes));
        }
    }
}

/// What a client received as one answer, without what differs each time: its date, where chunks end,
/// and the number between parts of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let shown = String::from_utf8_lossy(&self.body[..self.body.len().min(100)]);
        write!(f, "{}\n{} bytes: {shown:?}", self.head.0, self.body.len())
    }
}

impl Answer {
    pub fn new(head: Head, body: Vec<u8>) -> Self {
        let Some((_, boundary)) = head.0.split_once("boundary=") else { return Self { head, body } };
        let digits = boundary.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(boundary.len());
        let boundary = &boundary[..digits];
        let body = String::from_utf8_lossy(&body).replace(boundary, "boundary");
        Self { head: Head(head.0.replace(boundary, "boundary")), body: body.into_bytes() }
    }

    /// All answers that were received over one connection; what breaks off is one too.
    pub fn all(mut received: &[u8], to_head: bool) -> Vec<Self> {
        let mut answers = Vec::new();
        while let Some((head, after)) = Head::of(received) {
            let none = to_head || matches!(head.word(), "100" | "204" | "304");
            let body = if none { Some((Vec::new(), after)) } else { head.body(after) };
            let (body, rest) = body.unwrap_or_else(|| (after.to_vec(), &[]));
            answers.push(Self::new(head.lasting(), body));
            received = rest;
        }
        if !received.is_empty() {
            answers.push(Self { head: Head(String::new()), body: received.to_vec() });
        }
        answers
    }
}
