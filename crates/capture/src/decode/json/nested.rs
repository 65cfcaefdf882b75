//! How long an object or a list is, found by brackets and quotes alone, 64 bytes at a time.
//!
//! Three masks tell where in a block quotes, backslashes and brackets are; the quotes that nothing
//! escapes give those bytes that are in strings, and brackets in strings are none. simdjson finds
//! structure in the same way (Langdale and Lemire, "Parsing Gigabytes of JSON per Second").

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
        // One by one: there are few, and to count bits takes more without an instruction for it.
        let mut brackets = masks.brackets & !strings;
        while brackets != 0 {
            let at = brackets.trailing_zeros() as usize;
            match block.get(at) {
                Some(b'{' | b'[') => self.depth += 1,
                Some(b'}' | b']') if self.depth <= 1 => return Some(at + 1),
                Some(b'}' | b']') => self.depth -= 1,
                _ => {}
            }
            brackets &= brackets - 1;
        }
        None
    }

    /// The bytes that a backslash escapes.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes | self.escapes == 0 {
            return 0;
        }
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
    /// Brackets and braces, and some other bytes that do not stand outside of strings.
    brackets: u64,
}

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self { quotes: 0, backslashes: 0, brackets: 0 };
        let (parts, _) = block.as_chunks::<16>();
        for (number, &part) in parts.iter().enumerate() {
            let part = u8x16::new(part);
            let mask = |of: u8x16, byte: u8| u64::from(of.simd_eq(u8x16::splat(byte)).to_bitmask()) << (number * 16);
            masks.quotes |= mask(part, b'"');
            masks.backslashes |= mask(part, b'\\');
            // The four differ in these bits.
            masks.brackets |= mask(part | u8x16::splat(0x26), 0x7f);
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
