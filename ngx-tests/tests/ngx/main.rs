//! Promises to users, shown on real NGINX processes, real collectors and real clients.
#![forbid(unsafe_code)]

mod commands;
mod configuration;
mod damage;
mod demo;
mod edges;
mod examples;
mod foreign;
mod grouping;
mod operation;
mod plain;
mod record;
mod secrecy;
mod site;
mod transport;
