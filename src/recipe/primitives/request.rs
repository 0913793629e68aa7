//! The options of a request to an application, and which responses are good.

use std::time::Duration;

use rhai::{Dynamic, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::context::Context;
use crate::recipe::failure::{ScriptResult, mistake, mistake_text};
use crate::recipe::value::{text_of, to_json, type_name};
use crate::recipe::visit::{expected, pairs};
use crate::site::RequestOutcome;
use crate::web::{Expected, Response};

/// The time limit of a request without the option `timeout`.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer lines of a response are not shown.
const LINE_MAX: usize = 400;

/// The parts of a request that all protocols have, and options of some.
pub(super) struct RequestOptions {
    pub(super) at: Option<String>,
    pub(super) host: Option<String>,
    pub(super) method: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Duration,
    pub(super) expected: Expected,
    pub(super) path: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) is_https: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            at: None,
            host: None,
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            expected: Expected::Well,
            path: "/".to_owned(),
            params: Vec::new(),
            is_https: false,
        }
    }
}

impl RequestOptions {
    pub(super) fn read(context: &Context, mut options: Map, known: &[&str]) -> ScriptResult<Self> {
        let mut request = Self::default();
        // Read after the headers, because one of them may give its type.
        let body = if known.contains(&"body") { options.remove("body") } else { None };
        for (key, value) in options {
            request.option(&key, value, known)?;
        }
        if let Some(body) = body {
            request.set_body(body)?;
        }
        request.timeout = context.timeout(Some(request.timeout)).unwrap_or(request.timeout);
        Ok(request)
    }

    fn option(&mut self, key: &str, value: Dynamic, known: &[&str]) -> ScriptResult<()> {
        let kind = type_name(&value);
        let wrong = |wanted: &str| mistake_text(format!("option `{key}` must be {wanted}, not {kind}"));
        match key {
            key if !known.contains(&key) => {
                let near = Suggestion::new(key, known.iter().copied());
                return Err(mistake_text(format!("unknown option `{key}`{near}")));
            }
            "at" => self.at = Some(value.into_string().map_err(|_| wrong("an address with a port"))?),
            "host" => self.host = Some(value.into_string().map_err(|_| wrong("a host name"))?),
            "method" => self.method = value.into_string().map_err(|_| wrong("a method such as `GET`"))?,
            "path" => self.path = value.into_string().map_err(|_| wrong("a path"))?,
            "https" => self.is_https = value.as_bool().map_err(|_| wrong("true or false"))?,
            "headers" => self.headers = pairs(whole(key, value)?).ok_or_else(|| wrong("a table"))?,
            "params" => self.params = pairs(whole(key, value)?).ok_or_else(|| wrong("a table"))?,
            "expect" => {
                let wanted = "a status, a text of the body, a list of these, or `()`";
                self.expected = expected(value).ok_or_else(|| wrong(wanted))?;
            }
            _ => {
                let wrong = || mistake_text(format!("option `{key}` must be a number of seconds above 0"));
                self.timeout = seconds(value).ok_or_else(wrong)?;
            }
        }
        Ok(())
    }

    /// A text as it is, a table or a list as JSON.
    pub(super) fn set_body(&mut self, body: Dynamic) -> ScriptResult<()> {
        let kind = type_name(&body);
        if !body.is_map() && !body.is_array() {
            let wrong = |_| mistake_text(format!("the body must be text, a table or a list, not {kind}"));
            self.body = body.into_string().map_err(wrong)?.into_bytes();
            return Ok(());
        }
        let wrong = |held| mistake_text(format!("cannot send {kind} as JSON: it contains {held}"));
        self.body = to_json(&body).map_err(wrong)?.to_string().into_bytes();
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Ok(())
    }

    /// Whether the request should change nothing (RFC 9110 §9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// The table of an option, whose values must not be `()`.
fn whole(option: &str, value: Dynamic) -> ScriptResult<Dynamic> {
    for (name, value) in value.read_lock::<Map>().iter().flat_map(|map| map.iter()) {
        text_of(value, &format!("`{name}` of option `{option}`")).map_err(mistake)?;
    }
    Ok(value)
}

fn seconds(value: Dynamic) -> Option<Duration> {
    let seconds = value.as_float().or_else(|_| value.as_int().map(|n| n as f64));
    Duration::try_from_secs_f64(seconds.ok()?).ok().filter(|time| !time.is_zero())
}

/// A good response as scripts see it, `None` if a plan did not send the request, or why the request failed.
pub(super) fn judged(
    outcome: RequestOutcome,
    title: &str,
    expected: &Expected,
) -> Result<Option<Dynamic>, Report> {
    match outcome {
        RequestOutcome::Planned => Ok(None),
        RequestOutcome::Failed(why) => Err(Report::new(format!("`{title}` failed: {why}"))),
        RequestOutcome::Answered { response, seconds } => match expected.lacks(&response) {
            None => Ok(Some(value(response, seconds))),
            Some(lacking) => {
                let mut report = Report::new(format!("`{title}` returned {}: {lacking}", response.status));
                report.notes = first_lines(&response);
                Err(report)
            }
        },
    }
}

/// A response as scripts see it: `.status .body .headers .errors .seconds`.
fn value(response: Response, seconds: f64) -> Dynamic {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut map = Map::new();
    map.insert("status".into(), i64::from(response.status).into());
    map.insert("body".into(), text(&response.body).into());
    map.insert("errors".into(), text(&response.errors).into());
    map.insert("seconds".into(), seconds.into());
    let headers = response.headers.into_iter().map(|(name, value)| (name.into(), value.into()));
    map.insert("headers".into(), Dynamic::from_map(headers.collect()));
    Dynamic::from_map(map)
}

/// The most useful lines of a bad response: what was logged, else the title of the page, else the beginning of the body.
/// Only whole lines: a secret that is cut in two would not be masked.
fn first_lines(response: &Response) -> Vec<String> {
    let said = if response.errors.is_empty() { &response.body } else { &response.errors };
    let text = String::from_utf8_lossy(said);
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    if let Some((title, _)) = title.filter(|_| response.errors.is_empty()) {
        return vec![format!("page title: {}", title.split_whitespace().collect::<Vec<_>>().join(" "))];
    }
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let shown = |line: &str| match line.chars().count() {
        0..=LINE_MAX => line.to_owned(),
        n => format!("(line of {n} characters not shown)"),
    };
    lines.take(10).map(shown).collect()
}
