//! The algorithms and keys that the configuration of ssh allows (ssh_config(5): `Ciphers`, `HostKeyAlgorithms`,
//! `KexAlgorithms`, `MACs`, `PubkeyAcceptedAlgorithms`, `RequiredRSASize`).

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::transport::ssh::config::answers::ConfigAnswers;
use crate::transport::ssh::public_key::{CERTIFICATE, PublicKey};

/// Whether a name in the key exchange list announces an extension (RFC 8308) instead of naming an algorithm.
pub fn is_announcement(name: &str) -> bool {
    ["kex-strict-", "ext-info-"].iter().any(|start| name.starts_with(start))
}

const OPTIONS: [&str; 5] = ["KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs", OF_USER_KEYS];
const RSA_SIGNATURES: [&str; 3] = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"];
const OF_USER_KEYS: &str = "PubkeyAcceptedAlgorithms";

/// The option of ssh for a kind of algorithms, if there is one.
fn option_of(kind: MethodType) -> Option<&'static str> {
    match kind {
        MethodType::Kex => Some("KexAlgorithms"),
        MethodType::HostKey => Some("HostKeyAlgorithms"),
        MethodType::CryptCs | MethodType::CryptSc => Some("Ciphers"),
        MethodType::MacCs | MethodType::MacSc => Some("MACs"),
        _ => None,
    }
}

/// What a configuration allows. A list equal to ssh's default restricts nothing, because libssh2 may be newer or older
/// than ssh and has defaults of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    lists: Vec<(&'static str, Vec<String>)>,
    /// The minimum size in bits; 0 if there is none.
    rsa_size: u32,
}

impl Allowed {
    /// `defaults` are the answers of ssh without any configuration.
    pub fn parse(answers: &ConfigAnswers, defaults: &ConfigAnswers) -> Self {
        let lists = OPTIONS.into_iter().filter_map(|option| {
            let answer = |of: &ConfigAnswers| {
                let name = option.to_ascii_lowercase();
                // OpenSSH before 8.5 has another name for one of them.
                let old = if option == OF_USER_KEYS { "pubkeyacceptedkeytypes" } else { &name };
                // An empty list allows nothing.
                of.first(&name).or_else(|| of.first(old)).map(str::to_owned)
            };
            let set = answer(answers).filter(|set| Some(set) != answer(defaults).as_ref())?;
            Some((option, set.split(',').map(str::to_owned).collect()))
        });
        let rsa_size = answers.get("requiredrsasize").and_then(|size| size.parse().ok());
        Self { lists: lists.collect(), rsa_size: rsa_size.unwrap_or_default() }
    }

    /// The option that restricts a kind of algorithms, if it is set.
    pub fn restriction(&self, kind: MethodType) -> Option<&'static str> {
        option_of(kind).filter(|option| self.lists.iter().any(|(of, _)| of == option))
    }

    fn allows(&self, option: &str, name: &str) -> bool {
        let list = self.lists.iter().find(|(of, _)| *of == option);
        list.is_none_or(|(_, names)| names.iter().any(|allowed| allowed == name))
    }

    /// The `names` that an option allows, in libssh2's order, which prefers fast algorithms.
    fn choose<'a>(&self, option: &str, names: &[&'a str]) -> Result<Vec<&'a str>, Report> {
        let is_meant = |name: &&str| is_announcement(name) || self.allows(option, name);
        let chosen: Vec<&str> = names.iter().copied().filter(is_meant).collect();
        match chosen.iter().all(|name| is_announcement(name)) {
            true => {
                let message =
                    format!("`{option}` in ssh's configuration has no algorithm that libssh2 supports");
                Err(Report::new(message)
                    .note(format!("libssh2 supports: {}", names.join(", ")))
                    .hint(format!("add one of these to `{option}` for this host in ~/.ssh/config")))
            }
            false => Ok(chosen),
        }
    }

    /// The algorithms to offer: those that libssh2 supports and the configuration allows.
    pub fn offered(&self, session: &Session, kind: MethodType) -> Result<Vec<&'static str>, Report> {
        let supported = session.supported_algs(kind).map_err(not_chosen)?;
        match option_of(kind) {
            Some(option) => self.choose(option, &supported),
            None => Ok(supported),
        }
    }

    /// Limits the algorithms of the session, except those of host keys: see `HostKeys::prefer`.
    pub fn limit(&self, session: &Session) -> Result<(), Report> {
        let kinds =
            [MethodType::Kex, MethodType::CryptCs, MethodType::CryptSc, MethodType::MacCs, MethodType::MacSc];
        for kind in kinds {
            session.method_pref(kind, &self.offered(session, kind)?.join(",")).map_err(not_chosen)?;
        }
        // How keys of RSA sign. Where none of these is allowed, no key of RSA is offered.
        let hashes: Vec<&str> =
            RSA_SIGNATURES.into_iter().filter(|name| self.allows(OF_USER_KEYS, name)).collect();
        if !hashes.is_empty() && hashes.len() < RSA_SIGNATURES.len() {
            session.method_pref(MethodType::SignAlgo, &hashes.join(",")).map_err(not_chosen)?;
        }
        Ok(())
    }

    /// Why a key is too weak, if it is.
    pub fn weakness(&self, key: &PublicKey) -> Option<String> {
        let size = key.rsa_size().filter(|size| *size < self.rsa_size)?;
        Some(format!("too short: {size} bits, and `RequiredRSASize` is {}", self.rsa_size))
    }

    /// Why a key of the user must not be offered; `None` if it may.
    pub fn forbids(&self, key: &PublicKey) -> Option<String> {
        if !signatures(key.kind()).iter().any(|name| self.allows(OF_USER_KEYS, name)) {
            return Some(format!("not allowed by `{OF_USER_KEYS}` in ssh's configuration"));
        }
        self.weakness(key)
    }
}

/// The error if libssh2 does not take a choice of algorithms.
pub fn not_chosen(error: ssh2::Error) -> Report {
    Report::new(format!("failed to choose algorithms: {}", error.message()))
}

/// The signature algorithms of a type of key. RSA has several (RFC 8332).
fn signatures(kind: &str) -> Vec<String> {
    match kind.strip_suffix(CERTIFICATE) {
        Some("ssh-rsa") => RSA_SIGNATURES.iter().map(|name| format!("{name}{CERTIFICATE}")).collect(),
        None if kind == "ssh-rsa" => RSA_SIGNATURES.iter().map(|name| (*name).to_owned()).collect(),
        _ => vec![kind.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str =
        "ciphers a,b\nmacs m\nkexalgorithms k,l\nhostkeyalgorithms h\nrequiredrsasize 1024\n";

    fn allowed(text: &str) -> Allowed {
        Allowed::parse(&ConfigAnswers::parse(text), &ConfigAnswers::parse(DEFAULTS))
    }

    #[track_caller]
    fn case(text: &str, option: &str, want: &str) {
        let chosen = allowed(text).choose(option, &["new", "a", "k", "ext-info-c"]);
        let shown = chosen.map_or_else(|report| report.message, |names| names.join(" "));
        assert_eq!(shown, want, "{text}");
    }

    #[test]
    fn a_default_restricts_nothing() {
        case(DEFAULTS, "KexAlgorithms", "new a k ext-info-c");
        case(DEFAULTS, "Ciphers", "new a k ext-info-c");
        case("", "KexAlgorithms", "new a k ext-info-c");
    }

    #[test]
    fn a_configured_list_restricts_but_keeps_announcements() {
        case("kexalgorithms l,k\n", "KexAlgorithms", "k ext-info-c");
        case("ciphers b,a\n", "Ciphers", "a ext-info-c");
        case("ciphers a\n", "KexAlgorithms", "new a k ext-info-c");
    }

    #[test]
    fn a_list_without_anything_that_is_supported_is_an_error() {
        case(
            "ciphers b\n",
            "Ciphers",
            "`Ciphers` in ssh's configuration has no algorithm that libssh2 supports",
        );
        case("macs x\n", "MACs", "`MACs` in ssh's configuration has no algorithm that libssh2 supports");
    }

    #[test]
    fn rsa_keys_match_by_signature_algorithm() {
        #[track_caller]
        fn case(list: &str, kind: &str, want: bool) {
            let allowed = allowed(&format!("pubkeyacceptedalgorithms {list}\n"));
            let is_allowed = signatures(kind).iter().any(|name| allowed.allows(OF_USER_KEYS, name));
            assert_eq!(is_allowed, want, "{list} {kind}");
        }
        case("ssh-ed25519", "ssh-rsa", false);
        case("rsa-sha2-256", "ssh-rsa", true);
        case("rsa-sha2-256", "ssh-rsa-cert-v01@openssh.com", false);
        case("rsa-sha2-512-cert-v01@openssh.com", "ssh-rsa-cert-v01@openssh.com", true);
        case("ssh-ed25519", "ssh-ed25519", true);
        case("ssh-ed25519", "ecdsa-sha2-nistp256", false);
    }
}
