//! What installs the program: the installer, npm's launcher, the version line. `.ci/long packaging` makes and tries packages.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::userland::program;
use support::{Ran, Test};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

#[track_caller]
fn passes(mut command: Command) {
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{command:?}\n{ran}");
}

fn needed(name: &str) -> PathBuf {
    program(name).unwrap_or_else(|| panic!("{name} is needed: `tests/run` installs it"))
}

#[test]
fn the_scripts_of_packaging_have_no_mistakes_that_tools_find() {
    let mut shellcheck = Command::new(needed("shellcheck"));
    shellcheck.args(["build", "target", "finish", "try", "try-inside", "install.sh"].map(packaging));
    passes(shellcheck);
    let mut node = Command::new(needed("node"));
    node.arg("--check").arg(packaging("npm/launcher.js"));
    passes(node);
}

#[test]
fn the_version_names_the_commit() {
    let test = Test::new();
    let version = test.ends(0, &["--version"]).out;
    assert_eq!(version, format!("runner {}\n", env!("RUNNER_VERSION")));
    assert_eq!(test.ends(0, &["-V"]).out, version);
    assert!(version.starts_with(concat!("runner ", env!("CARGO_PKG_VERSION"))), "{version}");
    let root = env!("CARGO_MANIFEST_DIR");
    let is_clone = Path::new(root).join(".git").exists();
    if is_clone && std::env::var_os("RUNNER_COMMIT").is_none() {
        let log =
            ["-C", root, "log", "-1", "--abbrev=7", "--date=format-local:%Y-%m-%d", "--format=(%h %cd)"];
        let said = Command::new("git").args(log).env("TZ", "UTC0").output().unwrap();
        let want = String::from_utf8(said.stdout).unwrap();
        assert!(version.ends_with(&want) && want.len() > 10, "{version} is not of {want}");
    }
}

/// A directory as `packaging/build` makes it, with a program that says its version and nothing else.
fn published(test: &Test) -> String {
    let name = format!("runner-1.2.3-{}-linux", std::env::consts::ARCH);
    let package = test.path("files").join(&name);
    for file in ["completions/runner.bash", "completions/_runner", "completions/runner.fish", "man/runner.1"]
    {
        fs::create_dir_all(package.join(file).parent().unwrap()).unwrap();
        fs::write(package.join(file), file).unwrap();
    }
    fs::write(package.join("runner"), "#!/bin/sh\necho 'runner 1.2.3 (a stand-in)'\n").unwrap();
    fs::set_permissions(package.join("runner"), fs::Permissions::from_mode(0o755)).unwrap();
    let installer = fs::read_to_string(packaging("install.sh")).unwrap();
    let installer = installer.replace("=@VERSION@", "=1.2.3").replace("=@URL@", "=");
    fs::create_dir(test.path("out")).unwrap();
    fs::write(test.path("out/install.sh"), installer).unwrap();
    let mut shell = Command::new("sh");
    let text = format!(
        "tar -czf out/{name}.tar.gz -C files {name} && cd out && sha256sum *.tar.gz >SHA256SUMS && chmod -R a+rX .."
    );
    shell.args(["-ec", &text]).current_dir(test.root());
    passes(shell);
    name
}

/// The installer with these words, by somebody who is not root and whose home is `home/`.
fn installer(test: &Test, words: &[&str]) -> Command {
    let home = test.path("home");
    fs::create_dir_all(&home).unwrap();
    let mut command = Command::new("sh");
    command.args(words).current_dir(&home).env_clear().env("HOME", &home).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap());
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        chown(&home, Some(65534), Some(65534)).unwrap();
        command.uid(65534).gid(65534);
    }
    command
}

fn install(test: &Test, words: &[&str]) -> Ran {
    Ran::of(installer(test, words).output().unwrap())
}

fn installed(test: &Test) -> Vec<String> {
    let files =
        support::tree(&test.path("home")).into_iter().filter(|(_, what)| !what.starts_with("directory"));
    files.map(|(name, _)| String::from_utf8(name).unwrap()).collect()
}

#[test]
fn the_installer_installs_from_the_directory_it_lies_in() {
    let test = Test::new();
    published(&test);
    let ran = install(&test, &["../out/install.sh"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let bin = test.path("home/.local/bin");
    ran.says(&format!("installed runner 1.2.3 (a stand-in) as {}/runner", bin.display()));
    ran.says(&format!("note: {} is not in PATH; this adds it for future logins:", bin.display()));
    let want = [
        ".local/bin/runner",
        ".local/share/bash-completion/completions/runner",
        ".local/share/fish/vendor_completions.d/runner.fish",
        ".local/share/man/man1/runner.1",
        ".local/share/zsh/site-functions/_runner",
    ];
    assert_eq!(installed(&test), want);
    assert_eq!(fs::metadata(bin.join("runner")).unwrap().permissions().mode() & 0o777, 0o755);

    // Again, over what is there; and the line that it gave is one that works.
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let ran = Ran::of(installer(&test, &["../out/install.sh"]).env("PATH", path).output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.says_not("note: ");
    assert_eq!(installed(&test), want);
}

#[test]
fn the_installer_refuses_a_package_with_a_wrong_checksum() {
    let test = Test::new();
    let name = published(&test);
    let package = test.path(format!("out/{name}.tar.gz"));
    let mut bytes = fs::read(&package).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&package, &bytes).unwrap();
    let ran = install(&test, &["../out/install.sh"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says(&format!("error: `{name}.tar.gz` has the checksum ")).says("; nothing was installed");
    assert_eq!(installed(&test), [""; 0]);

    fs::write(test.path("out/SHA256SUMS"), "").unwrap();
    let ran = install(&test, &["../out/install.sh"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says(&format!("error: SHA256SUMS does not list `{name}.tar.gz`"));
    assert_eq!(installed(&test), [""; 0]);
}

#[test]
fn half_of_the_installer_does_nothing() {
    let test = Test::new();
    published(&test);
    let whole = fs::read_to_string(test.path("out/install.sh")).unwrap();
    let last_line = whole.trim_end().rfind('\n').unwrap() + 1;
    let lines = whole.match_indices('\n').map(|(at, _)| at + 1).filter(|at| *at <= last_line);
    for end in lines.chain(last_line + 1..whole.trim_end().len()) {
        let mut shell = installer(&test, &["-s", "--", "--from", "../out"]);
        let mut shell =
            shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // A syntax error ends the shell before it has read all.
        let _ = shell.stdin.take().unwrap().write_all(&whole.as_bytes()[..end]);
        shell.wait().unwrap();
        assert_eq!(installed(&test), [""; 0], "after {:?}", &whole[..end].lines().last());
    }
}

/// Serves the files of a directory to a number of requests, one after the other.
fn serve(dir: PathBuf, n_requests: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().take(n_requests) {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = request.next().unwrap().unwrap();
            request.find(|line| line.as_ref().unwrap().is_empty());
            let name = line.split(' ').nth(1).unwrap().trim_start_matches('/');
            let head = |status: &str, n: usize| {
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {n}\r\n\r\n")
            };
            let (head, body) = match fs::read(dir.join(name)) {
                Ok(body) => (head("200 OK", body.len()), body),
                Err(_) => (head("404 Not Found", 0), Vec::new()),
            };
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    address
}

#[test]
fn the_installer_installs_from_where_it_was_published() {
    needed("curl");
    let test = Test::new();
    let name = published(&test);
    let url = serve(test.path("out"), 4);
    let text = fs::read_to_string(test.path("out/install.sh")).unwrap();
    let text = text.replace("PUBLISHED_AT=\n", &format!("PUBLISHED_AT={url}\n"));
    let run = || {
        let mut shell = installer(&test, &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Ran::of(shell.wait_with_output().unwrap())
    };
    let ran = run();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(installed(&test).len(), 5);

    fs::remove_file(test.path(format!("out/{name}.tar.gz"))).unwrap();
    let ran = run();
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says(&format!("error: failed to download `{url}/{name}.tar.gz`"));
}

/// The npm package as it is installed, with a shell script for the program where there is one for this platform.
fn npm_package(test: &Test, program: Option<&str>) -> Command {
    let platform = match std::env::consts::ARCH {
        "x86_64" => "linux-x64",
        "aarch64" => "linux-arm64",
        other => panic!("no package for {other}"),
    };
    let root = test.path("node_modules/deploy-runner");
    fs::create_dir_all(&root).unwrap();
    fs::copy(packaging("npm/launcher.js"), root.join("launcher.js")).unwrap();
    let json = format!("{{\"optionalDependencies\": {{\"@deploy-runner/{platform}\": \"1.2.3\"}}}}");
    fs::write(root.join("package.json"), json).unwrap();
    if let Some(text) = program {
        let bin = test.path("node_modules/@deploy-runner").join(platform).join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("runner"), text).unwrap();
        fs::set_permissions(bin.join("runner"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut node = Command::new(needed("node"));
    node.arg(root.join("launcher.js")).stdin(Stdio::null());
    node
}

#[test]
fn the_launcher_passes_on_words_and_the_exit_code() {
    let test = Test::new();
    let mut node = npm_package(&test, Some("#!/bin/sh\nprintf '%s|' \"$@\"\nexit 3\n"));
    let ran = Ran::of(node.args(["a b", "--plan"]).output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (Some(3), "a b|--plan|"), "{ran}");
}

#[test]
fn the_launcher_waits_for_what_an_interrupted_program_undoes() {
    let test = Test::new();
    let text = "#!/bin/sh\ntrap 'echo undone; exit 130' INT TERM\necho ready\nwhile read -r line; do :; done\necho 'input ended'\n";
    for signal in ["INT", "TERM"] {
        let mut node = npm_package(&test, Some(text));
        let mut node =
            node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(node.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &node.id().to_string()]);
        passes(kill);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((node.wait().unwrap().code(), rest.as_str()), (Some(130), "undone\n"), "{signal}");
    }
}

#[test]
fn the_launcher_says_that_the_program_is_not_installed() {
    let test = Test::new();
    let ran = Ran::of(npm_package(&test, None).output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says("error: the package `@deploy-runner/linux-")
        .says("`, which holds the program, is not installed\nhint: ");
    fs::write(
        test.path("node_modules/deploy-runner/package.json"),
        r#"{"optionalDependencies": {"@deploy-runner/linux-mips": "1"}}"#,
    )
    .unwrap();
    let mut node = Command::new(needed("node"));
    let ran = Ran::of(node.arg(test.path("node_modules/deploy-runner/launcher.js")).output().unwrap());
    ran.says("error: runner has no package for linux on ")
        .says("\nhint: there are packages for linux-mips\n");
}
