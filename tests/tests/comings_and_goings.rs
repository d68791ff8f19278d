//! Pages that come, stall, leave, break off and come back at random while events are published: each sees every event once
//! and in order, and nothing of those who have left stays behind.
//!
//! What the simulator does to an engine, done to the real sockets of a driver; the oracle is simpler, since nothing
//! here may be lost. Threads and kernel make their own chance, so that a seed draws the same plan and not the same run.
//! Not here: hubs that are killed or taken over (`kill_loop.rs`).

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use corecast_tests::hub::Hub;
use corecast_tests::leftovers::leftovers;
use corecast_tests::numbers;
use corecast_tests::publish::{Publisher, request};
use corecast_tests::request::Subscribe;
use corecast_tests::swarm::{MemberId, Swarm};
use corecast_tests::token::Token;
use corecast_tests::wait::{PATIENCE, eventually};
use fastrand::Rng;
use socket2::SockRef;

/// A seed and a driver: the one that is chosen here, and monoio with whatever it waits with.
const RUNS: [(u64, &str); 2] = [(0, "auto"), (1, "monoio")];

/// Several, so that streams of users move to their homes.
const SHARDS: usize = 4;

const PAGES_MAX: usize = 300;
const USERS: usize = 20;

/// Published in all, in bodies of up to so many.
const EVENTS: u32 = 8_000;
const BODY_EVENTS_MAX: u32 = 30;

/// What a page has room for.
const RECEIVE_BYTES: usize = 4096;

/// Between two deeds.
const PAUSE_MAX: Duration = Duration::from_millis(3);

const WITHIN: Duration = Duration::from_secs(120);

/// A page of a user, or of nobody.
struct Page {
    id: MemberId,
    request: Subscribe,
    is_away: bool,
    is_stalled: bool,
}

/// All of them.
struct Pages {
    swarm: Swarm,
    addr: SocketAddr,
    publisher: Publisher,
    published: u32,
    random: Rng,
    pages: Vec<Page>,
}

#[test]
fn whatever_pages_do_each_sees_every_event_once_and_leaves_nothing_behind() {
    for (seed, driver) in RUNS {
        run(seed, driver);
    }
}

fn run(seed: u64, driver: &str) {
    let hub = Hub::builder()
        .set("hub.driver", driver)
        .set("hub.shards", SHARDS)
        .set("history.events", 2 * EVENTS)
        .set("limits.per_user", PAGES_MAX)
        .set("limits.per_ip", 0)
        .set("stream.dead_peer", "2m")
        .start();
    let mut pages = Pages::around(hub.addr(), seed);
    let mut most_behind = 0.0_f64;
    for quarter in 1..=4 {
        while pages.published < EVENTS / 4 * quarter {
            pages.do_something();
        }
        most_behind = most_behind.max(hub.metric("corecast_streams_behind"));
    }
    assert!(most_behind > 0.0, "nobody who stalled fell behind");
    pages.come_back_and_catch_up();
    hub.wait_for_connections(pages.pages.len());
    pages.check(seed);
    drop(pages);
    hub.wait_for_connections(0);
    eventually(PATIENCE, "no connection is left", || {
        let counted = hub.metric("corecast_connections");
        (counted == 0.0 && leftovers(&hub) == (0, 0)).then_some(())
    });
}

impl Pages {
    fn around(addr: SocketAddr, seed: u64) -> Self {
        let swarm = Swarm::around(addr, 2).narrow(RECEIVE_BYTES);
        let (publisher, random) = (Publisher::connect(addr), Rng::with_seed(seed));
        Self { swarm, addr, publisher, published: 0, random, pages: Vec::new() }
    }

    fn do_something(&mut self) {
        match self.random.u32(0..100) {
            0..10 if self.pages.len() < PAGES_MAX => self.join(),
            10..20 => break_off(self.addr, &mut self.random),
            20..40 => self.leave(),
            40..70 => self.come_back(),
            70..75 => self.reload(),
            75..80 => self.stall(),
            80..90 => self.publish(),
            _ => self.go_on(),
        }
        self.swarm.serve_once(PAUSE_MAX.mul_f64(self.random.f64()));
    }

    fn publish(&mut self) {
        let end = EVENTS.min(self.published + self.random.u32(1..=BODY_EVENTS_MAX));
        numbers::publish(&mut self.publisher, self.published..end);
        self.published = end;
    }

    fn join(&mut self) {
        let request = numbers::subscribe().client_id(&format!("page-{}", self.pages.len()));
        let request = match self.random.usize(0..2 * USERS) {
            user if user < USERS => request.bearer(&Token::of(&format!("user-{user}")).sign()),
            _ => request,
        };
        let id = self.swarm.join(&request.clone().last_event_id("earliest"));
        self.pages.push(Page { id, request, is_away: false, is_stalled: false });
    }

    /// A random page whose stream is open.
    fn any_open(&mut self) -> Option<usize> {
        let page = self.any()?;
        self.swarm.member(self.pages[page].id).is_open().then_some(page)
    }

    fn any(&mut self) -> Option<usize> {
        (!self.pages.is_empty()).then(|| self.random.usize(..self.pages.len()))
    }

    fn leave(&mut self) {
        let Some(page) = self.any_open() else { return };
        let id = self.pages[page].id;
        if self.random.bool() {
            self.swarm.leave(id);
        } else {
            self.swarm.leave_abruptly(id);
        }
        (self.pages[page].is_away, self.pages[page].is_stalled) = (true, false);
    }

    fn come_back(&mut self) {
        if let Some(page) = self.any().filter(|&page| self.pages[page].is_away) {
            self.return_with_last_id(page);
        }
    }

    /// The hub may learn of the new stream before the end of the old one, which has the same client id.
    fn reload(&mut self) {
        if let Some(page) = self.any_open() {
            self.return_with_last_id(page);
        }
    }

    fn return_with_last_id(&mut self, page: usize) {
        let page = &mut self.pages[page];
        let last = self.swarm.member(page.id).last_event_id().unwrap_or("earliest");
        let request = page.request.clone().last_event_id(last);
        self.swarm.come_back(page.id, &request);
        (page.is_away, page.is_stalled) = (false, false);
    }

    fn stall(&mut self) {
        let Some(page) = self.any_open() else { return };
        self.swarm.stall(self.pages[page].id);
        self.pages[page].is_stalled = true;
    }

    fn go_on(&mut self) {
        let Some(page) = self.any().filter(|&page| self.pages[page].is_stalled) else { return };
        self.pages[page].is_stalled = false;
        self.swarm.go_on(self.pages[page].id);
    }

    fn come_back_and_catch_up(&mut self) {
        for page in 0..self.pages.len() {
            if self.pages[page].is_away {
                self.return_with_last_id(page);
            } else if self.pages[page].is_stalled {
                self.swarm.go_on(self.pages[page].id);
            }
        }
        self.swarm.drive_until(WITHIN, "everybody has seen the last event", |swarm| {
            swarm.members().iter().all(|member| member.seen().last() == Some(&(EVENTS - 1)))
        });
    }

    fn check(&self, seed: u64) {
        println!("seed {seed}: {} pages opened {} streams", self.pages.len(), self.swarm.opened());
        assert!(self.swarm.opened() > self.pages.len(), "nobody ever came back");
        for (number, member) in self.swarm.members().iter().enumerate() {
            assert!(member.seen().iter().copied().eq(0..EVENTS), "seed {seed}, page {number}");
            assert!(member.control().is_empty() && member.is_open(), "seed {seed}, page {number}");
        }
    }
}

/// A connection that ends somewhere in its request, or right behind it.
fn break_off(addr: SocketAddr, random: &mut Rng) {
    let bytes = match random.u32(0..4) {
        0 => numbers::subscribe().encode(),
        1 => numbers::subscribe().bearer(&Token::of("user-0").sign()).encode(),
        2 => request(
            "/publish",
            &Token::publisher().sign(),
            "application/json",
            br#"{"topics":["other"],"data":""}"#,
        ),
        _ => b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(20),
    };
    let mut socket = TcpStream::connect(addr).expect("the hub accepts");
    socket.write_all(&bytes[..random.usize(..=bytes.len())]).expect("an empty socket takes a request");
    match random.u32(0..3) {
        0 => SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("a TCP socket"),
        1 => socket.shutdown(Shutdown::Write).expect("a connected socket"),
        _ => {}
    }
}
