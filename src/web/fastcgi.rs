//! FastCGI 1.0 (https://fastcgi-archives.github.io/FastCGI_Specification.html), one request per connection, as a
//! web server sends it to a pool of PHP-FPM.

use anyhow::Result;
use httparse::Status;

use super::http::fields;
use super::message::{Response, check_header};

const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;
/// The limit for the content of a record, in bytes.
const CONTENT_MAX: usize = 65_535;
/// Limits for a response: header fields, and bytes.
const HEADERS_MAX: usize = 200;
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// A request, as a web server sends it to a pool.
#[derive(Debug, Clone)]
pub struct FastCgiRequest {
    /// The script to run, an absolute path on the host.
    pub script: String,
    /// Path and query, as a browser sends them.
    pub target: String,
    pub method: String,
    pub host: String,
    pub is_https: bool,
    pub headers: Vec<(String, String)>,
    /// Further parameters; they replace standard ones of the same name.
    pub params: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl FastCgiRequest {
    /// The parameters that a web server always sends, as in nginx's `fastcgi.conf` (RFC 3875 §4.1).
    fn standard(&self) -> [(&'static str, String); 18] {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let (directory, name) = self.script.rsplit_once('/').unwrap_or(("", &self.script));
        let port = if self.is_https { "443" } else { "80" };
        [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", "runner"),
            ("REQUEST_METHOD", &self.method),
            ("REQUEST_URI", &self.target),
            ("DOCUMENT_URI", path),
            ("QUERY_STRING", query),
            ("SCRIPT_FILENAME", &self.script),
            ("SCRIPT_NAME", &format!("/{name}")),
            ("DOCUMENT_ROOT", directory),
            ("SERVER_NAME", self.host.split(':').next().unwrap_or_default()),
            ("SERVER_ADDR", "127.0.0.1"),
            ("SERVER_PORT", port),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_PORT", "0"),
            ("REDIRECT_STATUS", "200"),
            ("HTTP_HOST", &self.host),
            ("HTTP_USER_AGENT", concat!("runner/", env!("CARGO_PKG_VERSION"))),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    }

    /// The environment of the script.
    fn environment(&self) -> Result<Vec<(String, String)>> {
        let mut all: Vec<(String, String)> =
            self.standard().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if self.is_https {
            all.push(("HTTPS".to_owned(), "on".to_owned()));
        }
        if !self.body.is_empty() {
            all.push(("CONTENT_LENGTH".to_owned(), self.body.len().to_string()));
        }
        let mut tell = |name: String, value: &str| {
            all.retain(|(key, _)| *key != name);
            all.push((name, value.to_owned()));
        };
        for (name, value) in &self.headers {
            check_header(name, value)?;
            let name = name.to_ascii_uppercase().replace('-', "_");
            let is_bare = matches!(name.as_str(), "CONTENT_TYPE" | "CONTENT_LENGTH");
            tell(if is_bare { name } else { format!("HTTP_{name}") }, value);
        }
        for (name, value) in &self.params {
            tell(name.clone(), value);
        }
        Ok(all)
    }

    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut params = Vec::new();
        for (name, value) in self.environment()? {
            for length in [name.len(), value.len()] {
                match u8::try_from(length) {
                    Ok(length @ 0..128) => params.push(length),
                    _ => params.extend((length as u32 | 1 << 31).to_be_bytes()),
                }
            }
            params.extend(name.bytes());
            params.extend(value.bytes());
        }
        let mut bytes = Vec::new();
        // Role: responder. Flags: the pool closes the connection after its response.
        record(&mut bytes, BEGIN, &[0, 1, 0, 0, 0, 0, 0, 0]);
        stream(&mut bytes, PARAMS, &params);
        stream(&mut bytes, STDIN, &self.body);
        Ok(bytes)
    }
}

fn stream(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    content.chunks(CONTENT_MAX).for_each(|chunk| record(out, kind, chunk));
    record(out, kind, b"");
}

fn record(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let [high, low] = (content.len() as u16).to_be_bytes();
    out.extend([1, kind, 0, 1, high, low, 0, 0]);
    out.extend(content);
}

/// As `Protocol::read`.
pub fn read(said: &[u8], is_over: bool) -> Result<Option<Response>, String> {
    let (mut out, mut errors, mut rest) = (Vec::new(), Vec::new(), said);
    while let &[version, kind, _, _, high, low, padding, _, ..] = rest {
        if version != 1 {
            return Err("the response is not FastCGI".to_owned());
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(content) = rest.get(8..8 + length) else { break };
        match kind {
            STDOUT => out.extend(content),
            STDERR => errors.extend(content),
            END => {
                return match content.get(4) {
                    Some(0) => response(&out, errors).map(Some),
                    Some(2) => Err("the pool has no free process".to_owned()),
                    _ => Err("the pool refused the request".to_owned()),
                };
            }
            _ => {}
        }
        rest = rest.get(8 + length + usize::from(padding)..).unwrap_or_default();
    }
    match (is_over, said.len()) {
        (true, 0) => Err("the connection closed without a response".to_owned()),
        (true, n) => Err(format!("the connection closed after {n} bytes of the response")),
        (false, n) if n > ANSWER_MAX => {
            Err(format!("the response is larger than {} MiB", ANSWER_MAX / 1024 / 1024))
        }
        (false, _) => Ok(None),
    }
}

/// Reads the output of a script (RFC 3875 §6): header fields, of which `Status` is optional, and a body.
fn response(out: &[u8], errors: Vec<u8>) -> Result<Response, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let (at, headers) = match httparse::parse_headers(out, &mut headers) {
        Ok(Status::Complete((at, headers))) => (at, fields(headers)),
        _ => return Err("the response has no headers".to_owned()),
    };
    let status = headers.iter().find(|(name, _)| name == "status").map(|(_, value)| value.as_str());
    let status = match status {
        None if headers.iter().any(|(name, _)| name == "location") => 302,
        None => 200,
        Some(text) => {
            let code = text.split(' ').next().and_then(|code| code.parse().ok());
            code.ok_or_else(|| format!("invalid status `{text}`"))?
        }
    };
    Ok(Response { status, headers, body: out[at..].to_vec(), errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> FastCgiRequest {
        FastCgiRequest {
            script: "/srv/app/public/index.php".to_owned(),
            target: "/up?a=b".to_owned(),
            method: "GET".to_owned(),
            host: "shop.example.com".to_owned(),
            is_https: true,
            headers: vec![("X-Probe".to_owned(), "1".to_owned())],
            params: vec![("APP_ENV".to_owned(), "x".repeat(200))],
            body: Vec::new(),
        }
    }

    #[test]
    fn a_pool_is_told_what_a_web_server_would_tell_it() {
        let environment = request().environment().unwrap();
        let has = |name: &str, value: &str| environment.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("SCRIPT_FILENAME", "/srv/app/public/index.php") && has("SCRIPT_NAME", "/index.php"));
        assert!(has("DOCUMENT_ROOT", "/srv/app/public") && has("REQUEST_URI", "/up?a=b"));
        assert!(has("QUERY_STRING", "a=b") && has("DOCUMENT_URI", "/up") && has("HTTP_X_PROBE", "1"));
        assert!(has("HTTPS", "on") && has("HTTP_HOST", "shop.example.com") && has("SERVER_PORT", "443"));
        let bytes = request().bytes().unwrap();
        assert_eq!(bytes[..16], [1, BEGIN, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let long = [&[7, 0x80, 0, 0, 200][..], b"APP_ENV", &[b'x'; 200]].concat();
        assert!(bytes.windows(long.len()).any(|part| part == long));
        assert_eq!(bytes[bytes.len() - 16..], [1, PARAMS, 0, 1, 0, 0, 0, 0, 1, STDIN, 0, 1, 0, 0, 0, 0]);
        let large = FastCgiRequest { body: vec![b'b'; 100_000], ..request() };
        assert_eq!(large.bytes().unwrap().len(), bytes.len() + 100_000 + 16 + 2 + 14 + 6);
    }

    #[test]
    fn an_answer_is_whole_at_its_end_wherever_it_is_cut() {
        let mut said = Vec::new();
        record(&mut said, STDERR, b"PHP Warning");
        record(&mut said, STDOUT, b"Status: 503 Busy\r\nX-Release: 7\r\n");
        // Padding as php-fpm adds it.
        said.extend([1, STDOUT, 0, 1, 0, 6, 2, 0]);
        said.extend(b"\r\nbody..");
        record(&mut said, END, &[0; 8]);
        for n in 0..said.len() {
            assert_eq!(read(&said[..n], false), Ok(None));
            assert!(read(&said[..n], true).is_err());
        }
        let response = read(&said, false).unwrap().unwrap();
        assert_eq!((response.status, response.header("x-release")), (503, Some("7")));
        assert_eq!((response.body, response.errors), (b"body".to_vec(), b"PHP Warning".to_vec()));
        let end = said.len() - 4;
        said[end] = 2;
        assert_eq!(read(&said, false), Err("the pool has no free process".to_owned()));
        assert!(read(b"HTTP/1.1 400 Bad Request\r\n", false).is_err());
    }
}
