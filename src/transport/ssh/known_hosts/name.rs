//! The name of a host in `known_hosts` files.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownName {
    /// `web1`, or `[web1]:2222`; in lower case.
    pub name: String,
    /// The name without its port, if that is not 22.
    pub portless: Option<String>,
}

impl KnownName {
    pub fn of(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        match port {
            22 => Self { name: host, portless: None },
            _ => Self { name: format!("[{host}]:{port}"), portless: Some(host) },
        }
    }

    /// A `HostKeyAlias`, which has no port.
    pub fn alias(alias: &str) -> Self {
        Self { name: alias.to_ascii_lowercase(), portless: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_port_is_part_of_the_name() {
        let case = |name: KnownName| format!("{} {:?}", name.name, name.portless);
        assert_eq!(case(KnownName::of("Web1", 22)), "web1 None");
        assert_eq!(case(KnownName::of("Web1", 2222)), "[web1]:2222 Some(\"web1\")");
        assert_eq!(case(KnownName::of("::1", 2222)), "[::1]:2222 Some(\"::1\")");
        assert_eq!(case(KnownName::alias("Ali")), "ali None");
    }
}
