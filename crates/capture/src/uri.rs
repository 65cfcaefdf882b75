//! The request target: its path as NGINX's `$uri` before any rewrite, and its query.
//!
//! NGINX's own `$uri` is gone by the time a request is logged, so its normalisation is done again
//! here (ngx_http_parse_complex_uri in src/http/ngx_http_parse.c is the model).

use std::borrow::Cow;

/// Splits a raw target into path and query. A fragment, which no client should send, is dropped. A whole
/// URL without path leaves the query alone: its path is the root.
pub(crate) fn split(target: &[u8]) -> (&[u8], &[u8]) {
    let end = target.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(target.len());
    let (path, rest) = target.split_at(end);
    let Some(query) = rest.strip_prefix(b"?") else { return (path, &[]) };
    let query = query.split(|&b| b == b'#').next().unwrap_or_default();
    (if path.is_empty() { b"/" } else { path }, query)
}

/// The path decoded once, dots resolved, and slashes merged when `merge_slashes` is on.
///
/// What NGINX refuses with 400 (a broken escape, a path above the root) is kept as far as it makes
/// sense: such requests are recorded too.
pub(crate) fn normalize(path: &[u8], merge_slashes: bool) -> Cow<'_, [u8]> {
    let odd = |pair: &[u8]| matches!(pair, [b'%', _] | [b'/', b'/' | b'.']);
    let simple = !path.windows(2).any(odd) && !path.ends_with(b"%");
    if simple || !path.starts_with(b"/") {
        return Cow::Borrowed(path);
    }
    let decoded: Cow<[u8]> = percent_encoding::percent_decode(path).into();
    let mut out = Vec::with_capacity(decoded.len());
    out.push(b'/');
    let mut segments = decoded.get(1..).unwrap_or_default().split(|&b| b == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => drop_segment(&mut out),
            b"" if merge_slashes || last => {}
            _ => {
                out.extend_from_slice(segment);
                if !last {
                    out.push(b'/');
                }
            }
        }
    }
    Cow::Owned(out)
}

/// Removes the last segment of a path that ends with a slash; the root stays.
fn drop_segment(path: &mut Vec<u8>) {
    path.pop();
    let keep = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    path.truncate(keep);
    if path.is_empty() {
        path.push(b'/');
    }
}

/// The `n`th segment of a normalised path, from 0.
pub(crate) fn segment(path: &[u8], n: usize) -> Option<&[u8]> {
    path.strip_prefix(b"/")?.split(|&b| b == b'/').nth(n).filter(|segment| !segment.is_empty())
}

/// The first value of a query parameter, decoded.
pub(crate) fn parameter<'a>(query: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    query.split(|&b| b == b'&').find_map(|field| {
        let (found, value) = pair(field);
        (found.as_ref() == name.as_bytes()).then(|| form_decode(value))
    })
}

/// The decoded name and the raw value of a field `name=value`.
pub(crate) fn pair(field: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let at = memchr::memchr(b'=', field).unwrap_or(field.len());
    let (name, value) = field.split_at(at);
    (form_decode(name), value.get(1..).unwrap_or_default())
}

/// Percent-decoding with `+` as space.
pub(crate) fn form_decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    Cow::Owned(percent_encoding::percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(path: &str) -> String {
        String::from_utf8_lossy(&normalize(path.as_bytes(), true)).into_owned()
    }

    #[test]
    fn the_path_equals_nginx_uri_before_rewrites() {
        for (raw, uri) in [
            ("/a/b", "/a/b"),
            ("/a%20b", "/a b"),
            ("/a%2Fb", "/a/b"),
            ("//a///b/", "/a/b/"),
            ("/a/./b/.", "/a/b/"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/%2e%2e/b", "/b"),
            ("/%25%32%65", "/%2e"),
            ("/a%3Fb%23c", "/a?b#c"),
            ("/..", "/"),
            ("/a..b/.c", "/a..b/.c"),
            ("*", "*"),
            ("", ""),
        ] {
            assert_eq!(normalized(raw), uri, "{raw}");
        }
    }

    #[test]
    fn slashes_stay_where_merging_is_off() {
        assert_eq!(normalize(b"//a//b//", false).as_ref(), b"//a//b//");
        assert_eq!(normalize(b"/a//../b", false).as_ref(), b"/a/b");
    }

    #[test]
    fn query_values_are_decoded_and_the_first_counts() {
        let query = b"a=1&token=a%2Bb%2Fc%3D&a=2&sp=x+y&e=&flag&n%61me=v";
        for (name, value) in [
            ("token", Some("a+b/c=")),
            ("a", Some("1")),
            ("sp", Some("x y")),
            ("e", Some("")),
            ("flag", Some("")),
            ("name", Some("v")),
            ("none", None),
        ] {
            let found = parameter(query, name).map(|v| String::from_utf8(v.into_owned()).unwrap());
            assert_eq!(found.as_deref(), value, "{name}");
        }
    }

    #[test]
    fn a_target_is_path_and_query() {
        assert_eq!(split(b"/a?b=c?d#e"), (&b"/a"[..], &b"b=c?d"[..]));
        assert_eq!(split(b"/a#?b"), (&b"/a"[..], &b""[..]));
        assert_eq!(split(b"?a=b"), (&b"/"[..], &b"a=b"[..]));
    }

    #[test]
    fn segments_count_from_0() {
        assert_eq!(segment(b"/api/users/7", 1), Some(&b"users"[..]));
        assert_eq!(segment(b"/api/users/7", 3), None);
        assert_eq!(segment(b"/", 0), None);
    }

    proptest::proptest! {
        #[test]
        fn a_normal_path_has_no_dots_left(path in "/[a./%2eE]{0,20}") {
            let out = normalize(path.as_bytes(), true);
            let dots = |s: &[u8]| s == b"." || s == b"..";
            proptest::prop_assert!(!out.split(|&b| b == b'/').any(dots));
        }
    }
}
