//! Reads three JSON sources each way of bodies of 1 KiB, as often as asked: for callgrind.

use std::sync::Arc;

use capture::{Body, ContextSpec, Extractor, NodeFacts, Plan, PlanSpec, Side, Slot, Snapshot, Source};

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let with = std::env::args().nth(2).as_deref() != Some("without");
    let sources = ["request.body.json.user.email", "request.body.json.id", "response.body.json.data.token"];
    let contexts = sources.iter().filter(|_| with).map(|text| ContextSpec {
        text: (*text).into(),
        source: Source::parse(text).expect("a source"),
        name: Source::default_name(text),
        kind: wire::ParamKind::Context,
        hash: false,
    });
    let plan = Arc::new(Plan::new(PlanSpec { contexts: contexts.collect(), ..PlanSpec::default() }));
    let items: Vec<_> = (0..9)
        .map(|n| serde_json::json!({"sku": format!("A-{n}00"), "quantity": n, "price": 19.99, "note": "gift wrapped, please"}))
        .collect();
    let body = serde_json::json!({
        "items": items, "data": {"token": "tok_0123456789abcdef"}, "id": "ord-77", "user": {"name": "Ann", "email": "ann@example.com"},
    });
    let body = body.to_string().into_bytes();
    eprintln!("{} bytes", body.len());
    let node = NodeFacts { name: "n".into(), secret: identity::Secret::from_file_bytes(b"s") };
    let mut snapshot = Snapshot::default();
    let mut extractor = Extractor::new(node);
    let mut out = Vec::new();
    for _ in 0..rounds {
        snapshot.reset(&plan);
        snapshot.put(Slot::TARGET, b"/orders");
        for side in [Side::Request, Side::Response] {
            snapshot.put(side.content_type(), b"application/json");
            snapshot.put_body(side, Body { bytes: body.clone(), cut: false });
        }
        out.clear();
        extractor.extract(&plan, &snapshot).encode(&mut out);
    }
    eprintln!("{} bytes of event", out.len());
}
