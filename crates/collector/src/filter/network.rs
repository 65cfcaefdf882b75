//! Addresses and ranges of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address, or all that begin with the same bits. IPv4-mapped IPv6 addresses are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// What its addresses, written in IPv4, begin with; `None` when it holds none of those.
    pub fn ipv4_beginning(&self) -> Option<String> {
        let IpAddr::V4(v4) = self.address else { return None };
        let whole = self.bits as usize / 8;
        let octets = v4.octets().map(|octet| octet.to_string());
        let dot = if whole == 4 || whole == 0 { "" } else { "." };
        Some(octets.into_iter().take(whole).collect::<Vec<_>>().join(".") + dot)
    }

    /// Whether it holds the address, or the whole of the range, that `text` names; false for other texts,
    /// as pseudonyms.
    pub fn holds(&self, text: &str) -> bool {
        let Ok(other) = Self::from_str(text) else { return false };
        other.bits >= self.bits && masked(other.address, self.bits) == Some(self.address)
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => {
                (address, Some(bits.parse::<u32>().map_err(drop)?))
            }
            Some(_) => return Err(()),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(drop)?;
        let address = written.to_canonical();
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8.
        let mapped = if written.is_ipv6() && address.is_ipv4() { 96 } else { 0 };
        let bits = match bits {
            Some(bits) => bits.checked_sub(mapped).ok_or(())?,
            None => width(address),
        };
        let address = masked(address, bits).ok_or(())?;
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.bits == width(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.bits),
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with nothing behind its first `bits`; `None` when it has not so many.
fn masked(address: IpAddr, bits: u32) -> Option<IpAddr> {
    let behind = width(address).checked_sub(bits)?;
    Some(match address {
        IpAddr::V4(v4) => IpAddr::from((v4.to_bits() & u32::MAX.checked_shl(behind).unwrap_or(0)).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() & u128::MAX.checked_shl(behind).unwrap_or(0)).to_be_bytes()),
    })
}
