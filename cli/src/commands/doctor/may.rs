//! Whether the caller may run a job's command. The daemon is asked by its own table (`walletd authz`), whose actions have
//! the words of the commands; whether a file's rows give times of their own is looked up in the file.

use std::{fs, path::Path, sync::Arc};

use serde_json::Value;
use wallet_api::types::{CanI, CanIQuery};

use super::{Finding, line::Line};
use crate::{
    batch::{
        check::{Format, Parser, text},
        faults::Faults,
        input::Source,
    },
    commands::import,
    context::Context,
    error::CliError,
    intents::Intents,
};

const CHECK: &str = "may";
/// Commands that ask the daemon for what has another command's word there.
const OTHERWISE: [(&str, &str); 5] = [
    ("balance diff", "balance"),
    ("balance explain", "balance"),
    ("batch resume", "batch run"),
    ("batch validate", "asset list"),
    ("export transactions", "export journal"),
];
/// Commands that need nobody's leave: they ask nothing of this context's daemon, or what it answers to everybody.
const FREE: [&str; 21] = [
    "auth login",
    "auth logout",
    "auth status",
    "auth token",
    "batch report",
    "batch status",
    "bench",
    "completion",
    "config show",
    "context list",
    "context set",
    "context show",
    "context use",
    "doctor",
    "explain",
    "export verify",
    "intent forget",
    "intent list",
    "intent show",
    "man",
    "version",
];

/// Whether a command gives times of its own, which takes the permission `backdate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// Everything counts from now on.
    None,
    /// Some count from another time.
    Some,
    /// It cannot be told before the night.
    Unknown,
}

/// Asks, for a command that needs leave.
pub(super) async fn look(ctx: &Context, line: &Line) -> Vec<Finding> {
    let mut found = Vec::new();
    let times = times(ctx, line);
    for query in asked(ctx, line) {
        let answer = async { Ok::<_, CliError>(ctx.api()?.can_i(&query).await?.body) };
        found.push(match answer.await {
            Ok(answer) => judge(&answer, times),
            Err(error) => Finding::fault(CHECK, &error),
        });
    }
    found
}

fn judge(answer: &CanI, times: Times) -> Finding {
    let action = &answer.action;
    let hint = "Give it to the client at the issuer, or to the user in access.peers.";
    if !answer.allowed {
        let lacks = answer.lacks.as_deref().unwrap_or("what it has not");
        let error = CliError::new("forbidden", format!("{action} would be refused: it takes {lacks}"));
        return Finding::fault(CHECK, &error.hint(hint));
    }
    match times {
        Times::Some if !answer.backdate => {
            let text = format!("{action} would be refused: it gives times, which takes the permission backdate");
            Finding::fault(CHECK, &CliError::new("forbidden", text).hint(hint))
        }
        Times::Unknown if !answer.backdate => Finding::warning(
            CHECK,
            format!("{action} is allowed as long as it gives no times: whether it does cannot be told yet"),
            "Times take the permission backdate. Ask again when the file is there.",
        ),
        _ => {
            let whose = if answer.wallets.as_deref() == Some("own") { ", of its own wallets" } else { "" };
            Finding::good(CHECK, format!("{action}{whose}"))
        }
    }
}

/// What the daemon is asked about.
fn asked(ctx: &Context, line: &Line) -> Vec<CanIQuery> {
    let words = line.words();
    let route = |method: &str, path: &str| {
        let path = path.split('?').next().unwrap_or_default().to_owned();
        CanIQuery { method: Some(method.to_ascii_uppercase()), path: Some(path), ..CanIQuery::default() }
    };
    match words.as_str() {
        "api" => {
            let text = |id| line.get::<String>(id).map(String::as_str).unwrap_or_default();
            vec![route(text("method"), text("path"))]
        }
        "intent resume" => {
            let endpoint = ctx.settings.endpoint.value.to_string();
            let key = line.get::<wallet_core::key::Key>("key");
            let mut open = Intents::of(&ctx.paths).list().unwrap_or_default();
            open.retain(|intent| intent.endpoint == endpoint && key.is_none_or(|key| *key == intent.key));
            open.sort_by(|a, b| a.path.cmp(&b.path));
            open.dedup_by(|a, b| a.path == b.path);
            open.iter().map(|intent| route("POST", &intent.path)).collect()
        }
        words if FREE.contains(&words) => Vec::new(),
        words => vec![CanIQuery { action: Some(action(words, line).to_owned()), ..CanIQuery::default() }],
    }
}

/// The action of a command.
fn action<'a>(words: &'a str, line: &Line) -> &'a str {
    if words == "balance" && line.get::<bool>("all_wallets") == Some(&true) {
        return "export balances";
    }
    OTHERWISE.iter().find(|(command, _)| *command == words).map_or(words, |(_, action)| action)
}

fn times(ctx: &Context, line: &Line) -> Times {
    let of = |found: Option<bool>| match found {
        Some(true) => Times::Some,
        Some(false) => Times::None,
        None => Times::Unknown,
    };
    match line.words().as_str() {
        "batch run" | "batch resume" => of(line.get::<std::path::PathBuf>("file").and_then(|file| {
            in_batch(file, line.get::<Format>("format").copied().unwrap_or_else(|| Format::of(file)))
        })),
        "wallet import" => of(line
            .get::<String>("file")
            .filter(|file| is_plain(Path::new(file)))
            .and_then(|file| import::gives_times(ctx, file))),
        "api" => line.get::<String>("data").map_or(Times::None, |data| of(in_json(data))),
        _ if line.gives("effective_at") || line.gives("opened_at") => Times::Some,
        _ => Times::None,
    }
}

/// True for a file that can be read twice: by day, and at night.
fn is_plain(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// Whether a row of a batch file gives a time. What is wrong with the file is `batch validate`'s to tell.
fn in_batch(path: &Path, format: Format) -> Option<bool> {
    if !is_plain(path) {
        return None;
    }
    let mut lines = Arc::new(Source::open(path).ok()?).lines();
    let (mut faults, mut fields) = (Faults::default(), Vec::new());
    let parser = Parser::start(format, &mut lines, &mut faults).ok()??;
    while let Some(line) = lines.next_line().ok()? {
        let row = text(&line, &mut faults).and_then(|text| parser.row(text, &mut fields).ok());
        if row.is_some_and(|row| !row.effective_at.is_empty()) {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether a body gives a time, if it is on the command line.
fn in_json(data: &str) -> Option<bool> {
    fn gives(value: &Value) -> bool {
        match value {
            Value::Object(fields) => fields.iter().any(|(name, value)| {
                (["effective_at", "opened_at"].contains(&name.as_str()) && !value.is_null()) || gives(value)
            }),
            Value::Array(all) => all.iter().any(gives),
            _ => false,
        }
    }
    serde_json::from_str(data).ok().map(|value| gives(&value))
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;
    use crate::{cli::Cli, commands::doctor::State};

    fn leaves(command: &Command, path: &str, into: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            leaves(sub, &path, into);
            into.push(path.trim().to_owned());
        }
    }

    #[test]
    fn what_is_free_or_has_another_word_is_a_command_that_there_is() {
        let mut all = Vec::new();
        leaves(&Cli::command(), "", &mut all);
        let named = FREE.into_iter().chain(OTHERWISE.iter().map(|(command, _)| *command));
        for command in named {
            assert!(all.iter().any(|leaf| leaf == command), "there is no {command}");
        }
        for (_, action) in OTHERWISE.iter().filter(|(_, action)| *action != "export journal") {
            assert!(all.iter().any(|leaf| leaf == action), "there is no {action}");
        }
    }

    #[test]
    fn a_job_is_judged_by_what_it_may_and_by_the_times_it_gives() {
        let answer = |allowed, backdate| CanI {
            allowed,
            action: "batch run".into(),
            method: "POST".into(),
            path: "/v1/batches".into(),
            wallets: Some("own".into()),
            backdate,
            lacks: (!allowed).then(|| "the role operator".into()),
        };
        let of = |allowed, backdate, times| {
            let found = judge(&answer(allowed, backdate), times);
            (found.state, found.exit)
        };
        assert_eq!(of(false, false, Times::None), (State::Fault, 5));
        assert_eq!(of(true, false, Times::None), (State::Good, 0));
        assert_eq!(of(true, false, Times::Some), (State::Fault, 5));
        assert_eq!(of(true, false, Times::Unknown), (State::Warning, 0));
        assert_eq!(of(true, true, Times::Some), (State::Good, 0));
        assert_eq!(of(true, true, Times::Unknown), (State::Good, 0));
        assert!(judge(&answer(true, true), Times::None).found.contains("of its own wallets"));
    }

    #[test]
    fn times_are_found_in_batch_files_and_bodies() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            in_batch(&folder.path().join(name), Format::of(Path::new(name)))
        };
        let header = "key,op,from,to,amount,asset,effective_at\n";
        assert_eq!(file("now.csv", &format!("{header}a,deposit,,w_1,1,EUR,\n")), Some(false));
        assert_eq!(
            file("then.csv", &format!("{header}a,deposit,,w_1,1,EUR,\nb,deposit,,w_1,1,EUR,2020-02-01T09:00:00Z\n")),
            Some(true)
        );
        assert_eq!(file("then.ndjson", r#"{"key":"a","effective_at":"2020-02-01T09:00:00Z"}"#), Some(true));
        assert_eq!(file("broken.csv", "nonsense\n"), None);
        assert_eq!((in_batch(Path::new("/nowhere"), Format::Csv), in_batch(Path::new("-"), Format::Csv)), (None, None));
        assert_eq!(in_json(r#"{"commands":[{"effective_at":null},{"memo":"effective_at"}]}"#), Some(false));
        assert_eq!(in_json(r#"{"commands":[{"effective_at":"2020-02-01T09:00:00Z"}]}"#), Some(true));
        assert_eq!((in_json("@body.json"), in_json("-")), (None, None));
    }
}
