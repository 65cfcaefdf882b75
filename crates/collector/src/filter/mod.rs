//! The filter: a text such as `status>=500 AND NOT path="/health*"`, read once into a tree that is
//! evaluated here and compiled to SQL by the store.
//!
//! One rule gives every filter its meaning: **it speaks of a request, and of the part of a session that
//! the request belongs to.** A list of requests shows those that meet it. A list of sessions shows the
//! parts in which at least one request meets it, and `matched` counts them. So:
//! - Terms on request fields joined by AND mean one request that meets them all; `any(a) AND any(b)`
//!   means one that meets `a` and one, perhaps another, that meets `b`.
//! - `NOT path="/x"` finds parts with a request elsewhere; `none(path="/x")` those without one there.
//! - `any`, `none` and `count` look at the requests of the part that the window leaves; session facts
//!   (`session.requests`) are those of the whole part.
//! - What is absent meets no term: `country="DE"` and `upstream>1s` are false without country and
//!   upstream, hence `country!="DE"`, which is `NOT country="DE"`, is true. A field with several
//!   values (`param.x`, `attack`) meets a term when one of them does.
//!
//! Bounded: [`MAX_TEXT`], [`MAX_TERMS`], [`MAX_DEPTH`], [`MAX_VALUES`]. Knows the model only.

mod bad;
mod evaluate;
mod fields;
mod network;
mod parse;
mod pattern;
mod print;
mod value;

pub use bad::{BadFilter, Reason};
pub(crate) use evaluate::ids_of;
pub use evaluate::{Part, Seen};
pub use fields::{FIELDS, Field, FieldInfo, Kind, Level};
pub use network::Network;
pub use pattern::{Atom, Pattern};

/// Bytes of a filter's text.
pub const MAX_TEXT: usize = 8192;
/// Terms and words of a filter.
pub const MAX_TERMS: usize = 64;
/// Parentheses, NOTs and calls around a term.
pub const MAX_DEPTH: usize = 16;
/// Values in the parentheses of an IN.
pub const MAX_VALUES: usize = 256;

/// A filter, well-formed. Its text is read with `parse` and printed by `Display`; what was printed reads
/// as the same filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The whole of it.
    pub root: Expr,
}

/// What a filter is made of. `a!=1` is `NOT a=1`, `a NOT IN (..)` is `NOT a IN (..)`, `none(..)` is
/// `NOT any(..)`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of two or more.
    And(Vec<Expr>),
    /// One of two or more.
    Or(Vec<Expr>),
    /// The contrary.
    Not(Box<Expr>),
    /// A bare word: users, key values, addresses, paths and endpoints that contain it, and ids that begin with it.
    Word(Pattern),
    /// A field and what it must be.
    Term(Field, Test),
    /// A request of the part meets it; no session fact and no other `any` or `count` is in it.
    Any(Box<Expr>),
    /// The number of the part's requests that meet it; inside as `Any`.
    Count(Box<Expr>, Test),
}

/// What a field must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It has a value that is not the empty text.
    Present,
    /// It contains this, upper and lower case being one.
    Contains(Pattern),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It lies on this side of the number.
    Compare(Order, i128),
}

/// A value in a filter, as its field's [`Kind`] wants it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, perhaps with globs.
    Text(Pattern),
    /// A number in the field's base unit: bytes, microseconds, microseconds since the epoch, or just a number.
    Number(i128),
    /// A class of statuses by its first digit.
    Class(u8),
    /// An id.
    Id(crate::model::Id),
    /// An address, or a range of them.
    Network(Network),
    /// Yes or no.
    Flag(bool),
}

/// Sides of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        parse::parse(text).map(|root| Self { root })
    }

    /// What is noise, or what is not.
    pub fn noise(wanted: bool) -> Self {
        Self { root: Expr::Term(Field::Noise, Test::OneOf(vec![Value::Flag(wanted)])) }
    }

    /// The same without its last term, where that says that noise is left out; `None` when it says nothing else.
    pub(crate) fn with_noise(&self) -> Option<Self> {
        let (last, terms) = self.terms().split_last()?;
        if last.is_noise() != Some(false) {
            return Some(self.clone());
        }
        match terms {
            [] => None,
            [term] => Some(Self { root: term.clone() }),
            terms => Some(Self { root: Expr::And(terms.to_vec()) }),
        }
    }

    /// What is joined by AND in it.
    pub(crate) fn terms(&self) -> &[Expr] {
        match &self.root {
            Expr::And(terms) => terms,
            root => std::slice::from_ref(root),
        }
    }

    /// The same with other terms: `other` tells for a term what stands in its place, if it is another one.
    pub(crate) fn with_terms(self, mut other: impl FnMut(&Field, &Test) -> Option<Expr>) -> Self {
        Self { root: self.root.with_terms(&mut other) }
    }

    /// What meets both.
    pub fn and(self, other: Self) -> Self {
        let mut all = Vec::new();
        for root in [self.root, other.root] {
            match root {
                Expr::And(terms) => all.extend(terms),
                root => all.push(root),
            }
        }
        Self { root: Expr::And(all) }
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self { root: Expr::Not(Box::new(self.root)) }
    }
}

impl Expr {
    /// What it wants when all that it says is that a request is noise, or is none.
    pub(crate) fn is_noise(&self) -> Option<bool> {
        match self {
            Self::Term(Field::Noise, Test::OneOf(values)) => match values.as_slice() {
                [Value::Flag(noise)] => Some(*noise),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a field is named in it, whatever it is compared with.
    pub fn names(&self, field: &Field) -> bool {
        !self.tests_of(field).is_empty()
    }

    /// What it compares a field with, from left to right.
    pub(crate) fn tests_of(&self, field: &Field) -> Vec<&Test> {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().flat_map(|expr| expr.tests_of(field)).collect(),
            Self::Not(inner) | Self::Any(inner) | Self::Count(inner, _) => inner.tests_of(field),
            Self::Term(named, test) if named == field => vec![test],
            Self::Word(_) | Self::Term(..) => Vec::new(),
        }
    }

    fn with_terms(self, other: &mut impl FnMut(&Field, &Test) -> Option<Self>) -> Self {
        let mut each = |all: Vec<Self>| all.into_iter().map(|expr| expr.with_terms(other)).collect();
        match self {
            Self::And(all) => Self::And(each(all)),
            Self::Or(all) => Self::Or(each(all)),
            Self::Not(inner) => Self::Not(Box::new(inner.with_terms(other))),
            Self::Any(inner) => Self::Any(Box::new(inner.with_terms(other))),
            Self::Count(inner, test) => Self::Count(Box::new(inner.with_terms(other)), test),
            Self::Word(word) => Self::Word(word),
            Self::Term(field, test) => other(&field, &test).unwrap_or(Self::Term(field, test)),
        }
    }

    /// Whether it speaks of the part of a session, not of a request alone.
    pub fn speaks_of_session(&self) -> bool {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().any(Self::speaks_of_session),
            Self::Not(inner) => inner.speaks_of_session(),
            Self::Word(_) => false,
            Self::Term(field, _) => field.info().level == Level::Session,
            Self::Any(_) | Self::Count(..) => true,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
