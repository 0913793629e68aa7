//! The algorithms and keys that the configuration of ssh allows (ssh_config(5): `Ciphers`, `HostKeyAlgorithms`,
//! `KexAlgorithms`, `MACs`, `PubkeyAcceptedAlgorithms`, `RequiredRSASize`).

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::transport::ssh::config::answers::ConfigAnswers;
use crate::transport::ssh::public_key::{CERTIFICATE, PublicKey};

/// Names that announce extensions, where others name algorithms of a key exchange.
const ANNOUNCEMENTS: [&str; 2] = ["kex-strict-", "ext-info-"];

const OPTIONS: [&str; 5] = ["KexAlgorithms", "HostKeyAlgorithms", "Ciphers", "MACs", OF_USER_KEYS];
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

/// What a configuration allows. An option that has ssh's own default restricts nothing: libssh2 and ssh may be of
/// different years, and each knows which algorithms of its time are safe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    lists: Vec<(&'static str, Vec<String>)>,
    /// In bits; 0 where nothing is required.
    rsa_size: u32,
}

impl Allowed {
    /// `defaults` are the answers of ssh without any configuration.
    pub fn parse(answers: &ConfigAnswers, defaults: &ConfigAnswers) -> Self {
        let lists = OPTIONS.into_iter().filter_map(|option| {
            let answer = |of: &ConfigAnswers| of.get(&option.to_ascii_lowercase()).map(str::to_owned);
            let set = answer(answers).filter(|set| Some(set) != answer(defaults).as_ref())?;
            Some((option, set.split(',').map(str::to_owned).collect()))
        });
        let rsa_size = answers.get("requiredrsasize").and_then(|size| size.parse().ok());
        Self { lists: lists.collect(), rsa_size: rsa_size.unwrap_or_default() }
    }

    fn allows(&self, option: &str, name: &str) -> bool {
        let list = self.lists.iter().find(|(of, _)| *of == option);
        list.is_none_or(|(_, names)| names.iter().any(|allowed| allowed == name))
    }

    /// Those of `names` that an option allows, in their order: that is libssh2's, which puts what it does fastest first.
    fn choose<'a>(&self, option: &str, names: &[&'a str]) -> Result<Vec<&'a str>, Report> {
        let is_announcement = |name: &str| ANNOUNCEMENTS.iter().any(|start| name.starts_with(start));
        let is_meant = |name: &&str| is_announcement(name) || self.allows(option, name);
        let chosen: Vec<&str> = names.iter().copied().filter(is_meant).collect();
        match chosen.iter().all(|name| is_announcement(name)) {
            true => {
                let message =
                    format!("`{option}` in ssh's configuration allows nothing that libssh2 supports");
                Err(Report::new(message).note(format!("libssh2 supports: {}", names.join(", "))))
            }
            false => Ok(chosen),
        }
    }

    /// What to offer to the host: of what libssh2 supports, what is allowed.
    pub fn offered(&self, session: &Session, kind: MethodType) -> Result<Vec<&'static str>, Report> {
        let failed = |error: ssh2::Error| Report::new(error.message().to_owned());
        let supported = session.supported_algs(kind).map_err(failed)?;
        option_of(kind).map_or_else(|| Ok(supported.clone()), |option| self.choose(option, &supported))
    }

    /// Limits what the session offers to the host, but for the types of its key.
    pub fn limit(&self, session: &Session) -> Result<(), Report> {
        let failed = |error: ssh2::Error| Report::new(error.message().to_owned());
        let kinds =
            [MethodType::Kex, MethodType::CryptCs, MethodType::CryptSc, MethodType::MacCs, MethodType::MacSc];
        for kind in kinds {
            session.method_pref(kind, &self.offered(session, kind)?.join(",")).map_err(failed)?;
        }
        Ok(())
    }

    /// Why a key is too weak, if it is.
    pub fn weakness(&self, key: &PublicKey) -> Option<String> {
        let size = key.rsa_size().filter(|size| *size < self.rsa_size)?;
        Some(format!("it has {size} bits, and `RequiredRSASize` is {}", self.rsa_size))
    }

    /// Why a key of the user must not be offered to the host, if that is so.
    pub fn forbids(&self, key: &PublicKey) -> Option<String> {
        if !signatures(key.kind()).iter().any(|name| self.allows(OF_USER_KEYS, name)) {
            return Some(format!("`{OF_USER_KEYS}` in ssh's configuration does not allow it"));
        }
        self.weakness(key)
    }
}

/// The signature algorithms of a type of key. RSA has several (RFC 8332).
fn signatures(kind: &str) -> Vec<String> {
    let hashes = ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"];
    match kind.strip_suffix(CERTIFICATE) {
        Some("ssh-rsa") => hashes.iter().map(|name| format!("{name}{CERTIFICATE}")).collect(),
        None if kind == "ssh-rsa" => hashes.iter().map(|name| (*name).to_owned()).collect(),
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
    fn what_is_set_restricts_and_announcements_stay() {
        case("kexalgorithms l,k\n", "KexAlgorithms", "k ext-info-c");
        case("ciphers b,a\n", "Ciphers", "a ext-info-c");
        case("ciphers a\n", "KexAlgorithms", "new a k ext-info-c");
    }

    #[test]
    fn a_list_without_anything_that_is_supported_is_an_error() {
        case(
            "ciphers b\n",
            "Ciphers",
            "`Ciphers` in ssh's configuration allows nothing that libssh2 supports",
        );
        case("macs x\n", "MACs", "`MACs` in ssh's configuration allows nothing that libssh2 supports");
    }

    #[test]
    fn keys_of_rsa_are_named_by_their_signatures() {
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
