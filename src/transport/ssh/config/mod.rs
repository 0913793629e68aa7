//! The ssh configuration of a host. It comes from `ssh -G`, so that Include, Match and the rest mean the same as for
//! ssh.

pub mod allowed;
mod answers;
mod ask;
mod tokens;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::event::report::Report;
use crate::transport::CancelToken;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::config::allowed::Allowed;
use crate::transport::ssh::config::answers::ConfigAnswers;
use crate::transport::ssh::config::ask::{ask, defaults};
pub use crate::transport::ssh::config::tokens::Tokens;
use crate::transport::ssh::failure::LoginFailure;

/// How to reach the host's sshd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Direct,
    /// Through these hosts, one after the other: `a,b`.
    Jump(String),
    /// Through a process whose standard input and output are the connection.
    Command(String),
}

/// An authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    PublicKey,
    KeyboardInteractive,
    Password,
}

impl AuthMethod {
    pub const ALL: [AuthMethod; 3] =
        [AuthMethod::PublicKey, AuthMethod::KeyboardInteractive, AuthMethod::Password];

    /// Its name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthMethod::PublicKey => "publickey",
            AuthMethod::KeyboardInteractive => "keyboard-interactive",
            AuthMethod::Password => "password",
        }
    }
}

/// The complete configuration of a host.
#[derive(Debug, Clone)]
pub struct Config {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub route: Route,
    /// The time limit for an address to answer, and for the handshake.
    pub connect_timeout: Option<Duration>,
    /// How long a host may be silent.
    pub silence: Option<Duration>,
    pub family: Family,
    /// The local address to connect from (`BindAddress`).
    pub bind_address: Option<IpAddr>,
    /// The name of the host in `known_hosts`, instead of its host name and port.
    pub host_key_alias: Option<String>,
    /// New hosts are added to the first file.
    pub user_known_hosts: Vec<PathBuf>,
    pub global_known_hosts: Vec<PathBuf>,
    pub revoked_host_keys: Option<PathBuf>,
    pub unknown_keys: UnknownKeys,
    pub hash_known_hosts: bool,
    pub allowed: Allowed,
    /// Key files. Some may not exist.
    pub identities: Vec<PathBuf>,
    pub certificates: Vec<PathBuf>,
    /// Use only those keys of the agent that are in `identities`.
    pub identities_only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
    /// In the order in which to try them.
    pub methods: Vec<AuthMethod>,
    /// How often to ask for a secret.
    pub n_prompts: u32,
    pub tokens: Tokens,
}

/// What to do with the key of a host of which no key is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownKeys {
    Refuse,
    /// Asks if there is a terminal, and refuses otherwise.
    Ask,
    Accept,
}

/// The IP versions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Any,
    V4,
    V6,
}

impl Config {
    pub fn of(target: &SshTarget, cancel_token: &CancelToken) -> Result<Self, LoginFailure> {
        let env = |name: &str| std::env::var(name).ok();
        let text = ask(target, cancel_token)?;
        Self::parse(&text, defaults(), target, &env).map_err(LoginFailure::Final)
    }

    /// Parses the output of `ssh -G`. `defaults` is its output without any configuration.
    pub fn parse(
        text: &str,
        defaults: &str,
        target: &SshTarget,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Report> {
        let answers = ConfigAnswers::parse(text);
        let host = answers.get("hostname").unwrap_or(&target.address).to_ascii_lowercase();
        let port = answers.get("port").and_then(|port| port.parse().ok()).or(target.port).unwrap_or(22);
        let unsupported = ["ProxyUseFdpass", "BindInterface"].into_iter().find(|name| {
            answers.get(&name.to_ascii_lowercase()).is_some_and(|value| !matches!(value, "no" | "false"))
        });
        if let Some(name) = unsupported {
            return Err(Report::new(format!("`{}` uses `{name}`, which is not supported", target.address)));
        }
        let local_user = || env("LOGNAME").or_else(|| env("USER"));
        let user = answers.get("user").map(str::to_owned).or_else(|| target.user.clone()).or_else(local_user);
        let user = user.ok_or_else(|| {
            Report::new(format!("no user name to log in to `{host}` with"))
                .hint("set one in runner.toml, such as `user = \"deploy\"`")
        })?;
        let alias = answers.get("hostkeyalias").map(str::to_owned);
        let tokens = Tokens {
            host: host.clone(),
            original_host: target.address.clone(),
            alias: alias.clone().unwrap_or_else(|| host.clone()),
            port: port.to_string(),
            user: user.clone(),
            ..revealed(&answers, env)
        };
        let path = |text: &str| tokens.path(text, env);
        let paths = |name| answers.paths(name).iter().map(|text| path(text)).collect();
        Ok(Self {
            route: route(&answers, &tokens),
            connect_timeout: answers.get("connecttimeout").and_then(seconds),
            silence: silence(&answers),
            family: family(&answers),
            bind_address: bind_address(&answers)?,
            allowed: Allowed::parse(&answers, &ConfigAnswers::parse(defaults)),
            user_known_hosts: paths("userknownhostsfile"),
            global_known_hosts: paths("globalknownhostsfile"),
            revoked_host_keys: answers.get("revokedhostkeys").map(path),
            unknown_keys: unknown_keys(&answers, target.accept_new),
            hash_known_hosts: answers.is("hashknownhosts", false),
            identities: answers.all("identityfile").map(path).collect(),
            certificates: answers.all("certificatefile").map(path).collect(),
            identities_only: answers.is("identitiesonly", false),
            agent: agent(&answers, &tokens, env),
            methods: methods(&answers),
            n_prompts: answers.get("numberofpasswordprompts").and_then(|n| n.parse().ok()).unwrap_or(3),
            host_key_alias: alias,
            host,
            port,
            user,
            tokens,
        })
    }

    /// The name of the host in messages.
    pub fn place(&self) -> String {
        format!("{} port {}", self.host, self.port)
    }
}

/// The tokens that `ControlPath` reveals. Old versions print it without replacing tokens.
fn revealed(answers: &ConfigAnswers, env: &dyn Fn(&str) -> Option<String>) -> Tokens {
    let path = answers.get("controlpath").filter(|path| path.starts_with('/')).unwrap_or_default();
    let mut parts = path.rsplitn(4, '/').map(str::to_owned);
    let (short, host, user) = (parts.next(), parts.next(), parts.next());
    Tokens {
        home: parts.next().or_else(|| env("HOME")).unwrap_or_default(),
        local_user: user.or_else(|| env("LOGNAME")).unwrap_or_default(),
        local_host: host.unwrap_or_default(),
        local_host_short: short.unwrap_or_default(),
        ..Tokens::default()
    }
}

fn route(answers: &ConfigAnswers, tokens: &Tokens) -> Route {
    match (answers.get("proxyjump"), answers.get("proxycommand")) {
        (Some(jump), _) => Route::Jump(jump.to_owned()),
        (None, Some(command)) => Route::Command(tokens.expand(command)),
        (None, None) => Route::Direct,
    }
}

/// `IdentityAgent` may name the variable that holds the socket's path.
fn agent(answers: &ConfigAnswers, tokens: &Tokens, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let socket = |name| env(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    match answers.get("identityagent") {
        None if answers.is_none("identityagent") => None,
        None | Some("SSH_AUTH_SOCK") => socket("SSH_AUTH_SOCK"),
        Some(name) if name.starts_with('$') && !name.starts_with("${") => socket(&name[1..]),
        Some(path) => Some(tokens.path(path, env)),
    }
}

fn methods(answers: &ConfigAnswers) -> Vec<AuthMethod> {
    let is_on = |method: &AuthMethod| match method {
        AuthMethod::PublicKey => answers.is("pubkeyauthentication", true),
        AuthMethod::KeyboardInteractive => answers.is("kbdinteractiveauthentication", true),
        AuthMethod::Password => answers.is("passwordauthentication", true),
    };
    let named = |name: &str| AuthMethod::ALL.into_iter().find(|method| method.as_str() == name.trim());
    let methods = match answers.get("preferredauthentications") {
        None if answers.is_none("preferredauthentications") => Vec::new(),
        None => AuthMethod::ALL.to_vec(),
        Some(names) => names.split(',').filter_map(named).collect(),
    };
    methods.into_iter().filter(is_on).collect()
}

fn family(answers: &ConfigAnswers) -> Family {
    match answers.get("addressfamily") {
        Some("inet") => Family::V4,
        Some("inet6") => Family::V6,
        _ => Family::Any,
    }
}

fn bind_address(answers: &ConfigAnswers) -> Result<Option<IpAddr>, Report> {
    let Some(text) = answers.get("bindaddress") else { return Ok(None) };
    let wrong = |_| {
        Report::new(format!("`BindAddress` in ssh's configuration must be an IP address, not `{text}`"))
            .hint(format!("use the address of `{text}`"))
    };
    text.parse().map(Some).map_err(wrong)
}

/// Respects `StrictHostKeyChecking no` as far as that is safe: a changed key is refused nevertheless.
fn unknown_keys(answers: &ConfigAnswers, accept_new: bool) -> UnknownKeys {
    match answers.get("stricthostkeychecking") {
        _ if accept_new => UnknownKeys::Accept,
        Some("accept-new" | "no" | "false" | "off") => UnknownKeys::Accept,
        Some("yes" | "true") => UnknownKeys::Refuse,
        _ => UnknownKeys::Ask,
    }
}

/// The limit for silence: ssh hangs up after this many keepalive requests without an answer, one per interval.
fn silence(answers: &ConfigAnswers) -> Option<Duration> {
    let interval = answers.get("serveraliveinterval").and_then(seconds)?;
    let n = answers.get("serveralivecountmax").and_then(|n| n.parse().ok()).unwrap_or(3);
    interval.checked_mul(n)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|n| *n > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let env = |name: &str| match name {
            "SSH_AUTH_SOCK" => Some("/run/agent".to_owned()),
            "LOGNAME" => Some("ann".to_owned()),
            "HOME" => Some("/home/ann".to_owned()),
            "SOCK" => Some("/run/other".to_owned()),
            _ => None,
        };
        Config::parse(text, "", &SshTarget::new("web1", "web1"), &env).unwrap()
    }

    #[test]
    fn what_ssh_prints_is_understood() {
        let config = config(
            "user deploy\nhostname Web1.example.com\nport 2222\ncontrolpath /root/home/root/desk.lan/desk\n\
             identityfile ~/.ssh/%h_%r\nidentityfile /key\ncertificatefile %d/c-cert.pub\nidentitiesonly yes\n\
             userknownhostsfile /root/kh /root/k h2\nglobalknownhostsfile /etc/kh\nstricthostkeychecking accept-new\n\
             connecttimeout 7\nserveraliveinterval 5\nserveralivecountmax 4\naddressfamily inet6\nhostkeyalias ali\nproxycommand nc -X %h %p %%\n\
             preferredauthentications password,gssapi-with-mic,publickey\nnumberofpasswordprompts 1\n\
             hashknownhosts yes\nrevokedhostkeys ~/revoked\n",
        );
        expect_test::expect![[r#"
            Config {
                host: "web1.example.com",
                port: 2222,
                user: "deploy",
                route: Command(
                    "nc -X web1.example.com 2222 %",
                ),
                connect_timeout: Some(
                    7s,
                ),
                silence: Some(
                    20s,
                ),
                family: V6,
                bind_address: None,
                host_key_alias: Some(
                    "ali",
                ),
                user_known_hosts: [
                    "/root/kh",
                    "/root/k h2",
                ],
                global_known_hosts: [
                    "/etc/kh",
                ],
                revoked_host_keys: Some(
                    "/root/home/revoked",
                ),
                unknown_keys: Accept,
                hash_known_hosts: true,
                allowed: Allowed {
                    lists: [],
                    rsa_size: 0,
                },
                identities: [
                    "/root/home/.ssh/web1.example.com_deploy",
                    "/key",
                ],
                certificates: [
                    "/root/home/c-cert.pub",
                ],
                identities_only: true,
                agent: Some(
                    "/run/agent",
                ),
                methods: [
                    Password,
                    PublicKey,
                ],
                n_prompts: 1,
                tokens: Tokens {
                    home: "/root/home",
                    local_user: "root",
                    local_host: "desk.lan",
                    local_host_short: "desk",
                    host: "web1.example.com",
                    original_host: "web1",
                    alias: "ali",
                    port: "2222",
                    user: "deploy",
                },
            }
        "#]]
        .assert_debug_eq(&config);
    }

    #[test]
    fn without_ssh_the_defaults_hold() {
        let config = config(ask::DEFAULTS);
        assert_eq!((config.host.as_str(), config.port, config.user.as_str()), ("web1", 22, "ann"));
        assert_eq!(config.identities[2], PathBuf::from("/home/ann/.ssh/id_ed25519"));
        assert_eq!(config.user_known_hosts[0], PathBuf::from("/home/ann/.ssh/known_hosts"));
        assert_eq!(config.methods, AuthMethod::ALL);
        assert_eq!(config.unknown_keys, UnknownKeys::Ask);
    }

    #[test]
    fn the_agent_may_be_named_in_several_ways() {
        #[track_caller]
        fn case(line: &str, want: Option<&str>) {
            assert_eq!(config(line).agent, want.map(PathBuf::from), "{line}");
        }
        case("", Some("/run/agent"));
        case("identityagent none", None);
        case("identityagent SSH_AUTH_SOCK", Some("/run/agent"));
        case("identityagent $SOCK", Some("/run/other"));
        case("identityagent $UNSET", None);
        case("identityagent ~/agent", Some("/home/ann/agent"));
    }

    #[test]
    fn the_route_is_direct_unless_said_otherwise() {
        #[track_caller]
        fn case(text: &str, want: Route) {
            assert_eq!(config(text).route, want, "{text}");
        }
        case("", Route::Direct);
        case("proxycommand none\nproxyjump none\n", Route::Direct);
        case("proxyjump a,b@c:1\n", Route::Jump("a,b@c:1".to_owned()));
    }
}
