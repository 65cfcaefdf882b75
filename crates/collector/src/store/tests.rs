//! What every store promises, asked of both.

use std::path::Path;

use proptest::prelude::*;

use super::duckdb::{DuckStore, Limits};
use super::memory::MemoryStore;
use super::*;
use crate::filter::tests::filter;
use crate::filter::{Expr, Filter};
use crate::model::{Attack, Graphql, KeyCount, Mcp, Param, Who};

const FIRST_DAY: i32 = 20_000;

fn open(dir: &Path) -> Result<DuckStore, StoreError> {
    DuckStore::open(dir, &dir.join("tmp"), Limits { memory: 256 << 20, threads: 2, chunk_rows: 7 })
}

/// A request made of small numbers, so that values meet often.
fn row(pos: Position, ordinal: u32, seed: u64) -> Row {
    let pick = |shift: u32, of: u64| (seed >> shift) % of;
    let maybe = |shift: u32, of: u64| Some(pick(shift, of + 1)).filter(|&n| n < of);
    let day = FIRST_DAY + pick(0, 3) as i32;
    let who = |n: u64| Who { value: format!("who-{}", n / 2), hashed: n % 2 == 1 };
    let (host, method, path) = (format!("h{}", pick(3, 2)), format!("M{}", pick(5, 3)), format!("/{}", pick(7, 9)));
    let session = pick(10, 4) as u8;
    let id = u128::from(pos) << 64 | u128::from(ordinal);
    Row {
        arrival: Arrival { pos, ordinal },
        request: Request {
            id: Id(id.to_be_bytes()),
            session_id: Id([session * 77; 16]),
            ts: Micros(Day(day).start().0 + 3_600_000_000 + pick(12, 7) as i64 * 1_000_000),
            node: ["edge", "a", "100%", "'; DROP TABLE requests; --"][pick(56, 4) as usize].into(),
            application: ["", "shop", "bank"][pick(14, 3) as usize].into(),
            endpoint: format!("{method} {host}{path}"),
            method,
            scheme: "https".into(),
            host,
            path,
            proto: "HTTP/1.1".into(),
            status: [200, 201, 404, 500, 0][pick(16, 5) as usize],
            duration_us: seed >> pick(24, 64),
            upstream_us: maybe(18, 3),
            bytes_in: [1, u64::MAX][pick(20, 2) as usize],
            bytes_out: pick(21, 1000),
            ip: format!("192.0.2.{}", pick(23, 14)),
            country: maybe(53, 3).map(|n| format!("C{n}")),
            network: maybe(55, 6).map(|n| format!("AS{n} {}", ["Hetzner", "Example"][n as usize % 2])),
            network_label: None,
            noise: pick(58, 2) == 1,
            user_agent: ["", "curl", "nul\0 é \u{10FFFF}"][pick(25, 3) as usize].into(),
            key: KeyCount {
                source: "cookie:sid".into(),
                name: "sid".into(),
                value: pick(27, 7).to_string(),
                hashed: pick(29, 2) == 1,
                requests: None,
            },
            params: (0..pick(30, 3))
                .map(|n| Param {
                    source: "request.query.a".into(),
                    name: format!("p{n}"),
                    kind: "context".into(),
                    value: n.to_string(),
                    hashed: n == 1,
                })
                .collect(),
            mcp: maybe(32, 1).map(|_| Mcp { method: "tools/call".into(), error: Some("e".into()), ..Mcp::default() }),
            gql: maybe(34, 1).map(|_| Graphql { kind: "query".into(), operation: String::new() }),
            attacks: (0..pick(36, 3))
                .map(|n| Attack { kind: ["sqli", "xss"][n as usize].into(), blocked: n == 0, ..Attack::default() })
                .collect(),
            labels: Vec::new(),
            usual: None,
            conn: pick(38, 3),
            n: pick(40, 3),
        },
        told_by_id: pick(42, 2) == 1,
        user: maybe(44, 12).map(who),
        role: maybe(48, 3).map(who),
        full: maybe(52, 1).map(|_| b"GET /".to_vec()),
        ..Row::default()
    }
}

/// A batch of `rows` in log records `from..to`, by day.
fn batch(from: Position, to: Position, rows: impl IntoIterator<Item = Row>) -> Batch {
    let mut batch = Batch { from, to, ..Batch::default() };
    for row in rows {
        let seq = SeqRange { instance: [1; 8], first: row.arrival.pos, last: row.arrival.pos };
        let day = batch.days.entry(row.request.ts.day()).or_default();
        day.seqs.push(seq);
        day.rows.push(row);
    }
    batch
}

/// The batch with the shapes of its rows, but for some: those of files of an earlier version.
fn shaped(mut batch: Batch, store: &dyn Store) -> Batch {
    for row in batch.days.values_mut().flat_map(|day| &mut day.rows).filter(|row| row.request.noise) {
        let Request { method, host, path, status, .. } = &row.request;
        row.shape = Some(store.endpoints().learn(method, host, path, *status).0);
    }
    batch
}

/// Batches of one log record each, with a row for each seed.
fn batches(seeds: &[Vec<u64>]) -> Vec<Batch> {
    let rows = |pos, seeds: &[u64]| (0..).zip(seeds).map(|(n, &seed)| row(pos, n, seed)).collect::<Vec<_>>();
    (0..).zip(seeds).map(|(pos, seeds)| batch(pos, pos + 1, rows(pos, seeds))).collect()
}

fn window(from: i64, to: i64) -> Window {
    let moment = |hours: i64| Micros(Day(FIRST_DAY).start().0 + hours * 3_600_000_000);
    Window { from: moment(from), to: moment(to) }
}

/// States and windows of questions.
fn states(store: &dyn Store) -> [(Position, Window, Option<bool>); 4] {
    let seconds = Window { from: window(1, 0).from, to: Micros(window(1, 0).from.0 + 3_000_000) };
    [
        (u64::MAX, Window::ALL, None),
        (store.position() / 2, Window::ALL, Some(true)),
        (u64::MAX, window(1, 26), Some(false)),
        (u64::MAX, seconds, None),
    ]
}

/// What is counted of a day, of all its stretches.
fn figures(store: &dyn Store, day: Day) -> HashMap<ShapeId, Figures> {
    let (mut all, mut from): (HashMap<ShapeId, Figures>, _) = (HashMap::new(), 0);
    loop {
        let stretch = store.figures(day, from).unwrap();
        stretch.shapes.iter().for_each(|(&shape, figures)| all.entry(shape).or_default().unite(figures));
        if !stretch.more {
            return all;
        }
        assert!(stretch.to > from);
        from = stretch.to;
    }
}

/// Walks all pages.
fn sessions_of_both(memory: &dyn Store, duck: &dyn Store, mut query: SessionsQuery) {
    let whole = memory.count_sessions(&query).unwrap();
    assert_eq!(duck.count_sessions(&query).unwrap(), whole, "{query:?}");
    let mut walked = SessionsCount::default();
    loop {
        let page = memory.sessions(&query).unwrap();
        assert_eq!(page, duck.sessions(&query).unwrap(), "{query:?}");
        walked.shown += page.parts.len() as u64;
        walked.hidden += page.hidden;
        if !page.more {
            break;
        }
        query.after = page.parts.last().map(|last| query.order.place(last));
    }
    assert_eq!(walked, whole, "{query:?}");
}

fn requests_of_both(memory: &dyn Store, duck: &dyn Store, mut query: RequestsQuery) {
    loop {
        let page = memory.requests(&query).unwrap();
        assert_eq!(page, duck.requests(&query).unwrap(), "{query:?}");
        let left = memory.count_requests(&query).unwrap();
        assert_eq!(duck.count_requests(&query).unwrap(), left, "{query:?}");
        let until = RequestsQuery { until: page.next, ..query.clone() };
        let until = [memory, duck].map(|store| store.count_requests(&until).unwrap());
        // What stands at the end of the page is not counted.
        assert_eq!(until, [page.requests.len() as u64 - u64::from(page.next.is_some()); 2], "{query:?}");
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
}

fn ask_both(memory: &dyn Store, duck: &dyn Store, pages: usize, filter: &Filter) {
    assert_eq!(memory.rows(), duck.rows());
    assert_eq!(memory.newest(), duck.newest());
    assert_eq!(memory.position(), duck.position());
    assert_eq!(memory.rows_by_day(), duck.rows_by_day());
    for day in (0..4).map(|n| Day(FIRST_DAY + n)) {
        assert_eq!(figures(memory, day), figures(duck, day));
    }
    assert_eq!(memory.resume().unwrap().seqs, duck.resume().unwrap().seqs);
    let orders =
        [SessionsBy::LastSeen, SessionsBy::FirstSeen, SessionsBy::Requests, SessionsBy::Duration, SessionsBy::BytesOut];
    let mut orders =
        orders.into_iter().flat_map(|by| [false, true].map(|ascending| SessionsOrder { by, ascending })).cycle();
    for (as_of, window, mcp) in states(memory) {
        let without_noise = filter.clone().and(Filter::noise(false));
        for filter in
            [None, Some(filter.clone()), Some(without_noise), Some(Filter::noise(false)), Some(Filter::noise(true))]
        {
            let narrowed = window != Window::ALL || mcp.is_some() || filter.is_some();
            let count_hidden =
                filter.as_ref().is_some_and(|filter| filter.terms().last().and_then(Expr::is_noise) == Some(false));
            let order = orders.next().unwrap();
            let (after, limit) = (None, pages);
            sessions_of_both(
                memory,
                duck,
                SessionsQuery { window, mcp, filter, narrowed, order, as_of, after, limit, count_hidden },
            );
        }
        for session in [0, 77, 154, 231].map(|n| Id([n; 16])) {
            for visit_gap in [1, 2_000_000, 86_400_000_000] {
                let query = StoryQuery { session, as_of, visit_gap };
                assert_eq!(memory.stories(&query).unwrap(), duck.stories(&query).unwrap());
            }
            for limit in [1, 9] {
                let query = RelatedQuery { session, as_of, limit };
                assert_eq!(memory.related(&query).unwrap(), duck.related(&query).unwrap());
            }
            assert_eq!(memory.parts(session, as_of).unwrap(), duck.parts(session, as_of).unwrap());
        }
        for (session, descending) in [(None, true), (Some(Id([0; 16])), false), (Some(Id([77; 16])), true)] {
            let filter = Some(Filter::noise(descending)).filter(|_| as_of == u64::MAX);
            let query =
                RequestsQuery { session, window, filter, descending, as_of, limit: pages, ..RequestsQuery::default() };
            requests_of_both(memory, duck, query);
        }
    }
    for after in [None, Some(Arrival::default()), Some(Arrival { pos: 2, ordinal: 1 })] {
        for filter in [None, Some(filter.clone())] {
            let query = TailQuery { after, filter, limit: 5, ..TailQuery::default() };
            assert_eq!(memory.tail(&query).unwrap(), duck.tail(&query).unwrap(), "{query:?}");
            assert_eq!(memory.behind(&query).unwrap(), duck.behind(&query).unwrap(), "{query:?}");
        }
    }
    let ids: Vec<_> =
        memory.tail(&TailQuery { limit: 20, ..TailQuery::default() }).unwrap().requests.iter().map(|r| r.id).collect();
    assert_eq!(memory.known(&ids).unwrap(), duck.known(&ids).unwrap());
    for &id in ids.iter().chain([&Id([9; 16])]) {
        assert_eq!(memory.request(id).unwrap(), duck.request(id).unwrap());
    }
}

/// Statistics in both, by each dimension and some pairs, whole and in steps.
fn count_in_both(memory: &dyn Store, duck: &dyn Store, pages: usize) {
    let metrics = Metric::ALL.map(|(_, metric)| metric).to_vec();
    let dimensions: Vec<_> = Dimension::all().collect();
    let pairs = dimensions.iter().zip(dimensions.iter().skip(pages)).map(|(a, b)| vec![a.clone(), b.clone()]);
    let singles = dimensions.iter().map(|by| vec![by.clone()]);
    let status = Filter::parse("status>=400 OR session.requests>3").unwrap();
    for (n, group_by) in std::iter::once(Vec::new()).chain(singles).chain(pairs).enumerate() {
        let query = StatsQuery {
            session: [None, Some(Id([77; 16]))][n % 5 / 4],
            window: [Window::ALL, window(1, 26)][n % 3 / 2],
            filter: [None, Some(status.clone())][n % 4 / 3].clone(),
            as_of: [u64::MAX, memory.position() / 2][n % 7 / 6],
            group_by,
            top: [pages, 2][n % 2],
            metrics: if n % 6 == 5 { Vec::new() } else { metrics.clone() },
            bucket: [None, Some(60_000_000)][n % 2],
        };
        let found = memory.stats(&query).unwrap();
        assert_eq!(found, duck.stats(&query).unwrap(), "{query:?}");
        for group in found.groups.iter().filter(|_| query.metrics.is_empty() || n % 8 == 0) {
            let terms = query.group_by.iter().zip(&group.values).map(|(by, value)| by.filter(value.as_deref()));
            let all = query.filter.clone().map(Some).into_iter().chain(terms).reduce(|a, b| Some(a?.and(b?)));
            let Some(Some(filter)) = all else { continue };
            let shown = StatsQuery { filter: Some(filter), group_by: Vec::new(), ..query.clone() };
            let shown = duck.stats(&shown).unwrap();
            assert_eq!(shown.groups[0].measures.requests, group.measures.requests, "{query:?} {group:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_files_answer_like_plain_memory(
        seeds in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..20), 1..6),
        again in 0usize..6,
        checkpoints in any::<u8>(),
        forget in 0i32..3,
        pages in 3usize..20,
        filter in filter(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let memory = MemoryStore::default();
        let mut duck = open(dir.path()).unwrap();
        for (n, batch) in batches(&seeds).iter().enumerate() {
            memory.apply(&shaped(batch.clone(), &memory)).unwrap();
            duck.apply(&shaped(batch.clone(), &duck)).unwrap();
            if checkpoints >> n & 1 == 1 {
                // Session rows are made then.
                duck.checkpoint().unwrap();
            }
            if n == again {
                // The log is read again from the last checkpoint: nothing of it may count twice.
                memory.checkpoint().unwrap();
                duck.checkpoint().unwrap();
                drop(duck);
                duck = open(dir.path()).unwrap();
                duck.apply(&shaped(batch.clone(), &duck)).unwrap();
                memory.apply(&shaped(batch.clone(), &memory)).unwrap();
            }
        }
        ask_both(&memory, &duck, pages, &filter);
        count_in_both(&memory, &duck, pages);
        let day = Day(FIRST_DAY + forget);
        prop_assert_eq!(memory.forget_before(day).unwrap(), duck.forget_before(day).unwrap());
        ask_both(&memory, &duck, pages, &filter);
        duck.check().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_finds_in_the_files_what_it_finds_in_plain_memory(
        seeds in prop::collection::vec(any::<u64>(), 10..40),
        filters in prop::collection::vec(filter(), 16),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (memory, duck) = (MemoryStore::default(), open(dir.path()).unwrap());
        for batch in batches(&[seeds]) {
            memory.apply(&shaped(batch.clone(), &memory)).unwrap();
            duck.apply(&shaped(batch, &duck)).unwrap();
        }
        for info in crate::filter::FIELDS.iter().filter(|info| info.has_values()) {
            let field = match &info.field {
                crate::filter::Field::Param(_) => crate::filter::Field::Param("p0".into()),
                field => field.clone(),
            };
            let query = CommonQuery { field, window: window(1, 26), as_of: 1, limit: 5 };
            prop_assert_eq!(memory.common_values(&query).unwrap(), duck.common_values(&query).unwrap(), "{}", info.name);
        }
        for filter in filters {
            let text = filter.to_string();
            for window in [Window::ALL, window(1, 26)] {
                let filter = Some(filter.clone());
                let query = SessionsQuery { window, filter, narrowed: true, as_of: 1, limit: 99, ..SessionsQuery::default() };
                let found = memory.sessions(&query).unwrap().parts;
                if window == Window::ALL {
                    prop_assert_eq!(&found, &duck.sessions(&query).unwrap().parts, "{}", text);
                }
                prop_assert_eq!(duck.count_sessions(&query).unwrap().shown, found.len() as u64, "{}", text);
                let without_noise = query.filter.clone().map(|filter| filter.and(Filter::noise(false)));
                let hiding = SessionsQuery { filter: without_noise, count_hidden: true, limit: 2, ..query.clone() };
                prop_assert_eq!(memory.sessions(&hiding).unwrap(), duck.sessions(&hiding).unwrap(), "{}", text);
                for session in [None, found.first().map(|part| part.id)] {
                    let filter = query.filter.clone();
                    let query = RequestsQuery { session, window, filter, as_of: 1, limit: 99, ..RequestsQuery::default() };
                    let page = memory.requests(&query).unwrap();
                    prop_assert_eq!(&page, &duck.requests(&query).unwrap(), "{}", text);
                    let matched: u64 = found.iter().filter_map(|part| part.matched).sum();
                    prop_assert!(session.is_some() || page.requests.len() as u64 == matched, "{}", text);
                }
            }
            let query = TailQuery { filter: Some(filter), limit: 99, ..TailQuery::default() };
            prop_assert_eq!(memory.tail(&query).unwrap(), duck.tail(&query).unwrap(), "{}", text);
        }
    }
}

/// Requests of which many are alike but for their paths, which are all different.
fn alike(pos: Position, seeds: &[u8]) -> Batch {
    let rows = (0..).zip(seeds).map(|(ordinal, &seed)| {
        let mut row = row(pos, ordinal, 0);
        let request = &mut row.request;
        request.id = Id([seed & 1; 16]);
        request.ts = Micros(Day(FIRST_DAY + i32::from(seed >> 1 & 1)).start().0 + i64::from(seed >> 2 & 1));
        (request.conn, request.n) = (u64::from(seed >> 3 & 1), 0);
        request.path = format!("/{pos}/{ordinal}");
        let value = "v".repeat(usize::from(seed));
        request.params = (0..seed % 3).map(|_| Param { value: value.clone(), ..Param::default() }).collect();
        row
    });
    batch(pos, pos + 1, rows)
}

fn paths(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.path.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn walking_all_pages_gives_every_request_once_however_many_are_alike_and_however_large_they_are(
        seeds in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..4),
        limit in 1usize..7,
        bytes in 1u64..2000,
        descending in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (memory, duck) = (MemoryStore::default(), open(dir.path()).unwrap());
        for (pos, seeds) in (0..).zip(&seeds) {
            memory.apply(&alike(pos, seeds)).unwrap();
            duck.apply(&alike(pos, seeds)).unwrap();
        }
        let of = |limit, bytes| RequestsQuery { descending, as_of: u64::MAX, limit, bytes, ..RequestsQuery::default() };
        let all = memory.requests(&of(usize::MAX, u64::MAX)).unwrap().requests;
        prop_assert_eq!(all.len(), seeds.iter().map(Vec::len).sum::<usize>());
        for store in [&memory as &dyn Store, &duck] {
            let (mut walked, mut query) = (Vec::new(), of(limit, bytes));
            loop {
                let page = store.requests(&query).unwrap();
                prop_assert!((1..=limit).contains(&page.requests.len()));
                walked.extend(page.requests);
                query.after = page.next;
                if page.next.is_none() {
                    break;
                }
            }
            prop_assert_eq!(paths(&walked), paths(&all));
            prop_assert_eq!(&walked, &all);
            for filter in [None, Some(Filter::parse("path=\"/*\"").unwrap())] {
                let mut query = TailQuery { after: Some(Arrival::default()), filter, limit, bytes };
                let (mut arrived, mut more) = (Vec::new(), true);
                while more {
                    let page = store.tail(&query).unwrap();
                    arrived.extend(page.requests);
                    (query.after, more) = (page.last, page.more);
                }
                let all: Vec<_> = memory.all_rows().into_iter().skip(1).map(|row| row.request.path).collect();
                prop_assert_eq!(paths(&arrived), all);
            }
            let newest = store.tail(&TailQuery { after: None, filter: None, limit, bytes }).unwrap();
            let all: Vec<_> = memory.all_rows().into_iter().map(|row| row.request.path).collect();
            prop_assert!(!newest.requests.is_empty() && all.ends_with(&paths(&newest.requests)));
        }
    }
}

#[test]
fn a_page_of_large_requests_ends_early_and_very_long_values_are_not_among_the_commonest() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, duck) = (MemoryStore::default(), open(dir.path()).unwrap());
    let long = "x".repeat(3 << 20);
    let rows = (0..9).map(|n| {
        let mut row = row(0, n, 0);
        row.request.params = vec![Param { name: "p".into(), value: long.clone(), ..Param::default() }];
        (row.request.path, row.request.user_agent) = (format!("/{n}"), long.clone());
        row
    });
    let batch = batch(0, 1, rows);
    memory.apply(&batch).unwrap();
    duck.apply(&batch).unwrap();
    let mut query = RequestsQuery { as_of: 1, limit: 1000, ..RequestsQuery::default() };
    let mut sizes = Vec::new();
    loop {
        let page = duck.requests(&query).unwrap();
        sizes.push(page.requests.len());
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!((sizes.iter().sum::<usize>(), sizes.iter().max()), (9, Some(&2)), "{sizes:?}");
    for field in [crate::filter::Field::UserAgent, crate::filter::Field::Param("p".into())] {
        let query = CommonQuery { field, window: Window::ALL, as_of: 1, limit: 5 };
        assert_eq!(memory.common_values(&query).unwrap(), []);
        assert_eq!(duck.common_values(&query).unwrap(), []);
    }
}

#[test]
fn hostile_texts_in_a_filter_are_looked_for_and_never_change_the_query() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, duck) = (MemoryStore::default(), open(dir.path()).unwrap());
    let hostile = [
        "'; DROP TABLE requests; --",
        "\"",
        "''",
        "%",
        "_",
        "\\",
        "\\%",
        "nul\0nul",
        "\u{202E}",
        "?",
        "$1",
        "*",
        "{day}",
        "') OR true --",
        "{ids}",
        "{arrivals}",
        "\n",
        "é",
        "\u{10FFFF}",
    ];
    let rows = (0..).zip(hostile).map(|(n, text)| {
        let mut row = row(0, n, 0);
        row.request.path = text.into();
        row.request.user_agent = text.into();
        row.request.params = vec![Param { name: text.into(), value: text.into(), ..Param::default() }];
        row
    });
    let batch = batch(0, 1, rows);
    memory.apply(&batch).unwrap();
    duck.apply(&batch).unwrap();
    for text in hostile {
        let quoted = crate::filter::Pattern::literal(text);
        for filter in [
            format!("path={quoted}"),
            format!("user_agent IN ({quoted},{quoted}) AND path={quoted}"),
            format!("param.{quoted}={quoted}"),
            format!("param.{quoted}:* AND ua:{quoted} AND path={quoted}"),
            format!("any(path={quoted}) AND count(path={quoted})=1 AND path={quoted}"),
        ] {
            let filter = Some(Filter::parse(&filter).unwrap());
            let query = RequestsQuery { filter, as_of: 1, limit: 99, ..RequestsQuery::default() };
            let paths: Vec<_> = duck.requests(&query).unwrap().requests.into_iter().map(|r| r.path).collect();
            assert_eq!(paths, [text], "{query:?}");
            assert_eq!(memory.requests(&query).unwrap(), duck.requests(&query).unwrap());
        }
    }
    assert_eq!(duck.rows(), hostile.len() as u64);
    duck.check().unwrap();
}

#[test]
fn walking_all_pages_while_requests_come_gives_every_session_of_the_snapshot_once() {
    let dir = tempfile::tempdir().unwrap();
    let (memory, duck) = (MemoryStore::default(), open(dir.path()).unwrap());
    // Each record has requests of old sessions and of new ones, on three days.
    let record = |pos: Position| {
        let rows = (0..12).map(|n| {
            let mut row = row(pos, n, (pos * 12 + u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            row.request.session_id = Id([(pos * u64::from(n) % 97) as u8; 16]);
            row
        });
        batch(pos, pos + 1, rows)
    };
    for pos in 0..30 {
        memory.apply(&record(pos)).unwrap();
        duck.apply(&record(pos)).unwrap();
    }
    let as_of = duck.position();
    let orders = [SessionsBy::LastSeen, SessionsBy::Requests, SessionsBy::Duration].into_iter();
    let orders = orders.flat_map(|by| [false, true].map(|ascending| SessionsOrder { by, ascending }));
    std::thread::scope(|scope| {
        let ingest = scope.spawn(|| {
            for pos in 30..90 {
                duck.apply(&record(pos)).unwrap();
                duck.checkpoint().unwrap();
            }
        });
        for (walks, order) in orders.clone().cycle().enumerate() {
            if walks >= orders.clone().count() && ingest.is_finished() {
                break;
            }
            let all = SessionsQuery { as_of, order, limit: usize::MAX >> 1, ..SessionsQuery::default() };
            let expected = memory.sessions(&all).unwrap().parts;
            let mut query = SessionsQuery { limit: 11, ..all };
            let mut walked = Vec::new();
            loop {
                let page = duck.sessions(&query).unwrap().parts;
                let Some(last) = page.last() else { break };
                query.after = Some(order.place(last));
                walked.extend(page);
            }
            assert_eq!(walked, expected, "{order:?}");
        }
    });
    assert_eq!(duck.rows(), 90 * 12);
}

/// The rows of one session: day, and who it names.
fn named_rows(rows: &[(i32, Option<&str>)]) -> Batch {
    let named = (0..).zip(rows).map(|(n, &(day, user))| {
        let mut row = Row { user: user.map(|u| Who { value: u.into(), hashed: false }), ..row(0, n, 0) };
        row.role = row.user.clone();
        row.request.ts = Micros(Day(FIRST_DAY + day).start().0 + i64::from(n));
        row
    });
    batch(0, 1, named)
}

#[test]
fn a_user_names_the_session_on_later_days_too_and_on_earlier_ones_when_it_had_none_yet() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Store>; 2] = [Box::new(MemoryStore::default()), Box::new(open(dir.path()).unwrap())];
    let rows = [(0, None), (1, Some("ada")), (1, Some("bela")), (1, None), (2, None), (3, Some("cleo")), (4, None)];
    for store in stores {
        store.apply(&named_rows(&rows)).unwrap();
        let query = SessionsQuery { as_of: 1, limit: 9, ..SessionsQuery::default() };
        for parts in [store.sessions(&query).unwrap().parts, store.parts(Id([0; 16]), 1).unwrap()] {
            let who = |who: &Option<Who>| who.as_ref().map(|who| who.value.clone()).unwrap_or_default();
            let told: Vec<_> = parts.iter().map(|part| (who(&part.user), who(&part.role), part.user_count)).collect();
            let expected = [("cleo", 0), ("cleo", 1), ("bela", 0), ("bela", 2), ("bela", 0)];
            assert_eq!(told, expected.map(|(who, count)| (who.to_owned(), who.to_owned(), count)));
        }
    }
}

#[test]
fn of_many_visits_and_changes_the_first_are_told_and_all_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Store>; 2] = [Box::new(MemoryStore::default()), Box::new(open(dir.path()).unwrap())];
    let mut rows = batch(0, 1, (0..150).map(|n| row(0, n, 0)));
    for (n, row) in (0..).zip(rows.days.values_mut().flat_map(|day| &mut day.rows)) {
        row.request.ts.0 += n * 60_000_000;
        row.request.ip = format!("192.0.2.{n}");
    }
    let session = rows.days.values().next().unwrap().rows[0].request.session_id;
    for store in stores {
        store.apply(&rows).unwrap();
        let stories = store.stories(&StoryQuery { session, as_of: 1, visit_gap: 60_000_000 }).unwrap();
        let story = stories.values().next().unwrap();
        assert_eq!(
            (story.visit_count, story.visits.len(), story.change_count, story.changes.len()),
            (150, 100, 149, 50)
        );
        assert_eq!((story.visits[99].idle_ms, story.changes[0].value.as_str()), (Some(60_000), "192.0.2.1"));
        let none = store.stories(&StoryQuery { session: Id([9; 16]), as_of: 1, visit_gap: 1 }).unwrap();
        assert!(none.is_empty());
    }
}

#[test]
fn days_that_are_forgotten_leave_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let duck = open(dir.path()).unwrap();
    duck.apply(&batch(0, 1, (0..9).map(|n| row(0, n as u32, n)))).unwrap();
    duck.checkpoint().unwrap();
    assert_eq!(duck.forget_before(Day(FIRST_DAY + 2)).unwrap(), [Day(FIRST_DAY), Day(FIRST_DAY + 1)]);
    drop(duck);
    let mut left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("duckdb"))
        .collect();
    left.sort();
    assert!(left.iter().all(|name| name.starts_with(&Day(FIRST_DAY + 2).to_string())), "{left:?}");
    assert_eq!(open(dir.path()).unwrap().rows(), 3);
}

#[test]
fn files_that_lost_what_they_held_are_made_anew_from_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let whole = batch(0, 1, (0..9).map(|n| row(0, n as u32, n)));
    let duck = open(dir.path()).unwrap();
    duck.apply(&whole).unwrap();
    duck.checkpoint().unwrap();
    drop(duck);
    let file = |day| dir.path().join(format!("{}.duckdb", Day(day)));
    std::fs::remove_file(file(FIRST_DAY)).unwrap();
    std::fs::write(file(FIRST_DAY + 1), b"not a database").unwrap();

    let duck = open(dir.path()).unwrap();
    assert_eq!((duck.resume().unwrap().complete, duck.rows()), (0, 3));
    duck.apply(&whole).unwrap();
    assert_eq!(duck.checkpoint().unwrap(), 1);
    let mended = duck.mended();
    assert_eq!((duck.rows(), mended.files_made_anew, mended.lost_requests), (9, 2, 0));
}

#[test]
fn a_batch_of_which_one_day_was_written_before_a_crash_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let whole = batch(0, 1, (0..9).map(|n| row(0, n as u32, n)));
    let mut half = whole.clone();
    half.days.pop_last();
    let duck = open(dir.path()).unwrap();
    duck.apply(&half).unwrap();
    drop(duck);
    let duck = open(dir.path()).unwrap();
    assert_eq!(duck.resume().unwrap().complete, 0);
    duck.apply(&whole).unwrap();
    assert_eq!(duck.rows(), 9);
}
