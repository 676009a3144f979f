//! Problems: RFC 9457 answers, and the one table that maps codes to statuses, exit codes and advice.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Exit codes of walletctl: a contract.
pub mod exit {
    /// Done, or replayed.
    pub const OK: u8 = 0;
    /// A bug.
    pub const BUG: u8 = 1;
    /// Usage or invalid input.
    pub const USAGE: u8 = 2;
    /// Not found.
    pub const NOT_FOUND: u8 = 3;
    /// Not signed in.
    pub const NOT_SIGNED_IN: u8 = 4;
    /// Forbidden.
    pub const FORBIDDEN: u8 = 5;
    /// Refused by a rule.
    pub const REFUSED: u8 = 6;
    /// Key reused with other content.
    pub const CONFLICT: u8 = 7;
    /// A batch finished or stopped with refusals or conflicts.
    pub const BATCH_REFUSALS: u8 = 8;
    /// Verification failed.
    pub const VERIFICATION: u8 = 9;
    /// Declined by the person.
    pub const DECLINED: u8 = 10;
    /// Outcome unknown.
    pub const UNKNOWN: u8 = 11;
    /// Nothing happened, try again.
    pub const TRY_AGAIN: u8 = 75;
    /// Configuration.
    pub const CONFIGURATION: u8 = 78;
    /// Interrupted before sending.
    pub const INTERRUPTED: u8 = 130;
}

/// One code of the table.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The code itself.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// walletctl's exit code.
    pub exit: u8,
    /// True if the same request may succeed later without a change.
    pub retryable: bool,
    /// What it means, in one line.
    pub title: &'static str,
    /// What to do.
    pub advice: &'static str,
}

macro_rules! codes {
    ($($code:literal $status:literal $exit:ident $retry:literal $title:literal $advice:literal;)*) => {
        /// Every code there is.
        pub const CODES: &[Code] = &[$(Code {
            code: $code, status: $status, exit: exit::$exit, retryable: $retry, title: $title, advice: $advice,
        }),*];
    };
}

codes! {
    "invalid_request" 400 USAGE false "The request is not understood" "Read the message: it names the field and what it must look like.";
    "invalid_amount" 400 USAGE false "The amount does not fit its asset" "Write digits with an optional point, at most as many behind it as the asset has (walletctl asset list); nothing is ever rounded.";
    "invalid_time" 400 USAGE false "The time is not usable" "Write YYYY-MM-DD, or RFC 3339 with an offset such as 2026-01-31T23:59:59Z; it must exist in the zone, and not lie in the future.";
    "key_missing" 400 USAGE false "A write came without an idempotency key" "Send the Idempotency-Key header; with walletctl, give --idempotency-key.";
    "unknown_asset" 400 USAGE false "The asset is not known" "walletctl asset list shows the known ones; walletctl asset register adds one.";
    "asset_exists" 422 REFUSED false "The asset exists already" "An asset's scale never changes. Choose another code.";
    "same_wallet" 400 USAGE false "From and to are the same wallet" "Name two wallets.";
    "effective_in_future" 400 USAGE false "The effective time lies in the future" "Money counts from now or from a past moment. Wait, or give an earlier time.";
    "before_opened" 422 REFUSED false "The effective time is before the wallet opened" "Give a time at or after the wallet's opened_at (walletctl wallet show).";
    "before_original" 422 REFUSED false "A reversal cannot count before its original" "Leave --effective-at out, or give a time at or after the original's.";
    "too_large" 413 USAGE false "The request is too large" "Send fewer commands at once; the limits are in the OpenAPI document.";
    "too_slow" 408 TRY_AGAIN true "Nothing happened: the request took too long to arrive" "Send it again; if it stays so, look at the network between client and daemon.";
    "not_found" 404 NOT_FOUND false "There is no such thing" "Check the id: it is compared byte by byte, capital letters included.";
    "unknown_wallet" 404 NOT_FOUND false "There is no such wallet" "Check the id: it is compared byte by byte, capital letters included. walletctl wallet list shows them.";
    "not_known_yet" 404 NOT_FOUND false "There was no such wallet then" "Ask as known at a later record or time (--known-at), or leave that out.";
    "unknown_transaction" 404 NOT_FOUND false "There is no such transaction" "walletctl tx list shows them; tx show --key finds one by its key.";
    "not_signed_in" 401 NOT_SIGNED_IN false "The caller is not known" "Sign in (walletctl auth login), or use the daemon's own socket as its user.";
    "forbidden" 403 FORBIDDEN false "The caller may not do this" "walletctl auth whoami shows who you are to the daemon, and what you may do.";
    "insufficient_funds" 422 REFUSED false "The wallet does not hold enough" "Lower the amount, pay money in first, or raise the wallet's limit (walletctl wallet set-limit).";
    "destination_refused" 422 REFUSED false "Money cannot be sent there" "Ask whoever is to be paid for the wallet's id and asset. Why is not told: it is their business.";
    "wallet_frozen" 422 REFUSED false "The wallet is frozen" "walletctl wallet show tells; walletctl wallet unfreeze lets money move again.";
    "wallet_closed" 422 REFUSED false "The wallet is closed" "A closed wallet never moves money again. Use another.";
    "asset_mismatch" 422 REFUSED false "The wallet holds another asset" "A wallet holds one asset. Use a wallet of this asset.";
    "wallet_exists" 422 REFUSED false "A wallet of this id exists" "Choose another id. The same key with the same content would have replayed.";
    "wrong_status" 422 REFUSED false "The wallet is not in a state for this" "walletctl wallet show tells its status.";
    "wallet_not_empty" 422 REFUSED false "The wallet is not empty" "Move its money out (or in) first: only a wallet at zero can be closed.";
    "limit_broken" 422 REFUSED false "The present balance is below the new limit" "Pay money in first, or choose a wider limit.";
    "balance_range" 422 REFUSED false "A balance would have more than 27 digits" "Split the money over several wallets.";
    "not_reversible" 422 REFUSED false "This cannot be reversed" "Only deposits, withdrawals and transfers can; a reversal is put right by a new transaction.";
    "already_reversed" 422 REFUSED false "It was reversed before" "walletctl tx show names the reversal.";
    "group_partly_applied" 422 REFUSED false "Part of an atomic group happened before" "Its keys were used by other requests. Make a new group of what is missing, with new keys for it.";
    "key_conflict" 409 CONFLICT false "The key was used for something else" "Use a new key for a new intent. The message names the field that differs and what has the key: a transaction (walletctl tx show), or another record (walletctl audit list).";
    "out_of_turn" 409 TRY_AGAIN true "Nothing happened: the batch it follows has not been answered" "Send the batch it names in `behind` first, or again; then this one, under the same key.";
    "verification_failed" 200 VERIFICATION false "Two records of the same thing differ" "Keep the data as it is and find out why: the message names the first record that differs.";
    "outcome_unknown" 504 UNKNOWN true "The answer was lost: it may or may not have happened" "Send it again with the same key, or walletctl intent resume: if it happened, it replays.";
    "unavailable" 503 TRY_AGAIN true "Nothing happened: a store is not available" "Try again. If it stays, look at the daemon's log.";
    "bad_gateway" 502 TRY_AGAIN true "Nothing happened: the server behind the gateway gave no usable answer" "Try again. If it stays, look at the daemon's log, and at Keycloak's.";
    "overloaded" 503 TRY_AGAIN true "Nothing happened: too many requests are waiting" "Try again after the time in Retry-After.";
    "shutting_down" 503 TRY_AGAIN true "Nothing happened: the daemon is stopping" "Try again when it is back.";
    "rate_limited" 429 TRY_AGAIN true "Nothing happened: too many requests" "Try again after the time in Retry-After.";
    "disk_full" 507 TRY_AGAIN true "Nothing happened: the ledger's disk is full" "Make room, then try again: the daemon goes on by itself.";
    "clock_skew" 503 TRY_AGAIN true "Nothing happened: the daemon's clock cannot be trusted" "Set the clock right (timedatectl). If the clock is right after a correction, restart walletd.";
    "unreachable" 0 TRY_AGAIN true "Nothing happened: the daemon does not answer" "Start it (walletd serve), or check the context (walletctl context show).";
    "untrusted_server" 0 CONFIGURATION false "Nothing happened: no trusted connection to the server" "Check the URL's host and port. If its certificate is of your own authority, name that: walletctl context set NAME --ca-file FILE.";
    "login_expired" 0 NOT_SIGNED_IN false "The sign-in was not finished in time" "Start again: walletctl auth login.";
    "login_denied" 0 DECLINED false "The sign-in was denied in the browser" "Start again (walletctl auth login), and grant access there.";
    "issuer_unavailable" 0 TRY_AGAIN true "Nothing happened: the issuer of tokens does not answer" "Try again. walletctl auth status names the issuer.";
    "issuer_changed" 0 CONFIGURATION false "The daemon names another issuer than before" "Ask whoever runs the daemon. If it is meant, confirm it at a terminal (walletctl auth login), or pin it: walletctl context set NAME --issuer URL.";
    "no_keyring" 0 CONFIGURATION false "There is no keyring that keeps tokens here" "Sign in with --insecure-storage to keep them in a file of mode 0600, or start a Secret Service such as gnome-keyring.";
    "configuration" 0 CONFIGURATION false "The configuration is not usable" "walletctl config show --origin (or walletd config check) names the setting and where it comes from.";
    "declined" 0 DECLINED false "Declined: nothing was sent" "Answer y to go on, or give --yes.";
    "interrupted" 0 INTERRUPTED false "Interrupted before anything was sent" "Run it again.";
    "batch_refusals" 0 BATCH_REFUSALS false "The batch has rows that were refused or in conflict" "walletctl batch report --failed writes them to a file that can be run again.";
    "batch_changed" 0 USAGE false "The batch file is not the one that was started" "Resume with the file as it was, or run the new file as a batch of its own.";
    "usage" 0 USAGE false "The command line is not understood" "Add --help for what it takes, with an example.";
    "no_api" 421 CONFIGURATION false "This daemon does not answer for money" "Ask a daemon that has the role api: walletctl context show tells which one is asked.";
    "method_not_allowed" 405 USAGE false "The path does not take this method" "See /openapi.json.";
    "internal" 500 BUG false "A fault in walletd" "Keep the request id and the daemon's log: this is a bug.";
    "corrupt" 500 VERIFICATION false "A store holds something that cannot be" "Stop, keep the files as they are, and run walletctl audit verify.";
}

/// The row of a code. An unknown one is treated as a bug.
pub fn code(name: &str) -> Code {
    const UNKNOWN: Code = Code {
        code: "internal",
        status: 500,
        exit: exit::BUG,
        retryable: false,
        title: "A fault",
        advice: "Keep the request id and the daemon's log: this is a bug.",
    };
    CODES.iter().find(|row| row.code == name).copied().unwrap_or(UNKNOWN)
}

/// An RFC 9457 problem, `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// `about:blank#CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means, in one line.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here.
    pub detail: String,
    /// The code: see `walletctl explain CODE`.
    pub code: String,
    /// True if the same request may succeed later without a change.
    pub retryable: bool,
    /// `not_applied` (certainly nothing happened) or `unknown`.
    pub outcome: String,
    /// For a conflict: the first field that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For a conflict: what has the key, a transaction's id or another record's number and kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<String>,
    /// This request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl Problem {
    /// A problem of a code in [`CODES`].
    pub fn new(name: &str, detail: impl Into<String>) -> Self {
        let row = code(name);
        Self {
            kind: format!("about:blank#{}", row.code),
            title: row.title.into(),
            status: row.status,
            detail: detail.into(),
            code: row.code.into(),
            retryable: row.retryable,
            outcome: if row.code == "outcome_unknown" { "unknown".into() } else { "not_applied".into() },
            field: None,
            existing: None,
            request_id: None,
            trace_id: None,
        }
    }

    /// walletctl's exit code for it.
    pub fn exit(&self) -> u8 {
        code(&self.code).exit
    }
}
