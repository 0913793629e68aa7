//! Requests from this machine: notifications, purges, checks from outside.

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::here::fetch::Fetch;
use crate::recipe::context::Context;
use crate::recipe::failure::{ScriptResult, uncaught};
use crate::recipe::primitives::request::{RequestOptions, judged};
use crate::web::Expected;

pub(super) const GET: [&str; 3] = ["headers", "timeout", "expect"];
pub(super) const POST: [&str; 4] = ["method", "headers", "timeout", "expect"];

fn fetch_it(
    call: &NativeCallContext,
    context: &Context,
    url: &str,
    options: RequestOptions,
    follows: bool,
) -> ScriptResult<Dynamic> {
    let is_safe = options.is_safe();
    let RequestOptions { method, headers, body, timeout, expected, .. } = options;
    let fetch = Fetch { url: url.to_owned(), method, headers, body, timeout, follows };
    let title = context.run().here.title(&fetch);
    let outcome =
        context.run().here.fetch(fetch, &title, is_safe).map_err(|error| context.failure("", error))?;
    match judged(outcome, &title, &expected) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Ok(context.unanswered(&title)),
        Err(report) => Err(context.failure("", report).raised_in(call).into()),
    }
}

fn get_it(call: &NativeCallContext, url: &str, options: Map) -> ScriptResult<Dynamic> {
    let context = Context::of(call)?;
    let options = RequestOptions::read(&context, options, &GET).map_err(|error| uncaught(call, error))?;
    // A redirect that is expected must not be followed.
    let follows = !options.expected.is_redirection();
    fetch_it(call, &context, url, options, follows)
}

fn post_it(call: &NativeCallContext, url: &str, body: Dynamic, mut options: Map) -> ScriptResult<Dynamic> {
    let context = Context::of(call)?;
    options.entry("method".into()).or_insert_with(|| "POST".into());
    let mut options =
        RequestOptions::read(&context, options, &POST).map_err(|error| uncaught(call, error))?;
    options.set_body(body)?;
    if matches!(options.expected, Expected::Well) {
        options.expected = Expected::Taken;
    }
    fetch_it(call, &context, url, options, false)
}

#[export_module]
pub mod api {
    /// Requests a URL from this machine, not through a host, by `https` or `http`. It follows up to 5 redirects.
    /// A redirect to another origin drops `Authorization`, `Cookie` and headers that contain a secret.
    /// Returns and fails as `host.http` does. A plan sends the request, too.
    #[rhai_fn(return_raw)]
    pub fn http_get(call: NativeCallContext, url: &str) -> ScriptResult<Dynamic> {
        get_it(&call, url, Map::new())
    }

    /// Like `http_get(url)`, with options:
    /// - `headers`: a table
    /// - `timeout`: the limit in seconds (10)
    /// - `expect`: as for `host.http`; if it contains a redirect status, no redirects are followed
    #[rhai_fn(name = "http_get", return_raw)]
    pub fn http_get_with(call: NativeCallContext, url: &str, options: Map) -> ScriptResult<Dynamic> {
        get_it(&call, url, options)
    }

    /// Sends a body to a URL from this machine: a text as it is, a table or a list as JSON. It follows no redirects;
    /// status 301, 307 and 308 are failures. Otherwise, it returns and fails as `host.http` does. A plan only lists
    /// the request.
    #[rhai_fn(return_raw)]
    pub fn http_post(call: NativeCallContext, url: &str, body: Dynamic) -> ScriptResult<Dynamic> {
        post_it(&call, url, body, Map::new())
    }

    /// Like `http_post(url, body)`, with options:
    /// - `method`: another method, such as `PUT`, `DELETE` or `PURGE`
    /// - `headers`: a table
    /// - `timeout`: the limit in seconds (10)
    /// - `expect`: as for `host.http`
    #[rhai_fn(name = "http_post", return_raw)]
    pub fn http_post_with(
        call: NativeCallContext,
        url: &str,
        body: Dynamic,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        post_it(&call, url, body, options)
    }
}
