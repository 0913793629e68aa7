//! Getting in by what a person answers: passwords, PAM's questions, and several factors.
//!
//! The server runs in a mount namespace of its own, where a PAM service of ours stands in for the machine's: no account
//! gets a password. That needs root; `RUNNER_TEST_WITHOUT=pam` leaves these tests out elsewhere.

use std::fs;
use std::path::Path;

use crate::lab::{Lab, Person, refused};
use runner::parts::transport::ssh::SshTarget;

/// A server that takes the password `secret`; `None` if these tests are left out.
fn lab(lines: &str) -> Option<Lab> {
    if std::env::var("RUNNER_TEST_WITHOUT").is_ok_and(|without| without == "pam") {
        println!("left out: RUNNER_TEST_WITHOUT=pam");
        return None;
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "PAM needs root; to leave these tests out, set RUNNER_TEST_WITHOUT=pam"
    );
    let lab = Lab::in_namespace(lines, prepare);
    lab.welcome("key", "-t ed25519");
    Some(lab)
}

/// Shell text that gives the server its PAM service.
fn prepare(at: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let check = at.join("check");
    fs::write(&check, "#!/bin/sh\n[ \"$(tr -d '\\0')\" = secret ]\n").unwrap();
    fs::set_permissions(&check, fs::Permissions::from_mode(0o755)).unwrap();
    let service = format!(
        "auth requisite pam_exec.so quiet expose_authtok {}\nauth required pam_permit.so\naccount required \
         pam_permit.so\nsession required pam_permit.so\n",
        check.display()
    );
    fs::write(at.join("pam"), service).unwrap();
    format!("mount --bind {}/pam /etc/pam.d/sshd", at.display())
}

const PASSWORD: &str = "UsePAM yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication no";
const QUESTIONS: &str = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes";
const BOTH: &str = "UsePAM yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes";

#[test]
fn a_password_lets_in() {
    let Some(lab) = lab(PASSWORD) else { return };
    let asked = lab.enters_asked("IdentityFile none", &["secret"]);
    assert_eq!(asked, [format!("password for `{}` on 127.0.0.1 port {}", lab.sshd.user, lab.sshd.port)]);
    lab.enters_asked("IdentityFile none", &["wrong", "secret"]);
    lab.enters_asked("PreferredAuthentications password\nIdentityFile $D/key", &["secret"]);
}

#[test]
fn the_questions_of_pam_are_passed_on() {
    let Some(lab) = lab(QUESTIONS) else { return };
    let asked = lab.enters_asked("IdentityFile none", &["secret"]);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("Password") && asked[0].contains(&lab.sshd.user), "{asked:?}");
    lab.enters_asked("IdentityFile none", &["wrong", "secret"]);
}

#[test]
fn keys_come_before_questions() {
    let Some(lab) = lab(BOTH) else { return };
    assert_eq!(lab.enters_asked("IdentityFile $D/key", &[]), Vec::<String>::new());
}

#[test]
fn wrong_answers_are_refused_and_not_told() {
    for lines in [PASSWORD, QUESTIONS] {
        let Some(lab) = lab(lines) else { return };
        let person = Person::new(&["wrong1", "wrong2", "wrong3", "secret"]);
        let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile none") };
        let why = refused(&target);
        // sshd counts the questions in between, and hangs up after the sixth.
        assert!(why.contains("closed the connection during the login") && why.contains("refused"), "{why}");
        assert!(why.contains("the host accepts: "), "{why}");
        assert!(!why.contains("wrong"), "{why}");
        assert_eq!(person.asked().len(), 3);

        let person = Person::new(&[]);
        let target = SshTarget { logins: person.logins(), ..lab.target("IdentityFile none") };
        assert!(refused(&target).contains("not answered"));
        let why = lab.refused("IdentityFile none");
        assert!(why.contains("no terminal to ask on"), "{why}");
    }
}

#[test]
fn as_many_factors_are_given_as_are_wanted() {
    for (methods, lines) in [
        ("publickey,keyboard-interactive", BOTH),
        ("publickey,password", BOTH),
        ("password,publickey", BOTH),
        ("keyboard-interactive,publickey", BOTH),
        ("publickey,password publickey,keyboard-interactive", BOTH),
        ("password,publickey publickey,password", BOTH),
    ] {
        println!("{methods}");
        let Some(lab) = lab(&format!("AuthenticationMethods {methods}\n{lines}")) else { return };
        lab.enters_asked("IdentityFile $D/key", &["secret"]);
        let why = lab.refused("IdentityFile $D/key");
        assert!(why.contains("no terminal to ask on"), "{why}");
    }
}
