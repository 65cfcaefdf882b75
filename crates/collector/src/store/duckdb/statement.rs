//! A piece of SQL with the values that are bound in it, in their order.

use duckdb::types::Value;

/// SQL text and its values. Whatever comes from outside is a value, never text.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Statement {
    /// Text without values.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Text with a `?` for each value.
    pub(super) fn with(text: &str, values: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.to_owned(), values: values.into_iter().collect() }
    }

    /// Puts another behind it.
    pub(super) fn add(mut self, other: impl Into<Self>) -> Self {
        let Self { text, values } = other.into();
        self.text.push_str(&text);
        self.values.extend(values);
        self
    }

    /// Puts several behind it, with `by` between them.
    pub(super) fn add_joined(self, all: impl IntoIterator<Item = Self>, by: &str) -> Self {
        let mut between = "";
        all.into_iter().fold(self, |done, next| done.add(std::mem::replace(&mut between, by)).add(next))
    }

    /// It in parentheses.
    pub(super) fn enclosed(self) -> Self {
        Self::of("(").add(self).add(")")
    }
}

impl From<&str> for Statement {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}
