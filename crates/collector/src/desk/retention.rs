//! What goes when the store has forgotten what it is on.

use super::audit::{self, Done};
use super::{By, Desk, DeskError, Kind, id};
use crate::model::{Day, Id};

impl Desk {
    /// Some of the sessions and requests that were last known on a day before `oldest`. A session may have
    /// gone on since: ask the store, then [`prolong`](Self::prolong) or [`forget`](Self::forget) each.
    pub async fn outdated(&self, oldest: Day, limit: usize) -> Result<Vec<(Kind, Id)>, DeskError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT kind, id FROM subjects WHERE last_day < ? ORDER BY last_day LIMIT ?")
                .bind(oldest.0)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await?;
        let kind = |word: &str| if word == Kind::Request.word() { Kind::Request } else { Kind::Session };
        rows.into_iter().map(|(word, text)| Ok((kind(&word), id(&text)?))).collect()
    }

    /// Notes that a session has been seen until `last_day`.
    pub async fn prolong(&self, kind: Kind, on: Id, last_day: Day) -> Result<(), DeskError> {
        sqlx::query("UPDATE subjects SET last_day = max(last_day, ?) WHERE kind = ? AND id = ?")
            .bind(last_day.0)
            .bind(kind.word())
            .bind(on.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Removes all notes and labels of a session or request that is no longer kept. Their texts go from
    /// the audit too, also of those that were taken off before; that they were there stays.
    pub async fn forget(&self, kind: Kind, on: Id, by: &By) -> Result<(), DeskError> {
        let on = on.to_string();
        let mut change = self.change().await?;
        sqlx::query("DELETE FROM subjects WHERE kind = ? AND id = ?")
            .bind(kind.word())
            .bind(&on)
            .execute(&mut *change)
            .await?;
        sqlx::query("UPDATE audit SET before = NULL, after = NULL WHERE kind = ? AND subject = ?")
            .bind(kind.word())
            .bind(&on)
            .execute(&mut *change)
            .await?;
        let done = Done { action: "expire", kind: kind.word(), subject: &on, before: None, after: None };
        audit::write(&mut change, by, done).await?;
        change.commit().await?;
        Ok(())
    }
}
