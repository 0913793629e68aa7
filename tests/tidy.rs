//! The rules of the house: layers, purpose lines, nothing unfinished, documents that are true.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/house.rs"]
mod house;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/scripts.rs"]
mod scripts;
#[path = "tidy/source.rs"]
mod source;
mod support;
#[path = "tidy/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect_file;
use runner::parts::host::Inventory;
use support::Test;
use support::userland::program;
use tokens::{Token, is_at, tokens, without_tests};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a directory of the repository, by their path from its root, sorted.
fn files(below: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(below)];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() || path.ends_with("examples/hello/site") {
                continue;
            }
            match path.is_dir() {
                true => pending.push(path),
                false => found.push((path.strip_prefix(root()).unwrap().display().to_string(), path)),
            }
        }
    }
    found.sort();
    found
}

fn rust_files(below: &str) -> Vec<(String, String)> {
    let rust = files(below).into_iter().filter(|(name, _)| name.ends_with(".rs"));
    rust.map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_module_uses_only_layers_below_its_own() {
    let files = rust_files("src");
    assert!(files.len() > 100, "only {} files were found", files.len());
    none(files.iter().flat_map(|(name, text)| layers::upward(&name["src/".len()..], text)).collect());
}

#[test]
fn every_layer_is_a_directory_and_every_directory_a_layer() {
    let dirs = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    let dirs = dirs.filter(|path| path.is_dir());
    let dirs: BTreeSet<String> =
        dirs.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(dirs, layers::LAYERS.map(str::to_owned).into());
}

/// The test of the test: made-up files, and what the rule says of them.
#[test]
fn an_upward_import_is_seen_however_it_is_written() {
    #[track_caller]
    fn case(path: &str, source: &str, want: &[&str]) {
        assert_eq!(layers::upward(path, source), want, "{source}");
    }
    let up = "src/site/serve.rs:1: layer `site` uses `flow`, which is above it";
    case("site/serve.rs", "use crate::flow::Task;", &[up]);
    case("site/serve.rs", "use crate::{event::Report, flow::{Task, Call}, tree};", &[up]);
    case("site/serve.rs", "fn f() -> crate::flow::Task { todo() }", &[up]);
    case("site/serve.rs", "use super::super::flow::Task;", &[up]);
    case("site/serve.rs", "mod tests { use super::super::super::flow::Task; }", &[up]);
    case(
        "site/mod.rs",
        "use super::{flow, tree};",
        &["src/site/mod.rs:1: layer `site` uses `flow`, which is above it"],
    );
    case(
        "site/serve.rs",
        "use crate as all;",
        &["src/site/serve.rs:1: `crate as` of the crate's root is no layer"],
    );
    case("site/serve.rs", "use crate::*;", &["src/site/serve.rs:1: `*` of the crate's root is no layer"]);
    case("util/x.rs", "", &["src/util/x.rs: `util` is no layer"]);

    case("site/serve.rs", "use super::Site; use crate::{site::Asked, transport};", &[]);
    case("site/serve.rs", "mod tests { use super::*; use super::super::Site; }", &[]);
    case("site/serve.rs", "/// See [`crate::flow`].\n// crate::flow\nconst A: &str = \"crate::flow\";", &[]);
    case(
        "site/serve.rs",
        "const A: &str = r#\"\" crate::flow\"#; const B: char = '\"'; /* crate::flow */",
        &[],
    );
    case("main.rs", "use crate::cli::main;", &[]);
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let mut problems = Vec::new();
    let mut all: Vec<_> = ["src", "tests", "stdlib", "recipes", "examples", ".ci", "packaging"]
        .into_iter()
        .flat_map(files)
        .collect();
    all.retain(|(name, _)| !name.ends_with(".gitignore") && !name.starts_with("packaging/out/"));
    for (name, path) in all {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let mark = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("rs" | "rhai") => "//! ",
            Some("js") => "// ",
            Some("sh") => "# ",
            _ if text.starts_with("#!") => "# ",
            _ => continue,
        };
        let mut lines = text.lines().skip_while(|line| line.starts_with("#!"));
        let first = lines.next().unwrap_or_default();
        if !first.starts_with(mark) || first.len() < mark.len() + 10 {
            problems.push(format!("{name}: begins with `{first}`, not with `{mark}` and what it is for"));
        }
    }
    none(problems);
}

/// What must not stay in the tree, as tokens.
const UNFINISHED: [&[&str]; 4] =
    [&["todo", "!"], &["unimplemented", "!"], &["dbg", "!"], &["#", "[", "ignore"]];
const UNWRAP: &[&str] = &[".", "unwrap", "(", ")"];

fn seen(name: &str, tokens: &[Token], texts: &[&str]) -> Vec<String> {
    let at = (0..tokens.len()).filter(|at| is_at(tokens, *at, texts));
    at.map(|at| format!("{name}:{}: `{}`", tokens[at].line, texts.concat())).collect()
}

#[test]
fn nothing_is_left_unfinished_or_ignored() {
    let files = rust_files("src").into_iter().chain(rust_files("tests"));
    none(
        files
            .flat_map(|(name, text)| {
                let tokens = tokens(&text);
                UNFINISHED.iter().flat_map(|texts| seen(&name, &tokens, texts)).collect::<Vec<_>>()
            })
            .collect(),
    );
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let files = source::read(&rust_files("src"));
    none(files.iter().flat_map(|file| seen(&file.path, &file.tokens, UNWRAP)).collect());
    let code =
        without_tests(&tokens("fn a() { b.unwrap() } #[cfg(test)] mod tests { fn c() { d.unwrap() } }"));
    assert_eq!(seen("x", &code.tokens, UNWRAP), ["x:1: `.unwrap()`"]);
}

#[test]
fn every_script_is_read_by_every_shell_that_is_here() {
    let scripts = fs::read_dir(root().join("src/release/sh")).unwrap();
    let mut scripts: Vec<_> = scripts.map(|file| file.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() > 10);
    let shells = [
        ("sh", vec![]),
        ("dash", vec![]),
        ("bash", vec!["--posix"]),
        ("busybox", vec!["ash"]),
        ("ksh", vec![]),
        ("zsh", vec![]),
    ];
    for (shell, arguments) in shells {
        let Some(path) = program(shell) else {
            // Debian has several, and none is asked for.
            assert_eq!(shell, "ksh", "it is needed: `tests/run` installs it");
            continue;
        };
        for script in &scripts {
            let output = Command::new(&path).args(&arguments).arg("-n").arg(script).output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{shell:?} {script:?}: {output:?}");
        }
    }
    let shellcheck = program("shellcheck").expect("shellcheck is needed: `tests/run` installs it");
    // Variables are set before the text and by one function for another; a word behind `say` is no keyword; `-ef` is
    // known to all shells meant here; `A && B || C` is used with a B that ends well or a C for both.
    let known = "--exclude=SC1010,SC2015,SC2016,SC2030,SC2031,SC2034,SC2088,SC2154,SC2317,SC3013";
    let output = Command::new(shellcheck).args(["-s", "sh", known]).args(&scripts).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A block of code in a document: its language, its text, and the line its text begins on.
struct Block {
    place: String,
    language: String,
    text: String,
}

fn blocks(language: &str) -> Vec<Block> {
    let mut documents = files("docs");
    documents.push(("README.md".to_owned(), root().join("README.md")));
    let mut blocks = Vec::new();
    for (name, path) in documents.into_iter().filter(|(name, _)| name.ends_with(".md")) {
        let text = fs::read_to_string(path).unwrap();
        let mut open: Option<Block> = None;
        for (n, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => block.text.push_str(&format!("{line}\n")),
                (None, Some(info)) => {
                    let place = format!("{name}:{}", n + 2);
                    open = Some(Block { place, language: info.to_owned(), text: String::new() });
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block of code is not closed");
    }
    blocks.retain(|block| block.language == language);
    blocks
}

#[test]
fn recipes_in_documents_are_well_written() {
    let blocks = blocks("rhai");
    assert!(blocks.len() >= 5, "only {} blocks were found", blocks.len());
    let test = Test::new().source("index.html", "");
    for block in blocks {
        fs::write(test.path("block.rhai"), &block.text).unwrap();
        let ran = test.run(&["check", "./block.rhai"]);
        assert_eq!(ran.code, Some(0), "{}\n{}{ran}", block.place, block.text);
    }
}

#[test]
fn project_files_in_documents_can_be_read() {
    let blocks = blocks("toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        if let Err(error) = Inventory::parse(Path::new("runner.toml"), &block.text) {
            panic!("{}: {error}", block.place);
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = files("docs");
    documents.extend(["README.md", "CHANGELOG.md"].map(|name| (name.to_owned(), root().join(name))));
    let mut problems = Vec::new();
    for (name, path) in documents.into_iter().filter(|(name, _)| name.ends_with(".md")) {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let file = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !file.is_empty() && !path.parent().unwrap().join(file).exists() {
                problems.push(format!("{name}: `{link}` leads nowhere"));
            }
        }
    }
    none(problems);
}

#[test]
fn every_test_file_is_listed() {
    let listed = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    let names = fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_str().unwrap().to_owned()).filter(|name| name.ends_with(".rs"));
    none(
        names
            .filter(|name| !listed.contains(&format!("`tests/{name}`")))
            .map(|name| format!("`tests/{name}` is not listed in docs/testing.md"))
            .collect(),
    );
}

/// What `runner tasks --json` and `runner docs --json` print, a value a line.
fn said(test: &Test, verb: &str, recipe: Option<&str>) -> Vec<serde_json::Value> {
    let words: Vec<&str> = [verb, "--json"].into_iter().chain(recipe).collect();
    let ran = test.ends(0, &words);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(value: &'a serde_json::Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn of_kind<'a>(all: &'a [serde_json::Value], kind: &'a str) -> impl Iterator<Item = &'a serde_json::Value> {
    all.iter().filter(move |value| value["kind"] == kind)
}

fn settings<'a>(out: &mut String, all: impl Iterator<Item = &'a serde_json::Value>) {
    for setting in all {
        let (name, default, says) =
            (text(setting, "name"), text(setting, "default"), text(setting, "description"));
        let says = if says.is_empty() { String::new() } else { format!(": {says}") };
        out.push_str(&format!("- `{name}` = `{default}`{says}\n"));
    }
}

fn flows_and_tasks<'a>(out: &mut String, all: impl Iterator<Item = &'a serde_json::Value>) {
    for named in all {
        let (name, detail, says) = (text(named, "name"), text(named, "detail"), text(named, "description"));
        out.push_str(&format!("- `{name}` ({detail}): {says}\n"));
    }
}

/// The reference, from what the program says of itself.
fn reference() -> String {
    let test = Test::new().remove("runner.toml");
    let (tasks, docs) = (said(&test, "tasks", None), said(&test, "docs", None));
    let mut out = "# Reference\n\n\
                   Generated from the output of `runner tasks` and `runner docs`: do not edit. \
                   `UPDATE_EXPECT=1 cargo test --test tidy` updates it.\n\n\
                   ## Flows of every recipe\n\n"
        .to_owned();
    flows_and_tasks(&mut out, of_kind(&tasks, "flow"));
    out.push_str("\n## Tasks of every recipe\n\nAn empty task does nothing until a recipe fills it.\n\n");
    flows_and_tasks(&mut out, of_kind(&tasks, "task"));
    out.push_str("\n## Settings of every recipe\n\n");
    settings(&mut out, of_kind(&docs, "setting"));
    for recipe in ["laravel", "node", "wordpress"] {
        let (own_tasks, own_docs) = (said(&test, "tasks", Some(recipe)), said(&test, "docs", Some(recipe)));
        out.push_str(&format!("\n## `{recipe}`\n\nIts own tasks, and the shipped ones it fills:\n\n"));
        flows_and_tasks(&mut out, of_kind(&own_tasks, "task").filter(|task| !tasks.contains(task)));
        out.push_str("\nIts own settings, and the values it gives to others:\n\n");
        settings(&mut out, of_kind(&own_docs, "setting").filter(|setting| !docs.contains(setting)));
    }
    out.push_str("\n## Functions\n\nWhat recipes are made of. `host.` is a method of a host, `hosts.` of a set of hosts.\n\n");
    for function in of_kind(&docs, "function") {
        let says = text(function, "description").replace('\n', "\n  ").replace("\n  \n", "\n\n");
        out.push_str(&format!("- `{}`: {says}\n", text(function, "signature")));
    }
    out
}

/// `UPDATE_EXPECT=1 cargo test --test tidy` rewrites it.
#[test]
fn the_reference_is_fresh() {
    expect_file![root().join("docs/reference.md")].assert_eq(&reference());
}
