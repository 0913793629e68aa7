//! The target of a redirect (RFC 9110 §10.2.2), and the headers that may go to it.

use ureq::http::Uri;

/// Headers that carry credentials even if the recipe did not mark them as secret.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Whether a header may be sent to another origin, too.
pub fn may_cross(name: &str, has_secret: bool) -> bool {
    !has_secret && !CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential))
}

/// The scheme, the host and the port: what one server answers for (RFC 6454).
pub fn origin(uri: &Uri) -> (String, String, u16) {
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    (scheme, uri.host().unwrap_or_default().to_ascii_lowercase(), port)
}

/// Resolves a `Location` header of a response from `uri`. `None` if it is not a valid URL.
pub fn target(uri: &Uri, location: &str) -> Option<Uri> {
    let scheme = uri.scheme_str()?;
    let authority = uri.authority()?.as_str().rsplit('@').next()?;
    let location = location.split('#').next().unwrap_or_default();
    let has_scheme = ["http://", "https://"]
        .iter()
        .any(|scheme| location.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let directory = || uri.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    let text = match location {
        _ if has_scheme => location.to_owned(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ if location.starts_with('?') => format!("{scheme}://{authority}{}{location}", uri.path()),
        _ => format!("{scheme}://{authority}{}/{location}", directory()),
    };
    // A user there would be one that the server chose.
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let server = authority.rsplit('@').next().unwrap_or_default();
    let uri: Uri = format!("{scheme}://{server}{path}").parse().ok()?;
    uri.host().is_some_and(|host| !host.is_empty()).then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_relative_to_where_it_came_from() {
        for (location, want) in [
            ("/b", "https://a.example:8443/b"),
            ("b?c=d#e", "https://a.example:8443/x/b?c=d"),
            ("?q", "https://a.example:8443/x/y?q"),
            ("//b.example/c", "https://b.example/c"),
            ("HTTP://b.example", "http://b.example/"),
            ("https://", ""),
            ("https://eve:pass@b.example/c@d", "https://b.example/c@d"),
            ("", "https://a.example:8443/x/"),
        ] {
            let from: Uri = "https://ann:pass@a.example:8443/x/y?z".parse().unwrap();
            let got = target(&from, location).map(|uri| uri.to_string());
            assert_eq!(got.unwrap_or_default(), want, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let is_same = |a: &str, b: &str| origin(&a.parse().unwrap()) == origin(&b.parse().unwrap());
        assert!(is_same("https://a.example/x", "https://A.example:443/y"));
        assert!(!is_same("https://a.example/", "http://a.example/"));
        assert!(!is_same("https://a.example/", "https://a.example:8443/"));
        assert!(!is_same("https://a.example/", "https://b.a.example/"));
    }

    #[test]
    fn credentials_and_secrets_stay_with_their_origin() {
        assert!(may_cross("accept", false));
        assert!(!may_cross("accept", true));
        assert!(!may_cross("Authorization", false));
        assert!(!may_cross("Cookie", false));
    }
}
