//! `[metrics]`: where the figures of daemon/docs/metrics.md are served.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Where the figures are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Address and port, such as `127.0.0.1:9464`; empty for none.
    pub listen: String,
    /// Let `listen` be an address that other machines reach. Whoever reaches it reads the figures: nobody is asked who he is.
    pub serve_other_machines: bool,
}

impl Metrics {
    /// The address to listen on; none if the figures are not served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.listen.is_empty() {
            return Ok(());
        }
        let key = "metrics.listen";
        let Some(address) = self.address() else {
            return Err(Invalid::new(key, format!("{:?} is no address and port; write 127.0.0.1:9464", self.listen)));
        };
        if !address.ip().is_loopback() && !self.serve_other_machines {
            let why = format!(
                "{address} is not on loopback: other machines could read the figures; say metrics.serve_other_machines = true if they shall"
            );
            return Err(Invalid::new(key, why));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_served_only_when_told_in_so_many_words() {
        let at = |listen: &str, serve_other_machines| Metrics { listen: listen.into(), serve_other_machines };
        for good in [at("", false), at("127.0.0.1:9464", false), at("[::1]:9464", false), at("0.0.0.0:9464", true)] {
            assert_eq!(good.validate(), Ok(()), "{good:?}");
        }
        for bad in [at("0.0.0.0:9464", false), at("localhost:9464", true), at("127.0.0.1", false)] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
    }
}
