//! The table: what a configuration says in `http`, and what `nginx -t` answers.

/// Lines in `http`, of which the last is at fault, and the error without its place. Where the lines
/// include a file that is at fault, ` LINE n` ends the error. `x~` is any number of `x`, many.
pub struct Row {
    pub lines: &'static str,
    pub says: &'static str,
}

const fn row(lines: &'static str, says: &'static str) -> Row {
    Row { lines, says }
}

pub const ROWS: &[Row] = &[
    // wallarm_sessions
    row("wallarm_sessions;", r#"invalid number of arguments in "wallarm_sessions" directive"#),
    row("wallarm_sessions on off;", r#"invalid number of arguments in "wallarm_sessions" directive"#),
    row(
        "wallarm_sessions maybe;",
        r#""wallarm_sessions" is "maybe", expected "on", "off" or a variable such as "$capture""#,
    ),
    row("wallarm_sessions \"\";", r#""wallarm_sessions" is "", expected "on", "off" or a variable such as "$capture""#),
    row(
        "wallarm_sessions $a$b;",
        r#""wallarm_sessions" is "$a$b", expected "on", "off" or a variable such as "$capture""#,
    ),
    row(
        "wallarm_sessions x$a;",
        r#""wallarm_sessions" is "x$a", expected "on", "off" or a variable such as "$capture""#,
    ),
    row("wallarm_sessions $;", r#""wallarm_sessions" value "$" has no valid variable name at "$""#),
    row("wallarm_sessions ${a;", r#""wallarm_sessions" value "${a" has no valid variable name at "${a""#),
    row(
        "wallarm_sessions $1;",
        r#""wallarm_sessions" value "$1" uses the capture "$1" by number, expected one with a name, as in "(?<user>...)" and "$user""#,
    ),
    row(
        "wallarm_sessions $wallarm_session_id;",
        r#""wallarm_sessions" value "$wallarm_session_id" uses "$wallarm_session_id", which is computed from it"#,
    ),
    // wallarm_session_application
    row("wallarm_session_application;", r#"invalid number of arguments in "wallarm_session_application" directive"#),
    row(
        "wallarm_session_application shop$-;",
        r#""wallarm_session_application" value "shop$-" has no valid variable name at "$-""#,
    ),
    row(
        "wallarm_session_application a-${wallarm_session_user};",
        r#""wallarm_session_application" value "a-${wallarm_session_user}" uses "$wallarm_session_user", which is computed from it"#,
    ),
    row(
        "include control.conf;",
        r#""wallarm_session_application" has the value "a\nb\u{1b}[2J", expected no control characters LINE 2"#,
    ),
    // wallarm_session_key: sources
    row("wallarm_session_key;", r#"invalid number of arguments in "wallarm_session_key" directive"#),
    row(
        "wallarm_session_key header.X;",
        r#""wallarm_session_key" source "header.X" begins with "header", expected "request", "response" or an NGINX value with variables such as "$arg_user""#,
    ),
    row("wallarm_session_key \"\";", r#""wallarm_session_key" source "" has an empty segment"#),
    row(
        "wallarm_session_key request;",
        r#""wallarm_session_key" source "request" ends after "request", expected a name behind it, as in "request.header.X-User""#,
    ),
    row(
        "wallarm_session_key response;",
        r#""wallarm_session_key" source "response" ends after "response", expected a name behind it, as in "response.header.X-Token""#,
    ),
    row(
        "wallarm_session_key request.heder.X;",
        r#""wallarm_session_key" source "request.heder.X" has no part "heder" in "request", expected one of: header, cookie, query, path, uri, method, host, ip, scheme, var, body"#,
    ),
    row(
        "wallarm_session_key response.query.x;",
        r#""wallarm_session_key" source "response.query.x" has no part "query" in "response", expected one of: header, cookie, status, body"#,
    ),
    row(
        "wallarm_session_key request.header;",
        r#""wallarm_session_key" source "request.header" ends after "request.header", expected a name behind it, as in "request.header.X-User""#,
    ),
    row(
        "wallarm_session_key request.cookie;",
        r#""wallarm_session_key" source "request.cookie" ends after "request.cookie", expected a name behind it, as in "request.cookie.sid""#,
    ),
    row(
        "wallarm_session_key request.query;",
        r#""wallarm_session_key" source "request.query" ends after "request.query", expected a name behind it, as in "request.query.token""#,
    ),
    row(
        "wallarm_session_key request.var;",
        r#""wallarm_session_key" source "request.var" ends after "request.var", expected a name behind it, as in "request.var.ssl_client_fingerprint""#,
    ),
    row(
        "wallarm_session_key request.var.a-b;",
        r#""wallarm_session_key" source "request.var.a-b" has no valid variable name at "$a-b""#,
    ),
    row(
        "wallarm_session_key response.header;",
        r#""wallarm_session_key" source "response.header" ends after "response.header", expected a name behind it, as in "response.header.X-Token""#,
    ),
    row(
        "wallarm_session_key response.cookie;",
        r#""wallarm_session_key" source "response.cookie" ends after "response.cookie", expected a name behind it, as in "response.cookie.sid""#,
    ),
    row(
        "wallarm_session_key request.path.99999999999999999999;",
        r#""wallarm_session_key" source "request.path.99999999999999999999" has no path segment 99999999999999999999"#,
    ),
    row(
        "wallarm_session_key request.header.X.rot13;",
        r#""wallarm_session_key" source "request.header.X.rot13" has no decoder "rot13", expected one of: json, form, multipart, xml, graphql, jwt, bearer, base64, gzip, percent"#,
    ),
    row(
        "wallarm_session_key 'request.header.X.\"json\".a';",
        r#""wallarm_session_key" source "request.header.X."json".a" has no decoder "json", expected one of: json, form, multipart, xml, graphql, jwt, bearer, base64, gzip, percent"#,
    ),
    row(
        "wallarm_session_key request.body.form;",
        r#""wallarm_session_key" source "request.body.form" uses "form" without saying what to take, as in "form.user""#,
    ),
    row(
        "wallarm_session_key request.body.graphql.name;",
        r#""wallarm_session_key" source "request.body.graphql.name" uses "graphql" without saying what to take, as in "graphql.operation", "graphql.type", "graphql.arg.FIELD.ARG" or "graphql.var.NAME""#,
    ),
    row(
        "wallarm_session_key request.header.X.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip;",
        r#""wallarm_session_key" source "request.header.X.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip.gzip" chains more than 8 decoders"#,
    ),
    row(
        "wallarm_session_key request.header.X.json;",
        r#""wallarm_session_key" source "request.header.X.json" uses "json" without saying what to take, as in "json.user.id""#,
    ),
    row(
        "wallarm_session_key request.header.X.jwt.claim.sub;",
        r#""wallarm_session_key" source "request.header.X.jwt.claim.sub" uses "jwt" without saying what to take, as in "jwt.payload.sub""#,
    ),
    row(
        "wallarm_session_key request.header.X.jwt.payload;",
        r#""wallarm_session_key" source "request.header.X.jwt.payload" uses "jwt.payload" without saying what to take, as in "jwt.payload.sub""#,
    ),
    row(
        "wallarm_session_key request.header.X.jwt.header;",
        r#""wallarm_session_key" source "request.header.X.jwt.header" uses "jwt.header" without saying what to take, as in "jwt.header.kid""#,
    ),
    row("wallarm_session_key request..x;", r#""wallarm_session_key" source "request..x" has an empty segment"#),
    row(
        "wallarm_session_key request.header.;",
        r#""wallarm_session_key" source "request.header." has an empty segment"#,
    ),
    row(
        "wallarm_session_key request.header.\"x;",
        r#""wallarm_session_key" source "request.header."x" has a quote without end at ""x""#,
    ),
    row(
        "wallarm_session_key request.header.x\"y;",
        r#""wallarm_session_key" source "request.header.x"y" has a quote inside the segment "x"y""#,
    ),
    row(
        "wallarm_session_key request.header.\"x\"y;",
        r#""wallarm_session_key" source "request.header."x"y" has "y" behind a quoted segment"#,
    ),
    row(
        "wallarm_session_key request.header.$x;",
        r#""wallarm_session_key" source "request.header.$x" mixes a source with a variable, expected one of them; to decode a variable: "request.var.NAME.decoder""#,
    ),
    row(
        "wallarm_session_key $arg_a:$;",
        r#""wallarm_session_key" source "$arg_a:$" has no valid variable name at "$""#,
    ),
    row(
        "wallarm_session_key $arg_a:$1;",
        r#""wallarm_session_key" source "$arg_a:$1" uses the capture "$1" by number, expected one with a name, as in "(?<user>...)" and "$user""#,
    ),
    row(
        "wallarm_session_key request.var.wallarm_session_key;",
        r#""wallarm_session_key" value "request.var.wallarm_session_key" uses "$wallarm_session_key", which is computed from it"#,
    ),
    row(
        "include latin-source.conf;",
        r#""wallarm_session_key" has the value "request.query.caf\xE9", expected UTF-8 LINE 1"#,
    ),
    row(
        "include long-source.conf;",
        r#""wallarm_session_key" source "request.header.X.b~...b~" is longer than 1024 characters LINE 1"#,
    ),
    row(
        "include long-decoder.conf;",
        r#""wallarm_session_key" source "request.header.X.d~...d~" has no decoder "d~...d~", expected one of: json, form, multipart, xml, graphql, jwt, bearer, base64, gzip, percent LINE 1"#,
    ),
    // wallarm_session_key: options
    row(
        "wallarm_session_key request.header.X grup=a;",
        r#""wallarm_session_key" has the option "grup=a", expected "name=", "group=" or "show""#,
    ),
    row(
        "wallarm_session_key request.header.X hash;",
        r#""wallarm_session_key" has the option "hash", expected "name=", "group=" or "show""#,
    ),
    row(
        "wallarm_session_key request.header.X name=;",
        r#""wallarm_session_key" has an empty name, expected some text"#,
    ),
    row(
        "wallarm_session_key request.header.X group=;",
        r#""wallarm_session_key" has an empty name, expected some text"#,
    ),
    row(
        "wallarm_session_key request.header.X name=a name=b;",
        r#""wallarm_session_key" says "name=b" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_key request.header.X group=a group=a;",
        r#""wallarm_session_key" says "group=a" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_key request.header.X show show;",
        r#""wallarm_session_key" says "show" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_key request.header.X group=$;",
        r#""wallarm_session_key" value "$" has no valid variable name at "$""#,
    ),
    row(
        "wallarm_session_key request.header.X group=$wallarm_session_id;",
        r#""wallarm_session_key" value "$wallarm_session_id" uses "$wallarm_session_id", which is computed from it"#,
    ),
    row(
        "include keys-33.conf;",
        r#""wallarm_session_key" source "request.header.X-33" is one parameter too many: a level has at most 32 keys and contexts together LINE 33"#,
    ),
    // wallarm_session_context
    row("wallarm_session_context;", r#"invalid number of arguments in "wallarm_session_context" directive"#),
    row(
        "wallarm_session_context request.hedaer.X;",
        r#""wallarm_session_context" source "request.hedaer.X" has no part "hedaer" in "request", expected one of: header, cookie, query, path, uri, method, host, ip, scheme, var, body"#,
    ),
    row(
        "wallarm_session_context request.header.X group=a;",
        r#""wallarm_session_context" has the option "group=a", expected "name=", "type=", "hash" or "show""#,
    ),
    row(
        "wallarm_session_context request.header.X type=usr;",
        r#""wallarm_session_context" has the type "usr", expected "context", "user" or "role""#,
    ),
    row(
        "wallarm_session_context request.header.X type=user type=role;",
        r#""wallarm_session_context" says "type=role" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_context request.header.X name=a name=a;",
        r#""wallarm_session_context" says "name=a" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_context request.header.X hash hash;",
        r#""wallarm_session_context" says "hash" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_context request.header.X hash show;",
        r#""wallarm_session_context" says both "hash" and "show", expected one of them"#,
    ),
    row(
        "wallarm_session_context request.header.X name=;",
        r#""wallarm_session_context" has an empty name, expected some text"#,
    ),
    row(
        "include keys-32.conf;\nwallarm_session_context $arg_a;",
        r#""wallarm_session_context" source "$arg_a" is one parameter too many: a level has at most 32 keys and contexts together"#,
    ),
    // wallarm_session_builtin_keys, _ip, _path
    row("wallarm_session_builtin_keys;", r#"invalid number of arguments in "wallarm_session_builtin_keys" directive"#),
    row("wallarm_session_builtin_keys maybe;", r#""wallarm_session_builtin_keys" is "maybe", expected "on" or "off""#),
    row("wallarm_session_builtin_keys $a;", r#""wallarm_session_builtin_keys" is "$a", expected "on" or "off""#),
    row("wallarm_session_ip;", r#"invalid number of arguments in "wallarm_session_ip" directive"#),
    row("wallarm_session_ip clean;", r#""wallarm_session_ip" is "clean", expected "clear", "prefix" or "hash""#),
    row(
        "include long-value.conf;",
        r#""wallarm_session_ip" is "p~...q~", expected "clear", "prefix" or "hash" LINE 1"#,
    ),
    row("wallarm_session_path;", r#"invalid number of arguments in "wallarm_session_path" directive"#),
    row("wallarm_session_path hide;", r#""wallarm_session_path" is "hide", expected "clear" or "mask""#),
    // wallarm_session_body_limit, _mcp
    row("wallarm_session_body_limit;", r#"invalid number of arguments in "wallarm_session_body_limit" directive"#),
    row(
        "wallarm_session_body_limit much;",
        r#""wallarm_session_body_limit" "much" is no size, expected a number with k or m, as in "64m""#,
    ),
    row("wallarm_session_body_limit 9m;", r#""wallarm_session_body_limit" is "9m", expected at most "8m""#),
    row("wallarm_session_mcp;", r#"invalid number of arguments in "wallarm_session_mcp" directive"#),
    row("wallarm_session_mcp args;", r#""wallarm_session_mcp" is "args", expected "on", "off" or "arguments""#),
    // wallarm_session_collector
    row("wallarm_session_collector;", r#"invalid number of arguments in "wallarm_session_collector" directive"#),
    row(
        "wallarm_session_collector collector.sock;",
        r#""wallarm_session_collector" "collector.sock" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector \"\";",
        r#""wallarm_session_collector" "" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1;",
        r#""wallarm_session_collector" "127.0.0.1" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:65536;",
        r#""wallarm_session_collector" "127.0.0.1:65536" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector collector.example:24224;",
        r#""wallarm_session_collector" "collector.example:24224" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector $host:24224;",
        r#""wallarm_session_collector" "$host:24224" is no address, expected "unix:/path" or an address with port such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:0;",
        r#""wallarm_session_collector" "127.0.0.1:0" has no port, expected one from 1 to 65535"#,
    ),
    row(
        "wallarm_session_collector 192.0.2.1:24224;",
        r#""wallarm_session_collector" "192.0.2.1:24224" is another machine, expected "tls", or "insecure_plain" where nobody else can read or change what is sent"#,
    ),
    row(
        "wallarm_session_collector 0.0.0.0:24224;",
        r#""wallarm_session_collector" "0.0.0.0:24224" is no machine's address, expected one such as "127.0.0.1:24224""#,
    ),
    row(
        "wallarm_session_collector unix:run/collector.sock;",
        r#""wallarm_session_collector" "unix:run/collector.sock" needs an absolute path, as in "unix:/run/api-sessions/collector.sock""#,
    ),
    row(
        "include long-socket.conf;",
        r#""wallarm_session_collector" "unix:/s~" is too long: a socket's path has at most 107 bytes LINE 1"#,
    ),
    row(
        "include zero.conf;",
        r#""wallarm_session_collector" has the value "unix:/run/a\u{0}b", expected no control characters LINE 1"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1; wallarm_session_collector localhost:1;",
        r#""wallarm_session_collector" names "localhost:1" twice"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tsl;",
        r#""wallarm_session_collector" has the option "tsl", expected "tls", "ca=", "cert=", "key=", "name=", "shared_key_file=" or "insecure_plain""#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls=on;",
        r#""wallarm_session_collector" has the option "tls=on", expected "tls", "ca=", "cert=", "key=", "name=", "shared_key_file=" or "insecure_plain""#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls tls;",
        r#""wallarm_session_collector" says "tls" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls insecure_plain;",
        r#""wallarm_session_collector" says both "tls" and "insecure_plain", expected one of them"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 ca=a;",
        r#""wallarm_session_collector" says "ca=" without "tls", expected both"#,
    ),
    row(
        "wallarm_session_collector 192.0.2.1:1 insecure_plain name=a;",
        r#""wallarm_session_collector" says "name=" without "tls", expected both"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls cert=a;",
        r#""wallarm_session_collector" says one of "cert=" and "key=", expected both"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls ca=;",
        r#""wallarm_session_collector" has the option "ca=", expected a value behind it"#,
    ),
    row(
        "wallarm_session_collector unix:/a tls;",
        r#""wallarm_session_collector" "unix:/a" is guarded by the rights of its file, expected no option"#,
    ),
    row(
        "wallarm_session_collector unix:/a shared_key_file=a;",
        r#""wallarm_session_collector" "unix:/a" is guarded by the rights of its file, expected no option"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls ca=missing;",
        r#""wallarm_session_collector" file "FOLDER/missing" cannot be read: No such file or directory (os error 2)"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls ca=/dev/null;",
        r#""wallarm_session_collector" file "/dev/null" is no file"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls ca=nginx.conf;",
        r#""wallarm_session_collector" file "FOLDER/nginx.conf" holds no certificate, expected PEM (-----BEGIN CERTIFICATE-----)"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 tls 'name=a b';",
        r#""wallarm_session_collector" has the name "a b", expected that of a host, as in the collector's certificate"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 shared_key_file=missing;",
        r#""wallarm_session_collector" file "FOLDER/missing" cannot be read: No such file or directory (os error 2)"#,
    ),
    row(
        "wallarm_session_collector 127.0.0.1:1 shared_key_file=/dev/null;",
        r#""wallarm_session_collector" file "/dev/null" is no file"#,
    ),
    // wallarm_session_secret
    row("wallarm_session_secret;", r#"invalid number of arguments in "wallarm_session_secret" directive"#),
    row(
        "wallarm_session_secret /nonexistent/secret;",
        r#""wallarm_session_secret" file "/nonexistent/secret" cannot be read: No such file or directory (os error 2)"#,
    ),
    row(
        "wallarm_session_secret missing;",
        r#""wallarm_session_secret" file "FOLDER/missing" cannot be read: No such file or directory (os error 2)"#,
    ),
    row(
        "wallarm_session_secret short/x;",
        r#""wallarm_session_secret" file "FOLDER/short/x" cannot be read: Not a directory (os error 20)"#,
    ),
    row(
        "wallarm_session_secret folder;",
        r#""wallarm_session_secret" file "FOLDER/folder" is no file of at most 65536 bytes"#,
    ),
    row(
        "wallarm_session_secret /dev/zero;",
        r#""wallarm_session_secret" file "/dev/zero" is no file of at most 65536 bytes"#,
    ),
    row(
        "wallarm_session_secret long;",
        r#""wallarm_session_secret" file "FOLDER/long" is no file of at most 65536 bytes"#,
    ),
    row(
        "wallarm_session_secret empty;",
        r#""wallarm_session_secret" file "FOLDER/empty" holds 0 bytes, expected at least 16, as "openssl rand -hex 32 > FOLDER/empty" makes them"#,
    ),
    row(
        "wallarm_session_secret newline;",
        r#""wallarm_session_secret" file "FOLDER/newline" holds 0 bytes, expected at least 16, as "openssl rand -hex 32 > FOLDER/newline" makes them"#,
    ),
    row(
        "wallarm_session_secret short;",
        r#""wallarm_session_secret" file "FOLDER/short" holds 15 bytes, expected at least 16, as "openssl rand -hex 32 > FOLDER/short" makes them"#,
    ),
    row("include latin-path.conf;", r#""wallarm_session_secret" has the value "caf\xE9", expected UTF-8 LINE 1"#),
    // wallarm_session_node
    row("wallarm_session_node;", r#"invalid number of arguments in "wallarm_session_node" directive"#),
    row("wallarm_session_node \"\";", r#""wallarm_session_node" has an empty name, expected some text"#),
    row("include latin.conf;", r#""wallarm_session_node" has the value "caf\xE9", expected UTF-8 LINE 1"#),
    row(
        "include long-name.conf;",
        r#""wallarm_session_node" has a name of 257 bytes, expected at most 256: "n~...n~" LINE 1"#,
    ),
    row("include too-long.conf;", r#"too long parameter "nnnnnnnnnn..." started LINE 1"#),
    // wallarm_session_queue
    row("wallarm_session_queue;", r#"invalid number of arguments in "wallarm_session_queue" directive"#),
    row("wallarm_session_queue many;", r#""wallarm_session_queue" "many" is no number from 1 to 1048576"#),
    row("wallarm_session_queue 0;", r#""wallarm_session_queue" "0" is no number from 1 to 1048576"#),
    row("wallarm_session_queue -1;", r#""wallarm_session_queue" "-1" is no number from 1 to 1048576"#),
    row("wallarm_session_queue 1048577;", r#""wallarm_session_queue" "1048577" is no number from 1 to 1048576"#),
    row("wallarm_session_queue 8k;", r#""wallarm_session_queue" "8k" is no number from 1 to 1048576"#),
    row(
        "wallarm_session_queue 99999999999999999999;",
        r#""wallarm_session_queue" "99999999999999999999" is no number from 1 to 1048576"#,
    ),
    row(
        "wallarm_session_queue 100 memry=1m;",
        r#""wallarm_session_queue" has the option "memry=1m", expected "memory=""#,
    ),
    row("wallarm_session_queue 100 memory;", r#""wallarm_session_queue" has the option "memory", expected "memory=""#),
    row(
        "wallarm_session_queue 100 memory=1m memory=2m;",
        r#"invalid number of arguments in "wallarm_session_queue" directive"#,
    ),
    row(
        "wallarm_session_queue 100 memory=;",
        r#""wallarm_session_queue" "" is no size, expected a number with k or m, as in "64m""#,
    ),
    row(
        "wallarm_session_queue 100 memory=lots;",
        r#""wallarm_session_queue" "lots" is no size, expected a number with k or m, as in "64m""#,
    ),
    row(
        "wallarm_session_queue 100 memory=0;",
        r#""wallarm_session_queue" "0" is no size, expected a number with k or m, as in "64m""#,
    ),
    row(
        "wallarm_session_queue 100 memory=9999999999999999m;",
        r#""wallarm_session_queue" "9999999999999999m" is no size, expected a number with k or m, as in "64m""#,
    ),
    row(
        "wallarm_session_queue 100 memory=1023k;",
        r#""wallarm_session_queue" has "memory=1023k", expected at least "memory=1m""#,
    ),
    // wallarm_session_batch
    row("wallarm_session_batch;", r#"invalid number of arguments in "wallarm_session_batch" directive"#),
    row(
        "wallarm_session_batch sise=3;",
        r#""wallarm_session_batch" has the option "sise=3", expected "size=", "interval=" or "compress=""#,
    ),
    row(
        "wallarm_session_batch 500;",
        r#""wallarm_session_batch" has the option "500", expected "size=", "interval=" or "compress=""#,
    ),
    row("wallarm_session_batch size=0;", r#""wallarm_session_batch" "0" is no number from 1 to 10000"#),
    row("wallarm_session_batch size=10001;", r#""wallarm_session_batch" "10001" is no number from 1 to 10000"#),
    row("wallarm_session_batch size=;", r#""wallarm_session_batch" "" is no number from 1 to 10000"#),
    row(
        "wallarm_session_batch size=1 size=2;",
        r#""wallarm_session_batch" says "size=2" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_batch interval=1s interval=1s;",
        r#""wallarm_session_batch" says "interval=1s" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_batch interval=soon;",
        r#""wallarm_session_batch" "soon" is no time from 1ms to 1h, expected a number with ms, s or m, as in "1s""#,
    ),
    row(
        "wallarm_session_batch interval=0;",
        r#""wallarm_session_batch" "0" is no time from 1ms to 1h, expected a number with ms, s or m, as in "1s""#,
    ),
    row(
        "wallarm_session_batch interval=61m;",
        r#""wallarm_session_batch" "61m" is no time from 1ms to 1h, expected a number with ms, s or m, as in "1s""#,
    ),
    row(
        "wallarm_session_batch interval=99999999999999999999s;",
        r#""wallarm_session_batch" "99999999999999999999s" is no time from 1ms to 1h, expected a number with ms, s or m, as in "1s""#,
    ),
    row(
        "wallarm_session_batch size=1 interval=1s size=1;",
        r#""wallarm_session_batch" says "size=1" after it said that already, expected once"#,
    ),
    row(
        "wallarm_session_batch size=1 interval=1s compress=zstd compress=off;",
        r#"invalid number of arguments in "wallarm_session_batch" directive"#,
    ),
    row(
        "wallarm_session_batch compress=gzip;",
        r#""wallarm_session_batch" compresses by "gzip", expected "zstd" or "off""#,
    ),
    // wallarm_session_spool: who owns and may write the directory is in `spool`.
    row("wallarm_session_spool;", r#"invalid number of arguments in "wallarm_session_spool" directive"#),
    row("wallarm_session_spool a max=1g b;", r#"invalid number of arguments in "wallarm_session_spool" directive"#),
    row("wallarm_session_spool spool mx=1g;", r#""wallarm_session_spool" has the option "mx=1g", expected "max=""#),
    row("wallarm_session_spool spool 1g;", r#""wallarm_session_spool" has the option "1g", expected "max=""#),
    row(
        "wallarm_session_spool spool max=much;",
        r#""wallarm_session_spool" "much" is no size, expected a number with k, m or g, as in "1g""#,
    ),
    row(
        "wallarm_session_spool spool max=0;",
        r#""wallarm_session_spool" "0" is no size, expected a number with k, m or g, as in "1g""#,
    ),
    row(
        "wallarm_session_spool spool max=-1g;",
        r#""wallarm_session_spool" "-1g" is no size, expected a number with k, m or g, as in "1g""#,
    ),
    row(
        "wallarm_session_spool spool max=99999999999g;",
        r#""wallarm_session_spool" "99999999999g" is no size, expected a number with k, m or g, as in "1g""#,
    ),
    row(
        "wallarm_session_spool spool max=16383k;",
        r#""wallarm_session_spool" has "max=16383k", expected at least "max=16m""#,
    ),
    row("wallarm_session_spool short;", r#""wallarm_session_spool" "FOLDER/short" is no directory"#),
    row(
        "wallarm_session_spool short/spool;",
        r#""wallarm_session_spool" directory "FOLDER/short/spool" cannot be looked at: Not a directory (os error 20)"#,
    ),
    row(
        "wallarm_session_spool nowhere/spool;",
        r#""wallarm_session_spool" directory "FOLDER/nowhere/spool" cannot be made: the one above it is not there"#,
    ),
    row(
        "wallarm_session_spool folder;",
        r#""wallarm_session_spool" directory "FOLDER/folder" holds "x", which is no part of a spool, expected a directory of its own"#,
    ),
    // wallarm_session_status
    row(
        "server { location / { wallarm_session_status on; } }",
        r#"invalid number of arguments in "wallarm_session_status" directive"#,
    ),
];
