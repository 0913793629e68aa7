//! The README and the first pages are true: their commands are run, and say what they show.

#[path = "support/project.rs"]
mod project;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use project::Site;
use support::Test;
use support::sshd::Sshd;

/// What stands before a block that is not to be run.
const NOT_RUN: &str = "<!-- not run";

/// Commands, and what they are said to print.
#[derive(Default)]
struct Story {
    line: usize,
    commands: String,
    output: String,
}

/// Every `sh` block with the `text` block that follows it.
fn stories(readme: &str) -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    let mut language: Option<&str> = None;
    let mut before = "";
    for (n, line) in readme.lines().enumerate() {
        match (language, line.strip_prefix("```")) {
            (Some(_), Some(_)) => language = None,
            (None, Some("sh")) if before.starts_with(NOT_RUN) => language = Some(""),
            (None, Some("sh")) => {
                stories.push(Story { line: n + 1, ..Story::default() });
                language = Some("sh");
            }
            (None, Some(other)) => language = Some(other),
            (Some("sh"), None) => stories.last_mut().unwrap().commands += &format!("{line}\n"),
            (Some("text"), None) => stories.last_mut().unwrap().output += &format!("{line}\n"),
            _ => {}
        }
        before = line;
    }
    stories
}

/// A line less what differs from run to run: blanks, figures, revisions, people, the place of the repository.
fn essence(line: &str) -> String {
    let line = match line.split_once(", revision ") {
        Some((before, _)) => before,
        None => line,
    };
    let words = line.split_whitespace().filter(|word| !is_revision(word)).map(|word| {
        if word.contains('@') {
            return "WHO".to_owned();
        }
        match word.split_once("/examples/") {
            Some((_, rest)) if word.contains("://") => format!("file://.../examples/{rest}"),
            _ => figures(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_revision(word: &str) -> bool {
    let word = word.strip_suffix('+').unwrap_or(word);
    word.len() == 10 && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// Each run of digits as one `#`: times, sizes, names of releases.
fn figures(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        match c.is_ascii_digit() {
            false => out.push(c),
            true if !out.ends_with('#') => out.push('#'),
            true => {}
        }
    }
    out
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true if path.ends_with("hello/site") => {}
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

#[test]
fn the_commands_of_the_readme_say_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let test = Test::new();
    copy(&root.join("examples"), &test.path("examples"));
    // As in a clone: what git ignores is not sent unless a recipe says so.
    let test = test
        .shell("rm -rf examples/hello/site examples/hello/public/index.html && git init -q && git add -A");
    let program = format!("'{}'", env!("CARGO_BIN_EXE_runner"));
    are_true("README.md", &readme, &test, |commands| commands.replace("cargo run --", &program));
}

/// Runs each block of commands of a document, and looks for the lines that it says are printed. `typed` makes what a shell
/// here runs of what a reader types.
fn are_true(document: &str, text: &str, test: &Test, typed: impl Fn(&str) -> String) {
    let stories = stories(text);
    assert!(stories.len() >= 5, "only {} blocks of commands were found", stories.len());
    for Story { line, commands, output } in stories {
        let mut shell = Command::new("sh");
        shell.arg("-ec").arg(typed(&commands)).current_dir(test.root());
        shell.env("RUNNER_CACHE", test.path("cache")).env("LOGNAME", "ann");
        let ran = support::Ran::of(shell.output().unwrap());
        assert_eq!(ran.code, Some(0), "{document}:{line}\n{ran}");
        // Talk and data go to two streams, of which each keeps its order.
        let mut said = [ran.err.lines(), ran.out.lines()];
        for want in output.lines() {
            let is_said = said.iter_mut().any(|lines| {
                let mut ahead = lines.clone();
                let found = ahead.any(|line| essence(line) == essence(want));
                if found {
                    *lines = ahead;
                }
                found
            });
            assert!(is_said, "{document}:{line}: `{want}` is not said, or not in that order, in\n{ran}");
        }
    }
}

#[test]
fn the_commands_of_the_first_deploy_say_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/first-deploy.md")).unwrap();
    let server = Sshd::openssh();
    let site = Site(server.home().join(format!("first-{}", server.port)));
    let path = site.0.display().to_string();
    let test = Test::new();
    let host_key = fs::read_to_string(server.dir().join("host.pub")).unwrap();
    let config = format!(
        "Host web1.example.com\n HostName 127.0.0.1\n HostKeyAlias web1\n Port {}\n IdentityFile {}\n IdentitiesOnly yes\n \
         UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
        server.port,
        server.key().display(),
        test.path("known_hosts").display()
    );
    let test = test.write("ssh_config", &config).write("known_hosts", &format!("* {host_key}"));
    let program = format!(
        "RUNNER_SSH_CONFIG={} '{}' ",
        test.path("ssh_config").display(),
        env!("CARGO_BIN_EXE_runner")
    );
    are_true("docs/first-deploy.md", &text, &test, |commands| {
        let lines = commands.lines().map(|line| match line.strip_prefix("runner ") {
            Some(rest) => format!("{program}{rest}\n"),
            None => format!("{line}\n"),
        });
        let commands: String = lines.collect();
        commands.replace("--user deploy", &format!("--user {}", server.user)).replace("/var/www/shop", &path)
    });
}

#[test]
fn the_commands_for_an_existing_site_say_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/existing-site.md")).unwrap();
    let test = Test::new();
    let www = test.path("www").display().to_string();
    let toml = format!(
        "[settings]\nsource = \"public\"\n\n[stage.prod]\nhosts = [\"web1.example.com\"]\npath = \"{www}/html\"\ntransport = \"local\"\n"
    );
    let test = test.write("shop/runner.toml", &toml).write("shop/public/index.html", "<h1>New</h1>\n");
    let test = test.write("www/html/index.html", "<h1>Old</h1>\n").write("www/html/uploads/cat.jpg", "cat\n");
    let text = text.replace("/var/www", &www);
    let program = format!("'{}' ", env!("CARGO_BIN_EXE_runner"));
    are_true("docs/existing-site.md", &text, &test, |commands| {
        commands.replace("runner -C", &format!("{program}-C"))
    });
}

#[test]
fn what_differs_from_run_to_run_is_no_difference() {
    assert_eq!(essence("  upload  ok  0.1 s  1 of 2, 193 B"), essence("upload ok 12.0 s 1 of 2, 14 B"));
    assert_eq!(essence("a, revision 17faa022e6"), essence("a"));
    assert_eq!(essence("by ann@vm 17faa022e6+ <- live"), essence("by bob@laptop <- live"));
    assert_eq!(essence("open file:///home/ann/examples/x"), essence("open file:///tmp/y/examples/x"));
    assert_ne!(essence("localhost serves 20261121225253"), essence("localhost serves nothing"));
}
