//! JSON, read once for all wanted places: only what lies on the way to one of them is looked at,
//! everything else is skipped without recursion, and reading ends with the last wanted value.
//!
//! Strings come unescaped, everything else as it is written; `null` and what is not there are
//! absent. Of repeated members the first counts. A document is read up to its damage or its cut:
//! values before it count, but not a number that touches the end, nor a list (`*`) left open.
//!
//! A reader of its own, as it costs less than serde_json, which still unescapes strings
//! (`examples/cost.rs`, under callgrind, tells what a body costs). What is skipped is not judged: only
//! brackets and quotes are followed there.

mod nested;

use std::borrow::Cow;

use wide::u8x16;

use super::Decoder;
use super::input::{Found, Input};
use super::undecoded::Reason;
use crate::snapshot::MAX_VALUE;

/// A set of paths by their number: sources are far fewer than 64.
type Paths = u64;

/// Says where a value is.
pub(crate) trait Path {
    /// Names of members and numbers of elements from the top; `*` takes all elements.
    fn segments(&self) -> &[String];
}

impl Path for &[String] {
    fn segments(&self) -> &[String] {
        self
    }
}

impl Path for Decoder {
    fn segments(&self) -> &[String] {
        match self {
            Self::Json(path) | Self::JwtHeader(path) | Self::JwtPayload(path) => path,
            _ => &[],
        }
    }
}

/// Reads the values at `paths`.
pub(crate) fn read<'d, P: Path>(input: Input<'d>, paths: &[P]) -> Found<'d> {
    // Some write a byte order mark, and readers may ignore it (RFC 8259, section 8.1).
    let text = input.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input.bytes);
    let all = (0..paths.len()).fold(0, |all, i| all | bit(i));
    let mut walk = Walk { paths, found: Found::none_of(paths.len()), open: all, long: 0, broken: false };
    let read = Reader { text, at: 0 }.value(&mut walk, Place { active: all, depth: 0, listed: 0 });
    let mut failure = match read {
        Err(Stop::End) => Some(input.end()),
        Err(Stop::Malformed) => Some(Reason::Malformed),
        Err(Stop::Found) | Ok(()) => walk.broken.then_some(Reason::Malformed),
    };
    // A list that was left open is not whole.
    let incomplete = if failure.is_some() { walk.open } else { 0 };
    each(incomplete).for_each(|i| walk.forget(i));
    if walk.long & !incomplete != 0 {
        failure = Some(Reason::TooLarge);
    }
    Found { failure, ..walk.found }
}

/// The first scalar of each named member of an object; none of a document that is broken anywhere.
pub(crate) fn scalars<'d, const N: usize>(document: &'d [u8], names: [&str; N]) -> [Option<Cow<'d, [u8]>>; N] {
    let mut values = [const { None }; N];
    let mut reader = Reader { text: document, at: 0 };
    let read = match reader.peek() {
        Ok(b'{') => reader.each_member(|reader, name| {
            let raw = reader.skip(1)?;
            let wanted = names.iter().zip(&mut values).find(|(wanted, _)| wanted.as_bytes() == name);
            if let Some((_, value @ None)) = wanted
                && !matches!(raw, [b'{' | b'[', ..])
            {
                *value = text_of(raw).map_err(|Broken| Stop::Malformed)?;
            }
            Ok(())
        }),
        _ => Err(Stop::Malformed),
    };
    if read.is_ok() { values } else { [const { None }; N] }
}

fn bit(path: usize) -> Paths {
    u32::try_from(path).ok().and_then(|i| 1_u64.checked_shl(i)).unwrap_or(0)
}

/// The numbers of the paths in a set.
fn each(mut paths: Paths) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = paths.trailing_zeros();
        paths &= paths.wrapping_sub(1);
        (next < Paths::BITS).then_some(next as usize)
    })
}

struct Walk<'w, 'd, P> {
    paths: &'w [P],
    /// What each path has found; below a `*` with commas between.
    found: Found<'d>,
    /// Paths whose value has not been met yet.
    open: Paths,
    /// Paths whose list is longer than a value may be.
    long: Paths,
    /// A wanted string could not be unescaped.
    broken: bool,
}

impl<'d, P: Path> Walk<'_, 'd, P> {
    fn segment(&self, path: usize, depth: usize) -> Option<&str> {
        self.paths.get(path)?.segments().get(depth).map(String::as_str)
    }

    fn forget(&mut self, path: usize) {
        if let Some(value) = self.found.values.get_mut(path) {
            *value = None;
        }
    }

    /// Those of `active` whose next segment is `wanted`.
    fn matching(&self, active: Paths, depth: usize, wanted: impl Fn(&str) -> bool) -> Paths {
        let matches = |&i: &usize| self.segment(i, depth).is_some_and(&wanted);
        each(active & self.open).filter(matches).fold(0, |all, i| all | bit(i))
    }

    /// Those of `active` that end at this depth.
    fn ending(&self, active: Paths, depth: usize) -> Paths {
        let ends = |&i: &usize| self.paths.get(i).is_some_and(|path| path.segments().len() == depth);
        each(active).filter(ends).fold(0, |all, i| all | bit(i))
    }

    /// Takes a value, as it is written, for the paths that end at it.
    fn take(&mut self, raw: &'d [u8], paths: Paths, listed: Paths) {
        let value = text_of(raw);
        self.broken |= value.is_err();
        let Ok(Some(value)) = value else {
            self.open &= !(paths & !listed);
            return;
        };
        for i in each(paths & !self.long) {
            let Some(place) = self.found.values.get_mut(i) else { continue };
            match place {
                None => *place = Some(value.clone()),
                Some(list) => {
                    let list = list.to_mut();
                    list.push(b',');
                    list.extend_from_slice(&value);
                }
            }
            if listed & bit(i) != 0 && place.as_ref().is_some_and(|list| list.len() >= MAX_VALUE) {
                self.long |= bit(i);
                *place = None;
            }
        }
        self.open &= !(paths & !listed);
    }

    /// A list has ended: what was found in it is all.
    fn close(&mut self, lists: Paths) {
        let found = |&i: &usize| self.found.values.get(i).is_some_and(Option::is_some);
        let done = each(lists).filter(found).fold(0, |all, i| all | bit(i));
        self.open &= !(done | lists & self.long);
    }

    /// An error when everything was found, so that reading ends.
    fn go_on(&self) -> Result<(), Stop> {
        if self.open == 0 { Err(Stop::Found) } else { Ok(()) }
    }
}

/// A wanted string that is none.
struct Broken;

/// A JSON value as the bytes it stands for; `null` stands for none.
fn text_of(raw: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Broken> {
    match raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(inner) => unescaped(raw, inner).map(Some),
        None if raw == b"null" => Ok(None),
        None => std::str::from_utf8(raw).map(|_| Some(Cow::Borrowed(raw))).map_err(|_| Broken),
    }
}

/// What a string stands for, given with its quotes and without.
fn unescaped<'d>(quoted: &'d [u8], inner: &'d [u8]) -> Result<Cow<'d, [u8]>, Broken> {
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).map(|_| Cow::Borrowed(inner)).map_err(|_| Broken);
    }
    serde_json::from_slice::<String>(quoted).map(|text| Cow::Owned(text.into_bytes())).map_err(|_| Broken)
}

/// Where the first quote or backslash is. Most strings are short: a call costs more than a look at them.
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    let (parts, rest) = text.as_chunks::<16>();
    for (number, &part) in parts.iter().enumerate() {
        let part = u8x16::new(part);
        let mask = |byte: u8| part.simd_eq(u8x16::splat(byte)).to_bitmask();
        let found = mask(b'"') | mask(b'\\');
        if found != 0 {
            return Some(number * 16 + found.trailing_zeros() as usize);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(text.len() - rest.len() + at)
}

/// Why reading ends early.
#[derive(Debug)]
enum Stop {
    /// Everything that is wanted was met.
    Found,
    /// The text ended within a value.
    End,
    Malformed,
}

/// Where in the document a value is, and the paths that lead to it or through it.
#[derive(Clone, Copy)]
struct Place {
    active: Paths,
    depth: usize,
    /// Paths below a `*`: more values may follow.
    listed: Paths,
}

/// Goes through the text of a document.
struct Reader<'d> {
    text: &'d [u8],
    at: usize,
}

impl<'d> Reader<'d> {
    /// Reads a value that some paths lead to. Recurses along the paths, which are short.
    fn value<P: Path>(&mut self, walk: &mut Walk<'_, 'd, P>, place: Place) -> Result<(), Stop> {
        let here = walk.ending(place.active, place.depth);
        let deeper = place.active & !here;
        if here != 0 {
            let raw = self.skip(place.depth)?;
            walk.take(raw, here, place.listed);
            if deeper != 0 {
                // One source takes an object, another something in it.
                Reader { text: raw, at: 0 }.value(walk, Place { active: deeper, ..place })?;
            }
            return walk.go_on();
        }
        match self.peek()? {
            b'{' => self.members(walk, place),
            b'[' => self.elements(walk, place),
            _ => self.skip(place.depth).map(drop),
        }
    }

    fn members<P: Path>(&mut self, walk: &mut Walk<'_, 'd, P>, place: Place) -> Result<(), Stop> {
        self.each_member(|reader, name| {
            let active = walk.matching(place.active, place.depth, |segment| segment.as_bytes() == name);
            reader.below(walk, Place { active, depth: place.depth + 1, ..place })
        })
    }

    /// Visits the members of the object that begins here; `visit` passes over the value.
    fn each_member(&mut self, mut visit: impl FnMut(&mut Self, &[u8]) -> Result<(), Stop>) -> Result<(), Stop> {
        self.at += 1;
        if self.takes(b'}')? {
            return Ok(());
        }
        loop {
            let (quoted, escapes) = match self.peek()? {
                b'"' => self.string()?,
                _ => return Err(Stop::Malformed),
            };
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            let name = match escapes {
                false => Cow::Borrowed(inner),
                true => unescaped(quoted, inner).map_err(|Broken| Stop::Malformed)?,
            };
            if !self.takes(b':')? {
                return Err(Stop::Malformed);
            }
            visit(self, &name)?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    fn elements<P: Path>(&mut self, walk: &mut Walk<'_, 'd, P>, place: Place) -> Result<(), Stop> {
        self.at += 1;
        let Place { active, depth, listed } = place;
        let stars = walk.matching(active, depth, |segment| segment == "*");
        let empty = self.takes(b']')?;
        let mut more = !empty;
        for index in 0_usize.. {
            if !more {
                break;
            }
            let at_index = walk.matching(active, depth, |segment| segment.parse() == Ok(index));
            self.below(walk, Place { active: stars | at_index, depth: depth + 1, listed: listed | stars })?;
            more = self.goes_on(b']')?;
        }
        walk.close(stars & !listed);
        walk.go_on()
    }

    /// A value within another, which perhaps nobody wants.
    fn below<P: Path>(&mut self, walk: &mut Walk<'_, 'd, P>, place: Place) -> Result<(), Stop> {
        if place.active == 0 { self.skip(place.depth).map(drop) } else { self.value(walk, place) }
    }

    /// Passes a value over and gives it as it is written.
    fn skip(&mut self, depth: usize) -> Result<&'d [u8], Stop> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string().map(|(quoted, _)| quoted),
            b'{' | b'[' => self.nested()?,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let rest = self.text.get(start..).unwrap_or_default();
                let len = rest
                    .iter()
                    .position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' | b':' | b'"'));
                // Within another value something has to follow.
                if len.is_none() && depth > 0 {
                    return Err(Stop::End);
                }
                self.at += len.unwrap_or(rest.len());
            }
            _ => return Err(Stop::Malformed),
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let word = !matches!(first, b't' | b'f' | b'n') || matches!(raw, b"true" | b"false" | b"null");
        let number = !matches!(first, b'-' | b'0'..=b'9')
            || raw.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        if word && number { Ok(raw) } else { Err(Stop::Malformed) }
    }

    /// Passes an object or a list over.
    fn nested(&mut self) -> Result<(), Stop> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += nested::length(rest).ok_or(Stop::End)?;
        Ok(())
    }

    /// Passes a string over and gives it with its quotes, and whether something in it is escaped.
    fn string(&mut self) -> Result<(&'d [u8], bool), Stop> {
        let start = self.at;
        let mut at = start + 1;
        let mut escapes = false;
        loop {
            let rest = self.text.get(at..).ok_or(Stop::End)?;
            at += quote_or_backslash(rest).ok_or(Stop::End)? + 1;
            if self.text.get(at - 1) == Some(&b'"') {
                self.at = at;
                return Ok((self.text.get(start..at).unwrap_or_default(), escapes));
            }
            // What is escaped ends nothing.
            escapes = true;
            at += 1;
        }
    }

    /// The next byte that is no blank.
    fn peek(&mut self) -> Result<u8, Stop> {
        loop {
            match *self.text.get(self.at).ok_or(Stop::End)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Ok(byte),
            }
        }
    }

    /// Passes a byte over when it is next.
    fn takes(&mut self, byte: u8) -> Result<bool, Stop> {
        let is_next = self.peek()? == byte;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    /// Behind a member or an element: whether another follows, or the end.
    fn goes_on(&mut self, close: u8) -> Result<bool, Stop> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(Stop::Malformed),
        }
    }
}
