//! Offers the keys of files and of the agent to the host, one after the other.

use std::collections::HashSet;
use std::path::Path;

use crate::transport::ssh::auth::agent::Agent;
use crate::transport::ssh::auth::attempts::LoginAttempts;
use crate::transport::ssh::auth::key_file::{KeyFile, Secret};
use crate::transport::ssh::auth::login::{ANSWER_LIMIT, Login, LoginStep, NOT_VERIFIED, REFUSED, USER_LIMIT};
use crate::transport::ssh::auth::order::{Candidate, order, unusable};
use crate::transport::ssh::config::{AuthMethod, Config};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::waiter::CallFailure;

/// The default key files of ssh, in `~/.ssh`.
const DEFAULT_KEYS: [&str; 7] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];

pub struct Keys {
    files: Vec<KeyFile>,
    agent: Option<Agent>,
    candidates: Vec<Candidate>,
    /// Keys that the host accepted for an earlier factor, so that they cannot serve for another.
    spent: HashSet<usize>,
}

impl Keys {
    /// Reads the files and lists the keys of the agent. Notes those that cannot be used.
    pub fn collect(login: &mut Login) -> Result<Self, LoginFailure> {
        let Login { waiter, config, attempts, .. } = login;
        let mut files = Vec::new();
        for path in &config.identities {
            let is_default = is_default(path, Path::new(&config.tokens.home));
            match KeyFile::read(path, is_default) {
                Ok(Some(file)) => files.push(file),
                Ok(None) if is_default => {}
                Ok(None) => attempts.note(format!("`{}`: file not found", path.display())),
                Err(why) => attempts.note(format!("`{}`: {why}", path.display())),
            }
        }
        add_certificates(&mut files, config, attempts);
        leave_out_forbidden(&mut files, config, attempts);
        let agent = match &config.agent {
            None => None,
            // A missing agent is not an error, but one that does not answer is.
            Some(path) => match Agent::open(path, waiter.session, waiter.cancel_token)? {
                Ok(mut agent) => {
                    agent.keys.retain(|held| allow_or_note(&held.key, &held.name(), config, attempts));
                    Some(agent)
                }
                Err(why) => {
                    attempts.note(why);
                    None
                }
            },
        };
        let publics: Vec<PublicKey> =
            agent.iter().flat_map(|agent| &agent.keys).map(|held| held.key.clone()).collect();
        let handles =
            files.iter().filter_map(|file| file.public.as_ref()).filter(|key| key.is_security_key());
        for key in handles.chain(&publics) {
            if let Some(why) = unusable(key) {
                attempts.note(format!("{key}: {why} (`transport = \"openssh\"` will support it)"));
            }
        }
        let candidates = order(&files, &publics, config.identities_only);
        Ok(Self { files, agent, candidates, spent: HashSet::new() })
    }

    /// Offers one key after the other until the host accepts one.
    pub fn offer(&mut self, login: &mut Login) -> Result<LoginStep, LoginFailure> {
        for (i, candidate) in self.candidates.clone().into_iter().enumerate() {
            if self.spent.contains(&i) {
                continue;
            }
            let step = match candidate {
                Candidate::Agent(i) => self.offer_agent_key(i, login)?,
                Candidate::File { file, certificate } => {
                    let file = &self.files[file];
                    offer_file(file, certificate.map(|i| &file.certificates[i]), login)?
                }
            };
            match step {
                LoginStep::Refused => {}
                LoginStep::LoggedIn => return Ok(LoginStep::LoggedIn),
                LoginStep::MoreRequired(methods) => {
                    self.spent.insert(i);
                    return Ok(LoginStep::MoreRequired(methods));
                }
            }
        }
        Ok(LoginStep::Refused)
    }

    fn offer_agent_key(&self, i: usize, login: &mut Login) -> Result<LoginStep, LoginFailure> {
        let Some((agent, held)) = self.agent.as_ref().and_then(|agent| Some((agent, agent.keys.get(i)?)))
        else {
            return Ok(LoginStep::Refused);
        };
        let (config, waiter) = (login.config, login.waiter);
        let result = login.call(USER_LIMIT, || agent.offer(held, &config.user, waiter.cancel_token))?;
        interpret(result, &held.name(), login)
    }
}

/// Interprets the host's answer to a key.
fn interpret(
    result: Result<(), CallFailure>,
    name: &str,
    login: &mut Login,
) -> Result<LoginStep, LoginFailure> {
    let Err(stop) = result else {
        return Ok(LoginStep::LoggedIn);
    };
    let step = match stop.code() {
        Some(REFUSED) => LoginStep::Refused,
        Some(NOT_VERIFIED) => login.after_refusal(AuthMethod::PublicKey)?,
        _ => {
            login.attempts.note(format!("{name}: failed: {stop}"));
            return Ok(LoginStep::Refused);
        }
    };
    let word = match (&step, stop.code()) {
        // The agent may have refused to sign. A wrong signature looks the same as a valid key that is not sufficient.
        (LoginStep::Refused, Some(NOT_VERIFIED)) => {
            "the host knows it, but the signature failed, or the host requires a second key"
        }
        (LoginStep::Refused, _) => "refused",
        _ => "accepted",
    };
    login.attempts.note(format!("{name}: {word}"));
    Ok(step)
}

fn offer_file(
    file: &KeyFile,
    certificate: Option<&PublicKey>,
    login: &mut Login,
) -> Result<LoginStep, LoginFailure> {
    let name = match certificate {
        None => format!("key `{}`", file.path.display()),
        Some(_) => format!("certificate of key `{}`", file.path.display()),
    };
    let public = certificate.or(file.public.as_ref()).map(PublicKey::line);
    match &file.secret {
        Secret::Absent => Ok(LoginStep::Refused),
        Secret::Plain(text) => {
            let result = sign(login, public.as_deref(), text, "")?;
            let step = interpret(result, &name, login)?;
            if let LoginStep::Refused = step {
                login.attempts.refused(&file.path);
            }
            Ok(step)
        }
        Secret::Encrypted(text) => offer_encrypted(file, &name, public.as_deref(), text, login),
    }
}

/// Offers an encrypted key. Does not ask for its passphrase if the host refuses the key.
fn offer_encrypted(
    file: &KeyFile,
    name: &str,
    public: Option<&str>,
    text: &str,
    login: &mut Login,
) -> Result<LoginStep, LoginFailure> {
    if public.is_some() {
        // The empty passphrase is always wrong: the host accepts or refuses the key, then the signature fails.
        let result = sign(login, public, text, "")?;
        if result.as_ref().is_err_and(|stop| stop.code() == Some(REFUSED)) {
            return interpret(result, name, login);
        }
    }
    let question = format!("passphrase for `{}`", file.path.display());
    let mut wrong = None;
    for _ in 0..login.config.n_prompts {
        let Some(passphrase) = login.target.logins.secret(&question, wrong.as_deref()) else {
            login.attempts.locked(&file.path, login.target.logins.prompt().is_some());
            return Ok(LoginStep::Refused);
        };
        let result = sign(login, public, text, &passphrase)?;
        match result.as_ref().err().map(CallFailure::code) {
            None => return Ok(LoginStep::LoggedIn),
            Some(Some(REFUSED)) => return interpret(result, name, login),
            Some(Some(NOT_VERIFIED)) => match login.after_refusal(AuthMethod::PublicKey)? {
                LoginStep::Refused => {}
                step => return Ok(step),
            },
            // Without a public key, libssh2 does not even offer a key that it cannot decrypt.
            Some(_) => {}
        }
        wrong = Some(passphrase);
    }
    login.attempts.note(format!("{name}: wrong passphrase"));
    Ok(LoginStep::Refused)
}

fn sign(
    login: &mut Login,
    public: Option<&str>,
    text: &str,
    passphrase: &str,
) -> Result<Result<(), CallFailure>, LoginFailure> {
    let (session, user) = (login.waiter.session, login.config.user.clone());
    login.call(ANSWER_LIMIT, || session.userauth_pubkey_memory(&user, public, text, Some(passphrase)))
}

fn is_default(path: &Path, home: &Path) -> bool {
    DEFAULT_KEYS.iter().any(|name| home.join(".ssh").join(name) == path)
}

/// Returns whether the configuration allows a key. If not, adds a note with the reason.
fn allow_or_note(key: &PublicKey, name: &str, config: &Config, attempts: &mut LoginAttempts) -> bool {
    let why = config.allowed.forbids(key);
    if let Some(why) = &why {
        attempts.note(format!("{name}: {why}"));
    }
    why.is_none()
}

fn leave_out_forbidden(files: &mut Vec<KeyFile>, config: &Config, attempts: &mut LoginAttempts) {
    files.retain_mut(|file| {
        let name = format!("key `{}`", file.path.display());
        let of_certificate = format!("certificate of {name}");
        file.certificates.retain(|certificate| allow_or_note(certificate, &of_certificate, config, attempts));
        let is_allowed = file.public.as_ref().is_none_or(|key| allow_or_note(key, &name, config, attempts));
        // Its certificate may be of another type.
        is_allowed || !file.certificates.is_empty()
    });
}

/// Adds each certificate of the configuration to the file with its private key.
fn add_certificates(files: &mut [KeyFile], config: &Config, attempts: &mut LoginAttempts) {
    for path in &config.certificates {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let Some((certificate, key)) = PublicKey::from_line(&text)
            .and_then(|certificate| Some((certificate.clone(), certificate.certified()?)))
        else {
            attempts.note(format!("`{}`: failed to read a certificate from it", path.display()));
            continue;
        };
        match files.iter_mut().find(|file| file.public.as_ref() == Some(&key)) {
            Some(file) if file.certificates.contains(&certificate) => {}
            Some(file) => file.certificates.push(certificate),
            None => attempts.note(format!("`{}`: no `IdentityFile` has its private key", path.display())),
        }
    }
}
