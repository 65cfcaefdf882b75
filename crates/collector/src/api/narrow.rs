//! What a question is narrowed by besides time: its filter, and whether noise is shown.
//!
//! Hidden noise is the term `noise=false`, joined to the filter by AND. So one rule says what every list, count,
//! export and stream shows, and a filter that names the field itself decides alone. Labels are the desk's: the store
//! is asked for the sessions and requests that have them.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Api;
use super::params::Params;
use super::problem::Problem;
use crate::desk::Kind;
use crate::filter::{Expr, Field, Filter, Test, Value};

/// The values of `noise`, the usual one first.
pub(super) const NOISE: [&str; 3] = ["hide", "show", "only"];

/// Filter and noise of a question.
#[derive(Clone, Debug)]
pub(super) struct Narrowed {
    /// As it was written.
    asked: Option<Filter>,
    /// The same, as the store is asked.
    meant: Option<Filter>,
    noise: Noise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Noise {
    Hidden,
    Shown,
    Alone,
}

impl Api {
    /// `filter` and `noise` of a question.
    pub(super) async fn narrowed(&self, params: &Params) -> Result<Narrowed, Problem> {
        let asked = params.filter()?;
        let noise = match params.text("noise") {
            // Who names the field says all that there is to say.
            None if asked.as_ref().is_some_and(|filter| filter.root.names(&Field::Noise)) => Noise::Shown,
            None | Some("hide") => Noise::Hidden,
            Some("show") => Noise::Shown,
            Some("only") => Noise::Alone,
            Some(other) => {
                let [hide, show, only] = NOISE;
                let detail = format!("`{other}` is none of `{hide}`, `{show}` and `{only}`");
                return Err(Problem::parameter("noise", detail));
            }
        };
        self.looked_up(Narrowed { meant: asked.clone(), asked, noise }).await
    }

    /// Those of requests that have just arrived: the filter may not speak of their sessions.
    pub(super) async fn narrowed_arrivals(&self, params: &Params) -> Result<Narrowed, Problem> {
        let narrowed = self.narrowed(params).await?;
        if narrowed.asked.as_ref().is_some_and(|filter| filter.root.speaks_of_session()) {
            let detail = "as requests arrive, nothing is known of their sessions yet: session facts, any, none and \
                          count have no place here";
            return Err(Problem::parameter("filter", detail));
        }
        Ok(narrowed)
    }

    /// With what has its labels now.
    pub(super) async fn looked_up(&self, narrowed: Narrowed) -> Result<Narrowed, Problem> {
        let Some(asked) = &narrowed.asked else { return Ok(narrowed) };
        let mut found = Vec::new();
        for test in asked.root.tests_of(&Field::Label) {
            found.push(self.labelled(test).await?);
        }
        let mut found = found.into_iter();
        let meant = asked.clone().with_terms(|field, _| if *field == Field::Label { found.next() } else { None });
        Ok(Narrowed { meant: Some(meant), ..narrowed })
    }

    /// What stands in the place of a comparison with labels: the ids of what has them.
    async fn labelled(&self, test: &Test) -> Result<Expr, Problem> {
        let mut labels: Vec<String> = self.shared.desk.labels().await?.into_iter().map(|label| label.label).collect();
        labels.retain(|label| test.is_met_by_text(label));
        let most = self.limits.labelled;
        let found = self.shared.desk.labelled(&labels, most.saturating_add(1)).await?;
        if found.len() > most {
            let detail = format!(
                "more than {most} sessions and requests have such a `label`; labels that fewer have would be right"
            );
            return Err(Problem::parameter("filter", detail));
        }
        let of = |kind| found.iter().filter(move |found| found.0 == kind).map(|found| Value::Id(found.1)).collect();
        let terms = [(Field::SessionId, Kind::Session), (Field::Id, Kind::Request)];
        Ok(Expr::Or(terms.map(|(field, kind)| Expr::Term(field, Test::OneOf(of(kind)))).into()))
    }
}

impl Narrowed {
    /// Whether more was asked for than what is usual.
    pub(super) fn is_narrow(&self) -> bool {
        self.asked.is_some() || self.noise == Noise::Alone
    }

    /// The filter as it was written.
    pub(super) fn asked(&self) -> Option<&Filter> {
        self.asked.as_ref()
    }

    /// What requests have to meet.
    pub(super) fn filter(&self) -> Option<Filter> {
        match self.noise {
            Noise::Hidden => Some(self.joined(Filter::noise(false))),
            Noise::Shown => self.meant.clone(),
            Noise::Alone => Some(self.joined(Filter::noise(true))),
        }
    }

    /// What those requests meet that are left out because they are noise, if any are.
    pub(super) fn hidden(&self) -> Option<Filter> {
        (self.noise == Noise::Hidden).then(|| self.joined(Filter::noise(true)))
    }

    fn joined(&self, term: Filter) -> Filter {
        match self.meant.clone() {
            Some(meant) => meant.and(term),
            None => term,
        }
    }

    /// What a page token says of it, so that another one is refused.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.asked.as_ref().map(Filter::to_string).hash(&mut hasher);
        self.noise.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}
