//! A visit: the address that visitors type, requested from the host's own web server as a browser would, and what its
//! response means.

use std::time::Duration;

use anyhow::Result;

use super::expected::Expected;
use super::http::{HttpRequest, Url};
use super::message::Response;
use super::{Address, Protocol, Request};
use crate::event::Report;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The setting `url`, with what `ask` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// As it was given.
    pub text: String,
    pub url: Url,
    /// Where the web server of the host listens.
    pub at: Address,
    /// The host to request, if it is not that of the URL.
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
    pub expected: Expected,
}

impl Visit {
    /// A visit of `url` at the host's own 127.0.0.1, or at the address that the URL has.
    pub fn new(text: &str) -> Result<Self> {
        let url = Url::parse(text)?;
        let at = url.address.clone().of_this_host();
        let text = text.to_owned();
        Ok(Self { text, url, at, host: None, headers: Vec::new(), expected: Expected::Well })
    }

    /// The request of a path, and its name in messages.
    pub fn request(&self, target: &str) -> Result<(Request, String)> {
        let url = Url { target: target.to_owned(), ..self.url.clone() };
        let request = HttpRequest {
            url,
            method: "GET".to_owned(),
            host: self.host.clone(),
            headers: self.headers.clone(),
            body: Vec::new(),
        };
        let title = format!("GET {}", self.shown(target));
        let protocol = Protocol::Http { is_head: false };
        let (to, tls) = (self.at.clone(), request.tls());
        Ok((Request { to, bytes: request.bytes()?, tls, protocol, timeout: TIMEOUT }, title))
    }

    fn shown(&self, target: &str) -> String {
        format!("{}{target}", self.origin())
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        let scheme = if self.url.is_https { "https" } else { "http" };
        match self.text.strip_prefix("http://unix:").and_then(|rest| rest.split(":/").next()) {
            Some(path) => format!("http://unix:{path}:"),
            None => format!("{scheme}://{}", self.url.authority),
        }
    }

    /// The name that is asked for, without a port.
    fn name(&self) -> &str {
        let host = self.host.as_deref().unwrap_or(self.url.name());
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    }

    /// Where a redirect leads: to a path of the same site, or to the origin of another one.
    fn leads(&self, location: &str) -> Destination {
        let Ok(url) = Url::parse(location) else {
            return match location.starts_with('/') && !location.starts_with("//") {
                true => Destination::Here(location.to_owned()),
                false => Destination::Elsewhere(location.to_owned()),
            };
        };
        match url.is_https == self.url.is_https && url.name() == self.name() {
            true => Destination::Here(url.target),
            false => {
                let scheme = if url.is_https { "https" } else { "http" };
                Destination::Elsewhere(format!("{scheme}://{}", url.authority))
            }
        }
    }

    /// The path to request next, if the response redirects within the site. Fails if the response says nothing about the
    /// site: then the settings must change.
    pub fn next(&self, response: &Response) -> Result<Option<String>, Report> {
        let status = response.status;
        if self.expected.names(status) {
            return Ok(None);
        }
        if matches!(status, 401 | 407) {
            return Err(self.not_understood(&format!("returned {status}: it asks for a password")).hint(
                format!(
                    "add `ask = {{ expect = {status} }}` to `[settings]` to accept that, or log in with \
                 `ask = {{ headers = {{ Authorization = \"Basic ...\" }} }}`"
                ),
            ));
        }
        let location = response.header("location").filter(|_| matches!(status, 301..=303 | 307 | 308));
        match location.map(|location| self.leads(location)) {
            None => Ok(None),
            Some(Destination::Here(target)) => Ok(Some(target)),
            Some(Destination::Elsewhere(origin)) => {
                let report = self.not_understood(&format!("returned {status}: it redirects to `{origin}`"));
                let report = match origin.starts_with("https:") && !self.url.is_https {
                    true => report.note(
                        "if a proxy in front of this host terminates TLS, keep `url` and set `ask = { headers = { X-Forwarded-Proto = \"https\" } }`",
                    ),
                    false => report,
                };
                Err(report.hint(format!("set `url = \"{origin}\"`")))
            }
        }
    }

    /// The report that there was no response.
    pub fn no_response(&self, why: &str) -> Report {
        let at = &self.at;
        let report = self.not_understood(&format!("failed: {why}"));
        match why.contains("TLS") {
            true => report.hint(format!("if it speaks plain http, set `url = \"http://{}\"`", self.url.authority)),
            false => report.hint(format!(
                "start the web server that listens on `{at}`, correct `url`, or set where it listens: `ask = {{ at = \"127.0.0.1:8080\" }}`"
            )),
        }
    }

    fn not_understood(&self, what: &str) -> Report {
        let report = Report::new(format!("`GET {}` {what}", self.shown(&self.url.target)));
        report.note(format!("the request was sent to `{}`", self.at))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Destination {
    Here(String),
    Elsewhere(String),
}

/// Whether a response is the content of a file: no program gives a date and a length.
pub fn is_file(response: &Response) -> bool {
    response.status == 200
        && response.header("last-modified").is_some()
        && response.header("content-length").is_some()
}

/// The path below the web root that a request target names, as far as it can be a file.
pub fn file_path(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    let is_plain = |part: &str| part != ".." && !part.contains(['%', '\0', '\n']);
    path.split('/').all(is_plain).then(|| path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(url: &str, status: u16, location: &str, want: &str) {
        let visit = Visit::new(url).unwrap();
        let headers = match location {
            "" => Vec::new(),
            location => vec![("location".to_owned(), location.to_owned())],
        };
        let told = match visit.next(&Response { status, headers, ..Response::default() }) {
            Ok(next) => next.unwrap_or_default(),
            Err(report) => format!("{} | {}", report.message, report.hint.unwrap()),
        };
        assert_eq!(told, want);
    }

    #[test]
    fn a_redirect_within_the_site_is_followed_and_any_other_names_the_setting() {
        let url = "https://shop.example.com";
        case(url, 200, "", "");
        case(url, 302, "/login", "/login");
        case(url, 301, "https://shop.example.com:443/en/", "/en/");
        case(
            url,
            301,
            "https://www.shop.example.com/",
            "`GET https://shop.example.com/` returned 301: it redirects to `https://www.shop.example.com` | \
             set `url = \"https://www.shop.example.com\"`",
        );
        case(
            "http://shop.example.com/a",
            308,
            "https://shop.example.com/a",
            "`GET http://shop.example.com/a` returned 308: it redirects to `https://shop.example.com` | \
             set `url = \"https://shop.example.com\"`",
        );
    }

    #[test]
    fn a_request_target_names_a_file_below_the_web_root() {
        assert_eq!(file_path("/"), Some(String::new()));
        assert_eq!(file_path("/a/b/?c"), Some("a/b".to_owned()));
        assert_eq!(file_path("/../etc"), None);
        assert_eq!(file_path("/%2e"), None);
    }
}
