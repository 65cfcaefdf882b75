//! The request line that a server could not read: what its words still tell.

/// Method and target of a request line, as the client wrote them; both empty when it does not begin
/// with a method.
///
/// Of a target that is a whole URL, what follows the host is left, as NGINX leaves it in
/// `$request_uri`. A line that was cut short gives the words that came.
pub fn words(line: &[u8]) -> (&[u8], &[u8]) {
    let (method, rest) = split_at_space(line);
    if method.len() == line.len() || method.is_empty() || !method.iter().all(is_token) {
        return (&[], &[]);
    }
    (method, origin_form(split_at_space(rest.trim_ascii_start()).0))
}

fn split_at_space(text: &[u8]) -> (&[u8], &[u8]) {
    let at = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
    text.split_at(at)
}

/// RFC 9110, section 5.6.2.
fn is_token(b: &u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b)
}

/// A target without scheme and host (RFC 9112, section 3.2.2).
fn origin_form(target: &[u8]) -> &[u8] {
    let Some(scheme) = target.iter().position(|b| !b.is_ascii_alphabetic()) else { return target };
    let Some(host) = target.get(scheme..).and_then(|rest| rest.strip_prefix(b"://")) else { return target };
    match host.iter().position(|b| matches!(b, b'/' | b'?')) {
        Some(at) => host.get(at..).unwrap_or_default(),
        None => b"/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_as_far_as_they_came() {
        for (line, method, target) in [
            ("get /a?b HTTP/1.1", "get", "/a?b"),
            ("GET   /a   HTTP/1.1", "GET", "/a"),
            ("GET /a", "GET", "/a"),
            ("GET ", "GET", ""),
            ("GET", "", ""),
            ("", "", ""),
            (" /a", "", ""),
            ("\u{16}\u{3} /a", "", ""),
            ("OPTIONS * HTTP/1.1", "OPTIONS", "*"),
            ("CONNECT a.example:443 HTTP/1.1", "CONNECT", "a.example:443"),
            ("GET http://a_b/c?d HTTP/1.1", "GET", "/c?d"),
            ("GET http://a_b?d HTTP/1.1", "GET", "?d"),
            ("GET http://a_b HTTP/1.1", "GET", "/"),
            ("GET /to?http://a/b HTTP/1.1", "GET", "/to?http://a/b"),
        ] {
            assert_eq!(words(line.as_bytes()), (method.as_bytes(), target.as_bytes()), "{line}");
        }
    }
}
