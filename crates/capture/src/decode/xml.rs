//! XML: text of elements and values of attributes, by path from the root.
//!
//! Nothing is expanded and nothing is fetched: a document type is skipped, and a value that holds an
//! entity other than the five of XML itself and numbers of characters is absent. The reader is a
//! pull parser, so nesting costs no stack.
//!
//! A segment with a colon is a name with its prefix, one without is the name behind any prefix. The
//! value of an element is its text with that of the elements in it, without blanks around it.

use std::borrow::Cow;

use quick_xml::encoding::EncodingError;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};

use super::input::{Found, Input};
use super::undecoded::Reason;
use crate::snapshot::MAX_VALUE;

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 1024;

/// An element from the root, or an attribute of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlPath {
    /// Names of elements, the root's first.
    pub elements: Vec<String>,
    /// Name of an attribute of the last one.
    pub attribute: Option<String>,
}

/// A set of paths by their number: sources are far fewer than 64.
type Paths = u64;

/// Reads the values at `paths`.
pub(crate) fn read<'d>(input: Input<'d>, paths: &[&XmlPath]) -> Found<'d> {
    let mut walk = Walk { paths, found: Found::none_of(paths.len()), texts: Vec::new(), elements: Vec::new() };
    let mut reader = Reader::from_reader(input.bytes);
    loop {
        let step = match reader.read_event() {
            Ok(Event::Eof) => Err(input.end()),
            Ok(event) => walk.event(event),
            Err(error) if input.cut && is_cut(&error) => Err(Reason::Cut),
            Err(_) => Err(Reason::Malformed),
        };
        match step {
            Ok(Step::On) if walk.found.is_complete() => break,
            Ok(Step::On) => {}
            Ok(Step::Ended) => break,
            Err(reason) => {
                walk.found.failure = Some(reason);
                break;
            }
        }
    }
    walk.found
}

/// Whether an error comes of an end in the middle.
fn is_cut(error: &Error) -> bool {
    match error {
        Error::Syntax(_) => true,
        Error::Encoding(EncodingError::Utf8(error)) => error.error_len().is_none(),
        _ => false,
    }
}

enum Step {
    On,
    /// The root is closed.
    Ended,
}

struct Walk<'w, 'd> {
    paths: &'w [&'w XmlPath],
    found: Found<'d>,
    /// Elements whose text is wanted and that are open.
    texts: Vec<Text>,
    /// Of each open element the paths that lead to it or through it.
    elements: Vec<Paths>,
}

/// Text of an open element.
struct Text {
    path: usize,
    depth: usize,
    /// `None` once it held what is not expanded.
    text: Option<String>,
}

impl Walk<'_, '_> {
    fn event(&mut self, event: Event) -> Result<Step, Reason> {
        match event {
            Event::Start(element) => self.start(&element).map(|()| Step::On),
            Event::Empty(element) => {
                self.start(&element)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(entity) => match character(&entity) {
                Some(c) => self.text(c.encode_utf8(&mut [0; 4])),
                None => {
                    self.texts.iter_mut().for_each(|text| text.text = None);
                    Ok(Step::On)
                }
            },
            _ => Ok(Step::On),
        }
    }

    fn start(&mut self, element: &BytesStart) -> Result<(), Reason> {
        let depth = self.elements.len();
        if depth == MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
        let above = self.elements.last().copied().unwrap_or(Paths::MAX);
        let mut here = 0;
        if above != 0 {
            let (name, local) = (element.name(), element.local_name());
            let (name, local) = (name.as_ref(), local.as_ref());
            for (i, path) in self.paths.iter().enumerate() {
                let bit = 1_u64.checked_shl(i as u32).unwrap_or(0);
                let matches = |segment: &String| segment == local || segment == name;
                if above & bit != 0 && path.elements.get(depth).is_some_and(matches) {
                    here |= bit;
                    if path.elements.len() == depth + 1 {
                        take(path, i, depth, element, &mut self.found, &mut self.texts)?;
                    }
                }
            }
        }
        self.elements.push(here);
        Ok(())
    }

    fn end(&mut self) -> Result<Step, Reason> {
        self.elements.pop();
        let depth = self.elements.len();
        while let Some(done) = self.texts.pop_if(|text| text.depth == depth) {
            match done.text {
                Some(text) => {
                    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
                    self.found.put(done.path, Cow::Owned(trimmed.as_bytes().to_vec()));
                }
                None => return Err(Reason::Malformed),
            }
        }
        Ok(if depth == 0 { Step::Ended } else { Step::On })
    }

    fn text(&mut self, more: &str) -> Result<Step, Reason> {
        if self.elements.is_empty() && !more.trim_start_matches('\u{feff}').trim_ascii().is_empty() {
            return Err(Reason::Malformed);
        }
        // Longer ones will be refused: how long they are does not matter.
        let texts = self.texts.iter_mut().filter_map(|text| text.text.as_mut());
        texts.filter(|text| text.len() <= MAX_VALUE).for_each(|text| text.push_str(more));
        Ok(Step::On)
    }
}

/// Takes the attribute that a path names, or begins to collect the element's text.
fn take(
    path: &XmlPath,
    place: usize,
    depth: usize,
    element: &BytesStart,
    found: &mut Found,
    texts: &mut Vec<Text>,
) -> Result<(), Reason> {
    if found.values.get(place).is_some_and(Option::is_some) {
        return Ok(());
    }
    let Some(wanted) = &path.attribute else {
        texts.push(Text { path: place, depth, text: Some(String::new()) });
        return Ok(());
    };
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|_| Reason::Malformed)?;
        if attribute.key.as_ref() == wanted || attribute.key.local_name().as_ref() == wanted {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Reason::Malformed)?;
            found.put(place, Cow::Owned(value.into_owned().into_bytes()));
            break;
        }
    }
    Ok(())
}

/// What an entity stands for, when it is one that every document knows.
fn character(entity: &BytesRef) -> Option<char> {
    if entity.is_char_ref() {
        return entity.resolve_char_ref().ok().flatten();
    }
    quick_xml::escape::resolve_predefined_entity(entity)?.chars().next()
}
