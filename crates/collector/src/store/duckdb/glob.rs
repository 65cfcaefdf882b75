//! `globs(text, pattern)`: the same comparison as outside of the engine. The engine's own `LIKE` takes
//! exponential time for patterns of many stars, in which nothing interrupts it.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use duckdb::Connection;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

use crate::filter::{Atom, Pattern};

/// Makes `globs` known to an engine.
pub(super) fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<Globs>("globs")
}

/// A pattern as `globs` takes it.
pub(super) fn written(pattern: &Pattern) -> String {
    let mut text = String::new();
    for atom in pattern.atoms() {
        match atom {
            Atom::Many => text.push('*'),
            Atom::One => text.push('?'),
            Atom::Char(c) => {
                if matches!(c, '*' | '?' | '\\') {
                    text.push('\\');
                }
                text.push(*c);
            }
        }
    }
    text
}

fn read(text: &str) -> Pattern {
    let mut chars = text.chars();
    std::iter::from_fn(|| {
        Some(match chars.next()? {
            '*' => Atom::Many,
            '?' => Atom::One,
            '\\' => Atom::Char(chars.next().unwrap_or('\\')),
            c => Atom::Char(c),
        })
    })
    .collect()
}

struct Globs;

impl VArrowScalar for Globs {
    type State = ();

    fn invoke(_: &(), input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn Error>> {
        let [texts, patterns] = input.columns() else { return Err("globs takes two texts".into()) };
        let (Some(texts), Some(patterns)) = (texts.as_string_opt::<i32>(), patterns.as_string_opt::<i32>()) else {
            return Err("globs takes two texts".into());
        };
        // All rows of a query ask for one pattern.
        let mut last: Option<(&str, Pattern)> = None;
        let matches = texts.iter().zip(patterns.iter()).map(|(text, written)| {
            let (text, written) = (text?, written?);
            if last.as_ref().is_none_or(|(before, _)| *before != written) {
                last = Some((written, read(written)));
            }
            last.as_ref().map(|(_, pattern)| pattern.matches(text))
        });
        Ok(Arc::new(matches.collect::<BooleanArray>()))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        vec![ArrowFunctionSignature::exact(vec![DataType::Utf8, DataType::Utf8], DataType::Boolean)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pattern_is_read_as_it_was_written(text in r"[ab*?\\\PC]{0,20}", globs in "[a*?]{0,10}") {
            let globs = globs.chars().map(|c| match c { '*' => Atom::Many, '?' => Atom::One, c => Atom::Char(c) });
            let pattern: Pattern = text.chars().map(Atom::Char).chain(globs).collect();
            prop_assert_eq!(read(&written(&pattern)), pattern);
        }
    }

    #[test]
    fn a_pattern_of_many_stars_ends_on_a_text_made_against_it() {
        let pattern = read(&("*a".repeat(200) + "*b"));
        assert!(!pattern.matches(&"a".repeat(10_000)));
    }
}
