//! The imagined site: its hosts, what can be asked of them, and how they usually answer.

use std::fmt::Write;

use fastrand::Rng;

/// What can be asked of the site.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub method: &'static str,
    pub host: &'static str,
    /// `{n}` stands for a number of which few are asked often, `{uuid}`, `{slug}` and `{date}` for what they say.
    pub path: &'static str,
    /// Milliseconds that an answer usually takes; 0 when no upstream is asked.
    pub millis: u32,
    /// Bytes that an answer usually has.
    pub bytes: u32,
    /// Status of a good answer.
    pub status: u16,
}

const fn of(
    host: &'static str,
    method: &'static str,
    path: &'static str,
    millis: u32,
    bytes: u32,
    status: u16,
) -> Endpoint {
    Endpoint { method, host, path, millis, bytes, status }
}

/// Where a person logs in.
pub(super) const LOGIN: Endpoint = of(SHOP, "POST", "/login", 180, 900, 200);

const SHOP: &str = "shop.example";
const API: &str = "api.example";
const PARTNERS: &str = "partners.example";
const AGENTS: &str = "agents.example";

/// What people's browsers ask for, the commonest first.
pub(super) const SHOPPING: [Endpoint; 16] = [
    of(SHOP, "GET", "/static/app.{slug}.js", 0, 48_000, 200),
    of(SHOP, "GET", "/products/{n}", 35, 14_000, 200),
    of(SHOP, "GET", "/", 25, 22_000, 200),
    of(SHOP, "GET", "/search", 90, 18_000, 200),
    of(SHOP, "GET", "/static/style.css", 0, 21_000, 200),
    of(SHOP, "GET", "/api/cart", 20, 1_200, 200),
    of(SHOP, "POST", "/api/cart/items", 45, 700, 201),
    of(SHOP, "GET", "/categories/{slug}", 40, 16_000, 200),
    of(SHOP, "GET", "/images/{uuid}.webp", 0, 60_000, 200),
    of(SHOP, "GET", "/account/orders", 60, 5_000, 200),
    of(SHOP, "GET", "/account/orders/{n}", 50, 3_500, 200),
    of(SHOP, "POST", "/checkout", 320, 1_500, 200),
    of(SHOP, "DELETE", "/api/cart/items/{n}", 30, 200, 204),
    of(SHOP, "POST", "/api/reviews", 55, 400, 201),
    of(SHOP, "OPTIONS", "/api/cart", 1, 0, 204),
    of(SHOP, "GET", "/account/invoices/{date}", 140, 90_000, 200),
];

/// What the mobile app asks for.
pub(super) const APP: [Endpoint; 10] = [
    of(API, "GET", "/v2/feed", 55, 9_000, 200),
    of(API, "GET", "/v2/products/{n}", 25, 3_000, 200),
    of(API, "GET", "/v2/users/{n}/notifications", 20, 1_500, 200),
    of(API, "POST", "/v2/events", 8, 60, 202),
    of(API, "GET", "/v2/orders/{uuid}", 35, 2_500, 200),
    of(API, "POST", "/v2/orders", 210, 1_100, 201),
    of(API, "POST", "/v2/token/refresh", 70, 1_400, 200),
    of(API, "POST", "/graphql", 65, 4_500, 200),
    of(API, "PATCH", "/v2/users/{n}", 45, 800, 200),
    of(API, "GET", "/v1/products/{n}", 30, 3_400, 200),
];

/// What partners' machines ask for.
pub(super) const PARTNER: [Endpoint; 6] = [
    of(PARTNERS, "GET", "/stock/{n}", 12, 300, 200),
    of(PARTNERS, "POST", "/orders", 120, 900, 201),
    of(PARTNERS, "GET", "/orders/{uuid}", 30, 1_800, 200),
    of(PARTNERS, "PUT", "/stock/{n}", 40, 120, 200),
    of(PARTNERS, "GET", "/reports/{date}", 900, 400_000, 200),
    of(PARTNERS, "GET", "/healthz", 1, 15, 200),
];

/// What crawlers ask for.
pub(super) const CRAWLED: [Endpoint; 5] = [
    of(SHOP, "GET", "/products/{n}", 35, 14_000, 200),
    of(SHOP, "GET", "/categories/{slug}", 40, 16_000, 200),
    of(SHOP, "GET", "/robots.txt", 0, 120, 200),
    of(SHOP, "GET", "/sitemap-{date}.xml", 80, 700_000, 200),
    of(SHOP, "GET", "/", 25, 22_000, 200),
];

/// Where AI agents call.
pub(super) const AGENT: [Endpoint; 1] = [of(AGENTS, "POST", "/mcp", 85, 2_200, 200)];

/// What those look for who should not be there.
pub(super) const PROBED: [Endpoint; 6] = [
    of(SHOP, "POST", "/login", 160, 300, 401),
    of(SHOP, "GET", "/search", 60, 900, 403),
    of(SHOP, "GET", "/wp-login.php", 1, 150, 404),
    of(SHOP, "GET", "/.env", 1, 150, 404),
    of(API, "GET", "/v2/users/{n}", 25, 200, 403),
    of(API, "GET", "/v2/admin/users", 10, 200, 403),
];

/// Things of each kind that the site has.
const THINGS: u64 = 100_000;

/// A number below `of`, the small ones far more often (Zipf's law with exponent 1).
pub(super) fn zipf(rng: &mut Rng, of: u64) -> u64 {
    let rank = (of.max(1) as f64).powf(rng.f64()) as u64;
    rank.clamp(1, of.max(1)) - 1
}

/// One of the endpoints, the first far more often.
pub(super) fn pick<'a>(rng: &mut Rng, endpoints: &'a [Endpoint]) -> &'a Endpoint {
    endpoints.get(zipf(rng, endpoints.len() as u64) as usize).unwrap_or(&LOGIN)
}

/// Writes `template` with its places filled in.
pub(super) fn fill(template: &str, rng: &mut Rng, out: &mut String) {
    out.clear();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let (place, after) = behind.split_once('}').unwrap_or((behind, ""));
        let thing = zipf(rng, THINGS);
        // Equal things have equal names.
        let mixed = thing.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let _ = match place {
            "uuid" => write!(
                out,
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                mixed >> 32,
                mixed >> 16 & 0xffff,
                mixed & 0xfff,
                mixed >> 52,
                mixed >> 16
            ),
            "slug" => write!(out, "{}-{}", ["red", "small", "new", "best"][thing as usize % 4], thing % 60),
            "date" => write!(out, "2026-{:02}-{:02}", thing % 12 + 1, thing % 28 + 1),
            _ => write!(out, "{}", thing + 1),
        };
        rest = after;
    }
    out.push_str(rest);
}
