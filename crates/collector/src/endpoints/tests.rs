//! What endpoints promise.

use proptest::prelude::*;

use super::*;

fn name(endpoints: &Endpoints, path: &str, status: u16) -> String {
    endpoints.learn("GET", "shop", path, status).1
}

/// Puts a decision in force.
fn force<T>(endpoints: &Endpoints, decided: Result<Decided<T>, DecisionError>) -> T {
    let Decided { what, next } = decided.unwrap();
    endpoints.enforce(next).unwrap();
    what
}

/// What a start does with the shapes of the day files.
fn restarted(endpoints: &Endpoints) -> Endpoints {
    let again = Endpoints::default();
    let ids = endpoints.matching(|_| true);
    again.restore(ids.into_iter().filter_map(|id| endpoints.shape(id)));
    again
}

#[test]
fn values_in_paths_become_placeholders() {
    let endpoints = Endpoints::default();
    for (path, expected) in [
        ("/users/17", "GET shop/users/{id}"),
        ("/users/18/orders/550e8400-e29b-41d4-a716-446655440000", "GET shop/users/{id}/orders/{uuid}"),
        ("/", "GET shop/"),
        ("/a//b/", "GET shop/a//b/"),
        ("*", "GET shop/*"),
        ("", "GET shop/"),
    ] {
        assert_eq!(name(&endpoints, path, 200), expected);
    }
    let deep = "/a".repeat(100);
    assert_eq!(name(&endpoints, &deep, 200), format!("GET shop{}/{{rest}}", "/a".repeat(MAX_SEGMENTS - 1)));
    assert_eq!(endpoints.learn("get", "shop", "/", 200).1, "{other} shop/");
}

#[test]
fn shapes_of_old_rows_are_called_what_new_ones_are() {
    let endpoints = Endpoints::default();
    let (first, first_name) = endpoints.learn("GET", "shop", "/products/red-bicycle", 200);
    assert_eq!(first_name, "GET shop/products/red-bicycle");
    let names: Vec<_> = (0..200).map(|n| name(&endpoints, &format!("/products/bicycle-no-{n}"), 200)).collect();
    assert_eq!(names[199], "GET shop/products/{name}");
    assert_eq!(endpoints.name(first).unwrap(), "GET shop/products/{name}");
    let all = endpoints.matching(|name| name == "GET shop/products/{name}");
    assert!(all.contains(&first) && all.len() > 100);
    assert_eq!(restarted(&endpoints).name(first).unwrap(), "GET shop/products/{name}");
}

#[test]
fn whoever_tries_paths_at_random_changes_no_template_and_takes_little_room() {
    let endpoints = Endpoints::default();
    name(&endpoints, "/users/17", 200);
    name(&endpoints, "/users/17/orders", 200);
    assert_eq!(name(&endpoints, "/login", 401), "GET shop/login");
    for n in 0..10_000 {
        for status in [404, 403, 301, 500, 0] {
            name(&endpoints, &format!("/wp-{n}.php"), status);
            endpoints.learn("GET", &format!("host-{n}"), "/", status);
            endpoints.learn(&format!("M{n}"), "shop", "/users/17", status);
        }
    }
    assert_eq!(name(&endpoints, "/nothing/here", 404), "GET shop/{rest}");
    assert_eq!(name(&endpoints, "/users/17/nothing", 404), "GET shop/users/{id}/{rest}");
    assert_eq!(endpoints.learn("GET", "another-host", "/", 404).1, "GET {other}/{rest}");
    assert_eq!(name(&endpoints, "/login", 401), "GET shop/login");
    assert_eq!(name(&endpoints, "/login", 200), "GET shop/login");
    assert_eq!(name(&endpoints, "/users", 200), "GET shop/users");
    assert_eq!(endpoints.learn("GET", "a-new-host", "/", 200).1, "GET a-new-host/");
    assert!(endpoints.read().shapes.len() < 500);
    assert_eq!(endpoints.overflows(), 0);
}

#[test]
fn what_has_no_room_is_counted_and_named_as_far_as_it_is_known() {
    let endpoints = Endpoints::default();
    for host in 0..MAX_HOSTS + 5 {
        for path in 0..3 {
            endpoints.learn("GET", &format!("host-{host}"), &format!("/{}", "x".repeat(path)), 200);
        }
    }
    assert_eq!(endpoints.learn("GET", "host-9999", "/", 200).1, "GET {other}/{rest}");
    assert_eq!(endpoints.overflows(), 16);
    assert_eq!(endpoints.learn("GET", "host-1", "/x", 200).1, "GET host-1/x");
    let long = "h".repeat(MAX_HOST + 1);
    assert_eq!(Endpoints::default().learn("GET", &long, "/", 200).1, "GET {other}/{rest}");
}

#[test]
fn all_hosts_together_take_bounded_room() {
    let endpoints = Endpoints::default();
    for n in 0..MAX_SHAPES * 3 {
        let (host, place, more) = (n % 700, n / 700 % 70, n / 49_000);
        endpoints.learn("GET", &format!("h{host}"), &format!("/p{place}/q{more}"), 200);
    }
    let inner = endpoints.read();
    assert!(inner.shapes.len() <= MAX_SHAPES + METHODS.len() + 1, "{}", inner.shapes.len());
    assert!(inner.places <= MAX_PLACES + MAX_SEGMENTS, "{}", inner.places);
    assert_eq!(inner.places, inner.hosts.values().map(|host| host.tree.places()).sum::<usize>());
    assert!(inner.overflows > 0);
}

#[test]
fn a_pinned_template_stays_beside_what_traffic_teaches_and_can_be_undone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("endpoints.json");
    let endpoints = Endpoints::default();
    endpoints.decide_by(&file).unwrap();
    let (old, _) = endpoints.learn("GET", "shop", "/users/me", 200);
    let pin = force(&endpoints, endpoints.pin("shop", "/users/me"));
    force(&endpoints, endpoints.pin("shop", "/orders/{order}/items"));
    force(&endpoints, endpoints.pin("shop", "/orders/2024/items"));
    (0..200).for_each(|n| drop(name(&endpoints, &format!("/users/user-{n}"), 200)));
    let again = restarted(&endpoints);
    again.decide_by(&file).unwrap();
    for endpoints in [&endpoints, &again] {
        assert_eq!(name(endpoints, "/users/me", 200), "GET shop/users/me");
        assert_eq!(name(endpoints, "/users/you", 200), "GET shop/users/{name}");
        assert_eq!(name(endpoints, "/orders/17/items", 200), "GET shop/orders/{order}/items");
        assert_eq!(name(endpoints, "/orders/2024/items", 404), "GET shop/orders/2024/items");
        assert_eq!(endpoints.learn("GET", "other", "/orders/17/items", 200).1, "GET other/orders/{id}/items");
        assert_eq!(endpoints.name(old).unwrap(), "GET shop/users/me");
        assert_eq!(endpoints.pins().len(), 3);
    }
    let version = again.version();
    assert_eq!(force(&again, Ok(again.unpin(pin.id).unwrap())), pin);
    assert!(again.unpin(pin.id).is_none());
    assert!(again.version() > version);
    assert_eq!(again.name(old).unwrap(), "GET shop/users/{name}");
    assert_eq!(name(&again, "/users/me", 200), "GET shop/users/{name}");
}

#[test]
fn merged_endpoints_have_one_name_until_it_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("endpoints.json");
    let endpoints = Endpoints::default();
    endpoints.decide_by(&file).unwrap();
    let (www, _) = endpoints.learn("GET", "www.shop", "/cart", 200);
    let (shop, _) = endpoints.learn("GET", "shop", "/cart", 200);
    let merge = force(&endpoints, endpoints.merge("GET www.shop/cart", "GET shop/cart"));
    assert_eq!(endpoints.name(www), endpoints.name(shop));
    assert_eq!(endpoints.matching(|name| name == "GET shop/cart").len(), 2);
    let again = restarted(&endpoints);
    again.decide_by(&file).unwrap();
    assert_eq!(again.name(www).unwrap(), "GET shop/cart");
    assert_eq!(force(&again, Ok(again.unmerge(merge.id).unwrap())), merge);
    assert_eq!(again.name(www).unwrap(), "GET www.shop/cart");
    std::fs::write(&file, "[").unwrap();
    let error = again.decide_by(&file).unwrap_err().to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");
}

#[test]
fn decisions_that_cannot_be_right_are_refused_with_their_field() {
    let endpoints = Endpoints::default();
    force(&endpoints, endpoints.merge("GET a/x", "GET b/x"));
    force(&endpoints, endpoints.pin("shop", "/a/{id}"));
    let refused = |result: Result<(), DecisionError>| match result {
        Err(DecisionError::Refused { field, reason } | DecisionError::Taken { field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    };
    let long = format!("/{}", "x".repeat(1100));
    let deep = "/a".repeat(40);
    for (host, path, field, needle) in [
        ("", "/", "host", "no host"),
        ("a/b", "/", "host", "no host"),
        ("a b", "/", "host", "no host"),
        ("shop", "users", "path", "no path"),
        ("shop", "/a?b", "path", "no path"),
        ("shop", &long, "path", "no path"),
        ("shop", &deep, "path", "more than 15 segments"),
        ("shop", "/a{id}", "path", "no placeholder"),
        ("shop", "/{rest}", "path", "no placeholder"),
        ("shop", "/a/{id}", "path", "pinned already"),
    ] {
        let (found, reason) = refused(endpoints.pin(host, path).map(drop));
        assert!(found == field && reason.contains(needle), "{host}{path}: {found}: {reason}");
    }
    for (from, into, field, needle) in [
        ("GET a", "GET b/x", "from", "no endpoint"),
        ("GET c/x", "b/x", "into", "no endpoint"),
        ("GET c/x", "GET c/x", "into", "itself"),
        ("GET a/x", "GET c/x", "from", "merged already"),
        ("GET c/x", "GET a/x", "into", "merged into `GET b/x`"),
        ("GET b/x", "GET c/x", "from", "others are merged"),
    ] {
        let (found, reason) = refused(endpoints.merge(from, into).map(drop));
        assert!(found == field && reason.contains(needle), "{from} {into}: {found}: {reason}");
    }
    (1..500).for_each(|n| drop(force(&endpoints, endpoints.pin("shop", &format!("/p{n}")))));
    assert!(refused(endpoints.pin("shop", "/more").map(drop)).1.contains("500 already"));
}

#[test]
fn a_decision_that_cannot_be_kept_is_not_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let endpoints = Endpoints::default();
    endpoints.decide_by(&dir.path().join("missing/endpoints.json")).unwrap();
    let decided = endpoints.pin("shop", "/users/me").unwrap();
    assert!(matches!(endpoints.enforce(decided.next), Err(DecisionError::File { .. })));
    assert_eq!(endpoints.pins(), []);
}

#[test]
fn filters_see_new_shapes_and_new_names_at_once() {
    let endpoints = Endpoints::default();
    for n in 0..3 {
        let (shape, called) = endpoints.learn("GET", "shop", &format!("/a/word-{n}"), 200);
        assert_eq!(endpoints.matching(|name| name == called), [shape]);
    }
    let (other, _) = endpoints.learn("GET", "www.shop", "/cart", 200);
    force(&endpoints, endpoints.merge("GET www.shop/cart", "GET shop/a/word-1"));
    let of_two = endpoints.matching(|name| name == "GET shop/a/word-1");
    assert!(of_two.len() == 2 && of_two.contains(&other), "{of_two:?}");
    (0..200).for_each(|n| drop(name(&endpoints, &format!("/a/more-{n}"), 200)));
    assert!(endpoints.matching(|name| name == "GET shop/a/{name}").len() > 100);
    // As many as are named at a time, and more.
    (0..NAMED_AT_A_TIME * 2 + 7)
        .for_each(|n| drop(endpoints.learn("GET", "many", &format!("/x{}/y{}", n / 50, n % 50), 200)));
    assert_eq!(endpoints.matching(|_| true).len(), endpoints.read().shapes.len());
    // What a start brings back is there, and named like the rest.
    let again = restarted(&endpoints);
    let all = |endpoints: &Endpoints| {
        let mut names = endpoints.named(|_| true);
        names.sort();
        names
    };
    let undone = endpoints.unmerge(1).unwrap();
    endpoints.enforce(undone.next).unwrap();
    assert_eq!(all(&again), all(&endpoints));
}

fn requests() -> impl Strategy<Value = Vec<(String, String, u16)>> {
    let path = prop_oneof![
        (0..300u32).prop_map(|n| format!("/products/p{n}")),
        (0..300u32).prop_map(|n| format!("/users/{n}/orders")),
        (0..9u32, 0..9u32).prop_map(|(a, b)| format!("/a{a}/b{b}")),
        (0..20u32).prop_map(|n| format!("/n{n}")),
    ];
    let status = prop_oneof![4 => Just(200u16), 1 => Just(404)];
    prop::collection::vec(((0..3u32).prop_map(|n| format!("h{n}")), path, status), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_the_same_traffic_ends_in_the_same_names(
        (requests, shuffled) in requests().prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle())),
    ) {
        let (one, other) = (Endpoints::default(), Endpoints::default());
        requests.iter().for_each(|(host, path, status)| { one.learn("GET", host, path, *status); });
        shuffled.iter().for_each(|(host, path, status)| { other.learn("GET", host, path, *status); });
        for (host, path, _) in requests.iter().filter(|(_, _, status)| teaches(*status)) {
            prop_assert_eq!(one.learn("GET", host, path, 200), other.learn("GET", host, path, 200));
        }
    }

    #[test]
    fn a_restart_changes_no_name(requests in requests()) {
        let endpoints = Endpoints::default();
        let ids: Vec<_> =
            requests.iter().map(|(host, path, status)| endpoints.learn("GET", host, path, *status).0).collect();
        let again = restarted(&endpoints);
        for id in ids {
            prop_assert_eq!(again.name(id), endpoints.name(id));
        }
        for (host, path, _) in &requests {
            prop_assert_eq!(again.learn("GET", host, path, 404), endpoints.learn("GET", host, path, 404));
        }
    }
}
