//! Country and network of an address, from files in MaxMind's format (MMDB) that the configuration names.
//!
//! Files are read whole at the start, so that replacing one under a running server does no harm; the
//! next start reads the new one. What a file does not know stays unknown, nothing is guessed. Which
//! networks are rented machines, and which are known for their crawlers, [`label`] says.

mod labels;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use serde::Deserialize;

pub use labels::label;

/// Largest file that is read.
const MAX_FILE: u64 = 1 << 30;
/// Addresses whose answer is remembered.
const MAX_REMEMBERED: usize = 10_000;
/// Longest name of a country or network that is kept, in characters.
const MAX_NAME: usize = 200;
/// Records of a file that are looked at to see whether there is any use in it.
const TRIED: usize = 1000;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It cannot be read.
    #[error("geo file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing in it is of use.
    #[error(
        "geo file {} ({kind}) tells neither country nor network: a database such as GeoLite2-Country, GeoLite2-ASN \
         or the one that `scripts/setup --geo` fetches would be right",
        path.display()
    )]
    Useless {
        /// The file.
        path: PathBuf,
        /// What it calls itself.
        kind: String,
    },
}

/// Where an address is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166 code of the country.
    pub country: Option<String>,
    /// Number and name of the network: `AS64496 Example Networks`.
    pub network: Option<String>,
}

/// All files, asked in order: the first that knows a thing tells it.
#[derive(Default)]
pub struct Geo {
    files: Vec<Reader<Vec<u8>>>,
    remembered: HashMap<String, Place>,
}

/// What is of use in a record, in the forms that makers of such files give it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    country: Option<Country>,
    country_code: Option<String>,
    autonomous_system_number: Option<u32>,
    autonomous_system_organization: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country {
    Record { iso_code: Option<String> },
    Code(String),
}

impl From<Record> for Place {
    fn from(record: Record) -> Self {
        let code = match record.country {
            Some(Country::Record { iso_code }) => iso_code,
            Some(Country::Code(code)) => Some(code),
            None => None,
        };
        let network = match (record.autonomous_system_number, record.autonomous_system_organization) {
            (Some(number), Some(name)) => Some(format!("AS{number} {name}")),
            (Some(number), None) => Some(format!("AS{number}")),
            (None, name) => name,
        };
        let kept = |name: String| Some(name.chars().take(MAX_NAME).collect()).filter(|name: &String| !name.is_empty());
        Self { country: code.or(record.country_code).and_then(kept), network: network.and_then(kept) }
    }
}

impl Geo {
    /// Reads the files.
    pub fn open(files: &[PathBuf]) -> Result<Self, GeoError> {
        let files = files.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        Ok(Self { files, remembered: HashMap::new() })
    }

    /// Where an address is, as far as it is known.
    pub fn place(&mut self, address: &str) -> Place {
        if self.files.is_empty() {
            return Place::default();
        }
        if let Some(place) = self.remembered.get(address) {
            return place.clone();
        }
        let place = address.parse().map(|address: IpAddr| self.look_up(address.to_canonical())).unwrap_or_default();
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(address.to_owned(), place.clone());
        place
    }

    fn look_up(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for file in &self.files {
            // A file for IPv4 alone refuses IPv6; a broken record is as good as none.
            let found = file.lookup(address).and_then(|found| found.decode::<Record>());
            let found = Place::from(found.ok().flatten().unwrap_or_default());
            place.country = place.country.or(found.country);
            place.network = place.network.or(found.network);
        }
        place
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, GeoError> {
    let unreadable = |reason: String| GeoError::Unreadable { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if size > MAX_FILE {
        return Err(unreadable(format!("it has {size} bytes; at most {MAX_FILE} are read")));
    }
    let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let reader = Reader::from_source(bytes).map_err(|e| unreadable(e.to_string()))?;
    let records = reader.networks(Default::default()).map_err(|e| unreadable(e.to_string()))?;
    let useful = |record: Option<Record>| record.is_some_and(|record| Place::from(record) != Place::default());
    for found in records.take(TRIED) {
        let record = found.and_then(|found| found.decode()).map_err(|e| unreadable(e.to_string()))?;
        if useful(record) {
            return Ok(reader);
        }
    }
    Err(GeoError::Useless { path: path.to_owned(), kind: reader.metadata().database_type.clone() })
}

#[cfg(test)]
mod tests;
