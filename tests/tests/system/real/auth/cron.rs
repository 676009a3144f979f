//! Cron: nobody there, no terminal, no keyring, an empty environment. The lines and units of daemon/docs/cron are run as
//! they are written; only paths and addresses are the test's.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{
    super::keycloak::{Keycloak, base64url, file},
    Site,
};
use crate::harness::{Run, World, programs, rows, run};

/// What one night has to do, and where.
struct Night {
    site: Site,
    job: World,
    payments: PathBuf,
    balances: PathBuf,
    /// The last day of last month.
    month_end: String,
}

impl Night {
    fn new(what: &str) -> Option<Self> {
        let site = Site::new(what)?;
        let job = World::new();
        for wallet in ["w_1", "w_2"] {
            let open = format!(
                "wallet create {wallet} --owner o --asset EUR --opened-at 2020-01-01 --idempotency-key {wallet} --yes"
            );
            site.world.ctl(&open).ok();
        }
        let fund = "deposit --to w_1 --amount 100 --asset EUR --effective-at 2020-06-01 --idempotency-key fund --yes";
        site.world.ctl(fund).ok();
        let rows = "n-1,transfer,w_1,w_2,30.00,EUR\nn-2,transfer,w_1,w_2,500.00,EUR\nn-3,transfer,w_1,w_2,5.00,EUR\n";
        let payments = job.file("tonight.csv", format!("key,op,from,to,amount,asset\n{rows}"));
        let balances = job.path("balances");
        fs::create_dir(&balances).unwrap();
        let mut date = Command::new("date");
        date.args(["-d", &format!("{} -1 day", today("+%Y-%m-01")), "+%Y-%m-%d"]);
        let month_end = run(date, Vec::new()).ok().trim().to_owned();
        Some(Self { site, job, payments, balances, month_end })
    }

    /// A command of the documents, with the test's paths.
    fn placed(&self, command: &str) -> String {
        command
            .replace("/usr/local/lib/walletctl/nightly", file("daemon/docs/cron/nightly").to_str().unwrap())
            .replace("/srv/payments/tonight.csv", self.payments.to_str().unwrap())
            .replace("/srv/balances", self.balances.to_str().unwrap())
    }

    /// Runs a line as cron does: by sh, with this environment and nothing else, reading nothing.
    fn runs(&self, line: &str, environment: &BTreeMap<String, String>) -> Run {
        let mut command = Command::new("sh");
        command.args(["-c", &self.placed(line)]).env_clear().envs(environment).stdin(Stdio::null());
        command.current_dir(self.job.dir.path());
        run(command, Vec::new())
    }

    /// What must be true after the night, however often it ran.
    #[track_caller]
    fn went_well(&self, run: Run) {
        // One row of three is more than the wallet has.
        run.exits(8);
        assert_eq!((self.site.world.balance("w_1"), self.site.world.balance("w_2")), ("65.00".into(), "35.00".into()));
        let sheet = fs::read_to_string(self.balances.join(format!("balances-{}.csv", self.month_end))).unwrap();
        let found: BTreeMap<_, _> =
            rows(&sheet).into_iter().map(|row| (row["wallet"].clone(), row["balance"].clone())).collect();
        let expected = [("w_1".to_owned(), "100.00".to_owned()), ("w_2".to_owned(), "0.00".to_owned())];
        assert_eq!(found, BTreeMap::from(expected), "{sheet}");
    }
}

fn today(format: &str) -> String {
    let mut date = Command::new("date");
    date.arg(format);
    run(date, Vec::new()).ok().trim().to_owned()
}

/// The programs' folder before a documented PATH.
fn path(documented: &str) -> String {
    format!("{}:{documented}", programs().display())
}

/// A secret as only its owner may read it.
fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn the_crontab_line_runs_a_batch_and_writes_month_end_balances_with_a_secret_file() {
    let Some(night) = Night::new("the crontab line") else { return };
    let crontab = fs::read_to_string(file("daemon/docs/cron/crontab")).unwrap();
    let set = |name: &str| {
        let line = crontab.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name} in {crontab}")).to_owned()
    };
    let line = crontab.lines().find(|line| line.starts_with(|c: char| c.is_ascii_digit())).unwrap();
    let command = line.splitn(6, ' ').nth(5).unwrap();
    assert!(!command.contains('%'), "cron ends a line there: {command}");

    secret(&night.job.path("client-secret"), "cron-job-secret\n");
    let words = ["context", "set", "night", "--daemon", &night.site.url, "--issuer", &night.site.issuer];
    let file = night.job.path("client-secret");
    let more = ["--client", "cron-job", "--secret-file", file.to_str().unwrap()];
    night.job.ctl_words(&[words.as_slice(), &more].concat()).ok();
    let environment = BTreeMap::from([
        ("HOME".to_owned(), night.job.home().to_str().unwrap().to_owned()),
        ("LOGNAME".to_owned(), "job".to_owned()),
        ("SHELL".to_owned(), "/bin/sh".to_owned()),
        ("PATH".to_owned(), path(&set("PATH"))),
    ]);
    // By day somebody looks whether it would work at night.
    let doctor = "walletctl --context night doctor --for-cron";
    night.runs(doctor, &environment).ok();
    night.went_well(night.runs(command, &environment));
    // A second time: the same code, the same books.
    night.went_well(night.runs(command, &environment));
    assert_eq!(night.site.world.head(), 5, "two wallets, the money, and two rows of three, once");

    // What goes wrong at night has a code of its own.
    let code = |line: &str| night.runs(line, &environment).code;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!((code(command), code(doctor)), (78, 78), "others may read the secret");
    secret(&file, "another-secret\n");
    assert_eq!((code(command), code(doctor)), (4, 4), "the issuer refuses the secret");
    fs::remove_file(&file).unwrap();
    assert_eq!((code(command), code(doctor)), (78, 78), "there is no secret");
}

#[test]
fn the_systemd_unit_does_the_same_with_a_systemd_credential() {
    let Some(night) = Night::new("the systemd unit") else { return };
    let unit = fs::read_to_string(file("daemon/docs/cron/walletctl-nightly.service")).unwrap();
    let values = |key: &str| -> Vec<String> {
        unit.lines().filter_map(|line| line.strip_prefix(&format!("{key}="))).map(str::to_owned).collect()
    };
    // systemd reads what the unit names; its place here is beside the unit.
    let named = values("EnvironmentFile").remove(0);
    let given = fs::read_to_string(file("daemon/docs/cron").join(Path::new(&named).file_name().unwrap())).unwrap();
    let pairs = given.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let mut environment: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let documented = environment["PATH"].clone();
    for (name, value) in [
        ("PATH", path(&documented)),
        ("XDG_STATE_HOME", night.job.path("state").to_str().unwrap().to_owned()),
        ("XDG_CONFIG_HOME", night.job.path("config").to_str().unwrap().to_owned()),
        ("WALLETCTL_URL", night.site.url.clone()),
        ("WALLETCTL_ISSUER", night.site.issuer.clone()),
    ] {
        assert!(environment.insert(name.into(), value).is_some(), "{name} is not in {named}");
    }
    // What systemd adds: the credential, in a folder that nobody else may enter. No home.
    let credential = values("LoadCredential")[0].split(':').next().unwrap().to_owned();
    let folder = night.job.path("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(&credential), "cron-job-secret").unwrap();
    fs::set_permissions(folder.join(&credential), fs::Permissions::from_mode(0o440)).unwrap();
    environment.insert("CREDENTIALS_DIRECTORY".into(), folder.to_str().unwrap().into());
    // systemd makes it.
    fs::create_dir(night.job.path("state")).unwrap();
    fs::set_permissions(night.job.path("state"), fs::Permissions::from_mode(0o700)).unwrap();

    let start = values("ExecStart").remove(0);
    night.runs("walletctl doctor --for-cron", &environment).ok();
    night.went_well(night.runs(&start, &environment));
    night.went_well(night.runs(&start, &environment));
    fs::remove_file(folder.join(&credential)).unwrap();
    assert_eq!(night.runs(&start, &environment).code, 78);
    // What mends itself is tried again, and nothing else.
    let again = values("RestartPreventExitStatus").remove(0);
    let never: Vec<&str> = again.split(' ').collect();
    for code in ["75", "11"] {
        assert!(!never.contains(&code), "{code} is not tried again");
    }
    for code in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "78", "130"] {
        assert!(never.contains(&code), "{code} is tried again");
    }
}

#[test]
fn a_client_that_signs_with_its_key_needs_no_secret() {
    let Some(night) = Night::new("private_key_jwt") else { return };
    let keys = [Kind::P256, Kind::Rsa].map(|kind| kind.pair(&night.job, kind.name()));
    registers(&night.site.keycloak, "cron-key", &keys.clone().map(|(_, jwk)| jwk));
    let environment = |key: &Path| {
        BTreeMap::from(
            [
                ("HOME", night.job.home().to_str().unwrap()),
                ("PATH", &path("/usr/bin:/bin")),
                ("WALLETCTL_URL", &night.site.url),
                ("WALLETCTL_ISSUER", &night.site.issuer),
                ("WALLETCTL_CLIENT", "cron-key"),
                ("WALLETCTL_KEY_FILE", key.to_str().unwrap()),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
    };
    let command = "/usr/local/lib/walletctl/nightly /srv/payments/tonight.csv /srv/balances";
    for (key, _) in &keys {
        night.went_well(night.runs(command, &environment(key)));
    }
    // RSA keys come in an older form as well, which begins with another line.
    let [(key, _), (rsa, _)] = &keys;
    let older = night.job.path("older.pem");
    openssl(&night.job, &["rsa", "-in", rsa.to_str().unwrap(), "-traditional", "-out", older.to_str().unwrap()]);
    assert!(fs::read_to_string(&older).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    night.runs("walletctl balance w_1", &environment(&older)).ok();
    for kind in [Kind::P256, Kind::Rsa] {
        let (other, _) = kind.pair(&night.job, "other.pem");
        night.runs("walletctl balance w_1", &environment(&other)).exits(4);
    }
    // Its tokens live four seconds where the client is `cron-brief`: a night is longer than that.
    let mut brief = environment(key);
    brief.remove("WALLETCTL_KEY_FILE");
    secret(&night.job.path("brief"), "cron-brief-secret");
    brief.insert("WALLETCTL_SECRET_FILE".into(), night.job.path("brief").to_str().unwrap().into());
    brief.insert("WALLETCTL_CLIENT".into(), "cron-brief".into());
    night.runs("walletctl balance w_1", &brief).ok();
}

/// What a client signs with.
#[derive(Clone, Copy)]
enum Kind {
    P256,
    Rsa,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256.pem",
            Self::Rsa => "rsa.pem",
        }
    }

    /// A key in a file of its own, and its public half as a JWK.
    fn pair(self, world: &World, name: &str) -> (PathBuf, serde_json::Value) {
        let key = world.path(name);
        let (algorithm, option) = match self {
            Self::P256 => ("EC", "ec_paramgen_curve:P-256"),
            Self::Rsa => ("RSA", "rsa_keygen_bits:2048"),
        };
        openssl(world, &["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", name]);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let jwk = match self {
            Self::P256 => {
                openssl(world, &["pkey", "-in", name, "-pubout", "-outform", "DER", "-out", "public.der"]);
                // The point, uncompressed, is what the structure ends with.
                let der = fs::read(world.path("public.der")).unwrap();
                let (x, y) = der[der.len() - 64..].split_at(32);
                serde_json::json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": name, "x": base64url(x),
                    "y": base64url(y),
                })
            }
            Self::Rsa => {
                let said = openssl(world, &["rsa", "-in", name, "-noout", "-modulus"]);
                let digits = said.trim().strip_prefix("Modulus=").unwrap();
                let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
                let modulus: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
                // 65537, as openssl makes them.
                let (n, e) = (base64url(&modulus), base64url(&[1, 0, 1]));
                serde_json::json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": n, "e": e})
            }
        };
        (key, jwk)
    }
}

fn openssl(world: &World, words: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(words).current_dir(world.path(""));
    run(command, Vec::new()).ok()
}

/// Tells Keycloak a client's public keys.
fn registers(keycloak: &Keycloak, client: &str, keys: &[serde_json::Value]) {
    let found = keycloak.admin("GET", &format!("/clients?clientId={client}"), None).ok();
    let mut found = found[0].clone();
    found["attributes"]["jwks.string"] = serde_json::json!({ "keys": keys }).to_string().into();
    let path = format!("/clients/{}", found["id"].as_str().unwrap());
    keycloak.admin("PUT", &path, Some(&found)).ok();
}
