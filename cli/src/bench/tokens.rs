//! What it costs to know who calls over TCP, and to limit how often: tokens of an issuer of the run's own ([`super::issuer`]),
//! beside the same requests over the socket and the route that does nothing over both.
//!
//! Three figures, from the most direct to the most real. By themselves: the daemon's own code for the limits and the token of a
//! request, without HTTP, on one thread (`walletd bench-raw --on gateway`). Within requests: `whoami` with a token less the
//! route that does nothing, both over TCP: authentication, the limits behind the address's, authorisation and whoami's own
//! answer, so it is at least what it costs. And transfers over TCP beside those over the socket, which is all that a client of
//! TCP pays.
//!
//! What is compared is asked in turn, in several rounds, so that what else the machine does falls on all of it.

use std::{net::SocketAddr, path::Path, time::Duration};

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use wallet_api::types::ProtectedResource;

use super::{
    Measure,
    daemon::Daemon,
    go_on,
    issuer::Issuer,
    load::{broken, unexpected},
    raw::answer,
    singles::{Ask, Asked, Door, Load},
    stores::Stores,
    wire::Wire,
};
use crate::{error::CliError, flight::Flight};

/// The scenario's name.
const SCENARIO: &str = "tokens";
/// How many ask at once.
const CLIENTS: u64 = 64;
/// How often everything is asked in turn.
const ROUNDS: u32 = 4;
/// New tokens for each second of a measurement, of either kind: what the daemon judges in a fraction of it, since making one
/// takes longer than judging it.
const NEW_A_SECOND: u64 = 1_000;
/// Requests that are judged by themselves for each second of a measurement, with a token seen before.
const JUDGED_A_SECOND: u64 = 100_000;
/// Percent of a transfer's processor time that authentication and limits are to stay below.
const GOAL: u64 = 10;
/// How long the daemon may take to read the issuer's keys.
const KEYS: Duration = Duration::from_secs(20);
/// How long is waited before it is asked again.
const LOOK: Duration = Duration::from_millis(50);
/// Longer than any number of new tokens lasts: they are used up before.
const UNTIL_USED: Duration = Duration::from_hours(1);
/// More than one address may: all clients of a benchmark are one.
const UNLIMITED: &str = "10000000";

/// What makes a daemon listen on TCP for tokens of this issuer. Of the limits only that of an address is not the default,
/// since all clients here have one: its mechanism is the same at any rate.
pub fn variables(issuer: &Issuer) -> Vec<(&'static str, String)> {
    vec![
        ("WALLETD_LISTEN", "127.0.0.1:0".into()),
        ("WALLETD_ISSUER", issuer.name()),
        ("WALLETD_AUTH__AUDIENCE", issuer.audience().to_owned()),
        ("WALLETD_RATE_LIMIT__ADDRESS__PER_SECOND", UNLIMITED.into()),
        ("WALLETD_RATE_LIMIT__ADDRESS__BURST", UNLIMITED.into()),
    ]
}

/// What is measured, and with what.
pub struct Tokens<'a> {
    /// The daemon, which listens on TCP.
    pub daemon: &'a Daemon,
    /// Its stores.
    pub stores: &'a Stores,
    /// The issuer it believes.
    pub issuer: &'a Issuer,
    /// In front of the numbers of the wallets that transfers are between.
    pub wallets: &'a str,
    /// How many there are.
    pub count: u64,
    /// For how long each is asked.
    pub lasting: Duration,
    /// Ends it early.
    pub flight: &'a Flight,
}

/// What was asked through either door, in the order of the figures.
struct Through {
    nothing_socket: Asked,
    nothing: Asked,
    seen: Asked,
    new_rs256: Asked,
    new_es256: Asked,
    transfers_socket: Asked,
    transfers: Asked,
}

impl Tokens<'_> {
    /// Measures all of it.
    pub async fn measure(&self) -> Result<Vec<Measure>, CliError> {
        let seconds = self.lasting.as_secs().max(1);
        let new = usize::try_from(NEW_A_SECOND.saturating_mul(seconds)).unwrap_or(usize::MAX);
        let shown = self.issuer.tokens(Algorithm::RS256, usize::try_from(CLIENTS).unwrap_or(usize::MAX))?;
        let rs256 = self.issuer.tokens(Algorithm::RS256, new)?;
        let es256 = self.issuer.tokens(Algorithm::ES256, new)?;
        let address = self.address().await?;
        self.is_known(address, shown.first().map(String::as_str).unwrap_or_default()).await?;
        let mut all: Option<Through> = None;
        for round in 0..ROUNDS {
            let this = self.round(round, address, &shown, [&rs256, &es256]).await?;
            match &mut all {
                None => all = Some(this),
                Some(all) => all.add(&this)?,
            }
            go_on(self.flight)?;
        }
        let Some(all) = all else { return Ok(Vec::new()) };
        let alone = self.alone(&shown, [rs256, es256], seconds.saturating_mul(JUDGED_A_SECOND))?;
        Ok(all.measures(alone))
    }

    async fn round(
        &self,
        round: u32,
        address: SocketAddr,
        shown: &[String],
        new: [&[String]; 2],
    ) -> Result<Through, CliError> {
        let load = Load { daemon: self.daemon, clients: CLIENTS, lasting: self.lasting / ROUNDS, flight: self.flight };
        let all_of_them = Load { lasting: UNTIL_USED, ..load };
        let (socket, tcp) = (Door::Socket(&self.daemon.socket), Door::Tcp(address, shown));
        let part = |tokens: &'_ [String]| {
            let size = tokens.len().div_ceil(usize::try_from(ROUNDS).unwrap_or(1));
            let number = usize::try_from(round).unwrap_or_default();
            tokens.chunks(size.max(1)).nth(number).unwrap_or_default().to_vec()
        };
        let [rs256, es256] = new.map(part);
        let keys = |door: &str| format!("{}-{door}-{round}", self.wallets);
        let (by_socket, by_tcp) = (keys("socket"), keys("tcp"));
        let transfer = |keys| Ask::Transfer { wallets: self.wallets, count: self.count, keys };
        Ok(Through {
            nothing_socket: load.ask(socket, Ask::Nothing).await?,
            nothing: load.ask(tcp, Ask::Nothing).await?,
            seen: load.ask(tcp, Ask::Whoami).await?,
            new_rs256: all_of_them.ask(tcp, Ask::WhoamiAnew(&rs256)).await?,
            new_es256: all_of_them.ask(tcp, Ask::WhoamiAnew(&es256)).await?,
            transfers_socket: load.ask(socket, transfer(&by_socket)).await?,
            transfers: load.ask(tcp, transfer(&by_tcp)).await?,
        })
    }

    /// Where the daemon listens on TCP: it says so to whoever wants to sign in.
    async fn address(&self) -> Result<SocketAddr, CliError> {
        const METADATA: &str = "/.well-known/oauth-protected-resource";
        let mut wire = Wire::connect(&self.daemon.socket).await.map_err(|error| broken(&error))?;
        let status = wire.get(METADATA).await.map_err(|error| broken(&error))?;
        let strange = || unexpected(METADATA, status, wire.body());
        let metadata: ProtectedResource = serde_json::from_slice(wire.body()).map_err(|_| strange())?;
        let address = metadata.resource.strip_prefix("http://").and_then(|address| address.parse().ok());
        address.ok_or_else(strange)
    }

    /// Waits until the daemon has read the issuer's keys.
    async fn is_known(&self, address: SocketAddr, token: &str) -> Result<(), CliError> {
        const WHOAMI: &str = "/v1/whoami";
        let begun = std::time::Instant::now();
        loop {
            let mut wire = Wire::connect_tcp(address).await.map_err(|error| broken(&error))?;
            wire.show(token);
            match wire.get(WHOAMI).await.map_err(|error| broken(&error))? {
                200 => return Ok(()),
                503 if begun.elapsed() < KEYS => tokio::time::sleep(LOOK).await,
                status => return Err(unexpected(WHOAMI, status, wire.body())),
            }
        }
    }

    /// Authentication and limits without HTTP: a token seen before, and new ones of both kinds.
    fn alone(&self, shown: &[String], new: [Vec<String>; 2], count: u64) -> Result<[Measure; 3], CliError> {
        let folder = self.daemon.folder.path();
        let [rs256, es256] = new;
        let of = |case: &str, tokens: &[String], count: u64| self.judged(folder, case, tokens, count);
        Ok([
            of(
                "authentication and limits by themselves, a token seen before",
                shown.get(..1).unwrap_or_default(),
                count,
            )?,
            of(
                "authentication and limits by themselves, new tokens, RS256",
                &rs256,
                u64::try_from(rs256.len()).unwrap_or(0),
            )?,
            of(
                "authentication and limits by themselves, new tokens, ES256",
                &es256,
                u64::try_from(es256.len()).unwrap_or(0),
            )?,
        ])
    }

    fn judged(&self, folder: &Path, case: &str, tokens: &[String], count: u64) -> Result<Measure, CliError> {
        #[derive(Deserialize)]
        struct Judged {
            requests: u64,
            cpu_ns: u64,
        }
        let file = folder.join("tokens");
        let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", file.display()));
        std::fs::write(&file, tokens.join("\n")).map_err(failed)?;
        let (count, path) = (count.to_string(), file.to_string_lossy().into_owned());
        let mut command = self.stores.beside("bench-raw");
        command.envs(variables(self.issuer));
        command.args(["--on", "gateway", "--count", count.as_str(), "--tokens", path.as_str()]);
        let judged: Judged = answer(command)?;
        std::fs::remove_file(&file).map_err(failed)?;
        let took = Duration::from_nanos(judged.cpu_ns);
        let each = judged.cpu_ns.checked_div(judged.requests);
        Ok(Measure { cpu_ns: each, ..Measure::of(SCENARIO, case, judged.requests, took) })
    }
}

impl Through {
    fn add(&mut self, other: &Self) -> Result<(), CliError> {
        for (one, other) in [
            (&mut self.nothing_socket, &other.nothing_socket),
            (&mut self.nothing, &other.nothing),
            (&mut self.seen, &other.seen),
            (&mut self.new_rs256, &other.new_rs256),
            (&mut self.new_es256, &other.new_es256),
            (&mut self.transfers_socket, &other.transfers_socket),
            (&mut self.transfers, &other.transfers),
        ] {
            one.add(other)?;
        }
        Ok(())
    }

    fn measures(&self, alone: [Measure; 3]) -> Vec<Measure> {
        let of = |asked: &Asked, case: &str| asked.measure(SCENARIO, case, CLIENTS);
        let nothing_socket = of(&self.nothing_socket, "socket: GET /healthz");
        let nothing = of(&self.nothing, "TCP: GET /healthz");
        let transfers_socket = of(&self.transfers_socket, "socket: transfers").beyond(&nothing_socket);
        let transfers = of(&self.transfers, "TCP: transfers, tokens seen before").beyond(&nothing);
        let transfer = transfers.cpu_ns;
        let whoami = |asked: &Asked, case: &str| of(asked, case).beyond(&nothing);
        let seen = whoami(&self.seen, "TCP: GET /v1/whoami, tokens seen before");
        let beyond = seen.beyond_ns;
        let seen = seen.of_transfer(beyond, transfer, GOAL);
        let [known, rsa, p256] = alone;
        let by_itself = known.cpu_ns;
        let known = known.of_transfer(by_itself, transfer, GOAL);
        let asked_rsa = whoami(&self.new_rs256, "TCP: GET /v1/whoami, new tokens, RS256");
        let asked_p256 = whoami(&self.new_es256, "TCP: GET /v1/whoami, new tokens, ES256");
        vec![nothing_socket, nothing, transfers_socket, transfers, known, seen, rsa, asked_rsa, p256, asked_p256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_transfer_is_rounded_up_beside_its_goal() {
        let part = |part, transfer| {
            let measure = Measure::default().of_transfer(part, transfer, GOAL);
            (measure.transfer_percent, measure.goal_percent)
        };
        assert_eq!(part(Some(3_001), Some(30_000)), (Some(11), Some(10)));
        assert_eq!(part(Some(3_000), Some(30_000)), (Some(10), Some(10)));
        assert_eq!(part(Some(0), Some(30_000)), (Some(0), Some(10)));
        assert_eq!(part(Some(1), Some(0)), (None, Some(10)));
        assert_eq!(part(None, Some(1)), (None, Some(10)));
    }

    #[test]
    fn what_is_beyond_nothing_is_never_less_than_nothing() {
        let of = |cpu_ns, per_second| Measure { cpu_ns: Some(cpu_ns), per_second, ..Measure::default() };
        let beyond = of(12_000, 50).beyond(&of(8_000, 100));
        assert_eq!((beyond.beyond_ns, beyond.limit_per_second, beyond.percent), (Some(4_000), Some(100), Some(50)));
        assert_eq!(of(8_000, 1).beyond(&of(12_000, 1)).beyond_ns, Some(0));
    }
}
