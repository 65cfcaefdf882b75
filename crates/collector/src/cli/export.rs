//! `api-sessions export`: a whole list as CSV or NDJSON.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::client::{Client, Counts};
use super::filter::Filtered;
use super::table::counted;
use super::{CliError, Where};
use crate::model::Id;

/// How often the number of rows is told.
const TELL: Duration = Duration::from_secs(1);

/// Writes a list.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    server: Where,
    /// Which list
    #[arg(value_enum)]
    list: List,
    /// Only this session, its parts or its requests: its id, 32 hex digits
    #[arg(long, value_name = "ID")]
    session: Option<Id>,
    /// Only what is from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only what is before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    filtered: Filtered,
    /// What the rows are written as
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// File that is written; it has its name when it is whole; `-` is the standard output [default: -]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum List {
    /// Parts of sessions, the last seen first
    Sessions,
    /// Requests, of all sessions or of one
    Requests,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line of names, then a line for each row; cells that a spreadsheet would take for formulas begin with '
    Csv,
    /// A JSON object a line
    Ndjson,
}

impl Export {
    pub(super) async fn run(mut self) -> Result<ExitCode, CliError> {
        self.output = self.output.filter(|file| file != Path::new("-"));
        if self.output.is_none() && io::stdout().is_terminal() {
            let reason = "values of clients could write to this terminal: name a file with --output, or pipe them on";
            return Err(io::Error::other(reason).into());
        }
        if let Some(file) = self.output.as_ref().filter(|file| !self.force && file.exists()) {
            let reason = format!("{} is there already: --force replaces it", file.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason).into());
        }
        let client = self.server.client().await?;
        let (list, filtered) = match (self.list, self.session) {
            (List::Requests, Some(id)) => (format!("/sessions/{id}/requests"), self.filtered),
            (List::Requests, None) => ("/requests".to_owned(), self.filtered),
            (List::Sessions, Some(id)) => {
                // A session that is not there is to be an error, not an empty list.
                client.get(&format!("/sessions/{id}"), &[]).await?;
                ("/sessions".to_owned(), self.filtered.of_session(id))
            }
            (List::Sessions, None) => ("/sessions".to_owned(), self.filtered),
        };
        let (suffix, heads) = match self.format {
            Format::Csv => ("csv", 1),
            Format::Ndjson => ("ndjson", 0),
        };
        let mut parameters: Vec<(&str, String)> = Vec::new();
        parameters.extend(self.from.map(|from| ("from", from)));
        parameters.extend(self.to.map(|to| ("to", to)));
        parameters.extend(filtered.parameters());
        let mut progress = Progress::new(heads);
        match self.output {
            Some(file) => {
                let part = part(&file);
                let mut out = BufWriter::new(File::create(&part).map_err(named(&part))?);
                let written = write(&client, &format!("{list}.{suffix}"), &parameters, &mut out, &mut progress).await;
                if let Err(error) = written.and_then(|()| Ok(out.get_ref().sync_all().map_err(named(&part))?)) {
                    let _ = std::fs::remove_file(&part);
                    return Err(error);
                }
                std::fs::rename(&part, &file).map_err(named(&file))?;
            }
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                write(&client, &format!("{list}.{suffix}"), &parameters, &mut out, &mut progress).await?;
            }
        }
        progress.end();
        Ok(ExitCode::SUCCESS)
    }
}

async fn write(
    client: &Client,
    path: &str,
    parameters: &[(&str, String)],
    out: &mut impl Write,
    progress: &mut Progress,
) -> Result<(), CliError> {
    let take = |piece: &[u8], counts: Counts| {
        progress.counts = counts;
        out.write_all(piece)?;
        progress.seen(piece);
        Ok(())
    };
    client.export(path, parameters, take).await??;
    Ok(out.flush()?)
}

/// Where a file is written until it is whole.
fn part(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn named(file: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// Tells on the standard error how many rows there are, if that is a terminal, and at the end anyhow.
struct Progress {
    /// Ends of lines outside of quotes, those before the rows included.
    lines: u64,
    heads: u64,
    quoted: bool,
    counts: Counts,
    told: Instant,
    terminal: bool,
}

impl Progress {
    fn new(heads: u64) -> Self {
        Self {
            lines: 0,
            heads,
            quoted: false,
            counts: Counts::default(),
            told: Instant::now(),
            terminal: io::stderr().is_terminal(),
        }
    }

    fn seen(&mut self, piece: &[u8]) {
        for byte in piece {
            // In CSV a quoted cell may hold ends of lines; a row of NDJSON holds none, and quotes in pairs,
            // those escaped aside.
            match byte {
                b'"' if self.heads > 0 => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.lines += 1,
                _ => {}
            }
        }
        if self.terminal && self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let rows = match self.counts.total {
                Some(total) => format!("{} of {}", self.rows(), counted(total, "row")),
                None => counted(self.rows(), "row"),
            };
            let _ = write!(io::stderr(), "\r{rows}");
        }
    }

    fn rows(&self) -> u64 {
        self.lines.saturating_sub(self.heads)
    }

    fn end(&self) {
        let begin = if self.terminal { "\r" } else { "" };
        let hidden = self.counts.hidden.filter(|hidden| *hidden > 0);
        let hidden = hidden.map(|hidden| format!(", {hidden} hidden as noise")).unwrap_or_default();
        let _ = writeln!(io::stderr(), "{begin}{}{hidden}", counted(self.rows(), "row"));
    }
}
