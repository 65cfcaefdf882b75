//! Nothing leaves a node that neither the configuration nor the contract of the wire names.

mod search;
mod site;
mod traffic;
