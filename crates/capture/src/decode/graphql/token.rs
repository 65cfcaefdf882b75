//! Tokens of a GraphQL document (GraphQL specification, section 2.1), as many as a budget allows.

use super::super::input::Input;
use super::super::undecoded::Reason;

/// Most tokens of a document. Documents that people write have hundreds; ten thousand aliases are an attack.
pub(super) const MAX_TOKENS: usize = 10_000;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    /// A punctuator of one character.
    Punctuator(u8),
    /// `...`
    Spread,
    /// Within quotes, which belong to it.
    String,
    /// Within three quotes, which belong to it.
    Block,
    Number,
}

/// A token and its place in the document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of a document, up to its damage, its cut or the budget.
pub(super) struct Tokens<'d> {
    pub(super) text: &'d [u8],
    pub(super) all: Vec<Token>,
    pub(super) failure: Option<Reason>,
}

impl<'d> Tokens<'d> {
    pub(super) fn of(input: Input<'d>) -> Self {
        let text = input.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input.bytes);
        let mut all = Vec::new();
        let mut at = 0;
        let mut failure = None;
        while let Some(start) = next_start(text, at) {
            let Some((kind, len)) = text.get(start..).and_then(token) else {
                failure = Some(Reason::Malformed);
                break;
            };
            if all.len() == MAX_TOKENS {
                failure = Some(Reason::TooLarge);
                break;
            }
            all.push(Token { kind, start, end: start + len });
            at = start + len;
        }
        if input.cut {
            // The last one may go on behind the cut.
            all.pop_if(|token| token.end == text.len());
            failure = failure.filter(|reason| *reason == Reason::TooLarge).or(Some(Reason::Cut));
        }
        Self { text, all, failure }
    }

    pub(super) fn get(&self, at: usize) -> Option<Token> {
        self.all.get(at).copied()
    }

    /// Whether a punctuator stands there.
    pub(super) fn is(&self, at: usize, punctuator: u8) -> bool {
        self.get(at).is_some_and(|token| token.kind == Kind::Punctuator(punctuator))
    }

    /// The name that stands there.
    pub(super) fn name(&self, at: usize) -> Option<&'d [u8]> {
        let token = self.get(at).filter(|token| token.kind == Kind::Name)?;
        self.text.get(token.start..token.end)
    }

    /// Text from one token to before another, as it is written.
    pub(super) fn written(&self, from: usize, to: usize) -> Option<&'d [u8]> {
        self.text.get(self.get(from)?.start..self.get(to.checked_sub(1)?)?.end)
    }

    /// Behind the bracket that closes the one at `open`.
    pub(super) fn behind(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (at, token) in self.all.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Punctuator(b'{' | b'(' | b'[') => depth += 1,
                Kind::Punctuator(b'}' | b')' | b']') => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Behind the value at `from`.
    pub(super) fn behind_value(&self, from: usize) -> Option<usize> {
        match self.get(from)?.kind {
            Kind::Punctuator(b'$') => self.name(from + 1).map(|_| from + 2),
            Kind::Punctuator(b'{' | b'[') => self.behind(from),
            Kind::Punctuator(_) | Kind::Spread => None,
            Kind::Name | Kind::String | Kind::Block | Kind::Number => Some(from + 1),
        }
    }
}

/// Where the next token starts, behind blanks, commas and comments.
fn next_start(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match text.get(at)? {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => at += 1,
            b'#' => at += memchr::memchr2(b'\n', b'\r', text.get(at..)?)?,
            _ => return Some(at),
        }
    }
}

/// The token that `text` begins with, and its length.
fn token(text: &[u8]) -> Option<(Kind, usize)> {
    let length = |wanted: fn(&u8) -> bool| text.iter().take_while(|b| wanted(b)).count();
    match text {
        [b'.', b'.', b'.', ..] => Some((Kind::Spread, 3)),
        [b'"', b'"', b'"', rest @ ..] => block_length(rest).map(|len| (Kind::Block, len + 6)),
        [b'"', rest @ ..] => string_length(rest).map(|len| (Kind::String, len + 2)),
        [b'_' | b'a'..=b'z' | b'A'..=b'Z', ..] => {
            Some((Kind::Name, length(|b| b.is_ascii_alphanumeric() || *b == b'_')))
        }
        [b'-' | b'0'..=b'9', ..] => {
            Some((Kind::Number, length(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'))))
        }
        [c @ (b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}'), ..] => {
            Some((Kind::Punctuator(*c), 1))
        }
        _ => None,
    }
}

/// Length of what stands before the closing quote; a string ends on its line.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr3(b'"', b'\\', b'\n', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// Length of what stands before three closing quotes; `\"""` does not close.
fn block_length(text: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(text, b"\"\"\"").find(|&at| !text.get(..at).is_some_and(|before| before.ends_with(b"\\")))
}

/// The bytes that a string stands for (section 2.9.4); `None` for an escape that is none.
pub(super) fn unquoted(kind: Kind, written: &[u8]) -> Option<Vec<u8>> {
    match kind {
        Kind::Block => written.get(3..written.len().checked_sub(3)?).map(block),
        _ => unescaped(written.get(1..written.len().checked_sub(1)?)?),
    }
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at)?);
        let (&escape, behind) = rest.get(at + 1..)?.split_first()?;
        rest = behind;
        match escape {
            b'"' | b'\\' | b'/' => out.push(escape),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (c, behind) = unicode(rest)?;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = behind;
            }
            _ => return None,
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// A character in one of the forms `XXXX`, a surrogate pair `XXXX\uXXXX`, `{X}`; and what follows it.
fn unicode(text: &[u8]) -> Option<(char, &[u8])> {
    if let Some(braced) = text.strip_prefix(b"{") {
        let end = memchr::memchr(b'}', braced)?;
        return Some((char::from_u32(hex(braced.get(..end)?)?)?, braced.get(end + 1..)?));
    }
    let (first, rest) = (hex(text.get(..4)?)?, text.get(4..)?);
    if let Some(c) = char::from_u32(first) {
        return Some((c, rest));
    }
    let second = hex(rest.strip_prefix(b"\\u")?.get(..4)?)?;
    let pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    let c = pair.then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).and_then(char::from_u32)?;
    Some((c, rest.get(6..)?))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let plain = digits.len() <= 8 && digits.iter().all(u8::is_ascii_hexdigit);
    u32::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| plain)?, 16).ok()
}

/// A block string without its common indentation and its blank first and last lines (section 2.9.4,
/// "BlockStringValue").
fn block(text: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = lines(text);
    let indent = |line: &[u8]| line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let blank = |line: &[u8]| indent(line) == line.len();
    let common = lines.iter().skip(1).filter(|line| !blank(line)).map(|line| indent(line)).min().unwrap_or(0);
    let first = lines.iter().position(|line| !blank(line)).unwrap_or(lines.len());
    let behind = lines.iter().rposition(|line| !blank(line)).map_or(first, |last| last + 1);
    let mut out = Vec::with_capacity(text.len());
    for (number, line) in lines.iter().enumerate().take(behind).skip(first) {
        if number > first {
            out.push(b'\n');
        }
        out.extend_from_slice(if number == 0 { line } else { line.get(common..).unwrap_or_default() });
    }
    let mut plain = Vec::with_capacity(out.len());
    let mut rest = out.as_slice();
    while let Some(at) = memchr::memmem::find(rest, b"\\\"\"\"") {
        plain.extend_from_slice(rest.get(..at).unwrap_or_default());
        plain.extend_from_slice(b"\"\"\"");
        rest = rest.get(at + 4..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// Lines that end with LF, CR or CR LF.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        let (line, behind) = rest.split_at(at);
        lines.push(line);
        rest = behind.strip_prefix(b"\r\n").or(behind.get(1..)).unwrap_or_default();
    }
    lines.push(rest);
    lines
}
