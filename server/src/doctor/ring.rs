//! io_uring, by doing: the ring with the hub's flags, each thing that the hub relies on, a table of the hub's size; and
//! what may forbid it.
//!
//! Versions are shown and not judged: distributions backport parts of the kernel (`corecast_ring::selftest`).

use corecast_ring::{Need, Ring, SelftestError, Setup, SetupError, raise_nofile, selftest};

use super::limits;
use super::report::{Check, Finding, Place, Step, Verdict, sysctl};
use super::text::grouped;
use super::{Unread, View};
use crate::config::Driver;
use crate::doctor::machine::plain;
use crate::driver::monoio::Waiter;
use crate::driver::{ACCEPTS, Choice, can_wait};

/// What became of the rings that were tried.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// Whether a ring does what the hub relies on.
    pub tested: Tested,
    /// Slots of the first ring's table.
    pub slots: u32,
    /// How many rings there were at the same time, with the hub's flags and queues.
    pub rings: u32,
    /// Why there was not one more; `None` if there were as many as asked for.
    pub refusal: Option<Refusal>,
    /// Whether a ring without any flag can wait: what monoio needs, or else it takes epoll.
    pub can_wait: bool,
}

/// What came of the self-test.
#[derive(Clone, Debug, Default)]
pub enum Tested {
    /// Every need was met.
    #[default]
    Met,
    /// The first need that was not. Everything before it in [`Need::ALL`] was met.
    Missed(Miss),
    /// There was no ring to try anything with.
    NoRing,
}

/// Why there is no ring.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What stands in the way.
    pub cause: Cause,
    /// The cause in words, and what would help.
    pub text: String,
}

/// What stands in the way of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody forbids it.
    Forbidden,
    /// Memory, or the limit of it that may be locked.
    Memory,
    /// The kernel has none, or no descriptor for it.
    Other,
}

/// What a ring did not do.
#[derive(Clone, Debug)]
pub struct Miss {
    /// What was asked for.
    pub need: Need,
    /// The cause, and what would help.
    pub text: String,
}

/// Tries the rings of this machine as the hub would: first what a ring does, then one for each of `shards`, all at the
/// same time, the first with a table of `slots` or as many as there can be. Raises the process's limit of open files, as
/// the hub does.
#[must_use]
pub fn probe(shards: u32, slots: u32) -> Probe {
    let most = raise_nofile().map_or(1024, |nofile| nofile.soft);
    let slots = u64::from(slots).min(most).max(1) as u32;
    let can_wait = can_wait(shards);
    let tested = match selftest() {
        Ok(()) => Tested::Met,
        Err(SelftestError::Setup(error)) => {
            let refusal = Some(error.into());
            return Probe { tested: Tested::NoRing, slots, rings: 0, refusal, can_wait };
        }
        Err(error) => Tested::Missed(error.into()),
    };
    let mut rings = Vec::new();
    let mut refusal = None;
    for shard in 0..shards {
        // One full table shows that it can be had: the kernel bounds each of them on its own.
        let slots = if shard == 0 { slots } else { 1 };
        match Ring::new(&Setup { slots, accepts: ACCEPTS, ..Setup::default() }) {
            Ok(ring) => rings.push(ring),
            Err(error) => {
                refusal = Some(error.into());
                break;
            }
        }
    }
    Probe { tested, slots, rings: rings.len() as u32, refusal, can_wait }
}

impl From<SetupError> for Refusal {
    fn from(error: SetupError) -> Self {
        let cause = match error {
            SetupError::Forbidden(_) => Cause::Forbidden,
            SetupError::NoMemory { .. } => Cause::Memory,
            _ => Cause::Other,
        };
        Self { cause, text: error.to_string() }
    }
}

impl From<SelftestError> for Miss {
    fn from(error: SelftestError) -> Self {
        let need = match &error {
            SelftestError::Missed { need, .. } => *need,
            // Without loopback nothing can be tried, from the first need on.
            _ => Need::ALL[0],
        };
        Self { need, text: error.to_string() }
    }
}

pub(super) fn kernel_version(view: &View<'_>) -> Result<Finding, Unread> {
    let release = view.machine.text("proc/sys/kernel/osrelease")?;
    Ok(Finding::new(plain(&release), "For information: what counts is what the kernel does, below."))
}

/// What would drive the sockets, if this is wanted.
pub(super) fn driver(wanted: Driver, probe: &Probe) -> Choice {
    let works = matches!(probe.tested, Tested::Met) && probe.refusal.is_none();
    match wanted {
        Driver::Uring => Choice::Uring,
        Driver::Auto if works => Choice::Uring,
        Driver::Auto | Driver::Monoio if probe.can_wait => Choice::Monoio(Waiter::Uring),
        Driver::Auto | Driver::Monoio => Choice::Monoio(Waiter::Epoll),
    }
}

/// The rows of the driver and the ring.
pub(super) fn checks(view: &View<'_>) -> Vec<Check> {
    let mut checks = vec![
        Check::named("driver", "driver", chosen(view)),
        Check::named("io_uring_setup", "io_uring: set-up", set_up(view)),
    ];
    checks.extend(Need::ALL.into_iter().map(|need| {
        let (name, title, meaning) = words(need);
        Check::named(name, title, judge(view, need, meaning))
    }));
    checks
}

fn chosen(view: &View<'_>) -> Finding {
    let found = match view.driver {
        Choice::Uring => "uring".to_owned(),
        Choice::Monoio(_) => format!("monoio, which waits with {}", view.driver.waits_with()),
    };
    let is_fallback = view.plan.driver == Driver::Auto && view.driver != Choice::Uring;
    let because = if is_fallback { ", since io_uring cannot be used: see below" } else { "" };
    let meaning = "What drives the sockets. Without io_uring the hub has every feature; it takes more CPU, and a descriptor \
                   for each connection.";
    Finding::new(format!("{found}{because}"), meaning).at_least(Verdict::Warn, is_fallback)
}

/// What the hub cannot have of io_uring: without another driver there is no hub.
fn missed(finding: Finding, view: &View<'_>) -> Finding {
    if view.needs_ring() { finding.bound(0, 1) } else { finding.at_least(Verdict::Warn, true) }
}

fn set_up(view: &View<'_>) -> Finding {
    let (probe, shards) = (&view.probe, view.shards);
    let meaning = "One ring for each shard, entered by its thread alone (SINGLE_ISSUER) and woken only when it waits \
                   (DEFER_TASKRUN), with a table of its connections.";
    let Some(Refusal { cause, text }) = &probe.refusal else {
        let (rings, slots) = (grouped(probe.rings.into()), grouped(probe.slots.into()));
        return Finding::new(format!("{rings} at once, a table of {slots} slots"), meaning);
    };
    let found = match probe.rings {
        0 => text.clone(),
        rings => format!("{} of {}: {text}", grouped(rings.into()), grouped(shards)),
    };
    let calls = "io_uring_setup io_uring_enter io_uring_register";
    missed(Finding::new(found, meaning), view).remedy(match cause {
        Cause::Forbidden => vec![
            Step::new(Place::Unit, format!("SystemCallFilter={calls}")),
            Step::new(Place::Hand, format!("in a container: a seccomp profile that allows {calls}")),
        ],
        Cause::Memory => limits::raise_memlock(shards),
        Cause::Other => Vec::new(),
    })
}

/// Name, title and meaning of a need.
fn words(need: Need) -> (&'static str, &'static str, &'static str) {
    match need {
        Need::DirectAccept => (
            "io_uring_direct_accept",
            "io_uring: direct accept",
            "Connections go into a ring's own table and take no descriptor; their address is known for limits.per_ip.",
        ),
        Need::InlineSend => (
            "io_uring_inline_send",
            "io_uring: inline send",
            "A send is over when the kernel was entered: no buffer is kept for it, however many there are.",
        ),
        Need::ShortSend => (
            "io_uring_short_send",
            "io_uring: short send",
            "A frame that was cut is finished before anything else is sent; unreported, its end would be lost.",
        ),
        Need::FullSocket => (
            "io_uring_full_socket",
            "io_uring: full socket",
            "A slow reader is noticed at once and costs a cursor, not a send that waits in the kernel.",
        ),
        Need::CancelPoll => (
            "io_uring_cancel_poll",
            "io_uring: cancel a poll",
            "Idle connections wait on a poll, which has to end before the hub can close one.",
        ),
        Need::CloseAfterCancel => (
            "io_uring_close",
            "io_uring: close is heard",
            "A client whose stream the hub ends must hear of it, or it would wait for ever.",
        ),
        Need::PassSocket => (
            "io_uring_pass_socket",
            "io_uring: pass a socket",
            "A connection moves once, to the shard of its user.",
        ),
        Need::SendAfterPass => (
            "io_uring_send_after_pass",
            "io_uring: send after it",
            "A connection that has moved is as good as before.",
        ),
    }
}

fn judge(view: &View<'_>, need: Need, meaning: &'static str) -> Finding {
    let tested = &view.probe.tested;
    let place = |need| Need::ALL.iter().position(|other| *other == need);
    let untried = Finding::new("not tried", meaning).at_least(Verdict::Warn, true);
    match tested {
        Tested::NoRing => untried,
        Tested::Missed(miss) if place(need) > place(miss.need) => untried,
        Tested::Missed(miss) if miss.need == need => missed(Finding::new(miss.text.clone(), meaning), view),
        Tested::Met | Tested::Missed(_) => Finding::new("done", meaning),
    }
}

pub(super) fn disabled(view: &View<'_>) -> Result<Finding, Unread> {
    let value = view.machine.number("proc/sys/kernel/io_uring_disabled")?;
    let is_refused = is_forbidden(&view.probe);
    let found = match value {
        0 => "0: allowed to all".to_owned(),
        1 => "1: allowed to CAP_SYS_ADMIN and to the group kernel.io_uring_group".to_owned(),
        2 => "2: forbidden to all".to_owned(),
        other => format!("{other}: unknown"),
    };
    let meaning = "Whether the kernel lets the hub's user have rings at all.";
    let finding = Finding::new(found, meaning).at_least(Verdict::Warn, value != 0);
    // Where a ring was made all the same, the service's user may still have other rights than this one.
    let is_in_the_way = view.needs_ring() && (value == 2 || (value == 1 && is_refused));
    let finding = finding.at_least(Verdict::Fail, is_in_the_way);
    Ok(if value == 0 { finding } else { finding.remedy(sysctl("kernel.io_uring_disabled", "0")) })
}

pub(super) fn seccomp(view: &View<'_>) -> Result<Finding, Unread> {
    let mode = view.machine.field("proc/self/status", "Seccomp:", |text| text.parse::<u8>().ok())?;
    let is_refused = is_forbidden(&view.probe);
    let found = match mode {
        0 => "off".to_owned(),
        1 => "strict".to_owned(),
        2 => "filter".to_owned(),
        other => format!("mode {other}"),
    };
    let meaning =
        "A filter of system calls, of a unit or a container, may forbid io_uring or raise its errors.";
    let suspect = mode != 0 && is_refused;
    Ok(Finding::new(
        if suspect { format!("{found}: probably what forbids io_uring") } else { found },
        meaning,
    )
    .at_least(Verdict::Warn, suspect))
}

fn is_forbidden(probe: &Probe) -> bool {
    probe.refusal.as_ref().is_some_and(|refusal| refusal.cause == Cause::Forbidden)
}
