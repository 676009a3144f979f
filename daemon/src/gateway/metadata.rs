//! Where to sign in: protected resource metadata (RFC 9728), and the challenge of a 401 (RFC 6750) that leads there.

use std::sync::{Arc, OnceLock};

use axum::http::HeaderValue;
use wallet_api::types::ProtectedResource;

use super::source::Source;
use crate::{address::ServerUrl, services::identity::Reason};

/// Where the metadata is.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// This program, for people.
const NAME: &str = "walletd";

/// What is told about signing in.
#[derive(Debug, Default)]
pub struct Metadata {
    issuer: Option<String>,
    public_url: Option<String>,
    listening: OnceLock<String>,
}

impl Metadata {
    /// Of this issuer, at this URL.
    pub fn of(issuer: Option<&str>, public_url: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            issuer: issuer.map(str::to_owned),
            public_url: public_url.map(str::to_owned),
            listening: OnceLock::new(),
        })
    }

    /// The URL of the listener itself, once it is bound: what a caller on the socket is told where no public URL is configured.
    pub fn listening(&self, url: String) {
        // Bound once; a second word would be the same.
        drop(self.listening.set(url));
    }

    /// The URL that clients use: the configured one; without it, the one that a client on this machine used.
    fn resource(&self, source: Source, host: Option<&str>) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.clone());
        }
        let Source::Tcp(remote) = source else { return self.listening.get().cloned() };
        let url = format!("{}://{}", if remote.secure { "https" } else { "http" }, host?);
        let parsed: ServerUrl = url.parse().ok()?;
        let plain = parsed.is_loopback() && parsed.user().is_none() && parsed.path().is_empty();
        (plain && parsed.hosts().len() == 1 && !url.contains(['?', '#', '"', '\\'])).then_some(url)
    }

    /// The document; none while no issuer is configured, or nobody knows this daemon's URL.
    pub(super) fn document(&self, source: Source, host: Option<&str>) -> Option<ProtectedResource> {
        Some(ProtectedResource {
            resource: self.resource(source, host)?,
            authorization_servers: vec![self.issuer.clone()?],
            bearer_methods_supported: vec!["header".into()],
            resource_name: NAME.into(),
        })
    }

    /// The header of a 401. Without a token there is no error, only the way to get one.
    pub(super) fn challenge(&self, source: Source, host: Option<&str>, reason: Option<Reason>) -> HeaderValue {
        let mut parts = Vec::new();
        if let Some(reason) = reason {
            parts.push("error=\"invalid_token\"".to_owned());
            parts.push(format!("error_description=\"{reason}\""));
        }
        if self.issuer.is_some()
            && let Some(resource) = self.resource(source, host)
        {
            parts.push(format!("resource_metadata=\"{resource}{WELL_KNOWN}\""));
        }
        let text = if parts.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parts.join(", ")) };
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::source::Remote, *};

    const ISSUER: Option<&str> = Some("https://id.example/realms/wallet");

    fn tcp(secure: bool) -> Source {
        Source::Tcp(Remote { address: "127.0.0.1".parse().unwrap(), secure })
    }

    fn resource(metadata: &Metadata, host: &str) -> Option<String> {
        metadata.document(tcp(false), Some(host)).map(|document| document.resource)
    }

    #[test]
    fn the_resource_is_the_configured_url_to_the_letter() {
        let metadata = Metadata::of(ISSUER, Some("https://wallet.example"));
        assert_eq!(resource(&metadata, "127.0.0.1:1").as_deref(), Some("https://wallet.example"));
        let challenge = metadata.challenge(tcp(true), None, None);
        assert_eq!(
            challenge.to_str().unwrap(),
            "Bearer resource_metadata=\"https://wallet.example/.well-known/oauth-protected-resource\""
        );
    }

    #[test]
    fn without_a_configured_url_only_this_machine_is_told_one() {
        let metadata = Metadata::of(ISSUER, None);
        assert_eq!(resource(&metadata, "localhost:8080").as_deref(), Some("http://localhost:8080"));
        assert_eq!(resource(&metadata, "[::1]:8080").as_deref(), Some("http://[::1]:8080"));
        for host in [
            "evil.example",
            "evil.example:80",
            "localhost@evil.example",
            "a,localhost",
            "localhost/x",
            "localhost\"x",
            "",
        ] {
            assert_eq!(resource(&metadata, host), None, "{host}");
        }
    }

    #[test]
    fn a_caller_on_the_socket_is_told_where_tcp_is() {
        let metadata = Metadata::of(ISSUER, None);
        let socket = Source::Socket(super::super::source::Peer { uid: 1, gid: 1 });
        assert!(metadata.document(socket, Some("localhost")).is_none());
        metadata.listening("http://127.0.0.1:7777".into());
        assert_eq!(metadata.document(socket, None).unwrap().resource, "http://127.0.0.1:7777");
    }

    #[test]
    fn a_refused_token_is_told_why_in_words_of_ours() {
        let metadata = Metadata::of(ISSUER, Some("https://wallet.example"));
        for reason in Reason::ALL {
            let challenge = metadata.challenge(tcp(true), None, Some(reason));
            let text = challenge.to_str().unwrap();
            assert!(text.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{text}");
            assert_eq!(text.matches('"').count(), 6, "{text}");
        }
    }
}
