//! Gives bytes to one decoder, as a request's body would, and watches that nothing panics and that
//! memory stays within bounds. `FUZZ_TARGET` names the decoder; `scripts/fuzz` sets it.
#![no_main]

mod memory;

use std::sync::{Arc, OnceLock};

use capture::{
    Body, ContextSpec, Extractor, Format, NodeFacts, Plan, PlanSpec, Reason, Side, Slot, Snapshot, Source,
};
use libfuzzer_sys::fuzz_target;
use wire::ParamKind;

/// What one input may take.
const MEMORY_LIMIT: usize = 16 << 20;
/// The longest body that a plan looks at by default.
const BODY_LIMIT: usize = capture::DEFAULT_BODY_LIMIT;

/// A decoder, what its inputs are called, and sources that take all that it can give.
struct Target {
    name: &'static str,
    content_type: &'static str,
    encoding: &'static str,
    sources: &'static [&'static str],
}

const fn target(name: &'static str, content_type: &'static str, sources: &'static [&'static str]) -> Target {
    Target { name, content_type, encoding: "", sources }
}

const fn coding(name: &'static str) -> Target {
    Target { name, content_type: "application/json", encoding: name, sources: &["request.body", "request.body.json.a"] }
}

const TARGETS: [Target; 16] = [
    target(
        "json",
        "application/json",
        &["request.body.json.a", "request.body.json.a.b", "request.body.json.*.a", "request.body.json.a.0.*.b"],
    ),
    target("form", "application/x-www-form-urlencoded", &["request.body.form.a", "request.body.form.\"b[c]\""]),
    target("multipart", "multipart/form-data; boundary=b", &["request.body.multipart.a", "request.body.multipart.f"]),
    target("multipart-bare", "", &["request.body.multipart.a"]),
    target("xml", "text/xml", &["request.body.xml.a", "request.body.xml.a.b", "request.body.xml.a.b.@c"]),
    target(
        "graphql",
        "application/json",
        &[
            "request.body.graphql.operation",
            "request.body.graphql.type",
            "request.body.graphql.arg.a.b",
            "request.body.graphql.arg.a.b.c.0",
            "request.body.graphql.var.a.b",
        ],
    ),
    target(
        "graphql-query",
        "",
        &["request.query.graphql.operation", "request.query.graphql.arg.a.b", "request.query.graphql.var.a"],
    ),
    target("jwt", "", &["request.body.jwt.payload.sub", "request.body.jwt.header.a.b"]),
    target("base64", "", &["request.body.base64", "request.body.base64.base64.json.a"]),
    target("percent", "", &["request.body.percent", "request.body.percent.form.a"]),
    target("bearer", "", &["request.body.bearer", "request.body.bearer.jwt.payload.sub"]),
    coding("gzip"),
    coding("deflate"),
    coding("br"),
    coding("zstd"),
    target("source", "", &[]),
];

static TARGET: OnceLock<Option<(&'static Target, Arc<Plan>)>> = OnceLock::new();

fuzz_target!(init: { TARGET.get_or_init(chosen); }, |data: &[u8]| {
    match TARGET.get().and_then(Option::as_ref) {
        Some((target, _)) if target.name == "source" => parse(data),
        Some((target, plan)) => extract(target, plan, data),
        None => panic!("FUZZ_TARGET is one of: {}", TARGETS.map(|target| target.name).join(", ")),
    }
});

fn chosen() -> Option<(&'static Target, Arc<Plan>)> {
    let name = std::env::var("FUZZ_TARGET").ok()?;
    static ALL: &[Target] = &TARGETS;
    let target = ALL.iter().find(|target| target.name == name)?;
    let contexts = target.sources.iter().map(|text| ContextSpec {
        text: (*text).to_owned(),
        source: Source::parse(text).expect("a source"),
        name: (*text).to_owned(),
        kind: ParamKind::Context,
        hash: false,
    });
    Some((target, Arc::new(Plan::new(PlanSpec { contexts: contexts.collect(), ..PlanSpec::default() }))))
}

/// The source parser: any text is a source or an error that says something, and a source names a value.
fn parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Source::parse(text) {
        Ok(_) => assert!(!Source::default_name(text).is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Reads all sources of a body that is whole, and of the same body cut there.
fn extract(target: &Target, plan: &Arc<Plan>, data: &[u8]) {
    let data = data.get(..BODY_LIMIT).unwrap_or(data);
    let node = NodeFacts { name: "fuzz".into(), secret: identity::Secret::from_file_bytes(b"fuzz") };
    for cut in [false, true] {
        let mut snapshot = Snapshot::default();
        snapshot.reset(plan);
        snapshot.put(Slot::TARGET, &[b"/?", data].concat());
        for (slot, text) in
            [(Side::Request.content_type(), target.content_type), (Side::Request.content_encoding(), target.encoding)]
        {
            if !text.is_empty() {
                snapshot.put(slot, text.as_bytes());
            }
        }
        snapshot.put_body(Side::Request, Body { bytes: data.to_vec(), cut });
        let mut extractor = Extractor::new(node.clone());
        let before = memory::start();
        let event = extractor.extract(plan, &snapshot);
        let peak = memory::peak() - before;
        assert!(peak <= MEMORY_LIMIT, "takes {peak} bytes");
        assert!(event.ctx.iter().all(|param| param.value.len() <= 1024), "a shown value is longer than 1 KiB");
        if !cut {
            let cuts: u64 = Format::ALL.iter().map(|format| extractor.undecoded().get(*format, Reason::Cut)).sum();
            assert!(cuts == 0 || !target.encoding.is_empty(), "a whole body counts as cut");
        }
    }
}
