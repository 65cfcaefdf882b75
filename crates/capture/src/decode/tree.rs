//! All sources of one input as a tree, so that what they share is decoded once: a body is parsed a
//! single time for all values that are wanted of it.

use super::Decoder;
use super::input::{Around, Input};
use super::undecoded::{Format, Reason, Undecoded};
use crate::snapshot::MAX_VALUE;

/// What is done with one input: the values that it is, and the decoders that read on.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Numbers of the values that end here.
    ends: Vec<usize>,
    readers: Vec<Reader>,
}

/// Decoders of one kind that take different things from the same input.
#[derive(Debug, Default)]
struct Reader {
    decoders: Vec<Decoder>,
    /// What is done with the value of each.
    trees: Vec<Tree>,
}

/// The values of a tree, by their numbers.
pub(crate) type Values = Vec<Option<Vec<u8>>>;

impl Tree {
    /// Adds the value `number`, which these decoders lead to.
    pub(crate) fn add(&mut self, decoders: &[Decoder], number: usize) {
        let Some((first, rest)) = decoders.split_first() else {
            self.ends.push(number);
            return;
        };
        let kind = std::mem::discriminant(first);
        let same = |reader: &&mut Reader| {
            reader.decoders.first().is_some_and(|decoder| std::mem::discriminant(decoder) == kind)
        };
        match self.readers.iter_mut().find(same) {
            Some(reader) => reader.add(first, rest, number),
            None => {
                let mut reader = Reader::default();
                reader.add(first, rest, number);
                self.readers.push(reader);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.readers.is_empty()
    }

    /// Whether anything is read of a input of this content type.
    pub(crate) fn fits(&self, around: &Around) -> bool {
        !self.ends.is_empty() || self.readers.iter().any(|reader| reader.fits(around))
    }

    /// Whether a decoder of this kind reads the input first.
    pub(crate) fn begins_with(&self, format: Format) -> bool {
        self.readers.iter().filter_map(|reader| reader.decoders.first()).any(|first| first.format() == format)
    }

    /// Reads all values from a input. `from` made the input, for the counters.
    pub(crate) fn read(&self, input: Input, from: Format, around: Around, out: &mut Values, undecoded: &mut Undecoded) {
        let failure =
            if input.cut { Some(Reason::Cut) } else { (input.bytes.len() > MAX_VALUE).then_some(Reason::TooLarge) };
        match failure {
            Some(_) if self.ends.is_empty() => {}
            Some(reason) => undecoded.count(from, reason),
            None => {
                for &number in &self.ends {
                    if let Some(value) = out.get_mut(number) {
                        *value = Some(input.bytes.to_vec());
                    }
                }
            }
        }
        for reader in self.readers.iter().filter(|reader| reader.fits(&around)) {
            reader.read(input, around, out, undecoded);
        }
    }
}

impl Reader {
    fn add(&mut self, decoder: &Decoder, rest: &[Decoder], number: usize) {
        let same = self.decoders.iter().zip(&mut self.trees).find(|(known, _)| *known == decoder);
        if let Some((_, tree)) = same {
            return tree.add(rest, number);
        }
        let mut tree = Tree::default();
        tree.add(rest, number);
        self.decoders.push(decoder.clone());
        self.trees.push(tree);
    }

    fn fits(&self, around: &Around) -> bool {
        self.decoders.first().is_some_and(|decoder| around.fits(decoder))
    }

    fn read(&self, input: Input, around: Around, out: &mut Values, undecoded: &mut Undecoded) {
        let found = super::read(&self.decoders, input, around);
        let Some(format) = self.decoders.first().map(Decoder::format) else { return };
        found.count(format, undecoded);
        for (tree, value) in self.trees.iter().zip(&found.values) {
            if let Some(value) = value {
                tree.read(Input { bytes: value, cut: found.cut }, format, Around::default(), out, undecoded);
            }
        }
    }
}
