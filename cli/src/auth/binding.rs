//! What a login belongs to.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The client people sign in with, unless the context names another.
pub const USUAL_CLIENT: &str = "walletctl";

/// What a login belongs to: it is of no use for anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The daemon's URL, as walletctl was given it.
    pub resource: String,
    /// Who issues the tokens.
    pub issuer: String,
    /// Whom they are issued to.
    pub client: String,
}

impl Binding {
    /// A name for files and keyrings.
    pub fn id(&self) -> String {
        let parts = [&self.resource, &self.issuer, &self.client];
        let hash = parts.into_iter().fold(Sha256::new(), |hash, part| hash.chain_update(part).chain_update([0]));
        hash.finalize().iter().take(16).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_resource_issuer_or_client_is_another_login() {
        let of = |resource: &str, issuer: &str, client: &str| {
            Binding { resource: resource.into(), issuer: issuer.into(), client: client.into() }.id()
        };
        let one = of("https://a", "https://i", "walletctl");
        assert_eq!(one, of("https://a", "https://i", "walletctl"));
        for other in [
            of("https://a:443", "https://i", "walletctl"),
            of("https://a", "https://i/", "walletctl"),
            of("https://a", "https://i", "wallet"),
            of("https://ah", "ttps://i", "walletctl"),
        ] {
            assert_ne!(one, other);
        }
    }
}
