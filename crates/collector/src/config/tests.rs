use std::fs;
use std::path::Path;

use super::*;

fn around(root: &Path) -> Surroundings {
    for dir in ["run", "var/lib", "tmp"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    Surroundings {
        variables: [("HOME".to_owned(), root.join("home").to_str().unwrap().to_owned())].into(),
        default_file: root.join("api-sessions.toml"),
        run: root.join("run"),
        var_lib: root.join("var/lib"),
        tmp: root.join("tmp"),
        uid: rustix::process::geteuid().as_raw(),
        cores: 2,
    }
}

fn with_variable(around: &Surroundings, name: &str, value: &str) -> Surroundings {
    let mut changed = around.clone();
    changed.variables.insert(name.to_owned(), value.to_owned());
    changed
}

#[test]
fn without_any_configuration_a_machine_has_working_defaults() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let config = Config::load(&Flags::default(), &around).unwrap();
    assert_eq!(config.settings.data_dir, root.path().join("var/lib/api-sessions"));
    assert!(config.settings.create_data_dir);
    assert_eq!(config.settings.ingest, [Address::Unix(root.path().join("run/api-sessions/collector.sock"))]);
    let api: Vec<_> = config.settings.api.iter().map(Address::to_string).collect();
    assert_eq!(api, ["127.0.0.1:8484".to_owned(), format!("unix:{}", config.socket.display())]);
    assert_eq!(config.socket, root.path().join("run/api-sessions/api.sock"));
    assert_eq!(config.settings.threads, 2);
    assert!(config.runtime_dir.is_dir());
}

#[test]
fn without_rights_to_system_directories_a_user_gets_his_own() {
    let root = tempfile::tempdir().unwrap();
    let mut around = around(root.path());
    // Files, not directories: nobody can make anything below, root neither.
    around.run = root.path().join("no-run");
    around.var_lib = root.path().join("no-var-lib");
    fs::write(&around.run, "").unwrap();
    fs::write(&around.var_lib, "").unwrap();
    let config = Config::load(&Flags::default(), &around).unwrap();
    assert_eq!(config.settings.data_dir, root.path().join("home/.local/share/api-sessions"));
    assert_eq!(config.runtime_dir, root.path().join(format!("tmp/api-sessions-{}", around.uid)));

    let xdg = root.path().join("xdg");
    fs::create_dir(&xdg).unwrap();
    let around = with_variable(&around, "XDG_RUNTIME_DIR", xdg.to_str().unwrap());
    let config = Config::load(&Flags::default(), &around).unwrap();
    assert_eq!(config.runtime_dir, xdg.join("api-sessions"));
}

#[test]
fn a_private_directory_that_is_open_to_others_is_not_used() {
    let root = tempfile::tempdir().unwrap();
    let mut around = around(root.path());
    around.run = root.path().join("no-run");
    fs::write(&around.run, "").unwrap();
    let dir = root.path().join(format!("tmp/api-sessions-{}", around.uid));
    std::os::unix::fs::symlink(root.path(), &dir).unwrap();
    let error = Config::load(&Flags::default(), &around).unwrap_err();
    assert!(error.to_string().contains("belongs to another user"), "{error}");
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let listen =
        |flags: &Flags, around: &Surroundings| Config::load(flags, around).unwrap().settings.api[0].to_string();
    let mut flags = Flags::default();
    assert_eq!(listen(&flags, &around), "127.0.0.1:8484");
    fs::write(&around.default_file, "listen = [\"127.0.0.1:1\"]\n").unwrap();
    assert_eq!(listen(&flags, &around), "127.0.0.1:1");
    let around = with_variable(&around, "API_SESSIONS_LISTEN", "127.0.0.1:2, [::1]:2");
    assert_eq!(Config::load(&flags, &around).unwrap().settings.api.len(), 3);
    assert_eq!(listen(&flags, &around), "127.0.0.1:2");
    flags.listen = vec!["unix:/run/x.sock".to_owned()];
    assert_eq!(listen(&flags, &around), "unix:/run/x.sock");
}

#[test]
fn every_key_can_stand_in_each_place() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let values = [
        ("data_dir", "/data"),
        ("runtime_dir", "/runtime"),
        ("ingest", "127.0.0.1:24224"),
        ("ingest_connections", "7"),
        ("ingest_tls_cert", "/cert.pem"),
        ("ingest_tls_key", "/key.pem"),
        ("ingest_tls_client_ca", "/ca.pem"),
        ("ingest_shared_key_file", "/shared-key"),
        ("ingest_insecure_plain", "true"),
        ("listen", "localhost:9"),
        ("socket", "/s.sock"),
        ("store_memory", "1g"),
        ("store_threads", "3"),
        ("geo", "/country.mmdb"),
        ("log_retain", "0"),
        ("log_unapplied_max", "64m"),
        ("disk_reserve", "1g"),
        ("visit_gap", "10m"),
        ("secret", "/secret"),
        ("log_format", "json"),
        ("log_level", "debug"),
    ];
    assert_eq!(values.map(|(key, _)| key), KEYS);
    let file = values.map(|(key, value)| format!("{key} = {value:?}")).join("\n");
    let mut by_variable = around.clone();
    for (key, value) in values {
        by_variable.variables.insert(format!("API_SESSIONS_{}", key.to_uppercase()), value.to_owned());
    }
    let mut argv = vec!["x".to_owned()];
    for (key, value) in values {
        argv.extend([format!("--{}", key.replace('_', "-")), value.to_owned()]);
    }
    let by_flag = <Flags as clap::FromArgMatches>::from_arg_matches(
        &<Flags as clap::Args>::augment_args(clap::Command::new("x")).get_matches_from(argv),
    )
    .unwrap();
    let first = Config::load(&by_flag, &around).unwrap();
    let debug = format!("{first:?}");
    assert_eq!(format!("{:?}", Config::load(&Flags::default(), &by_variable).unwrap()), debug);
    fs::write(&around.default_file, file).unwrap();
    assert_eq!(format!("{:?}", Config::load(&Flags::default(), &around).unwrap()), debug);
    assert_eq!(first.settings.memory_limit, 1 << 30);
    assert_eq!((first.settings.ingest_connections, first.settings.log_retain), (7, 0));
    assert!(!first.settings.create_data_dir);
    assert_eq!(first.settings.geo, [Path::new("/country.mmdb")]);
    assert_eq!(first.log_format, LogFormat::Json);
    assert_eq!(first.settings.ingest[0].to_string(), "127.0.0.1:24224");
}

#[test]
fn a_refusal_names_key_value_file_line_and_what_would_be_right() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let cases = [
        ("lisen = []", &["`lisen`", "line 2", "keys are data_dir, "][..]),
        ("[store]\nmemory = 1", &["`store`", "line 2"]),
        (
            "listen = [\"0.0.0.0:80\"]",
            &["listen", "\"0.0.0.0:80\"", "line 2", "no loopback address", "no access control yet", "127.0.0.1:PORT"],
        ),
        ("ingest = [\"192.0.2.1:24224\"]", &["ingest", "\"192.0.2.1:24224\"", "other machines", "ingest_tls_cert"]),
        ("ingest = [\"unix:/a\", \"0.0.0.0:24224\"]", &["ingest", "\"0.0.0.0:24224\"", "ingest_insecure_plain = true"]),
        ("ingest_insecure_plain = \"yes\"", &["ingest_insecure_plain", "\"yes\"", "true or false"]),
        ("ingest_tls_cert = \"/a\"", &["ingest_tls_cert", "ingest_tls_key is missing"]),
        ("ingest_tls_key = \"/a\"", &["ingest_tls_key", "ingest_tls_cert is missing"]),
        ("ingest_tls_client_ca = \"/a\"", &["ingest_tls_client_ca", "ingest_tls_cert is missing"]),
        ("ingest_tls_cert = \"a\"", &["ingest_tls_cert", "absolute path"]),
        ("ingest_shared_key_file = \"a\"", &["ingest_shared_key_file", "absolute path"]),
        ("listen = [\"example.org:80\"]", &["listen", "would be right"]),
        ("listen = []", &["listen", "empty"]),
        ("listen = [1]", &["listen", "a list of strings"]),
        ("ingest = \"unix:relative\"", &["ingest", "absolute path"]),
        ("socket = [\"/a\"]", &["socket", "a string or a number"]),
        ("data_dir = \"here\"", &["data_dir", "absolute path"]),
        ("store_memory = \"1x\"", &["store_memory", "512m"]),
        ("store_memory = \"99999999999g\"", &["store_memory", "512m"]),
        ("store_memory = \"1m\"", &["store_memory", "at least 64m"]),
        ("ingest_connections = 0", &["ingest_connections", "1 to 65536"]),
        ("store_threads = 0", &["store_threads", "1 to 256"]),
        ("store_threads = true", &["store_threads", "\"true\"", "a string or a number"]),
        ("visit_gap = \"30s\"", &["visit_gap", "60s to 24h"]),
        ("visit_gap = 30", &["visit_gap", "\"30\"", "30m"]),
        ("visit_gap = \"1mm\"", &["visit_gap", "30m"]),
        ("log_level = \"loud\"", &["log_level", "error, warn"]),
        ("log_format = \"xml\"", &["log_format", "text or json"]),
        ("= 1", &["line 2"]),
    ];
    for (line, needles) in cases {
        fs::write(&around.default_file, format!("# comment\n{line}\n")).unwrap();
        let error = Config::load(&Flags::default(), &around).unwrap_err().to_string();
        for needle in needles.iter().chain([&"api-sessions.toml"]) {
            assert!(error.contains(needle), "{line}: {error} does not say {needle}");
        }
    }
}

#[test]
fn nodes_of_other_machines_are_let_in_by_tls_or_by_saying_that_nothing_guards() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let file = "ingest = [\"0.0.0.0:24224\", \"[2001:db8::1]:24224\"]\n";
    for guard in ["ingest_tls_cert = \"/cert.pem\"\ningest_tls_key = \"/key.pem\"", "ingest_insecure_plain = true"] {
        fs::write(&around.default_file, format!("{file}{guard}")).unwrap();
        let config = Config::load(&Flags::default(), &around).unwrap();
        assert_eq!(config.settings.ingest.len(), 2);
        assert!(config.settings.ingest_guard.lets_others_in());
    }
    for guard in ["ingest_insecure_plain = false", "ingest_shared_key_file = \"/key\""] {
        fs::write(&around.default_file, format!("{file}{guard}")).unwrap();
        assert!(Config::load(&Flags::default(), &around).unwrap_err().to_string().contains("needs TLS"));
    }
}

#[test]
fn a_refusal_names_the_variable_or_the_flag() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let error = Config::load(&Flags::default(), &with_variable(&around, "API_SESSIONS_LISTEN", "*:1")).unwrap_err();
    assert!(error.to_string().contains("variable API_SESSIONS_LISTEN"), "{error}");
    let flags = Flags { store_threads: Some("many".to_owned()), ..Flags::default() };
    let error = Config::load(&flags, &around).unwrap_err();
    assert!(error.to_string().contains("flag --store-threads"), "{error}");
}

#[test]
fn a_named_file_must_be_there() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let flags = Flags { config: Some(root.path().join("absent.toml")), ..Flags::default() };
    let error = Config::load(&flags, &around).unwrap_err();
    assert!(error.to_string().contains("absent.toml"), "{error}");
}

#[test]
fn a_default_file_that_cannot_be_looked_at_is_not_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let mut around = around(root.path());
    // A link to itself: as with missing rights, nobody can tell whether a file is behind it.
    let link = root.path().join("loop");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    around.default_file = link.join("api-sessions.toml");
    let error = Config::load(&Flags::default(), &around).unwrap_err();
    assert!(error.to_string().contains("loop/api-sessions.toml"), "{error}");
}

#[test]
fn a_command_looks_first_where_a_server_is() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let private = root.path().join(format!("tmp/api-sessions-{}/api.sock", around.uid));
    fs::create_dir_all(private.parent().unwrap()).unwrap();
    assert_eq!(default_sockets(&around)[0], root.path().join("run/api-sessions/api.sock"));
    fs::write(&private, "").unwrap();
    assert_eq!(default_sockets(&around)[0], private);
    let named = with_variable(&around, "API_SESSIONS_SOCKET", "/named.sock");
    assert_eq!(Config::sockets(&Flags::default(), &named).unwrap(), [Path::new("/named.sock")]);
}

#[test]
fn a_relative_path_is_taken_where_it_is_typed_and_nowhere_else() {
    let root = tempfile::tempdir().unwrap();
    let around = around(root.path());
    let here = std::env::current_dir().unwrap();
    let relative = |path: &str| Some(path.to_owned());
    let flags = Flags { data_dir: relative("days"), socket: relative("./api.sock"), ..Flags::default() };
    let config = Config::load(&flags, &around).unwrap();
    assert_eq!((config.settings.data_dir, config.socket), (here.join("days"), here.join("api.sock")));
    let error =
        Config::load(&Flags::default(), &with_variable(&around, "API_SESSIONS_SOCKET", "api.sock")).unwrap_err();
    assert!(error.to_string().contains("absolute path"), "{error}");
    let error = Config::load(&Flags { socket: relative(""), ..Flags::default() }, &around).unwrap_err();
    assert!(error.to_string().contains("absolute path"), "{error}");
}
