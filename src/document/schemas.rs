//! The JSON Schemas of all kinds of documents, as they stand in `schemas/`: for editors, and for
//! whoever writes documents by a program. The same types check documents here, in better words
//! ([`crate::document::shape`]).

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::document::catalog::CatalogForm;
use crate::document::index::IndexForm;
use crate::document::producers::ProducersForm;
use crate::document::repo::RepoForm;
use crate::document::schema;
use crate::document::switches::SwitchesForm;
use crate::document::tables::TablesForm;

/// Every kind, as it stands in a dataId, with its schema.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("index", of::<IndexForm>("index")),
        ("switches", of::<SwitchesForm>("switches")),
        ("repo", of::<RepoForm>("repo")),
        ("catalog", of::<CatalogForm>("catalog")),
        ("producers", of::<ProducersForm>("producers")),
        ("tables", of::<TablesForm>("tables")),
    ]
}

/// The schema of a kind, named. The `$id` has no host: nothing is ever fetched by it.
fn of<T: JsonSchema>(kind: &str) -> Value {
    let Value::Object(mut rest) = schema::of::<T>() else {
        return Value::Bool(true);
    };
    let mut whole = Map::new();
    for (name, value) in [
        ("$schema", rest.remove("$schema")),
        ("$id", Some(format!("urn:weir:{kind}").into())),
        ("title", Some(format!("weir.{kind}").into())),
        ("description", rest.remove("description")),
    ] {
        whole.extend(value.map(|value| (name.to_owned(), value)));
    }
    rest.remove("title");
    whole.extend(rest);
    Value::Object(whole)
}

#[cfg(test)]
mod tests;
