//! Compressed bodies.

use std::io::Read;

use flate2::Compression;

/// `deflate` without a header, as many send it.
pub fn deflate(text: &[u8]) -> Vec<u8> {
    compressed(text, |text, out| flate2::read::DeflateEncoder::new(text, Compression::fast()).read_to_end(out))
}

/// `deflate` as RFC 9110 has it.
pub fn zlib(text: &[u8]) -> Vec<u8> {
    compressed(text, |text, out| flate2::read::ZlibEncoder::new(text, Compression::fast()).read_to_end(out))
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    compressed(text, |text, out| flate2::read::GzEncoder::new(text, Compression::fast()).read_to_end(out))
}

fn compressed(text: &[u8], by: impl FnOnce(&[u8], &mut Vec<u8>) -> std::io::Result<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    by(text, &mut out).unwrap();
    out
}
