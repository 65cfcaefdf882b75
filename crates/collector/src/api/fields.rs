//! What filters can ask for, and which values there are.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::params::Params;
use super::{Api, Problem};
use crate::desk::LabelCount;
use crate::filter::{FIELDS, Field, FieldInfo, Level};
use crate::model::CommonValue;
use crate::store::CommonQuery;

/// Values that are told of a field.
const VALUES: usize = 20;

#[derive(Serialize, JsonSchema)]
pub(super) struct Fields {
    fields: Vec<ToldField>,
}

/// A field of filters.
#[derive(Serialize, JsonSchema)]
struct ToldField {
    /// As it is written in a filter; `param.NAME` stands for all parameters.
    name: String,
    /// Other names that it has.
    also: Vec<&'static str>,
    /// `text`, `status`, `number`, `size`, `duration`, `time`, `id`, `ip` or `flag`.
    r#type: &'static str,
    /// `request`, or `session` for facts of the part of a session.
    of: &'static str,
    /// What may follow it; `:` is contains, `:*` has a value.
    operators: &'static [&'static str],
    /// What it means.
    meaning: &'static str,
    /// Its commonest values in the window, if it was asked for them; of `label` all that there are, with how many
    /// sessions and requests have them.
    values: Option<Vec<CommonValue>>,
}

impl Fields {
    pub(super) fn example() -> Self {
        let info = Field::Status.info();
        let values = Some(vec![CommonValue { value: "200".to_owned(), requests: 1204 }]);
        Self { fields: vec![told(info, info.name.to_owned(), values)] }
    }
}

fn told(info: &'static FieldInfo, name: String, values: Option<Vec<CommonValue>>) -> ToldField {
    ToldField {
        name,
        also: info.also.to_vec(),
        r#type: info.kind.name(),
        of: match info.level {
            Level::Request => "request",
            Level::Session => "session",
        },
        operators: info.kind.operators(),
        meaning: info.meaning,
        values,
    }
}

/// `GET /fields`: all fields, or with `values` one of them with its commonest values.
pub(super) async fn list(State(api): State<Api>, params: Params) -> Result<Json<Fields>, Problem> {
    let params = params.only(&["from", "to", "values", "timeout", "query_id"])?;
    let api = api.within(&params)?;
    let window = params.asked()?.window(api.oldest());
    let Some(name) = params.text("values") else {
        let all = FIELDS.iter().map(|info| told(info, info.name.to_owned(), None));
        return Ok(Json(Fields { fields: all.collect() }));
    };
    let no_values = || {
        let names = FIELDS.iter().filter(|info| info.has_values()).map(|info| info.name);
        let names = names.collect::<Vec<_>>().join(", ");
        let name: String = name.chars().take(64).collect();
        Problem::parameter("values", format!("`{name}` is no field whose values are counted; those are {names}"))
    };
    let field = Field::named(name).filter(|field| field.info().has_values()).ok_or_else(no_values)?;
    if field == Field::Label {
        let values = api.common_labels().await?;
        return Ok(Json(Fields { fields: vec![told(field.info(), field.to_string(), Some(values))] }));
    }
    let query = CommonQuery { field: field.clone(), window, as_of: api.shared.store.position(), limit: VALUES };
    let values = api.ask(move |store| store.common_values(&query)).await?;
    Ok(Json(Fields { fields: vec![told(field.info(), field.to_string(), Some(values))] }))
}

impl Api {
    /// The labels that most sessions and requests have.
    async fn common_labels(&self) -> Result<Vec<CommonValue>, Problem> {
        let count = |label: LabelCount| {
            let requests = u64::try_from(label.sessions.saturating_add(label.requests)).unwrap_or_default();
            CommonValue { value: label.label, requests }
        };
        let mut values: Vec<_> = self.shared.desk.labels().await?.into_iter().map(count).collect();
        // Stable, so that equally common ones stay in their order.
        values.sort_by_key(|value| Reverse(value.requests));
        values.truncate(VALUES);
        Ok(values)
    }
}
