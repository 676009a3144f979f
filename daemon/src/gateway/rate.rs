//! The rate limits of the edge, in layers.
//!
//! 1. **Address**, before anything: every request takes one.
//! 2. **Signing in**, before authentication: an address whose bucket is empty is not listened to, nor is a client behind
//!    it; a token that was verified before passes all the same, and pays nothing for it. Refused tokens and failed attempts take several, other attempts one, a token that is good nothing. While somebody
//!    signs in, "not yet" is free up to a budget.
//! 3. **Subject**, after verification only: a name that somebody merely claims limits nobody, so nobody can lock out
//!    somebody else. For the same reason what a client says about itself never is a key by itself, only behind its address.
//!
//! The socket has one layer, the user, whom the kernel vouches for. It is of this process alone: its callers are on this
//! machine and every daemon has a socket of its own, so there is nothing to share, and a call to a server for each request
//! would cost more than what is limited.
//!
//! A refusal on TCP is held back a little, so that a client that does not wait sends no more than its connections allow. So
//! many at most; beyond that they are answered at once.

mod sign_ins;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::sync::Semaphore;
use wallet_api::problem::Problem;
use wallet_core::ports::{Rate, RateLimiter, Sharing, Take, Verdict};

pub use self::sign_ins::SignIns;
use super::{
    fault::Fault,
    source::{Remote, Source},
};
use crate::{
    metrics::figures,
    services::{
        access::{AccessEvent, Limit},
        identity::Caller,
    },
};

/// Refusals held back at a time: each is a parked task of some kilobytes.
const MAX_HELD: usize = 1_024;
/// A longer token is not looked into for its client.
const MAX_TOKEN: usize = 16 << 10;
/// A longer name of a client is nobody's.
const MAX_CLIENT: usize = 128;
/// The client of a request that names none.
const NO_CLIENT: &str = "-";
/// Bits of an IPv6 address that are one caller: what one subscriber gets at least.
const V6_CALLER: u32 = 64;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The bucket of answers "not yet": it stops nobody.
const PENDING: &str = "pending";

/// How fast each bucket fills, and what failures cost.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Of a user on the socket.
    pub socket: Rate,
    /// Of an address.
    pub address: Rate,
    /// Of an address, for signing in.
    pub sign_in: Rate,
    /// Of a client behind an address, for signing in.
    pub client: Rate,
    /// Of a client behind an address, for answers "not yet".
    pub pending: Rate,
    /// Of a subject.
    pub subject: Rate,
    /// What a failure takes.
    pub failure_cost: u32,
    /// How long a refusal on TCP is held back.
    pub refusal_delay: Duration,
}

/// A request that comes too soon.
#[derive(Clone, Copy, Debug)]
pub struct TooSoon {
    limit: Limit,
    rate: Rate,
    wait: Duration,
}

/// See the module.
pub struct RateLimits {
    /// Of this process alone.
    local: Arc<dyn RateLimiter>,
    /// All replicas', if there is a server for it.
    shared: Arc<dyn RateLimiter>,
    rates: Rates,
    figures: Arc<figures::Limited>,
    held: Semaphore,
}

/// The text of an address: the subscriber's network for IPv6; an IPv4 address written as IPv6 is that address.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - V6_CALLER)));
            format!("{network}/{V6_CALLER}")
        }
    }
}

/// Which client a token says it is of. Not verified: good for nothing but a bucket behind an address.
fn claimed_client(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        azp: String,
    }
    if token.len() > MAX_TOKEN {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claimed>(token).ok().map(|claimed| claimed.azp)
}

fn named(client: Option<&str>) -> &str {
    let good = |name: &&str| (1..=MAX_CLIENT).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    client.filter(good).unwrap_or(NO_CLIENT)
}

impl RateLimits {
    /// Over these limiters.
    pub fn new(
        local: Arc<dyn RateLimiter>,
        shared: Arc<dyn RateLimiter>,
        rates: Rates,
        figures: Arc<figures::Limited>,
    ) -> Self {
        Self { local, shared, rates, figures, held: Semaphore::new(MAX_HELD) }
    }

    /// Who has a part in the limits.
    pub fn sharing(&self) -> Sharing {
        self.shared.sharing()
    }

    /// A request arrives. Nothing is known but where from.
    pub async fn arrived(&self, source: &Source) -> Result<(), TooSoon> {
        match source {
            Source::Socket(peer) => {
                let whose = peer.uid.to_string();
                take(&*self.local, [stops(Limit::Socket, &whose, self.rates.socket, 1)]).await
            }
            Source::Tcp(remote) => {
                let whose = place(remote.address);
                take(&*self.shared, [stops(Limit::Address, &whose, self.rates.address, 1)]).await
            }
        }
    }

    /// A token (or none) is about to be judged.
    pub async fn may_try(&self, remote: &Remote, token: Option<&str>) -> Result<(), TooSoon> {
        let whose = place(remote.address);
        let (limit, of_address) = stops(Limit::SignIn, &whose, self.rates.sign_in, 0);
        match self.shared.take(&[of_address]).await {
            // Nothing has failed there for a while: there is no client to look at either.
            Verdict::Allowed { left } if left == self.rates.sign_in.burst() => Ok(()),
            Verdict::Allowed { .. } => {
                let claimed = token.and_then(claimed_client);
                take(&*self.shared, [self.of_client(&whose, claimed.as_deref(), 0)]).await
            }
            Verdict::Wait { wait, .. } => Err(TooSoon { limit, rate: self.rates.sign_in, wait }),
        }
    }

    /// The token was refused; without one, nobody tried to guess anything.
    pub async fn refused(&self, remote: &Remote, token: Option<&str>) {
        let whose = place(remote.address);
        let claimed = token.and_then(claimed_client);
        let cost = if token.is_some() { self.rates.failure_cost } else { 1 };
        self.charge(&whose, claimed.as_deref(), cost).await;
    }

    /// A subject that was verified. On the socket there is nothing left to limit.
    pub async fn verified(&self, source: &Source, caller: &Caller) -> Result<(), TooSoon> {
        match source {
            Source::Socket(_) => Ok(()),
            Source::Tcp(_) => {
                take(&*self.shared, [stops(Limit::Subject, caller.actor.as_str(), self.rates.subject, 1)]).await
            }
        }
    }

    /// An address is about to send a form through the gateway: are there any tokens left for signing in?
    async fn listens(&self, address: IpAddr) -> Result<(), TooSoon> {
        take(&*self.shared, [stops(Limit::SignIn, &place(address), self.rates.sign_in, 0)]).await
    }

    /// A client is about to send a secret of some kind through the gateway, which takes so many tokens; 0 asks only
    /// whether there are any.
    async fn attempt(&self, address: IpAddr, client: Option<&str>, cost: u32) -> Result<(), TooSoon> {
        let whose = place(address);
        let of_address = stops(Limit::SignIn, &whose, self.rates.sign_in, cost);
        take(&*self.shared, [of_address, self.of_client(&whose, client, cost)]).await
    }

    /// It is known now what that costs besides.
    async fn attempted(&self, address: IpAddr, client: Option<&str>, cost: u32) {
        if cost > 0 {
            self.charge(&place(address), client, cost).await;
        }
    }

    /// An answer "not yet": true if it is within the budget of those that cost nothing.
    async fn is_free_to_wait(&self, address: IpAddr, client: Option<&str>) -> bool {
        let whose = place(address);
        let part = Some(named(client));
        let budget = Take { limit: PENDING, whose: &whose, part, rate: self.rates.pending, cost: 1 };
        self.shared.take(&[budget]).await.is_allowed()
    }

    fn of_client<'a>(&self, whose: &'a str, client: Option<&'a str>, cost: u32) -> Stops<'a> {
        let (limit, take) = stops(Limit::Client, whose, self.rates.client, cost);
        (limit, Take { part: Some(named(client)), ..take })
    }

    async fn charge(&self, whose: &str, client: Option<&str>, cost: u32) {
        let (_, of_address) = stops(Limit::SignIn, whose, self.rates.sign_in, cost);
        let (_, of_client) = self.of_client(whose, client, cost);
        self.shared.charge(&[of_address, of_client]).await;
    }

    /// The answer to a request that comes too soon, held back on TCP.
    pub async fn refuse(&self, source: &Source, why: TooSoon) -> Response {
        match source {
            Source::Socket(_) => {
                self.figures.one(why.limit.as_str());
                why.into_response()
            }
            Source::Tcp(_) => self.refuse_late(why).await,
        }
    }

    async fn refuse_late(&self, why: TooSoon) -> Response {
        self.figures.one(why.limit.as_str());
        let delay = self.rates.refusal_delay;
        if !delay.is_zero()
            && let Ok(_held) = self.held.try_acquire()
        {
            tokio::time::sleep(delay).await;
        }
        why.into_response()
    }
}

/// What is taken of a bucket, and the limit that stops its owner when it is empty.
type Stops<'a> = (Limit, Take<'a>);

fn stops(limit: Limit, whose: &str, rate: Rate, cost: u32) -> Stops<'_> {
    (limit, Take { limit: limit.as_str(), whose, part: None, rate, cost })
}

async fn take<const N: usize>(limiter: &dyn RateLimiter, takes: [Stops<'_>; N]) -> Result<(), TooSoon> {
    match limiter.take(&takes.map(|(_, take)| take)).await {
        Verdict::Allowed { .. } => Ok(()),
        Verdict::Wait { place, wait } => match takes.get(place) {
            Some((limit, refused)) => Err(TooSoon { limit: *limit, rate: refused.rate, wait }),
            None => Ok(()),
        },
    }
}

impl TooSoon {
    /// What the audit trail hears of it.
    pub fn event(&self) -> AccessEvent {
        AccessEvent::RateLimited(self.limit)
    }

    /// Whole seconds to wait, at least one.
    fn seconds(&self) -> u64 {
        let rounded_up = self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0);
        rounded_up.max(1)
    }

    /// 429 with `Retry-After`, and the policy and its state as draft-ietf-httpapi-ratelimit-headers-10 writes them: the
    /// policy holds `q` and is full again in `w` seconds; `r` are left, and in `t` seconds there are more.
    fn into_response(self) -> Response {
        let (limit, rate) = (self.limit.as_str(), self.rate);
        let seconds = self.seconds();
        let detail = format!("too many requests ({limit}); try again in {seconds} s");
        let mut response = Fault::from(Problem::new("rate_limited", detail)).into_response();
        let window = Duration::from_nanos(rate.span()).as_secs().max(1);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        for (name, value) in [
            (POLICY, format!("\"{limit}\";q={};w={window}", rate.burst())),
            (LIMIT, format!("\"{limit}\";r=0;t={seconds}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests;
