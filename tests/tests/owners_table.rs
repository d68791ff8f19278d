//! The owner's table: 200 users with five tabs each, reloads and lost networks hold 200 connections, not 1,000.

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::swarm::{MemberId, Swarm};
use corecast_tests::token::Token;
use corecast_tests::wait::PATIENCE;
use corecast_tests::wire::response::End;
use serde_json::json;

const USERS: usize = 200;
const TABS: usize = 5;

/// The tabs of all users, in the order they were opened: the last of each user is the one that must be left.
struct Office {
    swarm: Swarm,
    tokens: Vec<String>,
    loads: usize,
}

impl Office {
    /// A page load has an id of its own, so no tab can be mistaken for another.
    fn request(&mut self, user: usize) -> Subscribe {
        self.loads += 1;
        Subscribe::with_token(&self.tokens[user]).client_id(&format!("load-{}", self.loads))
    }

    fn open_tab(&mut self, user: usize) -> MemberId {
        let request = self.request(user);
        self.swarm.join(&request)
    }

    /// Until the hub and its clients agree: one stream a user.
    fn settle(&mut self, hub: &Hub, expected_opened: usize) {
        self.swarm.drive_until(PATIENCE, "one stream for each user", |s| {
            s.opened() == expected_opened && s.open() == USERS
        });
        hub.wait_for_connections(USERS);
    }
}

#[test]
fn two_hundred_users_hold_two_hundred_connections() {
    let hub = Hub::start();
    let tokens = (0..USERS).map(|n| Token::of(&format!("user-{n}")).sign()).collect();
    let mut office = Office { swarm: Swarm::around(hub.addr(), 2), tokens, loads: 0 };

    // Everybody opens five tabs, one after the other.
    let mut latest = Vec::new();
    for tab in 1..=TABS {
        latest = (0..USERS).map(|user| office.open_tab(user)).collect();
        office.settle(&hub, tab * USERS);
    }
    let evicted = office.swarm.members().iter().filter(|m| m.end() == Some(End::Clean)).count();
    assert_eq!(evicted, USERS * (TABS - 1), "each older tab was told and ended cleanly");
    let told = |m: &corecast_tests::swarm::Member| {
        m.control().iter().filter(|c| c.kind == "corecast.evicted").count()
    };
    assert!(office.swarm.members().iter().all(|m| told(m) == usize::from(m.end() == Some(End::Clean))));

    // Everybody reloads the page: the old stream is dropped, the new one comes before the hub may have noticed.
    for (user, &tab) in latest.iter().enumerate() {
        let request = office.request(user);
        office.swarm.come_back(tab, &request);
    }
    office.settle(&hub, (TABS + 1) * USERS);

    // Everybody loses the network without a word: the old streams linger while new ones come.
    let back: Vec<MemberId> = (0..USERS).map(|user| office.open_tab(user)).collect();
    office.settle(&hub, (TABS + 2) * USERS);

    // And the streams that are left are the live ones.
    let mut publisher = Publisher::connect(hub.addr());
    for user in 0..USERS {
        publisher.publish(&json!({"users": [format!("user-{user}")], "data": user.to_string()}));
    }
    office.swarm.drive_until(PATIENCE, "an event for each user", |s| s.events() == USERS);
    for (user, tab) in back.into_iter().enumerate() {
        assert_eq!(office.swarm.member(tab).seen(), [u32::try_from(user).unwrap()]);
    }
}
