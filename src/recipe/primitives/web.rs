//! Requests to applications on a host, through the connection: the host needs no program for it.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult, FnPtr, Map};

use crate::event::Report;
use crate::recipe::callback::Callback;
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::{Failure, ScriptResult, Unanswered, mistake_text, uncaught};
use crate::recipe::primitives::request::{RequestOptions, judged};
use crate::recipe::value::type_name;
use crate::site::web;
use crate::web::http::Url;
use crate::web::{Address, Protocol, Request, fastcgi, http};

/// The pause between two calls of a condition: the first one, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) const HTTP: [&str; 7] = ["at", "host", "method", "headers", "body", "timeout", "expect"];
pub(super) const FASTCGI: [&str; 9] =
    ["path", "host", "method", "headers", "params", "https", "body", "timeout", "expect"];

/// Sends a request and judges the response.
fn ask(
    call: &NativeCallContext,
    host: &ScriptHost,
    title: &str,
    request: anyhow::Result<Request>,
    options: &RequestOptions,
) -> ScriptResult<Dynamic> {
    let request = host.outcome(request)?;
    let outcome = web::request(&mut host.site(), &request, title, options.is_safe());
    match judged(host.outcome(outcome)?, title, &options.expected) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Ok(host.context.unanswered(title)),
        Err(report) => Err(host.failed(report).raised_in(call).into()),
    }
}

/// A request, and how messages name it.
pub(super) fn http_request(url: &str, options: &RequestOptions) -> (String, anyhow::Result<Request>) {
    let title = format!("{} {url}", options.method);
    let request = Url::parse(url).and_then(|url| {
        let RequestOptions { method, host, headers, body, timeout, .. } = options;
        let to = match &options.at {
            Some(at) => Address::parse(at)?,
            None => url.address.clone(),
        };
        let request = http::HttpRequest {
            url,
            method: method.clone(),
            host: host.clone(),
            headers: headers.clone(),
            body: body.clone(),
        };
        let protocol = Protocol::Http { is_head: method == "HEAD" };
        Ok(Request { to, bytes: request.bytes()?, tls: request.tls(), protocol, timeout: *timeout })
    });
    (title, request)
}

fn http_it(call: &NativeCallContext, host: &ScriptHost, url: &str, options: Map) -> ScriptResult<Dynamic> {
    let options =
        RequestOptions::read(&host.context, options, &HTTP).map_err(|error| uncaught(call, error))?;
    let (title, request) = http_request(url, &options);
    ask(call, host, &title, request, &options)
}

fn fastcgi_it(
    call: &NativeCallContext,
    host: &ScriptHost,
    address: &str,
    script: &str,
    options: Map,
) -> ScriptResult<Dynamic> {
    let options =
        RequestOptions::read(&host.context, options, &FASTCGI).map_err(|error| uncaught(call, error))?;
    let title = format!("{} {} of {script} at {address}", options.method, options.path);
    let script = web::absolute(&host.site(), script);
    let request = script.and_then(|script| {
        if !options.path.starts_with('/') {
            return Err(anyhow!("path `{}` must begin with `/`", options.path));
        }
        let request = fastcgi::FastCgiRequest {
            script,
            target: options.path.clone(),
            method: options.method.clone(),
            host: options.host.clone().unwrap_or_else(|| "localhost".to_owned()),
            is_https: options.is_https,
            headers: options.headers.clone(),
            params: options.params.clone(),
            body: options.body.clone(),
        };
        let (to, bytes) = (Address::parse(address)?, request.bytes()?);
        Ok(Request { to, bytes, tls: None, protocol: Protocol::FastCgi, timeout: options.timeout })
    });
    ask(call, host, &title, request, &options)
}

/// Calls `condition` until it returns true. A failure in it means "not yet"; a mistake in the script ends the wait.
fn await_it(
    call: &NativeCallContext,
    host: &ScriptHost,
    seconds: f64,
    condition: FnPtr,
) -> ScriptResult<Dynamic> {
    let context = &host.context;
    let condition = Callback::new(call, condition).map_err(|report| mistake_text(report.message))?;
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
                Err(_) => {
                    return Err(mistake_text(format!(
                        "the function of `wait_until` must return true or false, not {}",
                        type_name(&value)
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
            let report = Report::new(format!("`wait_until` timed out after {seconds} s"));
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

/// The failure of a primitive. Any other error is returned as it is.
fn failure_of(error: Box<EvalAltResult>) -> ScriptResult<Failure> {
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
    /// Sends an HTTP request to a server on the host, through the connection: `http://127.0.0.1/up`,
    /// `https://shop.example.com/up`, or `http://unix:/run/app.sock:/up` for a socket. A name with `https` is requested at
    /// the host's own 127.0.0.1; certificates are not checked. Returns a table with `status`, `body`, `headers` and
    /// `seconds`. Fails if the status is not from 200 to 399. A plan sends the request, too, unless the release does not
    /// exist yet.
    #[rhai_fn(pure, return_raw)]
    pub fn http(call: NativeCallContext, host: &mut ScriptHost, url: &str) -> ScriptResult<Dynamic> {
        http_it(&call, host, url, Map::new())
    }

    /// Like `host.http(url)`, with options:
    /// - `at`: the address to connect to, such as `127.0.0.1:8443` or `/run/app.sock`
    /// - `host`: the `Host` header, and the name for TLS
    /// - `method`: the default is `GET`; a plan only lists methods other than `GET`, `HEAD` and `OPTIONS`
    /// - `headers`: a table
    /// - `body`: a text, or a table or list to send as JSON
    /// - `timeout`: the limit in seconds (10)
    /// - `expect`: which response is good: a status, a text that the body must contain, a list of these, or `()` for
    ///   any response
    #[rhai_fn(name = "http", pure, return_raw)]
    pub fn http_with(
        call: NativeCallContext,
        host: &mut ScriptHost,
        url: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        http_it(&call, host, url, options)
    }

    /// Runs a script in a FastCGI pool on the host, as a web server would: `host.fastcgi("/run/php/php-fpm.sock",
    /// "public/index.php")`. The path of the script is relative to the release, which need not be live. Returns and
    /// fails as `host.http` does; the table also has `errors`, the lines that the script logged.
    #[rhai_fn(pure, return_raw)]
    pub fn fastcgi(
        call: NativeCallContext,
        host: &mut ScriptHost,
        address: &str,
        script: &str,
    ) -> ScriptResult<Dynamic> {
        fastcgi_it(&call, host, address, script, Map::new())
    }

    /// Like `host.fastcgi(address, script)`, with options:
    /// - `path`: the path to request (`/`)
    /// - `host`, `method`, `headers`, `body`, `timeout`, `expect`: as for `host.http`
    /// - `params`: a table of further FastCGI parameters
    /// - `https`: whether the script is told that the request came by https
    #[rhai_fn(name = "fastcgi", pure, return_raw)]
    pub fn fastcgi_with(
        call: NativeCallContext,
        host: &mut ScriptHost,
        address: &str,
        script: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        fastcgi_it(&call, host, address, script, options)
    }

    /// Calls a function with the host until it returns `true`, and returns how many seconds that took. It pauses
    /// between calls, first for 0.1 s and at most for 2 s. A failure in the function means "not yet". Fails if it
    /// takes longer than `seconds`. A plan calls the function once.
    #[rhai_fn(pure, return_raw)]
    pub fn wait_until(
        call: NativeCallContext,
        host: &mut ScriptHost,
        seconds: i64,
        condition: FnPtr,
    ) -> ScriptResult<Dynamic> {
        await_it(&call, host, seconds as f64, condition)
    }
}
