//! Beside other modules: Debian's Lua, njs, ModSecurity, headers-more, brotli and GeoIP2, all loaded
//! and at work together, ours before or after them.
//!
//! Their binaries fit Debian's NGINX only.
#![forbid(unsafe_code)]

mod asked;
mod mmdb;
mod site;

use std::collections::BTreeMap;

use asked::Answer;
use ngx_tests::rest::Request;
use site::{Order, Site};

/// One line of a log: its words.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// What a record tells, in the words of the access log.
fn told(record: &Request) -> Vec<String> {
    let numbers = [u64::from(record.status), record.bytes_out, record.bytes_in];
    [record.id.clone()].into_iter().chain(numbers.map(|number| number.to_string())).collect()
}

/// Asks everything before and after a reload, and compares answers, access log and records.
async fn nothing_changes_and_everything_is_recorded(order: Order) {
    let without = Site::open(Order::Without).await;
    let plain = without.ask_everything().await;
    without.close();
    let mut site = Site::open(order).await;

    let mut answers = site.ask_everything().await;
    site.reload().await;
    answers.extend(site.ask_everything().await);

    for (answer, plain) in answers.iter().zip(plain.iter().cycle()) {
        assert_eq!(answer.question, plain.question);
        let same = answer.comparable() == plain.comparable();
        assert!(same, "{}, without us:\n{}\nwith us:\n{}", answer.question, plain.text(), answer.text());
    }
    let records = site.records(answers.len()).await;
    // A connection may linger after its answer: then its line comes later than the next one's.
    let mut answered: Vec<[String; 3]> = answers.iter().map(Answer::told).collect();
    let lines: Vec<Vec<String>> = site.log("access.log").iter().map(|line| words(line)).collect();
    let mut logged: Vec<[String; 3]> = lines.iter().map(|line| [4, 1, 2].map(|at| line[at].clone())).collect();
    answered.sort();
    logged.sort();
    assert_eq!(logged, answered);
    let mut lines: Vec<Vec<String>> = lines.into_iter().map(|line| line[..4].to_vec()).collect();
    let mut told: Vec<Vec<String>> = records.iter().map(told).collect();
    lines.sort();
    told.sort();
    assert_eq!(told, lines);
    site.close();
}

#[tokio::test]
async fn loaded_first_no_answer_changes_and_each_request_is_recorded_once() {
    nothing_changes_and_everything_is_recorded(Order::First).await;
}

#[tokio::test]
async fn loaded_last_no_answer_changes_and_each_request_is_recorded_once() {
    nothing_changes_and_everything_is_recorded(Order::Last).await;
}

#[tokio::test]
async fn all_six_modules_are_at_work() {
    let site = Site::open(Order::Last).await;

    let answers = site.ask_everything().await;

    let answers: BTreeMap<&str, &Answer> = answers.iter().map(|answer| (answer.question.as_str(), answer)).collect();
    for (question, text) in [
        ("GET /lua/content", "X-Lua: content"),
        ("GET /lua/filter", "A TEXT"),
        ("GET /lua/denied", "HTTP/1.1 401"),
        ("GET /lua/elsewhere", "a page"),
        ("POST /lua/rewritten", "another body"),
        ("GET /njs/content", "X-Njs: content"),
        ("GET /njs/filter", "A TEXT"),
        ("GET /njs/elsewhere", "a page"),
        ("GET /text?x=attack", "HTTP/1.1 403"),
        ("GET /leak", "HTTP/1.1 502"),
        ("GET /text", "X-More: yes"),
        ("GET /text br", "Content-Encoding: br"),
        ("GET /static/page.txt br", "Content-Encoding: br"),
        ("GET /country", "NZ"),
    ] {
        let answer = answers.get(question).unwrap_or_else(|| panic!("nobody asked {question}"));
        assert!(answer.text().contains(text), "{question}: {text} is not in\n{}", answer.text());
    }
    site.close();
}

#[tokio::test]
async fn lua_and_njs_read_in_the_log_phase_what_the_record_holds() {
    for order in [Order::First, Order::Last] {
        let site = Site::open(order).await;
        let answers = site.ask_everything().await;

        let records = site.records(answers.len()).await;

        let mut told: Vec<String> =
            records.iter().map(|record| format!("{} {} {}", record.id, record.session_id, record.status)).collect();
        told.sort();
        for name in ["lua.log", "njs.log"] {
            let mut lines = site.log(name);
            lines.sort();
            assert_eq!(lines, told, "{name}, {order:?}");
        }
        site.close();
    }
}

#[tokio::test]
async fn lua_reads_while_it_answers_what_the_record_holds() {
    let site = Site::open(Order::First).await;
    let answer = site.ask("GET /lua/session", "", "").await;

    let records = site.records(1).await;

    let told = format!("{} {}", records[0].id, records[0].session_id);
    assert!(answer.text().contains(&told), "{told} is not in\n{}", answer.text());
    site.close();
}

#[tokio::test]
async fn the_audit_log_of_modsecurity_names_the_records() {
    for order in [Order::First, Order::Last] {
        let site = Site::open(order).await;
        for question in ["GET /text", "GET /text?x=attack", "GET /leak"] {
            site.ask(question, "", "").await;
        }

        let records = site.records(3).await;

        // Part A of an entry: "[time] transaction client port server port".
        let mut audited: Vec<String> = site
            .log("audit.log")
            .iter()
            .filter(|line| line.starts_with('['))
            .map(|line| words(line)[2].clone())
            .collect();
        let refused = records.iter().filter(|record| record.status != 200);
        let mut refused: Vec<String> = refused.map(|record| record.id.clone()).collect();
        // Within a millisecond ids have no order.
        audited.sort();
        refused.sort();
        assert_eq!(audited, refused, "{order:?}");
        site.close();
    }
}

#[tokio::test]
async fn what_other_modules_know_or_set_can_be_a_context() {
    for order in [Order::First, Order::Last] {
        let site = Site::open(order).await;
        site.ask("GET /lua/filter", "X-User: anna\r\nX-Unwanted: x\r\n", "").await;

        let records = site.records(1).await;

        let params = records[0].params.iter().map(|param| (param.name.as_str(), param.value.as_str()));
        assert_eq!(params.collect::<Vec<_>>(), [("country", "NZ"), ("lua", "filter"), ("user", "anna")], "{order:?}");
        site.close();
    }
}
