//! Runs and the calendar against brute force.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

use jiff::civil::Date;
use proptest::{prelude::*, sample::select};
use wallet_core::{
    money::Balance,
    runs::{MAX_RUNS, OVERFLOW, Runs},
    time::{
        SECOND, Timestamp,
        calendar::{Bound, Every, Moment, MomentError, Point, Zone, closes},
    },
};

const DAY: i64 = 86_400 * SECOND;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Times as entries come: in order, late, imported behind a live one, anyhow, newest first.
fn arrivals() -> impl Strategy<Value = Vec<i64>> {
    let count = 0_i64..400;
    let in_order = count.clone().prop_map(|n| (0..n).map(|t| t / 2).collect());
    let late = prop::collection::vec(0_i64..20, 0..400)
        .prop_map(|late| (0_i64..).zip(late).map(|(t, late)| t - if late == 0 { 50 } else { 0 }).collect());
    let behind = count.clone().prop_map(|n| std::iter::once(1_000).chain(0..n).collect());
    let anyhow = prop::collection::vec(-20_i64..20, 0..400);
    let newest_first = count.prop_map(|n| (0..n).rev().collect());
    prop_oneof![in_order, late, behind, anyhow, newest_first]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// 15 questions a history: 15,000 in all.
    #[test]
    fn two_look_ups_a_run_are_the_sum_of_entries(
        times in arrivals(),
        amounts in prop::collection::vec(-100_i128..100, 400),
        questions in prop::collection::vec((-60_i64..1_010, 0_u64..402), 15),
    ) {
        let mut runs = Runs::default();
        let mut entries = Vec::new();
        for ((seq, time), amount) in (1_u64..).zip(&times).zip(&amounts) {
            let money = Balance::from_units(*amount, 2).unwrap();
            prop_assert!(runs.takes(at(*time), money));
            let dealt = runs.deal(at(*time), seq, money).unwrap();
            entries.push((*time, seq, *amount, dealt));
        }
        prop_assert!(runs.tails.len() <= MAX_RUNS);
        for run in 0..runs.tails.len() {
            let of_run: Vec<_> = entries.iter().filter(|(.., dealt)| usize::from(dealt.run) == run).collect();
            prop_assert!(of_run.is_sorted_by_key(|(time, ..)| time), "effective_at falls in run {}", run);
            let last = of_run.last().unwrap();
            let tail = runs.tails[run];
            prop_assert_eq!((tail.effective_at, tail.seq, tail.sum), (at(last.0), last.1, last.3.run_after));
        }
        for (time, known) in questions {
            let mut found = 0;
            for run in 0..runs.tails.len() {
                let of_run: Vec<_> = entries.iter().filter(|(.., dealt)| usize::from(dealt.run) == run).collect();
                let both = of_run.partition_point(|e| e.0 <= time).min(of_run.partition_point(|e| e.1 <= known));
                found += both.checked_sub(1).map_or(0, |last| of_run[last].3.run_after.units());
            }
            let counted = || entries.iter().filter(|e| e.0 <= time && e.1 <= known);
            found += counted().filter(|e| e.3.run == OVERFLOW).map(|e| e.2).sum::<i128>();
            prop_assert_eq!(found, counted().map(|e| e.2).sum::<i128>());
        }
    }

    #[test]
    fn a_run_takes_what_it_can_deal(amounts in prop::collection::vec((0_i64..3, -3_i128..=3), 0..12)) {
        let mut runs = Runs::default();
        for (seq, (time, thirds)) in (1_u64..).zip(amounts) {
            let money = Balance::from_units(thirds * 333_333_333_333_333_333_333_333_333, 0).unwrap();
            let before = runs.clone();
            let takes = runs.takes(at(time), money);
            prop_assert_eq!(runs.deal(at(time), seq, money).is_some(), takes);
            prop_assert!(takes || runs == before, "a refused entry changed the runs");
        }
    }

    #[test]
    fn instants_read_back(micros in Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()) {
        prop_assert_eq!(at(micros).to_string().parse::<Timestamp>().unwrap(), at(micros));
        prop_assert_eq!(Timestamp::from_jiff(at(micros).to_jiff()), at(micros));
    }
}

/// Zones with summer time, odd offsets, skipped midnights, a skipped day, changes at midnight.
fn zones() -> impl Strategy<Value = Zone> {
    let names = vec![
        "UTC",
        "Europe/Lisbon",
        "Europe/Berlin",
        "Asia/Kathmandu",
        "Asia/Beirut",
        "America/Havana",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Africa/Cairo",
    ];
    select(names).prop_map(|name| name.parse().unwrap())
}

/// An instant from 1950 to 2050.
fn instants() -> impl Strategy<Value = Timestamp> {
    (-7_305 * DAY..29_220 * DAY).prop_map(at)
}

fn day_of(days: i64) -> Date {
    Zone::utc().date(at(days * DAY))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn days_tile_time(zone in zones(), days in -7_305_i64..29_220) {
        let date = day_of(days);
        let (start, close) = (zone.start(date).unwrap(), zone.close(date).unwrap());
        let next = zone.start(date.tomorrow().unwrap()).unwrap();
        prop_assert_eq!(close.plus_micros(1), next);
        let skipped = close < start;
        prop_assert!(skipped || (zone.date(start) == date && zone.date(close) == date), "{} in {}", date, zone);
        prop_assert!(zone.date(start.plus_micros(-1)) <= date && zone.date(next) > date);
        let length = next.micros_since(start);
        prop_assert!(skipped || length == 0 || (20 * 3_600 * SECOND..=28 * 3_600 * SECOND).contains(&length));
    }

    #[test]
    fn a_local_time_is_its_instant_or_refused(zone in zones(), instant in instants()) {
        let local = instant.to_jiff().to_zoned(jiff::tz::TimeZone::get(&zone.to_string()).unwrap()).datetime();
        match local.to_string().parse::<Moment>().unwrap().resolve(Bound::Close, &zone, Timestamp::MAX) {
            Ok(resolved) => prop_assert_eq!(resolved, instant),
            Err(error) => prop_assert!(matches!(error, MomentError::Overlap { .. }), "{}", error),
        }
    }

    #[test]
    fn closes_are_the_ends_of_their_periods(
        zone in zones(), from in instants(), days in 0_i64..500, micros in 0..DAY,
        every in select(vec![Every::Hour, Every::Day, Every::Week, Every::Month]), open in any::<bool>(),
    ) {
        let length = if every == Every::Hour { days / 20 } else { days };
        let to = from.plus_micros(length * DAY + micros);
        let now = if open { to } else { to.plus_micros(400 * DAY) };
        let points = closes(every, from, to, now, &zone).unwrap();
        prop_assert!(points.is_sorted_by(|a, b| a.at < b.at), "{points:?}");
        prop_assert!(points.iter().all(|point| (from..=to).contains(&point.at)));
        let (partial, whole): (Vec<Point>, Vec<Point>) = points.iter().copied().partition(|point| point.partial);
        prop_assert!(partial.len() <= usize::from(open) && partial.iter().all(|point| point.at == to));
        if open {
            prop_assert_eq!(points.last().map(|point| point.at), Some(to), "the running period ends now");
        }
        if every == Every::Hour {
            return Ok(());
        }
        // Every day of the range that ends a period closes in the range, and nothing else does.
        let mut expected = Vec::new();
        let mut date = zone.date(from).yesterday().unwrap();
        while date <= zone.date(to) {
            let ends = match every {
                Every::Month => date.tomorrow().unwrap().month() != date.month(),
                Every::Week => date.weekday() == jiff::civil::Weekday::Sunday,
                _ => true,
            };
            let close = zone.close(date).unwrap();
            if ends && (from..=to).contains(&close) && expected.last() != Some(&close) {
                expected.push(close);
            }
            date = date.tomorrow().unwrap();
        }
        prop_assert_eq!(whole.iter().map(|point| point.at).collect::<Vec<_>>(), expected);
    }
}
