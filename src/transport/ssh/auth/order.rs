//! The order in which keys are offered to a host. Each refused key costs a round trip, and sshd hangs up after six.

use crate::transport::ssh::auth::key_file::{KeyFile, Secret};
use crate::transport::ssh::public_key::PublicKey;

/// A key to offer, by its index among the files or the keys of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidate {
    Agent(usize),
    File {
        file: usize,
        /// The certificate to offer instead of the key itself.
        certificate: Option<usize>,
    },
}

/// Why libssh2 cannot make the agent sign with this key.
pub fn unusable(key: &PublicKey) -> Option<&'static str> {
    match key.kind() {
        _ if key.is_security_key() => Some("libssh2 does not support security keys"),
        // libssh2 asks the agent for a SHA-1 signature, which no server accepts.
        "ssh-rsa-cert-v01@openssh.com" => Some("libssh2 does not support RSA certificates from an agent"),
        _ => None,
    }
}

/// Sorts keys: certificates first, since hosts that use them accept no plain keys. Then keys that the configuration
/// names, starting with those of the agent; then the other keys of the agent; then the default files; finally keys
/// that need a passphrase.
pub fn order(files: &[KeyFile], agent: &[PublicKey], identities_only: bool) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut add = |candidate| {
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    };
    let is_usable = |i: &usize| unusable(&agent[*i]).is_none();
    let in_agent = |key: &PublicKey| agent.iter().position(|held| held == key).filter(is_usable);
    for file in files {
        let is_its = |held: &PublicKey| held.certified().is_some_and(|key| file.public == Some(key));
        let held = (0..agent.len()).filter(|i| is_its(&agent[*i])).filter(is_usable);
        held.for_each(|i| add(Candidate::Agent(i)));
    }
    for candidate in certificates(files, agent, |file| !file.is_encrypted()) {
        add(candidate);
    }
    for held in files.iter().filter_map(|file| in_agent(file.public.as_ref()?)) {
        add(Candidate::Agent(held));
    }
    for candidate in plain(files, agent, |file| !file.is_encrypted() && !file.is_default) {
        add(candidate);
    }
    if !identities_only {
        (0..agent.len()).filter(is_usable).for_each(|i| add(Candidate::Agent(i)));
    }
    for candidate in plain(files, agent, |file| !file.is_encrypted()) {
        add(candidate);
    }
    for candidate in certificates(files, agent, KeyFile::is_encrypted) {
        add(candidate);
    }
    for candidate in plain(files, agent, KeyFile::is_encrypted) {
        add(candidate);
    }
    candidates
}

/// The certificates of private key files, without those that the agent holds.
fn certificates(
    files: &[KeyFile],
    agent: &[PublicKey],
    is_meant: impl Fn(&KeyFile) -> bool,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for (file, key) in files.iter().enumerate().filter(|(_, key)| is_meant(key) && has_secret(key)) {
        let missing =
            key.certificates.iter().enumerate().filter(|(_, certificate)| !agent.contains(certificate));
        candidates.extend(missing.map(|(i, _)| Candidate::File { file, certificate: Some(i) }));
    }
    candidates
}

/// The keys of private key files, without those that the agent holds.
fn plain(files: &[KeyFile], agent: &[PublicKey], is_meant: impl Fn(&KeyFile) -> bool) -> Vec<Candidate> {
    let is_held = |key: &KeyFile| key.public.as_ref().is_some_and(|public| agent.contains(public));
    let files = files.iter().enumerate();
    let files = files.filter(|(_, key)| is_meant(key) && has_secret(key) && !is_held(key));
    files.map(|(file, _)| Candidate::File { file, certificate: None }).collect()
}

/// Whether the file contains a private key, not only the handle of one on a security key.
fn has_secret(key: &KeyFile) -> bool {
    let is_handle = key.public.as_ref().is_some_and(PublicKey::is_security_key);
    !matches!(key.secret, Secret::Absent) && !is_handle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::wire::put_string;
    use std::path::PathBuf;

    /// A key made from its name. `a-cert` is a certificate of `a`.
    fn key(name: &str) -> PublicKey {
        let mut blob = Vec::new();
        match name.strip_suffix("-cert") {
            None => ["ssh-ed25519", name].iter().for_each(|field| put_string(&mut blob, field.as_bytes())),
            Some(of) => ["ssh-ed25519-cert-v01@openssh.com", "nonce", of]
                .iter()
                .for_each(|field| put_string(&mut blob, field.as_bytes())),
        }
        PublicKey::from_blob(&blob).unwrap()
    }

    /// A key file: `default:` is a default one, `locked:` an encrypted one, `public:` one without a private key, and
    /// `+cert` one with a certificate beside it.
    fn file(text: &str) -> KeyFile {
        let name = text.rsplit(':').next().unwrap().trim_end_matches("+cert");
        let secret = match text {
            _ if text.contains("locked:") => Secret::Encrypted(String::new()),
            _ if text.contains("public:") => Secret::Absent,
            _ => Secret::Plain(String::new()),
        };
        let certificates = text.ends_with("+cert").then(|| key(&format!("{name}-cert")));
        KeyFile {
            path: PathBuf::from(name),
            secret,
            public: Some(key(name)),
            certificates: Vec::from_iter(certificates),
            is_default: text.contains("default:"),
        }
    }

    #[track_caller]
    fn case(files: &str, agent: &str, only: bool, want: &str) {
        let names: Vec<&str> = agent.split_whitespace().collect();
        let agent: Vec<PublicKey> = names.iter().map(|name| key(name)).collect();
        let files: Vec<KeyFile> = files.split_whitespace().map(file).collect();
        let shown = order(&files, &agent, only).into_iter().map(|candidate| match candidate {
            Candidate::Agent(i) => format!("agent:{}", names[i]),
            Candidate::File { file, certificate: None } => files[file].path.display().to_string(),
            Candidate::File { file, certificate: Some(_) } => format!("{}+cert", files[file].path.display()),
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), want);
    }

    #[test]
    fn keys_are_tried_in_the_order_that_costs_least() {
        case("", "", false, "");
        case("default:a default:b", "", false, "a b");
        case("default:a", "x a y", false, "agent:a agent:x agent:y");
        case("default:a named", "x", false, "named agent:x a");
        case("locked:l default:a named", "x", false, "named agent:x a l");
        case("default:locked:l", "x l", false, "agent:l agent:x");
        case("public:p", "x p", false, "agent:p agent:x");
        case("public:p", "x", false, "agent:x");
    }

    #[test]
    fn identities_only_leaves_out_what_is_not_named() {
        case("named", "x y", true, "named");
        case("public:p", "x p y", true, "agent:p");
    }

    #[test]
    fn certificates_come_before_their_keys() {
        case("a+cert", "", false, "a+cert a");
        case("locked:a+cert b", "", false, "b a+cert a");
        case("a+cert", "x a a-cert", false, "agent:a-cert agent:a agent:x");
        case("a", "x a-cert", true, "agent:a-cert a");
    }
}
