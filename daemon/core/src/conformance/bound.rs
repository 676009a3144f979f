//! Requests of somebody bound to their own wallets: transfers out of them, and nothing else.

use super::{
    Bed, Checked,
    support::{Error, balance, command, done, open, outcomes, pay, pay_in, request, reverse, wallet, words},
};
use crate::{
    command::{Action, Command, Mode, OwnKey, Request, SetLimit, SetStatus, StatusChange},
    cut::Hash,
    ids::TransactionId,
    ports::LedgerStore,
};

/// Commands of one request: more than an engine decides in one go.
const MANY: usize = 2_500;

/// `uma-1`, `uma-2` are uma's; every other wallet is ada's.
async fn wallets(ledger: &dyn LedgerStore) -> Checked {
    let mut opens = vec![open("ada-1", "EUR", "0")?, open("ada-2", "EUR", "0")?, open("yen", "JPY", "0")?];
    for id in ["uma-1", "uma-2"] {
        let mut command = open(id, "EUR", "0")?;
        if let Action::OpenWallet(open) = &mut command.action {
            open.owner = "uma".parse()?;
        }
        opens.push(command);
    }
    done(ledger, opens).await?;
    done(ledger, vec![pay("in-uma", "-", "uma-1", "5000", None)?, pay("in-ada", "-", "ada-1", "50", None)?]).await?;
    let frozen = SetStatus { wallet: wallet("ada-2")?, change: StatusChange::Freeze, reason: "asked".parse()? };
    done(ledger, vec![command("freeze", Action::SetStatus(frozen))?]).await?;
    Ok(())
}

fn by_uma(mode: Mode, commands: Vec<Command>) -> Result<Request, Error> {
    Ok(Request { only: Some("uma".parse()?), ..request(mode, commands)? })
}

pub(super) async fn only_transfers_out_of_ones_own_wallets_happen(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("bound").await?;
    wallets(&*ledger).await?;
    let limit = SetLimit { wallet: wallet("uma-1")?, overdraft: "9".parse()?, reason: "asked".parse()? };
    let commands = vec![
        pay("1", "uma-1", "ada-1", "1", None)?,
        pay("2", "uma-1", "uma-2", "1", None)?,
        pay("3", "ada-1", "uma-1", "1", None)?,
        pay("4", "ghost", "uma-1", "1", None)?,
        pay("5", "-", "uma-1", "1", None)?,
        pay("6", "uma-1", "-", "1", None)?,
        command("7", Action::SetLimit(limit))?,
        reverse("8", TransactionId { epoch: 1, seq: 6 }, false)?,
        open("uma-3", "EUR", "0")?,
        pay("9", "uma-1", "ada-1", "9999", None)?,
    ];
    let answers = ledger.commit(&[by_uma(Mode::Continue, commands)?]).await?;
    let forbidden = "forbidden";
    let expected = [
        "ok",
        "ok",
        "unknown_wallet",
        "unknown_wallet",
        forbidden,
        forbidden,
        forbidden,
        forbidden,
        forbidden,
        "insufficient_funds",
    ];
    assert_eq!(words(&outcomes(answers)?), expected);
    assert_eq!(
        (balance(&*ledger, "ada-1").await?, balance(&*ledger, "uma-1").await?),
        ("51.00".into(), "4998.00".into())
    );
    Ok(())
}

pub(super) async fn nothing_is_said_about_where_money_cannot_go(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("silent").await?;
    wallets(&*ledger).await?;
    let to = ["ghost", "ada-2", "yen"];
    let commands: Result<Vec<_>, _> = to.iter().map(|to| pay(to, "uma-1", to, "1", None)).collect();
    let answers = ledger.commit(&[by_uma(Mode::Continue, commands?)?]).await?;
    let said: Vec<String> =
        outcomes(answers)?.iter().zip(to).map(|(outcome, to)| format!("{outcome:?}").replace(to, "it")).collect();
    assert!(said.iter().all(|one| *one == said[0] && one.contains("Destination")), "{said:?}");
    // What cannot be paid says nothing of the other side, and neither does a wallet that nothing leaves.
    let to = ["ada-1", "ghost", "ada-2", "yen"];
    let poor: Result<Vec<_>, _> = to.iter().map(|to| pay(&format!("p{to}"), "uma-1", to, "9999", None)).collect();
    let empty: Result<Vec<_>, _> = to.iter().map(|to| pay(&format!("e{to}"), "uma-2", to, "0.01", None)).collect();
    for commands in [poor?, empty?] {
        let answers = ledger.commit(&[by_uma(Mode::Continue, commands)?]).await?;
        assert_eq!(words(&outcomes(answers)?), ["insufficient_funds"; 4]);
    }
    let freeze = |id: &str, change| {
        let set = SetStatus { wallet: wallet(id)?, change, reason: "asked".parse()? };
        command(&format!("{id}-{change:?}"), Action::SetStatus(set))
    };
    done(&*ledger, vec![freeze("uma-1", StatusChange::Freeze)?]).await?;
    let frozen: Result<Vec<_>, _> = to.iter().map(|to| pay(&format!("z{to}"), "uma-1", to, "1", None)).collect();
    let answers = ledger.commit(&[by_uma(Mode::Continue, frozen?)?]).await?;
    assert_eq!(words(&outcomes(answers)?), ["wallet_frozen"; 4]);
    done(&*ledger, vec![freeze("uma-1", StatusChange::Unfreeze)?]).await?;
    // Somebody else's wallet, whatever its state, is as one that is not there.
    let from = ["ghost", "ada-1", "ada-2", "yen"];
    let commands: Result<Vec<_>, _> =
        from.iter().map(|from| pay(&format!("f{from}"), from, "uma-2", "1", None)).collect();
    let answers = ledger.commit(&[by_uma(Mode::Continue, commands?)?]).await?;
    assert_eq!(words(&outcomes(answers)?), ["unknown_wallet"; 4]);
    // Its asset is her own business.
    let answers =
        ledger.commit(&[by_uma(Mode::Continue, vec![pay_in("yen", "uma-1", "yen", "1", "JPY", None)?])?]).await?;
    assert_eq!(words(&outcomes(answers)?), ["asset_mismatch"]);
    Ok(())
}

pub(super) async fn a_long_request_is_bound_to_its_end(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("long").await?;
    wallets(&*ledger).await?;
    for mode in [Mode::Continue, Mode::Stop, Mode::Atomic] {
        let mut commands = Vec::with_capacity(MANY);
        for n in 1..MANY {
            commands.push(pay(&format!("{}-{n}", mode.as_str()), "uma-1", "uma-2", "0.01", None)?);
        }
        commands.push(pay(&format!("{}-last", mode.as_str()), "ada-1", "uma-1", "50", None)?);
        let mut request = by_uma(mode, commands)?;
        let key = super::support::key(&format!("own-{}", mode.as_str()))?;
        request.own_key = Some(OwnKey { key, content: Hash([1; 32]), behind: None });
        let answers = ledger.commit(&[request]).await?;
        assert_eq!(words(&outcomes(answers)?).last().map(String::as_str), Some("unknown_wallet"), "{mode:?}");
        assert_eq!(balance(&*ledger, "ada-1").await?, "50.00");
    }
    Ok(())
}
