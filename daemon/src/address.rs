//! A server's URL: `scheme://user:password@host:port,host:port/path?query`.
//!
//! Several hosts are what brokers and replica sets have and what the URL standard has no room for. The password is
//! kept, and shown by nothing but [`ServerUrl::password`] and [`ServerUrl::with_password`].

use std::{fmt, net::IpAddr, str::FromStr};

/// Where one server (or the first few of a cluster) is.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    scheme: String,
    user: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    path: String,
    query: String,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an address, without brackets.
    pub name: String,
    /// The port, if the URL has one.
    pub port: Option<u16>,
}

/// Why a text is no server's URL. The text is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// It does not begin with `scheme://`.
    #[error("it does not begin with a scheme and ://")]
    Scheme,
    /// It names no host.
    #[error("it names no host")]
    Host,
    /// A port is not a number up to 65535.
    #[error("a port is not a number up to 65535")]
    Port,
    /// A `%` is not followed by two hexadecimal digits, or what they make is not text.
    #[error("a % in it is not followed by two hexadecimal digits of UTF-8 text")]
    Percent,
}

impl ServerUrl {
    /// The part before `://`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user, decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, decoded.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The same with another password.
    #[must_use]
    pub fn having_password(mut self, password: String) -> Self {
        self.password = Some(password);
        self
    }

    /// The same with another path.
    #[must_use]
    pub fn having_path(mut self, path: String) -> Self {
        self.path = path;
        self
    }

    /// The hosts; at least one.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// `host:port` of each, with the port of those that have none.
    pub fn authorities(&self, port: u16) -> Vec<String> {
        self.hosts.iter().map(|host| authority(host, Some(host.port.unwrap_or(port)))).collect()
    }

    /// What is behind the hosts, without slashes around it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is behind the `?`, as written.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// True if every host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.hosts
            .iter()
            .all(|host| host.name == "localhost" || host.name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
    }

    /// The whole, password included, for a client that takes a URL.
    pub fn with_password(&self) -> String {
        self.text(self.password.as_deref().map(encoded).as_deref())
    }

    fn text(&self, password: Option<&str>) -> String {
        let mut text = format!("{}://", self.scheme);
        if let Some(user) = &self.user {
            text += &encoded(user);
        }
        if let Some(password) = password {
            text.push(':');
            text += password;
        }
        if self.user.is_some() || password.is_some() {
            text.push('@');
        }
        let hosts: Vec<_> = self.hosts.iter().map(|host| authority(host, host.port)).collect();
        text += &hosts.join(",");
        if !self.path.is_empty() || !self.query.is_empty() {
            text.push('/');
            text += &self.path;
        }
        if !self.query.is_empty() {
            text.push('?');
            text += &self.query;
        }
        text
    }
}

fn authority(host: &Host, port: Option<u16>) -> String {
    let name = if host.name.contains(':') { format!("[{}]", host.name) } else { host.name.clone() };
    port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
}

/// Shows where, never with which password.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(self.password.as_ref().map(|_| "***")))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({self})")
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(ServerUrlError::Scheme)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        if scheme.is_empty() || !scheme.chars().all(plain) {
            return Err(ServerUrlError::Scheme);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let (user, password) =
            match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
                Some((user, password)) => (Some(decoded(user)?), password.map(decoded).transpose()?),
                None => (None, None),
            };
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user: user.filter(|user| !user.is_empty()),
            password,
            hosts: hosts.split(',').map(host).collect::<Result<_, _>>()?,
            path: path.trim_matches('/').to_owned(),
            query: query.to_owned(),
        })
    }
}

fn host(text: &str) -> Result<Host, ServerUrlError> {
    let (name, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
    };
    if name.is_empty() {
        return Err(ServerUrlError::Host);
    }
    let port = port.map(|port| port.parse().map_err(|_| ServerUrlError::Port)).transpose()?;
    Ok(Host { name: name.to_owned(), port })
}

fn decoded(part: &str) -> Result<String, ServerUrlError> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).ok_or(ServerUrlError::Percent);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| ServerUrlError::Percent)?);
    }
    String::from_utf8(bytes).map_err(|_| ServerUrlError::Percent)
}

fn encoded(part: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
            continue;
        }
        text.push('%');
        for digit in [byte >> 4, byte & 15] {
            text.extend(DIGITS.get(usize::from(digit)).copied().map(char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn every_part_is_found() {
        let url = url("mongodb://ana:s%40cret@one:27017,[::1]:2,three/wallet?replicaSet=r");
        assert_eq!((url.scheme(), url.user(), url.password()), ("mongodb", Some("ana"), Some("s@cret")));
        assert_eq!(url.authorities(9), ["one:27017", "[::1]:2", "three:9"]);
        assert_eq!((url.path(), url.query()), ("wallet", "replicaSet=r"));
        assert_eq!(url.with_password(), "mongodb://ana:s%40cret@one:27017,[::1]:2,three/wallet?replicaSet=r");
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = url("postgres://ana@localhost:5432/wallet").having_password("p/w:@".into());
        assert_eq!(url.to_string(), "postgres://ana:***@localhost:5432/wallet");
        assert_eq!(format!("{url:?}"), "ServerUrl(postgres://ana:***@localhost:5432/wallet)");
        assert_eq!(self::url(&url.with_password()).password(), Some("p/w:@"));
    }

    #[test]
    fn loopback_means_every_host() {
        assert!(url("kafka://127.0.0.1:1,localhost:2/wallet").is_loopback());
        assert!(url("redis://[::1]:1/0").is_loopback());
        assert!(!url("kafka://127.0.0.1:1,broker:2/wallet").is_loopback());
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (text, why) in [
            ("localhost:5432", ServerUrlError::Scheme),
            ("postgres:///wallet", ServerUrlError::Host),
            ("postgres://a:b@/wallet", ServerUrlError::Host),
            ("kafka://a:1,,b:2/x", ServerUrlError::Host),
            ("redis://a:port/0", ServerUrlError::Port),
            ("redis://a%zz:b@c/0", ServerUrlError::Percent),
        ] {
            assert_eq!(text.parse::<ServerUrl>(), Err(why), "{text}");
        }
    }
}
