//! `multipart/form-data` (RFC 7578): the value of a field, or the name of a file; never what is in a file.
//!
//! No crate: those that are kept are asynchronous and hand out file contents as streams. What is
//! read here is the grammar of RFC 2046, section 5.1.1, strictly: lines end with CR LF. The first
//! part of a name counts. A part that no delimiter ends is not whole and gives no value.

use std::borrow::Cow;

use memchr::memmem;

use super::input::{Found, Input};
use super::undecoded::Reason;

/// Most parts that are looked at.
pub(crate) const MAX_PARTS: usize = 1000;
/// Longest head of a part; longer ones end the reading.
const MAX_HEAD: usize = 8 << 10;
/// Longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &[u8]) -> Option<Cow<'_, [u8]>> {
    let at = memchr::memchr(b';', content_type)?;
    parameter(content_type.get(at..)?, b"boundary")
}

/// Reads the fields of these names. Without a boundary the first line is taken for a delimiter.
pub(crate) fn read<'d>(input: Input<'d>, boundary: Option<&[u8]>, names: &[&str]) -> Found<'d> {
    let mut found = Found::none_of(names.len());
    found.failure = parts(input, boundary, names, &mut found).err();
    found
}

/// Goes through the parts until everything is found or the last delimiter is met.
fn parts<'d>(input: Input<'d>, boundary: Option<&[u8]>, names: &[&str], found: &mut Found<'d>) -> Result<(), Reason> {
    let boundary = boundary.or_else(|| first_line(input.bytes)).ok_or(Reason::Malformed)?;
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
        return Err(Reason::Malformed);
    }
    let delimiter = [b"\r\n--", boundary].concat();
    let finder = memmem::Finder::new(&delimiter);
    let mut rest = match input.bytes.strip_prefix(delimiter.get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => after(input.bytes, finder.find(input.bytes), delimiter.len()).ok_or(input.end())?,
    };
    for _ in 0..MAX_PARTS {
        if rest.starts_with(b"--") {
            return Ok(());
        }
        let part = part_of(rest).ok_or(input.end())?;
        let end = finder.find(part).ok_or(input.end())?;
        take(part.get(..end).unwrap_or_default(), names, found)?;
        if found.is_complete() {
            return Ok(());
        }
        rest = after(part, Some(end), delimiter.len()).ok_or(input.end())?;
    }
    Err(Reason::TooLarge)
}

/// What follows the `--` of a first line.
fn first_line(body: &[u8]) -> Option<&[u8]> {
    let end = memmem::find(body.get(..MAX_BOUNDARY + 4).unwrap_or(body), b"\r\n")?;
    body.get(..end)?.strip_prefix(b"--")
}

fn after(text: &[u8], at: Option<usize>, len: usize) -> Option<&[u8]> {
    text.get(at?.checked_add(len)?..)
}

/// What follows the line of a delimiter, on which only blanks may stand. The line's end stays: an
/// empty head is two of them.
fn part_of(rest: &[u8]) -> Option<&[u8]> {
    let blanks = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let part = rest.get(blanks..)?;
    part.starts_with(b"\r\n").then_some(part)
}

/// Takes the value of a part, its head included, when it is a wanted one.
fn take<'d>(part: &'d [u8], names: &[&str], found: &mut Found<'d>) -> Result<(), Reason> {
    let Some(head_end) = memmem::find(part.get(..MAX_HEAD).unwrap_or(part), b"\r\n\r\n") else {
        return Err(if part.len() > MAX_HEAD { Reason::TooLarge } else { Reason::Malformed });
    };
    let head = part.get(..head_end).unwrap_or_default();
    let Some(disposition) = header(head, b"content-disposition") else { return Ok(()) };
    let Some(name) = parameter(disposition, b"name") else { return Ok(()) };
    let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name.as_ref()) else { return Ok(()) };
    let value = match parameter(disposition, b"filename") {
        Some(file) => file,
        None => Cow::Borrowed(part.get(head_end + 4..).unwrap_or_default()),
    };
    found.put(place, value);
    Ok(())
}

/// The value of a header in a part's head.
fn header<'d>(head: &'d [u8], name: &[u8]) -> Option<&'d [u8]> {
    let mut rest = head;
    while let Some(at) = memmem::find(rest, b"\r\n") {
        rest = rest.get(at + 2..)?;
        let (found, value) = rest.split_at(memchr::memchr2(b':', b'\r', rest)?);
        if found.eq_ignore_ascii_case(name) && value.starts_with(b":") {
            return value.get(1..memmem::find(value, b"\r\n").unwrap_or(value.len()));
        }
    }
    None
}

/// A parameter `; name=value` or `; name="value"`, as browsers write it: a quote within is `%22` or
/// `\"`, line ends are `%0D` and `%0A` (HTML, section 4.10.21.8).
fn parameter<'d>(text: &'d [u8], name: &[u8]) -> Option<Cow<'d, [u8]>> {
    let mut rest = text;
    loop {
        // A semicolon within quotes separates nothing: values are passed over as a whole.
        rest = rest.get(memchr::memchr(b';', rest)? + 1..)?;
        let end = memchr::memchr2(b'=', b';', rest)?;
        let (found, value) = rest.split_at(end);
        let Some(value) = value.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let wanted = found.trim_ascii().eq_ignore_ascii_case(name);
        let Some(quoted) = value.strip_prefix(b"\"") else {
            if wanted {
                let end = memchr::memchr(b';', value).unwrap_or(value.len());
                return value.get(..end).map(|value| Cow::Borrowed(value.trim_ascii_end()));
            }
            rest = value;
            continue;
        };
        let end = closing_quote(quoted)?;
        if wanted {
            return quoted.get(..end).map(unescaped);
        }
        rest = quoted.get(end + 1..)?;
    }
}

/// Where a quote ends that is not escaped.
fn closing_quote(quoted: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'"', quoted).find(|&at| !quoted.get(..at).is_some_and(|before| before.ends_with(b"\\")))
}

fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'\\', text).is_none() {
        return Cow::Borrowed(text);
    }
    const ESCAPES: [(&[u8], u8); 4] = [(b"%22", b'"'), (b"%0D", b'\r'), (b"%0A", b'\n'), (b"\\\"", b'"')];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let escape = ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape));
        let (byte, tail) = match escape {
            Some(&(escape, byte)) => (byte, rest.get(escape.len()..).unwrap_or_default()),
            None => (first, tail),
        };
        out.push(byte);
        rest = tail;
    }
    Cow::Owned(out)
}
