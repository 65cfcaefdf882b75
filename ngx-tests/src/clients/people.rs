//! What the clients do: each function is one of them, from the first request to the last.

use std::net::IpAddr;

use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::{ClientError, Kind, Person, Scene, address};
use crate::shop;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36";
const PHONE: &str = "ShopApp/4.2 (Android 15)";

/// Everybody, once, all at the same time. `round` numbers the repetitions of a demo that goes on.
pub async fn everybody(scene: &Scene, round: u32) -> Result<(), ClientError> {
    let mut crowd = JoinSet::new();
    for (n, name) in ["ada", "bela", "chen"].into_iter().enumerate() {
        let scene = scene.clone();
        crowd.spawn(async move { shopper(&scene, name, address(11 + n as u8), FIREFOX).await });
    }
    for (n, name) in ["dina", "emil"].into_iter().enumerate() {
        let scene = scene.clone();
        crowd.spawn(async move { app(&scene, name, address(21 + n as u8)).await });
    }
    // An office: two people and one address, one kind of browser.
    for name in ["fay", "gita"] {
        let scene = scene.clone();
        crowd.spawn(async move { shopper(&scene, name, address(31), CHROME).await });
    }
    // A home: nobody signs in, two kinds of browser.
    for agent in [FIREFOX, CHROME] {
        let scene = scene.clone();
        crowd.spawn(async move { window_shopper(&scene, address(32), agent).await });
    }
    let own = scene.clone();
    crowd.spawn(async move { traveller(&own, "hugo", [address(2), address(3)]).await });
    let own = scene.clone();
    crowd.spawn(async move { newsletter_reader(&own, "ines", address(41)).await });
    let own = scene.clone();
    crowd.spawn(async move { partner(&own, "acme", address(51)).await });
    let own = scene.clone();
    crowd.spawn(async move { admin(&own, address(52)).await });
    let own = scene.clone();
    crowd.spawn(async move { monitor(&own, address(53)).await });
    let own = scene.clone();
    crowd.spawn(async move { scraper(&own, address(61), round * 40 + 1..round * 40 + 41).await });
    let own = scene.clone();
    crowd.spawn(async move { guesser(&own, address(62), 25).await });
    while let Some(done) = crowd.join_next().await {
        match done {
            Ok(result) => result?,
            Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
            Err(_) => {}
        }
    }
    Ok(())
}

/// Looks around, signs in, buys.
pub async fn shopper(scene: &Scene, name: &str, from: IpAddr, agent: &str) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::Browser, from, Some(agent))?;
    person.get("/api/products?page=0").await?.expect(StatusCode::OK)?;
    sign_in(&mut person, name).await?;
    for product in [7, 21, 42] {
        person.get(&format!("/api/products/{product}")).await?.expect(StatusCode::OK)?;
    }
    buy(&mut person, 42).await?;
    person.get("/api/profile").await?.expect(StatusCode::OK)?;
    Ok(())
}

/// A person's app: its JWT is refreshed on the way, the customer stays.
async fn app(scene: &Scene, name: &str, from: IpAddr) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::App, from, Some(PHONE))?;
    sign_in(&mut person, name).await?;
    person.get("/api/profile").await?.expect(StatusCode::OK)?;
    person.get("/api/products?page=3").await?.expect(StatusCode::OK)?;
    person.post("/api/refresh", json!({})).await?.expect(StatusCode::OK)?;
    buy(&mut person, 64).await
}

/// Signs in on one address and goes on from another.
async fn traveller(scene: &Scene, name: &str, from: [IpAddr; 2]) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::Browser, from[0], Some(FIREFOX))?;
    sign_in(&mut person, name).await?;
    person.get("/api/products/5").await?.expect(StatusCode::OK)?;
    person.move_to(from[1])?;
    buy(&mut person, 5).await
}

/// Keeps no cookies; links carry the token.
async fn newsletter_reader(scene: &Scene, name: &str, from: IpAddr) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::Linker, from, Some(CHROME))?;
    sign_in(&mut person, name).await?;
    for page in 0..4 {
        person.get(&format!("/api/products?page={page}")).await?.expect(StatusCode::OK)?;
    }
    person.get("/api/profile").await?.expect(StatusCode::OK)?;
    Ok(())
}

/// Another company's program: reads the catalogue and orders.
async fn partner(scene: &Scene, name: &str, from: IpAddr) -> Result<(), ClientError> {
    let mut program = scene.person(Kind::Partner(name.to_owned()), from, Some("acme-sync/1.9"))?;
    for page in 0..10 {
        program.get(&format!("/api/products?page={page}")).await?.expect(StatusCode::OK)?;
    }
    buy(&mut program, 100).await
}

/// Signs in as admin; looks at what only an admin may see, which a customer tries too.
async fn admin(scene: &Scene, from: IpAddr) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::Browser, from, Some(FIREFOX))?;
    sign_in(&mut person, shop::ADMIN).await?;
    person.get("/api/admin/users").await?.expect(StatusCode::OK)?;
    let mut curious = scene.person(Kind::Browser, from, Some(FIREFOX))?;
    sign_in(&mut curious, "jan").await?;
    curious.get("/api/admin/users").await?.expect(StatusCode::FORBIDDEN)?;
    Ok(())
}

/// Looks around and leaves.
async fn window_shopper(scene: &Scene, from: IpAddr, agent: &str) -> Result<(), ClientError> {
    let mut person = scene.person(Kind::Browser, from, Some(agent))?;
    for path in ["/api/products", "/api/products/1", "/api/products/2"] {
        person.get(path).await?.expect(StatusCode::OK)?;
    }
    person.get("/api/cart").await?.expect(StatusCode::UNAUTHORIZED)?;
    Ok(())
}

/// A health check that sends no user-agent.
async fn monitor(scene: &Scene, from: IpAddr) -> Result<(), ClientError> {
    let mut bot = scene.person(Kind::Bot, from, None)?;
    for _ in 0..3 {
        bot.get("/api/products/1").await?.expect(StatusCode::OK)?;
    }
    Ok(())
}

/// Takes the whole catalogue, product by product.
pub async fn scraper(scene: &Scene, from: IpAddr, products: std::ops::Range<u32>) -> Result<(), ClientError> {
    let mut bot = scene.person(Kind::Bot, from, Some("python-requests/2.32"))?;
    for product in products {
        bot.get(&format!("/api/products/{product}")).await?;
    }
    Ok(())
}

/// Guesses passwords of customers.
pub async fn guesser(scene: &Scene, from: IpAddr, guesses: u32) -> Result<(), ClientError> {
    let mut bot = scene.person(Kind::Bot, from, Some("curl/8.5.0"))?;
    for guess in 0..guesses {
        let user = ["ada", "bela", "admin"][guess as usize % 3];
        bot.sign_in(user, &format!("{user}{guess}")).await?.expect(StatusCode::UNAUTHORIZED)?;
    }
    Ok(())
}

async fn sign_in(person: &mut Person, name: &str) -> Result<(), ClientError> {
    person.sign_in(name, &shop::password_of(name)).await?.expect(StatusCode::OK)?;
    Ok(())
}

async fn buy(person: &mut Person, product: u32) -> Result<(), ClientError> {
    person.post("/api/cart", json!({ "product": product, "quantity": 1 })).await?.expect(StatusCode::CREATED)?;
    person.get("/api/cart").await?.expect(StatusCode::OK)?;
    let placed = person.post("/api/orders", json!({})).await?.expect(StatusCode::CREATED)?;
    let number = placed.body.get("order").and_then(serde_json::Value::as_u64).unwrap_or_default();
    person.get(&format!("/api/orders/{number}")).await?.expect(StatusCode::OK)?;
    Ok(())
}
