use proptest::prelude::*;

use super::*;
use crate::model::{Id, Micros};

/// Texts that a query language may trip over.
pub(crate) fn text() -> impl Strategy<Value = String> {
    const HOSTILE: &[&str] = &[
        "",
        "a",
        "A",
        "ab",
        "100%",
        "_",
        "%",
        "\\",
        "\"",
        "'",
        "'; DROP TABLE requests; --",
        "nul\0",
        "\u{202E}rtl",
        "é",
        "É",
        "\u{10FFFF}",
        "*",
        "?",
        "a b",
        "AND",
        "(",
        "?1",
        "$1",
        "{day}",
        "{ids}",
        "who-1",
        "h1",
        "M1",
        "shop",
        "https",
        "curl",
        "1",
        "sqli",
        "tools/call",
        "query",
        "e",
        "sid",
        "nul\0 é \u{10FFFF}",
        "/2",
        "10.0.0.1",
    ];
    prop_oneof![4 => prop::sample::select(HOSTILE).prop_map(str::to_owned), 1 => any::<String>()]
}

pub(crate) fn pattern() -> impl Strategy<Value = Pattern> {
    let glob = prop::sample::select(&[None, None, Some(Atom::Many), Some(Atom::One)][..]);
    prop::collection::vec((text(), glob), 1..3).prop_map(|pieces| {
        let atoms =
            pieces.into_iter().flat_map(|(text, glob)| text.chars().map(Atom::Char).chain(glob).collect::<Vec<_>>());
        atoms.collect()
    })
}

fn value(kind: Kind) -> BoxedStrategy<Value> {
    let number = |max: i128| (0..=max).prop_map(Value::Number);
    let network = (any::<[u8; 4]>(), 0u32..=32).prop_map(|(ip, bits)| {
        let ip = std::net::Ipv4Addr::from(ip);
        Value::Network(format!("{ip}/{bits}").parse().unwrap())
    });
    let near =
        prop::sample::select(&["192.0.2.0/24", "192.0.2.3", "192.0.2.8/29", "::/0", "0.0.0.0/0", "2001:db8::/32"][..]);
    match kind {
        Kind::Text => pattern().prop_map(Value::Text).boxed(),
        Kind::Status => prop_oneof![number(599), (1u8..=5).prop_map(Value::Class)].boxed(),
        Kind::Number => prop_oneof![number(20), number(u64::MAX.into())].boxed(),
        Kind::Size | Kind::Duration => prop_oneof![number(1000), number(u64::MAX.into())].boxed(),
        Kind::Time => (0i128..4_000_000_000_000_000).prop_map(Value::Number).boxed(),
        Kind::Id => {
            prop_oneof![any::<[u8; 16]>(), (0u8..4).prop_map(|n| [n * 77; 16])].prop_map(|id| Value::Id(Id(id))).boxed()
        }
        Kind::Ip => prop_oneof![
            network,
            near.prop_map(|text| Value::Network(text.parse().unwrap())),
            Just(Value::Text("192.0.2.*".chars().map(|c| if c == '*' { Atom::Many } else { Atom::Char(c) }).collect())),
        ]
        .boxed(),
        Kind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
    }
}

fn test(kind: Kind) -> BoxedStrategy<Test> {
    let one_of = prop::collection::vec(value(kind), 1..4).prop_map(Test::OneOf);
    let order = prop::sample::select(&[Order::Less, Order::AtMost, Order::More, Order::AtLeast][..]);
    let compare = (order, value(kind)).prop_map(|(order, value)| match value {
        Value::Number(number) => Test::Compare(order, number),
        other => Test::OneOf(vec![other]),
    });
    match kind {
        Kind::Flag => value(kind).prop_map(|value| Test::OneOf(vec![value])).boxed(),
        Kind::Text | Kind::Ip => {
            prop_oneof![3 => one_of, 1 => Just(Test::Present), 1 => pattern().prop_map(Test::Contains)].boxed()
        }
        Kind::Id => prop_oneof![3 => one_of, 1 => Just(Test::Present)].boxed(),
        _ => prop_oneof![2 => one_of, 1 => Just(Test::Present), 3 => compare].boxed(),
    }
}

fn term(level: Level) -> BoxedStrategy<Expr> {
    let of_level: Vec<&'static FieldInfo> = FIELDS.iter().filter(|info| info.level == level).collect();
    let field = prop::sample::select(of_level).prop_flat_map(|info| {
        let field = match info.field {
            Field::Param(_) => prop_oneof![Just("p0".to_owned()), text().prop_filter("named", |name| !name.is_empty())]
                .prop_map(Field::Param)
                .boxed(),
            ref field => Just(field.clone()).boxed(),
        };
        (field, test(info.kind)).prop_map(|(field, test)| Expr::Term(field, test))
    });
    match level {
        Level::Request => prop_oneof![5 => field, 1 => pattern().prop_map(Expr::Word)].boxed(),
        Level::Session => field.boxed(),
    }
}

fn joined(leaf: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

/// Filters of all kinds.
pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let request = joined(term(Level::Request));
    let call = prop_oneof![
        request.clone().prop_map(|inner| Expr::Any(Box::new(inner))),
        (request.clone(), test(Kind::Number)).prop_map(|(inner, test)| match test {
            Test::Present => Expr::Any(Box::new(inner)),
            test => Expr::Count(Box::new(inner), test),
        }),
    ];
    joined(prop_oneof![3 => request, 1 => term(Level::Session), 1 => call].boxed()).prop_map(|root| Filter { root })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_as_the_same_filter(filter in filter()) {
        prop_assume!(filter.to_string().len() <= MAX_TEXT);
        prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
    }

    #[test]
    fn no_text_makes_the_parser_fail_otherwise_than_with_a_place_in_it(text in "\\PC{0,60}") {
        if let Err(bad) = Filter::parse(&text) {
            prop_assert!(text.get(bad.offset..bad.offset + bad.length).is_some(), "{:?}", bad);
        }
    }

    #[test]
    fn nor_does_one_made_of_its_own_words(
        words in prop::collection::vec(prop::sample::select(&[
            "status", ">=", "500", "AND", "OR", "NOT", "IN", "(", ")", ",", "\"", "\\", "any", "count", ":*", "param.", "=", "*", " ", "é",
        ][..]), 0..20),
    ) {
        let text = words.concat();
        if let Err(bad) = Filter::parse(&text) {
            prop_assert!(text.get(bad.offset..bad.offset + bad.length).is_some(), "{:?}", bad);
        }
    }
}

#[test]
fn each_field_is_found_under_its_names() {
    for info in FIELDS {
        assert!(std::ptr::eq(info.field.info(), info), "{}", info.name);
        for name in [info.name].iter().chain(info.also) {
            let expected =
                if matches!(info.field, Field::Param(_)) { Field::Param("NAME".into()) } else { info.field.clone() };
            assert_eq!(Field::named(name), Some(expected), "{name}");
        }
    }
}

/// What the parser understands, printed.
fn read(text: &str) -> String {
    Filter::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad:?}")).to_string()
}

#[test]
fn filters_are_written_as_people_write_them() {
    for (text, printed) in [
        ("status>=500 AND ip=\"10.0.0.0/8\" AND NOT path=\"/health*\"", ""),
        ("user IN (\"a\",\"b\")", ""),
        ("param.email:*", "param.\"email\":*"),
        ("param.\"a \\\"b\\\"\"=1", "param.\"a \\\"b\\\"\"=\"1\""),
        ("path=/a\\*b?c*", "path=\"/a\\*b?c*\""),
        ("session.requests>100 and session.duration>10m", "session.requests>100 AND session.duration>10m"),
        ("count(status=404)>20", ""),
        ("count(status=404)!=20", "NOT count(status=404)=20"),
        ("none ( status = 5xx )", "NOT any(status=5xx)"),
        ("user_agent:chrome", "user_agent:\"chrome\""),
        ("ada", "\"ada\""),
        ("ada AND 10.0.0.1", "\"ada\" AND \"10.0.0.1\""),
        ("\"2001:db8::1\"", ""),
        ("not NOT a", "NOT NOT \"a\""),
        ("((a))", "\"a\""),
        ("a OR (b AND c) OR (d OR e)", "\"a\" OR (\"b\" AND \"c\") OR (\"d\" OR \"e\")"),
        ("status NOT IN (4xx, 500)", "NOT status IN (4xx,500)"),
        ("status!=5xx", "NOT status=5xx"),
        ("ts>=2026-03-10T12:00:00Z", "ts>=2026-03-10T12:00:00.000000Z"),
        ("duration>1500ms", "duration_us>1500ms"),
        ("duration=1h", "duration_us=1h"),
        ("bytes_out>=64K", "bytes_out>=64k"),
        ("bytes_out>1000", ""),
        ("ip=::ffff:10.1.2.3/104", "ip=\"10.0.0.0/8\""),
        ("ip=2001:db8::1/32", "ip=\"2001:db8::/32\""),
        ("ip=10.0.*", "ip=\"10.0.*\""),
        ("ip=00000000000000000000000000000001", "ip=\"00000000000000000000000000000001\""),
        ("session.mcp=true", ""),
        ("path=\"\"", ""),
    ] {
        assert_eq!(read(text), if printed.is_empty() { text } else { printed });
    }
}

#[test]
fn a_bad_filter_is_told_where_and_what_would_be_right() {
    let deep = format!("{}a", "(".repeat(MAX_DEPTH + 1));
    let many = vec!["a"; MAX_TERMS + 1].join(" AND ");
    let values = format!("user IN ({})", vec!["a"; MAX_VALUES + 1].join(","));
    let long = format!("user=\"{}\"", "x".repeat(100_000));
    let cases = [
        ("", "", "a term such as"),
        ("   ", "", "a term such as"),
        ("status>=500 AND", "", "a term such as"),
        ("AND a", "AND", "a term such as"),
        ("()", ")", "a term such as"),
        ("a b", "b", "`AND` or `OR` is missing"),
        ("a \"b\"\"c\"", "\"", "`AND` or `OR` is missing"),
        ("a AND b OR c", "OR", "`(a AND b) OR c` or `a AND (b OR c)`"),
        ("a OR b OR x=1 AND c", "x", "there is no field `x`"),
        ("a OR b OR \"x y\" AND c", "AND", "`(a OR b OR \"x y\") AND c` or `a OR b OR (\"x y\" AND c)`"),
        ("(a AND b", "(", "never closed"),
        ("a AND b)", ")", "no `(`"),
        ("any(a", "(", "never closed"),
        ("user IN (a", "(", "never closed"),
        ("user IN (a b)", "b", "IN takes values"),
        ("user IN a", "a", "IN takes values"),
        ("user IN ()", "", "a value is missing"),
        ("path=\"/x", "\"", "quote is never closed"),
        ("path=/x\\", "\\", "behind this `\\`"),
        ("=5", "=", "a field is missing"),
        ("::1", ":", "a field is missing"),
        ("statsu=500", "statsu", "near it are status"),
        ("é AND requests>5", "requests", "near it are session.requests"),
        ("any=1", "any", "there is no field `any`"),
        ("zzzzzz=1", "zzzzzz", "there is no field `zzzzzz`; /api"),
        ("param.=1", "param.", "there is no field"),
        ("status:5", ":", "`status` does not take this; it takes =, !=, <"),
        ("path>5", ">", "`path` does not take this; it takes =, !=, IN"),
        ("status ! 5", "!", "does not take this"),
        ("status=", "", "a value is missing"),
        ("status>=700", "700", "`700` is no status; those are 0 to 599"),
        ("status=6xx", "6xx", "no status"),
        ("status>5xx", "5xx", "with =, != and IN"),
        ("status=\"5*\"", "\"5*\"", "no status"),
        ("status==500", "==", "one `=`"),
        ("duration>500", "500", "500ms"),
        ("duration>1.5s", "1.5s", "500ms"),
        ("session.duration>300000000d", "300000000d", "no duration"),
        ("bytes_in>1t", "1t", "64k"),
        ("session.requests>-1", "-1", "whole number"),
        ("session.requests>18446744073709551616", "18446744073709551616", "whole number"),
        ("ts>yesterday", "yesterday", "RFC 3339"),
        ("ts>2026-03-10", "2026-03-10", "RFC 3339"),
        ("ip=10.0.0.0/33", "10.0.0.0/33", "10.0.0.0/8"),
        ("ip=10.0.0/8", "10.0.0/8", "10.0.0.0/8"),
        ("ip=10.0.0.0/+8", "10.0.0.0/+8", "10.0.0.0/8"),
        ("ip=256.1.1.1", "256.1.1.1", "10.0.0.0/8"),
        ("id=123", "123", "32 hex digits"),
        ("session.mcp=yes", "yes", "`true` or `false`"),
        ("count(a)", "count(a)", "count(status=404)>20"),
        ("count(a):*", "count(a):*", "count(status=404)>20"),
        ("count(a)>b", "b", "whole number"),
        ("any(session.requests>5)", "session.requests>5", "outside"),
        ("any(a AND any(b))", "any(b)", "outside"),
        (&deep, "a", "16 deep"),
        (&many, "a", "more than 64 terms"),
        (&values, "a", "more than 256 values"),
        (&long, &long[MAX_TEXT..], "it has 100007 bytes; a filter may have 8192"),
    ];
    for (text, place, message) in cases {
        let bad = Filter::parse(text).unwrap_err();
        assert_eq!(&text[bad.offset..bad.offset + bad.length], place, "{text}: {bad:?}");
        assert!(bad.to_string().contains(message), "{text}: {bad}");
    }
}

#[test]
fn globs_match_what_they_say() {
    for (pattern, text, expected) in [
        ("a*c", "abbc", true),
        ("a*c", "abcd", false),
        ("*b*", "abc", true),
        ("?", "é", true),
        ("?", "", false),
        ("*", "", true),
        ("a\\*", "a*", true),
        ("a\\*", "ab", false),
        ("*a?b*", "xaab", true),
        ("*ab*ab", "abab", true),
        ("%", "x", false),
        ("_", "x", false),
    ] {
        let Expr::Term(_, Test::OneOf(values)) = Filter::parse(&format!("path=\"{pattern}\"")).unwrap().root else {
            panic!("{pattern}")
        };
        let [Value::Text(read)] = values.as_slice() else { panic!("{pattern}") };
        assert_eq!(read.matches(text), expected, "{pattern} {text}");
    }
    assert!(Pattern::literal("ÉCLAIR?").is_contained_in("an éclair?"));
}

#[test]
fn networks_hold_addresses_and_smaller_networks_of_their_family() {
    for (network, text, expected) in [
        ("10.0.0.0/8", "10.255.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("10.0.0.0/8", "10.1.2.0/24", true),
        ("10.1.2.0/25", "10.1.2.0/24", false),
        ("0.0.0.0/0", "255.255.255.255", true),
        ("0.0.0.0/0", "::1", false),
        ("::/0", "10.0.0.1", false),
        ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("fe80::/10", "febf::1", true),
        ("192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.70", false),
        ("0.0.0.0/0", "", false),
        ("0.0.0.0/0", "unix:", false),
        ("::/0", "00000000000000000000000000000001", false),
    ] {
        let network: Network = network.parse().unwrap();
        assert_eq!(network.holds(text), expected, "{network} {text}");
    }
}

#[test]
fn a_term_speaks_of_one_request_and_calls_of_its_part() {
    let request = |status, path: &str| crate::model::Request { status, path: path.into(), ..Default::default() };
    let requests = [request(500, "/a"), request(200, "/b"), request(404, "/b")];
    let seen: Vec<_> = requests.iter().map(|request| Seen { request, user: None, role: None }).collect();
    let facts = crate::model::SessionPart { requests: 3, last_seen: Micros(60_000_000), ..Default::default() };
    let matched = |text: &str| {
        let filter = Filter::parse(text).unwrap();
        let part = Part { facts: &facts, requests: &seen };
        seen.iter().filter(|seen| filter.matches(**seen, Some(part))).count()
    };
    for (text, expected) in [
        ("status=500 AND path=/b", 0),
        ("any(status=500) AND path=/b", 2),
        ("status=500 OR path=/b", 3),
        ("NOT path=/b", 1),
        ("none(path=/b)", 0),
        ("none(path=/c)", 3),
        ("count(path=/b)=2", 3),
        ("count(path=/b)>2", 0),
        ("session.requests>=3 AND status=404", 1),
        ("session.requests>3 OR status=404", 1),
        ("session.duration=1m", 3),
        ("country=DE", 0),
        ("country!=DE", 3),
        ("upstream<1s", 0),
        ("upstream:*", 0),
        ("path:*", 3),
        ("host:*", 0),
    ] {
        assert_eq!(matched(text), expected, "{text}");
    }
}
