//! What a delivery costs the load and the bare server, in CPU time: is the load the bottleneck?
//!
//! `cargo run --release --example delivery_cost -- CONNECTIONS OUTSTANDING SECONDS MODE [TABLE]`, where MODE is `one`,
//! `joined` or `send`, and TABLE bounds the sockets of a ring. The server runs on core 0, the load on core 1.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use corecast_bench::load::{Load, LoadOptions, PublisherId};
use corecast_bench::mark::{Mark, TO_ALL};
use rustix::time::{ClockId, clock_gettime};

const EVENT_BYTES: usize = 128;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> anyhow::Result<u32> {
        args.get(at).context("CONNECTIONS OUTSTANDING SECONDS MODE [TABLE]")?.parse().context("a number")
    };
    let (connections, outstanding, seconds) = (number(0)?, number(1)?, number(2)?);
    let mode = args.get(3).context("MODE")?;
    let (server, options) = start(connections, mode)?;
    let mut load = Load::with_tables(&options, 1, number(4).unwrap_or(1 << 17))?;

    let (cpu, begun) = (load_cpu_ns(), Instant::now());
    let request = b"GET /events HTTP/1.1\r\nHost: bench\r\n\r\n";
    (0..connections).for_each(|subscriber| load.connect(subscriber, request.to_vec(), 0));
    load.run_until(PATIENCE, "all live", |load| load.totals().live == connections)?;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "connect: {:.0}/s, load {:.1} us CPU each",
        f64::from(connections) / took,
        micros(load_cpu_ns() - cpu, connections.into())
    );

    let mut published = 0;
    broadcast(&mut load, &mut published, outstanding, Duration::from_millis(500))?;
    let (cpu, server_cpu, before) = (load_cpu_ns(), cpu_ns(server.0.id())?, load.totals().deliveries);
    let took = broadcast(&mut load, &mut published, outstanding, Duration::from_secs(seconds.into()))?;
    let deliveries = load.totals().deliveries - before;
    println!(
        "{mode} {outstanding}: {:.0} deliveries/s, load {:.3} us CPU each ({:.0} % busy), server {:.3} us ({:.0} %), p50 {:.1} ms",
        deliveries as f64 / took.as_secs_f64(),
        micros(load_cpu_ns() - cpu, deliveries),
        (load_cpu_ns() - cpu) as f64 / took.as_nanos() as f64 * 100.0,
        micros(cpu_ns(server.0.id())? - server_cpu, deliveries),
        (cpu_ns(server.0.id())? - server_cpu) as f64 / took.as_nanos() as f64 * 100.0,
        load.take_latencies().value_at_quantile(0.5) as f64 / 1e6
    );
    Ok(())
}

/// Keeps `outstanding` events under way for a while, then waits for the last.
fn broadcast(
    load: &mut Load,
    published: &mut u32,
    outstanding: u32,
    lasting: Duration,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    while begun.elapsed() < lasting {
        let mut requests = Vec::new();
        let count = outstanding - (*published - load.delivered_to_all());
        for _ in 0..count {
            let mut data = Vec::new();
            Mark { stream: TO_ALL, number: *published, intended_ns: load.now_ns() }
                .write(EVENT_BYTES, &mut data);
            let head = format!(
                "POST /publish?all=1 HTTP/1.1\r\nHost: bench\r\nContent-Length: {EVENT_BYTES}\r\n\r\n"
            );
            requests.extend_from_slice(head.as_bytes());
            requests.extend_from_slice(&data);
            *published += 1;
        }
        if count > 0 {
            load.publish(PublisherId(0), &requests, count);
        }
        load.turn(Duration::from_millis(10))?;
    }
    let last = *published;
    load.run_until(PATIENCE, "the last event", |load| load.delivered_to_all() == last)?;
    Ok(begun.elapsed())
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bare server of the program that is built beside this example.
fn start(connections: u32, mode: &str) -> anyhow::Result<(Server, LoadOptions)> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(|folder| folder.parent()).context("the build folder")?;
    let mut child = Command::new(folder.join("corecast-bench"))
        .args(["bare", "--core", "0", "--mode", mode, "--connections", &connections.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .context("build it first: cargo build --release -p corecast-bench")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its standard output")?).read_line(&mut line)?;
    let server = Server(child);
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, subscribe, publish] = words[..] else { anyhow::bail!("the bare server is not ready: {line:?}") };
    let options = LoadOptions {
        subscribe: subscribe.parse()?,
        publish: publish.parse()?,
        subscribers: connections,
        core: 1,
    };
    Ok((server, options))
}

/// CPU time of this process.
fn load_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time of another process, as its scheduler counts it.
fn cpu_ns(process: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/schedstat"))?;
    Ok(text.split(' ').next().context("schedstat")?.parse()?)
}

fn micros(ns: u64, count: u64) -> f64 {
    ns as f64 / 1e3 / count as f64
}
