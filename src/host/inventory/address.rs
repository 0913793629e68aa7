//! Addresses as users write them: `addr`, `addr:port`, `user@addr:port`, `[::1]:22`.

/// The parts of an address, as far as it contains them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAddress {
    pub user: Option<String>,
    /// Without the brackets of an IPv6 address.
    pub name: String,
    pub port: Option<u16>,
}

const FORMS: &str = "`name`, `name:port`, `user@name:port` or `[IPv6]:port`";

impl HostAddress {
    /// An error is a complete message.
    pub fn parse(text: &str) -> Result<Self, String> {
        // A user name can contain an `@`, an address cannot.
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        if user.is_some_and(|user| !is_plain(user)) {
            return Err(format!("no user name before the `@` in `{text}`"));
        }
        let no_address = || format!("`{text}` is not an address ({FORMS})");
        if !is_plain(rest) || rest.contains('/') {
            return Err(no_address());
        }
        let (name, port) = split_port(rest).ok_or_else(no_address)?;
        if !is_plain(name) || name.contains(['[', ']']) {
            return Err(no_address());
        }
        Ok(Self {
            user: user.map(str::to_owned),
            name: name.to_owned(),
            port: port.map(parse_port).transpose()?,
        })
    }
}

/// Whether a word is a safe argument of `ssh`: not an option, and without white space.
pub fn is_plain(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('-')
        && !word.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The address with its port, as users write it.
pub fn with_port(name: &str, port: u16) -> String {
    if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") }
}

/// Splits name and port; `None` if a bracket is not closed, or something else than a port follows it.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (name, after) = rest.split_once(']')?;
        return match after.strip_prefix(':') {
            Some(port) => Some((name, Some(port))),
            None => after.is_empty().then_some((name, None)),
        };
    }
    Some(match text.split_once(':') {
        // With several colons, it is an IPv6 address without brackets.
        Some((_, port)) if port.contains(':') => (text, None),
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    })
}

fn parse_port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| format!("the port must be a whole number from 1 to 65535, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(text: &str, want: &str) {
        let got = match HostAddress::parse(text) {
            Ok(HostAddress { user, name, port }) => {
                let port = port.map_or(String::new(), |port| port.to_string());
                format!("{}|{name}|{port}", user.unwrap_or_default())
            }
            Err(problem) => problem,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn addresses_are_read_in_all_the_forms_people_write() {
        case("web1.example.com", "|web1.example.com|");
        case("web1:2222", "|web1|2222");
        case("deploy@web1:2222", "deploy|web1|2222");
        case("me@corp@web1", "me@corp|web1|");
        case("10.0.0.9", "|10.0.0.9|");
        case("[::1]:22", "|::1|22");
        case("[::1]", "|::1|");
        case("::1", "|::1|");
        case("me@[fe80::1%eth0]:22", "me|fe80::1%eth0|22");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        case("web1:http", "the port must be a whole number from 1 to 65535, not `http`");
        case("web1:0", "the port must be a whole number from 1 to 65535, not `0`");
        case("web1:", "the port must be a whole number from 1 to 65535, not ``");
        case("@web1", "no user name before the `@` in `@web1`");
        case("-oProxyCommand=x@web1", "no user name before the `@` in `-oProxyCommand=x@web1`");
        for text in
            ["", "-oProxyCommand=x", "two words", ":22", "me@", "ssh://web1", "[]", "[::1", "[::1]22", "a]"]
        {
            case(text, &format!("`{text}` is not an address ({FORMS})"));
        }
    }

    #[test]
    fn an_ipv6_address_gets_brackets_before_its_port() {
        assert_eq!(with_port("web1", 22), "web1:22");
        assert_eq!(with_port("::1", 22), "[::1]:22");
    }
}
