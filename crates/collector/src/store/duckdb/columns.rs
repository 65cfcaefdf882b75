//! Rows as Arrow columns, in the order of the tables in `sql`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;

use super::halves;
use crate::endpoints::Shape;
use crate::store::{DayBatch, Row, SeqRange};

/// What one batch appends to the tables of a day.
pub(super) struct Columns {
    pub requests: RecordBatch,
    pub params: RecordBatch,
    pub attacks: RecordBatch,
    pub seqs: RecordBatch,
    pub shapes: RecordBatch,
}

impl Columns {
    /// The batch's rows, and the shapes that are new to the day.
    pub(super) fn of(batch: &DayBatch, new_shapes: &[Shape]) -> Result<Self, ArrowError> {
        Ok(Self {
            requests: requests(&batch.rows)?,
            params: params(&batch.rows)?,
            attacks: attacks(&batch.rows)?,
            seqs: seqs(&batch.seqs)?,
            shapes: shapes(new_shapes)?,
        })
    }
}

fn requests(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let u64s = |of: fn(&Row) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(rows.iter().map(of))) };
    let texts = |of: fn(&Row) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let maybe_texts =
        |of: fn(&Row) -> Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let maybe_bools =
        |of: fn(&Row) -> Option<bool>| -> ArrayRef { Arc::new(BooleanArray::from_iter(rows.iter().map(of))) };
    let maybe_bytes =
        |of: fn(&Row) -> Option<&[u8]>| -> ArrayRef { Arc::new(BinaryArray::from_iter(rows.iter().map(of))) };
    RecordBatch::try_from_iter_with_nullable([
        ("pos", u64s(|r| r.arrival.pos), false),
        ("ordinal", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| r.arrival.ordinal))), false),
        ("ts", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.request.ts.0))), false),
        ("sid_hi", u64s(|r| halves(r.request.session_id).0), false),
        ("sid_lo", u64s(|r| halves(r.request.session_id).1), false),
        ("id_hi", u64s(|r| halves(r.request.id).0), false),
        ("id_lo", u64s(|r| halves(r.request.id).1), false),
        ("conn", u64s(|r| r.request.conn), false),
        ("n", u64s(|r| r.request.n), false),
        ("node", texts(|r| &r.request.node), false),
        ("app", texts(|r| &r.request.application), false),
        ("kid", Arc::new(UInt32Array::from_iter_values(rows.iter().map(|r| u32::from_be_bytes(r.kid)))), false),
        ("host", texts(|r| &r.request.host), false),
        ("method", texts(|r| &r.request.method), false),
        ("scheme", texts(|r| &r.request.scheme), false),
        ("path", texts(|r| &r.request.path), false),
        ("proto", texts(|r| &r.request.proto), false),
        ("status", Arc::new(UInt16Array::from_iter_values(rows.iter().map(|r| r.request.status))), false),
        ("duration", u64s(|r| r.request.duration_us), false),
        ("upstream", Arc::new(UInt64Array::from_iter(rows.iter().map(|r| r.request.upstream_us))), true),
        ("bytes_in", u64s(|r| r.request.bytes_in), false),
        ("bytes_out", u64s(|r| r.request.bytes_out), false),
        ("ip", texts(|r| &r.request.ip), false),
        ("ua", texts(|r| &r.request.user_agent), false),
        ("key_source", texts(|r| &r.request.key.source), false),
        ("key_name", texts(|r| &r.request.key.name), false),
        ("key_value", texts(|r| &r.request.key.value), false),
        ("key_hashed", maybe_bools(|r| Some(r.request.key.hashed)), false),
        ("user_value", maybe_texts(|r| r.user.as_ref().map(|w| w.value.as_str())), true),
        ("user_hashed", maybe_bools(|r| r.user.as_ref().map(|w| w.hashed)), true),
        ("role_value", maybe_texts(|r| r.role.as_ref().map(|w| w.value.as_str())), true),
        ("role_hashed", maybe_bools(|r| r.role.as_ref().map(|w| w.hashed)), true),
        ("mcp_method", maybe_texts(|r| r.request.mcp.as_ref().map(|m| m.method.as_str())), true),
        ("mcp_primitive", maybe_texts(|r| r.request.mcp.as_ref().map(|m| m.primitive.as_str())), true),
        ("mcp_arguments", maybe_texts(|r| r.request.mcp.as_ref().and_then(|m| m.arguments.as_deref())), true),
        ("mcp_error", maybe_texts(|r| r.request.mcp.as_ref().and_then(|m| m.error.as_deref())), true),
        ("gql_kind", maybe_texts(|r| r.request.gql.as_ref().map(|g| g.kind.as_str())), true),
        ("gql_operation", maybe_texts(|r| r.request.gql.as_ref().map(|g| g.operation.as_str())), true),
        ("told_by_id", maybe_bools(|r| Some(r.told_by_id)), false),
        ("clock_ahead", maybe_bools(|r| Some(r.clock_ahead)), false),
        ("content", maybe_bytes(|r| r.full.as_deref()), true),
        ("extra", maybe_bytes(|r| r.extra.as_deref()), true),
        ("shape", Arc::new(UInt64Array::from_iter(rows.iter().map(|r| r.shape.map(|shape| shape.0)))), true),
        ("country", maybe_texts(|r| r.request.country.as_deref()), true),
        ("network", maybe_texts(|r| r.request.network.as_deref()), true),
        ("noise", maybe_bools(|r| Some(r.request.noise)), true),
    ])
}

/// One item of each row's list, with its row and its index in the list.
fn each<T>(rows: &[Row], list: fn(&Row) -> &Vec<T>) -> Vec<(&Row, u32, &T)> {
    rows.iter().flat_map(|row| (0..).zip(list(row)).map(move |(idx, item)| (row, idx, item))).collect()
}

fn place<T>(items: &[(&Row, u32, T)]) -> [(&'static str, ArrayRef, bool); 3] {
    [
        ("pos", Arc::new(UInt64Array::from_iter_values(items.iter().map(|(row, _, _)| row.arrival.pos))), false),
        (
            "ordinal",
            Arc::new(UInt32Array::from_iter_values(items.iter().map(|(row, _, _)| row.arrival.ordinal))),
            false,
        ),
        ("idx", Arc::new(UInt32Array::from_iter_values(items.iter().map(|(_, idx, _)| *idx))), false),
    ]
}

fn texts<T>(items: &[(&Row, u32, &T)], of: fn(&T) -> &String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(items.iter().map(|(_, _, item)| of(item))))
}

fn params(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let items = each(rows, |row| &row.request.params);
    let hashed = BooleanArray::from_iter(items.iter().map(|(_, _, p)| Some(p.hashed)));
    let own: [(&str, ArrayRef, bool); 5] = [
        ("source", texts(&items, |p| &p.source), false),
        ("name", texts(&items, |p| &p.name), false),
        ("kind", texts(&items, |p| &p.kind), false),
        ("value", texts(&items, |p| &p.value), false),
        ("hashed", Arc::new(hashed), false),
    ];
    RecordBatch::try_from_iter_with_nullable(place(&items).into_iter().chain(own))
}

fn attacks(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let items = each(rows, |row| &row.request.attacks);
    let sid = |of: fn((u64, u64)) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(items.iter().map(|(row, _, _)| of(halves(row.request.session_id)))))
    };
    let blocked = BooleanArray::from_iter(items.iter().map(|(_, _, a)| Some(a.blocked)));
    let own: [(&str, ArrayRef, bool); 7] = [
        ("sid_hi", sid(|(hi, _)| hi), false),
        ("sid_lo", sid(|(_, lo)| lo), false),
        ("kind", texts(&items, |a| &a.kind), false),
        ("point", texts(&items, |a| &a.point), false),
        ("payload", texts(&items, |a| &a.payload), false),
        ("engine", texts(&items, |a| &a.engine), false),
        ("blocked", Arc::new(blocked), false),
    ];
    RecordBatch::try_from_iter_with_nullable(place(&items).into_iter().chain(own))
}

fn shapes(shapes: &[Shape]) -> Result<RecordBatch, ArrowError> {
    let texts =
        |of: fn(&Shape) -> &String| -> ArrayRef { Arc::new(StringArray::from_iter_values(shapes.iter().map(of))) };
    let ids = UInt64Array::from_iter_values(shapes.iter().map(|shape| shape.id().0));
    let learned = BooleanArray::from_iter(shapes.iter().map(|shape| Some(shape.learned)));
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, false),
        ("method", texts(|s| &s.method), false),
        ("host", texts(|s| &s.host), false),
        ("path", texts(|s| &s.path), false),
        ("learned", Arc::new(learned), false),
    ])
}

fn seqs(seqs: &[SeqRange]) -> Result<RecordBatch, ArrowError> {
    let u64s = |of: fn(&SeqRange) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(seqs.iter().map(of))) };
    RecordBatch::try_from_iter_with_nullable([
        ("instance", u64s(|s| u64::from_be_bytes(s.instance)), false),
        ("first", u64s(|s| s.first), false),
        ("last", u64s(|s| s.last), false),
    ])
}
