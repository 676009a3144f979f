//! The URL that clients use, taken apart: an origin, encrypted unless it is on loopback.

use std::{net::IpAddr, str::FromStr};

use axum::http::Uri;

/// `https://wallet.example`: what clients call the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https`, or `http` on loopback.
    pub scheme: &'static str,
    /// Host, with its port if that is not the scheme's own.
    pub authority: String,
    /// The port.
    pub port: u16,
}

/// It is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be https://HOST or https://HOST:PORT without a path; http is for loopback alone")]
pub struct PublicUrlError;

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError)?;
        let host = uri.host().ok_or(PublicUrlError)?;
        let (scheme, usual) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            Some("http") if is_loopback(host) => ("http", 80),
            _ => return Err(PublicUrlError),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(PublicUrlError)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(PublicUrlError);
        }
        let host = host.to_ascii_lowercase();
        let port = match (authority.port_u16(), authority.as_str().len() == host.len()) {
            (Some(port), _) => port,
            (None, true) => usual,
            // A colon with no port behind it, or one that is none.
            (None, false) => return Err(PublicUrlError),
        };
        let authority = if port == usual { host } else { format!("{host}:{port}") };
        Ok(Self { scheme, authority, port })
    }
}

impl PublicUrl {
    /// `https://wallet.example`, as a browser writes an origin.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin() {
        for (text, scheme, authority, port) in [
            ("https://wallet.example", "https", "wallet.example", 443),
            ("https://Wallet.Example:443/", "https", "wallet.example", 443),
            ("https://[2001:db8::1]:8443", "https", "[2001:db8::1]:8443", 8443),
            ("http://127.0.0.1:8420", "http", "127.0.0.1:8420", 8420),
            ("http://[::1]:8420", "http", "[::1]:8420", 8420),
            ("http://localhost", "http", "localhost", 80),
        ] {
            let expected = PublicUrl { scheme, authority: authority.into(), port };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "wallet.example",
            "/x",
            "ftp://x",
            "https://a@x",
            "https://x/y",
            "https://x/?y",
            "https://",
            "https://x:",
            "https://x:99999",
            "http://wallet.example",
            "http://127.0.0.1.example",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
