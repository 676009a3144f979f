//! The URL that clients use, taken apart.

use std::str::FromStr;

use axum::http::{Method, Uri};

use super::allowed::{PREFIX, Refused, route};

/// `https://wallet.example`: what clients call the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicUrl {
    /// `https`, or `http` on loopback.
    pub(super) scheme: &'static str,
    /// Host, with its port if it is not the scheme's own.
    pub(super) authority: String,
    /// The port.
    pub(super) port: u16,
}

/// The public URL is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gateway.public_url must be https://HOST or https://HOST:PORT (http on loopback alone), without a path")]
pub struct PublicUrlError;

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError)?;
        let (scheme, usual) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            Some("http") => ("http", 80),
            _ => return Err(PublicUrlError),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(PublicUrlError)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(PublicUrlError);
        }
        let authority = authority.as_str().to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(usual);
        let authority = authority.strip_suffix(&format!(":{usual}")).map(str::to_owned).unwrap_or(authority);
        Ok(Self { scheme, authority, port })
    }
}

impl PublicUrl {
    /// The issuer of a realm behind the gateway.
    pub(super) fn issuer(&self, realm: &str) -> String {
        format!("{}://{}{PREFIX}/realms/{realm}", self.scheme, self.authority)
    }

    /// True if a redirect leads to a page that is forwarded: nobody is sent away from here.
    pub(super) fn keeps(&self, realm: &str, location: &str) -> bool {
        let ours = format!("{}://{}", self.scheme, self.authority);
        let path = location.strip_prefix(&ours).unwrap_or(location);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let found = route(realm, &Method::GET, path);
        !matches!(found, Err(Refused::Malformed | Refused::Unknown | Refused::Method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin() {
        for (text, scheme, authority, port) in [
            ("https://wallet.example", "https", "wallet.example", 443),
            ("https://Wallet.Example:443/", "https", "wallet.example", 443),
            ("https://[::1]:8443", "https", "[::1]:8443", 8443),
            ("http://127.0.0.1:8420", "http", "127.0.0.1:8420", 8420),
        ] {
            let expected = PublicUrl { scheme, authority: authority.into(), port };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "wallet.example", "/x", "ftp://x", "https://a@x", "https://x/y", "https://x/?y", "https://"] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
        let public: PublicUrl = "https://wallet.example:443".parse().unwrap();
        assert_eq!(public.issuer("wallet"), "https://wallet.example/auth/realms/wallet");
    }

    #[test]
    fn redirects_stay_on_pages_that_are_forwarded() {
        let public: PublicUrl = "https://wallet.example".parse().unwrap();
        for good in [
            "https://wallet.example/auth/realms/wallet/device/status",
            "/auth/realms/wallet/login-actions/authenticate?session_code=%2F..;x",
            "https://wallet.example/auth/realms/wallet/device?user_code=A#top",
        ] {
            assert!(public.keeps("wallet", good), "{good}");
        }
        for bad in [
            "",
            "https://evil.example/auth/realms/wallet/device",
            "https://wallet.example.evil/auth/realms/wallet/device",
            "https://wallet.example@evil.example/auth/realms/wallet/device",
            "https://wallet.example:8443/auth/realms/wallet/device",
            "http://wallet.example/auth/realms/wallet/device",
            "//evil.example/auth/realms/wallet/device",
            "/\\evil.example",
            "auth/realms/wallet/device",
            "/auth/admin",
            "/auth/realms/master/device",
            "/v1/transfers",
            "javascript:alert(1)",
            "http://keycloak:8080/auth/realms/wallet/device",
        ] {
            assert!(!public.keeps("wallet", bad), "{bad}");
        }
    }
}
