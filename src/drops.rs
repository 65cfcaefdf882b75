//! What was dropped, said in the error log.

use std::collections::BTreeMap;

use crate::clock::now_micros;
use crate::{counters, log};

/// The drops of this process that the log tells of, by reason.
#[derive(Default)]
pub(crate) struct Drops(BTreeMap<String, u64>);

impl Drops {
    /// Says what was dropped since it was last said. In a second one worker says it, others later. On the event
    /// loop's thread.
    pub(crate) fn tell(&mut self) {
        let now = counters::drops_of_this_instance();
        let grown = |(reason, &now): (&String, &u64)| {
            let more = now - self.0.get(reason).copied().unwrap_or(0).min(now);
            (more > 0).then(|| format!("{reason} {more}"))
        };
        let grown: Vec<String> = now.iter().filter_map(grown).collect();
        let second = now_micros() / 1_000_000;
        let said = || counters::shared().is_some_and(|shared| shared.drops_said.swap(second) == second);
        if !grown.is_empty() && !said() {
            let text = format!("wallarm sessions: no record tells of some requests: {}", grown.join(", "));
            log::cycle(log::Level::Warn, &text);
            self.0 = now;
        }
    }
}
