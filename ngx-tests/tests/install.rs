//! What `scripts/install` promises to an engineer who lets it near his own NGINX.
//!
//! It installs below a temporary folder, from what is built already. Where only files count, two
//! small ones stand in for collector and engine, which together have 200 MB.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ngx_tests::folder::{self, Port};
use ngx_tests::nginx::{Config, Nginx};
use ngx_tests::process::{Process, Signal};
use ngx_tests::rest::Rest;
use ngx_tests::wait;
use tempfile::TempDir;

const MODULE: &str = "usr/lib/nginx/modules/ngx_http_wallarm_sessions_module.so";
const COLLECTOR: &str = "usr/bin/api-sessions";
const UNIT: &str = "lib/systemd/system/api-sessions.service";
const SNIPPET: &str = "usr/share/nginx/modules-available/mod-http-wallarm-sessions.conf";
const SECRET: &str = "etc/api-sessions/secret";
const MANIFEST: &str = "usr/share/api-sessions/manifest";
const QUICKSTART: &str = "usr/share/doc/api-sessions/nginx-conf/quickstart.conf";
const ALERTS: &str = "usr/share/doc/api-sessions/prometheus/alerts.yml";
const SETTINGS: &str = "usr/share/doc/api-sessions/api-sessions.toml";

/// A machine to install into: a folder, and what is built beside it.
struct Machine {
    folder: TempDir,
}

/// How a script ended, and what it printed.
struct Outcome {
    well: bool,
    said: String,
    told: String,
}

impl Machine {
    /// With stand-ins for collector and engine.
    fn new() -> Self {
        let machine = Self { folder: folder::temporary().unwrap() };
        let built = machine.folder.path().join("built");
        fs::create_dir_all(machine.module().parent().unwrap()).unwrap();
        symlink(folder::module(), machine.module()).unwrap();
        program(&built.join("api-sessions"), "exit 0");
        fs::write(built.join("libduckdb.so"), "engine").unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The module that was built for the NGINX of these tests.
    fn module(&self) -> PathBuf {
        let module = folder::module();
        let of_this_nginx = module.parent().unwrap().file_name().unwrap();
        self.beside("built").join(of_this_nginx).join(module.file_name().unwrap())
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(folder::checkout().join("scripts/install"));
        command.env_remove("STEPS_TOTAL").env_remove("STEPS_DONE");
        command.args(arguments).arg("--root").arg(self.path("")).stdin(Stdio::null());
        command
    }

    /// `scripts/install` for the NGINX of these tests, with further arguments.
    fn install(&self, arguments: &[&str]) -> Outcome {
        let built = self.beside("built");
        let mut command = self.script(&["--nginx", folder::nginx().to_str().unwrap()]);
        run(command.arg("--built").arg(&built).env("DUCKDB_LIB_DIR", &built).args(arguments))
    }

    fn uninstall(&self) -> Outcome {
        run(&mut self.script(&["--uninstall"]))
    }

    /// Every file below the root: its mode, and what changes when somebody writes or replaces it.
    fn files(&self) -> BTreeMap<String, (u32, u64, i64, i64)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path("")];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.unwrap(),
            };
            for entry in entries {
                let (path, about) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
                if about.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.path("")).unwrap().display().to_string();
                    files.insert(name, (about.mode() & 0o7777, about.ino(), about.mtime(), about.mtime_nsec()));
                }
            }
        }
        files
    }
}

fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { well: output.status.success(), said: text(&output.stdout), told: text(&output.stderr) }
}

impl Outcome {
    #[track_caller]
    fn good(self) -> String {
        assert!(self.well, "{}{}", self.said, self.told);
        self.said
    }

    /// The one sentence that is neither a step nor a note to one.
    #[track_caller]
    fn refusal(self) -> String {
        assert!(!self.well, "{}{}", self.said, self.told);
        assert_eq!(self.said, "");
        let lines: Vec<&str> = self.told.lines().filter(|line| !line.starts_with(['[', ' '])).collect();
        assert_eq!(lines.len(), 1, "{}", self.told);
        lines[0].to_owned()
    }
}

fn program(path: &Path, lines: &str) {
    fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn everything_is_in_its_place_and_nobody_else_can_read_the_secret() {
    let machine = Machine::new();
    let said = machine.install(&[]).good();
    let files = machine.files();
    let mode = |name: &str| files.get(name).unwrap_or_else(|| panic!("no {name} in {files:#?}")).0;
    assert_eq!(mode(SECRET), 0o600);
    assert_eq!(mode(COLLECTOR), 0o755);
    for name in [MODULE, SNIPPET, UNIT, QUICKSTART, SETTINGS, ALERTS, MANIFEST, "usr/lib/api-sessions/libduckdb.so"] {
        assert_eq!(mode(name), 0o644, "{name}");
    }
    let secret = read(&machine.path(SECRET));
    assert!(secret.trim_end().len() == 64 && secret.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(read(&machine.path(SNIPPET)), format!("load_module /{MODULE};\n"));
    for line in ["load_module modules/", "wallarm_session_secret /etc/api-sessions/secret;", "wallarm_sessions on;"] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    assert!(said.contains("api-sessions check http://"), "{said}");
    assert!(!said.contains(secret.trim_end()));
    assert!(!files.keys().any(|name| name.starts_with("etc/nginx")), "a site was touched: {files:#?}");
}

#[test]
fn a_second_installation_changes_nothing() {
    let machine = Machine::new();
    machine.install(&[]).good();
    let before = machine.files();
    let said = machine.install(&[]).good();
    assert!(said.contains(": 0 files changed"), "{said}");
    assert_eq!(machine.files(), before);
}

#[test]
fn a_new_version_replaces_what_changed_and_takes_away_what_it_lacks() {
    let machine = Machine::new();
    machine.install(&[]).good();
    let secret = read(&machine.path(SECRET));
    fs::write(machine.path("usr/share/doc/api-sessions/gone.md"), "").unwrap();
    let manifest = read(&machine.path(MANIFEST));
    fs::write(machine.path(MANIFEST), manifest + "file /usr/share/doc/api-sessions/gone.md\n").unwrap();
    program(&machine.beside("built/api-sessions"), "exit 1");
    let before = machine.files();
    machine.install(&["--group", "web"]).good();
    let after = machine.files();
    assert!(!after.contains_key("usr/share/doc/api-sessions/gone.md"));
    assert!(read(&machine.path(COLLECTOR)).contains("exit 1"));
    // A running program keeps the file that it was started from.
    assert_ne!(before[COLLECTOR].1, after[COLLECTOR].1);
    assert_eq!(before[MODULE], after[MODULE]);
    assert!(read(&machine.path(UNIT)).contains("\nGroup=web\n"));
    assert_eq!(read(&machine.path(SECRET)), secret);
}

#[test]
fn an_nginx_that_cannot_be_built_for_gets_one_sentence_and_nothing_is_written() {
    let machine = Machine::new();
    let fake = machine.beside("nginx");
    let cases = [
        ("nginx/1.26.3\nconfigure arguments: --with-compat", "is nginx 1.26.3"),
        ("nginx/1.22.1\nconfigure arguments: --with-debug", "is built without --with-compat"),
        ("openresty/1.21.4.1\nconfigure arguments: --with-compat", "openresty/1.21.4.1"),
    ];
    for (answer, reason) in cases {
        program(&fake, &format!("printf 'nginx version: {}\\n' >&2", answer.replace('\n', "\\n")));
        let sentence = run(&mut machine.script(&["--nginx", fake.to_str().unwrap()])).refusal();
        assert!(sentence.contains(reason), "{sentence}");
        assert!(
            sentence.contains("this can build for nginx 1.22.1 (Debian 12's) and 1.28.3, with --with-compat"),
            "{sentence}"
        );
    }
    let sentence = run(&mut machine.script(&["--nginx", "/nonexistent/nginx"])).refusal();
    assert!(sentence.contains("no nginx at /nonexistent/nginx") && sentence.contains("--nginx PATH"), "{sentence}");
    assert_eq!(machine.files(), BTreeMap::new());
}

#[test]
fn a_module_that_this_nginx_does_not_load_is_not_installed() {
    let machine = Machine::new();
    let module = machine.module();
    fs::remove_file(&module).unwrap();
    fs::write(&module, "no module").unwrap();
    let sentence = machine.install(&[]).refusal();
    assert!(sentence.contains("does not load the module") && sentence.contains("[emerg]"), "{sentence}");
    assert_eq!(machine.files(), BTreeMap::new());
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("usr/bin")).unwrap();
    fs::write(machine.path(COLLECTOR), "mine").unwrap();
    let sentence = machine.install(&[]).refusal();
    assert!(sentence.contains(COLLECTOR) && sentence.contains("move it away"), "{sentence}");
    assert_eq!(machine.files().keys().collect::<Vec<_>>(), [COLLECTOR]);
    assert_eq!(read(&machine.path(COLLECTOR)), "mine");
}

#[test]
fn wrong_usage_is_told_before_anything_is_written() {
    let machine = Machine::new();
    let empty = machine.beside("empty");
    fs::create_dir(&empty).unwrap();
    for (arguments, reason) in [
        (&["--start"][..], "--start needs a running systemd"),
        (&["--frobnicate"], "unknown option --frobnicate"),
        (&["--group", ""], "--group wants a value"),
        (&["--built", empty.to_str().unwrap()], "does not hold"),
    ] {
        let sentence = machine.install(arguments).refusal();
        assert!(sentence.contains(reason), "{sentence}");
    }
    let sentence = machine.uninstall().refusal();
    assert!(sentence.contains("nothing is installed"), "{sentence}");
    assert_eq!(machine.files(), BTreeMap::new());
}

#[test]
fn uninstalling_leaves_the_secret_the_sessions_and_the_sites() {
    let machine = Machine::new();
    machine.install(&[]).good();
    let kept = [SECRET, "etc/nginx/nginx.conf", "var/lib/api-sessions/days/2026-01-01.duckdb"];
    for name in &kept[1..] {
        fs::create_dir_all(machine.path(name).parent().unwrap()).unwrap();
        fs::write(machine.path(name), "").unwrap();
    }
    let said = machine.uninstall().good();
    assert!(said.contains(SECRET) && said.contains("var/lib/api-sessions"), "{said}");
    assert_eq!(machine.files().keys().collect::<Vec<_>>(), kept);
    // What it made for itself alone is gone.
    assert!(!machine.path("usr").exists() && !machine.path("lib").exists());

    let secret = read(&machine.path(SECRET));
    machine.install(&[]).good();
    assert_eq!(read(&machine.path(SECRET)), secret);
}

#[test]
fn uninstalling_waits_until_nginx_does_not_load_the_module_any_more() {
    let machine = Machine::new();
    machine.install(&[]).good();
    let conf = machine.path("etc/nginx/nginx.conf");
    fs::create_dir_all(conf.parent().unwrap()).unwrap();
    fs::write(&conf, "load_module modules/ngx_http_wallarm_sessions_module.so;\n").unwrap();
    let before = machine.files();
    let sentence = machine.uninstall().refusal();
    assert!(sentence.contains("etc/nginx/nginx.conf") && sentence.contains("take the line out"), "{sentence}");
    assert_eq!(machine.files(), before);
    fs::write(&conf, "# load_module modules/ngx_http_wallarm_sessions_module.so;\n").unwrap();
    machine.uninstall().good();
}

#[test]
fn systemd_takes_the_unit() {
    let machine = Machine::new();
    machine.install(&[]).good();
    let unit = read(&machine.path(UNIT));
    assert!(unit.contains("\nGroup=www-data\n") && !unit.contains("@GROUP@"), "{unit}");
    // It names the collector of an installed system; here it is below a folder.
    let here = unit.replace("ExecStart=/usr", &format!("ExecStart={}", machine.path("usr").display()));
    assert_ne!(unit, here);
    let copy = machine.beside("api-sessions.service");
    fs::write(&copy, here).unwrap();
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            println!("skipped: there is no systemd-analyze here (Debian's package systemd has it)");
        }
        verified => {
            let verified = verified.unwrap();
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success() && said.is_empty(), "{said}");
        }
    }
}

/// The installed settings with every line switched on, and this test's own places in them.
fn every_setting(installed: &str, machine: &Machine, api: &Port) -> String {
    let folder = machine.folder.path();
    let is_key = |line: &str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
    let lines = installed.lines().map(|line| if is_key(line) { &line[1..] } else { line });
    let all = lines.collect::<Vec<_>>().join("\n");
    let all = all.replace("/var/lib/api-sessions", folder.join("data").to_str().unwrap());
    let all = all.replace(&format!("/{SECRET}"), machine.path(SECRET).to_str().unwrap());
    let all = all.replace("/run/api-sessions", folder.join("run").to_str().unwrap());
    let all = ["tls.crt", "tls.key", "nodes.crt", "shared-key"].iter().fold(all, |all, name| {
        all.replace(&format!("/etc/api-sessions/{name}"), machine.beside(name).to_str().unwrap())
    });
    all.replace("127.0.0.1:8484", &api.address().to_string())
}

/// Files that the settings name and no installation makes: a certificate that is its own authority, its key,
/// and a shared key.
fn make_credentials(machine: &Machine) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let contents = [
        ("tls.crt", certificate.pem()),
        ("nodes.crt", certificate.pem()),
        ("tls.key", key.serialize_pem()),
        ("shared-key", "a key of nodes and collector".to_owned()),
    ];
    for (name, content) in contents {
        fs::write(machine.beside(name), content).unwrap();
        fs::set_permissions(machine.beside(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test]
async fn module_examples_and_collector_work_together_as_installed() {
    let machine = Machine::new();
    let mut command = machine.script(&["--nginx", folder::nginx().to_str().unwrap()]);
    run(command.arg("--built").arg(folder::binary("api-sessions").parent().unwrap())).good();

    // The collector, with the installed settings.
    let api = Port::lease().unwrap();
    for name in ["data", "run"] {
        fs::create_dir(machine.beside(name)).unwrap();
    }
    make_credentials(&machine);
    let settings = machine.beside("api-sessions.toml");
    fs::write(&settings, every_setting(&read(&machine.path(SETTINGS)), &machine, &api)).unwrap();
    let mut command = Command::new(machine.path(COLLECTOR));
    let log = fs::File::create(machine.beside("collector.log")).unwrap();
    command.arg("serve").arg("--config").arg(&settings).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut collector = Process::start(&mut command).unwrap();
    let rest = Rest::tcp(api.address()).unwrap();
    wait::until("the collector to be ready", wait::LONG, async || {
        let over = collector.ended().is_some();
        if over { Some(false) } else { rest.text("/readyz").await.is_ok().then_some(true) }
    })
    .await
    .ok()
    .filter(|&ready| ready)
    .unwrap_or_else(|| panic!("{}", read(&machine.beside("collector.log"))));
    let maps = read(Path::new(&format!("/proc/{}/maps", collector.id())));
    let engine = machine.path("usr/lib/api-sessions/libduckdb.so");
    assert!(maps.contains(engine.to_str().unwrap()), "the engine is another than the installed one:\n{maps}");

    // NGINX, with the installed example, secret and module. Their places are put into the example by
    // other names, as the harness has places of its own for the installed ones.
    let config = Config::file("quickstart.conf").unwrap();
    assert_eq!(read(&machine.path(QUICKSTART)), read(&folder::checkout().join("nginx-conf/quickstart.conf")));
    let own = |name: &str, installed: &str| {
        symlink(machine.path(installed), machine.beside(name)).unwrap();
        machine.beside(name).display().to_string()
    };
    let collector_line = "    wallarm_session_collector unix:/run/api-sessions/collector.sock;";
    let config = config.replace("modules/ngx_http_wallarm_sessions_module.so", &own("module", MODULE)).unwrap();
    let config = config.replace("/etc/api-sessions/secret", &own("secret", SECRET)).unwrap();
    let config = config.replace("proxy_pass http://127.0.0.1:9000;", "return 204;").unwrap();
    let config = config.in_http(collector_line).unwrap().runtime(&machine.beside("run"));
    let nginx = Nginx::start(&config).unwrap();

    let mut check = Command::new(machine.path(COLLECTOR));
    check.arg("check").arg(nginx.url()).args(["--wait", "30", "--config"]).arg(&settings).stdin(Stdio::null());
    run(check.env_clear()).good();
    nginx.stop().unwrap();
    assert!(collector.stop(Signal::TERM, wait::LONG).unwrap().success());
}

#[test]
fn the_settings_file_names_every_setting_there_is() {
    let help = run(Command::new(folder::binary("api-sessions")).args(["serve", "--help"])).good();
    let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let mut flags: Vec<String> =
        flags.map(|line| line.split(' ').next().unwrap_or_default().replace('-', "_")).collect();
    flags.retain(|flag| !["config", "clock_confirmed"].contains(&flag.as_str()));
    let text = read(&folder::checkout().join("scripts/packaging/api-sessions.toml"));
    let mut keys: Vec<String> =
        text.lines().filter_map(|line| Some(line.strip_prefix('#')?.split_once(" = ")?.0.to_owned())).collect();
    flags.sort();
    keys.sort();
    assert_eq!(keys, flags);
}
