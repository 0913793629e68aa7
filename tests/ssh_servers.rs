//! Where a deploy lands: login shells, restricted and hardened servers, routers, and many hosts at once.

#![allow(clippy::unwrap_used)]

#[path = "support/project.rs"]
mod project;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use project::{Site, project, project_at};
use proxy::Proxy;
use support::files::{noise, same, sealed};
use support::sshd::Sshd;
use support::{Ran, Test, tree};
use tempfile::TempDir;

/// Deploys, deploys a change and goes back; each time what is served is the source, with the modes that it has.
fn does_the_main_job(test: Test, site: &Site) -> Test {
    let test = test
        .source("index.html", "one")
        .source("bin/start", "#!/bin/sh\n")
        .mode("source/bin/start", 0o755)
        .source("it's \"odd\"\n$(id)", "odd")
        .source("group", "x")
        .mode("source/group", 0o664)
        .source("a/b/c", "deep")
        .mode("source/a", 0o750)
        .link("c", "source/a/b/link");
    let is_served = |test: &Test| same(&sealed(tree(&site.path().join("current/"))), &sealed(test.wanted()));
    test.deploy();
    is_served(&test);
    let test = test.source("index.html", "two").remove("source/a/b/c").source("new/file", "new");
    test.deploy();
    is_served(&test);
    test.ends(0, &["rollback"]);
    assert_eq!(site.serves("index.html"), "one");
    assert_eq!(site.serves("a/b/c"), "deep");
    test
}

fn needs_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "servers of this kind are made by root: run this test as root"
    );
}

#[test]
fn every_login_shell_is_deployed_to_however_much_its_start_files_say() {
    needs_root();
    for shell in ["sh", "bash", "rbash", "zsh", "fish", "csh"] {
        let server = Sshd::with(shell, "");
        let noise = match shell {
            "csh" => "echo noise\nsh -c 'echo noise >&2'\n",
            _ => "echo noise\necho noise >&2\n",
        };
        fs::create_dir_all(server.home().join(".config/fish")).unwrap();
        for file in
            [".bashrc", ".profile", ".zshenv", ".zshrc", ".cshrc", ".login", ".config/fish/config.fish"]
        {
            fs::write(server.home().join(file), noise).unwrap();
        }
        let (test, site) = project(&server);
        does_the_main_job(test, &site).ends(0, &["status"]).says_not("noise");
    }
}

/// `pkill -f WORD` in a recipe must not end the shells that run it: no word of a script is in their argument lists.
#[test]
fn no_process_of_a_run_has_words_of_its_scripts_in_its_arguments() {
    needs_root();
    for shell in ["sh", "bash", "zsh", "fish", "csh"] {
        let server = Sshd::with(shell, "");
        let (test, _) = project(&server);
        let parents = r#"p=$$; while [ "$p" -gt 1 ]; do tr "\\000" " " <"/proc/$p/cmdline"; echo; p=$(sed -n "s/^PPid:[[:space:]]*//p" "/proc/$p/status"); done"#;
        let test = test
            .source("index.html", "1")
            .recipe(&format!("task(\"prepare\", |host| print(host.run(`{parents}`)));\n"));
        let ran = test.deploy();
        let is_first = |line: &&str| *line == "sh" || line.starts_with("sh ") && !line.starts_with("share ");
        let lines = ran.err.lines().chain(ran.out.lines()).map(str::trim).skip_while(|line| !is_first(line));
        let ours: Vec<&str> = lines.take_while(|line| !line.starts_with("sshd")).collect();
        assert!(!ours.is_empty(), "{ran}");
        let are_general = ours.iter().all(|line| matches!(*line, "sh" | "sh -c IFS= read -r s; eval \"$s\""));
        assert!(are_general, "{shell}: {ours:?}\n{ran}");
    }
}

#[test]
fn a_router_with_dropbear_and_busybox_is_deployed_to() {
    let server = Sshd::dropbear();
    let (test, site) = project(&server);
    let test = does_the_main_job(test, &site);
    let test = test.recipe(
        "set(\"strategy\", \"cache\");\nset(\"shared\", [\"media/\"]);\nset(\"writable\", [\"var/\"]);\n",
    );
    let test = test.source("index.html", "three");
    test.deploy();
    let test = test.source("index.html", "four");
    test.deploy();
    assert_eq!(site.serves("index.html"), "four");
    assert!(site.path().join("shared/media").is_dir());
}

#[test]
fn a_hardened_server_is_deployed_to() {
    for lines in [
        "PermitTTY no\nMaxSessions 2",
        "Subsystem sftp /bin/false",
        "DisableForwarding yes\nPermitUserRC no\nPermitUserEnvironment no\nMaxAuthTries 1\nLoginGraceTime 20",
        "Compression no\nTCPKeepAlive no\nClientAliveInterval 1\nClientAliveCountMax 2",
    ] {
        let server = Sshd::with("sh", lines);
        let (test, site) = project(&server);
        does_the_main_job(test, &site).ends(0, &["releases"]).says("<- live");
    }
}

/// Replaces the source by one whose pack travels in parts, with directories that not everybody may write in.
fn in_parts(test: Test, version: &str) -> Test {
    let text = noise(version, 700_000);
    let test = test.shell("[ ! -d source/closed ] || chmod 755 source/closed");
    let test = (0..40).fold(test, |test, n| test.source(&format!("d{}/{n}", n % 5), &text));
    let test = test.source("closed/file", version).source("closed/in/file", version);
    test.mode("source/closed", 0o555).mode("source/d1", 0o750).mode("source/d2/2", 0o4711)
}

#[test]
fn parts_of_a_pack_travel_as_many_at_once_as_the_server_allows() {
    let servers = [2, 3, 4, 10].map(|n| Sshd::with("sh", &format!("MaxSessions {n}"))).into_iter();
    for server in servers.chain([Sshd::dropbear()]) {
        let (mut test, site) = project(&server);
        let runs =
            [("one", "copy-previous"), ("two", "copy-previous"), ("three", "cache"), ("four", "cache")];
        for (version, strategy) in runs {
            test = in_parts(test, version);
            let ran = test.ends(0, &["--set", &format!("strategy={strategy}")]);
            ran.says("42 of 42 files unpacked");
            same(&sealed(tree(&site.path().join("current/"))), &sealed(test.wanted()));
            let left = fs::read_dir(site.path().join(".runner")).unwrap();
            let left: Vec<_> = left.map(|left| left.unwrap().file_name().into_string().unwrap()).collect();
            assert!(!left.iter().any(|name| name.starts_with("busy")), "{left:?}");
        }
        let _ = test.shell("chmod 755 source/closed");
    }
}

/// By zstd from the beginning; parts compressed by gzip take over from the others as soon as the line is seen to be slow.
#[test]
fn on_a_slow_line_parts_are_compressed_if_the_server_can_undo_it() {
    const MIB: usize = 1024 * 1024;
    let cases: [(&[&str], usize); 3] =
        [(&["gzip", "zstd"], 2 * MIB), (&["gzip"], 24 * MIB), (&[], usize::MAX)];
    for (more, most) in cases {
        let tools = tools_with(more, &[]);
        // Fewer than there are parts: some are refused when others take over already.
        let lines = format!("SetEnv PATH={}\nMaxSessions 5", tools.path().display());
        let server = Sshd::with("sh", &lines);
        let proxy = Proxy::new(server.port, Duration::ZERO).at_most(6_000_000);
        let site = Site(server.home().join(format!("slow {}", server.port)));
        let mut test = project_at(&server, proxy.port, &[&site.path().display().to_string()]);
        for n in 0..32 {
            test = test.source(&format!("d{}/{n}", n % 5), &format!("line {n}\n").repeat(MIB / 8));
        }
        let ran = test.ends(0, &[]);
        same(&sealed(tree(&site.path().join("current/"))), &sealed(test.wanted()));
        let (up, _) = proxy.bytes_each_way();
        println!("{up} bytes");
        assert!(up < most as u64, "{up}");
        match more.is_empty() {
            false => ran.says("compression saved"),
            true => ran.says_not("compression saved"),
        };
    }
}

/// `tar` takes what it gets for the whole if it ends where a member does.
#[test]
fn what_could_not_be_expanded_is_no_release() {
    let tools = tools_with(&[], &[]);
    let zstd = tools.path().join("zstd");
    let server = Sshd::with("sh", &format!("SetEnv PATH={}", tools.path().display()));
    let (test, site) = project(&server);
    let test = (0..32).fold(test, |test, n| test.source(&n.to_string(), &format!("{n}\n").repeat(350_000)));
    let run = |text: &str, code| {
        fs::write(&zstd, text).unwrap();
        fs::set_permissions(&zstd, fs::Permissions::from_mode(0o755)).unwrap();
        test.ends(code, &[])
    };
    // Well with nothing, and dead of anything more.
    let dies = "#!/bin/sh\n[ $1 = -dc ] || exit 0\ncmp -s /dev/null - && exit 0\nhead -c 1024 /dev/zero\n";
    run(&format!("{dies}kill -9 $PPID $$\n"), 1).says("removed the unfinished release");
    run(&format!("{dies}exit 1\n"), 1)
        .says("failed to decompress the pack: `zstd -dc` failed")
        .says("removed the unfinished release");
    assert!(!site.path().join("current").exists());
    // One that does nothing at all is not asked.
    run("#!/bin/sh\nexit 127\n", 0).says("32 of 32 files unpacked");
    same(&sealed(tree(&site.path().join("current/"))), &sealed(test.wanted()));
}

/// A recipe that asks a web server of ours in `verify`, by its port and by its socket.
fn asks(test: Test) -> (Test, TempDir) {
    let dir = tempfile::Builder::new().prefix("runner-web-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = dir.path().join("sock");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&socket).unwrap());
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let port = tcp.local_addr().unwrap().port();
    // They end with the test's process.
    thread::spawn(move || tcp.incoming().map_while(Result::ok).for_each(answers));
    thread::spawn(move || unix.incoming().map_while(Result::ok).for_each(answers));
    let at = ["127.0.0.1".to_owned() + &format!(":{port}"), format!("unix:{}:", socket.display())];
    let asked = at.map(|at| {
        format!("try {{ note(host.http(\"http://{at}/\").body) }} catch (f) {{ note(f.message) }}")
    });
    (test.recipe(&format!("task(\"verify\", |host| {{ {} }});\n", asked.join(" "))), dir)
}

fn answers(mut stream: impl Read + Write) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or_default() == 0 {
            return;
        }
        asked.extend(byte);
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nit is well");
}

#[test]
fn what_a_server_does_not_pass_on_is_told_with_the_setting_that_forbids_it() {
    let well = "it is well";
    let (tcp, unix) = ("(`AllowTcpForwarding` of sshd)", "(`AllowStreamLocalForwarding`");
    for (server, words) in [
        (Sshd::openssh(), [well, well]),
        (Sshd::with("sh", "AllowTcpForwarding no"), [tcp, unix]),
        (Sshd::with("sh", "AllowStreamLocalForwarding no"), [well, unix]),
        (Sshd::with("sh", "DisableForwarding yes"), [tcp, unix]),
        (Sshd::with("sh", "MaxSessions 2"), [well, well]),
        (Sshd::dropbear(), [well, unix]),
    ] {
        let (test, _site) = project(&server);
        let (test, _dir) = asks(test.source("index.html", "one"));
        let ran = test.deploy();
        let notes: Vec<&str> =
            ran.err.lines().filter(|line| words.iter().any(|words| line.contains(words))).collect();
        assert_eq!(notes.len(), 2, "{words:?}\n{ran}");
        assert!(notes.iter().zip(&words).all(|(note, words)| note.contains(words)), "{words:?}\n{ran}");
    }
}

#[test]
fn a_server_with_one_session_a_connection_is_refused_with_the_reason() {
    let server = Sshd::with("sh", "MaxSessions 1");
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    test.ends(1, &[])
        .says("task `upload` failed on `web1`")
        .says("`MaxSessions` of sshd")
        .says("removed the unfinished release");
    assert!(!site.path().join("current").exists());
    assert_eq!(fs::read_dir(site.path().join("releases")).unwrap().count(), 0);
}

/// What scripts of ours may need on a server.
const TOOLS: [&str; 35] = [
    "awk",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "cut",
    "date",
    "df",
    "env",
    "find",
    "flock",
    "grep",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "setsid",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "tar",
    "touch",
    "tr",
    "uname",
    "wc",
];

/// A directory of links to these tools but those, for a search path of nothing else.
fn tools_without(missing: &[&str]) -> TempDir {
    tools_with(&[], missing)
}

fn tools_with(more: &[&str], missing: &[&str]) -> TempDir {
    let dir = tempfile::Builder::new().prefix("runner-path-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for tool in TOOLS.iter().chain(&["xargs"]).chain(more).filter(|tool| !missing.contains(tool)) {
        let path =
            ["/usr/bin", "/bin"].iter().map(|bin| Path::new(bin).join(tool)).find(|path| path.exists());
        symlink(path.unwrap_or_else(|| panic!("no `{tool}`")), dir.path().join(tool)).unwrap();
    }
    dir
}

#[test]
fn a_server_that_lacks_tools_is_deployed_to_as_long_as_it_can_be() {
    for missing in [
        &[][..],
        &["flock"],
        &["setsid"],
        &["sha256sum"],
        &["stat"],
        &["flock", "setsid", "sha256sum", "stat", "mktemp"],
    ] {
        eprintln!("without {missing:?}");
        let tools = tools_without(missing);
        let server = Sshd::with("sh", &format!("SetEnv PATH={}", tools.path().display()));
        let (test, site) = project(&server);
        let test = does_the_main_job(test, &site);
        // The search path of commands is the server's.
        let command = format!(
            "task(\"verify\", |host| host.run(\"[ \\\"$PATH\\\" = {} ]\"));\n",
            tools.path().display()
        );
        test.recipe(&command).deploy();
    }
}

#[test]
fn a_server_without_tar_is_refused_with_a_way_forward() {
    let tools = tools_without(&["tar"]);
    let path = tools.path().display().to_string();
    let server = Sshd::with("sh", &format!("SetEnv PATH={path}"));
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    let ran = test.ends(1, &[]);
    ran.says("task `lock` failed").says("the server has no `tar`").says(&format!("`PATH` is {path}"));
    ran.says("hint: install it");
    assert!(!site.path().exists());
}

/// A directory that anybody may write to, below which a site can be read by others.
fn open_directory() -> TempDir {
    let dir = tempfile::Builder::new().prefix("runner-www-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

#[test]
fn whatever_the_umask_a_release_has_its_modes_and_a_web_server_can_read_it() {
    needs_root();
    for umask in ["077", "027", "002", "000"] {
        let line = format!("ForceCommand umask {umask}; eval \"$SSH_ORIGINAL_COMMAND\"");
        let server = Sshd::with("sh", &line);
        let dir = open_directory();
        let site = Site(dir.path().join("site"));
        let test = project_at(&server, server.port, &[&site.path().display().to_string()]);
        let test = test.recipe("set(\"shared\", [\"public/media/\"]);\nset(\"writable\", [\"var/\"]);\n");
        let test = test.source("public/.keep", "").source("var/.keep", "");
        for content in ["hello", "again"] {
            fs::write(test.path("source/public/index.html"), content).unwrap();
            test.deploy();
            let release = fs::canonicalize(site.path().join("current")).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode(&release), 0o755, "{umask}");
            assert_eq!(mode(&release.join("public")), 0o755, "{umask}");
            assert_eq!(mode(&release.join("public/index.html")), 0o444, "{umask}");
            assert_eq!(mode(&release.join("var")), 0o2775, "{umask}");
            for made in ["", "releases", "shared", "shared/public", "shared/public/media"] {
                assert_eq!(mode(&site.path().join(made)), 0o755, "{umask}: {made}");
            }
            let read = Command::new("setpriv")
                .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "cat"])
                .arg(site.path().join("current/public/index.html"))
                .output();
            let read = read.unwrap();
            assert_eq!(String::from_utf8_lossy(&read.stdout), content, "{umask}: {read:?}");
        }
    }
}

#[test]
fn a_user_without_any_right_outside_the_deploy_path_can_deploy() {
    needs_root();
    let read_only = "mount --bind /tmp /tmp; mount -o remount,bind,ro /tmp; mount -t tmpfs -o ro tmpfs /var/tmp; \
                     mount -t tmpfs -o ro tmpfs /dev/shm; mount -t tmpfs -o mode=755 tmpfs /mnt; \
                     install -d -o runner-test /mnt/site";
    let server = Sshd::prepared("sh", "", Some(read_only));
    let test = project_at(&server, server.port, &["/mnt/site"]);
    let site = Site(server.its("/mnt/site"));
    let test = does_the_main_job(test, &site);
    let test = test.source("index.html", "three").recipe("set(\"strategy\", \"cache\");\n");
    test.deploy();
    assert_eq!(site.serves("index.html"), "three");
    // The deploy path itself is another's: nothing can be made beside it.
    let test = project_at(&server, server.port, &["/mnt/other"]).source("index.html", "one");
    test.ends(1, &[])
        .says("`/mnt` is not writable by `runner-test`")
        .says("hint: on the server: `sudo install -d -o runner-test /mnt/other`");
}

/// What a run of the program took of this machine at most.
#[derive(Debug, Default)]
struct Peak {
    kib: u64,
    n_threads: u64,
}

/// Runs the program and watches it.
fn watched(test: &Test) -> (Ran, Peak, Duration) {
    let start = Instant::now();
    let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let watch = thread::spawn(move || {
        let mut peak = Peak::default();
        while let Ok(text) = fs::read_to_string(&status) {
            let value = |key: &str| -> Option<u64> {
                let line = text.lines().find_map(|line| line.strip_prefix(key))?;
                line.split_whitespace().next()?.parse().ok()
            };
            // A process that has ended is there until it is waited for, and has no memory.
            let Some(kib) = value("VmHWM:") else { break };
            peak.kib = peak.kib.max(kib);
            peak.n_threads = peak.n_threads.max(value("Threads:").unwrap_or_default());
            thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    let ran = Ran::of(child.wait_with_output().unwrap());
    (ran, watch.join().unwrap(), start.elapsed())
}

#[test]
fn fifty_hosts_are_served_by_one_run() {
    const N: usize = 50;
    let server = Sshd::openssh();
    let sites: Vec<Site> =
        (0..N).map(|n| Site(server.home().join(format!("many-{}-{n}", server.port)))).collect();
    let paths: Vec<String> = sites.iter().map(|site| site.path().display().to_string()).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut test = project_at(&server, server.port, &paths);
    for n in 0..200 {
        test = test.source(&format!("lib {}/{n}.php", n % 10), &format!("line {n}\n").repeat(1_000));
    }
    for (round, version) in ["one", "two"].into_iter().enumerate() {
        test = test.source("index.html", version);
        let (ran, peak, took) = watched(&test);
        assert_eq!(ran.code, Some(0), "{ran}");
        eprintln!("{N} hosts, round {round}: {took:?}, {peak:?}\n{}", ran.err);
        ran.says("to stage `prod`, 50 hosts").says("on 50 hosts");
        let wanted = sealed(test.wanted());
        for site in &sites {
            same(&sealed(tree(&site.path().join("current/"))), &wanted);
        }
        assert_eq!(ran.out.matches(" serves ").count(), N, "{ran}");
        assert!(peak.kib > 0 && peak.kib < 300 * 1024, "{peak:?}");
        // A driver and a worker a host, a few of the program's own, and those that dial.
        assert!(peak.n_threads <= 2 * N as u64 + 30, "{peak:?}");
    }
    let ran = test.ends(0, &["rollback"]);
    ran.says("on 50 hosts");
    assert!(sites.iter().all(|site| site.serves("index.html") == "one"));
}

#[test]
fn verbs_that_only_look_heed_the_settings_of_recipe_and_project() {
    let server = Sshd::openssh();
    let forget = |test: Test| test.write("known_hosts", "");
    for verb in ["releases", "status"] {
        let test = project(&server).0;
        test.ends(1, &[verb, "--set", "host_keys=strict"]).says("is not known");
        test.ends(0, &[verb]);
        // A setting of the recipe, which project and command line may overrule.
        let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
        let strict = toml.replace("host_keys = \"accept-new\"\n", "");
        let test = forget(test).toml(&strict);
        test.ends(1, &[verb]).says("is not known");
        let test = test.recipe("set(\"host_keys\", \"accept-new\");\n");
        test.ends(1, &[verb, "--set", "host_keys=strict"]).says("is not known");
        test.ends(0, &[verb]);
        // Settings of another recipe, which is typed when it is meant, are no trouble.
        let test = forget(test).toml(&toml.replace("[settings]\n", "[settings]\nphp = \"php8\"\n"));
        test.ends(0, &[verb]);
        // Nor is one that is not well written.
        let test = forget(test).recipe("set(\"host_keys\" \"accept-new\");\n");
        test.ends(0, &[verb]).says("the recipe has mistakes, so its settings are ignored");
        forget(test).toml(&strict).ends(1, &[verb]).says("is not known");
    }
}

#[test]
fn a_configuration_that_is_named_is_not_ignored_where_nothing_can_read_it() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one").env("PATH", "/nonexistent");
    test.ends(1, &[]).says("`ssh` not found on this machine").says("RUNNER_SSH_CONFIG");
    assert!(!site.path().exists());
}

/// The error quotes what the login shell printed.
#[test]
fn the_error_quotes_a_login_shell_that_refuses_logins() {
    needs_root();
    let server = Sshd::with("sh", "ForceCommand /usr/sbin/nologin");
    let (test, _) = project(&server);
    let ran = test.source("index.html", "1").ends(1, &[]);
    ran.says("This account is currently not available.");
}

/// Like a startup file that waits for input: Ctrl-C ends the run within seconds.
#[test]
fn ctrl_c_leaves_a_login_shell_that_waits_for_input() {
    needs_root();
    let server = Sshd::with("sh", "LogLevel VERBOSE\nForceCommand echo 'which version?' >&2; read -r answer");
    let (test, _) = project(&server);
    let test = test.source("index.html", "1");
    let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while !server.log().contains("Starting session") {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", server.log());
        thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let began = std::time::Instant::now();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
