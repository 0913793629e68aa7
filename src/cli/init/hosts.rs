//! The answer to the question for hosts.

use crate::here::proposed::{ProposedHost, ProposedPlace};
use crate::host::inventory::address::{HostAddress, with_port};

/// The address that means this machine.
pub const HERE: &str = "localhost";

/// Where to deploy.
pub enum Hosts {
    Here,
    /// `user`: the one that all addresses name.
    Servers {
        hosts: Vec<ProposedHost>,
        user: Option<String>,
    },
}

impl Hosts {
    pub fn of(place: &ProposedPlace) -> Self {
        match place {
            ProposedPlace::Here { .. } => Self::Here,
            ProposedPlace::Servers { hosts, user, .. } => {
                Self::Servers { hosts: hosts.clone(), user: user.clone() }
            }
        }
    }

    pub fn place(self, path: String, user: Option<String>) -> ProposedPlace {
        match self {
            Self::Here => ProposedPlace::Here { path },
            Self::Servers { hosts, user: named } => {
                ProposedPlace::Servers { path, user: named.or(user), hosts }
            }
        }
    }
}

/// Reads addresses, separated by blanks or commas. An error is a complete message.
pub fn hosts(text: &str) -> Result<Hosts, String> {
    let words: Vec<&str> = text.split([' ', ',', '\t']).filter(|word| !word.is_empty()).collect();
    if words == [HERE] {
        return Ok(Hosts::Here);
    }
    if words.contains(&HERE) {
        return Err(format!("`{HERE}` means this machine, and cannot be one of several hosts"));
    }
    if words.is_empty() {
        return Err(format!("an address is needed, such as `web1.example.com`; `{HERE}` is this machine"));
    }
    let parsed = words.iter().map(|word| HostAddress::parse(word)).collect::<Result<Vec<_>, _>>()?;
    let first = parsed[0].user.clone();
    let user = first.filter(|user| parsed.iter().all(|host| host.user.as_ref() == Some(user)));
    let host = |host: HostAddress| ProposedHost {
        address: host.port.map_or_else(|| host.name.clone(), |port| with_port(&host.name, port)),
        user: host.user.filter(|own| user.as_ref() != Some(own)),
        ..ProposedHost::default()
    };
    let hosts = parsed.into_iter().map(host).collect();
    Ok(Hosts::Servers { hosts, user })
}

/// As the question for hosts reads them.
pub fn addresses(place: &ProposedPlace) -> String {
    match place {
        ProposedPlace::Here { .. } => HERE.to_owned(),
        ProposedPlace::Servers { hosts, .. } => {
            hosts.iter().map(|host| host.address.as_str()).collect::<Vec<_>>().join(" ")
        }
    }
}

pub fn same(hosts: &Hosts, known: &[ProposedHost]) -> bool {
    let Hosts::Servers { hosts, .. } = hosts else { return false };
    hosts.iter().map(|host| &host.address).eq(known.iter().map(|host| &host.address))
}
