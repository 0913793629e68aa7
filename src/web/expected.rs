//! Which responses are good.

use super::message::Response;

/// Which responses are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Any,
    /// A status from 200 to 399.
    Well,
    /// The same, but not a redirect that asks to send the body elsewhere (RFC 9110 §15.4).
    Taken,
    /// One of these statuses, if there are any, and all of these texts.
    All {
        statuses: Vec<i64>,
        texts: Vec<String>,
    },
}

impl Expected {
    pub fn is_redirection(&self) -> bool {
        matches!(self, Self::All { statuses, .. } if statuses.iter().any(|status| (300..400).contains(status)))
    }

    /// Whether this status is good because it is named.
    pub fn names(&self, status: u16) -> bool {
        matches!(self, Self::All { statuses, .. } if statuses.contains(&i64::from(status)))
    }

    /// Why a response is not good; `None` if it is.
    pub fn lacks(&self, response: &Response) -> Option<String> {
        let status = i64::from(response.status);
        let is_well = (200..400).contains(&status);
        match self {
            Self::Any => None,
            Self::Taken if matches!(status, 301 | 307 | 308) => {
                Some("the redirect was not followed".to_owned())
            }
            Self::Well | Self::Taken => (!is_well).then(|| "expected 200 to 399".to_owned()),
            Self::All { statuses, .. } if !statuses.is_empty() && !statuses.contains(&status) => {
                let all: Vec<String> = statuses.iter().map(ToString::to_string).collect();
                Some(format!("expected {}", all.join(" or ")))
            }
            Self::All { statuses, .. } if statuses.is_empty() && !is_well => {
                Some("expected 200 to 399".to_owned())
            }
            Self::All { texts, .. } => {
                let body = String::from_utf8_lossy(&response.body);
                let missing = texts.iter().find(|text| !body.contains(text.as_str()));
                missing.map(|text| format!("the body does not contain `{text}`"))
            }
        }
    }
}
