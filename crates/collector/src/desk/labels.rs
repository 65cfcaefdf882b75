//! Labels.

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::audit::{self, Done};
use super::{By, Desk, DeskError, Kind, Subject, id, know, limits, room};
use crate::model::{Id, Micros};

/// A label on a session or a request.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Label {
    /// Its text.
    pub label: String,
    /// Who gave it.
    pub author: String,
    /// When.
    pub at: Micros,
}

/// A label and how often it is given.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LabelCount {
    /// Its text.
    pub label: String,
    /// Sessions that have it.
    pub sessions: i64,
    /// Requests that have it.
    pub requests: i64,
}

impl Desk {
    /// All labels in use, by name.
    pub async fn labels(&self) -> Result<Vec<LabelCount>, DeskError> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT label, count(*) FILTER (WHERE kind = 'session'), count(*) FILTER (WHERE kind = 'request') \
             FROM labels GROUP BY label ORDER BY label",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(label, sessions, requests)| LabelCount { label, sessions, requests }).collect())
    }

    /// The labels of one session or request, by name.
    pub async fn labels_on(&self, kind: Kind, on: Id) -> Result<Vec<Label>, DeskError> {
        let rows: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT label, author, at FROM labels WHERE kind = ? AND subject = ? ORDER BY label")
                .bind(kind.word())
                .bind(on.to_string())
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(label, author, at)| Label { label, author, at: Micros(at) }).collect())
    }

    /// The labels of many; those without any are left out.
    pub async fn labels_of(
        &self,
        kind: Kind,
        ids: impl IntoIterator<Item = Id>,
    ) -> Result<BTreeMap<Id, Vec<String>>, DeskError> {
        let ids: HashSet<String> = ids.into_iter().map(|id| id.to_string()).collect();
        let ids = serde_json::Value::from_iter(ids);
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT subject, label FROM labels \
             WHERE kind = ? AND subject IN (SELECT value FROM json_each(?)) ORDER BY subject, label",
        )
        .bind(kind.word())
        .bind(ids.to_string())
        .fetch_all(&self.pool)
        .await?;
        let mut labels: BTreeMap<Id, Vec<String>> = BTreeMap::new();
        for (on, label) in rows {
            labels.entry(id(&on)?).or_default().push(label);
        }
        Ok(labels)
    }

    /// Up to `limit` of the sessions and requests that have one of these labels.
    pub async fn labelled(&self, labels: &[String], limit: usize) -> Result<Vec<(Kind, Id)>, DeskError> {
        let labels = serde_json::Value::from_iter(labels.iter().cloned());
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT DISTINCT kind, subject FROM labels WHERE label IN (SELECT value FROM json_each(?)) LIMIT ?",
        )
        .bind(labels.to_string())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        let kind = |word: &str| if word == Kind::Request.word() { Kind::Request } else { Kind::Session };
        rows.into_iter().map(|(word, on)| Ok((kind(&word), id(&on)?))).collect()
    }

    /// Gives a label; says whether it is new there.
    pub async fn add_label(&self, subject: Subject, label: &str, by: &By) -> Result<bool, DeskError> {
        let on = subject.id.to_string();
        let mut change = self.change().await?;
        know(&mut change, &subject).await?;
        let (given, here, known): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE label = ?3), count(*), (SELECT count(*) FROM labels WHERE label = ?3) \
             FROM labels WHERE kind = ?1 AND subject = ?2",
        )
        .bind(subject.kind.word())
        .bind(&on)
        .bind(label)
        .fetch_one(&mut *change)
        .await?;
        if given > 0 {
            return Ok(false);
        }
        room(here, limits::LABELS, "labels here")?;
        if known == 0 {
            let (different,): (i64,) =
                sqlx::query_as("SELECT count(DISTINCT label) FROM labels").fetch_one(&mut *change).await?;
            room(different, limits::DIFFERENT_LABELS, "different labels")?;
        }
        sqlx::query("INSERT INTO labels (kind, subject, label, author, at) VALUES (?, ?, ?, ?, ?)")
            .bind(subject.kind.word())
            .bind(&on)
            .bind(label)
            .bind(&by.who)
            .bind(by.at.0)
            .execute(&mut *change)
            .await?;
        let done =
            Done { action: "label.add", kind: subject.kind.word(), subject: &on, before: None, after: Some(label) };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Takes a label away; says whether it was there.
    pub async fn remove_label(&self, kind: Kind, on: Id, label: &str, by: &By) -> Result<bool, DeskError> {
        let on = on.to_string();
        let mut change = self.change().await?;
        let removed = sqlx::query("DELETE FROM labels WHERE kind = ? AND subject = ? AND label = ?")
            .bind(kind.word())
            .bind(&on)
            .bind(label)
            .execute(&mut *change)
            .await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        let done = Done { action: "label.remove", kind: kind.word(), subject: &on, before: Some(label), after: None };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(true)
    }
}
