//! A hub that is taken over, or restarted with the socket it was given, under load: nobody is turned away, and no event is
//! lost or doubled.
//!
//! Not here: hubs that are killed (`kill_loop`), and what happens within one takeover (`takeover`).

use corecast_tests::kill_loop::{Ends, LogKind, Plan, Report};

const TIMES: u32 = 10;

fn run(ends: Ends) -> Report {
    let report = Plan { ends, kills: TIMES, seed: fastrand::u64(..), log: LogKind::File }.run();
    println!("{report}");
    assert!(report.verdict.is_clean(), "{report}");
    assert_eq!(report.turned_away, Vec::<String>::new(), "{report}");
    assert!(report.verdict.acknowledged > 500 && report.verdict.streams > 60, "{report}: no load");
    report
}

#[test]
fn nothing_is_lost_and_nobody_turned_away_over_ten_takeovers() {
    run(Ends::TakenOver);
}

#[test]
fn nothing_is_lost_and_nobody_turned_away_over_ten_restarts_with_the_same_socket() {
    run(Ends::Restarted);
}
