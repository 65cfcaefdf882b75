//! The table of sessions, for a terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::IsTerminal;

use ngx_tests::rest::Session;

/// Rows shown while the demo goes on.
const ROWS: usize = 30;

/// The table of all sessions.
pub(crate) fn of(sessions: &[Session]) -> String {
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(
        out,
        "{:<12} {:<10} {:<9} {:>4}  {:<23} {:<26} {:<19} last seen",
        "session", "user", "role", "req", "statuses", "grouped by", "addresses"
    );
    for session in sessions {
        let who = |who: &Option<ngx_tests::rest::Who>| who.as_ref().map_or("-", |who| who.value.as_str()).to_owned();
        let statuses: Vec<String> = session.statuses.iter().map(|(class, n)| format!("{class}:{n}")).collect();
        let mut keys: Vec<&str> = session.keys.iter().map(|key| key.name.as_str()).collect();
        keys.dedup();
        let _ = writeln!(
            out,
            "{:<12} {:<10} {:<9} {:>4}  {:<23} {:<26} {:<19} {}",
            session.id.get(..12).unwrap_or(&session.id),
            who(&session.user),
            who(&session.role),
            session.requests,
            statuses.join(" "),
            keys.join(", "),
            session.ips.join(", "),
            session.last_seen.get(11..19).unwrap_or(&session.last_seen),
        );
    }
    out
}

/// Sessions among the parts: one that goes over midnight has two.
pub(crate) fn distinct(sessions: &[Session]) -> u64 {
    sessions.iter().map(|session| &session.id).collect::<BTreeSet<_>>().len() as u64
}

/// Shows the newest sessions in the place of what was shown before, or below it in a file.
pub(crate) fn draw(sessions: &[Session], requests: u64) {
    let stored: u64 = sessions.iter().map(|session| session.requests).sum();
    if std::io::stdout().is_terminal() {
        print!("\x1b[2J\x1b[H");
    }
    print!("{}", of(sessions.get(..ROWS).unwrap_or(sessions)));
    println!("{requests} requests sent, {stored} stored, {} sessions; Ctrl-C ends it\n", distinct(sessions));
}
