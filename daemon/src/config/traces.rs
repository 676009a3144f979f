//! `[traces]`: where spans go, and which requests make them.
//!
//! Off unless a collector is named. The way to it is plain HTTP: a collector or its agent runs beside the daemon, and the
//! agent is what encrypts on the way to elsewhere.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// More wishes than this a second are no sample any more.
const MOST_WISHES: u32 = 10_000;
/// Longest name of a service.
const MAX_NAME: usize = 64;

/// Where spans go, and which requests make them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The collector's OTLP over HTTP, such as `http://127.0.0.1:4318`; empty for no traces.
    pub url: String,
    /// The share of requests that come without a trace of their own and get one: 0 to 1.
    pub sample_ratio: f64,
    /// How many requests a second are traced because their clients ask for it; beyond, the wish is not heard.
    pub client_samples_per_second: u32,
    /// The service's name in traces.
    pub service_name: String,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            url: String::new(),
            sample_ratio: 0.01,
            // An operator's commands and a few scripts; far below what a load would ask for.
            client_samples_per_second: 50,
            service_name: "walletd".into(),
        }
    }
}

impl Traces {
    /// True if a collector is named.
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Where spans are posted to.
    pub fn endpoint(&self) -> String {
        format!("{}/v1/traces", self.url.trim_end_matches('/'))
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.is_on() {
            let why = |what: &str| Invalid::new("traces.url", format!("{what}; write http://HOST:PORT"));
            let uri: hyper::Uri = self.url.parse().map_err(|error| why(&format!("it is not a URL: {error}")))?;
            if uri.scheme_str() != Some("http") {
                return Err(why("spans go by plain HTTP to a collector beside the daemon"));
            }
            if uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
                return Err(why("it must name a host, and no query"));
            }
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(Invalid::new("traces.sample_ratio", format!("{} is not between 0 and 1", self.sample_ratio)));
        }
        Invalid::range("traces.client_samples_per_second", &self.client_samples_per_second, 0..=MOST_WISHES)?;
        if self.service_name.is_empty() || self.service_name.len() > MAX_NAME {
            return Err(Invalid::new("traces.service_name", format!("must have 1 to {MAX_NAME} bytes")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_url(url: &str) -> Traces {
        Traces { url: url.into(), ..Traces::default() }
    }

    #[test]
    fn only_a_plain_http_url_is_a_collector() {
        for good in ["", "http://127.0.0.1:4318", "http://[::1]:4318/", "http://collector/otlp"] {
            assert_eq!(with_url(good).validate(), Ok(()), "{good}");
        }
        for bad in ["https://127.0.0.1:4318", "127.0.0.1:4318", "http://", "http://h:1/?x=1", "nonsense url"] {
            assert!(with_url(bad).validate().is_err(), "{bad}");
        }
        assert_eq!(with_url("http://127.0.0.1:4318/").endpoint(), "http://127.0.0.1:4318/v1/traces");
    }

    #[test]
    fn a_ratio_lies_between_nothing_and_everything() {
        for (ratio, good) in [(0.0, true), (1.0, true), (0.25, true), (-0.1, false), (1.1, false), (f64::NAN, false)] {
            let traces = Traces { sample_ratio: ratio, ..Traces::default() };
            assert_eq!(traces.validate().is_ok(), good, "{ratio}");
        }
    }
}
