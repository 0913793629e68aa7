//! Getting in by keys: of files, of an agent, certified, encrypted.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use crate::lab::{Agent, Lab, Person, entered, interrupted, refused, run};
use runner::parts::transport::CancelToken;
use runner::parts::transport::ssh::public_key::PublicKey;
use runner::parts::transport::ssh::{SshTarget, dial};

#[test]
fn keys_of_every_type_and_format_let_in() {
    let lab = Lab::new("");
    for (i, options) in [
        "-t ed25519",
        "-t ecdsa -b 256",
        "-t ecdsa -b 384",
        "-t ecdsa -b 521",
        "-t rsa -b 2048",
        "-t rsa -b 2048 -m PEM",
        "-t rsa -b 2048 -m PKCS8",
        "-t ecdsa -b 256 -m PEM",
        "-t ecdsa -b 256 -m PKCS8",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("key{i}");
        lab.welcome(&name, options);
        println!("{options}");
        lab.enters(&format!("IdentityFile $D/{name}"));
        // The file alone, as it is copied to a build machine.
        fs::remove_file(lab.path(&name).with_extension("pub")).unwrap();
        lab.enters(&format!("IdentityFile $D/{name}"));
    }
    assert!(!lab.log().contains("Failed"), "{}", lab.log());
}

#[test]
fn encrypted_keys_let_in_once_their_passphrase_is_given() {
    let lab = Lab::new("");
    for (i, options) in [
        "-t ed25519 -N secret",
        "-t rsa -b 2048 -N secret",
        "-t ecdsa -N secret",
        "-t rsa -b 2048 -m PEM -N secret",
        "-t ecdsa -m PKCS8 -N secret",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("key{i}");
        lab.welcome(&name, options);
        println!("{options}");
        let asked = lab.enters_asked(&format!("IdentityFile $D/{name}"), &["secret"]);
        assert_eq!(asked, [format!("passphrase for `{}/{name}`", lab.at())]);
        lab.enters_asked(&format!("IdentityFile $D/{name}"), &["wrong", "secret"]);
        fs::remove_file(lab.path(&name).with_extension("pub")).unwrap();
        lab.enters_asked(&format!("IdentityFile $D/{name}"), &["wrong", "secret"]);
    }
}

#[test]
fn a_passphrase_is_asked_for_once_for_all_hosts() {
    let lab = Lab::new("");
    lab.welcome("key", "-t ed25519 -N secret");
    let person = Person::new(&["wrong", "secret"]);
    let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile $D/key") };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| entered(&target));
        }
    });
    assert_eq!(person.asked().len(), 2);
}

#[test]
fn nobody_is_asked_for_the_passphrase_of_an_unwanted_key() {
    let lab = Lab::new("");
    lab.key("locked", "-t ed25519 -N secret");
    let person = Person::new(&["secret"]);
    let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile $D/locked") };
    let why = refused(&target);
    assert!(why.contains("locked`: refused"), "{why}");
    assert_eq!(person.asked(), Vec::<String>::new());
}

#[test]
fn a_passphrase_that_cannot_be_had_is_told() {
    let lab = Lab::new("");
    lab.welcome("key", "-t ed25519 -N secret");
    let why = lab.refused("IdentityFile $D/key");
    assert!(why.contains("encrypted, passphrase not asked for (no terminal)"), "{why}");
    assert!(why.ends_with(&format!("hint: run `ssh-add {}/key`", lab.at())), "{why}");

    let person = Person::new(&["wrong", "wronger", "wrongest"]);
    let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile $D/key") };
    let why = refused(&target);
    assert!(why.contains("wrong passphrase") && !why.contains("wronger"), "{why}");
    assert_eq!(person.asked().len(), 3);

    let person = Person::new(&[]);
    let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile $D/key") };
    assert!(refused(&target).contains("passphrase not given"));
}

#[test]
fn an_agent_with_many_keys_lets_in() {
    let lab = Lab::new("");
    for wrong in ["w1", "w2", "w3"] {
        lab.key(wrong, "-t ed25519");
    }
    lab.welcome("right", "-t ed25519");
    lab.welcome("rsa", "-t rsa -b 2048");
    lab.welcome("ecdsa", "-t ecdsa");
    let agent = Agent::holding(&lab, &["w1", "w2", "w3", "right"]);
    lab.enters("IdentityAgent $D/agent");
    drop(agent);
    fs::remove_file(lab.path("agent")).unwrap();
    let _agent = Agent::holding(&lab, &["rsa", "ecdsa"]);
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/rsa.pub\nIdentitiesOnly yes");
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/ecdsa.pub\nIdentitiesOnly yes");
}

#[test]
fn a_key_that_is_named_is_shown_first() {
    let lab = Lab::new("");
    let wrong = ["w1", "w2", "w3", "w4", "w5", "w6", "w7"];
    for name in wrong {
        lab.key(name, "-t ed25519");
    }
    lab.welcome("right", "-t ed25519");
    let _agent = Agent::holding(&lab, &[&wrong[..], &["right"]].concat());
    // By the agent, whose seven other keys would be too many; by the public half alone; and by a file it does not hold.
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/right");
    fs::remove_file(lab.path("right")).unwrap();
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/right.pub");
    lab.welcome("file", "-t ed25519");
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/file");
    let log = lab.log();
    assert!(!log.contains("Failed"), "{log}");

    let why = lab.refused("IdentityAgent $D/agent");
    assert!(
        why.contains("closed the connection during the login") && why.contains("IdentitiesOnly yes"),
        "{why}"
    );
}

#[test]
fn an_agent_that_does_not_answer_is_told() {
    let lab = Lab::new("");
    let why = lab.refused("IdentityAgent $D/nothing");
    // The system's own words: libssh2, asked itself, closes a socket that does not connect twice.
    assert!(
        why.contains(&format!("the agent at `{}/nothing`: No such file or directory", lab.at())),
        "{why}"
    );
}

#[test]
fn certificates_let_in() {
    let lab = Lab::with(|at| format!("TrustedUserCAKeys {}/ca.pub", at.display()));
    lab.key("ca", "-t ed25519");
    let user = lab.sshd.user.clone();
    let sign = |name: &str, options: &[&str]| {
        let mut keygen = Command::new("ssh-keygen");
        keygen.arg("-q").arg("-s").arg(lab.path("ca")).args(["-I", name, "-n", &user]).args(options);
        run(keygen.arg(lab.path(name).with_extension("pub")));
    };
    for (name, options) in
        [("ed25519", "-t ed25519"), ("rsa", "-t rsa -b 2048"), ("ecdsa", "-t ecdsa -b 384")]
    {
        lab.key(name, options);
        let why = lab.refused(&format!("IdentityFile $D/{name}"));
        assert!(why.contains("refused"), "{why}");
        sign(name, &[]);
        println!("{name}");
        lab.enters(&format!("IdentityFile $D/{name}"));
        let elsewhere = lab.path(&format!("elsewhere-{name}"));
        fs::rename(lab.path(&format!("{name}-cert.pub")), &elsewhere).unwrap();
        lab.enters(&format!("IdentityFile $D/{name}\nCertificateFile $D/elsewhere-{name}"));
        fs::rename(elsewhere, lab.path(&format!("{name}-cert.pub"))).unwrap();
    }
    let _agent = Agent::holding(&lab, &["ed25519", "rsa", "ecdsa"]);
    lab.enters("IdentityAgent $D/agent\nIdentityFile $D/rsa");
    for name in ["ed25519", "rsa", "ecdsa"] {
        fs::remove_file(lab.path(name)).unwrap();
    }
    for name in ["ed25519", "ecdsa"] {
        println!("agent {name}");
        lab.enters(&format!("IdentityAgent $D/agent\nIdentitiesOnly yes\nIdentityFile $D/{name}.pub"));
    }
    let why = lab.refused("IdentityAgent $D/agent\nIdentitiesOnly yes\nIdentityFile $D/rsa.pub");
    assert!(why.contains("libssh2 does not support RSA certificates from an agent"), "{why}");

    lab.key("late", "-t ed25519");
    sign("late", &["-V", "20200101:20200102"]);
    let why = lab.refused("IdentityFile $D/late");
    assert!(why.contains("certificate of key") && why.contains("refused"), "{why}");
    lab.key("locked", "-t ed25519 -N secret");
    sign("locked", &[]);
    lab.enters_asked("IdentityFile $D/locked", &["secret"]);
}

#[test]
fn a_certificate_without_its_private_key_is_told() {
    let lab = Lab::new("");
    lab.key("key", "-t ed25519");
    run(Command::new("ssh-keygen")
        .arg("-q")
        .arg("-s")
        .arg(lab.path("key"))
        .args(["-I", "x"])
        .arg(lab.path("key.pub")));
    let why = lab.refused("CertificateFile $D/key-cert.pub\nIdentityFile none");
    assert!(why.contains("no `IdentityFile` has its private key"), "{why}");
}

#[test]
fn keys_of_security_tokens_are_told_apart() {
    let lab = Lab::new("");
    // The form of `ssh-keygen -t ed25519-sk`, which needs a token to be made; read as far as the public key.
    let mut public = Vec::new();
    let put = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    };
    put(&mut public, b"sk-ssh-ed25519@openssh.com");
    put(&mut public, &[7; 32]);
    put(&mut public, b"ssh:");
    let mut key = b"openssh-key-v1\0".to_vec();
    for field in ["none", "none", ""] {
        put(&mut key, field.as_bytes());
    }
    key.extend(1_u32.to_be_bytes());
    put(&mut key, &public);
    fs::write(lab.path("raw"), key).unwrap();
    run(Command::new("sh").arg("-c").arg(format!(
        "umask 077; cd {}; {{ echo '-----BEGIN OPENSSH PRIVATE KEY-----'; base64 raw; echo '-----END OPENSSH PRIVATE \
         KEY-----'; }} >sk",
        lab.at()
    )));
    let why = lab.refused("IdentityFile $D/sk");
    assert!(why.contains("security keys") && why.contains("transport = \"openssh\""), "{why}");
}

#[test]
fn a_login_that_fails_says_what_was_tried_and_what_would_do() {
    let lab = Lab::new("");
    lab.key("key", "-t ed25519");
    lab.key("open", "-t ed25519");
    run(Command::new("chmod").arg("644").arg(lab.path("open")));
    let why = lab.refused("IdentityFile $D/key\nIdentityFile $D/open\nIdentityFile $D/missing");
    let (user, port, at) = (&lab.sshd.user, lab.sshd.port, lab.at());
    let want = format!(
        "failed to log in to 127.0.0.1 port {port} as `{user}`\n = `{at}/open`: other users can read it (run `chmod 600 \
         {at}/open`)\n = `{at}/missing`: file not found\n = key `{at}/key`: refused\n = the host accepts: \
         publickey\n = runner.toml gives no `user`: `{user}` is that of ssh's configuration, or yours on this machine\nhint: if `{user}` is the right user, add your key to the server: `ssh-copy-id -i {at}/key -p {port} {user}@web1`, \
         from where a login works"
    );
    assert_eq!(why, want);
    let why = lab.refused("IdentityFile none");
    assert!(why.contains("no keys to try"), "{why}");
    assert!(why.contains("make a key with `ssh-keygen -t ed25519`"), "{why}");
    // A user that runner.toml names was no default.
    let target = SshTarget { user: Some(user.clone()), ..lab.target("IdentityFile $D/key") };
    let why = refused(&target);
    assert!(!why.contains("gives no `user`"), "{why}");
}

#[test]
fn another_user_is_refused() {
    let lab = Lab::new("");
    lab.welcome("key", "-t ed25519");
    let target =
        SshTarget { user: Some("nobody-of-that-name".to_owned()), ..lab.target("IdentityFile $D/key") };
    let why = refused(&target);
    assert!(why.contains("as `nobody-of-that-name`"), "{why}");
}

#[test]
fn several_keys_are_shown_where_several_are_wanted() {
    let lab = Lab::new("AuthenticationMethods publickey,publickey");
    lab.welcome("one", "-t ed25519");
    let why = lab.refused("IdentityFile $D/one");
    assert!(
        why.contains("one`: the host knows it, but") && why.contains("the host requires a second key"),
        "{why}"
    );
    lab.welcome("two", "-t rsa -b 2048");
    lab.enters("IdentityFile $D/one\nIdentityFile $D/two");
}

#[test]
fn an_agent_may_ask_first() {
    let lab = Lab::new("");
    lab.welcome("key", "-t ed25519");
    for (answer, want) in [("exit 0", None), ("exit 1", Some("the signature failed"))] {
        let agent = Agent::asking(&lab, "key", answer);
        match want {
            None => drop(lab.enters("IdentityAgent $D/agent\nIdentityFile none")),
            Some(want) => {
                let why = lab.refused("IdentityAgent $D/agent\nIdentityFile none");
                assert!(why.contains("agent key `key`") && why.contains(want), "{why}");
            }
        }
        drop(agent);
        fs::remove_file(lab.path("agent")).unwrap();
    }
}

#[test]
fn an_interrupt_ends_the_wait_for_an_agent() {
    let lab = Lab::new("");
    lab.welcome("key", "-t ed25519");
    let lines = "IdentityAgent $D/agent\nIdentityFile none";
    let agent = Agent::asking(&lab, "key", &format!("echo $$ >{}/asked; exec sleep 1000", lab.at()));
    let cancel_token = CancelToken::default();
    let target = lab.target(lines);
    let (result, asked) = thread::scope(|scope| {
        let dialled = scope.spawn(|| dial::connect(&target, &cancel_token));
        let asked = lab.awaits("asked");
        cancel_token.cancel();
        (dialled.join().unwrap(), asked)
    });
    assert_eq!(result.err(), Some(interrupted()));
    drop(agent);
    // The question is nobody's but ours.
    run(Command::new("kill").arg(asked.trim()));
    fs::remove_file(lab.path("agent")).unwrap();

    // One that does not even say what it holds.
    let silent = UnixListener::bind(lab.path("agent")).unwrap();
    cancel_token.clear();
    let result = thread::scope(|scope| {
        let dialled = scope.spawn(|| dial::connect(&target, &cancel_token));
        let held = silent.accept().unwrap();
        cancel_token.cancel();
        (dialled.join().unwrap(), held).0
    });
    assert_eq!(result.err(), Some(interrupted()));
}

/// What an agent answers when it is asked for its keys: these, each with the comment `held`.
fn identities(blobs: &[&[u8]]) -> Vec<u8> {
    let put = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    };
    let mut body = vec![12];
    body.extend(u32::try_from(blobs.len()).unwrap().to_be_bytes());
    for blob in blobs {
        put(&mut body, blob);
        put(&mut body, b"held");
    }
    let mut answer = Vec::new();
    put(&mut answer, &body);
    answer
}

#[test]
fn an_agent_that_answers_nonsense_is_told_and_its_good_keys_are_shown() {
    let lab = Lab::new("");
    let public = lab.key("key", "-t ed25519");
    let blob = PublicKey::from_line(&public).unwrap().blob().to_vec();
    let at = format!("the agent at `{}/agent`", lab.at());
    let whole = identities(&[&blob]);
    for (answer, want) in [
        (Vec::new(), at.as_str()),
        (vec![0, 0, 0, 1, 5], &at),
        (vec![0xff, 0xff, 0xff, 0xff, 12], &at),
        (vec![0, 0, 0, 5, 12, 0xff, 0xff, 0xff, 0xff], &at),
        (whole[..whole.len() - 6].to_vec(), &at),
        (identities(&[b"no key", &blob, b""]), "agent key `held` (ssh-ed25519 "),
    ] {
        let listener = UnixListener::bind(lab.path("agent")).unwrap();
        let target = lab.target("IdentityAgent $D/agent\nIdentityFile none");
        let why = thread::scope(|scope| {
            let dialled = scope.spawn(|| refused(&target));
            // First it is only looked whether somebody is there.
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            stream.write_all(&answer).unwrap();
            drop(stream);
            dialled.join().unwrap()
        });
        assert!(why.contains(want), "{answer:?}: {why}");
        fs::remove_file(lab.path("agent")).unwrap();
    }
}
