//! Who asked: through proxies, over a unix socket, over IPv6.

use std::net::{Ipv6Addr, SocketAddr};

use tokio::net::{TcpStream, UnixStream};

use crate::site::{Site, ask, exchange, last};
use crate::told::Told;

const ANSWER: &str = r#"location / { return 200 "served\n"; }"#;

fn ips(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.ip.as_str()).collect()
}

/// A header of version 2 of the PROXY protocol, of a TCP connection over IPv6.
fn proxied(client: Ipv6Addr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    header.extend(client.octets());
    header.extend(Ipv6Addr::LOCALHOST.octets());
    header.extend([0x12, 0x34, 0, 80]);
    header
}

#[tokio::test]
async fn behind_the_proxy_protocol_the_address_is_the_one_that_realip_takes_from_it() {
    let realip = "set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;";
    let site = Site::of(&format!("server {{ listen LISTEN proxy_protocol; {realip} {ANSWER} }}")).await;
    let plain = last("/", "");
    let first = ask(site.address(), format!("PROXY TCP4 192.0.2.7 127.0.0.1 4660 80\r\n{plain}")).await;
    let second = [proxied("2001:db8:1:2::7".parse().unwrap()), plain.into_bytes()].concat();
    let third = [proxied("2001:db8:1:2::8".parse().unwrap()), last("/", "").into_bytes()].concat();
    let answers = [first, ask(site.address(), second).await, ask(site.address(), third).await];
    assert!(answers.iter().all(|answer| answer.contains("200 OK")), "{answers:?}");

    let mut told = site.told(3).await;

    told.sort_by_key(|told| told.conn);
    assert_eq!(ips(&told), ["192.0.2.7", "2001:db8:1:2::7", "2001:db8:1:2::8"]);
    assert_ne!(told[0].sid, told[1].sid);
    assert_eq!(told[1].sid, told[2].sid, "neighbours in a /64 are one");
    site.close();
}

#[tokio::test]
async fn behind_the_proxy_protocol_without_realip_the_address_is_the_proxys() {
    let site = Site::of(&format!("server {{ listen LISTEN proxy_protocol; {ANSWER} }}")).await;
    let answer = ask(site.address(), format!("PROXY TCP4 192.0.2.7 127.0.0.1 4660 80\r\n{}", last("/", ""))).await;
    assert!(answer.contains("200 OK"), "{answer}");

    assert_eq!(ips(&site.told(1).await), ["127.0.0.1"]);
    site.close();
}

#[tokio::test]
async fn the_address_and_the_session_by_it_are_as_realip_leaves_them_at_every_level() {
    let realip = "set_real_ip_from 127.0.0.0/8; set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;";
    let site = Site::of(&format!(
        "server {{ listen LISTEN; {realip} real_ip_recursive on; {ANSWER} }}
        server {{ listen LISTEN; server_name located; location /by/realip {{ {realip} return 200 'served\\n'; }} {ANSWER} }}"
    ))
    .await;
    let forwarded = |hops: &str| last("/", &format!("X-Forwarded-For: {hops}\r\n"));
    for hops in ["192.0.2.1, 10.1.1.1", "192.0.2.66, 192.0.2.1", "192.0.2.2", "no address"] {
        assert!(ask(site.address(), forwarded(hops)).await.contains("200 OK"));
    }

    let mut told = site.told(4).await;

    told.sort_by_key(|told| told.conn);
    assert_eq!(ips(&told), ["192.0.2.1", "192.0.2.1", "192.0.2.2", "127.0.0.1"]);
    assert_eq!(told[0].sid, told[1].sid);
    assert_ne!(told[1].sid, told[2].sid);
    site.close();
}

#[tokio::test]
async fn realip_in_a_location_counts_for_the_requests_that_it_answers_and_for_no_other() {
    let realip = "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;";
    let site = Site::of(&format!(
        "server {{ listen LISTEN; {ANSWER} location /known {{ {realip} try_files /nothing @answer; }}
        location @answer {{ return 200 'served\\n'; }} }}"
    ))
    .await;
    // On one connection: the address of the first must not stick to the second.
    let first = "GET /known HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n";
    let answers = ask(site.address(), format!("{first}{}", last("/other", "X-Forwarded-For: 192.0.2.9\r\n"))).await;
    assert_eq!(answers.matches("200 OK").count(), 2, "{answers}");

    let mut told = site.told(2).await;

    told.sort_by_key(|told| told.n);
    assert_eq!(ips(&told), ["192.0.2.9", "127.0.0.1"]);
    site.close();
}

#[tokio::test]
async fn requests_over_a_unix_socket_and_over_ipv6_are_recorded_with_what_nginx_calls_their_address() {
    let site = Site::of(&format!("server {{ listen unix:FOLDER/nginx.sock; listen [::1]:PORT; {ANSWER} }}")).await;
    let stream = UnixStream::connect(site.certificates.folder().join("nginx.sock")).await.unwrap();
    assert!(exchange(stream, last("/local", "").as_bytes()).await.contains("200 OK"));
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, site.address().port()));
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(exchange(stream, last("/six", "").as_bytes()).await.contains("200 OK"));

    let mut told = site.told(2).await;

    told.sort_by_key(|told| told.conn);
    assert_eq!(ips(&told), ["unix:", "::1"]);
    assert_ne!(told[0].sid, told[1].sid);
    site.close();
}
