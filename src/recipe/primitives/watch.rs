//! Watches an application: sends it requests for a while, and judges the responses.

use std::time::{Duration, Instant};

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::{ScriptResult, mistake_text, uncaught};
use crate::recipe::primitives::request::RequestOptions;
use crate::recipe::primitives::web::{HTTP, http_request};
use crate::site::web::{self, RequestOutcome};
use crate::web::Expected;

pub(super) const WATCH: [&str; 12] = [
    "at",
    "host",
    "method",
    "headers",
    "body",
    "timeout",
    "expect",
    "seconds",
    "rate",
    "max_error_rate",
    "max_p99_ms",
    "min_samples",
];
/// This many failed requests in a row end the watch at once.
const IN_A_ROW: usize = 3;

/// The limits of a watched application.
struct Limits {
    span: Duration,
    /// Between two requests.
    every: Duration,
    error_rate: f64,
    /// Infinite if there is no limit.
    p99_ms: f64,
    /// With fewer responses, the watch fails.
    min_samples: usize,
}

impl Limits {
    /// Takes the limits out of the options.
    fn take(options: &mut Map) -> ScriptResult<Self> {
        let mut number = |key: &str, default: f64, least: f64| {
            let Some(value) = options.remove(key) else { return Ok(default) };
            let number = value.as_float().or_else(|_| value.as_int().map(|n| n as f64));
            let number = number.ok().filter(|number| *number >= least && number.is_finite());
            number.ok_or_else(|| mistake_text(format!("option `{key}` must be a number of at least {least}")))
        };
        let seconds = number("seconds", 10.0, 0.0)?;
        let rate = number("rate", 5.0, 0.01)?;
        let error_rate = number("max_error_rate", 0.01, 0.0)?;
        let p99_ms = number("max_p99_ms", f64::INFINITY, 0.0)?;
        // Requests are sent one after the other, so slow responses are fewer.
        let min_samples = number("min_samples", (seconds * rate / 2.0).floor().clamp(1.0, 5.0), 1.0)?;
        Ok(Self {
            span: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            every: Duration::from_secs_f64(1.0 / rate),
            error_rate,
            p99_ms,
            min_samples: min_samples as usize,
        })
    }
}

/// The responses of a watched application.
#[derive(Default)]
struct Watched {
    /// The response times of successful requests.
    milliseconds: Vec<f64>,
    bad: Vec<String>,
    n_in_a_row: usize,
    /// When the first and the last failed request were sent, from the beginning.
    span: Option<(Duration, Duration)>,
}

impl Watched {
    fn add(&mut self, sent_at: Duration, answer: Result<f64, String>) {
        match answer {
            Ok(milliseconds) => {
                self.milliseconds.push(milliseconds);
                self.n_in_a_row = 0;
            }
            Err(why) => {
                self.bad.push(why);
                self.n_in_a_row += 1;
                self.span = Some((self.span.map_or(sent_at, |(first, _)| first), sent_at));
            }
        }
    }

    fn n(&self) -> usize {
        self.milliseconds.len() + self.bad.len()
    }

    fn p99(&self) -> f64 {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    /// Why the watch fails, if it does. Before the end, only if later responses are unlikely to change that.
    fn verdict(&self, limits: &Limits, is_over: bool) -> Option<String> {
        let (n, n_bad) = (self.n(), self.bad.len());
        let rate = n_bad as f64 / n.max(1) as f64;
        if self.n_in_a_row >= IN_A_ROW {
            return Some(format!("{IN_A_ROW} requests in a row failed ({n_bad} of {n} in total)"));
        }
        let planned = (limits.span.as_secs_f64() / limits.every.as_secs_f64()).max(limits.min_samples as f64);
        let is_decided = n_bad >= IN_A_ROW && n_bad as f64 > limits.error_rate * planned;
        if (is_over || is_decided) && rate > limits.error_rate {
            return Some(format!(
                "{n_bad} of {n} requests failed ({:.1} %; limit {:.1} %)",
                rate * 100.0,
                limits.error_rate * 100.0
            ));
        }
        if !is_over {
            return None;
        }
        if n < limits.min_samples {
            return Some(format!("too few responses: {n} (minimum {})", limits.min_samples));
        }
        let (p99, limit) = (self.p99(), limits.p99_ms);
        (p99 > limit).then(|| format!("p99 was {p99:.0} ms (limit {limit:.0} ms)"))
    }

    fn report(&self, title: &str, verdict: &str) -> Report {
        let report = Report::new(format!("`{title}` is unhealthy: {verdict}"));
        let Some((why, (first, last))) = self.bad.first().zip(self.span) else {
            return report;
        };
        let (at, over) = (first.as_secs_f64(), (last - first).as_secs_f64());
        report.note(format!("requests failed for {over:.1} s, the first after {at:.1} s: {why}"))
    }

    /// The result as scripts see it.
    fn to_value(&self) -> Dynamic {
        let mut map = Map::new();
        map.insert("n".into(), (self.n() as i64).into());
        map.insert("bad".into(), (self.bad.len() as i64).into());
        map.insert("p99_ms".into(), self.p99().into());
        Dynamic::from_map(map)
    }
}

fn watch_it(
    call: &NativeCallContext,
    host: &ScriptHost,
    url: &str,
    mut options: Map,
) -> ScriptResult<Dynamic> {
    let context = &host.context;
    if let Some(key) = options.keys().find(|key| !WATCH.contains(&key.as_str())) {
        let near = Suggestion::new(key, WATCH);
        return Err(uncaught(call, mistake_text(format!("unknown option `{key}`{near}"))));
    }
    let limits = Limits::take(&mut options).map_err(|error| uncaught(call, error))?;
    let options = RequestOptions::read(context, options, &HTTP).map_err(|error| uncaught(call, error))?;
    let (title, request) = http_request(url, &options);
    let request = host.outcome(request)?;
    let (began, mut watched) = (Instant::now(), Watched::default());
    loop {
        let sent_at = began.elapsed();
        let outcome = web::request(&mut host.site(), &request, &title, options.is_safe());
        let Some(answer) = judged(host.outcome(outcome)?, &options.expected) else {
            return Ok(context.unanswered(&title));
        };
        watched.add(sent_at, answer);
        let next = sent_at + limits.every;
        // With too few responses, the watch takes up to twice as long.
        let span = if watched.n() < limits.min_samples { limits.span * 2 } else { limits.span };
        let is_over = next >= span || context.run().mode.is_plan();
        if let Some(verdict) = watched.verdict(&limits, is_over) {
            return Err(host.failed(watched.report(&title, &verdict)).raised_in(call).into());
        }
        if is_over {
            return Ok(watched.to_value());
        }
        host.outcome(context.wait(next.saturating_sub(began.elapsed())))?;
    }
}

/// The milliseconds of a good response, or why the request failed; `None` if a plan did not send it.
fn judged(outcome: RequestOutcome, expected: &Expected) -> Option<Result<f64, String>> {
    match outcome {
        RequestOutcome::Planned => None,
        RequestOutcome::Failed(why) => Some(Err(why)),
        RequestOutcome::Answered { response, seconds } => Some(match expected.lacks(&response) {
            None => Ok(seconds * 1000.0),
            Some(lacking) => Err(format!("status {}: {lacking}", response.status)),
        }),
    }
}

#[export_module]
pub mod api {
    /// Requests a URL again and again, and returns a table with `n` (requests), `bad` (failed requests) and `p99_ms`
    /// (the 99th percentile of response times). A plan sends one request. Fails if:
    /// - the share of failed requests is above `max_error_rate`
    /// - three requests in a row fail
    /// - the 99th percentile is above `max_p99_ms`
    /// - there are fewer than `min_samples` responses in twice the time
    ///
    /// The options are those of `host.http`, and:
    /// - `seconds`: how long to watch (10)
    /// - `rate`: requests per second (5)
    /// - `max_error_rate`: the share of requests that may fail (0.01)
    /// - `max_p99_ms`: the limit in milliseconds (none)
    /// - `min_samples`: how many responses are needed (5; less for a short watch)
    #[rhai_fn(pure, return_raw)]
    pub fn watch(
        call: NativeCallContext,
        host: &mut ScriptHost,
        url: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        watch_it(&call, host, url, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let every = Duration::from_millis(200);
        Limits { span: Duration::from_secs(10), every, error_rate: 0.1, p99_ms: 200.0, min_samples: 20 }
    }

    fn watched(n: usize, n_bad: usize, n_in_a_row: usize) -> Watched {
        let milliseconds = (0..n - n_bad).map(|n| 10.0 + n as f64).collect();
        Watched { milliseconds, bad: vec!["status 500".to_owned(); n_bad], n_in_a_row, span: None }
    }

    #[test]
    fn only_enough_good_answers_are_good() {
        let verdict = |n, n_bad, in_a_row, is_over| watched(n, n_bad, in_a_row).verdict(&limits(), is_over);
        for (n, n_bad, is_over) in
            [(0, 0, false), (2, 2, false), (19, 5, false), (30, 3, false), (20, 0, true), (30, 3, true)]
        {
            assert_eq!(verdict(n, n_bad, 0, is_over), None, "{n} {n_bad} {is_over}");
        }
        let says = |verdict: Option<String>, words: &str| {
            assert!(verdict.clone().unwrap().contains(words), "{verdict:?}")
        };
        says(verdict(3, 3, 3, false), "3 requests in a row failed (3 of 3 in total)");
        // Five of the fifty planned requests may fail.
        assert_eq!(verdict(20, 5, 1, false), None);
        says(verdict(20, 6, 1, false), "6 of 20 requests failed (30.0 %; limit 10.0 %)");
        says(verdict(5, 1, 1, true), "1 of 5 requests failed");
        says(verdict(19, 0, 0, true), "too few responses: 19 (minimum 20)");
        says(verdict(300, 0, 0, true), "p99 was 306 ms (limit 200 ms)");
    }
}
