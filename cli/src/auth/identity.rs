//! Who walletctl is to an issuer: which client, and how it shows that.
//!
//! All of it comes from where the URL comes from: a context's issuer, client and secret are for that context's URL and
//! for no other, and `WALLETCTL_ISSUER` and the like are for `WALLETCTL_URL`.

use std::{
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
};

use wallet_api::client::{Endpoint, Token, secure};

use super::binding::USUAL_CLIENT;
use crate::{
    config::{Named, Origin, Setting},
    env::Env,
    error::CliError,
    paths::{open_plain, read_private},
};

/// Largest secret: a key of RSA 16384 is below it.
const MAX_SECRET: u64 = 64 << 10;

/// Where a secret is. Its text is never a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file that nobody else may read.
    File(PathBuf),
    /// Among the service's credentials, by systemd.
    Systemd(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Systemd(name) => write!(f, "systemd credential {name}"),
        }
    }
}

impl Place {
    /// Reads it, anew each time: a secret that was changed counts from the next token on.
    pub fn read(&self, env: &Env) -> Result<Token, CliError> {
        let text = match self {
            Self::File(path) => read_private(path)?.ok_or_else(|| {
                CliError::configuration(format!("there is no {}", path.display())).hint(
                    "Put the secret there, mode 0600, or name its file: walletctl context set NAME --secret-file FILE.",
                )
            })?,
            Self::Systemd(name) => systemd(name, env)?,
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(CliError::configuration(format!("{self} is empty")));
        }
        Ok(Token::new(text))
    }
}

fn systemd(name: &str, env: &Env) -> Result<String, CliError> {
    let hint = format!(
        "Give the unit LoadCredential={name}:FILE (or LoadCredentialEncrypted=); outside of a unit there is none."
    );
    let folder = env.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
        CliError::configuration(format!("there is no CREDENTIALS_DIRECTORY to find {name} in")).hint(&hint)
    })?;
    let path = Path::new(&folder).join(name);
    // systemd lets nobody else in there, by rules of its own: the mode does not tell.
    let (file, _) = open_plain(&path)?
        .ok_or_else(|| CliError::configuration(format!("there is no {}", path.display())).hint(&hint))?;
    let mut text = String::new();
    file.take(MAX_SECRET)
        .read_to_string(&mut text)
        .map_err(|e| CliError::configuration(format!("cannot read {}: {e}", path.display())).hint(&hint))?;
    Ok(text)
}

/// How a client shows who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// A person signs in with it.
    #[default]
    Login,
    /// A secret that it shares with the issuer.
    Secret(Place),
    /// A key that it signs with, and the key's id if the issuer knows several.
    Key(Place, Option<String>),
}

impl Credentials {
    /// The word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Secret(_) => "client_secret",
            Self::Key(..) => "private_key_jwt",
        }
    }

    /// Where its secret is.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Login => None,
            Self::Secret(place) | Self::Key(place, _) => Some(place),
        }
    }
}

/// Who walletctl is to an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer that was remembered or pinned.
    pub issuer: Option<String>,
    /// The client.
    pub client: String,
    /// How it shows that.
    pub credentials: Credentials,
    /// Certificate authorities besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The context whose identity this is.
    pub context: Option<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            issuer: None,
            client: USUAL_CLIENT.into(),
            credentials: Credentials::default(),
            ca_file: None,
            context: None,
        }
    }
}

/// Variables that say who, beside `WALLETCTL_URL`.
pub const WHO: [&str; 7] = [
    "WALLETCTL_ISSUER",
    "WALLETCTL_CLIENT",
    "WALLETCTL_SECRET_FILE",
    "WALLETCTL_SECRET_CREDENTIAL",
    "WALLETCTL_KEY_FILE",
    "WALLETCTL_KEY_CREDENTIAL",
    "WALLETCTL_KEY_ID",
];

/// Finds out who, for an endpoint.
pub fn resolve(endpoint: &Setting<Endpoint>, env: &Env, named: &Named, context: &str) -> Result<Identity, CliError> {
    let Some(url) = endpoint.value.url() else { return Ok(Identity::default()) };
    let variables = from_variables(env);
    let by_variables = variables.as_ref().is_some_and(|_| endpoint.origin == Origin::Variable("WALLETCTL_URL"));
    if variables.is_some() && env.get("WALLETCTL_URL").is_none() {
        let set = WHO.into_iter().find(|name| env.get(name).is_some()).unwrap_or_default();
        return Err(CliError::configuration(format!("{set} is set, and WALLETCTL_URL is not"))
            .hint("Say in WALLETCTL_URL which daemon it is for, or put both into a context (walletctl context set)."));
    }
    let own = named.url.as_deref().is_some_and(|own| own.trim_end_matches('/') == url);
    let mut identity = match variables.filter(|_| by_variables) {
        Some(named) => of_named(&named, "the environment")?,
        None if own => {
            Identity { context: Some(context.to_owned()), ..of_named(named, &format!("context {context}"))? }
        }
        None => Identity::default(),
    };
    if let Some(file) = env.get("WALLETCTL_CA_FILE") {
        identity.ca_file = Some(file.into());
    }
    Ok(identity)
}

fn from_variables(env: &Env) -> Option<Named> {
    let [issuer, client, secret_file, secret_credential, key_file, key_credential, key_id] =
        WHO.map(|name| env.get(name));
    let named =
        Named { issuer, client, secret_file, secret_credential, key_file, key_credential, key_id, ..Named::default() };
    (named != Named::default()).then_some(named)
}

/// What a context says, checked.
pub fn of_named(named: &Named, origin: &str) -> Result<Identity, CliError> {
    let wrong = |why: String| CliError::configuration(format!("{origin}: {why}"));
    let file = |path: &String| Place::File(path.into());
    let given = [
        named.secret_file.as_ref().map(|path| Credentials::Secret(file(path))),
        named.secret_credential.as_ref().map(|name| Credentials::Secret(Place::Systemd(name.clone()))),
        named.key_file.as_ref().map(|path| Credentials::Key(file(path), named.key_id.clone())),
        named.key_credential.as_ref().map(|name| Credentials::Key(Place::Systemd(name.clone()), named.key_id.clone())),
    ];
    let mut given = given.into_iter().flatten();
    let credentials = given.next().unwrap_or_default();
    if given.next().is_some() {
        let why = "more than one of secret_file, secret_credential, key_file and key_credential is given";
        return Err(wrong(why.into()).hint("Give one of them: walletctl context set NAME keeps the one it is told."));
    }
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) && name != ".."
    };
    for name in [&named.secret_credential, &named.key_credential].into_iter().flatten() {
        if !plain(name) {
            return Err(wrong(format!("a systemd credential's name is of A-Z a-z 0-9 . _ -, not {name:?}")));
        }
    }
    if let Some(issuer) = &named.issuer {
        secure(issuer).map_err(|why| wrong(format!("issuer {issuer}: {why}")))?;
    }
    Ok(Identity {
        issuer: named.issuer.clone(),
        client: named.client.clone().unwrap_or_else(|| USUAL_CLIENT.into()),
        credentials,
        ca_file: named.ca_file.as_ref().map(PathBuf::from),
        context: None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn named() -> Named {
        Named {
            url: Some("https://wallet.example".into()),
            issuer: Some("https://id.example".into()),
            client: Some("cron".into()),
            secret_file: Some("/etc/secret".into()),
            ca_file: Some("/etc/ca.pem".into()),
            ..Named::default()
        }
    }

    fn at(url: &str, origin: Origin, env: &Env) -> Result<Identity, CliError> {
        resolve(&Setting { value: url.parse().unwrap(), origin }, env, &named(), "prod")
    }

    #[test]
    fn a_context_gives_nothing_to_another_url() {
        let none = Env::of([]);
        let own = at("https://wallet.example/", Origin::Context("prod".into()), &none).unwrap();
        assert_eq!(own.credentials, Credentials::Secret(Place::File("/etc/secret".into())));
        assert_eq!((own.client.as_str(), own.context.as_deref()), ("cron", Some("prod")));
        let same = at("https://wallet.example", Origin::Flag("--url"), &none).unwrap();
        assert_eq!(same, own);
        for url in ["https://evil.example", "https://wallet.example:8443", "http://127.0.0.1:1"] {
            assert_eq!(at(url, Origin::Flag("--url"), &none).unwrap(), Identity::default(), "{url}");
            assert_eq!(at(url, Origin::Variable("WALLETCTL_URL"), &none).unwrap(), Identity::default(), "{url}");
        }
    }

    #[test]
    fn variables_go_with_the_url_of_the_environment() {
        let env = Env::of([
            ("WALLETCTL_URL", "https://night.example"),
            ("WALLETCTL_ISSUER", "https://id.example"),
            ("WALLETCTL_CLIENT", "night"),
            ("WALLETCTL_KEY_CREDENTIAL", "night-key"),
        ]);
        let found = at("https://night.example", Origin::Variable("WALLETCTL_URL"), &env).unwrap();
        assert_eq!(found.credentials, Credentials::Key(Place::Systemd("night-key".into()), None));
        // The flag names another daemon: what the environment has is not for it.
        assert_eq!(at("https://evil.example", Origin::Flag("--url"), &env).unwrap(), Identity::default());
        let lone = Env::of([("WALLETCTL_SECRET_FILE", "/etc/secret")]);
        let error = at("https://wallet.example", Origin::Context("prod".into()), &lone).unwrap_err();
        assert_eq!(error.exit, 78);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let exit = |named: Named| of_named(&named, "context prod").map_or_else(|e| e.exit, |_| 0);
        assert_eq!(exit(named()), 0);
        assert_eq!(exit(Named { key_file: Some("/k".into()), ..named() }), 78);
        assert_eq!(exit(Named { issuer: Some("http://id.example".into()), ..named() }), 78);
        assert_eq!(exit(Named { issuer: Some("http://127.0.0.1:8080/realms/w".into()), ..named() }), 0);
        let systemd = |name: &str| Named { secret_file: None, secret_credential: Some(name.into()), ..named() };
        assert_eq!((exit(systemd("wallet-secret")), exit(systemd("../x")), exit(systemd(".."))), (0, 78, 78));
    }

    #[test]
    fn a_secret_is_read_from_a_file_nobody_else_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        let (place, env) = (Place::File(path.clone()), Env::of([]));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = place.read(&env).unwrap_err();
        assert!(error.exit == 78 && error.hint.starts_with("chmod 600"), "{error:?}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(place.read(&env).unwrap().expose(), "s3cret");
        let systemd = Place::Systemd("secret".into());
        assert_eq!(systemd.read(&env).unwrap_err().exit, 78);
        let env = Env::of([("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())]);
        assert_eq!(systemd.read(&env).unwrap().expose(), "s3cret");
    }
}
