//! Who calls, and what that caller may do.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Who the caller is to the daemon.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The actor, as journal records name it.
    pub actor: String,
    /// `operator`, `auditor`, `user`.
    pub roles: Vec<String>,
    /// `backdate`, `admin`.
    pub permissions: Vec<String>,
    /// Whose wallets a user has; absent for a caller that is not bound to an owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When the token stops counting; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Who issued the token; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client the token was issued to; absent on the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// What the caller wants to know whether it may do: an `action`, or a `method` and a `path`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CanIQuery {
    /// A word of `walletd authz`, such as `transfer` or `wallet freeze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// An HTTP method, with `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A path of the API, such as `/v1/wallets/w1/freeze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Whether the caller may do something. Rules about the money itself are another matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CanI {
    /// True if it may.
    pub allowed: bool,
    /// What, in a word.
    pub action: String,
    /// Its method.
    pub method: String,
    /// Its path, as OpenAPI writes it.
    pub path: String,
    /// `any` wallets, or only its `own`; absent where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallets: Option<String>,
    /// True if it may also give a past time here (permission `backdate`).
    pub backdate: bool,
    /// What it would need and has not, such as `one of the roles operator, user`; absent where it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
}

/// Where to sign in for this daemon: OAuth 2.0 Protected Resource Metadata (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProtectedResource {
    /// The URL that clients use, exactly.
    pub resource: String,
    /// Who issues tokens for it.
    pub authorization_servers: Vec<String>,
    /// How a token is sent: `header` only.
    pub bearer_methods_supported: Vec<String>,
    /// Its name for people.
    pub resource_name: String,
}
