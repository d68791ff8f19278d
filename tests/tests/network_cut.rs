//! A client whose network vanishes without a word does not hold its slot.

use std::time::{Duration, Instant};

use corecast_tests::hub::Hub;
use corecast_tests::netns::{Cable, NEAR_ADDR, Namespace};
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::wait::eventually;

/// What the hub promises with its defaults.
const SLOT_FREED_WITHIN: Duration = Duration::from_secs(30);

/// Reading the metric takes a moment too.
const GRAIN: Duration = Duration::from_secs(1);

const STREAMS: usize = 20;

#[test]
fn a_cut_network_frees_its_slots_within_thirty_seconds() {
    let (near, far) = (Namespace::create(), Namespace::create());
    let cable = Cable::between(&near, &far);
    let hub = Hub::builder().set("hub.listen", format!("{NEAR_ADDR}:0")).inside(&near).start();
    let open =
        || (0..STREAMS).map(|_| EventStream::open(hub.addr(), &Subscribe::to("t"))).collect::<Vec<_>>();
    let _far_away = far.run(open);
    let _local = near.run(open);
    hub.wait_for_connections(2 * STREAMS);

    cable.cut();
    let cut = Instant::now();
    eventually(SLOT_FREED_WITHIN + GRAIN, "the slots of the cut network are free", || {
        (hub.metric("sse_active_connections") == STREAMS as f64).then_some(())
    });
    println!("free {:.1?} after the cut", cut.elapsed());
}
