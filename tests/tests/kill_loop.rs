//! What was acknowledged is there after every kill, once, at its place, for everybody who resumes.
//!
//! Not here: hundreds of kills (`scripts/kill-loop`).

use corecast_tests::kill_loop::{Ends, LogKind, Plan};

#[test]
fn nothing_acknowledged_is_lost_reordered_or_doubled_over_twenty_kills() {
    let report = Plan { ends: Ends::Killed, kills: 20, seed: fastrand::u64(..), log: LogKind::File }.run();
    println!("{report}");
    assert!(report.verdict.is_clean(), "{report}");
    assert!(report.verdict.acknowledged > 1000 && report.verdict.retried > 0, "{report}: no load");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes_with_the_hub() {
    let report =
        Plan { ends: Ends::Killed, kills: 10, seed: fastrand::u64(..), log: LogKind::FileLosingPower }.run();
    println!("{report}");
    assert!(report.verdict.is_clean(), "{report}");
    assert!(report.verdict.acknowledged > 500, "{report}: no load");
}

/// The loop is only worth as much as what it would notice.
#[test]
fn a_hub_whose_log_dies_with_it_is_found_out() {
    let report = Plan { ends: Ends::Killed, kills: 3, seed: 1, log: LogKind::Memory }.run();
    let verdict = &report.verdict;
    assert!(!verdict.is_clean() && verdict.lost > 0 && !verdict.findings().is_empty(), "{report}");
    let folder = report.lives.kept_folder().expect("the folder of a failed run is kept");
    std::fs::remove_dir_all(folder).expect("a folder of ours");
}
