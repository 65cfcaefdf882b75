//! Several sources of one request, and what a cut or damage leaves of them.

use capture::{Format, Reason};

use super::request::{Sent, read, read_body};

fn values(sources: &[&str], content_type: &'static str, body: &str) -> Vec<Option<String>> {
    read_body(sources, content_type, body).values
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn values_that_lie_in_one_another_are_all_found() {
    let sources = [
        "request.body.json.user",
        "request.body.json.user.id",
        "request.body.json.items.*.sku",
        "request.body.json.items.1.sku",
        "request.body.json.token.base64.json.sub",
        "request.body.json.token.base64",
    ];
    let body = r#"{"user":{"id":7},"items":[{"sku":"a"},{"sku":"b"}],"token":"eyJzdWIiOiJ1In0="}"#;
    let expected = some(&[r#"{"id":7}"#, "7", "a,b", "b", "u", r#"{"sub":"u"}"#]);
    assert_eq!(values(&sources, "application/json", body), expected);
}

/// A shown value is cut at 1 KiB; both lists are longer.
#[test]
fn each_list_of_a_document_has_the_room_of_a_value() {
    let list = format!("[{}\"end\"]", "\"0123456789\",".repeat(4_000));
    let sources = ["request.body.json.a.*", "request.body.json.b.*"];
    let body = format!(r#"{{"a":{list},"b":{list}}}"#).into_bytes();
    let request = super::request::Sending { body, content_type: Some("application/json"), encoding: None };
    let got = read(&sources, &Sent { request, ..Sent::default() }, 256 << 10);
    assert_eq!(got.values.iter().flatten().count(), 2, "{:?}", got.counted());
}

#[test]
fn of_a_body_that_is_cut_the_whole_values_are_read_and_no_other() {
    let sources = ["request.body.json.a", "request.body.json.n", "request.body.json.list.*", "request.body.json.z"];
    let body = format!(r#"{{"a":"whole","list":[1,2,{}3],"n":1234,"z":1}}"#, " ".repeat(100));
    for (limit, expected, counted) in [
        (200, vec![Some("whole"), Some("1234"), Some("1,2,3"), Some("1")], 0),
        (body.len() - 9, vec![Some("whole"), None, Some("1,2,3"), None], 1),
        (60, vec![Some("whole"), None, None, None], 1),
    ] {
        let request = super::request::Sending {
            body: body.clone().into_bytes(),
            content_type: Some("application/json"),
            encoding: None,
        };
        let got = read(&sources, &Sent { request, ..Sent::default() }, limit);
        assert_eq!(got.values.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{limit}");
        assert_eq!(got.undecoded.get(Format::Json, Reason::Cut), counted, "{limit}");
    }
}

#[test]
fn files_are_known_by_their_names_only() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"doc\"; filename=\"a \\\"b\\\".txt\"\r\n\
                Content-Type: text/plain\r\n\r\nsecret contents\r\n--b\r\n\
                Content-Disposition: form-data; name=\"p1[x]\"\r\n\r\nv\r\n--b--\r\n";
    let sources = ["request.body.multipart.doc", "request.body.multipart.\"p1[x]\""];
    assert_eq!(values(&sources, "multipart/form-data; boundary=\"b\"", body), some(&["a \"b\".txt", "v"]));
}

#[test]
fn bracket_names_of_a_form_are_taken_as_they_are_written() {
    let sources = ["request.body.form.\"p1[x]\"", "request.body.form.sp"];
    assert_eq!(values(&sources, "application/x-www-form-urlencoded", "p1%5Bx%5D=v&sp=a+b%2B"), some(&["v", "a b+"]));
}

#[test]
fn xml_names_with_a_prefix_are_met_with_or_without_it() {
    let sources = ["request.body.xml.Envelope.Body.\"m:Login\".user", "request.body.xml.Envelope.Body.Login.@id"];
    let body = "<s:Envelope><s:Body><m:Login id='&lt;7'> <user>\n ann<![CDATA[ & ]]>&#98;ob </user></m:Login></s:Body></s:Envelope>";
    assert_eq!(values(&sources, "application/soap+xml; charset=utf-8", body), some(&["ann & bob", "<7"]));
}

#[test]
fn a_graphql_request_tells_operation_type_arguments_and_variables() {
    let sources = [
        "request.body.graphql.operation",
        "request.body.graphql.type",
        "request.body.graphql.arg.login.email",
        "request.body.graphql.arg.orders.first",
        "request.body.graphql.arg.orders.filter.status",
        "request.body.graphql.var.input.email",
        "request.body.graphql.arg.save.input.email",
    ];
    let query = r#"query Other { x } mutation Login($email: String!, $n: Int = 10, $input: In) {
        me: login(email: $email) @skip(if: false) { ...Rest ... on User { a } }
        save(input: $input) { id }
    }
    fragment Rest on User { id alias: orders(first: $n, filter: {status: OPEN}) { id ...Rest } }"#;
    let request = serde_json::json!({
        "operationName": "Login",
        "query": query,
        "variables": {"email": "ann@example.com", "input": {"email": "bob@example.com"}},
    });
    let expected = some(&["Login", "mutation", "ann@example.com", "10", "OPEN", "bob@example.com", "bob@example.com"]);
    let got = read_body(&sources, "application/json", request.to_string());
    assert_eq!(got.values, expected);
    assert_eq!(got.graphql, Some(("mutation".into(), "Login".into())));
    let batch = serde_json::json!([{"query": "{ ping }"}, request]);
    let got = read_body(&sources[2..], "application/json", batch.to_string());
    assert_eq!(got.values, expected[2..]);
    assert_eq!(got.graphql, Some(("query".into(), "Login".into())));
}

#[test]
fn a_graphql_query_string_is_a_request() {
    let sources = ["request.query.graphql.operation", "request.query.graphql.arg.user.id", "request.query.query"];
    let target = b"/graphql?query=query+Me($id:ID){user(id:$id){name}}&variables=%7B%22id%22%3A%227%22%7D".to_vec();
    let got = read(&sources, &Sent { target, ..Sent::default() }, 0);
    assert_eq!(got.values, some(&["Me", "7", "query Me($id:ID){user(id:$id){name}}"]));
    assert_eq!(got.graphql, Some(("query".into(), "Me".into())));
}

#[test]
fn a_body_without_a_content_type_may_be_anything() {
    let request = super::request::Sending { body: br#"{"a":"v"}"#.to_vec(), ..Default::default() };
    let got = read(&["request.body.json.a"], &Sent { request, ..Sent::default() }, 1024);
    assert_eq!(got.values, some(&["v"]));
}

/// A call of an AI agent, with these headers.
fn call(headers: &[(&'static str, &str)], answer: &[(&'static str, &str)]) -> Option<[String; 4]> {
    let given =
        |all: &[(&'static str, &str)]| all.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
    let json = |body: &str| super::request::Sending {
        body: body.as_bytes().to_vec(),
        content_type: Some("application/json"),
        encoding: None,
    };
    let sent = Sent {
        headers: given(headers),
        answer: given(answer),
        request: json(r#"{"id":1,"method":"tools/call","params":{"name":"search","arguments":{"q":"secret"}}}"#),
        response: json(r#"{"id":1,"error":{"code":-32602,"message":"Unknown tool"}}"#),
        ..Sent::default()
    };
    read(&[], &sent, 1024).mcp
}

#[test]
fn a_call_of_an_ai_agent_tells_method_primitive_and_error_and_no_arguments_unless_asked_for() {
    let told = |all: [&str; 4]| Some(all.map(str::to_owned));
    let expected = told(["tools/call", "search", "", "-32602 Unknown tool"]);
    assert_eq!(call(&[("Mcp-Session-Id", "s")], &[]), expected);
    assert_eq!(call(&[("Mcp-Protocol-Version", "2025-06-18")], &[]), expected);
    let by_headers = call(&[("Mcp-Method", "prompts/get"), ("Mcp-Name", "p")], &[]);
    assert_eq!(by_headers, told(["prompts/get", "p", "", "-32602 Unknown tool"]));
    assert_eq!(call(&[], &[("Mcp-Session-Id", "s")]), told(["initialize", "", "", ""]));
    assert_eq!(call(&[], &[]), None);
}
