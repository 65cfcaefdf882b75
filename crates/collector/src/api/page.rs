//! Page tokens: where a list goes on, and in which state of the store.
//!
//! A token is opaque to readers, holds nothing that they could not see, and is good for the list
//! and the window it was made for, for ten minutes from the first page on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::params::Asked;
use super::problem::Problem;
use crate::model::{Day, Micros};
use crate::store::Position;

/// Rises when the content changes its meaning.
const VERSION: u8 = 2;
/// How long a walk through pages may take.
const VALID_MICROS: i64 = 600 * 1_000_000;
/// How far the clock may be set back during it, as NTP does.
const BACK_MICROS: i64 = 60 * 1_000_000;
/// No token is longer.
const MAX_TOKEN: usize = 512;

/// What a token says; `C` is the cursor of its list.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Page<C> {
    version: u8,
    list: String,
    from: Option<i64>,
    to: Option<i64>,
    day: Option<i32>,
    /// When the first page was asked for.
    issued: i64,
    /// The first moment that was kept then.
    oldest: i64,
    as_of: Position,
    after: C,
}

/// The walk that a page belongs to.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    /// Which list: its name, and whose.
    pub(super) list: String,
    pub(super) asked: Asked,
    pub(super) issued: Micros,
    pub(super) oldest: Micros,
    pub(super) as_of: Position,
}

impl Walk {
    /// The token for the page after `after`.
    pub(super) fn token<C: Serialize>(&self, after: C) -> Result<String, Problem> {
        let page = Page {
            version: VERSION,
            list: self.list.clone(),
            from: self.asked.from.map(|t| t.0),
            to: self.asked.to.map(|t| t.0),
            day: self.asked.day.map(|d| d.0),
            issued: self.issued.0,
            oldest: self.oldest.0,
            as_of: self.as_of,
            after,
        };
        let mut bytes = rmp_serde::to_vec(&page).map_err(|e| {
            tracing::error!(error = %e, "a page token could not be written");
            Problem::internal()
        })?;
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The walk that a token continues, and where; `list` and `asked` are those of the request. Without `now` it does not
    /// matter how long ago it began.
    pub(super) fn resume<C: DeserializeOwned>(
        token: &str,
        list: &str,
        asked: Asked,
        now: Option<Micros>,
    ) -> Result<(Self, C), Problem> {
        let damaged = || Problem::page_token("it is damaged; use a next_page_token as it was given");
        if token.len() > MAX_TOKEN {
            return Err(damaged());
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| damaged())?;
        let (content, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32fast::hash(content) != u32::from_be_bytes(*sum) {
            return Err(damaged());
        }
        if content.get(1) != Some(&VERSION) {
            return Err(Problem::page_token("another version of the server made it; begin with the first page"));
        }
        let other = || {
            Problem::page_token(
                "it was made for another list, filter or window; repeat the parameters of the first page",
            )
        };
        // A cursor of another list need not even decode.
        let page: Page<C> = rmp_serde::from_slice(content).map_err(|_| other())?;
        let made_for = Asked { from: page.from.map(Micros), to: page.to.map(Micros), day: page.day.map(Day) };
        if page.list != list || made_for != asked {
            return Err(other());
        }
        if now.is_some_and(|now| !(-BACK_MICROS..=VALID_MICROS).contains(&now.0.saturating_sub(page.issued))) {
            return Err(Problem::page_token("it is older than 10 minutes; begin with the first page"));
        }
        let walk = Self {
            list: page.list,
            asked,
            issued: Micros(page.issued),
            oldest: Micros(page.oldest),
            as_of: page.as_of,
        };
        Ok((walk, page.after))
    }
}
