//! HTTP/1.1 (RFC 9112), one request per connection.

use anyhow::{Result, bail};
use httparse::Status;

use super::address::Address;
use super::message::{Response, check_header, check_method};
use crate::event::Report;

/// The maximum number of header fields in a response: more than any server sends.
const HEADERS_MAX: usize = 200;
/// Limits for the head and the body of a response, in bytes: no health page is as large.
const HEAD_MAX: usize = 256 * 1024;
pub const BODY_MAX: usize = 16 * 1024 * 1024;

/// The address of a request, its host and its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub address: Address,
    /// For the `Host` header, unless another is given.
    pub authority: String,
    /// Path and query.
    pub target: String,
    pub is_https: bool,
}

impl Url {
    /// Reads `http://HOST[:PORT][/PATH]`, the same with `https://`, or `http://unix:/PATH/OF/SOCKET:/PATH` as nginx has
    /// it. A name with `https` is requested at the host's own 127.0.0.1: its certificate is not judged, so nobody else
    /// must answer.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Report::new(format!("cannot send a request to `{text}`: {why}")).hint(
                "use `https://example.com/up`, `http://127.0.0.1:8080/up` or `http://unix:/run/app.sock:/up`",
            )
        };
        let (is_https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => bail!(wrong("it must begin with `https://` or `http://`")),
        };
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            bail!(wrong("it contains a space or a control character"));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (address, authority, target) = match rest.strip_prefix("unix:") {
            Some(rest) => {
                let (path, target) = rest.split_once(":/").unwrap_or((rest, ""));
                if !path.starts_with('/') {
                    bail!(wrong("the path of the socket must begin with `/`"));
                }
                (Address::unix(path)?, "localhost", target)
            }
            None => {
                let at = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, target) = rest.split_at(at);
                let Some(address) = server(authority, if is_https { 443 } else { 80 }) else {
                    bail!(wrong(&format!("`{authority}` is not a valid host")));
                };
                let address = if is_https { address.of_this_host() } else { address };
                (address, authority, target.strip_prefix('/').unwrap_or(target))
            }
        };
        let target = format!("/{}", encoded(target));
        Ok(Self { address, authority: authority.to_owned(), target, is_https })
    }

    /// The name without a port.
    pub fn name(&self) -> &str {
        without_port(&self.authority)
    }
}

/// `HOST` or `HOST:PORT`.
fn server(authority: &str, default_port: u16) -> Option<Address> {
    match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => Address::tcp(host, port.parse().ok()?),
        None => Address::tcp(authority, default_port),
    }
}

/// `HOST` of `HOST:PORT`, without the brackets of an IPv6 address.
fn without_port(authority: &str) -> &str {
    let host = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, _)) => host,
        None => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Percent-encodes what must not occur in a URL (RFC 3986 §2.1).
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[derive(Debug, Clone)]
pub struct HttpRequest {
    pub url: Url,
    pub method: String,
    /// For the `Host` header, in place of the URL's.
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The name to ask for by TLS, if the request is to be encrypted.
    pub fn tls(&self) -> Option<String> {
        let name = self.host.as_deref().map_or(self.url.name(), without_port);
        self.url.is_https.then(|| name.to_owned())
    }

    pub fn bytes(&self) -> Result<Vec<u8>> {
        check_method(&self.method)?;
        let host = self.host.as_deref().unwrap_or(&self.url.authority).to_owned();
        let mut headers = vec![
            ("Host".to_owned(), host),
            ("User-Agent".to_owned(), concat!("runner/", env!("CARGO_PKG_VERSION")).to_owned()),
            ("Accept".to_owned(), "*/*".to_owned()),
        ];
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            headers.push(("Content-Length".to_owned(), self.body.len().to_string()));
        }
        // A header that the recipe gives replaces ours.
        let is_given = |name: &str| self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        headers.retain(|(name, _)| !is_given(name));
        headers.extend(self.headers.iter().cloned());
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
        headers.push(("Connection".to_owned(), "close".to_owned()));
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.url.target).into_bytes();
        for (name, value) in &headers {
            check_header(name, value)?;
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        Ok(bytes)
    }
}

/// As `Protocol::read`.
pub fn read(said: &[u8], is_over: bool, is_head: bool) -> Result<Option<Response>, String> {
    let mut rest = said;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let n = match head.parse(rest) {
            Ok(Status::Complete(n)) => n,
            Ok(Status::Partial) if is_over && said.is_empty() => {
                return Err("the connection closed without a response".to_owned());
            }
            Ok(Status::Partial) if is_over => {
                return Err("the connection closed within the headers".to_owned());
            }
            Ok(Status::Partial) if rest.len() > HEAD_MAX => return Err("the headers are too long".to_owned()),
            Ok(Status::Partial) => return Ok(None),
            Err(error) => return Err(format!("the response is not HTTP: {error}")),
        };
        let status = head.code.unwrap_or_default();
        rest = &rest[n..];
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let response = Response { status, headers: fields(head.headers), ..Response::default() };
        let has_body = !is_head && !matches!(status, 101 | 204 | 304);
        let body = if has_body { body(&response, rest, is_over)? } else { Some(Vec::new()) };
        return Ok(body.map(|body| Response { body, ..response }));
    }
}

pub(super) fn fields(headers: &[httparse::Header]) -> Vec<(String, String)> {
    let text = |header: &httparse::Header| String::from_utf8_lossy(header.value).into_owned();
    headers.iter().map(|header| (header.name.to_ascii_lowercase(), text(header))).collect()
}

/// The body; RFC 9112 §6.3 says how long it is.
fn body(response: &Response, rest: &[u8], is_over: bool) -> Result<Option<Vec<u8>>, String> {
    let is_chunked = response.header("transfer-encoding").is_some_and(|value| {
        value.rsplit(',').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
    });
    let body = if is_chunked {
        chunks(rest)?
    } else if let Some(length) = response.header("content-length") {
        let length: usize =
            length.trim().parse().map_err(|_| format!("invalid content length `{length}`"))?;
        check_size(length)?;
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        check_size(rest.len())?;
        return Ok(is_over.then(|| rest.to_vec()));
    };
    match body {
        None if is_over => Err(format!("the connection closed after {} bytes of the body", rest.len())),
        body => Ok(body),
    }
}

pub fn check_size(length: usize) -> Result<(), String> {
    match length > BODY_MAX {
        true => Err(format!("the body is larger than {} MiB", BODY_MAX / 1024 / 1024)),
        false => Ok(()),
    }
}

/// The content of a chunked body (RFC 9112 §7.1), once its last chunk has arrived. Trailers are ignored.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let (at, length) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete((at, length))) => (at, length),
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err("a chunk of the body has no valid size".to_owned()),
        };
        if length == 0 {
            return Ok(Some(body));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        check_size(body.len().saturating_add(length))?;
        let Some(chunk) = rest.get(at..at + length) else {
            return Ok(None);
        };
        body.extend(chunk);
        rest = rest.get(at + length + 2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn request(url: &str) -> HttpRequest {
        let url = Url::parse(url).unwrap();
        HttpRequest { url, method: "GET".to_owned(), host: None, headers: Vec::new(), body: Vec::new() }
    }

    #[test]
    fn urls_say_where_and_what() {
        for (text, want) in [
            ("http://127.0.0.1", "127.0.0.1:80 127.0.0.1 /"),
            ("http://localhost:8080/up?a=b#c", "localhost:8080 localhost:8080 /up?a=b"),
            ("http://[::1]:8080/", "[::1]:8080 [::1]:8080 /"),
            ("http://[::1]/a", "[::1]:80 [::1] /a"),
            ("http://shop?x", "shop:80 shop /?x"),
            ("http://unix:/run/app.sock:/up", "/run/app.sock localhost /up"),
            ("http://unix:/run/app.sock", "/run/app.sock localhost /"),
            ("http://a/caf\u{e9}", "a:80 a /caf%C3%A9"),
            ("https://shop.example.com/up", "127.0.0.1:443 shop.example.com /up"),
            ("https://shop.example.com:8443", "127.0.0.1:8443 shop.example.com:8443 /"),
            ("https://10.0.0.9/", "10.0.0.9:443 10.0.0.9 /"),
            ("https://[::1]:8443/", "[::1]:8443 [::1]:8443 /"),
        ] {
            let Url { address, authority, target, is_https } = Url::parse(text).unwrap();
            assert_eq!(format!("{address} {authority} {target}"), want);
            assert_eq!(is_https, text.starts_with("https"));
        }
        let text = |text| format!("{:#}", Url::parse(text).unwrap_err());
        for wrong in
            ["ftp://a/", "a/b", "http://", "http://a b/", "http://a@b/", "http://a:x/", "http://unix:a"]
        {
            assert!(
                text(wrong).contains(&format!("cannot send a request to `{wrong}`: ")),
                "{}",
                text(wrong)
            );
        }
    }

    #[test]
    fn a_request_has_what_a_server_needs_and_what_a_recipe_says() {
        let mut request = request("http://127.0.0.1:8080/up");
        request.host = Some("shop.example.com".to_owned());
        request.headers =
            vec![("accept".to_owned(), "text/html".to_owned()), ("X-A".to_owned(), "b".to_owned())];
        let text =
            |request: &HttpRequest| String::from_utf8(request.bytes().unwrap()).unwrap().replace('\r', "");
        expect![[r#"
            GET /up HTTP/1.1
            Host: shop.example.com
            User-Agent: runner/0.1.0
            accept: text/html
            X-A: b
            Connection: close

        "#]]
        .assert_eq(&text(&request));
        request.method = "POST".to_owned();
        request.body = b"a=1".to_vec();
        assert!(text(&request).ends_with("Connection: close\n\na=1"));
        assert!(text(&request).contains("\nContent-Length: 3\n"));
        request.method = "GET /\r\n".to_owned();
        assert!(request.bytes().is_err());
    }

    #[test]
    fn an_answer_is_whole_when_it_says_so_wherever_it_is_cut() {
        let texts: [(&str, &str); 5] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"),
            (
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                "404 hello",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", "204 "),
            ("HTTP/1.0 500 Oh\r\ncontent-length: 0\r\n\r\n", "500 "),
            ("HTTP/1.1 101 Switching\r\n\r\n", "101 "),
        ];
        for (text, want) in texts {
            let bytes = text.as_bytes();
            let got = |n: usize, is_over| {
                let read = read(&bytes[..n], is_over, false);
                read.map(|response| {
                    response.map(|r| format!("{} {}", r.status, String::from_utf8(r.body).unwrap()))
                })
            };
            let whole = (0..=bytes.len()).find(|&n| got(n, false).unwrap().is_some()).unwrap();
            // The last line end of a chunked body may come or not.
            assert!(bytes.len() - whole <= 2, "{text}");
            for n in 0..whole {
                assert!(got(n, true).is_err(), "{n} of {text}");
            }
            assert_eq!(got(bytes.len(), false).unwrap().unwrap(), want);
        }
        let open = b"HTTP/1.1 200 OK\r\n\r\nhello";
        assert_eq!(read(open, false, false), Ok(None));
        assert_eq!(read(open, true, false).unwrap().unwrap().body, b"hello");
        assert!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false, true).unwrap().is_some());
        for bad in [
            &b"SSH-2.0-x\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        ] {
            assert!(read(bad, false, false).is_err());
        }
    }
}
