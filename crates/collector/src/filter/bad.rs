//! What is wrong with a filter, and where.

use super::{MAX_DEPTH, MAX_TERMS, MAX_TEXT, MAX_VALUES};

/// A text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadFilter {
    /// Where, in bytes from the beginning of the text.
    pub offset: usize,
    /// How many bytes are wrong; 0 where something is missing.
    pub length: usize,
    /// What is wrong, and what would be right.
    pub reason: Reason,
}

/// What is wrong with a filter, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Too many bytes.
    #[error("it has {0} bytes; a filter may have {MAX_TEXT}")]
    TooLong(usize),
    /// Too many terms.
    #[error("it has more than {MAX_TERMS} terms; several values of one field go into one `field IN (\"a\",\"b\")`")]
    TooManyTerms,
    /// Too deep.
    #[error("parentheses, NOTs and calls are more than {MAX_DEPTH} deep here")]
    TooDeep,
    /// Too many values in an IN.
    #[error("more than {MAX_VALUES} values are in these parentheses")]
    TooManyValues,
    /// The text ends, or goes on, without a term.
    #[error("a term such as `status>=500`, or a word to search for, is missing here")]
    NoTerm,
    /// Two terms side by side.
    #[error("`AND` or `OR` is missing here; a text with blanks or signs is written in double quotes")]
    NoOperator,
    /// AND beside OR.
    #[error("AND and OR are mixed here; parentheses say what is meant: `{0}` or `{1}`")]
    Mixed(String, String),
    /// A parenthesis without its other half.
    #[error("this `(` is never closed")]
    Unclosed,
    /// The other half without the parenthesis.
    #[error("there is no `(` to this `)`")]
    Unopened,
    /// A quote without its other half.
    #[error("this quote is never closed")]
    OpenQuote,
    /// A backslash with nothing behind it.
    #[error("a character is missing behind this `\\`; a backslash itself is written `\\\\`")]
    OpenEscape,
    /// An operator without a field before it.
    #[error("a field is missing before this; a text with such signs is searched for in double quotes")]
    NoField,
    /// A word that is no field.
    #[error("there is no field `{name}`{}; /api/v1/fields lists them", nearest_text(.nearest))]
    UnknownField {
        /// The word.
        name: String,
        /// Fields of like names.
        nearest: Vec<&'static str>,
    },
    /// An operator that the field does not take.
    #[error("`{field}` does not take this; it takes {operators}")]
    WrongOperator {
        /// The field.
        field: String,
        /// What it takes.
        operators: &'static str,
    },
    /// Nothing where a value should be.
    #[error("a value is missing here")]
    NoValue,
    /// `==`
    #[error("one `=` is enough")]
    DoubleEquals,
    /// An IN without its list.
    #[error("IN takes values in parentheses: `IN (\"a\",\"b\")`")]
    NoList,
    /// A value of the wrong kind.
    #[error("`{shown}` is no {wanted}")]
    WrongValue {
        /// The value, perhaps cut.
        shown: String,
        /// What would be right, with an example.
        wanted: &'static str,
    },
    /// A count without its number.
    #[error("`count(...)` is compared with a number, such as `count(status=404)>20`")]
    NoCount,
    /// Session facts where only requests are.
    #[error("this speaks of a session, and any, none and count look at single requests; write it outside of them")]
    SessionInside,
}

fn nearest_text(nearest: &[&str]) -> String {
    match nearest {
        [] => String::new(),
        names => format!("; near it are {}", names.join(", ")),
    }
}
