//! What a validator in mode `shadow` would reject is counted by event and field on the admin port,
//! with samples that tell no value, beside the switch that put it into that mode.

use serde_json::{Value, json};

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;

const PRODUCERS: &str =
    "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n";
const CATALOG: &str = r"
version: 1
properties: { price: { type: float }, phone: { type: int, personal: hash } }
events: { buy: { use: [ price, phone ] } }
";
const REPO: &str = r"
version: 1
executers: [ { name: campaign, remove: properties.utm } ]
validate:
  - { name: plan, kind: catalog, catalog: app, unknown_property: drop_property }
  - { name: key, kind: required, fields: [ id ], mode: shadow }
route: [ { otherwise: { producer: files, topic: events } } ]
";
const SWITCHES: &str = r#"
version: 1
repos:
  events:
    plan: { mode: shadow, until: 2099-01-01T00:00:00Z, note: "the app sends text", by: ann }
    campaign: { mode: off }
restrictions:
  - { repo: events, when: { field: event, eq: flood }, do: drop, note: "too many" }
"#;
/// Identifiers, none of which may be shown.
const SECRETS: [&str; 4] = ["13812345678", "867530912345678", "anne@example", "99.95"];

fn documents() -> Documents {
    Documents::empty()
        .with("weir.producers.yaml", PRODUCERS)
        .with("weir.catalog.app.yaml", CATALOG)
        .with("weir.repo.events.yaml", REPO)
        .with("weir.switches.yaml", SWITCHES)
}

fn found<'v>(answer: &'v Value, validator: &str, event: &str, field: &str) -> &'v Value {
    let rows = answer["repos"][0]["found"].as_array().unwrap();
    let row = rows.iter().find(|row| {
        row["validator"] == validator
            && row["event"] == event
            && row["field"].as_str().unwrap_or_default() == field
    });
    row.unwrap_or_else(|| panic!("no {validator}, {event}, {field} in {answer:#}"))
}

#[tokio::test]
async fn what_shadow_would_reject_is_counted_by_event_and_field() {
    let gateway = Gateway::start(documents()).await;
    let batch = [
        json!({ "id": 1, "event": "buy", "properties": { "price": "99.95" } }),
        json!({ "id": 2, "event": "buy", "properties": { "price": "free", "phone": "13812345678" } }),
        json!({ "id": 3, "event": "buy", "properties": { "867530912345678": 1 } }),
        json!({ "id": 4, "event": "anne@example.org" }),
        json!({ "event": "buy" }),
    ];
    let body: Vec<_> = batch.iter().map(ToString::to_string).collect();
    for _ in 0..3 {
        let reply = gateway.post("events", body.join("\n")).await;
        assert_eq!(reply.json()["accepted"], 5, "shadow rejects nothing");
    }

    let answer = gateway.api("/api/shadow?repo=events").await;
    let price = found(&answer, "plan", "buy", "properties.price");
    assert_eq!(
        (&price["events"], &price["would"]),
        (&json!(6), &json!("reject"))
    );
    assert_eq!(price["code"], "validate.type");
    assert_eq!(price["samples"][0]["message"], "expected float, got string");
    assert_eq!(price["samples"][0]["value"], "xxxx");
    let phone = found(&answer, "plan", "buy", "properties.phone");
    assert_eq!(phone["samples"][0].get("value"), None, "it is personal");
    let unknown = found(&answer, "plan", "buy", "properties.999999999999999");
    assert_eq!(unknown["would"], "repair");
    found(&answer, "plan", "xxxx@xxxxxxx.xxx", "event");
    assert_eq!(found(&answer, "key", "buy", "id")["events"], 3);
    for secret in SECRETS {
        assert!(
            !answer.to_string().contains(secret),
            "{secret} in {answer:#}"
        );
    }
    let validators = &answer["repos"][0]["validators"];
    assert_eq!(validators[0]["switch"]["note"], "the app sends text");
    assert_eq!(validators[0]["switch"]["by"], "ann");
    assert_eq!(validators[1], json!({ "name": "key", "from": "document" }));
    assert_eq!(
        gateway.api("/api/shadow?repo=none").await["error"]["code"],
        "repo"
    );
    let metrics = gateway.metrics().await;
    let labels = [("validator", "plan"), ("reason", "validate.type")];
    assert_eq!(metrics.sum("weir_events_shadowed_total", &labels), 6.0);
}

#[tokio::test]
async fn switches_are_shown_with_who_why_and_since_when() {
    let gateway = Gateway::start(documents()).await;
    let answer = gateway.api("/api/switches").await;
    let repo = &answer["repos"][0];
    let step = |name: &str| {
        let steps = repo["steps"].as_array().unwrap();
        steps
            .iter()
            .find(|step| step["name"] == name)
            .unwrap()
            .clone()
    };
    let plan = step("plan");
    let words = ["kind", "mode", "written", "from"].map(|name| plan[name].as_str().unwrap());
    assert_eq!(words, ["validator", "shadow", "enforce", "switch"]);
    assert_eq!(plan["switch"]["until"], "2099-01-01T00:00:00Z");
    let since = plan["switch"]["since"].clone();
    assert!(since.is_string());
    assert_eq!(step("campaign")["mode"], "off");
    assert_eq!(step("key")["from"], "document");
    assert_eq!(repo["restrictions"][0]["rule"]["do"], "drop");
    assert_eq!(repo["restrictions"][0]["note"], "too many");

    gateway
        .change("weir.switches.yaml", &SWITCHES.replace("ann", "bob"))
        .await;
    let answer = gateway.api("/api/switches").await;
    let steps = answer["repos"][0]["steps"].as_array().unwrap().clone();
    let plan = steps.iter().find(|step| step["name"] == "plan").unwrap();
    assert_eq!(plan["switch"]["by"], "bob", "the note is that of now");
    assert_eq!(plan["switch"]["since"], since, "the mode is not new");
}
