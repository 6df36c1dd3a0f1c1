//! What a catalog compiles to, and what it is refused for.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::document::catalog::{CatalogForm, Part, compile};
use crate::pipeline::validate::catalog::{Catalog, Status};

fn compiled(documents: &[Value]) -> (Option<Arc<Catalog>>, Vec<String>) {
    let forms: Vec<CatalogForm> = documents
        .iter()
        .map(|document| serde_json::from_value(document.clone()).unwrap())
        .collect();
    let names: Vec<_> = (1..=forms.len())
        .map(|n| format!("weir.catalog.{n}"))
        .collect();
    let parts: Vec<_> = forms
        .iter()
        .zip(&names)
        .map(|(form, document)| Part { document, form })
        .collect();
    let (catalog, problems) = compile(&parts);
    let problems = problems
        .into_iter()
        .map(|each| format!("{} {}: {}", each.document, each.pointer, each.message))
        .collect();
    (catalog, problems)
}

#[test]
fn documents_of_one_catalog_share_their_definitions() {
    let (catalog, problems) = compiled(&[
        json!({ "version": 1, "properties": { "os": "string" }, "groups": { "device": ["os"] } }),
        json!({ "version": 9, "events": { "a": { "use": ["device"], "required": ["os"] },
            "b_*": { "status": "draft", "owner": "growth" } } }),
    ]);
    assert_eq!(problems, [""; 0]);
    let catalog = catalog.unwrap();
    assert_eq!(catalog.len(), 2);
    assert_eq!(catalog.event("b_1").unwrap().status, Status::Draft);
    assert_eq!(&*catalog.event("b_1").unwrap().owner, "growth");
    assert!(catalog.event("c").is_none());
}

#[test]
fn what_does_not_fit_together_is_reported_at_its_place() {
    let (catalog, problems) = compiled(&[
        json!({ "version": 1,
            "properties": { "os": "string", "device": "int", "n": { "type": "int", "enum": [1, "a", [2]] } },
            "groups": { "device": ["os", "imei"] },
            "events": { "a": {} },
            "violations": { "draft": "reject" } }),
        json!({ "version": 1,
            "properties": { "os": "int" },
            "events": { "a": { "use": ["phone"], "required": ["x"],
                "properties": { "t": { "type": "string", "min": -1, "length": 3 }, "e": { "enum": [] } } } },
            "violations": { "draft": "accept", "unknown_property": "coerce" } }),
    ]);
    assert!(catalog.is_none());
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_large_plan_compiles_into_shared_tables() {
    let properties: serde_json::Map<_, _> = (0..50)
        .map(|n| (format!("p{n}"), json!({ "type": "int", "min": n })))
        .collect();
    let events: serde_json::Map<_, _> = (0..2_000)
        .map(|n| (format!("event_{n}"), json!({ "properties": properties })))
        .collect();
    let (catalog, problems) = compiled(&[json!({ "version": 1, "events": events })]);
    assert_eq!(problems, [""; 0]);
    let catalog = catalog.unwrap();
    assert_eq!(catalog.len(), 2_000);
    assert_eq!(
        catalog.sizes(),
        (50, 50, 64),
        "fifty names, fifty definitions, one table"
    );
}
