//! An event of the wire as a row of the store.

use serde::Serializer;
use wire::{Event, Who as WireWho};

use crate::endpoints::Endpoints;
use crate::model::{self, Id, KeyCount, Micros, Request};
use crate::store::{Arrival, Row};

/// The row of an event that started at `ts` (`claimed` says what the sender said).
pub(super) fn row(event: &Event, arrival: Arrival, claimed: Micros, ts: Micros, endpoints: &Endpoints) -> Row {
    let (shape, endpoint) = endpoints.learn(&event.method, &event.host, &event.path, event.status);
    let id = match event.id {
        id if id == [0; 16] => place_id(arrival, claimed),
        id => Id(id),
    };
    let request = Request {
        id,
        session_id: Id(event.sid),
        ts,
        node: event.node.to_string(),
        application: event.app.to_string(),
        method: event.method.to_string(),
        scheme: event.scheme.to_string(),
        host: event.host.to_string(),
        path: event.path.to_string(),
        proto: event.proto.to_string(),
        endpoint,
        status: event.status,
        duration_us: event.dur,
        upstream_us: event.up,
        bytes_in: event.bytes_in,
        bytes_out: event.bytes_out,
        ip: event.ip.to_string(),
        country: None,
        network: None,
        network_label: None,
        noise: false,
        user_agent: event.ua.to_string(),
        key: KeyCount {
            source: event.key.source.to_string(),
            name: event.key.name.to_string(),
            value: event.key.value.to_string(),
            hashed: event.key.hashed,
            requests: None,
        },
        params: event.ctx.iter().map(param).collect(),
        mcp: event.mcp.as_ref().map(|mcp| model::Mcp {
            method: mcp.method.to_string(),
            primitive: mcp.primitive.to_string(),
            arguments: mcp.arguments.as_ref().map(ToString::to_string),
            error: mcp.error.as_ref().map(ToString::to_string),
        }),
        gql: event
            .gql
            .as_ref()
            .map(|gql| model::Graphql { kind: gql.kind.to_string(), operation: gql.operation.to_string() }),
        attacks: event.attacks.iter().map(attack).collect(),
        labels: Vec::new(),
        usual: None,
        conn: event.conn,
        n: event.n,
    };
    Row {
        arrival,
        request,
        shape: Some(shape),
        told_by_id: event.seq.is_none(),
        clock_ahead: ts != claimed,
        kid: event.kid,
        user: event.user.as_ref().map(who),
        role: event.role.as_ref().map(who),
        full: event.full.as_ref().map(|full| full.to_vec()),
        extra: extra(event),
    }
}

/// Bytes of memory that a row takes, roughly.
pub(super) fn cost(row: &Row) -> usize {
    let Request {
        node,
        application,
        method,
        scheme,
        host,
        path,
        proto,
        endpoint,
        ip,
        user_agent,
        key,
        params,
        mcp,
        gql,
        attacks,
        ..
    } = &row.request;
    let lengths = |texts: &[&String]| texts.iter().map(|text| text.len()).sum::<usize>();
    let param = |p: &model::Param| size_of::<model::Param>() + lengths(&[&p.source, &p.name, &p.kind, &p.value]);
    let attack = |a: &model::Attack| size_of::<model::Attack>() + lengths(&[&a.kind, &a.point, &a.payload, &a.engine]);
    let calls = mcp
        .iter()
        .flat_map(|mcp| [Some(&mcp.method), Some(&mcp.primitive), mcp.arguments.as_ref(), mcp.error.as_ref()]);
    let operations = gql.iter().flat_map(|gql| [Some(&gql.kind), Some(&gql.operation)]);
    size_of::<Row>()
        + lengths(&[node, application, method, scheme, host, path, proto, endpoint, ip, user_agent])
        + lengths(&[&key.source, &key.name, &key.value])
        + params.iter().map(param).sum::<usize>()
        + attacks.iter().map(attack).sum::<usize>()
        + calls.chain(operations).flatten().map(String::len).sum::<usize>()
        + row.user.iter().chain(&row.role).map(|who| who.value.len()).sum::<usize>()
        + row.full.iter().chain(&row.extra).map(Vec::len).sum::<usize>()
}

/// An id for a request that came without one: its place in the log, in the layout of a UUIDv7.
fn place_id(arrival: Arrival, claimed: Micros) -> Id {
    let millis = u128::from(claimed.0.unsigned_abs() / 1000) & 0xffff_ffff_ffff;
    let place = (u128::from(arrival.pos) << 26 | u128::from(arrival.ordinal & 0x3ff_ffff)) & ((1 << 74) - 1);
    let (high, low) = (place >> 62, place & ((1 << 62) - 1));
    Id((millis << 80 | 7 << 76 | high << 64 | 2 << 62 | low).to_be_bytes())
}

fn who(who: &WireWho) -> model::Who {
    model::Who { value: who.value.to_string(), hashed: who.hashed }
}

fn param(param: &wire::Param) -> model::Param {
    model::Param {
        source: param.source.to_string(),
        name: param.name.to_string(),
        kind: param.kind.as_str().to_owned(),
        value: param.value.to_string(),
        hashed: param.hashed,
    }
}

fn attack(attack: &wire::Attack) -> model::Attack {
    model::Attack {
        kind: attack.kind.to_string(),
        point: attack.point.to_string(),
        payload: attack.payload.to_string(),
        engine: attack.engine.to_string(),
        blocked: attack.blocked,
    }
}

/// Keys that this version does not know, as a MessagePack map.
fn extra(event: &Event) -> Option<Vec<u8>> {
    if event.extra.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut out);
    let written = serializer.collect_map(event.extra.iter().map(|(name, value)| (name, value)));
    written.is_ok().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_without_an_id_get_one_that_tells_their_time_and_place() {
        let id = |pos, ordinal| place_id(Arrival { pos, ordinal }, Micros(1_700_000_000_123_456)).0;
        assert_ne!(id(1, 0), id(0, 1));
        assert_ne!(id(1 << 40, 5), id(1 << 40, 6));
        let id = id(u64::MAX, u32::MAX);
        assert_eq!(u64::from_be_bytes([0, 0, id[0], id[1], id[2], id[3], id[4], id[5]]), 1_700_000_000_123);
        assert_eq!((id[6] >> 4, id[8] >> 6), (7, 2));
    }
}
