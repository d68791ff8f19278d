//! The limit of the machine: the same load on a loop that sends the same bytes over the same sockets and does nothing else.
//!
//! What a server needs beyond that is the price of its logic. Not here: the bare loops themselves, which are targets.

use super::{Bench, Figures, Scenario, Stop, fanout};
use crate::figures::Setting;
use crate::target::Target;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "limit",
    about: "The same as fanout on a bare loop without any logic: what the machine allows",
    defaults: fanout::defaults,
    run,
};

fn run(target: &dyn Target, setting: &Setting, bench: &Bench) -> Result<Figures, Stop> {
    if target.name().starts_with("limit") {
        fanout::run(target, setting, bench)
    } else {
        Err(Stop::Unable("it is no bare loop; see the scenario fanout".to_owned()))
    }
}
