//! What a command is given: settings, files, the daemon, the person, and the output.

use std::{cell::OnceCell, sync::Arc};

use wallet_api::client::{Client, Endpoint};
use wallet_core::{
    money::Quantity,
    time::{
        Timestamp,
        calendar::{Bound, Moment, MomentError},
    },
};

use crate::{
    auth::{http::trust, session::Session},
    cli::Global,
    config::{File, Flags, Origin, Settings},
    env::{Env, now},
    error::CliError,
    flight::Flight,
    output::{Color, Format, Out},
    paths::Paths,
    prompt::Prompt,
    tracing::Tracing,
};

/// What every command is given. Nothing is connected or probed before it is asked for.
pub struct Context {
    /// Settings, resolved.
    pub settings: Settings,
    /// Our folders.
    pub paths: Paths,
    /// What an interruption would be told as.
    pub flight: Flight,
    /// The person at the terminal, if any.
    pub prompt: Prompt,
    /// The environment's variables.
    pub env: Env,
    out: Out,
    api: OnceCell<Client>,
    session: OnceCell<Arc<Session>>,
    tracing: Tracing,
}

/// A context that can still go to another thread.
pub struct Build {
    settings: Settings,
    paths: Paths,
    flight: Flight,
    fields: Option<Vec<String>>,
    color: Color,
    env: Env,
    verbose: bool,
}

impl Build {
    /// The form of output and errors.
    pub fn format(&self) -> Format {
        self.settings.output.value
    }

    /// What an interruption is told as.
    pub fn flight(&self) -> Flight {
        self.flight.clone()
    }

    /// The context, on the thread of the command.
    pub fn finish(self) -> Context {
        let prompt = Prompt::terminal(self.format().is_json());
        let out = Out::stdout(self.settings.output.value, self.fields, self.color, &self.env);
        let tracing = Tracing::begin(&self.env, self.verbose);
        Context { tracing, env: self.env, ..Context::with(self.settings, self.paths, self.flight, prompt, out) }
    }
}

impl Context {
    /// Resolves settings; the only files read are the configuration's.
    #[expect(clippy::new_ret_no_self, reason = "it is finished on the command's thread")]
    pub fn new(global: Global, env: Env, flight: Flight) -> Result<Build, CliError> {
        let paths = Paths::find(&env)?;
        let file = File::read(&paths)?;
        let flags = Flags {
            context: global.context,
            url: global.url,
            socket: global.socket,
            tz: global.tz,
            output: global.output,
        };
        let settings = Settings::resolve(&flags, &env, &file, &paths)?;
        let fields = global.fields.map(|list| list.split(',').map(|name| name.trim().to_owned()).collect());
        let (color, verbose) = (global.color.unwrap_or_default(), global.verbose);
        Ok(Build { settings, paths, flight, fields, color, env, verbose })
    }

    /// A context of these parts.
    pub fn with(settings: Settings, paths: Paths, flight: Flight, prompt: Prompt, out: Out) -> Self {
        let tracing = Tracing::default();
        let (api, session, env) = (OnceCell::new(), OnceCell::new(), Env::process());
        Self { settings, paths, flight, prompt, env, out, api, session, tracing }
    }

    /// The daemon; nothing is connected before the first request.
    pub fn api(&self) -> Result<&Client, CliError> {
        if let Some(client) = self.api.get() {
            return Ok(client);
        }
        let client = match self.session() {
            None => self.stranger()?,
            Some(session) => self.stranger()?.bearing(session.clone()),
        };
        if self.tracing.is_told() {
            self.prompt.note(&format!("trace: {}", self.tracing.trace().id()));
        }
        Ok(self.api.get_or_init(|| client))
    }

    /// The daemon, asked without a token even where there is one.
    pub fn stranger(&self) -> Result<Client, CliError> {
        let endpoint = self.settings.endpoint.value.clone();
        let client = match endpoint {
            Endpoint::Https(_) => Client::trusting(endpoint, &trust(self.settings.identity.ca_file.as_ref())?)?,
            _ => Client::new(endpoint)?,
        };
        Ok(client.traced(self.tracing.trace().clone()))
    }

    /// Who asks; none on a socket, where nobody signs in.
    pub fn session(&self) -> Option<&Arc<Session>> {
        let url = self.settings.endpoint.value.url()?;
        Some(self.session.get_or_init(|| Session::new(url, &self.settings.identity, &self.paths, &self.env)))
    }

    /// Tells what the next command will miss: that a sign-in could not be kept.
    pub fn tell_unkept(&self) {
        let Some(why) = self.session.get().and_then(|session| session.unkept()) else { return };
        self.prompt
            .note(&format!("{why}: the sign-in could not be kept, and is over. Sign in again: walletctl auth login"));
    }

    /// What the requests are part of.
    pub fn tracing(&self) -> &Tracing {
        &self.tracing
    }

    /// Where the result goes.
    pub fn out(&self) -> &Out {
        &self.out
    }

    /// The zone of dates, to be sent with them.
    pub fn tz(&self) -> Option<String> {
        Some(self.settings.tz.value.clone())
    }

    /// Refuses a write in a protected context that was not named on the command line.
    pub fn allow_write(&self) -> Result<(), CliError> {
        let named = self.settings.context.origin == Origin::Flag("--context");
        if self.settings.protected.value && !named {
            let name = &self.settings.context.value;
            return Err(CliError::usage(format!("the context {name} is protected: writes must name it"))
                .hint(format!("Add --context {name}. Nothing was sent.")));
        }
        Ok(())
    }

    /// Asks before a write, unless `--yes` was given. Above `confirm_above` the amount is typed.
    pub fn confirm(&self, yes: bool, summary: &str, amount: Option<Quantity>) -> Result<(), CliError> {
        self.ask(yes, summary, amount, false)
    }

    /// The same for a command with a `--dry-run`.
    pub fn confirm_or_preview(&self, yes: bool, summary: &str, amount: Option<Quantity>) -> Result<(), CliError> {
        self.ask(yes, summary, amount, true)
    }

    fn ask(&self, yes: bool, summary: &str, amount: Option<Quantity>, preview: bool) -> Result<(), CliError> {
        if yes {
            return Ok(());
        }
        let above = |amount: &Quantity| self.settings.confirm_above.value.is_some_and(|limit| exceeds(*amount, limit));
        let typed = amount.filter(above).map(|amount| amount.to_string());
        self.prompt.confirm(summary, typed.as_deref(), preview)
    }

    /// The instant that something written for the past stands for: a date is its first instant.
    pub fn instant(&self, moment: &Moment) -> Result<Timestamp, CliError> {
        let zone = self.settings.zone()?;
        moment.resolve(Bound::Start, &zone, now()).map_err(|error| match error {
            MomentError::Future(at) => CliError::new("effective_in_future", format!("{at} is in the future")),
            other => CliError::new("invalid_time", other.to_string()),
        })
    }
}

fn exceeds(amount: Quantity, limit: Quantity) -> bool {
    let number = |quantity: Quantity| quantity.to_string().parse::<rust_decimal::Decimal>();
    // A quantity's text is always a decimal; were it not, the careful answer is to ask.
    match (number(amount), number(limit)) {
        (Ok(amount), Ok(limit)) => amount > limit,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_as_numbers() {
        let q = |text: &str| text.parse::<Quantity>().unwrap();
        assert!(exceeds(q("1000.01"), q("1000")) && exceeds(q("2000"), q("999.99")));
        assert!(!exceeds(q("1000.00"), q("1000")) && !exceeds(q("9"), q("10")));
    }
}
