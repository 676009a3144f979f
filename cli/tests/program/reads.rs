//! Reads through the real program.

use std::{io::Read as _, process::Stdio};

use crate::common::{Home, Reply};

#[test]
fn a_stream_that_breaks_off_is_an_error_and_its_json_is_not_whole() {
    let row =
        r#"{"wallet":"w_1","asset":"EUR","balance":"1.00","at":"2026-01-31T00:00:00.000000Z","opened":true,"seq":7}"#;
    let text = format!(
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\nwallet-cut: 1,7,2026-01-31T00:00:00.000000Z,ab\r\n\r\n{:x}\r\n{row}\n\r\n",
        row.len() + 1
    );
    let text: &'static str = text.leak();
    for form in ["json", "csv", "ndjson"] {
        let home = Home::new().serve(vec![Reply::Raw(text)]);
        let ran = home.run(&format!("balance --all-wallets -o {form}"));
        assert_eq!(ran.code, 75, "{ran:?}");
        assert!(ran.err.contains("unavailable"), "{ran:?}");
        assert!(form != "json" || serde_json::from_str::<serde_json::Value>(&ran.out).is_err());
    }
    let whole: &'static str = format!("{text}0\r\n\r\n").leak();
    let home = Home::new().serve(vec![Reply::Raw(whole)]);
    let ran = home.run("balance --all-wallets -o json");
    let out: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&out["data"][0]["balance"], &out["meta"]["cut"]["seq"]), (&"1.00".into(), &7.into()));
}

#[test]
fn a_closed_pipe_is_quiet() {
    let home = Home::new();
    let mut child = home.command("explain -o ndjson").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn errors_are_json_even_when_the_command_line_is_not_understood() {
    let home = Home::new();
    let ran = home.run("balance --nope -o json");
    assert_eq!((ran.code, &ran.error()["code"]), (2, &"usage".into()));
    let ran = home.run("transfer --from w_1 --to w_2 --amount 1e3 --asset EUR -o ndjson");
    assert!(ran.code == 2 && ran.error()["message"].as_str().unwrap().contains("--amount"), "{ran:?}");
}

#[test]
fn a_loose_configuration_file_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    assert_eq!(home.run("context set test --daemon http://127.0.0.1:1").code, 0);
    let file = home.folder.path().join("config/walletctl/config.toml");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = home.run("explain usage -o json");
    assert_eq!((ran.code, &ran.error()["code"]), (78, &"configuration".into()));
}

#[test]
fn a_context_says_which_options_it_keeps() {
    let home = Home::new();
    let kept = [("--tz UTC", "--zone"), ("--socket /run/w.sock", "--daemon"), ("--url http://127.0.0.1:1", "--daemon")];
    for (flag, by) in kept {
        let ran = home.run(&format!("context set night {flag} -o json"));
        assert_eq!((ran.code, &ran.error()["code"]), (2, &"usage".into()), "{flag}");
        assert!(ran.error()["hint"].as_str().unwrap().contains(by), "{flag}");
    }
    assert_eq!(home.run("context show night").code, 3, "nothing was made");
}

#[test]
fn where_a_setting_comes_from_is_a_column_of_its_own() {
    let home = Home::new();
    let heads =
        |line: &str| home.run(line).out.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(heads("config show -o table"), "SETTING VALUE");
    assert_eq!(heads("config show --origin -o table"), "SETTING VALUE ORIGIN");
}

#[test]
fn without_a_home_the_passwd_entry_decides() {
    let home = Home::new();
    let with = home.command("config show -o json").env_clear().output().unwrap();
    assert!(with.status.success(), "{with:?}");
}

#[test]
fn an_unknown_code_is_not_found() {
    assert_eq!(Home::new().run("explain nonsense").code, 3);
}
