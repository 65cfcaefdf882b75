//! A small shop: the API behind NGINX in the demo and in the tests.
//!
//! Its rules of who is who, from which the clients' ground truth follows:
//! - `POST /api/login` answers a right password with one token that stands for this login: in the
//!   JSON, and, for browsers, as the cookie `sid` too. The token is accepted as that cookie or as
//!   `?token=`. A second login gives another token.
//! - An app (`"client": "app"`) gets a JWT instead, and no cookie. It names the customer (`iss` and
//!   `sub`), whichever login or refresh it came from, and is accepted as `Authorization: Bearer`.
//! - A partner has an API key, accepted as `X-Api-Key`.
//! - Who presents none of these is nobody in particular. A wrong password changes nothing.
//!
//! The shop keeps everything in memory and knows nothing of NGINX or of sessions.

mod token;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use token::{ISSUER, Jwt};

/// The cookie that carries a browser's token.
pub const COOKIE: &str = "sid";
/// The header that carries a partner's key.
pub const API_KEY_HEADER: &str = "x-api-key";
/// The customer who may see the list of customers.
pub const ADMIN: &str = "admin";

/// The password of a customer: every name is a customer's.
pub fn password_of(user: &str) -> String {
    format!("{user}-secret")
}

/// The API key of a partner: every name is a partner's.
pub fn api_key_of(partner: &str) -> String {
    format!("key-of-{partner}")
}

/// A running shop; it stops when this goes.
#[derive(Debug)]
pub struct Shop {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
}

impl Shop {
    /// Opens the shop on a free port of the loopback.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(axum::serve(listener, routes()).into_future());
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What the shop remembers.
#[derive(Default)]
struct Memory {
    /// Customer by login token.
    logins: HashMap<String, String>,
    /// Products by customer.
    carts: HashMap<String, Vec<Item>>,
    /// Orders in the order they came; an order's number is its place.
    orders: Vec<Order>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Item {
    product: u32,
    quantity: u32,
}

struct Order {
    customer: String,
    items: Vec<Item>,
}

#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Memory>>);

impl Desk {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the request says it is; what it says must be right.
    fn customer(&self, headers: &HeaderMap, query: &TokenQuery) -> Result<String, Refusal> {
        if let Some(key) = text(headers, API_KEY_HEADER) {
            return key.strip_prefix("key-of-").map(str::to_owned).ok_or(Refusal::Unknown);
        }
        if let Some(bearer) = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            return Jwt::verify(bearer).map(|jwt| jwt.sub).ok_or(Refusal::Unknown);
        }
        let token = cookie(headers).or(query.token.as_deref()).ok_or(Refusal::Unknown)?;
        self.memory().logins.get(token).cloned().ok_or(Refusal::Unknown)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = text(headers, "cookie")?.split(';');
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Why a request is refused.
enum Refusal {
    /// Not signed in, or with something that the shop never gave out.
    Unknown,
    /// Signed in, but not allowed to.
    Forbidden,
    /// No such thing, or not this customer's.
    Missing,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Unknown => (StatusCode::UNAUTHORIZED, "sign in first"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "not for you"),
            Self::Missing => (StatusCode::NOT_FOUND, "no such thing"),
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}

/// An answer to a customer: it names customer and role, as APIs behind a gateway often do.
fn signed(customer: &str, body: serde_json::Value) -> Response {
    let mut answer = Json(body).into_response();
    let role = if customer == ADMIN { "admin" } else { "customer" };
    if let Ok(name) = HeaderValue::from_str(customer) {
        answer.headers_mut().insert("x-customer", name);
    }
    answer.headers_mut().insert("x-role", HeaderValue::from_static(role));
    answer
}

fn routes() -> Router {
    Router::new()
        .route("/api/login", post(login))
        .route("/api/refresh", post(refresh))
        .route("/api/products", get(products))
        .route("/api/products/{id}", get(product))
        .route("/api/cart", get(show_cart).post(add_to_cart))
        .route("/api/orders", post(place_order))
        .route("/api/orders/{id}", get(show_order))
        .route("/api/profile", get(profile))
        .route("/api/admin/users", get(users))
        .with_state(Desk::default())
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
    #[serde(default)]
    client: String,
}

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

async fn login(State(desk): State<Desk>, Json(login): Json<Login>) -> Response {
    if login.password != password_of(&login.user) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "wrong user or password" }))).into_response();
    }
    if login.client == "app" {
        return with_token(&login.user, &Jwt::issue(&login.user).sign(), None);
    }
    let token = token::opaque();
    desk.memory().logins.insert(token.clone(), login.user.clone());
    with_token(&login.user, &token, Some(format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax")))
}

async fn refresh(State(desk): State<Desk>, headers: HeaderMap, query: Query<TokenQuery>) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    Ok(with_token(&customer, &Jwt::issue(&customer).sign(), None))
}

fn with_token(customer: &str, token: &str, cookie: Option<String>) -> Response {
    let mut answer = signed(customer, json!({ "token": token, "user": customer }));
    if let Some(value) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        answer.headers_mut().insert(header::SET_COOKIE, value);
    }
    answer
}

/// How many products there are.
const PRODUCTS: u32 = 500;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    page: u32,
}

async fn products(Query(Page { page }): Query<Page>) -> Response {
    let first = page.saturating_mul(20).saturating_add(1);
    let shown: Vec<_> = (first..first.saturating_add(20)).filter_map(describe).collect();
    Json(json!({ "page": page, "products": shown })).into_response()
}

async fn product(Path(id): Path<u32>) -> Result<Response, Refusal> {
    Ok(Json(describe(id).ok_or(Refusal::Missing)?).into_response())
}

fn describe(id: u32) -> Option<serde_json::Value> {
    let price = f64::from(id * 37 % 1000) / 10.0 + 1.0;
    (1..=PRODUCTS).contains(&id).then(|| json!({ "id": id, "name": format!("Product {id}"), "price": price }))
}

async fn add_to_cart(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Query<TokenQuery>,
    Json(item): Json<Item>,
) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    describe(item.product).ok_or(Refusal::Missing)?;
    desk.memory().carts.entry(customer.clone()).or_default().push(item);
    Ok((StatusCode::CREATED, signed(&customer, json!({ "added": true }))).into_response())
}

async fn show_cart(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Query<TokenQuery>,
) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    let items = desk.memory().carts.get(&customer).cloned().unwrap_or_default();
    Ok(signed(&customer, json!({ "items": items })))
}

async fn place_order(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Query<TokenQuery>,
) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    let mut memory = desk.memory();
    let items = memory.carts.remove(&customer).ok_or(Refusal::Missing)?;
    let number = memory.orders.len();
    memory.orders.push(Order { customer: customer.clone(), items });
    drop(memory);
    Ok((StatusCode::CREATED, signed(&customer, json!({ "order": number }))).into_response())
}

async fn show_order(
    State(desk): State<Desk>,
    Path(number): Path<usize>,
    headers: HeaderMap,
    query: Query<TokenQuery>,
) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    let memory = desk.memory();
    let order = memory.orders.get(number).filter(|order| order.customer == customer).ok_or(Refusal::Missing)?;
    Ok(signed(&customer, json!({ "order": number, "items": order.items })))
}

async fn profile(State(desk): State<Desk>, headers: HeaderMap, query: Query<TokenQuery>) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    Ok(signed(&customer, json!({ "user": customer, "email": format!("{customer}@shop.example") })))
}

async fn users(State(desk): State<Desk>, headers: HeaderMap, query: Query<TokenQuery>) -> Result<Response, Refusal> {
    let customer = desk.customer(&headers, &query)?;
    if customer != ADMIN {
        return Err(Refusal::Forbidden);
    }
    let mut known: Vec<String> = desk.memory().logins.values().cloned().collect();
    known.sort();
    known.dedup();
    Ok(signed(&customer, json!({ "users": known })))
}
