use super::*;

#[derive(Serialize)]
struct Row {
    wallet: &'static str,
    balance: &'static str,
    at: &'static str,
    memo: &'static str,
    seq: u64,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["wallet", "balance", "at", "memo"];
    const MORE: &'static [&'static str] = &["seq"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "wallet" => Cell::text(self.wallet),
            "balance" => Cell::Amount(self.balance),
            "at" => Cell::Time(self.at),
            "memo" => Cell::text(self.memo),
            "seq" => Cell::Int(self.seq),
            _ => Cell::None,
        }
    }
}

const ROWS: [Row; 2] = [
    Row { wallet: "w_1", balance: "-10.50", at: "2026-01-31T23:59:59.999999Z", memo: "=SUM(A1)", seq: 4 },
    Row { wallet: "w_22", balance: "1000.00", at: "2026-01-31T23:59:59.999999Z", memo: "rent, \u{1b}[31mflat", seq: 4 },
];

fn list(format: Format, fields: Option<&str>, width: Option<usize>) -> String {
    let out = Out::memory(format, fields.map(|f| f.split(',').map(str::to_owned).collect()), width);
    out.list("rows", &ROWS, Meta::new().with("seq", &4)).unwrap();
    out.written()
}

#[test]
fn tables_have_numbers_to_the_right_and_no_control_characters() {
    insta::assert_snapshot!(list(Format::Table, None, None), @"
    WALLET  BALANCE  AT                           MEMO
    w_1      -10.50  2026-01-31T23:59:59.999999Z  =SUM(A1)
    w_22    1000.00  2026-01-31T23:59:59.999999Z  rent, flat
    ");
}

#[test]
fn a_narrow_terminal_shortens_times_and_texts_but_never_numbers() {
    insta::assert_snapshot!(list(Format::Table, None, Some(48)), @"
    WALLET  BALANCE  AT                    MEMO
    w_1      -10.50  2026-01-31T23:59:59Z  =SUM(A1)
    w_22    1000.00  2026-01-31T23:59:59Z  rent, fl…
    ");
}

#[test]
fn csv_guards_texts_and_leaves_numbers() {
    let header = "wallet,balance,at,memo\n";
    let first = "w_1,-10.50,2026-01-31T23:59:59.999999Z,'=SUM(A1)\n";
    let second = "w_22,1000.00,2026-01-31T23:59:59.999999Z,\"rent, flat\"\n";
    assert_eq!(list(Format::Csv, None, Some(80)), [header, first, second].concat());
    // A file gets the text as it is stored.
    assert!(list(Format::Csv, None, None).contains("\"rent, \u{1b}[31mflat\""));
}

#[test]
fn ndjson_is_flat() {
    insta::assert_snapshot!(list(Format::Ndjson, None, None), @r#"
    {"wallet":"w_1","balance":"-10.50","at":"2026-01-31T23:59:59.999999Z","memo":"=SUM(A1)"}
    {"wallet":"w_22","balance":"1000.00","at":"2026-01-31T23:59:59.999999Z","memo":"rent, \u001b[31mflat"}
    "#);
}

#[test]
fn json_is_an_envelope() {
    insta::assert_snapshot!(list(Format::Json, None, None), @r#"
    {"schema":"walletctl.rows/1","data":[
    {"wallet":"w_1","balance":"-10.50","at":"2026-01-31T23:59:59.999999Z","memo":"=SUM(A1)","seq":4},
    {"wallet":"w_22","balance":"1000.00","at":"2026-01-31T23:59:59.999999Z","memo":"rent, \u001b[31mflat","seq":4}
    ],"meta":{"rows":2,"seq":4}}
    "#);
}

#[test]
fn fields_choose_and_order_columns_in_every_form() {
    insta::assert_snapshot!(list(Format::Table, Some("seq,wallet"), None), @"
    SEQ  WALLET
      4  w_1
      4  w_22
    ");
    insta::assert_snapshot!(list(Format::Json, Some("seq,wallet"), None), @r#"
    {"schema":"walletctl.rows/1","data":[
    {"seq":4,"wallet":"w_1"},
    {"seq":4,"wallet":"w_22"}
    ],"meta":{"rows":2,"seq":4}}
    "#);
    assert_eq!(list(Format::Csv, Some("seq,wallet"), None), "seq,wallet\n4,w_1\n4,w_22\n");
}

#[test]
fn an_unknown_field_is_a_usage_error_that_lists_the_known_ones() {
    let out = Out::memory(Format::Csv, Some(vec!["nope".into()]), None);
    let error = out.check::<Row>().unwrap_err();
    assert_eq!(error.exit, 2);
    assert!(error.hint.contains("wallet, balance, at, memo, seq"), "{}", error.hint);
}

#[test]
fn one_record_is_a_list_of_facts() {
    let out = Out::memory(Format::Table, None, None);
    out.one("row", &ROWS[0], Meta::new()).unwrap();
    insta::assert_snapshot!(out.written(), @"
    wallet   w_1
    balance  -10.50
    at       2026-01-31T23:59:59.999999Z
    memo     =SUM(A1)
    seq      4
    ");
    let out = Out::memory(Format::Json, None, None);
    out.one("row", &ROWS[0], Meta::new()).unwrap();
    insta::assert_snapshot!(out.written(), @r#"
    {"schema":"walletctl.row/1","data":{"wallet":"w_1","balance":"-10.50","at":"2026-01-31T23:59:59.999999Z","memo":"=SUM(A1)","seq":4},"meta":{}}
    "#);
}

#[test]
fn an_empty_list_is_a_header_in_csv_and_an_empty_array_in_json() {
    let empty = |format| {
        let out = Out::memory(format, None, None);
        out.list::<Row>("rows", &[], Meta::new()).unwrap();
        out.written()
    };
    assert_eq!(empty(Format::Csv), "wallet,balance,at,memo\n");
    assert_eq!(empty(Format::Json), "{\"schema\":\"walletctl.rows/1\",\"data\":[],\"meta\":{\"rows\":0}}\n");
    assert_eq!(empty(Format::Table), "");
}

#[test]
fn colour_follows_the_flag_then_no_color_then_force_then_the_terminal() {
    let plain = Env::of([]);
    assert!(Color::Auto.resolve(&plain, true) && !Color::Auto.resolve(&plain, false));
    assert!(!Color::Auto.resolve(&Env::of([("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), true));
    assert!(Color::Auto.resolve(&Env::of([("CLICOLOR_FORCE", "1")]), false));
    assert!(!Color::Auto.resolve(&Env::of([("CLICOLOR_FORCE", "0")]), false));
    assert!(!Color::Auto.resolve(&Env::of([("TERM", "dumb")]), true));
    assert!(Color::Always.resolve(&Env::of([("NO_COLOR", "1")]), false) && !Color::Never.resolve(&plain, true));
}
