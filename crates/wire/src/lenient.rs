//! Reading what other senders write: text that is not UTF-8, bytes as hex, arrays that grew.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Text, from a str or from bytes; what is not UTF-8 in it becomes `\xHH`.
pub(crate) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text(escape(bytes)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(escape(bytes).into_owned())))
    }
}

/// Text of bytes: as they are where they are UTF-8, `\xHH` for each byte where not.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// Exactly `N` bytes, or twice as many hex digits.
pub(crate) struct ByteId<const N: usize>(pub [u8; N]);

impl<const N: usize> ByteId<N> {
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        unhex(text)?.try_into().ok().map(Self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for ByteId<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ByteIdVisitor)
    }
}

struct ByteIdVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for ByteIdVisitor<N> {
    type Value = ByteId<N>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{N} bytes or {} hex digits", 2 * N)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        bytes.try_into().map(ByteId).map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        ByteId::from_hex(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Bytes, or twice as many hex digits.
struct Bytes<'a>(Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("bytes or hex digits")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Bytes(Cow::Borrowed(bytes)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        unhex(text)
            .map(|bytes| Bytes(Cow::Owned(bytes)))
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

/// A map whose errors name the key.
pub(crate) struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> Fields<A> {
    pub(crate) fn new(map: A) -> Self {
        Self(map)
    }

    pub(crate) fn next_name(&mut self) -> Result<Option<Cow<'de, str>>, A::Error> {
        Ok(self.0.next_key::<Text>()?.map(|name| name.0))
    }

    pub(crate) fn value<T: Deserialize<'de>>(&mut self, name: &str) -> Result<T, A::Error> {
        self.0.next_value().map_err(|e| Error::custom(format_args!("`{name}`: {e}")))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Cow<'de, str>, A::Error> {
        Ok(self.value::<Text>(name)?.0)
    }

    pub(crate) fn bytes(&mut self, name: &str) -> Result<Option<Cow<'de, [u8]>>, A::Error> {
        Ok(self.value::<Option<Bytes>>(name)?.map(|bytes| bytes.0))
    }

    pub(crate) fn skip(&mut self) -> Result<(), A::Error> {
        self.0.next_value::<IgnoredAny>().map(drop)
    }
}

/// An array that may be longer than known.
pub(crate) struct Elements<A> {
    seq: A,
    read: usize,
    what: &'static str,
}

impl<'de, A: SeqAccess<'de>> Elements<A> {
    pub(crate) fn new(seq: A, what: &'static str) -> Self {
        Self { seq, read: 0, what }
    }

    pub(crate) fn next<T: Deserialize<'de>>(&mut self) -> Result<T, A::Error> {
        let next = self.seq.next_element()?;
        self.read += 1;
        next.ok_or_else(|| Error::invalid_length(self.read - 1, &self.what))
    }

    pub(crate) fn text(&mut self) -> Result<Cow<'de, str>, A::Error> {
        Ok(self.next::<Text>()?.0)
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<Cow<'de, str>>, A::Error> {
        Ok(self.seq.next_element::<Option<Text>>()?.flatten().map(|text| text.0))
    }

    pub(crate) fn skip_rest(mut self) -> Result<(), A::Error> {
        while self.seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}
