//! What the record of a request tells.

use ngx_tests::clients::{self, Kind};
use ngx_tests::nginx::Config;
use ngx_tests::rest::Request;
use ngx_tests::shop::{self, Shop};
use reqwest::StatusCode;

use crate::site::{Site, quickstart};

#[tokio::test]
async fn a_request_is_told_as_the_client_sent_it_and_once_whatever_nginx_makes_of_it() {
    let config = quickstart("    log_subrequest on;")
        .in_server(
            r#"
        error_page 404 = /error/page;
        location = /allowed { return 204; }
        location /rewritten { rewrite ^ /elsewhere last; }
        location /named { try_files /nothing @fallback; }
        location @fallback { return 201 "made\n"; }
        location /missing { return 404; }
        location /error/page { return 410 "gone\n"; }
        location /sent { auth_request /allowed; try_files /nothing =403; }
"#,
        )
        .unwrap();
    let site = Site::of(config).await;
    let asked = [("/rewritten/a?x=1", 200), ("/named/b", 201), ("/missing/c", 410), ("/sent/d", 403)];
    for (path, status) in asked {
        assert_eq!(site.get(path, &[]).await.as_u16(), status, "{path}");
    }
    site.get("/dots/./and/../slashes//%7Euser?y=2", &[]).await;

    let requests = site.only_session(5).await;

    let told: Vec<(&str, &str, u16)> =
        requests.iter().map(|request| (request.method.as_str(), request.path.as_str(), request.status)).collect();
    assert_eq!(
        told,
        [
            ("GET", "/rewritten/a", 200),
            ("GET", "/named/b", 201),
            ("GET", "/missing/c", 410),
            ("GET", "/sent/d", 403),
            ("GET", "/dots/slashes/~user", 200),
        ]
    );
    site.close();
}

#[tokio::test]
async fn the_variables_in_the_access_log_are_those_of_the_record() {
    let shop = Shop::open().await.unwrap();
    let variables = "$wallarm_request_id $wallarm_session_id $wallarm_session_key $wallarm_session_user";
    let config = Config::file("demo.conf").unwrap().shop(shop.address()).unwrap();
    let config = config.replace(r#"$wallarm_request_id $remote_addr "$request" $status"#, variables).unwrap();
    let site = Site::of(config).await;
    let scene = site.scene();
    clients::everybody(&scene, 0).await.unwrap();
    let requests = scene.ledger.requests();

    site.stored(requests).await;

    // The variables never read bodies: of a login that only a body tells, the record alone knows.
    let (by_body, by_head): (Vec<Request>, Vec<Request>) = site
        .rest
        .everything()
        .await
        .unwrap()
        .into_iter()
        .partition(|request| request.key.source.starts_with("response.body"));
    let ids: Vec<&str> = by_body.iter().map(|request| request.id.as_str()).collect();
    assert!(!ids.is_empty() && by_head.len() > ids.len(), "{} and {}", ids.len(), by_head.len());
    let of_body = |line: &String| ids.iter().any(|id| line.starts_with(id));
    let (logged_by_body, mut logged): (Vec<String>, Vec<String>) =
        site.nginx.access_log().into_iter().partition(of_body);
    let mut told: Vec<String> = by_head
        .iter()
        .map(|request| {
            let user = request.params.iter().find(|param| param.kind == "user").map_or("-", |param| &param.value);
            format!("{} {} {} {user}", request.id, request.session_id, request.key.source)
        })
        .collect();
    logged.sort();
    told.sort();
    assert_eq!(logged, told);
    assert_eq!(logged_by_body.len(), ids.len());
    site.close();
}

#[tokio::test]
async fn contexts_tell_who_it_was_and_what_a_reader_wants_to_see() {
    let site = Site::shop().await;
    let mut person = site.scene().person(Kind::Browser, clients::address(5), Some("Browser")).unwrap();
    person.sign_in("admin", &shop::password_of("admin")).await.unwrap().expect(StatusCode::OK).unwrap();
    person.get("/api/profile?page=3").await.unwrap().expect(StatusCode::OK).unwrap();

    let sessions = site.stored(2).await;
    assert_eq!(sessions[0].user.as_ref().unwrap().value, "admin");
    assert_eq!(sessions[0].role.as_ref().unwrap().value, "admin");
    let requests = site.rest.requests(&sessions[0].id).await.unwrap();
    let told: Vec<(&str, &str, &str)> = requests[1]
        .params
        .iter()
        .map(|param| (param.name.as_str(), param.kind.as_str(), param.value.as_str()))
        .collect();
    assert_eq!(told, [("customer", "user", "admin"), ("role", "role", "admin"), ("page", "context", "3")]);
    site.close();
}

#[tokio::test]
async fn an_address_leaves_only_as_the_configuration_lets_it() {
    for (mode, told) in [("clear", Some("127.0.0.6")), ("prefix", Some("127.0.0.0/24")), ("hash", None)] {
        let site = Site::of(quickstart(&format!("    wallarm_session_ip {mode};"))).await;
        let mut person = site.scene().person(Kind::Bot, clients::address(6), Some("Bot")).unwrap();
        person.get("/").await.unwrap();

        let requests = site.only_session(1).await;

        match told {
            Some(address) => assert_eq!(requests[0].ip, address),
            None => assert!(!requests[0].ip.contains("127."), "{}", requests[0].ip),
        }
        site.close();
    }
}

#[tokio::test]
async fn a_token_in_a_path_leaves_as_a_pseudonym() {
    const TOKEN: &str = "q2VsZjE3dGhpc2lzYXNlY3JldHRva2VuMTIzNDU2";
    let site = Site::of(quickstart("")).await;
    site.get(&format!("/reset/{TOKEN}/confirm"), &[]).await;
    site.get("/orders/0193a4c0-9d2f-7c3e-8f21-5b6a7c8d9e0f", &[]).await;

    let requests = site.only_session(2).await;

    assert!(!requests[0].path.contains(TOKEN) && requests[0].path.ends_with("/confirm"), "{}", requests[0].path);
    assert_eq!(requests[1].path, "/orders/0193a4c0-9d2f-7c3e-8f21-5b6a7c8d9e0f");
    site.close();
}
