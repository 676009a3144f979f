//! What each role may do, with tokens of the real Keycloak. The whole matrix is a test of the table itself
//! (`walletd authz`); here are the answers that a person sees.

use super::{super::keycloak::claims, Person, Site};

const DEPOSIT: &str = "deposit --to w_uma --amount 1 --asset EUR --idempotency-key d-x --yes";

/// A site with a wallet of uma's and one of somebody else's.
fn site(what: &str) -> Option<(Site, Person, String)> {
    let site = Site::new(what)?;
    let uma = site.signed_in("uma");
    let owner = claims(&uma.token())["sub"].as_str().unwrap().to_owned();
    site.world.ctl(&format!("wallet create w_uma --owner {owner} --asset EUR --idempotency-key o-u --yes")).ok();
    site.world.ctl("deposit --to w_uma --amount 10 --asset EUR --idempotency-key d-u --yes").ok();
    site.world.wallet("w_else", "EUR", "100");
    site.world.ctl("wallet create w_yen --owner o --asset JPY --idempotency-key o-y --yes").ok();
    site.world.wallet("w_ice", "EUR", "5");
    site.world.ctl("wallet freeze w_ice --reason test --idempotency-key f-i --yes").ok();
    Some((site, uma, owner))
}

#[test]
fn a_user_sees_and_spends_what_is_hers_and_cannot_tell_what_else_there_is() {
    let Some((site, uma, owner)) = site("the role user") else { return };
    assert_eq!(uma.is()["owner"], owner);
    assert_eq!(uma.world.balance("w_uma"), "10.00");
    let listed = uma.world.ctl("wallet list -o json").data();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|wallet| wallet["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["w_uma"]);

    // Somebody else's wallet and one that is not there are told in the same words.
    let told = |line: String, name: &str| {
        let error = uma.world.ctl(&format!("{line} -o json")).exits_with_error(3);
        let mut error = error.as_object().unwrap().clone();
        error.retain(|field, _| !["request_id", "trace_id"].contains(&field.as_str()));
        serde_json::to_string(&error).unwrap().replace(name, "W")
    };
    for command in ["wallet show", "balance", "statement --from 2026-01-01 --to 2026-12-31"] {
        let (verb, rest) =
            command.split_once(" --").map_or((command, String::new()), |(verb, rest)| (verb, format!(" --{rest}")));
        let there = told(format!("{verb} w_else{rest}"), "w_else");
        assert_eq!(there, told(format!("{verb} w_none{rest}"), "w_none"), "{command}");
    }

    let pay = |to: &str, key: &str| {
        format!("transfer --from w_uma --to {to} --amount 2 --asset EUR --idempotency-key {key} --yes -o json")
    };
    let paid = uma.world.ctl(&pay("w_else", "t-1")).data();
    assert_eq!((paid["from_balance"].as_str(), paid.get("to_balance")), (Some("8.00"), None), "{paid}");
    assert_eq!((uma.world.balance("w_uma"), site.world.balance("w_else")), ("8.00".into(), "102.00".into()));
    // A destination that is unknown, frozen or of another asset: one refusal.
    let refusals = ["w_none", "w_ice", "w_yen"].map(|to| {
        let run = uma.world.ctl(&pay(to, &format!("t-{to}")));
        let error: serde_json::Value = serde_json::from_str(run.err.lines().last().unwrap()).unwrap();
        (run.code, error["code"].clone(), error["message"].to_string().replace(to, "W"))
    });
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    // Out of another's wallet: as if it were not there.
    uma.world.ctl("transfer --from w_else --to w_uma --amount 1 --asset EUR --idempotency-key s-1 --yes").exits(3);

    for line in [
        DEPOSIT,
        "withdraw --from w_uma --amount 1 --asset EUR --idempotency-key x-1 --yes",
        "wallet set-limit w_uma --overdraft 5 --reason x --idempotency-key x-2 --yes",
        "wallet unfreeze w_ice --reason x --idempotency-key x-3 --yes",
        "wallet create w_new --owner o --asset EUR --idempotency-key x-4 --yes",
        "asset register GOLD --scale 2 --idempotency-key x-5 --yes",
        "audit list",
        "audit verify",
        "balance --all-wallets --at 2026-01-31",
    ] {
        uma.world.ctl(line).fails(5, "");
    }
    // Her keys are her own: an operator's key of the same name is another.
    site.world.ctl("transfer --from w_else --to w_uma --amount 1 --asset EUR --idempotency-key t-1 --yes").ok();
    assert_eq!(uma.world.balance("w_uma"), "9.00");
}

#[test]
fn an_auditor_reads_and_verifies_everything_and_writes_nothing() {
    let Some((site, _, _)) = site("the role auditor") else { return };
    let audrey = site.signed_in("audrey");
    assert_eq!(audrey.world.balance("w_else"), "100.00");
    assert!(audrey.world.ctl("wallet list -o json").data().as_array().unwrap().len() >= 4);
    audrey.world.ctl("audit list").ok();
    audrey.world.ctl("audit verify").ok();
    audrey.world.ctl("balance --all-wallets --at 2026-01-31").ok();
    for line in [
        DEPOSIT,
        "transfer --from w_else --to w_uma --amount 1 --asset EUR --idempotency-key x-1 --yes",
        "wallet freeze w_else --reason x --idempotency-key x-2 --yes",
        "wallet create w_new --owner o --asset EUR --idempotency-key x-3 --yes",
    ] {
        audrey.world.ctl(line).fails(5, "");
    }
    assert_eq!(site.world.balance("w_uma"), "10.00");
}

#[test]
fn an_operator_backdates_only_with_the_permission_and_nobody_steers_the_daemon_without_admin() {
    let Some((site, _, _)) = site("permissions") else { return };
    let (olivia, adam, nadia) = (site.signed_in("olivia"), site.signed_in("adam"), site.signed_in("nadia"));
    olivia.world.ctl(DEPOSIT).ok();
    olivia.world.wallet("w_past", "EUR", "0");
    // Cron's client is an operator without backdate.
    let job = site.by_client("cron", "cron-job");
    let secret = job.world.file("secret", "cron-job-secret\n");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    job.world.ctl_words(&["context", "set", "site", "--secret-file", secret.to_str().unwrap()]).ok();
    let past = |key: &str| {
        format!("wallet create w_{key} --owner o --asset EUR --opened-at 2020-01-01 --idempotency-key {key} --yes")
    };
    job.world.ctl(&past("p1")).fails(5, "backdate");
    olivia.world.ctl(&past("p2")).ok();

    for person in [&olivia, &nadia] {
        person.world.ctl("api POST /v1/admin/rebuild/balances --idempotency-key r-1 --yes").exits(5);
    }
    let answer = adam.world.ctl("api POST /v1/admin/rebuild/balances --idempotency-key r-1 --yes");
    assert_ne!(answer.code, 5, "{answer}");
    // No role: known, and allowed nothing.
    assert_eq!(nadia.is()["roles"], serde_json::json!([]));
    nadia.world.ctl("wallet list").exits(5);
    adam.world.ctl(DEPOSIT).exits(5);
    for (person, action, allowed) in
        [(&olivia, "deposit", true), (&nadia, "deposit", false), (&adam, "rebuild", true), (&olivia, "rebuild", false)]
    {
        let answer = person.world.ctl(&format!("api GET /v1/can-i?action={action}")).ok();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["allowed"], allowed, "{} {action}: {answer}", person.name);
    }
}
