//! Values that hold variables: the switch, the application, groups, and sources.

use super::trial::Trial;
use crate::site::{Site, quickstart};

/// The paths of the requests that are recorded, of those sent.
async fn recorded(http: &str, server: &str, requests: &[(&str, &[(&'static str, &str)])], expected: &[&str]) {
    let config = quickstart(http).replace("    wallarm_sessions on; ", "    # ").unwrap().in_server(server).unwrap();
    let site = Site::of(config).await;
    for (path, headers) in requests {
        site.get(path, headers).await;
    }
    site.stored(expected.len() as u64).await;
    let mut paths: Vec<String> =
        site.rest.everything().await.unwrap().into_iter().map(|request| request.path).collect();
    paths.sort();
    assert_eq!(paths, expected);
    site.close();
}

#[tokio::test]
async fn a_map_switches_health_checks_off() {
    let map = r#"    map $request_uri $capture {
        ~^/health  0;
        ~^/empty   "";
        default    1;
    }
    wallarm_sessions $capture;"#;
    recorded(map, "", &[("/health", &[]), ("/empty", &[]), ("/healthy?x", &[]), ("/shop", &[])], &["/shop"]).await;
}

#[tokio::test]
async fn geo_switches_own_addresses_off() {
    let geo = "    geo $http_x_from $capture { default 1; 10.0.0.0/8 0; }\n    wallarm_sessions ${capture};";
    recorded(geo, "", &[("/own", &[("x-from", "10.1.2.3")]), ("/user", &[("x-from", "192.0.2.1")])], &["/user"]).await;
}

/// What a header says is on, but for an empty text and `0`.
#[tokio::test]
async fn a_header_switches_capture_on_unless_it_is_empty_or_zero() {
    let requests: [(&str, &[_]); 6] = [
        ("/absent", &[]),
        ("/empty", &[("x-capture", "")]),
        ("/zero", &[("x-capture", "0")]),
        ("/one", &[("x-capture", "1")]),
        ("/off", &[("x-capture", "off")]),
        ("/zeros", &[("x-capture", "00")]),
    ];
    recorded("    wallarm_sessions $http_x_capture;", "", &requests, &["/off", "/one", "/zeros"]).await;
}

#[tokio::test]
async fn a_variable_that_a_location_sets_counts_at_the_end_of_the_request() {
    let server = "        set $capture 1;
        location /health { set $capture 0; return 200; }
        location /named/ { error_page 404 = @quiet; }
        location @quiet { set $capture 0; return 200; }";
    recorded(
        "    wallarm_sessions $capture;",
        server,
        &[("/health", &[]), ("/named/x", &[]), ("/shop", &[])],
        &["/shop"],
    )
    .await;
}

#[tokio::test]
async fn the_application_may_hold_variables_and_is_the_default_when_it_is_empty() {
    let http = r#"    map $http_x_tenant $tenant { "" ""; default $http_x_tenant; }
    wallarm_session_application $tenant;"#;
    let server = r#"        location /both/ { wallarm_session_application shop-${tenant}-$request_method; return 200; }
        location /none/ { wallarm_session_application ""; return 200; }"#;
    let site = Site::of(quickstart(http).in_server(server).unwrap()).await;
    for path in ["/", "/both/", "/none/"] {
        site.get(path, &[("x-tenant", "blue")]).await;
    }
    site.get("/", &[]).await;

    let requests = site.only_session(4).await;
    let applications: Vec<&str> = requests.iter().map(|request| request.application.as_str()).collect();
    assert_eq!(applications, ["blue", "shop-blue-GET", "default", "default"]);
    site.close();
}

#[tokio::test]
async fn groups_with_variables_keep_equal_values_of_tenants_apart() {
    let site = Site::of(quickstart("    wallarm_session_key request.header.X-User group=tenant:$http_x_tenant;")).await;
    for tenant in ["blue", "red", "blue"] {
        site.get("/", &[("x-user", "17"), ("x-tenant", tenant)]).await;
    }
    let mut counts: Vec<u64> = site.stored(3).await.iter().map(|session| session.requests).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
    site.close();
}

/// A map is evaluated when somebody reads its variable: what it captures is there from then on.
#[tokio::test]
async fn named_captures_of_locations_servers_and_maps_are_variables_like_others() {
    let http = r#"    map $http_x_route $route { ~^/r/(?<area>[a-z]+) $area; default none; }
    wallarm_session_key $user;
    wallarm_session_context $route name=route;
    wallarm_session_context $area name=area;"#;
    let server = r#"        location ~ ^/users/(?<user>[^/]+)/ { return 200; }
        location ~ ^/redirected/(?<user>[^/]+)/ { rewrite ^ /end last; }
        location /end { return 200; }"#;
    let site = Site::of(quickstart(http).in_server(server).unwrap()).await;
    site.get("/users/ada/x", &[("x-route", "/r/billing/1")]).await;
    site.get("/redirected/ada/x", &[("x-route", "/r/billing/1")]).await;

    let requests = site.only_session(2).await;
    for request in requests {
        assert_eq!(request.key.source, "$user");
        let params: Vec<_> = request.params.iter().map(|p| (p.name.as_str(), p.value.as_str())).collect();
        assert_eq!(params, [("route", "billing"), ("area", "billing")]);
    }
    site.close();
}

#[test]
fn a_variable_that_nothing_defines_is_named_with_its_directive_file_and_line() {
    for directive in [
        "wallarm_sessions $nope;",
        "wallarm_session_application shop-$nope;",
        "wallarm_session_key ${nope}x;",
        "wallarm_session_key request.header.X-A group=$nope;",
        "wallarm_session_key request.var.Nope.base64;",
        "wallarm_session_context $arg_a:$nope;",
    ] {
        let trial = Trial::new().file("part.conf", format!("# first\n{directive}\n"));
        let verdict = trial.test(&quickstart("").in_server("        location /a/ { include part.conf; }").unwrap());

        let name = directive.split(' ').next().unwrap();
        assert_eq!(verdict.error(), "unknown \"nope\" variable", "{directive}");
        let warning =
            format!("\"{name}\" uses the variable \"$nope\", which nothing has defined so far in FOLDER/part.conf:2");
        assert_eq!(verdict.lines("warn"), [warning]);
    }
}

#[test]
fn variables_that_are_defined_anywhere_are_warned_of_nowhere() {
    let config = quickstart(
        r#"    wallarm_session_application $late;
    wallarm_session_key $http_x_a:$cookie_b:$arg_c:$sent_http_x_d:$upstream_http_x_e:$Remote_Addr;
    wallarm_session_key $by_set;
    wallarm_session_key $by_regex;
    wallarm_session_key $wallarm_request_id;
    split_clients $remote_addr $by_split { 50% a; * b; }
    wallarm_session_context $by_split;
    map $uri $late { default shop; }"#,
    )
    .in_server("        set $by_set 1;\n        location ~ ^/(?<by_regex>.)/ { }")
    .unwrap();
    let verdict = Trial::new().test(&config);
    verdict.assert_accepted();
    assert_eq!(verdict.lines("warn"), [""; 0]);
}
