//! What enrich steps compile to, and what is said of those that do not.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::document::diagnostic::{At, Diagnostic};
use crate::document::enrich::EnrichForm;
use crate::document::scope::{Scope, World};
use crate::event::{Batch, ClientIp, Depth};
use crate::pipeline::enrich::Enrich;
use crate::pipeline::switched::Switched;
use crate::pipeline::{Context, RepoName};
use crate::tables::{FileSpec, Spec, Tables, load};

/// What the steps make of one event.
fn run(steps: Value, event: &str, adapt: impl FnOnce(&mut Context<'_>, &mut Switched)) -> String {
    let world = world();
    let mut scope = Scope::new("weir.repo.r", &world);
    let enrich = compile(steps, &mut scope);
    let found = std::mem::replace(&mut scope, Scope::new("", &world));
    assert_eq!(found.diagnostics.into_vec(), []);
    let fields = Arc::new(found.fields.build());
    let mut batch = Batch::new(event.into(), fields.clone());
    batch.read(1, 0, event.len(), Depth(8)).unwrap();
    let tables = tables();
    let mut context = Context {
        received: "2025-06-15T15:06:40.5Z".parse().unwrap(),
        client: Some(ClientIp::new("203.0.113.7".parse().unwrap())),
        key: None,
        tables: &tables,
        geo: None,
        revision: "3f2a91c0d4e5",
        batch: "01J",
        instance: "weir-0",
    };
    let mut switched = Switched::default();
    adapt(&mut context, &mut switched);
    enrich.run(&switched, &mut batch, &context);
    assert_eq!(batch.live(), 1, "enrich never costs an event");
    let mut out = Vec::new();
    batch.event(0).write(&fields, &mut out);
    String::from_utf8(out).unwrap()
}

fn world() -> World {
    World {
        geo_columns: Some(vec!["country".to_owned(), "city".to_owned()]),
        ..World::default()
    }
}

fn compile(steps: Value, scope: &mut Scope<'_>) -> Enrich {
    let form: EnrichForm = serde_json::from_value(steps).unwrap();
    form.compile(scope, &At::ROOT.field("enrich"), &RepoName::new("r"))
}

fn problems(steps: Value, world: &World) -> Vec<Diagnostic> {
    let mut scope = Scope::new("weir.repo.r", world);
    compile(steps, &mut scope);
    scope.diagnostics.into_vec()
}

fn tables() -> Tables {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("geo.csv");
    std::fs::write(
        &path,
        "network,country,city\n203.0.113.0/24,NL,Amsterdam\n198.51.100.0/24,JP,\n",
    )
    .unwrap();
    let spec = Spec {
        files: vec![FileSpec { path, sha256: None }],
        columns: vec!["country".to_owned(), "city".to_owned()],
    };
    Tables {
        ip: Some(Arc::new(load(&spec).unwrap())),
    }
}

#[test]
fn time_of_receipt_is_written_as_the_document_says() {
    for (format, expected) in [
        ("s", "1750000000"),
        ("ms", "1750000000500"),
        ("us", "1750000000500000"),
        ("rfc3339", r#""2025-06-15T15:06:40.500Z""#),
    ] {
        let steps = json!({ "time": { "as": "at", "format": format } });
        assert_eq!(
            run(steps, r#"{"a":1}"#, |_, _| ()),
            format!(r#"{{"a":1,"at":{expected}}}"#)
        );
    }
}

#[test]
fn skew_is_how_far_the_client_clock_is_behind() {
    let steps = || json!({ "time": { "as": "at", "skew": { "from": "sent", "as": "skew" } } });
    let added = |event| run(steps(), event, |_, _| ());
    assert_eq!(
        added(r#"{"sent":1750000000000}"#),
        r#"{"sent":1750000000000,"at":1750000000500,"skew":500}"#
    );
    assert_eq!(
        added(r#"{"sent":"2025-06-15T15:06:41Z"}"#),
        r#"{"sent":"2025-06-15T15:06:41Z","at":1750000000500,"skew":-500}"#
    );
    assert_eq!(
        added(r#"{"sent":"soon","skew":7}"#),
        r#"{"sent":"soon","at":1750000000500}"#,
        "what the client claims does not stay"
    );
}

#[test]
fn client_address_replaces_what_the_client_wrote() {
    let added = |mask: &str| {
        let steps = json!({ "client_ip": { "as": "ip", "mask": mask } });
        run(steps, r#"{"ip":"10.0.0.1","a":1}"#, |_, _| ())
    };
    assert_eq!(added("none"), r#"{"ip":"203.0.113.7","a":1}"#);
    assert_eq!(added("network"), r#"{"ip":"203.0.113.0","a":1}"#);
    let unknown = run(
        json!({ "client_ip": { "as": "ip" } }),
        r#"{"ip":"10.0.0.1","a":1}"#,
        |context, _| context.client = None,
    );
    assert_eq!(unknown, r#"{"a":1}"#);
}

#[test]
fn a_client_cannot_keep_out_what_is_added() {
    let steps = || {
        json!({
            "time": { "as": "ctx.at", "skew": { "from": "sent", "as": "ctx.skew" } },
            "client_ip": { "as": "ctx.net.ip" },
            "geo": { "from": "ip", "as": { "country": "ctx.net.country" } },
        })
    };
    let added =
        r#","ctx":{"at":1750000000500,"skew":500,"net":{"ip":"203.0.113.7","country":"NL"}}}"#;
    let event = r#"{"sent":1750000000000,"ip":"203.0.113.9""#;
    for ctx in ["null", "\"x\"", "[1]", "7", "{}"] {
        let left = run(steps(), &format!("{event},\"ctx\":{ctx}}}"), |_, _| ());
        assert_eq!(left, format!("{event}{added}"), "{ctx}");
    }
    let left = run(
        steps(),
        &format!("{event},\"ctx\":{{\"net\":[]}}}}"),
        |_, _| (),
    );
    let inside: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(
        inside["ctx"]["net"],
        json!({ "ip": "203.0.113.7", "country": "NL" })
    );
}

#[test]
fn geo_columns_come_from_the_client_or_from_a_field() {
    let steps = json!({ "geo": [
        { "as": { "country": "geo.country", "city": "geo.city" } },
        { "name": "peer", "from": "peer_ip", "as": { "country": "peer.country" } },
    ] });
    assert_eq!(
        run(steps.clone(), r#"{"peer_ip":"198.51.100.9"}"#, |_, _| ()),
        r#"{"peer_ip":"198.51.100.9","geo":{"city":"Amsterdam","country":"NL"},"peer":{"country":"JP"}}"#
    );
    assert_eq!(
        run(
            steps.clone(),
            r#"{"peer_ip":"nowhere","geo":{"city":"Oz"}}"#,
            |context, _| {
                context.client = Some(ClientIp::new("198.51.100.9".parse().unwrap()));
            }
        ),
        r#"{"peer_ip":"nowhere","geo":{"country":"JP"}}"#,
        "a city that the table does not know is not the client's to tell"
    );
    let none = Tables::default();
    let without = run(steps, r#"{"a":1}"#, |context, _| {
        // The table may be missing at start: the repo is degraded and says so elsewhere.
        context.tables = Box::leak(Box::new(none));
    });
    assert_eq!(without, r#"{"a":1}"#);
}

#[test]
fn a_sample_fixes_its_geo_columns() {
    let fixed = json!({ "country": "FR" });
    let steps = json!({ "geo": { "as": { "country": "c", "city": "t" } } });
    let fixed = Box::leak(Box::new(fixed.as_object().unwrap().clone()));
    assert_eq!(
        run(steps, r#"{"a":1}"#, |context, _| context.geo = Some(fixed)),
        r#"{"a":1,"c":"FR"}"#
    );
}

#[test]
fn constants_and_what_is_known_of_the_instance_are_added() {
    let steps = json!({
        "constants": { "set": { "env": "prod", "flags.new": [1, null] } },
        "instance": { "as": { "name": "i", "repo": "r", "revision": "v", "batch": "b", "key": "k" } },
    });
    assert_eq!(
        run(steps, r#"{"env":"test"}"#, |context, _| {
            context.key = Some(r#"a"b"#);
        }),
        r#"{"env":"prod","flags":{"new":[1,null]},"i":"weir-0","r":"r","v":"3f2a91c0d4e5","b":"01J","k":"a\"b"}"#
    );
}

#[test]
fn a_step_that_is_switched_off_adds_nothing() {
    let steps = json!({ "time": { "as": "at" }, "client_ip": { "as": "ip" } });
    assert_eq!(
        run(steps, "{}", |_, switched| switched.enrich =
            vec![false, true]),
        r#"{"ip":"203.0.113.7"}"#
    );
}

#[test]
fn steps_that_cannot_work_are_errors() {
    let steps = json!({ "geo": [
        { "as": { "country": "c", "planet": "p" } },
        { "as": { "city": "a..b" } },
    ] });
    let found = problems(steps.clone(), &world());
    let found: Vec<_> = found
        .iter()
        .map(|each| (each.pointer.as_str(), each.message.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "/enrich/geo/0/as/planet",
                "the IP table has no column `planet`"
            ),
            ("/enrich/geo/1/as/city", "`a..b` is not a path"),
            ("/enrich", "two enrich steps have the name `geo`"),
        ]
    );
    let found = problems(steps, &World::default());
    assert_eq!(found[0].message, "there is no IP table to look into");
}
