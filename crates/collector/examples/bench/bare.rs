//! The engine alone, on the same files.

use std::path::Path;
use std::time::Instant;

use duckdb::{Config, Connection};

use super::figure::{Figure, p95};
use super::server::Failure;

/// How often each is asked.
const RUNS: usize = 5;

/// All days, attached.
pub struct Bare(Connection);

impl Bare {
    pub fn open(days: &Path) -> Result<Self, Failure> {
        let connection = Connection::open_in_memory_with_flags(Config::default().max_memory("512MB")?.threads(2)?)?;
        let mut names = Vec::new();
        for entry in std::fs::read_dir(days)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            if let Some(day) = name.strip_suffix(".duckdb") {
                connection.execute_batch(&format!("ATTACH '{}' AS \"{day}\" (READ_ONLY)", path.display()))?;
                names.push(day.to_owned());
            }
        }
        for table in ["requests", "params"] {
            let all: Vec<_> = names.iter().map(|day| format!("SELECT * FROM \"{day}\".{table}")).collect();
            connection.execute_batch(&format!("CREATE VIEW {table} AS {}", all.join(" UNION ALL ")))?;
        }
        Ok(Self(connection))
    }

    /// Milliseconds of a figure's SQL, p95.
    pub fn time(&self, figure: &Figure, session: &str) -> Result<f64, Failure> {
        let sql = figure.sql(session);
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let began = Instant::now();
            let mut statement = self.0.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(p95(times))
    }
}
