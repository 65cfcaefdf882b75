//! Random bytes from the kernel: workers are forks, and a generator seeded before the fork would
//! give all of them the same ids.

/// Fills an array with random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // SAFETY: writes at most as many bytes as there are.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    if filled != N as isize {
        // No kernel that NGINX runs on fails for so few bytes; still never all zero.
        let mut random = fastrand::Rng::with_seed(crate::clock::now_micros() ^ u64::from(std::process::id()) << 48);
        random.fill(&mut bytes);
    }
    bytes
}
