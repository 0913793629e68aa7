//! What all protocols share: the response, and which methods and header fields may be sent.

use anyhow::{Result, bail};

/// The response of an application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    /// In the order in which they arrived; names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What a FastCGI application logged.
    pub errors: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Checks a method that a recipe gives.
pub fn check_method(method: &str) -> Result<()> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        bail!("`{method}` is not a valid method: use `GET`, `HEAD`, `POST` or another in capital letters");
    }
    Ok(())
}

/// Checks a header field that a recipe gives (RFC 9110 §5).
pub fn check_header(name: &str, value: &str) -> Result<()> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        bail!("`{name}` is not a valid header name");
    }
    if value.contains(['\r', '\n', '\0']) {
        bail!("the value of header `{name}` must not contain a line break or a NUL byte");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cannot_smuggle_another() {
        assert!(check_header("x-a", "b\r\nx-c: d").is_err());
        assert!(check_header("x-a: b", "").is_err());
        assert!(check_header("x-a", "it's \"b\"; c").is_ok());
    }
}
