//! Calls of AI agents: what a real client of the Model Context Protocol does with a real server behind
//! NGINX, and what is told of it.
//!
//! Client and server are npm packages, pinned in `ngx-tests/mcp`; `scripts/setup --mcp` installs them.
#![forbid(unsafe_code)]

mod agents;
mod newer;
mod site;
