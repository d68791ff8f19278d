//! Ten thousand come at once: they are let in at a pace, and streams that are there are served meanwhile.
//!
//! Not here: a judgement of speed. What is looked at are counts, and a bound that holds on a machine of any speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use corecast_tests::hub::Hub;
use corecast_tests::publish::Publisher;
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::swarm::Swarm;

const HERD: usize = 10_000;
const RATE: f64 = 3000.0;

/// Both shards together: half a second's worth, and as many accepts as may be armed before they are paced.
const BURST: f64 = RATE / 2.0 + 2.0 * 64.0;

const WITHIN: Duration = Duration::from_secs(120);

#[test]
fn a_herd_is_let_in_at_the_pace_that_is_set_and_others_are_served_meanwhile() {
    let hub = Hub::builder()
        .set("limits.connections", HERD + HERD / 2)
        .set("limits.accept_rate", RATE as u64)
        .start();
    let mut live = EventStream::open(hub.addr(), &Subscribe::to("live"));
    let mut publisher = Publisher::connect(hub.addr());
    publisher.to_topic("live", "before");
    live.next_data(1);
    let begun = Instant::now();
    let is_in = Arc::new(AtomicBool::new(false));
    let all_in = Arc::clone(&is_in);
    let address = hub.addr();
    let herd = std::thread::spawn(move || {
        let mut swarm = Swarm::around(address, 2);
        for _ in 0..HERD {
            swarm.join(&Subscribe::to("herd"));
        }
        swarm.drive_until(WITHIN, "all are in", |swarm| swarm.open() == HERD);
        all_in.store(true, Ordering::SeqCst);
        swarm
    });
    let mut served = 0;
    while !is_in.load(Ordering::SeqCst) {
        publisher.to_topic("live", "meanwhile");
        live.next_data(1);
        let accepted = hub.metric("corecast_accepted_total");
        let most = BURST + RATE * begun.elapsed().as_secs_f64() + 10.0;
        assert!(accepted <= most, "{accepted} were accepted, allowed are {most}");
        served += u32::from(accepted < HERD as f64);
    }
    assert!(served >= 5, "{served} events were delivered while the herd came in");
    assert!(begun.elapsed().as_secs_f64() >= (HERD as f64 - BURST) / RATE);
    println!("{HERD} were let in within {:.1?}; {served} events were delivered meanwhile", begun.elapsed());
    drop(herd.join().unwrap());
}

#[test]
fn without_a_bound_all_are_let_in_as_they_come() {
    let hub = Hub::builder().set("limits.accept_rate", 0).start();
    let mut swarm = Swarm::around(hub.addr(), 2);
    for _ in 0..1000 {
        swarm.join(&Subscribe::to("herd"));
    }
    swarm.drive_until(WITHIN, "all are in", |swarm| swarm.open() == 1000);
}
