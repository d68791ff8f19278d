//! Looking at connections: every filter, all of a table once in slices, and never more than a slice.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::harness::{bearer, event, get};
use super::{Client, Harness};
use crate::connection::{ConnectionId, Phase};
use crate::engine::inspect::{ConnectionFilter, ConnectionRow, Owner, SLICE_ROWS, Slice};
use crate::frame::Framing;
use crate::topics::SelectorKind;

fn user(name: &str) -> Owner {
    Owner::User(name.into())
}

/// All rows of a table, slice by slice.
fn walk<T>(look: impl Fn(u32) -> Slice<T>) -> Vec<T> {
    let (mut rows, mut next) = (Vec::new(), Some(0));
    while let Some(first) = next {
        let slice = look(first);
        assert!(slice.rows.len() <= SLICE_ROWS as usize, "a slice of {} rows", slice.rows.len());
        assert!(slice.next.is_none_or(|next| next > first), "a walk comes to its end");
        rows.extend(slice.rows);
        next = slice.next;
    }
    rows
}

fn connections(hub: &Harness, filter: &ConnectionFilter) -> Vec<ConnectionRow> {
    walk(|first| hub.shards[0].engine.inspect_connections(first, filter))
}

#[track_caller]
fn check(hub: &Harness, filter: ConnectionFilter, expected: &[Client]) {
    let found: BTreeSet<_> = connections(hub, &filter).into_iter().map(|row| row.id).collect();
    let expected: BTreeSet<_> = expected.iter().map(|&client| hub.id_of(client)).collect();
    assert_eq!(found, expected, "{filter:?}");
}

fn any() -> ConnectionFilter {
    ConnectionFilter::default()
}

#[test]
fn a_stream_shows_whose_it_is_and_how_it_is() {
    let mut hub = Harness::new();
    hub.advance_secs(100);
    let token = hub.token_for(Some("alice"), &["/private/{id}"], &[], Duration::from_secs(3600));
    let alice = hub.request(get("/events?topic=a&topic=/b/{id}&topic=*&heartbeat=event", &bearer(&token)));
    let greeting = hub.received(alice).len() as u64;
    hub.advance_secs(2);
    hub.turn_all();
    let details = hub.shards[0].engine.inspect_connection(hub.id_of(alice)).unwrap();
    let row = &details.row;
    assert_eq!(
        (row.id, row.phase, row.owner.as_ref()),
        (hub.id_of(alice), Phase::Streaming, Some(&user("alice")))
    );
    assert_eq!((row.peer.to_string().as_str(), row.bytes), ("192.0.2.1:40000", greeting));
    let close_to = |duration: Option<Duration>, secs| {
        duration.unwrap().abs_diff(Duration::from_secs(secs)) < Duration::from_millis(20)
    };
    assert!(close_to(row.age, 2) && close_to(row.silence, 2), "{row:?}");
    assert_eq!((row.lag, row.is_behind), (0, false));
    assert_eq!(row.expires.unwrap().0, (hub.now.unix.0 / 1000 - 2 + 3600) * 1000);
    let mut selectors: Vec<&str> = details.selectors.iter().map(|text| &**text).collect();
    selectors.sort_unstable();
    assert_eq!(selectors, ["*", "/b/{id}", "a"]);
    assert_eq!(details.grants, ["/private/{id}".into()]);
    assert_eq!((details.framing, details.visible_heartbeat), (Framing::Chunked, true));
}

#[test]
fn what_is_no_stream_has_no_owner_and_no_age() {
    let mut hub = Harness::new();
    let silent = hub.connect();
    let row = hub.shards[0].engine.inspect_connection(hub.id_of(silent)).unwrap().row;
    assert_eq!((row.phase, row.owner, row.age, row.silence), (Phase::Head, None, None, None));
    assert_eq!((row.bytes, row.lag, row.expires), (0, 0, None));
}

#[test]
fn a_connection_that_has_ended_is_gone_and_its_successor_is_another() {
    let mut hub = Harness::new();
    let first = hub.subscribe("topic=a");
    let id = hub.id_of(first);
    hub.hang_up(first);
    assert_eq!(hub.engine().inspect_connection(id), None);
    let second = hub.subscribe("topic=a");
    assert_eq!(hub.id_of(second).index, id.index, "the slot is used again");
    assert_eq!(hub.engine().inspect_connection(id), None);
    let beyond = ConnectionId { index: u32::MAX, generation: 0 };
    assert_eq!(hub.engine().inspect_connection(beyond), None);
}

#[test]
fn every_filter_lets_through_what_it_says() {
    let mut hub = Harness::new();
    let alice = [hub.subscribe_as("alice", "topic=a"), hub.subscribe_as("alice", "topic=a&topic=b")];
    let bob = hub.subscribe_as("bob", "topic=/b/{id}");
    let tab = hub.subscribe("topic=b&client_id=alice");
    let nobody = hub.subscribe("topic=*");
    let elsewhere = hub.connect_from(0, IpAddr::from([192, 0, 2, 9]));
    let all = [alice[0], alice[1], bob, tab, nobody, elsewhere];

    check(&hub, any(), &all);
    check(&hub, ConnectionFilter { owner: Some(user("alice")), ..any() }, &alice);
    check(&hub, ConnectionFilter { owner: Some(Owner::Anonymous("alice".into())), ..any() }, &[tab]);
    check(&hub, ConnectionFilter { owner: Some(user("carol")), ..any() }, &[]);
    check(&hub, ConnectionFilter { is_anonymous: true, ..any() }, &[tab, nobody]);
    for (selector, expected) in [
        ("a", &alice[..]),
        ("b", &[alice[1], tab]),
        ("/b/{id}", &[bob]),
        ("*", &[nobody]),
        ("/b/1", &[]),
        ("", &[]),
    ] {
        check(&hub, ConnectionFilter { selector: Some(selector.into()), ..any() }, expected);
    }
    check(&hub, ConnectionFilter { ip: Some(IpAddr::from([192, 0, 2, 9])), ..any() }, &[elsewhere]);
    check(&hub, ConnectionFilter { phase: Some(Phase::Streaming), ..any() }, &all[..5]);
    check(&hub, ConnectionFilter { phase: Some(Phase::Head), ..any() }, &[elsewhere]);
    check(&hub, ConnectionFilter { phase: Some(Phase::Draining), ..any() }, &[]);
    check(&hub, ConnectionFilter { is_behind: true, ..any() }, &[]);
    let both = ConnectionFilter { owner: Some(user("alice")), selector: Some("b".into()), ..any() };
    check(&hub, both, &alice[1..]);
}

#[test]
fn who_does_not_read_is_behind_and_its_lag_grows() {
    let mut hub = Harness::new();
    let (slow, quick) = (hub.subscribe("topic=a"), hub.subscribe("topic=a"));
    hub.stall(slow);
    for number in 0..5 {
        hub.publish(event("a", &number.to_string()));
    }
    check(&hub, ConnectionFilter { is_behind: true, ..any() }, &[slow]);
    let rows = connections(&hub, &any());
    let of = |client| rows.iter().find(|row| row.id == hub.id_of(client)).unwrap();
    assert_eq!((of(quick).lag, of(slow).lag), (0, 5));
    assert!(of(quick).bytes > of(slow).bytes, "only what the socket took is counted");
    hub.unstall(slow);
    check(&hub, ConnectionFilter { is_behind: true, ..any() }, &[]);
}

#[test]
fn bytes_are_those_that_the_peer_has_received() {
    let mut hub = Harness::new();
    let clients: Vec<_> = (0..4).map(|_| hub.subscribe("topic=a")).collect();
    hub.set_room(clients[1], 10);
    hub.set_room(clients[2], 1);
    hub.publish(event("a", "something longer than the room that there is"));
    hub.advance_secs(20);
    hub.take_in(clients[1], 33);
    for client in clients {
        let row = hub.shards[0].engine.inspect_connection(hub.id_of(client)).unwrap().row;
        assert_eq!(row.bytes, hub.received(client).len() as u64, "{client:?}");
    }
}

#[test]
fn a_moment_does_not_change_while_time_goes_on() {
    let mut hub = Harness::new();
    hub.advance(Duration::from_micros(1_234_567));
    hub.subscribe("topic=a");
    hub.turn_all();
    let opened = |hub: &Harness| {
        let row = &connections(hub, &any())[0];
        let sent_ms = row.seen.as_nanos() / 1_000_000 - row.silence.unwrap().as_millis() as u64;
        (row.seen - row.age.unwrap(), sent_ms)
    };
    let at_first = opened(&hub);
    for micros in [1, 999, 16_777, 1_000_001] {
        hub.advance(Duration::from_micros(micros));
        hub.turn_all();
        assert_eq!(opened(&hub), at_first, "{micros}");
    }
}

/// More connections than a slice has, some of which have gone.
fn crowd(count: u32) -> (Harness, Vec<Client>) {
    let mut hub = Harness::new();
    hub.checks = false;
    let clients: Vec<_> = (0..count)
        .map(|number| hub.subscribe(&format!("topic=t/{}&client_id=c{number}", number % 1500)))
        .collect();
    let (gone, kept): (Vec<_>, Vec<_>) =
        clients.into_iter().enumerate().partition(|(number, _)| number % 7 == 3);
    gone.into_iter().for_each(|(_, client)| hub.hang_up(client));
    (hub, kept.into_iter().map(|(_, client)| client).collect())
}

#[test]
fn slices_cover_everything_once() {
    let (hub, clients) = crowd(2 * SLICE_ROWS + 100);
    let engine = &hub.shards[0].engine;
    let found = connections(&hub, &any());
    assert_eq!(found.len(), clients.len(), "nothing twice");
    check(&hub, any(), &clients);

    let owners: Vec<_> =
        walk(|first| engine.inspect_owners(first)).into_iter().map(|row| row.owner).collect();
    assert_eq!(owners.len(), clients.len());
    assert_eq!(owners.iter().collect::<std::collections::HashSet<_>>().len(), clients.len());

    let selectors = walk(|first| engine.inspect_selectors(first));
    let names: BTreeSet<_> = selectors.iter().map(|row| &row.selector).collect();
    assert!(names.len() == selectors.len() && selectors.len() > SLICE_ROWS as usize, "{}", selectors.len());
    assert!(selectors.iter().all(|row| row.kind == SelectorKind::Exact && row.subscribers > 0));
    let subscribers: u32 = selectors.iter().map(|row| row.subscribers).sum();
    assert_eq!(subscribers as usize, clients.len());
}

#[test]
fn a_user_with_more_streams_than_a_slice_is_found_whole_and_in_slices() {
    let mut hub = Harness::new();
    hub.checks = false;
    let count = SLICE_ROWS + 10;
    for _ in 0..count {
        hub.subscribe("topic=a&client_id=tab");
        hub.subscribe_as("alice", "topic=a");
    }
    let found = connections(&hub, &ConnectionFilter { owner: Some(user("alice")), ..any() });
    let different: BTreeSet<_> = found.iter().map(|row| row.id).collect();
    assert_eq!((found.len(), different.len()), (count as usize, count as usize));
}

#[test]
fn a_selector_is_listed_with_its_kind_while_somebody_has_it() {
    let mut hub = Harness::new();
    let first = hub.subscribe("topic=a&topic=/b/{id}&topic=*");
    let second = hub.subscribe("topic=a");
    let list = |hub: &Harness| {
        let rows = walk(|first| hub.shards[0].engine.inspect_selectors(first));
        let mut rows: Vec<_> =
            rows.into_iter().map(|row| (row.selector.to_string(), row.kind, row.subscribers)).collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        rows
    };
    let (any, template, exact) = (SelectorKind::Any, SelectorKind::Template, SelectorKind::Exact);
    assert_eq!(
        list(&hub),
        [("*".to_owned(), any, 1), ("/b/{id}".to_owned(), template, 1), ("a".to_owned(), exact, 2)]
    );
    hub.hang_up(first);
    assert_eq!(list(&hub), [("a".to_owned(), exact, 1)]);
    hub.hang_up(second);
    assert_eq!(list(&hub), []);
}
