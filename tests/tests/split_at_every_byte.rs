//! A request means the same however the network cuts it.

use corecast_tests::exchange::{self, Client};
use corecast_tests::hub::Hub;
use corecast_tests::publish::{Publisher, request};
use corecast_tests::request::Subscribe;
use corecast_tests::stream::EventStream;
use corecast_tests::token::Token;
use serde_json::json;

/// One shard, so that an answer on another connection shows that the shard has seen the first part.
fn hub() -> Hub {
    Hub::builder().set("hub.shards", 1).start()
}

fn let_the_shard_turn(hub: &Hub) {
    assert_eq!(exchange::get(hub.addr(), "/healthz").status(), 200);
}

fn publish_request(body: &[u8]) -> Vec<u8> {
    request("/publish", &Token::publisher().sign(), "application/json", body)
}

#[test]
fn a_publish_request_may_be_cut_anywhere() {
    let hub = hub();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("cut"));
    let body = json!({"topics": ["cut"], "data": "grüße"}).to_string();
    let request = publish_request(body.as_bytes());
    for cut in 1..request.len() {
        let mut client = Client::connect(hub.addr());
        client.send(&request[..cut]);
        let_the_shard_turn(&hub);
        client.send(&request[cut..]);
        let answer = client.read_answer();
        assert_eq!(answer.status(), 200, "cut at {cut}: {}", answer.text());
        let event = stream.next_event();
        assert_eq!(
            (event.data.as_str(), event.id.as_deref()),
            ("grüße", answer.json()["id"].as_str()),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_chunked_body_may_be_cut_anywhere() {
    let hub = hub();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("cut"));
    let body = json!({"topics": ["cut"], "data": "x"}).to_string();
    let (front, back) = body.split_at(7);
    let request = format!(
        "POST /publish HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n7\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n",
        Token::publisher().sign(),
        back.len()
    );
    let head_bytes = request.find("\r\n\r\n").unwrap();
    for cut in head_bytes..request.len() {
        let mut client = Client::connect(hub.addr());
        client.send(&request.as_bytes()[..cut]);
        let_the_shard_turn(&hub);
        client.send(&request.as_bytes()[cut..]);
        let answer = client.read_answer();
        assert_eq!(answer.status(), 200, "cut at {cut}: {}", answer.text());
        assert_eq!(stream.next_event().id.as_deref(), answer.json()["id"].as_str());
    }
}

#[test]
fn a_subscribe_request_may_be_cut_anywhere() {
    let hub = hub();
    let first = Publisher::connect(hub.addr()).to_topic("cut", "first");
    Publisher::connect(hub.addr()).to_topic("cut", "second");
    let request = Subscribe::to("cut").last_event_id(&first).client_id("tab");
    let bytes = request.encode();
    for cut in 1..bytes.len() {
        let mut client = Client::connect(hub.addr());
        client.send(&bytes[..cut]);
        let_the_shard_turn(&hub);
        client.send(&bytes[cut..]);
        let mut stream = EventStream::answer_to(client.into_socket(), &request);
        assert_eq!(stream.next_data(1), ["second"], "cut at {cut}");
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let hub = hub();
    let body = json!({"topics": ["cut"], "data": "x"}).to_string();
    let mut client = Client::connect(hub.addr());
    for byte in publish_request(body.as_bytes()) {
        client.send(&[byte]);
    }
    assert_eq!(client.read_answer().status(), 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let hub = hub();
    let mut stream = EventStream::open(hub.addr(), &Subscribe::to("cut"));
    let one =
        |n: u32| publish_request(json!({"topics": ["cut"], "data": n.to_string()}).to_string().as_bytes());
    let mut client = Client::connect(hub.addr());
    client.send(&(0..20).flat_map(one).collect::<Vec<u8>>());
    for n in 0..20 {
        let answer = client.read_answer();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let event = stream.next_event();
        assert_eq!((event.data, event.id.as_deref()), (n.to_string(), answer.json()["id"].as_str()));
    }
}
