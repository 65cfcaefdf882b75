//! What readers usually do not want to see: static files, health checks, preflights.
//!
//! Rules mark requests when they are applied; a mark stays with its request. Rules that people change
//! hold for what comes from then on, and are kept in one small file. Without one the rules are
//! [`Rules::default`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data_dir::{load_json, save_json};

/// Rules at most.
const MAX_RULES: usize = 100;
/// Methods, paths or statuses of a rule at most.
const MAX_VALUES: usize = 100;
/// Longest text in a rule, in bytes.
const MAX_TEXT: usize = 256;

/// What makes a request noise: all of its lists that are not empty must hold the request's value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What readers call it.
    pub name: String,
    /// Methods.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Globs of paths: `*` stands for any text, `?` for one character, `{a,b}` for one of several.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Statuses (`304`) and classes of statuses (`2xx`).
    #[serde(default)]
    pub statuses: Vec<String>,
}

/// All rules, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// A request that meets any of them is noise.
    pub rules: Vec<Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        let rule = |name: &str, methods: &[&str], paths: &[&str], statuses: &[&str]| {
            let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Rule { name: name.to_owned(), methods: texts(methods), paths: texts(paths), statuses: texts(statuses) }
        };
        // Only what was there: whoever looks for files and pages that are not is no noise.
        let static_files = "*.{css,js,mjs,map,png,jpg,jpeg,gif,svg,ico,webp,avif,woff,woff2,ttf,eot,otf}";
        let health = "/{health,healthz,livez,readyz,ping,nginx_status}";
        Self {
            rules: vec![
                rule("static files", &["GET", "HEAD"], &[static_files], &["2xx", "304"]),
                rule("health checks", &["GET", "HEAD"], &[health], &["2xx"]),
                rule("preflights", &["OPTIONS"], &[], &["2xx"]),
            ],
        }
    }
}

/// Why rules are refused.
#[derive(Debug, thiserror::Error)]
pub enum BadRules {
    /// A rule is wrong.
    #[error("rule {number} ({name}): {reason}")]
    Rule {
        /// Which one, from 1.
        number: usize,
        /// What it is called.
        name: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// There are too many.
    #[error("{0} rules are too many; {MAX_RULES} are the most")]
    TooMany(usize),
}

/// Why rules cannot be kept, or read.
#[derive(Debug, thiserror::Error)]
#[error("rules of noise in {}: {source}", path.display())]
pub struct NoiseError {
    /// Their file.
    pub path: PathBuf,
    /// What is wrong.
    pub source: io::Error,
}

/// Rules that can be put in force.
#[derive(Clone, Debug)]
pub struct Sound(Arc<Compiled>);

/// The rules in force.
#[derive(Debug)]
pub struct Noise {
    current: RwLock<Arc<Compiled>>,
    file: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Compiled {
    rules: Rules,
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    methods: Vec<String>,
    paths: Option<GlobSet>,
    statuses: Vec<String>,
}

impl Default for Noise {
    /// Rules that are not kept.
    fn default() -> Self {
        static COMPILED: LazyLock<Arc<Compiled>> =
            LazyLock::new(|| Arc::new(Compiled::of(Rules::default()).unwrap_or_default()));
        Self { current: RwLock::new(Arc::clone(&COMPILED)), file: None }
    }
}

impl Noise {
    /// The rules kept in `path`, or the default ones.
    pub fn open(path: &Path) -> Result<Self, NoiseError> {
        let file = |source| NoiseError { path: path.to_owned(), source };
        let kept: Rules = load_json(path).map_err(file)?;
        let compiled = Compiled::of(kept).map_err(|bad| file(io::Error::other(bad)))?;
        Ok(Self { current: RwLock::new(Arc::new(compiled)), file: Some(path.to_owned()) })
    }

    /// Whether a request is noise.
    pub fn is_noise(&self, method: &str, path: &str, status: u16) -> bool {
        self.compiled().tests.iter().any(|test| test.holds(method, path, status))
    }

    /// The rules in force.
    pub fn rules(&self) -> Rules {
        self.compiled().rules.clone()
    }

    /// Looks whether rules are right.
    pub fn check(rules: Rules) -> Result<Sound, BadRules> {
        Ok(Sound(Arc::new(Compiled::of(rules)?)))
    }

    /// Puts rules in force, in their file first, for what comes from now on, and gives back those that were. What
    /// comes meanwhile does not wait for the disk; whoever puts others in force meanwhile must.
    pub fn enforce(&self, rules: Sound) -> Result<Sound, NoiseError> {
        if let Some(path) = &self.file {
            save_json(path, &rules.0.rules).map_err(|source| NoiseError { path: path.clone(), source })?;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Sound(std::mem::replace(&mut *current, rules.0)))
    }

    fn compiled(&self) -> Arc<Compiled> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Compiled {
    fn of(rules: Rules) -> Result<Self, BadRules> {
        if rules.rules.len() > MAX_RULES {
            return Err(BadRules::TooMany(rules.rules.len()));
        }
        let test = |(number, rule): (usize, &Rule)| {
            let name = rule.name.chars().take(64).collect();
            test(rule).map_err(|reason| BadRules::Rule { number, name, reason })
        };
        let tests = (1..).zip(&rules.rules).map(test).collect::<Result<_, _>>()?;
        Ok(Self { rules, tests })
    }
}

impl Test {
    fn holds(&self, method: &str, path: &str, status: u16) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|known| known == method))
            && (self.statuses.is_empty() || self.statuses.iter().any(|known| has_status(known, status)))
            && self.paths.as_ref().is_none_or(|paths| paths.is_match(path))
    }
}

fn has_status(known: &str, status: u16) -> bool {
    match known.strip_suffix("xx") {
        Some(class) => class.parse() == Ok(status / 100),
        None => known.parse() == Ok(status),
    }
}

fn test(rule: &Rule) -> Result<Test, String> {
    let Rule { name, methods, paths, statuses } = rule;
    if name.is_empty() || [methods, paths, statuses].iter().all(|list| list.is_empty()) {
        return Err("a name, and at least one of `methods`, `paths`, `statuses` would be right".into());
    }
    if [methods, paths, statuses].iter().any(|list| list.len() > MAX_VALUES) {
        return Err(format!("a list has more than {MAX_VALUES} values"));
    }
    let texts = || std::iter::once(name).chain(methods).chain(paths).chain(statuses);
    if let Some(text) = texts().find(|text| text.is_empty() || text.len() > MAX_TEXT) {
        let shown: String = text.chars().take(32).collect();
        return Err(format!("`{shown}` has {} bytes; 1 to {MAX_TEXT} would be right", text.len()));
    }
    if let Some(status) = statuses.iter().find(|status| !is_status(status)) {
        return Err(format!("`{status}` is no status such as 304 and no class such as 2xx"));
    }
    Ok(Test {
        methods: methods.clone(),
        paths: if paths.is_empty() { None } else { Some(globs(paths)?) },
        statuses: statuses.clone(),
    })
}

fn is_status(text: &str) -> bool {
    let class = text.strip_suffix("xx").unwrap_or(text);
    let length = if class.len() == text.len() { 3 } else { 1 };
    class.len() == length && class.bytes().all(|b| b.is_ascii_digit())
}

fn globs(paths: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for path in paths {
        let glob = GlobBuilder::new(path).literal_separator(false).backslash_escape(true).build();
        set.add(glob.map_err(|error| format!("`{path}` is no glob: {}", error.kind()))?);
    }
    set.build().map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Result<Test, String> {
        test(&serde_json::from_str(json).map_err(|error| error.to_string())?)
    }

    #[test]
    fn static_files_health_checks_and_preflights_are_noise_by_default_when_they_are_there() {
        let noise = Noise::default();
        assert_eq!(noise.compiled().tests.len(), 3);
        for (method, path, status, expected) in [
            ("GET", "/assets/app.3f2a.js", 200, true),
            ("HEAD", "/favicon.ico", 304, true),
            ("GET", "/a/b/c.woff2", 206, true),
            ("GET", "/.git/backup.js", 404, false),
            ("POST", "/assets/app.js", 200, false),
            ("GET", "/reports/2026.json", 200, false),
            ("GET", "/health", 200, true),
            ("GET", "/health", 503, false),
            ("GET", "/health/records", 200, false),
            ("OPTIONS", "/users", 204, true),
            ("OPTIONS", "/users", 403, false),
            ("GET", "/users", 200, false),
        ] {
            assert_eq!(noise.is_noise(method, path, status), expected, "{method} {path} {status}");
        }
    }

    #[test]
    fn rules_that_were_replaced_hold_after_a_restart_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("noise.json");
        let noise = Noise::open(&file).unwrap();
        assert_eq!(noise.rules(), Rules::default());
        let probe = Rule { name: "probe".into(), paths: vec!["/probe*".into()], ..Rule::default() };
        let rules = Rules { rules: vec![probe] };
        let before = noise.enforce(Noise::check(rules.clone()).unwrap()).unwrap();
        assert_eq!(before.0.rules, Rules::default());
        for noise in [noise, Noise::open(&file).unwrap()] {
            assert_eq!(noise.rules(), rules);
            assert!(noise.is_noise("PUT", "/probe/x", 500));
            assert!(!noise.is_noise("OPTIONS", "/users", 204));
        }
        std::fs::write(&file, "{").unwrap();
        let error = Noise::open(&file).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
    }

    #[test]
    fn rules_that_cannot_be_kept_are_not_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let noise = Noise::open(&dir.path().join("missing/noise.json")).unwrap();
        assert!(noise.enforce(Noise::check(Rules { rules: Vec::new() }).unwrap()).is_err());
        assert_eq!(noise.rules(), Rules::default());
    }

    #[test]
    fn a_rule_that_would_hide_everything_or_nothing_is_refused() {
        for (json, needle) in [
            (r#"{"name":"a"}"#, "at least one of"),
            (r#"{"name":"","methods":["GET"]}"#, "a name"),
            (r#"{"name":"a","method":["GET"]}"#, "unknown field"),
            (r#"{"name":"a","statuses":["2x"]}"#, "no status"),
            (r#"{"name":"a","statuses":["20xx"]}"#, "no status"),
            (r#"{"name":"a","statuses":["+200"]}"#, "no status"),
            (r#"{"name":"a","paths":["/a{b"]}"#, "no glob"),
            (r#"{"name":"a","paths":[""]}"#, "0 bytes"),
        ] {
            let error = rule(json).unwrap_err();
            assert!(error.contains(needle), "{json}: {error}");
        }
        let long = format!(r#"{{"name":"a","paths":["{}"]}}"#, "x".repeat(257));
        assert!(rule(&long).unwrap_err().contains("257 bytes"));
        let rules = Rules { rules: vec![Rule::default(); MAX_RULES + 1] };
        let error = Noise::check(rules).unwrap_err().to_string();
        assert!(error.contains("101 rules are too many"), "{error}");
    }
}
