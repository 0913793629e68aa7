//! HTTP and HTTPS requests from this machine. Each has its own thread, so that Ctrl-C need not wait for a response.

use std::io::{self, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::http::{self, Uri};
use ureq::tls::{RootCerts, TlsConfig};

use crate::event::{Event, Report};
use crate::here::{Here, NAME, redirect};
use crate::site::RequestOutcome;
use crate::transport::cancel::POLL_INTERVAL;
use crate::web::http::{BODY_MAX, check_size, encoded};
use crate::web::{Response, check_header, check_method};

/// How many redirects to follow at most.
const REDIRECTIONS_MAX: u32 = 5;
/// A request from this machine.
pub struct Fetch {
    /// `https://` or `http://`; it may contain a user and a password.
    pub url: String,
    pub method: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
    /// Whether redirects are followed.
    pub follows: bool,
}

impl Here {
    /// A URL for messages: without user and password. Secrets are masked first: once a secret is cut in two, the rest
    /// of it would be shown.
    fn shown(&self, url: &str) -> String {
        let url = self.mask.masked(url);
        let Some((scheme, rest)) = url.split_once("://") else { return url };
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}{target}")
    }

    /// A request's name in messages.
    pub fn title(&self, fetch: &Fetch) -> String {
        format!("{} {}", fetch.method, self.shown(&fetch.url))
    }

    /// Sends a request, called `title` in messages, and waits for its response. A plan sends it only if `is_safe`.
    pub fn fetch(&self, mut fetch: Fetch, title: &str, is_safe: bool) -> Result<RequestOutcome> {
        let uri = self.uri(&fetch.url)?;
        check_method(&fetch.method)?;
        fetch.headers.iter().try_for_each(|(name, value)| check_header(name, value))?;
        if let Some(credentials) = credentials(&uri) {
            self.mask.add(&credentials);
            if !fetch.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
                fetch.headers.push(("authorization".to_owned(), format!("Basic {credentials}")));
            }
        }
        if !is_safe && self.plans(|| format!("send `{title}`")) {
            return Ok(RequestOutcome::Planned);
        }
        self.events.event(Event::Command { host: NAME.to_owned(), text: title.to_owned() });
        let (began, timeout) = (Instant::now(), fetch.timeout);
        let (sender, receiver) = mpsc::channel();
        let may_cross =
            |(name, value): &(String, String)| redirect::may_cross(name, self.mask.masked(value) != *value);
        let public: Vec<_> = fetch.headers.iter().filter(|header| may_cross(header)).cloned().collect();
        // Fails only if nobody waits any longer.
        let work = move || drop(sender.send(followed(&fetch, &uri, &public, began + timeout)));
        thread::Builder::new().spawn(work).with_context(|| format!("failed to send `{title}`"))?;
        loop {
            if self.cancel_token.is_cancelled() {
                bail!(Report::interrupted());
            }
            let left = timeout.saturating_sub(began.elapsed());
            match receiver.recv_timeout(left.min(POLL_INTERVAL)) {
                Ok(Ok(response)) => {
                    return Ok(RequestOutcome::Answered { response, seconds: began.elapsed().as_secs_f64() });
                }
                Ok(Err(why)) => return Ok(RequestOutcome::Failed(why)),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return Ok(RequestOutcome::Failed(timeout_message(timeout)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("failed to send `{title}`: the HTTP client stopped")
                }
            }
        }
    }

    fn uri(&self, url: &str) -> Result<Uri> {
        let wrong = |why: &str| {
            let shown = self.shown(url);
            anyhow!(
                Report::new(format!("cannot send a request to `{shown}`: {why}"))
                    .hint("use a URL such as `https://example.com/up`")
            )
        };
        if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(wrong("it must begin with `https://` or `http://`"));
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("it contains a space or a control character"));
        }
        let uri: Uri =
            encoded(url).parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(wrong("it has no host"));
        }
        self.mask_target(url, uri.path_and_query().map_or("", |target| target.as_str()));
        Ok(uri)
    }

    /// Masks path and query if they are a part of a secret. Servers repeat the path in their responses. If the secret
    /// is longer than that, as when the whole URL of a webhook is one, masking the secret alone would not hide this
    /// part.
    fn mask_target(&self, url: &str, target: &str) {
        let masked = self.mask.masked(url);
        if masked != url && !masked.contains(&self.mask.masked(target)) {
            self.mask.add(target);
        }
    }
}

/// User and password of a URL, encoded for a header (RFC 7617). The client would not decode them.
fn credentials(uri: &Uri) -> Option<String> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let mut decoded = Vec::new();
    let mut rest = user;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.extend(before.bytes());
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    decoded.extend(rest.bytes());
    if !user.contains(':') {
        decoded.push(b':');
    }
    Some(STANDARD.encode(decoded))
}

/// Follows redirects to the final response. After a redirect to another origin, sends only the `public` headers.
fn followed(
    fetch: &Fetch,
    first: &Uri,
    public: &[(String, String)],
    end: Instant,
) -> Result<Response, String> {
    let (mut uri, mut headers) = (first.clone(), fetch.headers.as_slice());
    for _ in 0..=REDIRECTIONS_MAX {
        let left = end.saturating_duration_since(Instant::now());
        let response = answer(fetch, &uri, headers, left).map_err(|error| reason(error, fetch.timeout))?;
        let is_redirect = fetch.follows && matches!(response.status, 301..=303 | 307 | 308);
        let Some(location) = response.header("location").filter(|_| is_redirect) else {
            return Ok(response);
        };
        let next = redirect::target(&uri, location);
        let next = next.ok_or("the server redirects to an address that is not a valid URL")?;
        if uri.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
            return Err("refused to follow a redirect from https to http".to_owned());
        }
        if redirect::origin(&next) != redirect::origin(&uri) {
            headers = public;
        }
        uri = next;
    }
    Err(format!("stopped after {REDIRECTIONS_MAX} redirects"))
}

fn answer(
    fetch: &Fetch,
    uri: &Uri,
    headers: &[(String, String)],
    timeout: Duration,
) -> Result<Response, ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        // `followed` does: it decides which headers go along.
        .max_redirects(0)
        // Such as PURGE, for caches.
        .allow_non_standard_methods(true)
        .user_agent(concat!("runner/", env!("CARGO_PKG_VERSION")))
        // Trusts the authorities that this machine trusts, such as a company's own.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let mut request = http::Request::builder().method(fetch.method.as_str()).uri(uri);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let has_body = !fetch.body.is_empty() || matches!(fetch.method.as_str(), "POST" | "PUT" | "PATCH");
    let mut response = match has_body {
        true => agent.run(request.body(fetch.body.as_slice())?)?,
        false => agent.run(request.body(())?)?,
    };
    let mut body = Vec::new();
    response.body_mut().as_reader().take(BODY_MAX as u64 + 1).read_to_end(&mut body)?;
    check_size(body.len()).map_err(io::Error::other)?;
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok(Response { status: response.status().as_u16(), headers, body, errors: Vec::new() })
}

fn timeout_message(timeout: Duration) -> String {
    format!("no response within {} s", (timeout.as_secs_f64() * 10.0).round() / 10.0)
}

/// Why there is no response.
fn reason(error: ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => timeout_message(timeout),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_sent_as_they_are_meant() {
        for (url, want) in [
            ("http://a/b@c", None),
            ("http://ann@a/", Some("ann:")),
            ("http://ann:p%40%2fss@a/", Some("ann:p@/ss")),
            ("http://ann:5%@a/", Some("ann:5%")),
            ("http://ann:%zz%c3%A9@a/", Some("ann:%zz\u{e9}")),
        ] {
            let got = credentials(&url.parse().unwrap());
            assert_eq!(got, want.map(|want| STANDARD.encode(want)), "{url}");
        }
    }
}
