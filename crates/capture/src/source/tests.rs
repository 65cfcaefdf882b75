//! What is a source and what is not.

use super::*;

fn parsed(text: &str) -> Source {
    Source::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn error(text: &str) -> String {
    Source::parse(text).expect_err(text).to_string()
}

#[test]
fn each_part_of_the_contract_is_understood() {
    for (text, origin) in [
        ("request.header.X-Token", Origin::RequestHeader("x-token".into())),
        ("request.cookie.sid", Origin::RequestCookie("sid".into())),
        ("request.query.token", Origin::Query("token".into())),
        ("request.path", Origin::Path),
        ("request.path.2", Origin::PathSegment(2)),
        ("request.uri", Origin::Uri),
        ("request.method", Origin::Method),
        ("request.host", Origin::Host),
        ("request.ip", Origin::Ip),
        ("request.scheme", Origin::Scheme),
        ("request.var.Foo", Origin::Value(Template(vec![Piece::Variable("foo".into())]))),
        ("response.header.X-Token", Origin::ResponseHeader("x-token".into())),
        ("response.cookie.sid", Origin::ResponseCookie("sid".into())),
        ("response.status", Origin::Status),
        ("request.body", Origin::RequestBody),
        ("response.body", Origin::ResponseBody),
        ("request.query.graphql", Origin::Query("graphql".into())),
    ] {
        assert_eq!(parsed(text), Source { origin, decoders: Vec::new() }, "{text}");
    }
}

#[test]
fn a_quoted_segment_holds_dots_and_decoder_names() {
    assert_eq!(parsed("request.cookie.\"connect.sid\"").origin, Origin::RequestCookie("connect.sid".into()));
    assert_eq!(
        parsed("request.header.X.json.\"base64\".base64").decoders,
        [Decoder::Json(vec!["base64".into()]), Decoder::Base64]
    );
}

#[test]
fn decoders_are_chained_in_any_order() {
    assert_eq!(
        parsed("request.header.X-State.percent.base64.json.a.0.json.b").decoders,
        [
            Decoder::Percent,
            Decoder::Base64,
            Decoder::Json(vec!["a".into(), "0".into()]),
            Decoder::Json(vec!["b".into()])
        ]
    );
    assert_eq!(
        parsed("request.header.Authorization.jwt.payload.details.username").decoders,
        [Decoder::JwtPayload(vec!["details".into(), "username".into()])]
    );
}

#[test]
fn an_nginx_value_is_text_and_variables() {
    assert_eq!(
        parsed("$arg_a:${arg_B}x").origin,
        Origin::Value(Template(vec![
            Piece::Variable("arg_a".into()),
            Piece::Text(":".into()),
            Piece::Variable("arg_b".into()),
            Piece::Text("x".into()),
        ]))
    );
}

#[test]
fn errors_say_what_would_be_right() {
    for (text, says) in [
        ("header.X", "expected \"request\", \"response\""),
        ("request", "as in \"request.header.X-User\""),
        ("request.head.X", "expected one of: header, cookie, query"),
        ("response.query.x", "expected one of: header, cookie, status"),
        ("request.header", "expected a name"),
        ("request.header.X.rot13", "no decoder \"rot13\", expected one of: json, form"),
        ("request.header.X.json", "as in \"json.user.id\""),
        ("request.header.X.jwt.sub", "as in \"jwt.payload.sub\""),
        ("request.body.form", "as in \"form.user\""),
        ("request.body.xml.@id", "as in \"xml.order.@id\""),
        ("request.body.xml.a.@id.b", "as in \"xml.order.@id\""),
        ("request.body.graphql.name", "as in \"graphql.operation\", \"graphql.type\""),
        ("request.body.graphql.arg.login", "as in \"graphql.operation\""),
        ("request.header.X.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip", "more than 8 decoders"),
        ("request..x", "empty segment"),
        ("request.header.\"x", "quote without end"),
        ("request.header.$x", "to decode a variable"),
        ("$", "no valid variable name"),
        ("request.var.a-b", "no valid variable name"),
        ("$1", "\"$user\""),
        ("${a", "no valid variable name"),
    ] {
        let error = error(text);
        assert!(error.contains(says), "{text}: {error}");
    }
    let long = format!("request.body.json{}", ".a".repeat(65));
    assert!(error(&long).contains("a path of more than 64 segments"));
}

#[test]
fn a_value_is_called_by_the_last_segment_of_its_source() {
    for (text, name) in [
        ("request.header.X-User", "X-User"),
        ("request.header.Authorization.jwt.payload.sub", "sub"),
        ("request.cookie.\"connect.sid\"", "connect.sid"),
        ("$arg_a:$arg_b", "$arg_a:$arg_b"),
    ] {
        assert_eq!(Source::default_name(text), name);
    }
}

#[test]
fn sources_that_name_credentials_are_sensitive() {
    for source in [
        "request.header.Authorization.jwt.payload.sub",
        "request.cookie.theme",
        "response.cookie.x",
        "request.query.access_token",
        "request.header.Api_Key",
        "request.header.X-API-Key",
        "$http_authorization",
        "$cookie_a",
        "request.query.client_secret",
        "request.query.Password",
    ] {
        assert!(is_sensitive(source), "{source}");
    }
    for source in ["request.header.X-User", "request.query.page", "request.path.1", "$host"] {
        assert!(!is_sensitive(source), "{source}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_source_or_an_error(text in "(request|response|\\$)?[.\"a-z0-9$]{0,40}") {
        let _ = Source::parse(&text);
    }
}
