//! What equal values came to a moment ago.
//!
//! The requests of a session carry the same key and the same token, and to hash a value or to read a
//! claim costs more than all else that an event takes. So what a value came to is remembered, by
//! the value itself and by who asked.
//!
//! Invariants:
//! - An answer is what would be found out anew: it follows from who asks and from the value alone.
//! - Memory is bounded. When half of it is full, what nobody asked for since the last time goes.
//! - What came to nothing is not remembered, so that it is counted each time.

use std::collections::HashMap;

use ahash::RandomState;
use identity::Id;

/// Most bytes that are held, about.
const MEMORY: usize = 1 << 20;
/// Longer values are found out each time.
const LONGEST: usize = 4 << 10;
/// What an answer takes beside its texts.
const AROUND: usize = 128;

/// What a value came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    /// The session that it names, when it is a key.
    pub(crate) sid: Id,
    /// What leaves for it.
    pub(crate) text: String,
    /// Namespace and name of the key, when it is a built-in one.
    pub(crate) builtin: (&'static str, &'static str),
}

/// Who asks: one value may come to different things.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A source of a plan: the plan's number, and its place among keys and contexts.
    Source(u64, usize),
    /// A built-in key: its namespace, or what may become one of several.
    Builtin(&'static str),
}

#[derive(Debug, Default)]
pub(crate) struct Remembered {
    /// By what was asked: who, and the value.
    recent: HashMap<Box<[u8]>, Known, RandomState>,
    /// Goes next, but for what is asked for until then.
    older: HashMap<Box<[u8]>, Known, RandomState>,
    /// Bytes in `recent`.
    bytes: usize,
    /// To put a question together in.
    question: Vec<u8>,
}

impl Remembered {
    /// What a value, given in parts, came to for this asker; found out when it is not known. Not given out, as
    /// it may be forgotten with the next question, but shown to `take`.
    pub(crate) fn recall<T>(
        &mut self,
        asker: Asker,
        value: &[&[u8]],
        find_out: impl FnOnce() -> Option<Known>,
        take: impl FnOnce(&Known) -> T,
    ) -> Option<T> {
        if value.iter().map(|part| part.len()).sum::<usize>() > LONGEST {
            return find_out().as_ref().map(take);
        }
        self.question.clear();
        asker.write(&mut self.question);
        value.iter().for_each(|part| self.question.extend_from_slice(part));
        if let Some(known) = self.recent.get(self.question.as_slice()) {
            return Some(take(known));
        }
        let known = self.older.remove(self.question.as_slice()).or_else(find_out)?;
        let taken = take(&known);
        self.keep(known);
        Some(taken)
    }

    fn keep(&mut self, mut known: Known) {
        // A value that was inflated and cut holds the room that it came in.
        known.text.shrink_to_fit();
        let bytes = AROUND + self.question.len() + known.text.len();
        if self.bytes + bytes > MEMORY / 2 {
            std::mem::swap(&mut self.recent, &mut self.older);
            self.recent.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.recent.insert(self.question.as_slice().into(), known);
    }
}

impl Asker {
    /// Different askers write different beginnings, of which none begins another.
    fn write(self, question: &mut Vec<u8>) {
        match self {
            Self::Source(plan, number) => {
                question.push(0);
                question.extend_from_slice(&plan.to_ne_bytes());
                question.extend_from_slice(&number.to_ne_bytes());
            }
            Self::Builtin(namespace) => {
                // No namespace holds a zero byte, or begins with one.
                question.extend_from_slice(namespace.as_bytes());
                question.push(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> Option<Known> {
        Some(Known { text: text.into(), ..Known::default() })
    }

    fn recall(remembered: &mut Remembered, asker: Asker, value: &[&[u8]], find_out: Option<Known>) -> Option<Known> {
        remembered.recall(asker, value, || find_out, Known::clone)
    }

    #[test]
    fn an_answer_is_for_who_asked_and_for_the_whole_value() {
        let mut remembered = Remembered::default();
        let asked: [(Asker, &[u8]); 6] = [
            (Asker::Source(1, 2), b"v"),
            (Asker::Source(2, 1), b"v"),
            (Asker::Source(1, 2), b""),
            (Asker::Builtin("jwt"), b"v"),
            (Asker::Builtin("ip"), b"v"),
            (Asker::Builtin("ip+ua"), b"v"),
        ];
        for (number, (asker, value)) in asked.into_iter().enumerate() {
            let found = recall(&mut remembered, asker, &[value], known(&number.to_string()));
            assert_eq!(found, known(&number.to_string()), "{asker:?}");
        }
        for (number, (asker, value)) in asked.into_iter().enumerate() {
            let found = recall(&mut remembered, asker, &[b"", value], None);
            assert_eq!(found, known(&number.to_string()), "{asker:?}");
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_asked_for_stays() {
        let mut remembered = Remembered::default();
        let asker = Asker::Builtin("cookie:sid");
        for number in 0..100_000_u32 {
            let value = [&number.to_be_bytes()[..], &[b'x'; 60]].concat();
            assert_eq!(recall(&mut remembered, asker, &[&value], known("new")), known("new"));
            let often = recall(&mut remembered, asker, &[b"often"], known("kept").filter(|_| number == 0));
            assert_eq!(often, known("kept"), "{number}");
            let entries = remembered.recent.len() + remembered.older.len();
            assert!(entries * AROUND <= MEMORY, "{entries} entries");
        }
    }

    #[test]
    fn what_is_remembered_holds_no_more_room_than_it_has_bytes() {
        let mut remembered = Remembered::default();
        let mut text = String::with_capacity(1 << 20);
        text.push('v');
        let inflated = Some(Known { text, ..Known::default() });
        recall(&mut remembered, Asker::Source(0, 0), &[b"small"], inflated);
        let held: usize = remembered.recent.values().map(|known| known.text.capacity()).sum();
        assert!(held <= 16, "{held} bytes are held for one");
    }

    #[test]
    fn what_came_to_nothing_and_what_is_long_is_found_out_each_time() {
        let mut remembered = Remembered::default();
        let asker = Asker::Source(0, 0);
        assert_eq!(recall(&mut remembered, asker, &[b"v"], None), None);
        assert_eq!(recall(&mut remembered, asker, &[b"v"], known("now")), known("now"));
        let long = [b'x'; LONGEST + 1];
        assert_eq!(recall(&mut remembered, asker, &[&long], known("first")), known("first"));
        assert_eq!(recall(&mut remembered, asker, &[&long], known("second")), known("second"));
    }
}
