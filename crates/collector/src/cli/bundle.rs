//! `api-sessions session ID --bundle FILE`: an evidence bundle, made and brought here.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::client::Client;
use super::table::escape;
use super::{CliError, print};
use crate::model::Id;

/// Makes a bundle of the session and writes the form of it that the file's name asks for.
pub(super) async fn run(client: &Client, session: Id, file: &Path) -> Result<ExitCode, CliError> {
    let form = file.extension().and_then(|form| form.to_str()).filter(|form| matches!(*form, "html" | "ndjson"));
    let Some(form) = form else {
        let detail = format!("{}: a bundle is written as .html or .ndjson", file.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, detail).into());
    };
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
        "bundle {} with {} requests ({} left out), BLAKE3 {}\n",
        text(&made["id"]),
        made["requests"],
        made["requests_left_out"],
        text(&made["blake3"][form])
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
