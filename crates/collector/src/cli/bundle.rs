//! `api-sessions session ID --bundle FILE`: an evidence bundle, made and brought here.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::Client;
use super::table::{counted, escape};
use super::{CliError, print};
use crate::model::Id;

/// A file whose name asks for a form that bundles have.
#[derive(Clone, Debug)]
pub(super) struct Target {
    file: PathBuf,
    form: &'static str,
}

impl Target {
    /// The file as it was named.
    pub(super) fn of(file: PathBuf) -> Result<Self, String> {
        let ending = file.extension().and_then(|ending| ending.to_str());
        match ["html", "ndjson"].into_iter().find(|form| ending == Some(form)) {
            Some(form) => Ok(Self { file, form }),
            None => Err("a bundle is written as .html or .ndjson".to_owned()),
        }
    }
}

/// Makes a bundle of the session and writes the form of it that the file's name asks for.
pub(super) async fn run(client: &Client, session: Id, Target { file, form }: &Target) -> Result<ExitCode, CliError> {
    // Made first: what cannot be written is to cost no bundle.
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(named)?;
    let written = write(client, session, form, &mut out).await;
    if written.is_err() {
        let _ = std::fs::remove_file(file);
    }
    let made = written?;
    let text = |value: &Value| escape(value.as_str().unwrap_or_default());
    print(&format!(
        "bundle {} with {} ({} left out), BLAKE3 {}\n",
        text(&made["id"]),
        counted(made["requests"].as_u64().unwrap_or_default(), "request"),
        made["requests_left_out"],
        text(&made["blake3"][*form])
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn write(client: &Client, session: Id, form: &str, out: &mut impl Write) -> Result<Value, CliError> {
    let made = client.post(&format!("/sessions/{session}/bundles"), &json!({})).await?;
    let path = format!("/bundles/{}.{form}", made["id"].as_str().unwrap_or_default());
    client.file(&path, |piece| out.write_all(piece)).await??;
    out.flush()?;
    Ok(made)
}
