//! Configurations of a size that nobody writes by hand, but generators do.

use std::fs;

use ngx_tests::nginx::Nginx;

use crate::site::quickstart;

const LOCATIONS: usize = 2_000;

/// Resident memory of a process, in KiB.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// NGINX with so many locations, and the memory of its master.
fn memory_with(http: &str, server: &str, location: &str) -> u64 {
    let locations: String =
        (0..LOCATIONS).map(|n| format!("        location /l{n}/ {{ {location} return 200; }}\n")).collect();
    let nginx = Nginx::start(&quickstart(http).in_server(&format!("{server}\n{locations}")).unwrap()).unwrap();
    let memory = resident(nginx.id());
    nginx.stop().unwrap();
    memory
}

/// 30 keys and contexts weigh about 10 KiB as a plan: 2,000 copies would be 20 MiB and more.
#[test]
fn two_thousand_locations_share_the_plan_above_them() {
    let keys: String =
        (0..30).map(|n| format!("    wallarm_session_key request.header.X-Key-{n} group=$host-{n};\n")).collect();
    let silent = memory_with(&keys, "", "");
    let inherited = memory_with(&keys, "        wallarm_sessions off;", "wallarm_sessions on;");
    let more = inherited.saturating_sub(silent);
    assert!(more < 4_096, "2,000 locations that only switch sessions on take {more} KiB more");
}

#[test]
fn two_thousand_locations_with_keys_of_their_own_are_read() {
    let locations: String = (0..LOCATIONS)
        .map(|n| {
            format!("        location /l{n}/ {{ wallarm_session_key request.header.X-Key-{n} group=$arg_g{n}; return 200; }}\n")
        })
        .collect();
    let (accepted, said) = Nginx::check(&quickstart("").in_server(&locations).unwrap()).unwrap();
    assert!(accepted, "{said}");
}
