//! The messages that the product's sources hold: every text in them that has words in it.

use std::fs;

use ngx_tests::folder;

const FILES: [&str; 10] = [
    "src/args.rs",
    "src/collector.rs",
    "src/collector_address.rs",
    "src/config.rs",
    "src/directives.rs",
    "src/location.rs",
    "src/spool_directory.rs",
    "crates/capture/src/source.rs",
    "crates/capture/src/source/decoders.rs",
    "crates/capture/src/source/segments.rs",
];

/// What no row can show, and where it is shown instead.
pub const ELSEWHERE: [&str; 16] = [
    // Nothing that a configuration says makes NGINX run out of memory, or lose its core.
    "no memory for",
    "no main configuration",
    "no http core",
    // Warnings: `secrecy` and `variables`.
    "no \"wallarm_session_secret\"",
    "others can read it, or its group can write it",
    "which nothing has defined so far",
    // Through inheritance: `includes`.
    "together with the inherited ones",
    // By another user: `secrecy`. Here it stands for a file that is missing.
    "file \"{path}\" cannot be read",
    // Owners and modes of the directory: `spool`.
    "can be written by others",
    "is out of reach of the workers' user",
    "of another user",
    "cannot be written by the user of NGINX",
    "is used for something else",
    // As the one for a file, of a directory that may be looked at and not read.
    "directory \"{}\" cannot be read",
    // Too long for a line: the tests of `capture`.
    "has a path of more than",
    // On every level: `contexts`.
    "is said twice on this level",
];

/// The messages, with their placeholders.
pub fn messages() -> Vec<String> {
    let mut messages = Vec::new();
    for file in FILES {
        let text = fs::read_to_string(folder::checkout().join(file)).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        messages.extend(literals(product).into_iter().filter(|text| text.contains(' ')));
    }
    messages
}

/// The string literals of Rust source, unescaped, without those of comments.
fn literals(source: &str) -> Vec<String> {
    let code: Vec<&str> =
        source.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line }).collect();
    let code = code.join("\n").replace("'\"'", "").replace("b'\"'", "");
    let mut literals = Vec::new();
    let mut rest = code.chars().peekable();
    while rest.by_ref().any(|c| c == '"') {
        let mut text = String::new();
        while let Some(c) = rest.next().filter(|&c| c != '"') {
            match (c, rest.peek()) {
                ('\\', Some('\n')) => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                ('\\', Some(_)) => text.extend(rest.next()),
                _ => text.push(c),
            }
        }
        literals.push(text);
    }
    literals
}

/// Whether a text is a message with its placeholders filled in, or holds it.
pub fn could_be(said: &str, message: &str) -> bool {
    let mut rest = said;
    for piece in fixed_pieces(message) {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// What stands between the placeholders.
fn fixed_pieces(message: &str) -> impl Iterator<Item = &str> {
    let pieces = message.split('{').flat_map(|piece| {
        match piece.split_once('}') {
            Some((_, after)) => after,
            None => piece,
        }
        .split('\u{0}')
    });
    pieces.filter(|piece| piece.len() > 2)
}
