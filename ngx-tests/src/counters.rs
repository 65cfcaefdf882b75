//! The counters of the status page and of the collector's `/metrics`: Prometheus text.

use std::collections::BTreeMap;

/// Numbers by name with labels, as they stand in the text: `name{label="value"}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters(BTreeMap<String, f64>);

impl Counters {
    /// Reads Prometheus text.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.rsplit_once(' '));
        Self(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The sum over all label values of a name.
    pub fn sum(&self, name: &str) -> u64 {
        let of_name = |key: &&String| key.split('{').next() == Some(name);
        self.0.iter().filter(|(key, _)| of_name(key)).map(|(_, value)| *value as u64).sum()
    }

    /// The sum over those whose labels hold `label`, such as `reason="queue"`.
    pub fn sum_with(&self, name: &str, label: &str) -> u64 {
        let wanted = |key: &&String| key.split('{').next() == Some(name) && key.contains(label);
        self.0.iter().filter(|(key, _)| wanted(key)).map(|(_, value)| *value as u64).sum()
    }

    /// Whether the name is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.keys().any(|key| key.split('{').next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_their_labels() {
        let text = "# HELP drops Dropped.\n# TYPE drops counter\ndrops{reason=\"queue\"} 3\ndrops{reason=\"late\"} 4\nseen 9\n";
        let counters = Counters::read(text);
        assert_eq!(counters.sum("drops"), 7);
        assert_eq!(counters.sum_with("drops", "reason=\"late\""), 4);
        assert_eq!(counters.sum("seen"), 9);
        assert!(!counters.has("drop"));
    }
}
