//! Whose host key is believed.

use std::process::Command;

use crate::lab::{Lab, entered, refused, run};
use runner::parts::transport::ssh::SshTarget;

const KEY: &str = "IdentityFile $D/key";

fn lab(lines: &str) -> Lab {
    let lab = Lab::with(|at| lines.replace("$D", &at.display().to_string()));
    lab.welcome("key", "-t ed25519");
    lab
}

#[test]
fn known_hosts_of_every_form_are_believed() {
    let lab = lab("");
    let (port, key) = (lab.sshd.port, lab.host_key());
    for line in [
        format!("[127.0.0.1]:{port} {key} a comment"),
        format!("a,b,[127.0.0.1]:{port},c {key}"),
        format!("[127.0.0.*]:{port} {key}"),
        format!("[127.0.?.1]:* {key}"),
        format!("*,!other {key}"),
        // ssh falls back to the name without the port.
        format!("127.0.0.1 {key}"),
        format!("# comment\n\ngarbage\nx ssh-ed25519 ????\n\u{fffd}\n[127.0.0.1]:{port} {key}"),
    ] {
        lab.knows(&line);
        println!("{line}");
        lab.enters(KEY);
        // ssh itself reads them alike.
        run(ssh(&lab).arg("web1").arg("true"));
    }
    lab.knows(&format!("[127.0.0.1]:{port} {key}"));
    run(Command::new("ssh-keygen").arg("-H").arg("-f").arg(lab.path("known_hosts")));
    assert!(lab.known_hosts().starts_with("|1|"));
    lab.enters(KEY);
}

/// The system's ssh, told the same as we.
fn ssh(lab: &Lab) -> Command {
    let target = lab.target(KEY);
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(target.config.unwrap()).args([
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
    ]);
    ssh
}

#[test]
fn an_unknown_host_is_refused_with_what_to_type() {
    let lab = lab("");
    let (port, at) = (lab.sshd.port, lab.at());
    lab.knows(&format!("[127.0.0.1]:1 {}", lab.host_key()));
    let (fingerprint, key) = (fingerprint(&lab, "host.pub"), lab.host_key());
    let why = lab.refused(KEY);
    let want = format!(
        "the host key of `[127.0.0.1]:{port}` is not known\n = the host presents ssh-ed25519 {fingerprint}\n = not found in \
         `{at}/known_hosts`\n = to see its real key, run `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` \
         on the server\nhint: if they are the same, run `echo '[127.0.0.1]:{port} {key}' >> {at}/known_hosts`"
    );
    assert_eq!(why, want);
    // What the hint says is enough.
    let command = why.rsplit('`').nth(1).unwrap();
    run(Command::new("sh").arg("-c").arg(command));
    lab.enters(KEY);
}

fn fingerprint(lab: &Lab, name: &str) -> String {
    let output = Command::new("ssh-keygen").arg("-lf").arg(lab.sshd.dir().join(name)).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_changed_key_is_refused_even_where_new_ones_are_accepted() {
    let lab = lab("");
    let port = lab.sshd.port;
    let other = lab.key("other", "-t ed25519");
    let rsa = lab.key("rsa", "-t rsa -b 2048");
    for (lines, line) in [
        (format!("\n[127.0.0.1]:{port} {other}"), 2),
        (format!("[127.0.0.1]:{port} {rsa}"), 1),
        (format!("[127.0.0.1]:{port} {rsa}[127.0.0.1]:{port} {other}"), 2),
    ] {
        lab.knows(&lines);
        for how in
            ["StrictHostKeyChecking yes", "StrictHostKeyChecking no", "StrictHostKeyChecking accept-new"]
        {
            let why = lab.refused(&format!("{how}\n{KEY}"));
            assert!(why.starts_with(&format!("the host key of `[127.0.0.1]:{port}` has changed")), "{why}");
            assert!(why.contains(&format!("known_hosts:{line})")), "{why}");
        }
        let why = refused(&SshTarget { accept_new: true, ..lab.target(KEY) });
        let command = why.rsplit('`').nth(1).unwrap().to_owned();
        assert!(command.starts_with("ssh-keygen -f "), "{why}");
        run(Command::new("sh").arg("-c").arg(command));
        assert!(lab.refused(KEY).contains("is not known"));
    }
    let log = lab.sshd.log();
    assert!(!log.contains("Accepted") && !log.contains("Failed"), "something was shown to a stranger: {log}");
}

/// Goes before `known_hosts`, and any of the host's keys may be the one.
#[test]
fn a_host_key_of_runner_toml_is_the_only_one_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let extra = dir.path().join("rsa");
    run(Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"]).arg(&extra));
    let lab = lab(&format!("HostKey {}", extra.display()));
    let printed = Command::new("ssh-keygen").arg("-lf").arg(&extra).output().unwrap();
    let rsa = String::from_utf8(printed.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let ed25519 = fingerprint(&lab, "host.pub");
    let other = format!("SHA256:{}", "A".repeat(43));
    let pinned = |pins: &[&str]| SshTarget {
        host_keys: pins.iter().map(|pin| (*pin).to_owned()).collect(),
        ..lab.target(KEY)
    };
    // Whatever is known: nothing, the key, or another one.
    for known in [String::new(), format!("[127.0.0.1]:{} {}", lab.sshd.port, lab.key("z", "-t ed25519"))] {
        lab.knows(&known);
        entered(&pinned(&[&ed25519]));
        entered(&pinned(&[&rsa]));
        entered(&pinned(&[&other, &rsa]));
        assert_eq!(lab.known_hosts().trim(), known.trim());
    }
    lab.knows(&format!("[127.0.0.1]:{} {}", lab.sshd.port, lab.host_key()));
    for accept_new in [false, true] {
        let why = refused(&SshTarget { accept_new, ..pinned(&[&other]) });
        assert!(why.contains("has another host key than runner.toml says"), "{why}");
        for shown in [&other, &rsa, &ed25519] {
            assert!(why.contains(shown.as_str()), "{why}");
        }
    }
    // A key that is revoked is no key, whoever names it.
    lab.knows(&format!("@revoked * {}", lab.host_key()));
    let why = refused(&pinned(&[&ed25519]));
    assert!(why.contains("is revoked"), "{why}");
}

#[test]
fn a_revoked_key_is_refused() {
    let lab = lab("");
    let (port, key) = (lab.sshd.port, lab.host_key());
    for revoked in [format!("@revoked [127.0.0.1]:{port} {key}"), format!("@revoked * {key}")] {
        lab.knows(&format!("[127.0.0.1]:{port} {key}\n{revoked}"));
        let why = lab.refused(KEY);
        assert!(why.contains("is revoked") && why.contains("known_hosts:2"), "{why}");
    }
    lab.knows(&format!("[127.0.0.1]:{port} {key}"));
    std::fs::write(lab.path("revoked"), format!("# bad\n{key}\n")).unwrap();
    let why = lab.refused(&format!("RevokedHostKeys $D/revoked\n{KEY}"));
    assert!(why.contains("is revoked") && why.contains("revoked:2"), "{why}");
    let why = lab.refused(&format!("RevokedHostKeys $D/missing\n{KEY}"));
    assert!(why.contains("cannot be read"), "{why}");
    run(Command::new("ssh-keygen").args(["-q", "-k", "-f"]).arg(lab.path("krl")).arg(lab.path("revoked")));
    let why = lab.refused(&format!("RevokedHostKeys $D/krl\n{KEY}"));
    assert!(why.contains("is a binary list"), "{why}");
}

#[test]
fn an_authority_is_not_enough() {
    let lab = lab("");
    let ca = lab.key("ca", "-t ed25519");
    lab.knows(&format!("@cert-authority [127.0.0.1]:{} {ca}", lab.sshd.port));
    let why = lab.refused(KEY);
    assert!(
        why.contains("a certificate authority is known for it") && why.contains("known_hosts:1"),
        "{why}"
    );
}

#[test]
fn a_server_with_a_host_certificate_shows_its_plain_key() {
    let lab = Lab::with(|at| format!("HostKey {0}/rsa\nHostCertificate {0}/rsa-cert.pub", at.display()));
    lab.welcome("key", "-t ed25519");
    drop(lab);
    // The files must be there before the server is: made in a directory of their own.
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(dir.path().join("rsa")));
    let mut sign = Command::new("ssh-keygen");
    sign.arg("-q")
        .arg("-s")
        .arg(dir.path().join("rsa"))
        .args(["-h", "-I", "host"])
        .arg(dir.path().join("rsa.pub"));
    run(&mut sign);
    let lab = self::lab(&format!("HostKey {at}/rsa\nHostCertificate {at}/rsa-cert.pub"));
    lab.enters(KEY);
    let rsa = std::fs::read_to_string(dir.path().join("rsa.pub")).unwrap();
    lab.knows(&format!("[127.0.0.1]:{} {rsa}", lab.sshd.port));
    let connection = lab.enters(KEY);
    assert_eq!(connection.session.methods(ssh2::MethodType::HostKey), Some("rsa-sha2-512"));
}

#[test]
fn the_type_that_is_known_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = ["rsa", "ecdsa"]
        .map(|kind| {
            let path = dir.path().join(kind);
            run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&path));
            format!("HostKey {}\n", path.display())
        })
        .concat();
    let lab = lab(&lines);
    for kind in ["rsa", "ecdsa"] {
        let public = std::fs::read_to_string(dir.path().join(kind).with_extension("pub")).unwrap();
        lab.knows(&format!("[127.0.0.1]:{} {public}", lab.sshd.port));
        lab.enters(KEY);
    }
}

#[test]
fn a_new_host_is_remembered_where_that_is_wished() {
    let lab = lab("");
    let port = lab.sshd.port;
    let line = format!("[127.0.0.1]:{port} {}\n", lab.host_key());
    for lines in ["StrictHostKeyChecking accept-new", "StrictHostKeyChecking no"] {
        lab.knows("# mine");
        lab.enters(&format!("{lines}\n{KEY}"));
        assert_eq!(lab.known_hosts(), format!("# mine\n{line}"));
        lab.enters(&format!("StrictHostKeyChecking yes\n{KEY}"));
    }
    let file = lab.path("known_hosts");
    std::fs::remove_file(&file).unwrap();
    entered(&SshTarget { accept_new: true, ..lab.target(KEY) });
    assert_eq!(lab.known_hosts(), line);

    // Hashed, if that is how the user keeps them: ssh-keygen finds it, ssh believes it.
    std::fs::remove_file(&file).unwrap();
    entered(&SshTarget { accept_new: true, ..lab.target(&format!("HashKnownHosts yes\n{KEY}")) });
    assert!(lab.known_hosts().starts_with("|1|"), "{}", lab.known_hosts());
    run(Command::new("ssh-keygen").arg("-F").arg(format!("[127.0.0.1]:{port}")).arg("-f").arg(&file));
    run(ssh(&lab).arg("web1").arg("true"));
}

#[test]
fn several_files_are_read() {
    let lab = lab("");
    let line = format!("[127.0.0.1]:{} {}", lab.sshd.port, lab.host_key());
    lab.knows("");
    std::fs::write(lab.path("second file"), &line).unwrap();
    lab.enters(&format!("UserKnownHostsFile $D/known_hosts \"$D/second file\"\n{KEY}"));
    lab.enters(&format!("GlobalKnownHostsFile $D/missing \"$D/second file\"\n{KEY}"));
    std::fs::write(lab.path("alias"), format!("ali {}", lab.host_key())).unwrap();
    lab.enters(&format!("HostKeyAlias ali\nUserKnownHostsFile $D/alias\n{KEY}"));
    std::fs::create_dir(lab.path("directory")).unwrap();
    let why = lab.refused(&format!("GlobalKnownHostsFile $D/directory\n{KEY}"));
    assert!(why.contains("failed to read"), "{why}");
}

#[test]
fn a_new_host_that_is_met_by_many_at_once_is_remembered_once() {
    let lab = lab("");
    std::fs::remove_file(lab.path("known_hosts")).unwrap();
    let target = SshTarget { accept_new: true, ..lab.target(KEY) };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| entered(&target));
        }
    });
    assert_eq!(lab.known_hosts(), format!("[127.0.0.1]:{} {}\n", lab.sshd.port, lab.host_key()));
}
