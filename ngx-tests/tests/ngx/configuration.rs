//! Configurations: what a level inherits, what values mean, and what `nginx -t` says.

mod contexts;
mod examples;
mod includes;
mod inheritance;
mod messages;
mod scale;
mod secrecy;
mod spool;
mod trial;
mod variables;
