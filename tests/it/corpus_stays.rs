//! The corpus of the tests and benches is the same on every run, and of the kind it claims to be.

use crate::corpus;

#[test]
fn the_corpus_is_what_clients_send_and_never_changes() {
    for (events, first) in [
        (corpus::tracking(2_000), "tracking"),
        (corpus::cdn(2_000), "cdn"),
    ] {
        assert_eq!(
            events,
            if first == "cdn" {
                corpus::cdn(2_000)
            } else {
                corpus::tracking(2_000)
            }
        );
        let bytes: usize = events.iter().map(String::len).sum();
        assert!(
            (500..900).contains(&(bytes / events.len())),
            "{first}: {} bytes",
            bytes / events.len()
        );
        let share = |holds: fn(&String) -> bool| {
            events.iter().filter(|event| holds(event)).count() * 100 / events.len()
        };
        assert!(
            share(|event| !event.is_ascii()) > 50,
            "{first}: few events beyond ASCII"
        );
        if first == "tracking" {
            assert!(share(|event| event.contains('\\')) > 20);
            assert!(share(|event| event.contains("\", \"")) > 10);
            assert!(share(|event| !event.starts_with("{\"event\"")) > 30);
        }
        for event in &events {
            let value: serde_json::Value = serde_json::from_str(event).unwrap();
            assert!(value["event"].is_string());
        }
    }
}
