//! Values are read from bodies however these come and go, and nobody sees that: what a client receives
//! is, byte by byte, what it receives from an NGINX without the module.
//!
//! `situations/` holds the table: what a client sends, what the origin says, and what must be told of
//! it. Each test plays situations to an NGINX with the module and to one without, compares what
//! clients received, compares the table with the records, and each record with its line of the
//! access log.
#![forbid(unsafe_code)]

mod fastcgi;
mod message;
mod origin;
mod site;
mod situation;
mod situations;

use site::Site;

#[tokio::test]
async fn request_bodies_are_read_however_they_come() {
    Site::run(situations::requests::all()).await.close().await;
}

#[tokio::test]
async fn answers_are_read_however_they_are_made() {
    Site::run(situations::answers::all()).await.close().await;
}
