//! The user index against a list of connections in the order in which they joined.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::*;

const KEYS: [UserKey<'static>; 4] =
    [UserKey::Named("alice"), UserKey::Anonymous("alice"), UserKey::Named("user-7"), UserKey::Named("")];
const CLIENTS: [Option<&str>; 3] = [None, Some("tab-1"), Some("tab-2")];
const EVICTIONS_MAX: usize = 3;

fn index() -> UserIndex {
    UserIndex::new(HashSeed::new(7), 4, EVICTIONS_MAX)
}

/// The naive model; users and clients are numbers into `KEYS` and `CLIENTS`.
#[derive(Default)]
struct Model {
    joined: Vec<(ConnectionIndex, usize, usize)>,
    newest_client: BTreeMap<(usize, usize), ConnectionIndex>,
    evicted: VecDeque<((usize, usize), Instant)>,
}

impl Model {
    fn find(&self, index: ConnectionIndex) -> Option<(usize, usize)> {
        self.joined.iter().find(|joined| joined.0 == index).map(|&(_, key, client)| (key, client))
    }

    fn of_user(&self, key: usize) -> Vec<ConnectionIndex> {
        self.joined.iter().filter(|joined| joined.1 == key).map(|joined| joined.0).collect()
    }

    fn join(&mut self, index: ConnectionIndex, key: usize, client: usize) {
        self.joined.push((index, key, client));
        self.newest_client.insert((key, client), index);
    }

    fn leave(&mut self, index: ConnectionIndex) {
        self.joined.retain(|joined| joined.0 != index);
        self.newest_client.retain(|_, newest| *newest != index);
    }

    fn note_evicted(&mut self, who: (usize, usize), until: Instant) {
        self.evicted.retain(|evicted| evicted.0 != who);
        self.evicted.push_back((who, until));
        self.evicted.drain(..self.evicted.len().saturating_sub(EVICTIONS_MAX));
    }

    fn is_evicted(&self, who: (usize, usize), now: Instant) -> bool {
        self.evicted.iter().any(|&(evicted, until)| evicted == who && now < until)
    }
}

fn compare(users: &UserIndex, model: &Model, now: Instant) {
    users.assert_invariants();
    let mut users_count = 0;
    for (number, key) in KEYS.into_iter().enumerate() {
        let expected = model.of_user(number);
        assert_eq!(users.connections(key).collect::<Vec<_>>(), expected);
        assert_eq!(users.len(key), expected.len());
        users_count += usize::from(!expected.is_empty());
        for (client_number, client) in CLIENTS.into_iter().enumerate() {
            let Some(client) = client else { continue };
            let who = (number, client_number);
            assert_eq!(users.find_client(key, client), model.newest_client.get(&who).copied());
            assert_eq!(users.is_evicted(key, client, now), model.is_evicted(who, now));
        }
    }
    assert_eq!(users.users(), users_count);
}

/// A connection joins with the user and client chosen, or leaves if it is there.
fn toggle(users: &mut UserIndex, model: &mut Model, index: ConnectionIndex, key: usize, client: usize) {
    let Some((key, _)) = model.find(index) else {
        users.join(index, KEYS[key], CLIENTS[client]);
        model.join(index, key, client);
        assert_eq!(users.key_of(index), Some(KEYS[key]));
        return;
    };
    model.leave(index);
    let was_last = model.of_user(key).is_empty();
    let user = UserHash::of(HashSeed::new(7), KEYS[key]);
    assert_eq!(users.leave(index), Some(Departure { user, was_last }));
    assert_eq!(users.leave(index), None);
    assert_eq!(users.key_of(index), None);
    if was_last {
        users.forget_evictions(user);
        model.evicted.retain(|evicted| evicted.0.0 != key);
    }
}

#[test]
fn every_short_sequence_agrees_with_the_model() {
    // Three connections that join (as one of two users, as one client or none) or leave.
    let operations: usize = 3 * 2 * 2;
    for sequence in 0..operations.pow(4) {
        let (mut users, mut model) = (index(), Model::default());
        for place in 0..4 {
            let operation = sequence / operations.pow(place) % operations;
            let connection = u32::try_from(operation % 3).unwrap();
            toggle(&mut users, &mut model, connection, operation / 3 % 2, operation / 6);
            compare(&users, &model, Instant::ZERO);
        }
    }
}

#[test]
fn random_sequences_agree_with_the_model() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut users, mut model) = (index(), Model::default());
        let mut now = Instant::ZERO;
        for _ in 0..300 {
            now += Duration::from_secs(random.u64(..3));
            let connection = random.u32(..20);
            match random.u32(..4) {
                0 => {
                    let until = now + Duration::from_secs(random.u64(..20));
                    users.note_evicted(connection, until);
                    if let Some(who) = model.find(connection).filter(|who| CLIENTS[who.1].is_some()) {
                        model.note_evicted(who, until);
                    }
                }
                _ => toggle(&mut users, &mut model, connection, random.usize(..4), random.usize(..3)),
            }
            compare(&users, &model, now);
        }
    }
}

#[test]
#[should_panic(expected = "connection 5 has joined already")]
fn a_connection_cannot_have_two_users() {
    let mut users = index();
    users.join(5, UserKey::Named("alice"), None);
    users.join(5, UserKey::Named("user-7"), None);
}

#[test]
fn many_users_with_one_connection_each_are_found_while_the_tables_grow_and_shrink() {
    let mut users = index();
    let name = |index: u32| format!("user-{index}");
    for index in 0..20_000 {
        users.join(index, UserKey::Named(&name(index)), Some("tab-1"));
    }
    users.assert_invariants();
    for index in 0..20_000 {
        assert_eq!(users.find_client(UserKey::Named(&name(index)), "tab-1"), Some(index));
        assert!(users.leave(index).unwrap().was_last);
    }
    users.assert_invariants();
    assert_eq!(users.users(), 0);
}
