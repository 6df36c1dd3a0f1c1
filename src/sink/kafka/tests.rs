//! What can be known without a cluster; with one, see the integration tests.

use std::sync::mpsc::{Receiver, channel};

use prometheus_client::registry::Registry;
use rdkafka::message::Headers as _;

use super::*;
use crate::sink::{Settled, Verdict};

/// Nothing listens on port 1.
fn nowhere() -> Spec {
    Spec::new(vec!["127.0.0.1:1".to_owned()])
}

fn start(spec: &Spec) -> Client {
    Client::start(spec, &Metrics::new(&mut Registry::default())).unwrap()
}

/// A group of two of which one is added.
fn send(client: &Client, payload: &[u8]) -> (Result<(), Reason>, Receiver<(Verdict, u32)>) {
    let (told, heard) = channel();
    let done = move |settled: Settled| told.send((settled.verdict, settled.handed)).unwrap();
    let topic = Topic::parse("t").unwrap();
    let mut group = client.open(0, &topic, 2, Box::new(done)).unwrap();
    let stamp = Stamp {
        revision: "r",
        batch: "b",
    };
    let added = group.add(
        &Message {
            index: 5,
            key: None,
            payload,
            headers: &[],
        },
        &stamp,
    );
    (added, heard)
}

#[test]
fn a_silent_cluster_is_named_with_what_to_do() {
    let client = start(&nowhere());
    let error = client
        .answers(Duration::from_millis(300))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("127.0.0.1:1") && error.contains("check the addresses"),
        "{error}"
    );
    client.close(Duration::ZERO, Reason::Closing);
}

#[test]
fn what_could_not_be_sent_is_answered_when_the_client_closes() {
    let client = start(&nowhere());
    let (added, heard) = send(&client, b"{}");
    added.unwrap();
    assert!(heard.try_recv().is_err());
    client.close(Duration::ZERO, Reason::Fenced);
    assert_eq!(
        heard.recv().unwrap(),
        (Verdict::Records(vec![(5, Reason::Fenced)]), 1)
    );
}

#[test]
fn a_record_larger_than_the_producer_takes_is_refused_at_once() {
    let client = start(&Spec {
        message_max: 1_000,
        batch_size: 1_000,
        ..nowhere()
    });
    let (added, heard) = send(&client, &[b' '; 2_000]);
    assert_eq!(added, Err(Reason::DeliveryTooLarge));
    assert_eq!(heard.recv().unwrap(), (Verdict::Records(vec![]), 0));
    client.close(Duration::ZERO, Reason::Closing);
}

#[test]
fn a_closed_client_opens_no_group_and_says_so() {
    let client = start(&nowhere());
    client.close(Duration::ZERO, Reason::Fenced);
    let (told, heard) = channel();
    let done = move |settled: Settled| told.send(settled.handed).unwrap();
    let topic = Topic::parse("t").unwrap();
    assert_eq!(
        client.open(0, &topic, 3, Box::new(done)).unwrap_err(),
        Reason::Fenced
    );
    assert_eq!(heard.recv().unwrap(), 0);
}

#[test]
fn headers_are_those_asked_for() {
    let stamp = Stamp {
        revision: "3f2a91c0d4e5",
        batch: "01J8",
    };
    let constant = [("source".into(), "edge".into())];
    let message = |headers| Message {
        index: 1207,
        key: None,
        payload: b"{}",
        headers,
    };
    assert!(headers(Headers::default(), &message(&[]), &stamp).is_none());
    let wanted = Headers {
        revision: true,
        batch: true,
    };
    let all = headers(wanted, &message(&constant), &stamp).unwrap();
    let told: Vec<_> = (0..all.count()).map(|n| all.get(n)).collect();
    let told: Vec<_> = told.iter().map(|h| (h.key, h.value.unwrap())).collect();
    let expected: [(&str, &[u8]); 3] = [
        ("source", b"edge"),
        ("revision", b"3f2a91c0d4e5"),
        ("batch", b"01J8/1207"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_batch_id_of_any_length_fits_its_place() {
    let long = "x".repeat(100);
    let mut place = Place::new();
    let written = place.write(&long, u32::MAX);
    assert!(written.len() <= Place::SIZE && written.ends_with(b"x/4294967295"));
    assert_eq!(Place::new().write("", 0), b"/0");
}
