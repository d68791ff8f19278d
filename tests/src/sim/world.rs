//! One run: the hub, its clients and the network under one clock, and what happens next.

use std::time::Duration;

use super::chance::{Chance, Draw, Fault};
use super::disk::Crash;
use super::hub::Hub;
use super::network::{Action, Network, Place, WireId};
use super::oracle::Oracle;
use super::plant::Plant;
use super::prober::Prober;
use super::publisher::Publisher;
use super::scene::Scene;
use super::tab::Tab;
use super::totals::Totals;
use super::trace::Trace;

/// How long a healed run goes on publishing: every client that waits comes back within it, unless it was told to stay
/// away for longer.
const RECOVERY: Duration = Duration::from_secs(150);

/// How long it then takes at most until everything has arrived.
const QUIET: Duration = Duration::from_secs(20);

/// How long publishers have been at it again when the hub is told to stop.
const BUSY: Duration = Duration::from_millis(200);

/// Over which time clients are asked to come back at the end.
const DRAIN_OVER: Duration = Duration::from_secs(5);

/// How long a drain takes at most: the head timeout, twice, and the goodbyes.
const DRAINED: Duration = Duration::from_secs(60);

/// A client of any kind.
enum Client {
    Tab(Tab),
    Publisher(Publisher),
    Prober(Prober),
}

/// See the module.
pub(super) struct World {
    net: Network,
    hub: Hub,
    clients: Vec<Client>,
    oracle: Oracle,
    restarts: u64,
    rollovers: u64,
}

/// What a run that found nothing has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Events that got a place.
    pub placed: usize,
    /// Events that publishers were told are kept.
    pub acknowledged: u64,
    /// Blocks that clients were shown.
    pub blocks: u64,
    /// Gaps among them.
    pub gaps: u64,
    /// Streams that had to be caught up at the end.
    pub caught_up: usize,
    /// What the engines counted.
    pub totals: Totals,
}

impl World {
    /// The world of a seed.
    #[must_use]
    pub(super) fn new(chance: Chance, scene: Scene, plant: Plant, trace: Trace) -> Self {
        let mut net = Network::new(chance, trace);
        net.trace.note(format_args!("{scene:?}"));
        let faults: Vec<_> = net.chance.faults().collect();
        net.trace.note(format_args!("{faults:?}"));
        let mut oracle = Oracle::new(scene.settings.clone(), scene.file, &net.chance);
        let hub = Hub::new(scene.clone(), plant, &mut net, &mut oracle);
        let mut clients = Vec::new();
        for _ in 0..scene.tabs {
            let (me, anonymous) = (clients.len(), scene.settings.anonymous);
            clients.push(Client::Tab(Tab::new(me, scene.users, anonymous, scene.token_ttl, &mut net)));
        }
        for _ in 0..scene.publishers {
            let me = clients.len();
            let publisher =
                Publisher::new(me, scene.users, scene.publish_pause, scene.data_bytes_max, scene.token_ttl);
            clients.push(Client::Publisher(publisher));
        }
        for _ in 0..scene.probers {
            clients.push(Client::Prober(Prober::new(clients.len())));
        }
        for client in 0..clients.len() {
            let delay = net.chance.time(Draw::Client, Duration::ZERO, Duration::from_secs(1));
            net.after(delay, Action::Client(client));
        }
        net.after(Duration::from_secs(5), Action::Chaos);
        Self { net, hub, clients, oracle, restarts: 0, rollovers: 0 }
    }

    /// Runs for so many steps with faults, then heals, and checks that everything came to its end.
    pub(super) fn run(mut self, steps: u64) -> Seen {
        for _ in 0..steps {
            self.step();
        }
        self.recover();
        let caught_up = self.check_caught_up();
        self.end();
        let (blocks, gaps) = self.oracle.shown();
        let mut totals = self.hub.totals();
        totals.add("restarts", self.restarts);
        totals.add("rollovers", self.rollovers);
        totals.add("reloads", self.hub.reloads());
        totals.add("torn_writes", self.hub.torn_writes());
        totals.add("recovered", self.oracle.recovered);
        Seen {
            placed: self.oracle.placed(),
            acknowledged: self.acknowledged(),
            blocks,
            gaps,
            caught_up,
            totals,
        }
    }

    fn step(&mut self) {
        let Some(action) = self.net.next() else { return };
        self.net.trace.step(self.net.now);
        match action {
            Action::Connect(wire) => self.hub.on_connect(wire, &mut self.net),
            Action::Turn(shard) => self.hub.turn(shard, &mut self.net, &mut self.oracle),
            Action::Sequence => self.hub.sequence(&mut self.net, &mut self.oracle),
            Action::ReadLog(number) => self.hub.read_log(number, &mut self.net, &self.oracle),
            Action::FreeDisk => self.hub.heal_disk(),
            Action::Client(client) => self.act(client),
            Action::Read(wire) => self.read(wire),
            Action::Arrive(wire) => self.arrive(wire),
            Action::ArriveEnd(wire) => self.arrive_end(wire),
            Action::GiveUp(wire) => self.give_up(wire),
            Action::Chaos => self.strike(),
            Action::Stop => self.hub.stop(&mut self.net, &mut self.oracle),
            Action::Start => {
                if !self.hub.is_up() {
                    self.hub.start(&mut self.net, &mut self.oracle);
                }
            }
        }
    }

    fn act(&mut self, client: usize) {
        match &mut self.clients[client] {
            Client::Tab(tab) => tab.act(&mut self.net, &mut self.oracle),
            Client::Publisher(publisher) => publisher.act(&mut self.net),
            Client::Prober(prober) => prober.act(&mut self.net),
        }
    }

    /// A client reads from a wire.
    fn read(&mut self, id: WireId) {
        let now = self.net.now;
        let wire = &mut self.net.wires[id];
        wire.is_reading = false;
        if wire.is_vanished || wire.is_abandoned {
            return;
        }
        if now < wire.stalled_until {
            return self.net.schedule_read(id);
        }
        let bytes = self.net.download(id);
        if bytes.is_empty() {
            let wire = &self.net.wires[id];
            if wire.tx_end || wire.is_reset {
                self.on_end(id);
            }
            return;
        }
        self.on_read(id, &bytes);
        self.hub.on_wire(id, &mut self.net);
        let wire = &self.net.wires[id];
        if !wire.tx.is_empty() || wire.tx_end || wire.is_reset {
            self.net.schedule_read(id);
        }
    }

    fn on_read(&mut self, id: WireId, bytes: &[u8]) {
        let client = self.net.wires[id].client;
        match &mut self.clients[client] {
            Client::Tab(tab) if tab.wire == Some(id) => {
                tab.on_read(id, bytes, &mut self.net, &mut self.oracle);
            }
            Client::Publisher(publisher) if publisher.wire == Some(id) => {
                publisher.on_read(id, bytes, &self.net, &self.oracle);
            }
            Client::Prober(prober) if prober.wire == Some(id) => prober.on_read(bytes),
            Client::Tab(_) | Client::Publisher(_) | Client::Prober(_) => {}
        }
    }

    fn on_end(&mut self, id: WireId) {
        let (client, is_reset) = (self.net.wires[id].client, self.net.wires[id].is_reset);
        self.net.trace.note(format_args!("wire {id} ends, reset: {is_reset}"));
        match &mut self.clients[client] {
            Client::Tab(tab) if tab.wire == Some(id) => {
                tab.on_end(id, is_reset, &mut self.net, &self.oracle);
            }
            Client::Publisher(publisher) if publisher.wire == Some(id) => publisher.on_end(id, &mut self.net),
            Client::Prober(prober) if prober.wire == Some(id) => prober.on_end(id, &mut self.net),
            Client::Tab(_) | Client::Publisher(_) | Client::Prober(_) => {}
        }
    }

    /// Bytes of a client reach the hub's kernel.
    fn arrive(&mut self, id: WireId) {
        let wire = &mut self.net.wires[id];
        let Some(bytes) = wire.uploading.pop_front() else { return };
        if wire.is_reset || wire.rx_end {
            return;
        }
        if wire.tx_end {
            // Nobody is there any more: the answer is a reset, and what the client has not read is lost.
            return self.net.reset(id);
        }
        wire.rx.extend(bytes);
        self.hub.on_wire(id, &mut self.net);
    }

    fn arrive_end(&mut self, id: WireId) {
        let wire = &mut self.net.wires[id];
        if !wire.is_reset && !wire.is_vanished {
            wire.rx_end = true;
            self.hub.on_wire(id, &mut self.net);
        }
    }

    fn give_up(&mut self, id: WireId) {
        if !self.net.wires[id].is_reset {
            self.net.trace.note(format_args!("wire {id} is reset"));
            self.net.reset(id);
            self.hub.on_wire(id, &mut self.net);
        }
    }

    /// What may happen to the hub as a whole.
    fn strike(&mut self) {
        if self.net.chance.strikes(Fault::ClockJump) {
            let rng = self.net.chance.of(Fault::ClockJump);
            let far_ms = [200, 5_000, 90_000, 3_600_000][rng.usize(..4)];
            let (by, is_back) = (rng.u64(..far_ms), rng.bool());
            let unix = &mut self.net.unix.0;
            *unix = if is_back { unix.saturating_sub(by) } else { *unix + by };
            self.net.unix_max = self.net.unix_max.max(self.net.unix);
            self.net.trace.note(format_args!("the wall clock jumps to {}", self.net.unix.0));
        }
        if self.hub.is_up() {
            if self.net.chance.strikes(Fault::Restart) {
                self.restarts += 1;
                let power = self.net.chance.of(Fault::Restart).bool();
                self.hub.crash(if power { Crash::Power } else { Crash::Process }, &mut self.net);
                let length =
                    self.net.chance.length(Fault::Restart, Duration::from_millis(1), Duration::from_secs(5));
                self.net.after(length, Action::Start);
            } else if self.net.chance.strikes(Fault::Rollover) {
                self.rollovers += 1;
                self.hub.roll_over(DRAIN_OVER, &mut self.net, &mut self.oracle);
            } else if self.hub.has_failed() && self.net.chance.draw(Draw::Log).u8(..6) == 0 {
                // The operator has read why.
                self.hub.roll_over(DRAIN_OVER, &mut self.net, &mut self.oracle);
            }
            if self.hub.is_up() && self.net.chance.strikes(Fault::NewSettings) {
                self.hub.reload(&mut self.net, &mut self.oracle);
            }
            if self.net.chance.strikes(Fault::FullDisk) {
                self.hub.fill_disk(&mut self.net);
            }
        }
        self.net.after(Duration::from_secs(1), Action::Chaos);
    }

    /// Nothing goes wrong any more; publishers end; everyone catches up.
    fn recover(&mut self) {
        self.net.trace.note(format_args!("everything heals"));
        self.net.chance.heal();
        self.hub.heal_disk();
        if self.hub.has_failed() {
            self.hub.roll_over(DRAIN_OVER, &mut self.net, &mut self.oracle);
        }
        self.oracle.on_healed();
        for id in 0..self.net.wires.len() {
            let now = self.net.now;
            let wire = &mut self.net.wires[id];
            wire.read_max = usize::MAX;
            wire.stalled_until = wire.stalled_until.min(now);
            if !matches!(wire.place, Place::Gone) && !wire.tx.is_empty() {
                wire.is_reading = false;
                self.net.schedule_read(id);
            }
        }
        for client in &mut self.clients {
            if let Client::Publisher(publisher) = client {
                publisher.calm_down();
            }
        }
        self.run_for(RECOVERY);
        for client in &mut self.clients {
            match client {
                Client::Publisher(publisher) => publisher.retire(),
                Client::Prober(prober) => prober.retire(),
                Client::Tab(_) => {}
            }
        }
        // Who waited for a slot may publish late.
        loop {
            let placed = self.oracle.placed();
            self.run_for(QUIET);
            if self.oracle.placed() == placed {
                return;
            }
        }
    }

    fn run_for(&mut self, length: Duration) {
        let until = self.net.now + length;
        while self.net.peek().is_some_and(|at| at <= until) {
            self.step();
        }
    }

    fn check_caught_up(&self) -> usize {
        assert!(self.hub.is_up(), "the hub never started again");
        let mut caught_up = 0;
        for client in &self.clients {
            match client {
                Client::Tab(tab) => {
                    if let Some(wire) = tab.wire.filter(|_| tab.has_stream()) {
                        caught_up += usize::from(self.oracle.check_caught_up(wire, &self.net));
                    }
                }
                Client::Publisher(publisher) => self.check_answered(publisher.wire, publisher.outstanding()),
                Client::Prober(prober) => self.check_answered(prober.wire, prober.outstanding()),
            }
        }
        caught_up
    }

    /// Who has a slot has its answers. A hub with too few slots leaves others in the backlog.
    fn check_answered(&self, wire: Option<WireId>, outstanding: usize) {
        if let Some(wire) = wire.filter(|&wire| !matches!(self.net.wires[wire].place, Place::Backlog(_))) {
            assert_eq!(outstanding, 0, "requests without an answer on wire {wire}");
        }
    }

    /// The hub drains: nobody is left.
    fn end(&mut self) {
        for client in &mut self.clients {
            match client {
                Client::Tab(tab) => tab.retire(),
                // What is acknowledged while the hub stops is shown as well.
                Client::Publisher(publisher) => publisher.resume(&mut self.net),
                Client::Prober(_) => {}
            }
        }
        self.run_for(BUSY);
        self.hub.drain(DRAIN_OVER, &mut self.net, &mut self.oracle);
        let until = self.net.now + DRAINED;
        while !self.hub.is_drained() && self.net.peek().is_some_and(|at| at <= until) {
            self.step();
        }
        assert!(self.hub.is_drained(), "connections and streams that a drain left: {:?}", self.hub.left());
    }

    fn acknowledged(&self) -> u64 {
        let of = |client: &Client| match client {
            Client::Publisher(publisher) => publisher.acknowledged,
            Client::Tab(_) | Client::Prober(_) => 0,
        };
        self.clients.iter().map(of).sum()
    }
}
