//! Which headers pass between a client and Keycloak.
//!
//! Towards Keycloak a short list passes; everything that says where a request came from is ours alone,
//! whatever the client sent. Cookies are one line: HTTP/2 may send each by itself, HTTP/1.1 may not (RFC 9113, 8.2.3). Back, everything passes but what is about one connection, and what names the server.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::allowed::PREFIX;
use crate::config::PublicUrl;

/// What of a client's headers Keycloak sees.
const PASSED: [HeaderName; 12] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::ORIGIN,
    header::REFERER,
    header::USER_AGENT,
];

/// What is about one connection (RFC 9110, 7.6.1), or names what answers.
const KEPT_BACK: [HeaderName; 11] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::SERVER,
    header::VIA,
    header::ALT_SVC,
    HeaderName::from_static("keep-alive"),
];

/// The headers of the request to Keycloak.
pub(super) fn to_keycloak(client: &HeaderMap, address: IpAddr, public: &PublicUrl) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let hidden = named_by_connection(client);
    for name in PASSED.iter().filter(|name| !hidden.contains(name)) {
        for value in client.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
    let ours = [
        ("x-forwarded-for", address.to_string()),
        ("x-forwarded-host", public.authority.clone()),
        ("x-forwarded-port", public.port.to_string()),
        ("x-forwarded-prefix", PREFIX.to_owned()),
        ("x-forwarded-proto", public.scheme.to_owned()),
    ];
    for (name, value) in ours {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers
}

/// The headers of Keycloak's answer as the client gets them.
pub(super) fn to_client(keycloak: &HeaderMap) -> HeaderMap {
    let hidden = named_by_connection(keycloak);
    let mut headers = HeaderMap::with_capacity(keycloak.len());
    for (name, value) in keycloak {
        if !KEPT_BACK.contains(name) && !hidden.contains(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Headers that the sender itself calls a matter of its connection.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_says_where_a_request_came_from_is_ours_alone() {
        let client = map(&[
            ("host", "evil.example"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/admin"),
            ("x-forwarded-server", "evil.example"),
            ("x-forwarded-ssl", "off"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("forwarded", "for=127.0.0.1;host=evil.example"),
            ("x-real-ip", "127.0.0.1"),
            ("x-client-cert", "cert"),
            ("ssl-client-cert", "cert"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("expect", "100-continue"),
            ("accept", "text/html"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]);
        let public = "https://wallet.example:8443".parse().unwrap();
        let sent = to_keycloak(&client, "192.0.2.7".parse().unwrap(), &public);
        let expected = map(&[
            ("accept", "text/html"),
            ("cookie", "a=1; b=2"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "wallet.example:8443"),
            ("x-forwarded-port", "8443"),
            ("x-forwarded-prefix", "/auth"),
            ("x-forwarded-proto", "https"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn what_is_about_one_connection_stays_on_it() {
        let public = "https://wallet.example".parse().unwrap();
        let client = map(&[("connection", "close, Cookie"), ("cookie", "a=1"), ("accept", "*/*")]);
        let sent = to_keycloak(&client, "192.0.2.7".parse().unwrap(), &public);
        assert!(sent.contains_key("accept") && !sent.contains_key("cookie") && !sent.contains_key("connection"));
        let keycloak = map(&[
            ("connection", "keep-alive, x-inner"),
            ("keep-alive", "timeout=5"),
            ("x-inner", "secret"),
            ("transfer-encoding", "chunked"),
            ("server", "quarkus"),
            ("set-cookie", "a=1; Path=/auth/realms/wallet/"),
            ("set-cookie", "b=2; Path=/auth/realms/wallet/"),
            ("content-type", "text/html"),
            ("strict-transport-security", "max-age=31536000"),
        ]);
        let given = to_client(&keycloak);
        let names: Vec<_> = given.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["set-cookie", "content-type", "strict-transport-security"]);
        assert_eq!(given.get_all("set-cookie").iter().count(), 2);
    }
}
