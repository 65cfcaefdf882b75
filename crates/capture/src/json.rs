//! Reading JSON lazily: only the wanted path is looked at. What stands beside it is passed over
//! without a look inside, nothing is built, and nothing recurses but along the path.
//!
//! So damage beside the path is not seen, and damage behind the value does not matter.

use std::borrow::Cow;

/// The text ends, or is no JSON, before the wanted value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// Calls `found` with the value at `path` as it is written; with all of them after a `*`. A number
/// takes the element of an array. Of repeated members the first one that has the path counts.
pub(crate) fn find<'a>(document: &'a [u8], path: &[String], mut found: impl FnMut(&'a [u8])) -> Result<(), Broken> {
    Reader { text: document, at: 0, inside: false }.walk(path, false, &mut found).map(drop)
}

/// Calls `member` with name and value of each member of an object, as they are written.
pub(crate) fn each_member<'a>(document: &'a [u8], mut member: impl FnMut(Name<'a>, &'a [u8])) -> Result<(), Broken> {
    let mut reader = Reader { text: document, at: 0, inside: false };
    if reader.peek()? != b'{' {
        return Err(Broken);
    }
    reader.object(|reader, name| {
        member(name, reader.skip()?);
        Ok(false)
    })?;
    Ok(())
}

/// What a value stands for: strings unescaped, everything else as it is written. `null` stands for
/// nothing.
pub(crate) fn text_of(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    match raw {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Some(Cow::Borrowed(text)),
        [b'"', ..] => serde_json::from_slice::<String>(raw).ok().map(|text| Cow::Owned(text.into_bytes())),
        b"" | b"null" => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// The name of a member, in its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a>(&'a [u8]);

impl Name<'_> {
    pub(crate) fn is(self, name: &str) -> bool {
        text_of(self.0).is_some_and(|text| *text == *name.as_bytes())
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// In an object or array: a number that ends with the text was cut.
    inside: bool,
}

impl<'a> Reader<'a> {
    /// Follows `path` from the value that comes. True when there is nothing more to find.
    fn walk(&mut self, path: &[String], many: bool, found: &mut impl FnMut(&'a [u8])) -> Result<bool, Broken> {
        let Some((first, rest)) = path.split_first() else {
            found(self.skip()?);
            return Ok(!many);
        };
        match self.peek()? {
            b'{' => self.object(|reader, name| {
                if name.is(first) {
                    return reader.walk(rest, many, found);
                }
                reader.skip()?;
                Ok(false)
            }),
            b'[' => {
                let all = first == "*";
                let wanted = first.parse::<usize>().ok();
                self.array(|reader, index| {
                    if all || wanted == Some(index) {
                        return reader.walk(rest, many || all, found);
                    }
                    reader.skip()?;
                    Ok(false)
                })
            }
            _ => {
                self.skip()?;
                Ok(false)
            }
        }
    }

    /// Visits the members of the object that begins here, until `visit` says that it has enough.
    fn object(&mut self, mut visit: impl FnMut(&mut Self, Name<'a>) -> Result<bool, Broken>) -> Result<bool, Broken> {
        self.begin();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(false);
        }
        loop {
            if self.peek()? != b'"' {
                return Err(Broken);
            }
            let name = Name(self.string()?);
            if self.next()? != b':' {
                return Err(Broken);
            }
            if visit(self, name)? {
                return Ok(true);
            }
            match self.next()? {
                b',' => {}
                b'}' => return Ok(false),
                _ => return Err(Broken),
            }
        }
    }

    /// Visits the elements of the array that begins here, until `visit` says that it has enough.
    fn array(&mut self, mut visit: impl FnMut(&mut Self, usize) -> Result<bool, Broken>) -> Result<bool, Broken> {
        self.begin();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(false);
        }
        for index in 0.. {
            if visit(self, index)? {
                return Ok(true);
            }
            match self.next()? {
                b',' => {}
                b']' => return Ok(false),
                _ => return Err(Broken),
            }
        }
        Err(Broken)
    }

    fn begin(&mut self) {
        self.at += 1;
        self.inside = true;
    }

    /// Passes over the value that comes, and gives it as it is written.
    fn skip(&mut self) -> Result<&'a [u8], Broken> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' | b'[' => self.skip_nested()?,
            _ => self.skip_scalar()?,
        }
        self.text.get(start..self.at).ok_or(Broken)
    }

    /// Only brackets and quotes are looked at.
    fn skip_nested(&mut self) -> Result<(), Broken> {
        let mut depth = 0_usize;
        loop {
            let rest = self.text.get(self.at..).ok_or(Broken)?;
            let mark = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
            self.at += rest.iter().position(mark).ok_or(Broken)?;
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                _ => depth -= 1,
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn skip_scalar(&mut self) -> Result<(), Broken> {
        let rest = self.text.get(self.at..).ok_or(Broken)?;
        let end = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let length = match rest.iter().position(end) {
            Some(length) => length,
            None if self.inside => return Err(Broken),
            None => rest.len(),
        };
        let scalar = rest.get(..length).ok_or(Broken)?;
        let number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let is_number = matches!(scalar, [b'-' | b'0'..=b'9', ..]) && scalar.iter().all(number);
        if !is_number && !matches!(scalar, b"true" | b"false" | b"null") {
            return Err(Broken);
        }
        self.at += length;
        Ok(())
    }

    /// The string that begins here, with its quotes.
    fn string(&mut self) -> Result<&'a [u8], Broken> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            let rest = self.text.get(at..).ok_or(Broken)?;
            let stop = at + memchr::memchr2(b'"', b'\\', rest).ok_or(Broken)?;
            if self.text.get(stop) == Some(&b'"') {
                self.at = stop + 1;
                return self.text.get(start..self.at).ok_or(Broken);
            }
            // Whatever is escaped, a quote too.
            at = stop + 2;
        }
    }

    /// The next byte that is no space; it is not taken.
    fn peek(&mut self) -> Result<u8, Broken> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Broken),
            }
        }
    }

    /// The same, taken.
    fn next(&mut self) -> Result<u8, Broken> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(document: &str, path: &str) -> Result<Vec<String>, Broken> {
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        let mut values = Vec::new();
        find(document.as_bytes(), &path, |raw| values.push(String::from_utf8_lossy(raw).into_owned()))?;
        Ok(values)
    }

    #[test]
    fn values_are_given_as_they_are_written() {
        let document = r#" { "a" : [ {"b": "x\"y"} , 1.5e-3, [true, {"c":"]"}] ], "d":null } "#;
        for (path, value) in [
            ("a.0.b", r#""x\"y""#),
            ("a.1", "1.5e-3"),
            ("a.2", r#"[true, {"c":"]"}]"#),
            ("a.2.1.c", r#""]""#),
            ("d", "null"),
        ] {
            assert_eq!(all(document, path).unwrap(), [value], "{path}");
        }
        assert_eq!(all(document, "a.3").unwrap(), [""; 0]);
    }

    #[test]
    fn a_value_that_was_cut_is_broken() {
        for document in [r#"{"a":12"#, r#"{"a":"12"#, r#"{"a":[12]"#, r#"{"a""#, "", r#"{"a":tru}"#, r#"{"a" 1}"#] {
            let expected = if document.contains(']') { Ok(vec!["[12]".to_owned()]) } else { Err(Broken) };
            assert_eq!(all(document, "a"), expected, "{document}");
        }
    }

    #[test]
    fn names_may_be_escaped() {
        assert_eq!(all(r#"{"\u0061":1}"#, "a").unwrap(), ["1"]);
    }

    proptest::proptest! {
        /// What `serde_json` finds in any document, in whatever spacing.
        #[test]
        fn what_is_found_is_what_a_full_reader_finds(
            names in proptest::collection::vec("[a-c\"\\\\é]{0,3}", 1..5),
            value in "[ -~é\"\\\\\n]{0,12}",
            pretty: bool,
        ) {
            let mut tree = serde_json::json!({"z": [1, {"q": value}], "value": value});
            for name in &names {
                tree = serde_json::json!({"before": [tree.clone()], name: tree});
            }
            let text = if pretty { serde_json::to_string_pretty(&tree) } else { serde_json::to_string(&tree) };
            let mut path: Vec<String> = names.iter().rev().cloned().collect();
            path.push("value".into());
            let text = text.unwrap();
            let mut found = None;
            find(text.as_bytes(), &path, |raw| found = text_of(raw)).unwrap();
            proptest::prop_assert_eq!(found.as_deref(), Some(value.as_bytes()));
        }

        #[test]
        fn any_bytes_are_read_or_broken(bytes: Vec<u8>, path in proptest::collection::vec("[*a0]", 0..4)) {
            let _ = find(&bytes, &path, |raw| drop(text_of(raw)));
            let _ = each_member(&bytes, |_, _| {});
        }
    }
}
