//! Which directories web servers serve, and under which names, according to their configurations.

/// A server block of nginx, or a virtual host of Apache.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServedRoot {
    /// `nginx`, `Apache`
    pub server: &'static str,
    /// The file that says so.
    pub file: String,
    pub names: Vec<String>,
    pub root: String,
    pub is_tls: bool,
    /// The address of PHP-FPM.
    pub fpm: Option<String>,
}

impl ServedRoot {
    /// What visitors type: by its first name that is one.
    pub fn url(&self) -> Option<String> {
        let is_name = |name: &&String| {
            !matches!(name.as_str(), "_" | "localhost")
                && !name.starts_with(['*', '~', '.'])
                && !name.contains('$')
        };
        let name = self.names.iter().find(is_name)?;
        Some(format!("{}://{name}", if self.is_tls { "https" } else { "http" }))
    }
}

/// The server blocks of nginx that have a root.
pub fn nginx(file: &str, text: &str) -> Vec<ServedRoot> {
    let mut found = Vec::new();
    let mut block: Option<(usize, ServedRoot)> = None;
    let mut depth = 0_usize;
    let mut words: Vec<String> = Vec::new();
    for word in nginx_words(text) {
        match word.as_str() {
            "{" => {
                depth += 1;
                if block.is_none() && words == ["server"] {
                    block = Some((depth, new("nginx", file)));
                }
                words.clear();
            }
            "}" => {
                if let Some((_, served)) = block.take_if(|(level, _)| *level == depth) {
                    found.push(served);
                }
                depth = depth.saturating_sub(1);
                words.clear();
            }
            ";" => {
                if let Some((level, served)) = &mut block {
                    directive(served, &words, *level == depth);
                }
                words.clear();
            }
            _ => words.push(word),
        }
    }
    found.retain(|served| !served.root.is_empty());
    found
}

fn new(server: &'static str, file: &str) -> ServedRoot {
    ServedRoot { server, file: file.to_owned(), ..ServedRoot::default() }
}

/// `is_own`: directly in the server block, not in a location.
fn directive(served: &mut ServedRoot, words: &[String], is_own: bool) {
    let Some((name, values)) = words.split_first() else { return };
    let first = values.first().cloned().unwrap_or_default();
    match name.as_str() {
        "root" if is_own => served.root = first.trim_end_matches('/').to_owned(),
        "server_name" if is_own => served.names.extend(values.iter().cloned()),
        "listen" if is_own => {
            served.is_tls |= first.ends_with("443") || values.iter().any(|value| value == "ssl");
        }
        "fastcgi_pass" => served.fpm = Some(first.strip_prefix("unix:").unwrap_or(&first).to_owned()),
        _ => {}
    }
}

/// Words, quoted or not, and the signs `{`, `}` and `;`.
fn nginx_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            '#' if word.is_empty() => drop(letters.by_ref().find(|c| *c == '\n')),
            '"' | '\'' if word.is_empty() => word.extend(letters.by_ref().take_while(|other| *other != c)),
            // A variable: `${name}`.
            '{' if word.ends_with('$') => {
                word.push('{');
                word.extend(letters.by_ref().take_while(|c| *c != '}'));
                word.push('}');
            }
            '{' | '}' | ';' => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(c.to_string());
            }
            c if c.is_whitespace() => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            c => word.push(c),
        }
    }
    words
}

/// The virtual hosts of Apache that have a root.
pub fn apache(file: &str, text: &str) -> Vec<ServedRoot> {
    let mut found = Vec::new();
    let mut host: Option<ServedRoot> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '>']).to_owned());
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let mut values = words;
        match (name.as_str(), &mut host) {
            ("<virtualhost", _) => {
                let is_tls = values.any(|address| address.ends_with(":443"));
                host = Some(ServedRoot { is_tls, ..new("Apache", file) });
            }
            ("</virtualhost", _) => found.extend(host.take()),
            ("servername" | "serveralias", Some(served)) => served.names.extend(values),
            ("documentroot", Some(served)) => {
                served.root = values.next().unwrap_or_default().trim_end_matches('/').to_owned();
            }
            ("sslengine", Some(served)) => {
                served.is_tls |= values.next().is_some_and(|value| value.eq_ignore_ascii_case("on"))
            }
            _ => {}
        }
    }
    found.retain(|served| !served.root.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(all: &[ServedRoot]) -> Vec<String> {
        let shown = |served: &ServedRoot| {
            format!("{} {} {:?} {:?}", served.server, served.root, served.url(), served.fpm)
        };
        all.iter().map(shown).collect()
    }

    #[test]
    fn the_roots_of_nginx_are_those_of_its_server_blocks() {
        let text = r#"
            # server { root /no; }
            upstream php { server unix:/run/x.sock; }
            server { listen 80; server_name shop.example.com www.shop.example.com; return 301 https://$host$request_uri; }
            server {
                listen [::]:443 ssl http2; server_name _ *.shop.example.com shop.example.com;
                root "/var/www/shop/current/public/";
                location ~ "^/x{2}\.php$" { root /other; fastcgi_pass unix:/run/php/php8.2-fpm.sock; }
                set $a "${b};}";
            }
            server { root /var/www/html; }
        "#;
        assert_eq!(
            shown(&nginx("f", text)),
            [
                "nginx /var/www/shop/current/public Some(\"https://shop.example.com\") Some(\"/run/php/php8.2-fpm.sock\")",
                "nginx /var/www/html None None",
            ]
        );
    }

    #[test]
    fn the_roots_of_apache_are_those_of_its_virtual_hosts() {
        let text = "<VirtualHost *:443>\n  ServerName shop.example.com\n  DocumentRoot \"/var/www/shop/current\"\n  \
                    # DocumentRoot /no\n</VirtualHost>\n<VirtualHost *:80>\nServerName x\n</VirtualHost>\n";
        let want = ["Apache /var/www/shop/current Some(\"https://shop.example.com\") None"];
        assert_eq!(shown(&apache("f", text)), want);
    }
}
