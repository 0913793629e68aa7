//! The way to a host: its configuration, jump hosts, proxies, addresses, and what stands in the way.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::lab::{Lab, entered, interrupted, refused, said, until};
use crate::proxy::{Fault, Proxy};
use runner::parts::shell::{Act, Effect, Exit, Script, Step};
use runner::parts::transport::framed::FramedRemote;
use runner::parts::transport::ssh::SshTarget;
use runner::parts::transport::ssh::dial::{self, Dial};
use runner::parts::transport::ssh::link::Ssh;
use runner::parts::transport::{self, CancelToken, Remote, Silent, TransportError};

const KEY: &str = "IdentityFile $D/key";

fn lab(lines: &str) -> Lab {
    let lab = Lab::new(lines);
    lab.welcome("key", "-t ed25519");
    lab
}

#[test]
fn the_configuration_may_include_and_match() {
    let lab = lab("");
    let (port, user) = (lab.sshd.port, lab.sshd.user.clone());
    fs::create_dir(lab.path("conf.d")).unwrap();
    fs::write(lab.path("conf.d/a"), format!("Host shop-*\n Port {port}\n")).unwrap();
    let included = format!(
        "Include $D/conf.d/*\nMatch exec \"test %n = shop-1\"\n User {user}\nMatch originalhost shop-1\n IdentityFile \
         $D/%n_%r_%p\nHost other\n Port 1\n User wrong\n"
    );
    fs::copy(lab.path("key"), lab.path(&format!("shop-1_{user}_{port}"))).unwrap();
    let target = lab.target(&format!("{included}Host *\n IdentitiesOnly yes"));
    // Ours, which would help out, is left off.
    let config = target.config.unwrap();
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace(&format!(" Port {port}\n User {user}\n UserKnown"), " UserKnown");
    fs::write(&config, text).unwrap();
    let target = SshTarget { config: Some(config), ..SshTarget::new("shop", "shop-1") };
    entered(&target);
    assert!(
        refused(&SshTarget { address: "shop-2".to_owned(), ..target.clone() }).contains("failed to log in")
    );
    assert!(refused(&SshTarget { port: Some(1), ..target.clone() }).contains("port 1"));
    assert!(refused(&SshTarget { user: Some("nobody".to_owned()), ..target }).contains("as `nobody`"));
}

#[test]
fn a_configuration_that_ssh_does_not_read_is_told() {
    let lab = lab("");
    let why = lab.refused("Bogus yes");
    assert!(
        why.starts_with("`ssh -G web1` failed") && why.contains("Bad configuration option: bogus"),
        "{why}"
    );
    let why = lab.refused("ProxyCommand x\nProxyUseFdpass yes");
    assert!(why.contains("`web1` uses `ProxyUseFdpass`, which is not supported"), "{why}");
    let why = refused(&SshTarget::new("odd", "-oProxyCommand=x"));
    assert!(why.contains("hostname contains invalid characters"), "{why}");
}

#[test]
fn jump_hosts_lead_to_the_host() {
    let (inner, outer, first) = (lab(""), lab(""), lab(""));
    // The jump hosts are ssh's own: their keys and host keys come from the same configuration.
    let known = [&inner, &outer, &first].map(Lab::known_hosts).concat();
    inner.knows(&known);
    let host = |name: &str, lab: &Lab| {
        format!("Host {name}\n HostName 127.0.0.1\n Port {}\n IdentityFile {}/key\n", lab.sshd.port, lab.at())
    };
    let hosts = [host("outer", &outer), host("first", &first)].concat();
    let user = &outer.sshd.user;
    for jump in [
        "outer".to_owned(),
        "first,outer".to_owned(),
        format!("{user}@127.0.0.1:{}", outer.sshd.port),
        format!("ssh://{user}@127.0.0.1:{}", outer.sshd.port),
    ] {
        println!("{jump}");
        let lines = format!(
            "{hosts}Host web1\n ProxyJump {jump}\n {KEY}\nHost 127.0.0.1\n IdentityFile {}/key",
            outer.at()
        );
        let connection = inner.enters(&lines);
        // A long answer passes whole.
        said(connection, "head -c 300000 /dev/zero | tr '\\0' x", &"x".repeat(300_000));
    }
    let log = first.log();
    assert!(log.contains("Accepted"), "{log}");

    let why = inner.refused(&format!("{hosts}Host web1\n ProxyJump outer\nHost outer\n User wrong\n"));
    assert!(why.contains("hung up before the handshake, or the network failed (tried 2 times)"), "{why}");
    let jump = format!("Host web1\n ProxyJump wrong@127.0.0.1:{}\n {KEY}", outer.sshd.port);
    let why = inner.refused(&jump);
    assert!(why.contains("the proxy says") && why.contains("Permission denied"), "{why}");
}

#[test]
fn scripts_run_by_every_route() {
    let (lab, jump) = (lab(""), lab(""));
    lab.knows(&[&lab, &jump].map(Lab::known_hosts).concat());
    let hosts = format!("Host jump\n Port {}\n IdentityFile {}/key\n", jump.sshd.port, jump.at());
    let proxy = format!("ssh -F {} -W %h:%p web1", lab.target(KEY).config.unwrap().display());
    for lines in [
        KEY.to_owned(),
        format!("{hosts}Host web1\n ProxyJump jump\n {KEY}"),
        format!("ProxyCommand {proxy}\n{KEY}"),
    ] {
        println!("{lines}");
        let mut remote = transport::ssh(lab.target(&lines), CancelToken::default());
        let script = Script::new("echo out; echo err >&2; exit 3");
        let act = Step::new("check", Effect::Writes, script, |_| Ok(())).act;
        let Ok(answer) = remote.perform(&act, &mut Silent) else { panic!("no answer") };
        assert_eq!((answer.exit, &answer.stdout[..]), (Exit::Code(3), &b"out\n"[..]));
    }
}

#[test]
fn a_proxy_command_leads_to_the_host() {
    let lab = lab("");
    let config = lab.target(KEY).config.unwrap();
    let proxy = format!("ssh -F {} -W %h:%p '%r@web1'", config.display());
    lab.enters(&format!("ProxyCommand {proxy}\n{KEY}"));

    let why = lab.refused(&format!("ProxyCommand echo no way to %h >&2; exit 7\n{KEY}"));
    assert!(why.contains("the proxy says: no way to 127.0.0.1"), "{why}");
    // An unknown host cannot be scanned through a proxy: the line itself is given.
    lab.knows("");
    let why = lab.refused(&format!("ProxyCommand {proxy} -o StrictHostKeyChecking=no\n{KEY}"));
    let line = format!("echo '[127.0.0.1]:{} {}' >> ", lab.sshd.port, lab.host_key());
    assert!(why.contains(&line), "{why}");
}

#[test]
fn ipv6_addresses_are_reached() {
    let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    let lab = lab(&format!("ListenAddress [::1]:{port}"));
    lab.knows(&format!("[::1]:{port} {}", lab.host_key()));
    let lines = format!("HostName ::1\nPort {port}\n{KEY}");
    lab.enters(&lines);
    let target = SshTarget { port: Some(port), ..SshTarget::new("six", "::1") };
    let config = lab.target(&format!("HostName ::1\n{KEY}")).config;
    entered(&SshTarget { config, ..target });
    let why = lab.refused(&format!("AddressFamily inet\n{lines}"));
    assert!(why.contains("::1"), "{why}");
    // Through a jump host, too.
    lab.knows(&format!("[::1]:{port} {0}\n[127.0.0.1]:{1} {0}", lab.host_key(), lab.sshd.port));
    let jump = format!("Host jump\n {KEY}\nHost web1\n ProxyJump jump\n HostName ::1\n Port {port}\n {KEY}");
    lab.enters(&jump);
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let lab = lab("");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let why = lab.refused(&format!("Port {port}\n{KEY}"));
    let want = format!(
        "failed to connect to 127.0.0.1 port {port} (tried 3 times)\n = 127.0.0.1:{port}: Connection refused"
    );
    assert!(why.starts_with(&want), "{why}");
    let why = lab.refused("HostName no-such-host.invalid");
    assert!(why.starts_with("no address for `no-such-host.invalid`"), "{why}");
}

#[test]
fn a_server_that_hangs_up_is_asked_again_and_its_words_are_told() {
    let lab = lab("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let mut n = 0;
        // Six attempts, and one to hear why.
        for stream in listener.incoming().take(7) {
            let mut stream = stream.unwrap();
            // The client's banner is awaited: what is unread when a socket is closed resets the connection.
            let mut banner = [0; 8];
            stream.read_exact(&mut banner).unwrap();
            stream.write_all(b"Not allowed at this time\r\n").unwrap();
            n += 1;
        }
        n
    });
    let why = lab.refused(&format!("Port {port}\n{KEY}"));
    let want = format!(
        "127.0.0.1 port {port} hung up before the handshake, or the network failed (tried 6 times)\n"
    );
    assert!(why.starts_with(&want) && why.contains("the host says: Not allowed at this time"), "{why}");
    assert_eq!(asked.join().unwrap(), 7);
}

#[test]
fn a_line_that_is_cut_in_the_handshake_is_told_as_that() {
    let lab = lab("");
    // Behind the banners, without which a login is tried again.
    let whole = Proxy::new(lab.sshd.port, Duration::ZERO);
    lab.knows(&format!("127.0.0.1 {}", lab.host_key()));
    let target = lab.target(&format!("Port {}\n{KEY}", whole.port));
    let connection = dial::connect(&target, &CancelToken::default()).unwrap();
    let total = whole.bytes();
    drop(connection);
    let mut told = BTreeSet::new();
    for n in 0..24 {
        let at = 1300 + n * (total - 1400) / 24;
        let proxy = Proxy::new(lab.sshd.port, Duration::ZERO).after(at, Fault::Cut);
        let why = lab.refused(&format!("Port {}\n{KEY}", proxy.port));
        let when =
            ["before the handshake", "during the key exchange", "after the key exchange", "during the login"];
        let when = when.iter().find(|when| why.contains(**when));
        told.insert(*when.unwrap_or_else(|| panic!("{at} of {total}: {why}")));
    }
    assert!(told.contains("during the key exchange") && told.len() > 1, "{told:?}");
}

#[test]
fn an_interrupt_ends_a_configuration_and_a_proxy_that_hang() {
    let lab = lab("");
    // Both have children of their own, which hang as well.
    let hang = "echo $$ >$D/pid; sleep 1000 | cat";
    for lines in
        [format!("Match exec \"{hang}\"\n Port 1\nHost *\n"), format!("ProxyCommand sh -c '{hang}'\n{KEY}\n")]
    {
        println!("{lines}");
        let target = lab.target(&lines);
        let cancel_token = CancelToken::default();
        let result = thread::scope(|scope| {
            let dialled = scope.spawn(|| dial::connect(&target, &cancel_token));
            let pid = lab.awaits("pid");
            cancel_token.cancel();
            let result = dialled.join().unwrap();
            until(|| !Path::new("/proc").join(pid.trim()).exists());
            result
        });
        assert_eq!(result.err(), Some(interrupted()));
        fs::remove_file(lab.path("pid")).unwrap();
    }
}

#[test]
fn the_configuration_is_asked_for_once_a_run() {
    let lab = lab("");
    let proxy = Proxy::new(lab.sshd.port, Duration::ZERO);
    lab.knows(&format!("127.0.0.1 {}", lab.host_key()));
    let lines = format!("Port {}\n{KEY}\nMatch exec \"echo asked >>$D/asked\"\n", proxy.port);
    let mut remote = transport::ssh(lab.target(&lines), CancelToken::default());
    let act = Step::new("check", Effect::Reads, Script::new("echo well"), |_| Ok(())).act;
    remote.perform(&act, &mut Silent).unwrap();
    proxy.cut();
    assert!(matches!(remote.perform(&act, &mut Silent), Err(TransportError::Gone { .. })));
    remote.perform(&act, &mut Silent).unwrap();
    assert_eq!(fs::read_to_string(lab.path("asked")).unwrap(), "asked\n");
}

#[test]
fn a_host_that_starts_no_script_is_given_up() {
    // As a start file of the login shell does that waits for an answer; this one ends with the connection.
    let lab = lab("ForceCommand echo 'Which terminal?' >&2; cat >/dev/null");
    let act = Step::new("check", Effect::Reads, Script::new("echo well"), |_| Ok(())).act;
    for is_public in [true, false] {
        let target = lab.target(KEY);
        let mut dial = Dial::new(target, CancelToken::default());
        let link = Ssh::new(Duration::from_secs(45), move || dial.connect());
        let remote = FramedRemote::new(link, CancelToken::default());
        let mut remote = remote.starting_within(Duration::from_secs(2));
        let lost = remote.perform(&Act { is_public, ..act.clone() }, &mut Silent);
        let Err(TransportError::Gone { why, .. }) = lost else { panic!("not lost but {lost:?}") };
        assert!(why.contains("no script started within 2 s") && why.ends_with("Which terminal?"), "{why}");
    }
}

#[test]
fn an_interrupt_ends_a_handshake_that_hangs() {
    let lab = lab("");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cancel_token = CancelToken::default();
    let raiser = cancel_token.clone();
    let server = thread::spawn(move || {
        let held = listener.accept().unwrap();
        raiser.cancel();
        held
    });
    let target = lab.target(&format!("Port {port}\n{KEY}"));
    let result = dial::connect(&target, &cancel_token);
    assert_eq!(result.err(), Some(interrupted()));
    drop(server.join().unwrap());
}

#[test]
fn many_at_once_get_in() {
    // sshd drops every third connection from the fifth on that has not logged in, and all from the tenth on.
    let lab = lab("MaxStartups 5:30:10");
    let target = lab.target(KEY);
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| entered(&target));
        }
    });
}

#[test]
fn algorithms_that_are_not_common_are_named() {
    #[track_caller]
    fn case(lines: &str, wants: &[&str]) {
        let why = lab(lines).refused(KEY);
        for want in wants {
            assert!(why.contains(want), "{lines}: `{want}` is not in\n{why}");
        }
        assert!(why.contains("transport = \"openssh\""), "{why}");
    }
    case(
        "KexAlgorithms sntrup761x25519-sha512@openssh.com",
        &[
            "no key exchange algorithm in common",
            "the host offers: sntrup761x25519-sha512@openssh.com\n",
            "`runner` offers: ",
            "curve25519-sha256",
            "hint: add to the host's sshd_config: `KexAlgorithms +curve25519-sha256`",
        ],
    );
    case(
        "Ciphers aes256-ctr\nMACs umac-128-etm@openssh.com",
        &["no message authentication algorithm in common", "the host offers: umac-128-etm@openssh.com"],
    );
}

#[test]
fn hardened_servers_let_in() {
    for lines in [
        "KexAlgorithms curve25519-sha256@libssh.org",
        "KexAlgorithms diffie-hellman-group18-sha512",
        "KexAlgorithms diffie-hellman-group-exchange-sha256",
        "KexAlgorithms ecdh-sha2-nistp521",
        "Ciphers aes256-gcm@openssh.com",
        "Ciphers chacha20-poly1305@openssh.com",
        "Ciphers aes256-ctr\nMACs hmac-sha2-512-etm@openssh.com",
        "Ciphers aes128-ctr\nMACs hmac-sha2-256",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
        "MaxAuthTries 1",
        "Compression no\nMaxSessions 1",
    ] {
        println!("{lines}");
        lab(lines).enters(KEY);
    }
}
