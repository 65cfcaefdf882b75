//! Segments of a source: what stands between its dots.

use super::SourceError;
use super::decoders::is_decoder;

/// A segment and whether it was quoted (a quoted one never names a decoder).
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Segments as they are taken, one by one.
pub(super) struct Segments<'a> {
    pub(super) all: &'a [Segment],
    pub(super) at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn next(&mut self) -> Option<&'a Segment> {
        let segment = self.all.get(self.at)?;
        self.at += 1;
        Some(segment)
    }

    pub(super) fn next_text(&mut self) -> Option<&'a str> {
        self.next().map(|segment| segment.text.as_str())
    }

    /// The segment that follows, when `wanted` takes it.
    pub(super) fn next_if(&mut self, wanted: impl Fn(&Segment) -> bool) -> Option<&'a Segment> {
        let segment = self.all.get(self.at).filter(|segment| wanted(segment))?;
        self.at += 1;
        Some(segment)
    }

    /// Whether the segment `ahead` of the next one is this word, unquoted.
    pub(super) fn sees(&self, ahead: usize, words: &[&str]) -> bool {
        self.all.get(self.at + ahead).is_some_and(|segment| !segment.quoted && words.contains(&segment.text.as_str()))
    }

    /// The segments up to the next decoder's name.
    pub(super) fn path(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(segment) = self.next_if(|segment| segment.quoted || !is_decoder(&segment.text)) {
            path.push(segment.text.clone());
        }
        path
    }
}

/// Splits at dots outside double quotes.
pub(super) fn segments(text: &str) -> Result<Vec<Segment>, SourceError> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let (segment, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let (inner, after) = quoted
                .split_once('"')
                .ok_or_else(|| SourceError::Syntax(format!("has a quote without end at \"{rest}\"")))?;
            (Segment { text: inner.to_owned(), quoted: true }, after)
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let (plain, after) = rest.split_at(end);
            (Segment { text: plain.to_owned(), quoted: false }, after)
        };
        if segment.text.is_empty() {
            return Err(SourceError::Syntax("has an empty segment".into()));
        }
        if !segment.quoted && segment.text.contains('"') {
            return Err(SourceError::Syntax(format!("has a quote inside the segment \"{}\"", segment.text)));
        }
        segments.push(segment);
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => return Ok(segments),
            None => return Err(SourceError::Syntax(format!("has \"{after}\" behind a quoted segment"))),
        };
    }
}
