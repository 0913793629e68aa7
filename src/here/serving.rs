//! What a web server and a service manager are told about a site: lines for nginx and systemd.

use crate::here::recognise::kind::ServedBy;

/// A site, as far as those who serve it must know it.
pub struct ServedSite<'s> {
    pub serving: &'s ServedBy,
    /// The web server's root: `PATH/current`, or below it.
    pub root: &'s str,
    /// `PATH/current`.
    pub current: &'s str,
    pub server_name: &'s str,
    /// The address of PHP-FPM.
    pub fpm: &'s str,
    pub user: &'s str,
    pub application: &'s str,
}

const PHP: &str = r"    index index.php index.html;
    location / { try_files $uri $uri/ /index.php?$query_string; }
    location ~ \.php$ {
        try_files $uri =404;
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;
        fastcgi_param DOCUMENT_ROOT $realpath_root;
        fastcgi_pass FPM;
    }
    location ~ /\.(?!well-known) { deny all; }
";

const PROXY: &str = "{
        proxy_pass http://127.0.0.1:PORT;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
";

/// The lines of a server block of nginx.
pub fn nginx(site: &ServedSite) -> String {
    let root = format!("    root {};\n", quoted(site.root));
    let rest = match site.serving {
        ServedBy::Files { is_single_page } => {
            let last = if *is_single_page { "/index.html" } else { "=404" };
            format!("{root}    index index.html;\n    location / {{ try_files $uri $uri/ {last}; }}\n")
        }
        ServedBy::Php => root + PHP.replace("FPM", &fastcgi_address(site.fpm)).as_str(),
        ServedBy::Process { port, .. } => {
            let proxy = PROXY.replace("PORT", &port.to_string());
            // A root of `PATH/current` itself would only offer the application's code.
            match site.root == site.current {
                true => format!("    location / {proxy}"),
                false => {
                    format!("{root}    location / {{ try_files $uri @app; }}\n    location @app {proxy}")
                }
            }
        }
    };
    format!("server {{\n    listen 80;\n    server_name {};\n{rest}}}\n", site.server_name)
}

fn fastcgi_address(fpm: &str) -> String {
    if fpm.starts_with('/') { format!("unix:{fpm}") } else { fpm.to_owned() }
}

/// A path as a word of nginx.
fn quoted(path: &str) -> String {
    match path.contains([' ', ';', '{', '}', '"', '\'']) {
        true => format!("\"{}\"", path.replace('"', "\\\"")),
        false => path.to_owned(),
    }
}

/// The unit of the service that runs the application, if it listens itself.
pub fn unit(site: &ServedSite) -> Option<String> {
    let ServedBy::Process { port, command, env } = site.serving else { return None };
    let command = match command.strip_prefix(".venv/") {
        Some(rest) => format!("{}/.venv/{rest}", site.current),
        None => format!("/usr/bin/env {command}"),
    };
    Some(format!(
        "[Unit]\nDescription={}\nAfter=network.target\n\n[Service]\nUser={}\nWorkingDirectory={}\n\
         Environment={env} PORT={port}\nExecStart={command}\nRestart=always\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        site.application, site.user, site.current
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn case(serving: &ServedBy, root: &str, want: Expect) {
        let site = ServedSite {
            serving,
            root,
            current: "/srv/my shop/current",
            server_name: "shop.example.com",
            fpm: "/run/php/fpm.sock",
            user: "deploy",
            application: "shop",
        };
        want.assert_eq(&format!("{}{}", nginx(&site), unit(&site).unwrap_or_default()));
    }

    #[test]
    fn a_root_is_current_or_below_it() {
        case(
            &ServedBy::Files { is_single_page: true },
            "/srv/my shop/current",
            expect![[r#"
                server {
                    listen 80;
                    server_name shop.example.com;
                    root "/srv/my shop/current";
                    index index.html;
                    location / { try_files $uri $uri/ /index.html; }
                }
            "#]],
        );
        case(
            &ServedBy::Php,
            "/srv/shop/current/public",
            expect![[r#"
                server {
                    listen 80;
                    server_name shop.example.com;
                    root /srv/shop/current/public;
                    index index.php index.html;
                    location / { try_files $uri $uri/ /index.php?$query_string; }
                    location ~ \.php$ {
                        try_files $uri =404;
                        include fastcgi_params;
                        fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;
                        fastcgi_param DOCUMENT_ROOT $realpath_root;
                        fastcgi_pass unix:/run/php/fpm.sock;
                    }
                    location ~ /\.(?!well-known) { deny all; }
                }
            "#]],
        );
    }

    #[test]
    fn an_application_that_listens_itself_is_passed_requests() {
        let serving =
            ServedBy::Process { port: 3000, command: "npm start".to_owned(), env: "NODE_ENV=production" };
        case(
            &serving,
            "/srv/my shop/current",
            expect![[r#"
                server {
                    listen 80;
                    server_name shop.example.com;
                    location / {
                        proxy_pass http://127.0.0.1:3000;
                        proxy_set_header Host $host;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_set_header X-Forwarded-Proto $scheme;
                    }
                }
                [Unit]
                Description=shop
                After=network.target

                [Service]
                User=deploy
                WorkingDirectory=/srv/my shop/current
                Environment=NODE_ENV=production PORT=3000
                ExecStart=/usr/bin/env npm start
                Restart=always

                [Install]
                WantedBy=multi-user.target
            "#]],
        );
    }
}
