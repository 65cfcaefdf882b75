//! How long an object or a list is, found by brackets and quotes alone, 64 bytes at a time.
//!
//! Four masks tell where in a block quotes, backslashes and brackets are; the quotes that nothing
//! escapes give those bytes that are in strings, and brackets in strings are none. A block in which
//! fewer close than are open cannot hold the end, so its brackets are counted, not looked at. simdjson
//! finds structure in the same way (Langdale and Lemire, "Parsing Gigabytes of JSON per Second").

use wide::u8x16;

/// Bytes that one mask tells of.
const BLOCK: usize = 64;

/// The bytes of the object or list that `text` begins with; `None` when it does not end. Brackets are
/// counted, whichever kind they are.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let mut scan = Scan::default();
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(end) = scan.block(block) {
            return Some(number * BLOCK + end);
        }
    }
    let mut last = [b' '; BLOCK];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    scan.block(&last).map(|end| blocks.len() * BLOCK + end)
}

/// What one block leaves for the next.
#[derive(Default)]
struct Scan {
    /// Brackets that are open.
    depth: u32,
    /// All bits when the block before ended in a string.
    in_string: u64,
    /// One when it ended with a backslash that escapes.
    escapes: u64,
}

impl Scan {
    /// Goes through a block; where behind the closing bracket it goes on, when that is in it.
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = Masks::of(block);
        let quotes = masks.quotes & !self.escaped(masks.backslashes);
        let strings = up_to_here(quotes) ^ self.in_string;
        self.in_string = if strings >> 63 == 0 { 0 } else { u64::MAX };
        let (opens, mut closes) = (masks.opens & !strings, masks.closes & !strings);
        if closes.count_ones() < self.depth {
            self.depth = self.depth + opens.count_ones() - closes.count_ones();
            return None;
        }
        let mut closed = 0;
        while closes != 0 {
            let at = closes.trailing_zeros();
            closed += 1;
            let opened = (opens & ((1 << at) - 1)).count_ones();
            if self.depth + opened <= closed {
                return Some(at as usize + 1);
            }
            closes &= closes - 1;
        }
        self.depth = self.depth + opens.count_ones() - closed;
        None
    }

    /// The bytes that a backslash escapes.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = self.escapes;
        let mut left = backslashes & !escaped;
        self.escapes = left >> 63 & 1;
        while left != 0 {
            let next = (left & left.wrapping_neg()) << 1;
            escaped |= next;
            left &= left - 1;
            left &= !next;
        }
        // The last backslash may be escaped itself.
        self.escapes &= !(escaped >> 63);
        escaped
    }
}

/// Where in a block the bytes are that matter, a bit each.
struct Masks {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
}

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quotes: 0, backslashes: 0, opens: 0, closes: 0 };
        let (parts, _) = block.as_chunks::<16>();
        for (number, &part) in parts.iter().enumerate() {
            let part = u8x16::new(part);
            // Brackets differ from braces in this bit, and nothing else becomes a brace by it.
            let braces = part | u8x16::splat(0x20);
            let mask = |of: u8x16, byte: u8| u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (number * 16);
            masks.quotes |= mask(part, b'"');
            masks.backslashes |= mask(part, b'\\');
            masks.opens |= mask(braces, b'{');
            masks.closes |= mask(braces, b'}');
        }
        masks
    }
}

/// For each bit whether the number of bits up to and with it is odd.
fn up_to_here(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte.
    fn plain(text: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escapes) = (0, false, false);
        for (at, byte) in text.iter().enumerate() {
            let escaped = escapes;
            escapes = *byte == b'\\' && !escaped;
            match byte {
                b'"' if !escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_end_is_where_reading_byte_by_byte_finds_it(
            inner in prop::collection::vec(prop::sample::select(br#"{}[]""\\\\ax,:;="#.to_vec()), 0..300),
            end in ".{0,80}",
        ) {
            let mut text = vec![b'{'];
            text.extend(inner);
            text.extend(end.bytes());
            prop_assert_eq!(length(&text), plain(&text));
        }

        #[test]
        fn an_object_ends_where_it_was_written_to_end(key in "\\PC{0,90}", value in "\\PC{0,90}", depth in 0_usize..90) {
            let mut object = serde_json::json!({ key: value });
            for _ in 0..depth {
                object = serde_json::json!([object, "]"]);
            }
            let text = object.to_string();
            prop_assert_eq!(length(format!("{text}]}}").as_bytes()), Some(text.len()));
        }
    }
}
