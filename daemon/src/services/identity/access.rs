//! Why somebody was refused, for the caller and for the audit trail. Never what a token claimed.

use std::fmt;

/// Why somebody was not let in, or not let do something. A closed list: none of it is the caller's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// There is no token.
    NoToken,
    /// It is not a token of the form this daemon reads.
    Malformed,
    /// Its algorithm is none of RS256 and ES256, or not its key's.
    Algorithm,
    /// The issuer has no such key.
    UnknownKey,
    /// The signature does not fit: it was altered, or signed by somebody else.
    Signature,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// Another issuer made it.
    Issuer,
    /// It is for something else.
    Audience,
    /// It is no access token.
    Kind,
    /// It was issued to a client that is not allowed here.
    Client,
    /// It does not say whose it is.
    Subject,
    /// A user of this machine that the configuration does not name.
    UnknownPeer,
    /// The caller is known and may not do this.
    Forbidden,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::NoToken,
        Self::Malformed,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Expired,
        Self::NotYetValid,
        Self::Issuer,
        Self::Audience,
        Self::Kind,
        Self::Client,
        Self::Subject,
        Self::UnknownPeer,
        Self::Forbidden,
    ];

    /// The word that records and figures use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Kind => "kind",
            Self::Client => "client",
            Self::Subject => "subject",
            Self::UnknownPeer => "unknown_peer",
            Self::Forbidden => "forbidden",
        }
    }
}

/// For the caller: what is wrong, and none of its own words. Fit for a quoted string of a header.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToken => "there is no token",
            Self::Malformed => "it is not a signed token",
            Self::Algorithm => "its algorithm is not accepted",
            Self::UnknownKey => "its key is not one of the issuer's",
            Self::Signature => "its signature does not fit",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Issuer => "another issuer made it",
            Self::Audience => "it is meant for something else",
            Self::Kind => "it is not an access token",
            Self::Client => "it was issued to a client that is not allowed here",
            Self::Subject => "it does not say whose it is",
            Self::UnknownPeer => "this user of the machine is not configured",
            Self::Forbidden => "the caller may not do this",
        })
    }
}
