//! A sink that masks secrets in every text of every event.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::event::{Event, Report, Sink};

/// Shorter texts are not masked, in bytes.
const SHORTEST: usize = 4;

/// Fails if a secret is too short to be masked.
pub fn check(name: &str, secret: &str) -> Result<(), Report> {
    if secret.is_empty() || secret.len() >= SHORTEST {
        return Ok(());
    }
    let report =
        Report::new(format!("secret `{name}` is too short to be masked: it has fewer than {SHORTEST} bytes"));
    Err(report.hint("use a longer secret; if the value is not secret, make it a setting"))
}

pub struct Mask {
    inner: Arc<dyn Sink>,
    secrets: RwLock<Vec<String>>,
}

impl Mask {
    pub fn new(inner: Arc<dyn Sink>) -> Self {
        Self { inner, secrets: RwLock::default() }
    }

    /// From now on, shows `secret` as `***`, also in the forms in which texts carry it: quoted, in JSON, in a URL, in hex, in
    /// base64. Does not mask a text of fewer than four bytes: it would occur everywhere.
    pub fn add(&self, secret: &str) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let whole = std::iter::once(secret).chain(secret.lines()).filter(|line| line.len() >= SHORTEST);
        secrets.extend(whole.flat_map(forms));
        secrets.sort();
        secrets.dedup();
    }

    pub fn masked(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut hidden: Vec<Range<usize>> =
            secrets.iter().flat_map(|secret| occurrences(text, secret)).collect();
        // One secret may begin within another.
        hidden.sort_by_key(|range| range.start);
        let (mut masked, mut at) = (String::with_capacity(text.len()), 0);
        for range in hidden {
            if range.start >= at {
                masked.push_str(&text[at..range.start]);
                masked.push_str("***");
            }
            at = at.max(range.end);
        }
        masked.push_str(&text[at..]);
        masked
    }

    pub fn report(&self, report: Report) -> Report {
        report.with_texts(&|text| self.masked(&text))
    }
}

/// Where `secret` is in a text, also where it overlaps itself.
fn occurrences<'t>(text: &'t str, secret: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find(secret)?;
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        Some(start..start + secret.len())
    })
}

/// A secret as texts carry it.
fn forms(secret: &str) -> Vec<String> {
    let hex = |upper: bool| -> String {
        secret.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
    };
    let percent = |upper: bool| -> String {
        let one = |byte: u8| match byte {
            b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        secret.bytes().map(one).collect()
    };
    let json = serde_json::to_string(secret).unwrap_or_default();
    let mut forms = vec![
        secret.to_owned(),
        secret.replace('\'', "'\\''"),
        format!("{secret:?}").trim_matches('"').to_owned(),
        json.trim_matches('"').to_owned(),
        hex(true),
        hex(false),
        percent(true),
        percent(false),
        percent(true).replace("%20", "+"),
    ];
    forms.extend(in_base64(secret));
    forms
}

/// What of base64 (RFC 4648) depends on the secret alone, wherever in the encoded text it begins: as in `user:secret`.
fn in_base64(secret: &str) -> Vec<String> {
    let parts = |engine: &GeneralPurpose| -> Vec<String> {
        let part = |n_before: usize| {
            let before = vec![0; n_before];
            let text = engine.encode([&before, secret.as_bytes()].concat());
            let first = (n_before * 8).div_ceil(6);
            let end = (n_before + secret.len()) * 8 / 6;
            text.get(first..end).unwrap_or_default().to_owned()
        };
        (0..3).map(part).collect()
    };
    let all = parts(&STANDARD_NO_PAD).into_iter().chain(parts(&URL_SAFE_NO_PAD));
    // A shorter one would occur everywhere.
    all.filter(|part| part.len() >= SHORTEST).collect()
}

impl Sink for Mask {
    fn event(&self, event: Event) {
        self.inner.event(event.with_texts(&|text| self.masked(&text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Sink for Nowhere {
        fn event(&self, _: Event) {}
    }

    fn mask(secrets: &[&str]) -> Mask {
        let mask = Mask::new(Arc::new(Nowhere));
        secrets.iter().for_each(|secret| mask.add(secret));
        mask
    }

    #[test]
    fn a_secret_is_masked_in_each_form_in_which_a_text_carries_it() {
        let secret = "p@ss w'ord/\u{e9}\"x";
        let mask = mask(&[secret]);
        let base64 = |text: &str| STANDARD_NO_PAD.encode(text);
        for text in [
            secret.to_owned(),
            format!("'{}'", secret.replace('\'', "'\\''")),
            serde_json::json!({ "key": secret }).to_string(),
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            "p%40ss%20w%27ord%2F%C3%A9%22x".to_owned(),
            "p%40ss+w%27ord%2F%C3%A9%22x".to_owned(),
        ] {
            let masked = mask.masked(&text);
            assert!(masked.contains("***") && !masked.contains("ord"), "{masked}");
        }
        for before in ["", "u:", "user:", "name:"] {
            let text = base64(&format!("{before}{secret}"));
            let masked = mask.masked(&text);
            let left = masked.replace("***", "");
            assert!(masked.contains("***") && left.len() <= before.len() * 4 / 3 + 4, "{text} {masked}");
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_each_other() {
        let mask = mask(&["abcd1234", "1234efgh", "gh", "aaaa"]);
        assert_eq!(mask.masked("<abcd1234efgh>"), "<***>");
        assert_eq!(mask.masked("<aaaaaaa> gh"), "<***> gh");
        assert_eq!(mask.masked("nothing"), "nothing");
    }
}
