//! What this machine tells of its NGINX workers and of the socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::steps::{Process, Rights, Socket, SocketState};

const MODULE: &str = "ngx_http_wallarm_sessions_module";
/// Processes looked at; no machine that serves has more workers.
const MOST: usize = 4096;

/// A machine, by its /proc.
pub(super) struct Machine {
    proc: PathBuf,
}

impl Machine {
    pub(super) fn this() -> Self {
        Self { proc: "/proc".into() }
    }

    #[cfg(test)]
    pub(super) fn with_proc(proc: &Path) -> Self {
        Self { proc: proc.to_owned() }
    }

    /// The worker processes; where NGINX runs as one process (`master_process off`), that one.
    pub(super) fn nginx_workers(&self) -> Vec<Process> {
        let Ok(entries) = fs::read_dir(&self.proc) else { return Vec::new() };
        let mut all = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let dir = entry.path();
            // A process may end while it is looked at: then it is none.
            let Some(title) = fs::read(dir.join("cmdline")).ok().filter(|_| is_nginx(&dir)) else { continue };
            let title = String::from_utf8_lossy(&title).into_owned();
            if let Some(process) = process(&dir, pid) {
                all.push((title, process));
            }
            if all.len() == MOST {
                break;
            }
        }
        let is_worker = |title: &str| title.contains("worker process");
        let any_worker = all.iter().any(|(title, _)| is_worker(title));
        all.retain(|(title, _)| is_worker(title) || !(any_worker || title.contains("master process")));
        all.into_iter().map(|(_, process)| process).collect()
    }

    /// The socket, with the rights on the way to it.
    pub(super) fn look_at_socket(&self, path: &Path) -> Socket {
        Socket { path: path.to_owned(), state: state(path) }
    }
}

fn is_nginx(dir: &Path) -> bool {
    fs::read_to_string(dir.join("comm")).is_ok_and(|comm| comm.trim_end() == "nginx")
}

fn process(dir: &Path, pid: u32) -> Option<Process> {
    let status = fs::read_to_string(dir.join("status")).ok()?;
    let numbers = |name: &str| -> Vec<u32> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
    };
    // proc(5): real, effective, saved, file system.
    let (uid, gid) = (*numbers("Uid:").get(1)?, *numbers("Gid:").get(1)?);
    let mut groups = numbers("Groups:");
    groups.push(gid);
    let module = fs::read_to_string(dir.join("maps")).ok().map(|maps| maps.contains(MODULE));
    // The kernel shows an empty file where it will not tell.
    let module = module.filter(|&there| there || fs::read(dir.join("maps")).is_ok_and(|maps| !maps.is_empty()));
    Some(Process { pid, uid, module, groups, group: group_name(gid) })
}

/// The name of a group as this machine's list has it, or its number.
fn group_name(gid: u32) -> String {
    let list = fs::read_to_string("/etc/group").unwrap_or_default();
    let name = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| gid.to_string())
}

fn state(path: &Path) -> SocketState {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return SocketState::Missing,
        Err(error) => return SocketState::Unseen(error.to_string()),
    };
    if !meta.file_type().is_socket() {
        return SocketState::NoSocket;
    }
    // Links are followed as the kernel does.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut ancestors: Vec<_> = real.ancestors().collect();
    ancestors.reverse();
    let rights = ancestors.into_iter().map(|path| {
        let meta = fs::metadata(path)?;
        Ok(Rights { path: path.to_owned(), uid: meta.uid(), gid: meta.gid(), mode: meta.mode() })
    });
    match rights.collect::<io::Result<Vec<_>>>() {
        Ok(path) => SocketState::Present { path },
        Err(error) => SocketState::Unseen(error.to_string()),
    }
}
