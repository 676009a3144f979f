//! Where a daemon listens, and which URLs may carry anything worth keeping.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use reqwest::Url;

use super::ClientError;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Its Unix socket.
    Socket(PathBuf),
    /// `http://HOST:PORT` with a loopback host: there is no encryption, so nothing else is accepted.
    Http(String),
    /// `https://HOST[:PORT]`.
    Https(String),
}

impl Endpoint {
    /// Its URL, as it was given; none for a socket.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Socket(_) => None,
            Self::Http(url) | Self::Https(url) => Some(url),
        }
    }
}

impl FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(text.into()));
        }
        let wrong = |why: &str| ClientError::Endpoint(format!("{text}: {why}"));
        if !text.contains("://") {
            return Err(wrong("must be a socket's absolute path, https://, or http:// and a loopback address"));
        }
        let url = secure(text).map_err(|why| wrong(&why))?;
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !bare || url.fragment().is_some() || url.path() != "/" {
            return Err(wrong("must have no path, query, user or password"));
        }
        let kept = text.trim_end_matches('/').to_owned();
        Ok(if url.scheme() == "https" { Self::Https(kept) } else { Self::Http(kept) })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Http(url) | Self::Https(url) => f.write_str(url),
        }
    }
}

/// A URL that may carry tokens: https, or http that never leaves this machine. What is wrong with it otherwise.
pub fn secure(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err("must be https://, or http:// and a loopback address such as 127.0.0.1:7117".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_https_and_loopback_addresses_are_endpoints() {
        for good in [
            "/run/walletd.sock",
            "http://127.0.0.1:7117",
            "http://[::1]:7117/",
            "http://localhost:80",
            "https://wallet.example",
            "https://wallet.example:8443/",
            "https://127.0.0.1",
        ] {
            assert!(good.parse::<Endpoint>().is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1:80",
            "http://me:secret@127.0.0.1",
            "https://me:secret@wallet.example",
            "https://wallet.example/v1",
            "https://wallet.example?x=1",
            "https://wallet.example/#x",
            "http://127.0.0.1/v1",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "walletd.sock",
            "",
        ] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_kept_as_it_was_given_but_for_its_last_slash() {
        let endpoint: Endpoint = "https://wallet.example:443/".parse().unwrap();
        assert_eq!(endpoint.url(), Some("https://wallet.example:443"));
    }
}
