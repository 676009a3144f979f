//! Where an answer of Keycloak may send a browser: to a page that is forwarded, nowhere else.

use axum::http::Method;

use super::allowed::route;
use crate::config::PublicUrl;

/// True if a `Location` leads to a page that is forwarded.
pub(super) fn stays(public: &PublicUrl, realm: &str, location: &str) -> bool {
    let path = location.strip_prefix(&public.origin()).unwrap_or(location);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    route(realm, &Method::GET, path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_pages_that_are_forwarded() {
        let public: PublicUrl = "https://wallet.example".parse().unwrap();
        for good in [
            "https://wallet.example/auth/realms/wallet/device/status",
            "/auth/realms/wallet/login-actions/authenticate?session_code=%2F..;x",
            "https://wallet.example/auth/realms/wallet/device?user_code=A#top",
        ] {
            assert!(stays(&public, "wallet", good), "{good}");
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
            "/auth/realms/wallet/protocol/openid-connect/token",
            "/v1/transfers",
            "javascript:alert(1)",
            "http://keycloak:8080/auth/realms/wallet/device",
        ] {
            assert!(!stays(&public, "wallet", bad), "{bad}");
        }
    }
}
