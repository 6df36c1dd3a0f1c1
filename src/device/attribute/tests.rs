//! Which device identifiers lead to, and whose first event it is.

use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::device::digest::Keys;
use crate::device::memory::Memory;
use crate::device::{Counts, Devices, Map as Backing, MapSpec, Spec, Step, WhenUnavailable};
use crate::event::{Batch, Depth, FieldId, FieldsBuilder, Path, Reason};
use crate::secret::{Reference, Secret};

const OAID: [&str; 4] = [
    "11111111-2222-3333-4444-555555555551",
    "11111111-2222-3333-4444-555555555552",
    "11111111-2222-3333-4444-555555555553",
    "11111111-2222-3333-4444-555555555554",
];
const IMEI: &str = "490154203237518";

fn spec(secret: Option<Reference>) -> Spec {
    Spec {
        map: MapSpec::Memory { most: 100_000 },
        secret,
        cache: 1 << 20,
    }
}

fn devices() -> Devices {
    let map = Backing::Memory(Memory::new(100_000));
    Devices::with(&spec(None), Keys::new(&Secret::new("s")), map, None)
}

/// Attributes one batch; of each event `id is_new status`, with ids numbered as they come.
struct Map {
    devices: Devices,
    ids: Vec<String>,
    counts: Counts,
    /// Whether events are only looked at.
    foresees: bool,
}

impl Map {
    fn new() -> Self {
        Self {
            devices: devices(),
            ids: Vec::new(),
            counts: Counts::default(),
            foresees: false,
        }
    }

    fn send(&mut self, events: &[&str]) -> Vec<String> {
        self.send_with(events, |_| ())
    }

    fn send_with(&mut self, events: &[&str], adapt: impl FnOnce(&mut Batch)) -> Vec<String> {
        let mut builder = FieldsBuilder::default();
        let mut field = |path: &str| builder.add(&Path::parse(path).unwrap()).unwrap();
        let identifiers = vec![
            ("oaid".to_owned(), field("o")),
            ("imei".to_owned(), field("i")),
            ("cookie".to_owned(), field("c")),
        ];
        let step = Step {
            fingerprint: Step::fingerprint(&identifiers, &[]),
            identifiers,
            skew: None,
            when_unavailable: WhenUnavailable::Degrade,
            reattribution: None,
            conflicts: None,
            id_as: field("d.id"),
            new_as: Some(field("new")),
            status_as: Some(field("status")),
            invalid: vec!["lab".into()],
        };
        let fields = Arc::new(builder.build());
        let body = events.join("\n");
        let mut batch = Batch::new(body.into_bytes(), fields);
        let mut start = 0;
        for (line, event) in (1u32..).zip(events) {
            batch
                .read(line, start, start + event.len(), Depth(8))
                .unwrap();
            start += event.len() + 1;
        }
        adapt(&mut batch);
        let received = "2025-06-15T15:06:40Z".parse().unwrap();
        let told = if self.foresees {
            self.devices
                .foresee(&step, &mut batch, received)
                .now_or_never()
        } else {
            self.devices
                .attribute(&step, &mut batch, received)
                .now_or_never()
        };
        self.counts = told.expect("a map in memory never waits").counts;
        (0..events.len())
            .map(|index| self.told(&mut batch, index, &step))
            .collect()
    }

    fn told(&mut self, batch: &mut Batch, index: usize, step: &Step) -> String {
        let event = batch.event(index);
        let text = |field: FieldId| {
            let json = event.get(field)?;
            Some(String::from_utf8(json.raw().to_vec()).unwrap())
        };
        let id = match text(step.id_as) {
            None => "-".to_owned(),
            Some(id) => {
                let known = self.ids.iter().position(|known| *known == id);
                let number = known.unwrap_or_else(|| {
                    self.ids.push(id);
                    self.ids.len() - 1
                });
                format!("#{number}")
            }
        };
        let rest = [step.new_as, step.status_as];
        let rest = rest.map(|field| text(field.unwrap()).unwrap_or_default());
        format!("{id} {} {}", rest[0], rest[1].trim_matches('"'))
    }
}

fn event(o: Option<&str>, i: Option<&str>, c: Option<&str>, n: u32) -> String {
    serde_json::json!({ "o": o, "i": i, "c": c, "n": n }).to_string()
}

#[test]
fn what_is_foreseen_comes_true_and_is_not_remembered() {
    let mut map = Map::new();
    map.send(&[&event(Some(OAID[0]), Some(IMEI), None, 1)]);
    map.send(&[&event(Some(OAID[1]), None, Some("cookie-of-another"), 2)]);
    let events = [
        event(None, Some(IMEI), None, 3),
        event(Some(OAID[2]), None, None, 4),
        event(None, Some(IMEI), Some("cookie-of-another"), 5),
        event(None, None, None, 6),
    ];
    let events = events.each_ref().map(String::as_str);
    map.foresees = true;
    let foreseen = map.send(&events);
    assert_eq!(map.send(&events), foreseen);
    assert!(foreseen[1].contains("new"), "{foreseen:?}");
    map.foresees = false;
    assert_eq!(map.send(&events), foreseen);
    let later = event(Some(OAID[2]), None, None, 77);
    assert!(map.send(&[&later])[0].contains("known"));
}

#[test]
fn a_device_is_new_once_and_then_known() {
    let mut map = Map::new();
    let (first, second) = (
        event(Some(OAID[0]), None, None, 1),
        event(Some(OAID[0]), None, None, 2),
    );
    assert_eq!(
        map.send(&[&first, &second]),
        ["#0 true new", "#0 false known"]
    );
    assert_eq!(map.send(&[&second]), ["#0 false known"]);
    assert_eq!(
        map.counts,
        Counts {
            known: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_first_event_that_is_sent_again_is_still_new() {
    let mut map = Map::new();
    let (first, second) = (
        event(Some(OAID[0]), None, None, 1),
        event(Some(OAID[0]), None, None, 2),
    );
    map.send(&[&first]);
    assert_eq!(map.send(&[&second]), ["#0 false known"]);
    assert_eq!(
        map.send(&[&first, &second]),
        ["#0 true new", "#0 false known"]
    );
}

#[test]
fn a_rejected_event_does_not_use_up_newness() {
    let mut map = Map::new();
    let (first, second) = (
        event(Some(OAID[0]), None, None, 1),
        event(Some(OAID[0]), None, None, 2),
    );
    let told = map.send_with(&[&first, &second], |batch| {
        batch.event(0).leave(Reason::ValidateType)
    });
    assert_eq!(told, ["-  ", "#0 true new"]);
    assert_eq!(
        map.counts,
        Counts {
            new: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn identifiers_meet_through_the_map() {
    let mut map = Map::new();
    assert_eq!(
        map.send(&[&event(None, Some(IMEI), None, 1)]),
        ["#0 true new"]
    );
    assert_eq!(
        map.send(&[&event(Some(OAID[0]), Some("49-015420-323751-8"), None, 2)]),
        ["#0 false known"]
    );
    assert_eq!(
        map.send(&[&event(Some(OAID[0]), None, Some("x1"), 3)]),
        ["#0 false known"]
    );
    assert_eq!(
        map.send(&[&event(None, None, Some("x1"), 4)]),
        ["#0 false known"]
    );
    assert_eq!(
        map.send(&[&event(None, None, Some("X1"), 5)]),
        ["#1 true new"]
    );
}

#[test]
fn one_device_in_a_batch_under_different_identifiers_is_new_once() {
    let mut map = Map::new();
    let told = map.send(&[
        &event(Some(OAID[0]), Some(IMEI), None, 1),
        &event(Some(OAID[0]), None, None, 1),
        &event(None, Some(IMEI), None, 1),
    ]);
    assert_eq!(told, ["#0 true new", "#0 false known", "#0 false known"]);
}

#[test]
fn the_strongest_identifier_counts_in_a_conflict_and_nothing_is_written() {
    let mut map = Map::new();
    map.send(&[
        &event(Some(OAID[0]), None, None, 1),
        &event(None, Some(IMEI), None, 2),
    ]);
    let both = event(Some(OAID[0]), Some(IMEI), Some("x1"), 3);
    assert_eq!(map.send(&[&both]), ["#0 false conflict"]);
    assert_eq!(map.counts.conflict, 1);
    assert_eq!(
        map.send(&[&event(None, Some(IMEI), None, 4)]),
        ["#1 false known"]
    );
    assert_eq!(
        map.send(&[&event(None, None, Some("x1"), 5)]),
        ["#2 true new"]
    );
}

#[test]
fn values_that_identify_nothing_lead_nowhere() {
    let mut map = Map::new();
    let zero = Some("00000000-0000-0000-0000-000000000000");
    let told = map.send(&[
        &event(zero, Some("000000000000000"), Some("lab"), 1),
        r#"{"o":null,"i":true,"c":[1,1],"d":{"id":"mine"},"new":true}"#,
        r#"{"i":490154203237518}"#,
        &event(zero, Some(IMEI), None, 2),
    ]);
    assert_eq!(told[..3], ["- null none", "#0 true new", "#1 true new"]);
    assert_eq!(told[3], "#1 false known");
}

#[test]
fn a_client_cannot_keep_its_device_out() {
    let mut map = Map::new();
    let told = map.send(&[
        r#"{"i":"490154203237518","d":"mine"}"#,
        r#"{"i":"490154203237518","d":null}"#,
        r#"{"i":"490154203237518","d":[1]}"#,
    ]);
    assert_eq!(told, ["#0 true new", "#0 false known", "#0 false known"]);
}

#[test]
fn ids_are_the_same_in_every_process_with_the_same_secret() {
    let id = || {
        let mut map = Map::new();
        map.send(&[&event(Some(OAID[0]), Some(IMEI), None, 1)]);
        map.ids[0].clone()
    };
    assert_eq!(id(), id());
    assert_eq!(id().len(), 34, "32 hex digits in quotes");
}

#[test]
fn an_identifier_that_leads_too_many_strangers_is_distrusted() {
    let mut map = Map::new();
    map.send(&[&event(None, None, Some("shared"), 0)]);
    let oaid = |n: u32| format!("{n:08x}-2222-3333-4444-555555555555");
    let mut merged = 0;
    for n in 0..200 {
        let told = map.send(&[&event(Some(&oaid(n + 16)), None, Some("shared"), n)]);
        merged += usize::from(told[0].starts_with("#0 "));
    }
    assert_eq!(merged, 51);
    assert_eq!(
        map.ids.len(),
        1 + 149,
        "the others have devices of their own"
    );
}

#[test]
fn without_a_map_events_go_on_and_say_so() {
    let mut map = Map::new();
    map.devices = Devices::unavailable();
    let told = map.send(&[&event(Some(OAID[0]), None, None, 1)]);
    assert_eq!(told, ["- null degraded"]);
    assert_eq!(
        map.counts,
        Counts {
            degraded: 1,
            ..Counts::default()
        }
    );
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error_and_none_is_a_key_of_its_own() {
    let missing = Reference::File("/nowhere/at/all".to_owned());
    assert!(Devices::alone(&spec(Some(missing))).is_err());
    assert!(Devices::alone(&spec(None)).unwrap().is_available());
    assert!(!Devices::unavailable().is_available());
}

#[test]
fn events_that_race_end_at_the_same_device() {
    let devices = devices();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let race = |n: u32| {
            let devices = devices.clone();
            scope.spawn(move || {
                let mut map = Map::new();
                map.devices = devices;
                let told: Vec<_> = (0..200)
                    .map(|device| {
                        let oaid = format!("{device:08x}-2222-3333-4444-555555555555");
                        let imei = if n.is_multiple_of(2) {
                            Some(IMEI)
                        } else {
                            None
                        };
                        let imei = imei.filter(|_| device == 0);
                        map.send(&[&event(Some(&oaid), imei, None, n)])[0].clone()
                    })
                    .collect();
                let new = told.iter().filter(|told| told.ends_with("new")).count();
                (map.ids, new)
            })
        };
        let threads: Vec<_> = (0..4).map(race).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|(each, _)| *each == ids[0].0));
    let new: usize = ids.iter().map(|(_, new)| new).sum();
    assert_eq!(new, 200, "each device is new once");
}
