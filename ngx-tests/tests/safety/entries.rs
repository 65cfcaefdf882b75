//! Every way from C into the module is known: those that the built module exports, those that the
//! source defines, and those that the tests let panic are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use ngx_tests::folder;
use ngx_tests::nginx::PLANTED;

use crate::panics::{AT_CONFIGURATION, AT_END, AT_REQUEST, AT_START};

const PREFIX: &str = "wallarm_sessions_entry_";

/// The entries that a module exports, by `nm`.
fn exported(module: &Path) -> BTreeSet<String> {
    let output = Command::new("nm").args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(module).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let symbols = String::from_utf8(output.stdout).unwrap();
    symbols.lines().filter_map(|symbol| symbol.strip_prefix(PREFIX)).map(str::to_owned).collect()
}

#[test]
fn every_entry_of_the_built_module_is_one_that_a_test_lets_panic() {
    let tried = [AT_CONFIGURATION, AT_START, AT_REQUEST, AT_END].concat().into_iter().map(str::to_owned).collect();

    assert_eq!(exported(&folder::module()), tried);
    assert_eq!(exported(&folder::planted_module()), tried);
}

/// The functions of a source file that C can call, each from its attributes to the next one.
fn callable_from_c(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().collect();
    let is_callable = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        let Some((_, behind)) = code.split_once("extern ") else { return false };
        behind.split_once("fn ").is_some_and(|(_, name)| name.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    };
    let starts: Vec<usize> = (0..lines.len()).filter(|&at| is_callable(lines[at])).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts.iter().zip(ends).map(|(&start, end)| lines[start.saturating_sub(1)..end].join("\n")).collect()
}

#[test]
fn every_function_that_c_can_call_is_exported_by_name_and_guarded() {
    let mut found = 0;
    for file in fs::read_dir(folder::checkout().join("src")).unwrap() {
        let path = file.unwrap().path();
        for function in callable_from_c(&fs::read_to_string(&path).unwrap()) {
            found += 1;
            let attribute = function.lines().next().unwrap();
            assert!(
                attribute.contains(PREFIX) && function.contains("guard("),
                "{}: C can call this, and it is no entry with a guard:\n{function}",
                path.display()
            );
        }
    }
    assert!(found > 10, "the search finds {found} functions");
}

#[test]
fn what_goes_wrong_on_purpose_is_in_no_module_that_is_shipped() {
    let holds = |module: &Path| {
        let bytes = fs::read(module).unwrap();
        bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes())
    };

    assert!(!holds(&folder::module()));
    assert!(holds(&folder::planted_module()), "the search finds it where it is");
}
