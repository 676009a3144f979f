//! Signing in, against an issuer that does as it is told: what walletctl sends, to whom, and how it ends.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use wallet_tests::issuer::{Issuer, KEY, Next};

use crate::harness::{Run, World, finish, run, signal, tool};

const LOGIN: &str = "--context t auth login --no-browser --insecure-storage -o json";

/// A machine with a context for the issuer's daemon.
fn world(issuer: &Issuer, more: &str) -> World {
    let world = World::new();
    world.ctl(&format!("context set t --daemon {} --issuer {} {more}", issuer.daemon(), issuer.name())).ok();
    world
}

/// A machine where somebody is signed in.
fn signed_in(issuer: &Issuer) -> World {
    let world = world(issuer, "");
    world.ctl(LOGIN).ok();
    world
}

/// Nothing of what walletctl shows or keeps where others may look has a secret in it.
fn keeps_secrets(run: &Run) {
    assert!(!run.out.contains("secret") && !run.err.contains("secret"), "{run}");
}

/// Every file below a folder that has this text in it.
fn files_with(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text) {
            found.push(path);
        }
    }
    found
}

fn start(world: &World, line: &str) -> Child {
    let mut command = world.walletctl();
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_person_signs_in_through_a_bad_gateway_and_every_command_shows_the_token() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer, "");
    let bad = [Next::Refuse("authorization_pending"), Next::Page(502), Next::Reset, Next::Page(503)];
    issuer.state().next.extend(bad);
    let login = world.ctl(&format!("{LOGIN} -v --qr"));
    keeps_secrets(&login);
    // The page with the code in it, and the code: both, whatever the form of output.
    assert!(login.err.contains("/approve?user_code=ABCD-EFGH") && login.err.contains("Code   ABCD-EFGH"), "{login}");
    assert!(login.err.contains('\u{2588}'), "{login}");
    assert_eq!(login.data()["storage"], "file");
    assert_eq!(issuer.seen("/realms/test/token").len(), 5);
    let whoami = world.ctl("--context t auth whoami -v");
    keeps_secrets(&whoami);
    whoami.ok();
    assert_eq!(issuer.seen("/v1/whoami")[0].bearer(), Some("access-secret-1"));
    assert_eq!(world.ctl("--context t auth token").ok(), "access-secret-1\n");
    world.ctl("--context t auth status").ok();
    world.ctl("--context t auth status --expires-within 7d").exits(4);
    // The tokens are in one file, which nobody else may read.
    let files = files_with(&world.home(), "refresh-secret");
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&files[0], fs::Permissions::from_mode(0o640)).unwrap();
    world.ctl("--context t auth whoami").fails(78, "mode 640");
}

#[test]
fn a_sign_in_that_is_denied_ends_10_and_one_that_is_over_ends_4() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer, "");
    for (word, code, says) in [
        ("access_denied", 10, "denied"),
        ("expired_token", 4, "in time"),
        ("invalid_grant", 4, "start again"),
        ("unauthorized_client", 4, "refuses the client walletctl"),
    ] {
        issuer.state().next.push_back(Next::Refuse(word));
        let error = world.ctl(LOGIN).fails(code, says);
        assert!(!error.contains("device-code-secret"), "{error}");
    }
    issuer.state().code_life = 2;
    issuer.state().next.extend([Next::Page(502), Next::Page(502), Next::Page(502)]);
    world.ctl(LOGIN).fails(4, "502");
    issuer.state().code_life = 60;
    // No such endpoint, or sent elsewhere: at once.
    let begin = Instant::now();
    issuer.state().next.push_back(Next::Page(404));
    world.ctl(LOGIN).fails(78, "404");
    let elsewhere = Issuer::start().unwrap();
    issuer.state().next.push_back(Next::Redirect(format!("{}/token", elsewhere.name())));
    world.ctl(LOGIN).fails(78, "redirects are refused");
    assert!(begin.elapsed() < Duration::from_secs(30));
    assert!(elsewhere.state().seen.is_empty());
    world.ctl("--context t auth status").exits(4);
}

#[test]
fn ctrl_c_ends_a_sign_in_with_130() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer, "");
    issuer.state().next.extend((0..60).map(|_| Next::Refuse("authorization_pending")));
    let mut child = start(&world, "--context t auth login --no-browser --insecure-storage");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("Waiting")));
    let command = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
    assert!(!command.contains("secret"));
    signal(child.id(), rustix::process::Signal::INT);
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    assert!(rest.iter().any(|line| line.contains("nobody was signed in")), "{rest:?}");
    assert_eq!(finish("auth login".into(), child).code, 130);
}

#[test]
fn ten_processes_share_one_rotating_login() {
    let issuer = Issuer::start().unwrap();
    issuer.state().life = 1;
    let world = signed_in(&issuer);
    issuer.state().life = 300;
    thread::sleep(Duration::from_secs(2));
    let all: Vec<_> = (0..10).map(|_| start(&world, "--context t auth token")).collect();
    for child in all {
        assert_eq!(finish("auth token".into(), child).ok(), "access-secret-2\n");
    }
    let state = issuer.state();
    assert_eq!((state.renewed, state.reused), (1, 0));
}

#[test]
fn a_refused_token_is_renewed_and_the_same_request_sent_once_more() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    issuer.state().good = Some("none of these".into());
    let data = r#"{"from":"w_1","to":"w_2","amount":"1","asset":"EUR"}"#;
    let words =
        ["--context", "t", "api", "POST", "/v1/transfers", "--data", data, "--idempotency-key", "inv-1", "--yes"];
    world.ctl_words(&words).ok();
    let sent = issuer.seen("/v1/transfers");
    let tokens: Vec<_> = sent.iter().map(|request| request.bearer().unwrap()).collect();
    assert_eq!(tokens, ["access-secret-1", "access-secret-2"]);
    assert_eq!(sent[0].body, sent[1].body);
    assert!(sent.iter().all(|request| request.headers["idempotency-key"] == "inv-1"));
    // A daemon that takes no token at all is asked twice, and no more.
    issuer.state().good = Some("none of these".into());
    issuer.state().next.push_back(Next::Refuse("invalid_grant"));
    world.ctl("--context t auth whoami").fails(4, "auth login");
}

#[test]
fn another_url_gets_nothing_of_a_context() {
    let (issuer, other) = (Issuer::start().unwrap(), Issuer::start().unwrap());
    let world = signed_in(&issuer);
    let secret = world.file("secret", "client-secret\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    world
        .ctl(&format!(
            "context set c --daemon {} --issuer {} --client cron --secret-file secret",
            issuer.daemon(),
            issuer.name()
        ))
        .ok();
    world.ctl("--context c auth whoami").ok();
    let before = issuer.state().seen.len();
    for context in ["t", "c"] {
        world.ctl(&format!("--context {context} --url {} auth whoami", other.daemon())).exits(4);
        let mut command = world.walletctl();
        command.env("WALLETCTL_CONTEXT", context).env("WALLETCTL_URL", other.daemon()).args(["auth", "whoami"]);
        run(command, Vec::new()).exits(4);
    }
    let seen = other.state().seen.clone();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.bearer().is_none() && request.path == "/v1/whoami"), "{seen:?}");
    assert_eq!(issuer.state().seen.len(), before);
    // A context that is named is asked at its own URL, whatever the environment says.
    let mut command = world.walletctl();
    command.args(["--context", "t", "auth", "whoami"]).env("WALLETCTL_URL", other.daemon());
    run(command, Vec::new()).ok();
    assert_eq!(other.state().seen.len(), 4);
    // The very same URL is the context's own.
    world.ctl(&format!("--context t --url {}/ auth whoami", issuer.daemon())).ok();
}

#[test]
fn an_issuer_that_is_new_or_changed_must_be_pinned_where_nobody_can_be_asked() {
    let (issuer, other) = (Issuer::start().unwrap(), Issuer::start().unwrap());
    let world = World::new();
    world.ctl(&format!("context set t --daemon {}", issuer.daemon())).ok();
    world.ctl(LOGIN).fails(78, "is not pinned");
    world.ctl(&format!("context set t --issuer {}", issuer.name())).ok();
    world.ctl(LOGIN).ok();
    issuer.state().issuers = Some(vec![other.name()]);
    world.ctl(LOGIN).fails(78, "issuer_changed");
    assert!(other.state().seen.is_empty());
    // What was signed in before goes on at the issuer that was remembered.
    world.ctl("--context t auth whoami").ok();
    world.ctl(&format!("context set t --issuer {}", other.name())).ok();
    // Pinned to another issuer, the old one's token is shown no more.
    world.ctl("--context t auth whoami").exits(4);
}

/// Runs walletctl at a terminal where somebody types this.
fn typed(world: &World, line: &str, answer: &str) -> Option<Run> {
    let script = tool("script", "answering at a terminal")?;
    let walletctl = crate::harness::programs().join("walletctl");
    let mut command = world.command(script);
    command.args(["-qec", &format!("{} {line}", walletctl.display()), "/dev/null"]).stdin(Stdio::piped());
    Some(run(command, answer.as_bytes().to_vec()))
}

#[test]
fn a_person_is_asked_about_an_issuer_that_is_new_or_changed_and_the_answer_is_remembered() {
    let (issuer, other) = (Issuer::start().unwrap(), Issuer::start().unwrap());
    let world = World::new();
    world.ctl(&format!("context set t --daemon {}", issuer.daemon())).ok();
    let line = "--context t auth login --no-browser --insecure-storage";
    let Some(no) = typed(&world, line, "n\n") else { return };
    no.exits(10);
    let yes = typed(&world, line, "y\n").unwrap();
    assert!(yes.out.contains(&issuer.name()) && yes.out.contains("[y/N]"), "{yes}");
    yes.ok();
    assert_eq!(world.ctl("context show t -o json").data()["issuer"], issuer.name());
    issuer.state().issuers = Some(vec![other.name()]);
    typed(&world, line, "\n").unwrap().exits(10);
    assert!(other.state().seen.is_empty());
    typed(&world, line, "y\n").unwrap().ok();
    assert_eq!(world.ctl("context show t -o json").data()["issuer"], other.name());
    // The old issuer's login is gone; another daemon gets nothing of this one's.
    assert!(files_with(&world.state(), &issuer.name()).is_empty());
    world.ctl(&format!("context set t --daemon {}", other.daemon())).ok();
    assert!(world.ctl("context show t -o json").data()["issuer"].is_null());
}

#[test]
fn a_daemon_that_speaks_for_another_or_sends_elsewhere_is_not_believed() {
    let (issuer, other) = (Issuer::start().unwrap(), Issuer::start().unwrap());
    let world = world(&issuer, "");
    for wrong in [other.daemon(), format!("{}/", issuer.daemon()), issuer.daemon().replace("127.0.0.1", "localhost")] {
        issuer.state().resource = Some(wrong);
        world.ctl(LOGIN).fails(78, "it speaks for");
    }
    issuer.state().resource = None;
    issuer.state().moved = Some(format!("{}/.well-known/oauth-protected-resource", other.daemon()));
    world.ctl(LOGIN).fails(78, "redirects are refused");
    issuer.state().moved = None;
    issuer.state().issuers = Some(vec!["http://issuer.example/realms/w".into()]);
    world.ctl(LOGIN).fails(78, "must be https://");
    assert!(other.state().seen.is_empty());
    world.ctl("context set t --issuer http://issuer.example").fails(2, "must be https://");
}

#[test]
fn signing_out_forgets_even_when_the_issuer_cannot_be_told() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    let told = world.ctl("--context t auth logout -o json").data();
    assert_eq!((&told["removed"], &told["revoked"]), (&true.into(), &true.into()));
    assert_eq!(issuer.seen("/realms/test/revoke")[0].field("token").as_deref(), Some("refresh-secret-1"));
    world.ctl(LOGIN).ok();
    issuer.state().keeps_revoked = true;
    let untold = world.ctl("--context t auth logout");
    keeps_secrets(&untold);
    assert!(untold.err.contains("the issuer was not told"), "{untold}");
    untold.ok();
    assert!(files_with(&world.home(), "secret").is_empty());
    world.ctl("--context t auth logout").exits(4);
}

#[test]
fn a_client_signs_in_by_itself_with_an_empty_environment_and_leaves_nothing_behind() {
    let issuer = Issuer::start().unwrap();
    let world = World::new();
    let secret = world.file("client-secret", "s+cret/of the=job\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let key = world.file("key.pem", KEY);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let at = format!("--daemon {} --issuer {} --client cron", issuer.daemon(), issuer.name());
    world.ctl(&format!("context set file {at} --secret-file client-secret")).ok();
    world.ctl(&format!("context set systemd {at} --secret-credential client-secret")).ok();
    world.ctl(&format!("context set key {at} --key-file key.pem")).ok();
    for context in ["file", "systemd", "key"] {
        let mut command = world.walletctl();
        command.env_clear().env("XDG_CONFIG_HOME", world.home().join(".config")).env("XDG_STATE_HOME", world.state());
        command.env("CREDENTIALS_DIRECTORY", world.path("")).args(["--context", context, "auth", "whoami"]);
        run(command, Vec::new()).ok();
    }
    let asked = issuer.seen("/realms/test/token");
    // Percent-encoded before it is encoded: RFC 6749, 2.3.1.
    let basic = "Basic Y3JvbjpzJTJCY3JldCUyRm9mJTIwdGhlJTNEam9i";
    assert_eq!(asked[0].headers["authorization"], basic);
    assert_eq!(asked[1].headers["authorization"], basic);
    assert!(
        asked[2].field("client_assertion").unwrap().starts_with("eyJ")
            && !asked[2].headers.contains_key("authorization")
    );
    assert!(files_with(&world.state(), "access-secret").is_empty());
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    world.ctl("--context file auth whoami").fails(78, "mode 644");
    world.ctl("--context systemd auth whoami").fails(78, "CREDENTIALS_DIRECTORY");
    world.ctl("--context key auth login").exits(2);
}

#[test]
fn the_codes_of_a_daemon_on_tcp_are_those_of_the_socket() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    world.ctl("--context t api GET /v1/forbidden").exits(5);
    world.ctl(&format!("--url {} auth whoami", "http://127.0.0.1:1")).exits(75);
    world.ctl("--socket /nowhere auth login").exits(2);
    // An issuer that is away, and a token that has ended: nothing happened.
    issuer.state().life = 0;
    world.ctl(LOGIN).ok();
    issuer.state().next.push_back(Next::Page(503));
    let error = world.ctl("--context t auth whoami -o json").exits_with_error(75);
    assert_eq!((&error["code"], &error["retryable"]), (&"issuer_unavailable".into(), &true.into()));
}

#[test]
fn without_a_keyring_nothing_is_kept_unless_somebody_says_so() {
    let issuer = Issuer::start().unwrap();
    let world = world(&issuer, "");
    let mut command = world.walletctl();
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus");
    command.args(["--context", "t", "auth", "login", "--no-browser"]);
    run(command, Vec::new()).fails(78, "--insecure-storage");
    // Found out before anybody is asked to approve anything.
    assert!(issuer.seen("/realms/test/device").is_empty());
}

#[test]
fn a_protected_context_and_a_job_without_its_flags_are_found_by_day() {
    let issuer = Issuer::start().unwrap();
    let world = signed_in(&issuer);
    let transfer = "transfer --from w_1 --to w_2 --amount 1 --asset EUR";
    world.ctl(&format!("--context t doctor --for-cron -- {transfer}")).fails(2, "--yes");
    let good =
        world.ctl(&format!("--context t doctor --for-cron -o json -- {transfer} --yes --idempotency-key k")).data();
    let of = |check: &str| good.as_array().unwrap().iter().find(|row| row["check"] == check).unwrap()["state"].clone();
    // A person's own sign-in ends when nobody uses it.
    assert_eq!(
        (of("sign_in"), of("daemon"), of("token"), of("state")),
        ("warning".into(), "good".into(), "good".into(), "good".into())
    );
    world.ctl("context set t --protected true").ok();
    let mut command = world.walletctl();
    command.env("WALLETCTL_CONTEXT", "t").args(transfer.split(' ')).args(["--yes", "--idempotency-key", "k"]);
    run(command, Vec::new()).fails(2, "protected");
    world.ctl("--context t auth logout").ok();
    world.ctl("--context t doctor --for-cron").fails(4, "nobody is signed in");
    world.ctl("doctor").exits(75);
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent() {
    let Some(openssl) = tool("openssl", "a daemon with a certificate") else { return };
    let issuer = Issuer::start().unwrap();
    issuer.state().roles = Some(vec!["operator"]);
    let world = World::new();
    let mut command = world.command(openssl);
    let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=walletd.test -out c.pem \
                -keyout k.pem -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    command.args(line.split_whitespace());
    run(command, Vec::new()).ok();
    let mut command = world.walletd();
    command.env("WALLETD_LISTEN", "127.0.0.1:0").env("WALLETD_ISSUER", issuer.name());
    command.env("WALLETD_AUTH__CLIENTS", "[\"cron-job\"]");
    for (name, file) in [("WALLETD_GATEWAY__CERT_FILE", "c.pem"), ("WALLETD_GATEWAY__KEY_FILE", "k.pem")] {
        fs::set_permissions(world.path(file), fs::Permissions::from_mode(0o600)).unwrap();
        command.env(name, world.path(file));
    }
    let daemon = world.daemon_by(command);
    let log = daemon.log();
    let address = log.lines().find_map(|line| line.split_once("listening on TCP address=")).unwrap().1;
    let port = address.split_whitespace().next().unwrap().rsplit(':').next().unwrap();
    fs::set_permissions(world.file("secret", "s"), fs::Permissions::from_mode(0o600)).unwrap();
    let set = format!("--issuer {} --client cron-job --secret-file secret", issuer.name());
    world.ctl(&format!("context set t --daemon https://localhost:{port} {set}")).ok();
    let error = world.ctl("--context t auth whoami -o json").exits_with_error(78);
    assert_eq!(error["code"], "untrusted_server");
    world.ctl("context set t --ca-file c.pem").ok();
    world.ctl("--context t auth whoami").ok();
    // The certificate is for another name.
    world.ctl(&format!("context set ip --daemon https://127.0.0.1:{port} {set} --ca-file c.pem")).ok();
    world.ctl("--context ip auth whoami").fails(78, "untrusted_server");
    let found = world.ctl("--context t doctor -o json").data();
    let certificate = found.as_array().unwrap().iter().find(|row| row["check"] == "certificate").unwrap();
    assert_eq!(certificate["state"], "warning", "{certificate}");
}
