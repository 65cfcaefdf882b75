//! JSON, read once for all wanted places: only what lies on the way to one of them is looked at,
//! everything else is skipped without recursion, and reading ends with the last wanted value.
//!
//! Strings come unescaped, everything else as it is written; `null` and what is not there are
//! absent. Of repeated members the first counts. A document is read up to its damage or its cut:
//! values before it count, but not a number that touches the end, nor a list (`*`) left open.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::input::{Found, Input};
use super::undecoded::Reason;
use crate::snapshot::MAX_VALUE;

/// A set of paths by their number: sources are far fewer than 64.
type Paths = u64;

/// Reads the values at `paths`: names of members and numbers of elements from the top; `*` takes all
/// elements.
pub(crate) fn read<'d>(input: Input<'d>, paths: &[&[String]]) -> Found<'d> {
    // Some write a byte order mark, and readers may ignore it (RFC 8259, section 8.1).
    let document = input.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input.bytes);
    let mut walk = Walk {
        document,
        paths,
        values: vec![Vec::new(); paths.len()],
        open: (0..paths.len()).fold(0, |all, i| all | bit(i)),
        broken: false,
        ended: false,
    };
    let mut reader = serde_json::Deserializer::from_slice(document);
    let all = walk.open;
    let read = At { walk: &mut walk, active: all, depth: 0, listed: 0 }.deserialize(&mut reader);
    let mut failure = walk.broken.then_some(Reason::Malformed);
    if let Err(error) = read
        && walk.open != 0
    {
        failure = Some(if error.is_eof() || walk.ended { input.end() } else { Reason::Malformed });
    }
    // A list that was left open is not whole.
    let incomplete = if failure.is_some() { walk.open } else { 0 };
    let mut found = Found::none_of(paths.len());
    for (i, mut values) in walk.values.into_iter().enumerate().filter(|(i, _)| incomplete & bit(*i) == 0) {
        let value = match values.len() {
            0 | 1 => values.pop(),
            _ if values.iter().map(|value| value.len() + 1).sum::<usize>() > MAX_VALUE => {
                failure = Some(Reason::TooLarge);
                None
            }
            _ => Some(Cow::Owned(values.join(&b','))),
        };
        if let Some(value) = value {
            found.put(i, value);
        }
    }
    found.failure = failure;
    found
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

struct Walk<'w, 'd> {
    document: &'d [u8],
    paths: &'w [&'w [String]],
    values: Vec<Vec<Cow<'d, [u8]>>>,
    /// Paths whose value has not been met yet.
    open: Paths,
    /// A wanted string could not be unescaped.
    broken: bool,
    /// A wanted number goes up to the end.
    ended: bool,
}

impl<'d> Walk<'_, 'd> {
    fn segment(&self, path: usize, depth: usize) -> Option<&str> {
        self.paths.get(path)?.get(depth).map(String::as_str)
    }

    /// Those of `active` whose next segment is `wanted`.
    fn matching(&self, active: Paths, depth: usize, wanted: impl Fn(&str) -> bool) -> Paths {
        let matches = |&i: &usize| self.segment(i, depth).is_some_and(&wanted);
        each(active & self.open).filter(matches).fold(0, |all, i| all | bit(i))
    }

    /// Those of `active` that end at this depth.
    fn ending(&self, active: Paths, depth: usize) -> Paths {
        let ends = |&i: &usize| self.paths.get(i).is_some_and(|path| path.len() == depth);
        each(active).filter(ends).fold(0, |all, i| all | bit(i))
    }

    /// Takes a value for the paths that end at it.
    fn take(&mut self, raw: &'d RawValue, paths: Paths, listed: Paths) {
        let value = text_of(raw.get());
        self.broken |= value.is_err();
        for i in each(paths) {
            if let (Some(values), Ok(Some(value))) = (self.values.get_mut(i), &value) {
                values.push(value.clone());
            }
        }
        self.open &= !(paths & !listed);
    }

    /// A list has ended: what was found in it is all.
    fn close(&mut self, lists: Paths) {
        let found = |&i: &usize| self.values.get(i).is_some_and(|values| !values.is_empty());
        let done = each(lists).filter(found).fold(0, |all, i| all | bit(i));
        self.open &= !done;
    }

    /// An error when everything was found, so that reading ends.
    fn go_on<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.open == 0 { Err(E::custom("found")) } else { Ok(()) }
    }

    /// Whether a number touches the end of the document, where no value of a member can end.
    fn may_be_cut(&self, raw: &RawValue) -> bool {
        raw.get().as_bytes().as_ptr_range().end == self.document.as_ptr_range().end
            && raw.get().ends_with(|c: char| c.is_ascii_digit())
    }
}

/// A JSON value as the bytes it stands for; `null` stands for none.
fn text_of(raw: &str) -> Result<Option<Cow<'_, [u8]>>, serde_json::Error> {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Ok(Some(Cow::Borrowed(plain.as_bytes()))),
        Some(_) => serde_json::from_str::<String>(raw).map(|text| Some(Cow::Owned(text.into_bytes()))),
        None if raw == "null" => Ok(None),
        None => Ok(Some(Cow::Borrowed(raw.as_bytes()))),
    }
}

/// One value of the document, and the paths that lead to it or through it.
struct At<'a, 'w, 'd> {
    walk: &'a mut Walk<'w, 'd>,
    active: Paths,
    depth: usize,
    /// Paths below a `*`: more values may follow.
    listed: Paths,
}

impl<'d> DeserializeSeed<'d> for At<'_, '_, 'd> {
    type Value = ();

    fn deserialize<D: Deserializer<'d>>(self, d: D) -> Result<(), D::Error> {
        let here = self.walk.ending(self.active, self.depth);
        let deeper = self.active & !here;
        if here == 0 {
            return d.deserialize_any(self);
        }
        let raw = <&'d RawValue as serde::Deserialize>::deserialize(d)?;
        if self.walk.may_be_cut(raw) {
            self.walk.ended = true;
            return Err(serde::de::Error::custom("a number without end"));
        }
        self.walk.take(raw, here, self.listed);
        if deeper != 0 {
            // One source takes an object, another something in it.
            let mut reader = serde_json::Deserializer::from_slice(raw.get().as_bytes());
            let within = At { walk: &mut *self.walk, active: deeper, depth: self.depth, listed: self.listed };
            // What is wrong in it was already wrong for the whole.
            let _ = within.deserialize(&mut reader);
        }
        self.walk.go_on()
    }
}

impl<'d> Visitor<'d> for At<'_, '_, 'd> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'d>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, active, depth, listed } = self;
        while let Some(wanted) = map.next_key_seed(Member { walk, active, depth })? {
            match wanted {
                0 => drop(map.next_value::<IgnoredAny>()?),
                active => map.next_value_seed(At { walk: &mut *walk, active, depth: depth + 1, listed })?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { walk, active, depth, listed } = self;
        let stars = walk.matching(active, depth, |segment| segment == "*");
        for index in 0_usize.. {
            let at_index = walk.matching(active, depth, |segment| segment.parse() == Ok(index));
            let more = match stars | at_index {
                0 => seq.next_element::<IgnoredAny>()?.is_some(),
                active => {
                    let element = At { walk: &mut *walk, active, depth: depth + 1, listed: listed | stars };
                    seq.next_element_seed(element)?.is_some()
                }
            };
            if !more {
                break;
            }
        }
        walk.close(stars & !listed);
        walk.go_on()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads a member's name and tells which paths go on in the member.
struct Member<'a, 'w, 'd> {
    walk: &'a Walk<'w, 'd>,
    active: Paths,
    depth: usize,
}

impl<'d> DeserializeSeed<'d> for Member<'_, '_, '_> {
    type Value = Paths;

    fn deserialize<D: Deserializer<'d>>(self, d: D) -> Result<Paths, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Member<'_, '_, '_> {
    type Value = Paths;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Paths, E> {
        Ok(self.walk.matching(self.active, self.depth, |segment| segment == name))
    }
}
