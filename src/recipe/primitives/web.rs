//! What applications on a host answer, asked through the connection: nothing is needed on the server for it.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult, FnPtr, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::context::{Context, Host};
use crate::recipe::failure::{Failure, Outcome, Unanswered, mistake_text};
use crate::recipe::kept::Kept;
use crate::recipe::value::type_name;
use crate::site::Heard;
use crate::web::http::Url;
use crate::web::{Address, Protocol, Question, Response, fastcgi, http};

/// How long an answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer lines of an answer are not shown.
const LINE_MAX: usize = 400;
/// Between two looks: a beginning, and what it grows to.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) const HTTP: [&str; 6] = ["host", "method", "headers", "body", "timeout", "expect"];
const FASTCGI: [&str; 9] =
    ["path", "host", "method", "headers", "params", "https", "body", "timeout", "expect"];

/// What is asked, as far as both protocols have it.
pub(super) struct Asked {
    host: Option<String>,
    method: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Duration,
    pub(super) expected: Expected,
    path: String,
    params: Vec<(String, String)>,
    is_https: bool,
}

impl Asked {
    pub(super) fn read(context: &Context, options: Map, known: &[&str]) -> Outcome<Self> {
        let mut asked = Self {
            host: None,
            method: "GET".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            expected: Expected::Well,
            path: "/".to_owned(),
            params: Vec::new(),
            is_https: false,
        };
        for (key, value) in options {
            let kind = type_name(&value);
            let wrong = |wanted: &str| mistake_text(format!("option `{key}` is {wanted}, not {kind}"));
            let pairs = |value: Dynamic| -> Outcome<Vec<(String, String)>> {
                let map = value.try_cast::<Map>().ok_or_else(|| wrong("a table"))?;
                Ok(map.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
            };
            match key.as_str() {
                key if !known.contains(&key) => {
                    let near = Suggestion::new(key, known.iter().copied());
                    return Err(mistake_text(format!("there is no option `{key}`{near}")));
                }
                "host" => asked.host = Some(value.into_string().map_err(|_| wrong("a name"))?),
                "method" => asked.method = value.into_string().map_err(|_| wrong("a method"))?,
                "path" => asked.path = value.into_string().map_err(|_| wrong("a path"))?,
                "body" => asked.body = value.into_string().map_err(|_| wrong("text"))?.into_bytes(),
                "https" => asked.is_https = value.as_bool().map_err(|_| wrong("true or false"))?,
                "headers" => asked.headers = pairs(value)?,
                "params" => asked.params = pairs(value)?,
                "expect" => {
                    asked.expected = Expected::read(value).ok_or_else(|| {
                        wrong(
                            "a status, a text that is in the answer, a list of both, or `()` for any answer",
                        )
                    })?
                }
                _ => {
                    let seconds = value.as_float().or_else(|_| value.as_int().map(|n| n as f64));
                    let limit = seconds.ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
                    asked.timeout =
                        limit.filter(|limit| !limit.is_zero()).ok_or_else(|| wrong("a number of seconds"))?;
                }
            }
        }
        asked.timeout = context.timeout(Some(asked.timeout)).unwrap_or(asked.timeout);
        Ok(asked)
    }

    /// Whether asking it is to change nothing (RFC 9110 §9.2.1).
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// Which answers are good.
pub(super) enum Expected {
    Any,
    /// A status from 200 to 399.
    Well,
    /// One of these statuses, if there are any, and all of these texts.
    All {
        statuses: Vec<i64>,
        texts: Vec<String>,
    },
}

impl Expected {
    fn read(value: Dynamic) -> Option<Self> {
        if value.is_unit() {
            return Some(Self::Any);
        }
        let values = match value.is_array() {
            true => value.into_array().ok()?,
            false => vec![value],
        };
        let (mut statuses, mut texts) = (Vec::new(), Vec::new());
        for value in values {
            match value.as_int() {
                Ok(status) => statuses.push(status),
                Err(_) => texts.push(value.into_string().ok()?),
            }
        }
        Some(Self::All { statuses, texts })
    }

    /// What an answer lacks.
    pub(super) fn lacks(&self, response: &Response) -> Option<String> {
        let status = i64::from(response.status);
        let is_well = (200..400).contains(&status);
        match self {
            Self::Any => None,
            Self::Well => (!is_well).then(|| "200 to 399 was expected".to_owned()),
            Self::All { statuses, .. } if !statuses.is_empty() && !statuses.contains(&status) => {
                let all: Vec<String> = statuses.iter().map(ToString::to_string).collect();
                Some(format!("{} was expected", all.join(" or ")))
            }
            Self::All { statuses, .. } if statuses.is_empty() && !is_well => {
                Some("200 to 399 was expected".to_owned())
            }
            Self::All { texts, .. } => {
                let body = String::from_utf8_lossy(&response.body);
                let missing = texts.iter().find(|text| !body.contains(text.as_str()));
                missing.map(|text| format!("`{text}` was expected in it"))
            }
        }
    }
}

/// Asks, and judges the answer.
fn ask(
    call: &NativeCallContext,
    host: &Host,
    title: &str,
    question: anyhow::Result<Question>,
    asked: &Asked,
) -> Outcome<Dynamic> {
    let question = host.outcome(question)?;
    let heard = host.context.run().site(host.index).hear(&question, title, asked.is_safe());
    let failed = |report: Report| Err(host.failed(report).raised_in(call).into());
    match host.outcome(heard)? {
        Heard::Planned => Ok(host.context.unanswered(title)),
        Heard::Failed(why) => failed(Report::new(format!("`{title}` was not answered: {why}"))),
        Heard::Answered { response, seconds } => match asked.expected.lacks(&response) {
            None => Ok(value(response, seconds)),
            Some(lacking) => {
                let mut report = Report::new(format!("`{title}` answered {}: {lacking}", response.status));
                report.notes = first_lines(&response);
                failed(report)
            }
        },
    }
}

/// An answer as scripts have it: `.status .body .headers .errors .seconds`.
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

/// What tells most of a bad answer: what was logged, else where the body begins. Whole lines only: a secret that is cut in two
/// would not be masked.
fn first_lines(response: &Response) -> Vec<String> {
    let said = if response.errors.is_empty() { &response.body } else { &response.errors };
    let text = String::from_utf8_lossy(said);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let shown = |line: &str| match line.chars().count() {
        0..=LINE_MAX => line.to_owned(),
        n => format!("(a line of {n} characters)"),
    };
    lines.take(10).map(shown).collect()
}

/// A request, and what it is called.
pub(super) fn http_question(url: &str, asked: &Asked) -> (String, anyhow::Result<Question>) {
    let title = format!("{} {url}", asked.method);
    let question = Url::parse(url).and_then(|url| {
        let to = url.address.clone();
        let Asked { method, host, headers, body, timeout, .. } = asked;
        let request = http::Request {
            url,
            method: method.clone(),
            host: host.clone(),
            headers: headers.clone(),
            body: body.clone(),
        };
        let protocol = Protocol::Http { is_head: method == "HEAD" };
        Ok(Question { to, bytes: request.bytes()?, protocol, timeout: *timeout })
    });
    (title, question)
}

fn http_it(call: &NativeCallContext, host: &Host, url: &str, options: Map) -> Outcome<Dynamic> {
    let asked = Asked::read(&host.context, options, &HTTP)?;
    let (title, question) = http_question(url, &asked);
    ask(call, host, &title, question, &asked)
}

fn fastcgi_it(
    call: &NativeCallContext,
    host: &Host,
    address: &str,
    script: &str,
    options: Map,
) -> Outcome<Dynamic> {
    let asked = Asked::read(&host.context, options, &FASTCGI)?;
    let title = format!("{} {} of {script} at {address}", asked.method, asked.path);
    let script = host.context.run().site(host.index).absolute(script);
    let question = script.and_then(|script| {
        if !asked.path.starts_with('/') {
            return Err(anyhow!("path `{}` does not begin with `/`", asked.path));
        }
        let request = fastcgi::Request {
            script,
            target: asked.path.clone(),
            method: asked.method.clone(),
            host: asked.host.clone().unwrap_or_else(|| "localhost".to_owned()),
            is_https: asked.is_https,
            headers: asked.headers.clone(),
            params: asked.params.clone(),
            body: asked.body.clone(),
        };
        let (to, bytes) = (Address::parse(address)?, request.bytes()?);
        Ok(Question { to, bytes, protocol: Protocol::FastCgi, timeout: asked.timeout })
    });
    ask(call, host, &title, question, &asked)
}

/// Calls `condition` until it says yes. What fails in it is not so yet; a mistake in the script is one at once.
fn await_it(call: &NativeCallContext, host: &Host, seconds: f64, condition: FnPtr) -> Outcome<Dynamic> {
    let context = &host.context;
    let condition = Kept::new(call, condition).map_err(|report| mistake_text(report.message))?;
    let began = Instant::now();
    let limit = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let mut pause = PAUSE;
    loop {
        let mut arguments: Vec<Dynamic> =
            (0..condition.arity.min(1)).map(|_| Dynamic::from(host.clone())).collect();
        let told = condition.call(call.engine(), Dynamic::from(context.clone()), &mut arguments);
        let failure = match told {
            Ok(value) if value.is::<Unanswered>() => return Ok(value),
            Ok(value) => match value.as_bool() {
                Ok(true) => return Ok(began.elapsed().as_secs_f64().into()),
                Ok(false) => None,
                Err(kind) => {
                    return Err(mistake_text(format!(
                        "what is waited for answers {kind}, not true or false"
                    )));
                }
            },
            Err(error) => Some(failure_of(error)?),
        };
        if context.run().mode.is_plan() {
            return Ok(context.unanswered("wait_until"));
        }
        let left = limit.saturating_sub(began.elapsed());
        if left.is_zero() {
            let report = Report::new(format!("what is waited for is not so within {seconds} s"));
            let report = match failure {
                Some(failure) => report.note(failure.message()),
                None => report,
            };
            return Err(host.failed(report).raised_in(call).into());
        }
        host.outcome(context.wait(pause.min(left)))?;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The failure of a primitive; any other error is handed on.
fn failure_of(error: Box<EvalAltResult>) -> Outcome<Failure> {
    if let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner()
        && let Some(failure) = value.read_lock::<Failure>()
        && !failure.task.is_empty()
    {
        return Ok(failure.clone());
    }
    Err(error)
}

#[export_module]
pub mod api {
    /// Asks a web server on the host by HTTP, through the connection: `http://127.0.0.1/up`, or
    /// `http://unix:/run/app.sock:/up`. Answers a table with `status`, `body`, `headers`, `seconds`; a status that is not from 200 to 399
    /// is a failure.
    #[rhai_fn(pure, return_raw)]
    pub fn http(call: NativeCallContext, host: &mut Host, url: &str) -> Outcome<Dynamic> {
        http_it(&call, host, url, Map::new())
    }

    /// The same with options: `host` (the `Host` header), `method`, `headers`, `body`, `timeout` in seconds (10), `expect`: a
    /// status, a text that is in the body, a list of both, or `()` for any answer.
    #[rhai_fn(name = "http", pure, return_raw)]
    pub fn http_with(call: NativeCallContext, host: &mut Host, url: &str, options: Map) -> Outcome<Dynamic> {
        http_it(&call, host, url, options)
    }

    /// Has a FastCGI pool run a script, as its web server would: `host.fastcgi("/run/php/php-fpm.sock", "public/index.php")`. The
    /// script's path is relative to the release, which need not be served yet. Answers as `http` does, and `errors`: what was logged.
    #[rhai_fn(pure, return_raw)]
    pub fn fastcgi(
        call: NativeCallContext,
        host: &mut Host,
        address: &str,
        script: &str,
    ) -> Outcome<Dynamic> {
        fastcgi_it(&call, host, address, script, Map::new())
    }

    /// The same with options: `path` that is asked for (`/`), `host`, `method`, `headers`, `params`, `https`, `body`, `timeout`, `expect`.
    #[rhai_fn(name = "fastcgi", pure, return_raw)]
    pub fn fastcgi_with(
        call: NativeCallContext,
        host: &mut Host,
        address: &str,
        script: &str,
        options: Map,
    ) -> Outcome<Dynamic> {
        fastcgi_it(&call, host, address, script, options)
    }

    /// Waits until a function answers `true`, for so many seconds at most; it is called with the host, after pauses that grow from 0.1 to
    /// 2 s. What fails in it is not so yet. Answers how many seconds it took.
    #[rhai_fn(pure, return_raw)]
    pub fn wait_until(
        call: NativeCallContext,
        host: &mut Host,
        seconds: i64,
        condition: FnPtr,
    ) -> Outcome<Dynamic> {
        await_it(&call, host, seconds as f64, condition)
    }
}
