//! What the configuration of ssh forbids is not offered here either.

use ssh2::MethodType;

use crate::lab::Lab;

const KEY: &str = "IdentityFile $D/key\n";

fn lab(lines: &str) -> Lab {
    let lab = Lab::new(lines);
    lab.welcome("key", "-t ed25519");
    lab
}

#[test]
fn algorithm_lists_are_respected() {
    let lab = lab("");
    for (line, kind, want) in [
        ("Ciphers aes256-ctr", MethodType::CryptCs, "aes256-ctr"),
        ("Ciphers -*gcm*,*poly*,aes128-ctr,aes192-ctr", MethodType::CryptSc, "aes256-ctr"),
        ("Ciphers aes256-ctr\nMACs hmac-sha2-512", MethodType::MacCs, "hmac-sha2-512"),
        ("KexAlgorithms ecdh-sha2-nistp384", MethodType::Kex, "ecdh-sha2-nistp384"),
        ("HostKeyAlgorithms ssh-ed25519", MethodType::HostKey, "ssh-ed25519"),
    ] {
        let connection = lab.enters(&format!("{line}\n{KEY}"));
        let agreed = connection.session.methods(kind).unwrap_or_default();
        assert_eq!(agreed, want, "{line}");
    }
}

/// An old server offers only what the configuration forbids. ssh refuses it, and so must `runner`.
#[test]
fn a_host_with_nothing_but_what_is_forbidden_is_refused() {
    let lab = lab("Ciphers aes128-ctr\nMACs hmac-sha1,hmac-sha2-256\nKexAlgorithms ecdh-sha2-nistp256\n");
    lab.enters(KEY);
    for (line, want) in [
        ("MACs -hmac-sha1,hmac-sha2-256", "no message authentication algorithm in common"),
        ("Ciphers aes256-gcm@openssh.com", "no cipher algorithm in common"),
        ("KexAlgorithms curve25519-sha256", "no key exchange algorithm in common"),
        ("Ciphers 3des-cbc", "libssh2"),
        ("Ciphers -*", "`Ciphers` in ssh's configuration has no algorithm"),
        ("PubkeyAcceptedAlgorithms -*", "not allowed by `PubkeyAcceptedAlgorithms`"),
        ("PreferredAuthentications none", "failed to log in"),
        ("HostKeyAlgorithms rsa-sha2-512", "no host key algorithm in common"),
        (
            "HostKeyAlgorithms sk-ssh-ed25519@openssh.com",
            "`HostKeyAlgorithms` in ssh's configuration has no algorithm",
        ),
    ] {
        let why = lab.refused(&format!("{line}\n{KEY}"));
        assert!(why.contains(want), "{line}: {why}");
    }
    assert_eq!(lab.sshd.log().matches("Accepted publickey").count(), 1, "{}", lab.sshd.log());
}

#[test]
fn short_rsa_keys_are_neither_accepted_nor_offered() {
    let lab = lab("");
    lab.welcome("rsa", "-t rsa -b 2048");
    lab.enters("RequiredRSASize 2048\nIdentityFile $D/rsa\n");
    let why = lab.refused("RequiredRSASize 2049\nIdentityFile $D/rsa\n");
    assert!(why.contains("too short: 2048 bits, and `RequiredRSASize` is 2049"), "{why}");

    let host = lab.sshd.dir().join("rsa-host");
    let words = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"];
    crate::lab::run(std::process::Command::new("ssh-keygen").args(words).arg(&host));
    let lab = self::lab(&format!("HostKey {}\nHostKeyAlgorithms rsa-sha2-512\n", host.display()));
    let public = std::fs::read_to_string(host.with_extension("pub")).unwrap();
    lab.knows(&format!("[127.0.0.1]:{} {public}", lab.sshd.port));
    lab.enters(KEY);
    let why = lab.refused(&format!("RequiredRSASize 3072\n{KEY}"));
    assert!(why.contains("is too short: 2048 bits, and `RequiredRSASize` is 3072"), "{why}");
    assert_eq!(lab.sshd.log().matches("Accepted publickey").count(), 1, "{}", lab.sshd.log());
}

#[test]
fn forbidden_key_types_are_not_offered() {
    let lab = lab("LogLevel DEBUG1\n");
    lab.welcome("rsa", "-t rsa -b 2048");
    lab.enters("PubkeyAcceptedAlgorithms rsa-sha2-256\nIdentityFile $D/rsa\n");
    // The signature is of that algorithm, too.
    let log = lab.sshd.log();
    assert!(log.contains("pkalg rsa-sha2-256") && !log.contains("pkalg rsa-sha2-512"), "{log}");
    let why = lab.refused("PubkeyAcceptedAlgorithms ssh-ed25519\nIdentityFile $D/rsa\n");
    assert!(why.contains("rsa`: not allowed by `PubkeyAcceptedAlgorithms` in ssh's configuration"), "{why}");
    assert!(!lab.sshd.log().contains("Failed publickey"), "{}", lab.sshd.log());
}

#[test]
fn bind_address_is_used() {
    let lab = lab("");
    lab.enters(&format!("BindAddress 127.0.0.9\n{KEY}"));
    assert!(lab.log().contains("from 127.0.0.9 port"), "{}", lab.sshd.log());
    let why = lab.refused(&format!("BindAddress ::1\n{KEY}"));
    assert!(why.contains("has no IPv6 address, which `BindAddress ::1`"), "{why}");
    let why = lab.refused(&format!("BindAddress desk.lan\n{KEY}"));
    assert!(why.contains("must be an IP address, not `desk.lan`"), "{why}");
    let why = lab.refused(&format!("BindAddress 203.0.113.5\n{KEY}"));
    assert!(why.contains("cannot connect from `BindAddress 203.0.113.5`"), "{why}");
    let why = lab.refused(&format!("BindInterface lo\n{KEY}"));
    assert!(why.contains("uses `BindInterface`, which is not supported"), "{why}");
}
