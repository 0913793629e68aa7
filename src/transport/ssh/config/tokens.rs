//! Replaces `~`, `%h` and `${VAR}` in paths and commands, which `ssh -G` does not (ssh_config(5), TOKENS).

use std::path::PathBuf;

/// The values of the tokens.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// `%d`, and `~`.
    pub home: String,
    /// `%u`
    pub local_user: String,
    /// `%l`
    pub local_host: String,
    /// `%L`
    pub local_host_short: String,
    /// `%h`
    pub host: String,
    /// `%n`: the host name as it was given.
    pub original_host: String,
    /// `%k`
    pub alias: String,
    /// `%p`
    pub port: String,
    /// `%r`
    pub user: String,
}

impl Tokens {
    /// Replaces tokens such as `%h`. Unknown ones stay as they are.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match rest.next() {
                Some('%') => out.push('%'),
                Some('d') => out.push_str(&self.home),
                Some('u') => out.push_str(&self.local_user),
                Some('l') => out.push_str(&self.local_host),
                Some('L') => out.push_str(&self.local_host_short),
                Some('h') => out.push_str(&self.host),
                Some('n') => out.push_str(&self.original_host),
                Some('k') => out.push_str(&self.alias),
                Some('p') => out.push_str(&self.port),
                Some('r') => out.push_str(&self.user),
                other => {
                    out.push('%');
                    out.extend(other);
                }
            }
        }
        out
    }

    /// Expands a path: first `~`, then tokens, then `${VAR}` with values from `env`.
    pub fn path(&self, text: &str, env: impl Fn(&str) -> Option<String>) -> PathBuf {
        let text = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("%d{rest}"),
            _ => text.to_owned(),
        };
        PathBuf::from(variables(&self.expand(&text), env))
    }
}

/// Replaces `${VAR}`. An unset variable stays in the path, so that the file will not be found.
fn variables(text: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            break;
        };
        match env(name) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(text: &str, want: &str) {
        let tokens = Tokens {
            home: "/home/ann".to_owned(),
            local_user: "ann".to_owned(),
            local_host: "desk.lan".to_owned(),
            local_host_short: "desk".to_owned(),
            host: "web1.example.com".to_owned(),
            original_host: "web1".to_owned(),
            alias: "ali".to_owned(),
            port: "2222".to_owned(),
            user: "deploy".to_owned(),
        };
        let env = |name: &str| (name == "KEYS").then(|| "/keys".to_owned());
        assert_eq!(tokens.path(text, env), PathBuf::from(want), "{text}");
    }

    #[test]
    fn tilde_tokens_and_variables_are_replaced() {
        case("~", "/home/ann");
        case("~/.ssh/%h_%r", "/home/ann/.ssh/web1.example.com_deploy");
        case("~bob/key", "~bob/key");
        case("%d/%u@%n:%p", "/home/ann/ann@web1:2222");
        case("%l %L %k", "desk.lan desk ali");
        case("100%% %y %", "100% %y %");
        case("${KEYS}/a${KEYS}", "/keys/a/keys");
        case("${NONE}/a", "${NONE}/a");
        case("${KEYS", "${KEYS");
    }
}
