//! At night: the shipped units and crontab line, with nobody there.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use wallet_tests::issuer::{Issuer, KEY, Next};

use crate::harness::{Daemon, Run, World, programs, rows, run, tool};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("daemon/docs/cron").join(name)
}

/// A daemon on TCP that believes the issuer, and what a job needs to reach it.
struct Night {
    world: World,
    issuer: Issuer,
    url: String,
    _daemon: Daemon,
}

impl Night {
    fn new() -> Self {
        let issuer = Issuer::start().unwrap();
        issuer.state().roles = Some(vec!["operator", "backdate"]);
        let world = World::new();
        let mut command = world.walletd();
        command.env("WALLETD_LISTEN", "127.0.0.1:0").env("WALLETD_ISSUER", issuer.name());
        command.env("WALLETD_AUTH__CLIENTS", "[\"cron-job\"]");
        let daemon = world.daemon_by(command);
        let log = daemon.log();
        let line = log.lines().find_map(|line| line.split_once("listening on TCP address=")).unwrap().1;
        let url = format!("http://{}", line.split_whitespace().next().unwrap());
        for (name, text) in [("client-secret", "job-secret\n"), ("key.pem", KEY)] {
            fs::set_permissions(world.file(name, text), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let at = format!("--daemon {url} --issuer {} --client cron-job", issuer.name());
        world.ctl(&format!("context set night {at} --secret-file client-secret --protected true")).ok();
        world.ctl("wallet create w_ops --owner o --asset EUR --overdraft unlimited --opened-at 2020-01-01 --idempotency-key a --yes").ok();
        world.ctl("wallet create w_1 --owner o --asset EUR --opened-at 2020-01-01 --idempotency-key b --yes").ok();
        world.file("tonight.csv", "key,op,from,to,amount,asset,effective_at\npay-1,transfer,w_ops,w_1,10.50,EUR,2020-02-01T09:00:00Z\npay-2,transfer,w_ops,w_1,1.25,EUR,2020-02-02T09:00:00Z\n");
        fs::create_dir(world.path("balances")).unwrap();
        Self { world, issuer, url, _daemon: daemon }
    }

    /// The command of the shipped crontab, at this machine's places, with the environment that cron gives.
    fn by_cron(&self) -> Run {
        let text = fs::read_to_string(shipped("crontab")).unwrap();
        let line = text.lines().find(|line| line.contains("/nightly ")).unwrap();
        // Five fields of time, then the command; a % would end it.
        let command = line.splitn(6, ' ').nth(5).unwrap();
        assert!(!command.contains('%'), "{command}");
        let command = command
            .replace("/usr/local/lib/walletctl/nightly", shipped("nightly").to_str().unwrap())
            .replace("/srv/payments", self.world.path("").to_str().unwrap())
            .replace("/srv/balances", self.world.path("balances").to_str().unwrap());
        let mut cron = Command::new("/bin/sh");
        cron.args(["-c", &command]).env_clear().current_dir(self.world.home()).stdin(Stdio::null());
        let path = format!("{}:/usr/bin:/bin", programs().display());
        cron.env("HOME", self.world.home()).env("LOGNAME", "job").env("SHELL", "/bin/sh").env("PATH", path);
        run(cron, Vec::new())
    }

    /// What the sheet of last month's end says of a wallet.
    fn sheet(&self) -> String {
        let found = fs::read_dir(self.world.path("balances")).unwrap().map(|entry| entry.unwrap().path());
        let sheets: Vec<_> = found.filter(|path| path.extension().is_some_and(|end| end == "csv")).collect();
        assert_eq!(sheets.len(), 1, "{sheets:?}");
        let text = fs::read_to_string(&sheets[0]).unwrap();
        rows(&text).into_iter().find(|row| row["wallet"] == "w_1").unwrap()["balance"].clone()
    }
}

#[test]
fn the_shipped_units_are_sound() {
    let Some(systemd_analyze) = tool("systemd-analyze", "whether the shipped units are sound") else { return };
    let world = World::new();
    for name in ["walletctl-nightly.service", "walletctl-nightly.timer"] {
        let text = fs::read_to_string(shipped(name)).unwrap();
        // The job is not installed here, nor is its manual page.
        let job = shipped("nightly");
        let text = text.replace("/usr/local/lib/walletctl/nightly", job.to_str().unwrap());
        let text: Vec<_> = text.lines().filter(|line| !line.starts_with("Documentation=")).collect();
        world.file(name, text.join("\n"));
    }
    let mut command = world.command(systemd_analyze);
    command.args(["verify", "--man=no", "walletctl-nightly.service", "walletctl-nightly.timer"]);
    let verified = run(command, Vec::new());
    assert!(verified.code == 0 && verified.err.is_empty(), "{verified}");
    // No secret is in a unit or its environment: they name where one is, by the same name.
    let unit = fs::read_to_string(shipped("walletctl-nightly.service")).unwrap();
    let environment = fs::read_to_string(shipped("nightly.env")).unwrap();
    let name = environment.lines().find_map(|line| line.strip_prefix("WALLETCTL_SECRET_CREDENTIAL=")).unwrap();
    assert!(unit.contains(&format!("LoadCredential={name}:/")), "{unit}");
}

#[test]
fn the_crontab_line_pays_and_writes_the_balances_once_however_often_it_runs() {
    let night = Night::new();
    let first = night.by_cron();
    assert!(!first.out.contains("job-secret") && !first.err.contains("job-secret"));
    first.ok();
    assert_eq!((night.sheet().as_str(), night.world.balance("w_1").as_str()), ("11.75", "11.75"));
    let head = night.world.head();
    night.by_cron().ok();
    assert_eq!(night.world.head(), head, "a second night with the same file moves nothing");
    // A row that is refused is told by the code, and the sheet is there all the same.
    fs::remove_dir_all(night.world.path("balances")).unwrap();
    fs::create_dir(night.world.path("balances")).unwrap();
    night.world.file("tonight.csv", "key,op,from,to,amount,asset\npay-3,transfer,w_1,w_ops,9999,EUR\n");
    night.by_cron().exits(8);
    assert_eq!(night.sheet(), "11.75");
    // An issuer that is away: nothing happened, and the same line later goes on.
    night.world.file("tonight.csv", "key,op,from,to,amount,asset\npay-4,transfer,w_ops,w_1,1,EUR\n");
    night.issuer.state().next.extend((0..100).map(|_| Next::Refuse("unauthorized_client")));
    night.by_cron().exits(4);
    night.issuer.state().next.clear();
    night.by_cron().ok();
    assert_eq!(night.world.balance("w_1"), "12.75");
}

#[test]
fn the_shipped_environment_and_a_systemd_credential_are_enough_for_the_job() {
    let night = Night::new();
    let credentials = night.world.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("client-secret"), "job-secret").unwrap();
    let mut job = Command::new(shipped("nightly"));
    job.arg(night.world.path("tonight.csv")).arg(night.world.path("balances")).env_clear().stdin(Stdio::null());
    let environment = fs::read_to_string(shipped("nightly.env")).unwrap();
    for (name, value) in environment.lines().filter_map(|line| line.split_once('=')) {
        job.env(name, value);
    }
    // This machine's places in the place of the shipped ones.
    job.env("PATH", format!("{}:/usr/bin:/bin", programs().display())).env("CREDENTIALS_DIRECTORY", &credentials);
    job.env("XDG_STATE_HOME", night.world.path("var")).env("XDG_CONFIG_HOME", night.world.path("var"));
    job.env("WALLETCTL_URL", &night.url).env("WALLETCTL_ISSUER", night.issuer.name());
    run(job, Vec::new()).ok();
    assert_eq!((night.sheet().as_str(), night.world.balance("w_1").as_str()), ("11.75", "11.75"));
}

#[test]
fn a_batch_outlives_its_tokens() {
    let night = Night::new();
    // Renewed before each ends: of these, every second or so.
    night.issuer.state().life = 2;
    let header = ["key,op,from,to,amount,asset".to_owned()];
    let rows = (0..3_000).map(|row| format!("long-{row},transfer,w_ops,w_1,0.01,EUR"));
    let text: Vec<_> = header.into_iter().chain(rows).collect();
    night.world.file("long.csv", text.join("\n") + "\n");
    night.world.ctl("--context night batch run long.csv --chunk 1 --yes -o json").ok();
    assert_eq!(night.world.balance("w_1"), "30.00");
    let asked = night.issuer.seen("/realms/test/token").len();
    assert!(asked > 1, "one token was enough: make the batch longer");
}

#[test]
fn the_doctor_finds_by_day_what_would_break_at_night() {
    let night = Night::new();
    let job = "doctor --for-cron -- batch run tonight.csv --yes";
    let found = night.world.ctl(&format!("--context night -o json {job}")).data();
    let state = |check: &str| {
        let all = found.as_array().unwrap();
        all.iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("{check}: {found}"))["state"].clone()
    };
    for check in ["home", "state", "room", "results", "command", "secret", "token", "daemon", "clock", "rights", "may"]
    {
        assert_eq!(state(check), "good", "{check}: {found}");
    }
    night.world.ctl(&format!("--context night {}", job.replace(" --yes", ""))).fails(2, "--yes");

    let secret = night.world.path("client-secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    night.world.ctl(&format!("--context night {job}")).fails(78, "mode 644");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();

    night.issuer.state().next.push_back(Next::Refuse("invalid_client"));
    night.world.ctl(&format!("--context night {job}")).fails(4, "refuses the client cron-job");
    night.issuer.state().next.push_back(Next::Page(502));
    night.world.ctl(&format!("--context night {job}")).fails(75, "502");

    // A client without a role is known, and may not.
    night.issuer.state().roles = Some(vec![]);
    night.world.ctl(&format!("--context night {job}")).fails(5, "has no role here");
    night.issuer.state().roles = Some(vec!["auditor"]);
    night.world.ctl("--context night auth can-i export balances").ok();
    night.world.ctl("--context night auth can-i POST /v1/batches").fails(5, "operator");

    // A client with another role may do something, and not this.
    night.world.ctl(&format!("--context night {job}")).fails(5, "batch run would be refused: it takes");
    night
        .world
        .ctl("--context night doctor --for-cron -- export balances --at 2020-02-29 --format csv --out b.csv")
        .ok();
    // Without backdate, a file whose rows give times cannot be run; one without times can.
    night.issuer.state().roles = Some(vec!["operator"]);
    night.world.ctl(&format!("--context night {job}")).fails(5, "the permission backdate");
    night.world.file("now.csv", "key,op,from,to,amount,asset\npay-9,transfer,w_ops,w_1,1,EUR\n");
    night.world.ctl("--context night doctor --for-cron -- batch run now.csv --yes").ok();
    let unknown = night.world.ctl("--context night -o json doctor --for-cron -- batch run tomorrow.csv --yes").data();
    let may = unknown.as_array().unwrap().iter().find(|row| row["check"] == "may").unwrap();
    assert_eq!(may["state"], "warning", "{may}");
    // A command that would go elsewhere is not the one that was looked at.
    let other = job.replace("tonight.csv", "now.csv --context other");
    night.world.ctl(&format!("--context night {other}")).fails(2, "--context other");

    // No home, no folders of its own: the user's passwd entry is found, and said.
    let mut command = night.world.walletctl();
    command.env_clear().env("WALLETCTL_URL", &night.url).env("XDG_STATE_HOME", night.world.state());
    command.args(["doctor", "--for-cron", "-o", "json"]);
    let bare = run(command, Vec::new());
    assert!(bare.code == 4 && bare.out.contains("HOME is not set"), "{bare}");
    // A state folder that cannot be written.
    let mut command = night.world.walletctl();
    command.env("XDG_STATE_HOME", "/proc/none").args(["--context", "night", "doctor", "--for-cron"]);
    run(command, Vec::new()).fails(78, "/proc/none");
}

#[test]
fn the_daemon_knows_every_command_that_needs_its_leave() {
    let night = Night::new();
    let write = "--yes --idempotency-key k";
    let lines = [
        "asset list".to_owned(),
        format!("asset register POINTS --scale 0 {write}"),
        "audit list".into(),
        "audit verify".into(),
        "auth can-i transfer".into(),
        "auth whoami".into(),
        "balance w_1".into(),
        "balance --all-wallets".into(),
        "batch resume tonight.csv --yes".into(),
        "batch run tonight.csv --yes".into(),
        "batch validate tonight.csv".into(),
        "daemon status".into(),
        format!("deposit --to w_1 --amount 1 --asset EUR {write}"),
        "export balances --format csv --out f".into(),
        "export journal --format csv --out f".into(),
        "export transactions --format csv --out f".into(),
        "statement w_1 --from 2020-01-01 --to 2020-01-31".into(),
        format!("transfer --from w_1 --to w_2 --amount 1 --asset EUR {write}"),
        "tx list".into(),
        format!("tx reverse tx_1_1 --effective-at 2020-01-01 {write}"),
        "tx show tx_1_1".into(),
        format!("wallet close w_1 {write}"),
        format!("wallet create w_3 --owner o --asset EUR --opened-at 2020-01-01 {write}"),
        format!("wallet freeze w_1 {write}"),
        "wallet import wallets.csv --yes".into(),
        "wallet list".into(),
        format!("wallet set-limit w_1 --overdraft 5 {write}"),
        "wallet show w_1".into(),
        format!("wallet unfreeze w_1 {write}"),
        format!("withdraw --from w_1 --amount 1 --asset EUR {write}"),
        format!("api POST /v1/wallets/w_1/freeze --data {{}} {write}"),
    ];
    for line in lines {
        let found = night.world.ctl(&format!("--context night -o json doctor --for-cron -- {line}")).data();
        let may: Vec<_> = found.as_array().unwrap().iter().filter(|row| row["check"] == "may").collect();
        assert!(may.len() == 1 && may[0]["state"] == "good", "{line}: {found}");
    }
    // What asks the daemon for nothing needs no leave.
    let found = night.world.ctl("--context night -o json doctor --for-cron -- batch status tonight.csv").data();
    assert!(found.as_array().unwrap().iter().all(|row| row["check"] != "may"), "{found}");
}
