//! What is read for an index, and what is made of what was read.

use std::collections::BTreeSet;

use super::*;
use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Input, Set};

const PRODUCERS: &str = "version: 1\nproducers: { files: { file: { folder: files } } }\n";
const REPO: &str = "version: 1\nroute: [ { otherwise: { producer: files, topic: t } } ]\n";
const OTHER: &str = "version: 2\nroute: [ { otherwise: { producer: files, topic: t } } ]\n";

fn index(version: u64, entries: &str) -> String {
    format!(
        "version: {version}\nswitches: weir.switches\ndocuments:\n\
         - {{ kind: producers, name: default, data_id: weir.producers }}\n{entries}"
    )
}

fn floating(name: &str) -> String {
    format!("- {{ kind: repo, name: {name}, data_id: weir.repo.{name} }}\n")
}

fn pinned(name: &str, content: &str) -> String {
    let sha256 = Content::new(content).sha256;
    format!("- {{ kind: repo, name: {name}, data_id: weir.repo.{name}.1, sha256: \"{sha256}\" }}\n")
}

fn compile(contents: &Contents) -> Set {
    let document = |(name, content): (&String, &Result<String, Unreadable>)| {
        let content = content.clone().map(Content::new);
        (DataId::new(name), content.map_err(|Unreadable(why)| why))
    };
    let documents = contents.iter().map(document).collect();
    let compilation = set::compile(&Input {
        documents: &documents,
        previous: None,
        run_samples: true,
        listed: false,
    });
    compilation.set.unwrap()
}

fn contents(documents: &[(&str, &str)]) -> Contents {
    let document = |(name, text): &(&str, &str)| ((*name).to_owned(), Ok((*text).to_owned()));
    documents.iter().map(document).collect()
}

/// What is known after a read of these documents, the index among them.
fn known(documents: &[(&str, &str)]) -> Known {
    let contents = contents(documents);
    let set = Arc::new(compile(&contents));
    Known {
        asked: Arc::new(contents.keys().cloned().collect()),
        contents: Arc::new(contents),
        set: Some(set),
    }
}

fn nothing() -> Known {
    Known {
        contents: Arc::default(),
        asked: Arc::default(),
        set: None,
    }
}

fn plan(index: &str, known: &Known) -> Plan {
    Plan::of(Some(Ok(index.to_owned())), known)
}

fn names(ids: &BTreeSet<String>) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

fn silent(data_id: &str) -> Error {
    Error {
        attempt: format!("read {data_id}"),
        server: "http://nacos:8848".to_owned(),
        kind: Kind::Unreachable("refused".to_owned()),
    }
}

/// What was found where every document is there, but for those that say otherwise.
fn found(plan: &Plan, otherwise: &[(&str, Result<Option<&str>, Kind>)]) -> Found {
    let mut found: Found = plan
        .fetch
        .iter()
        .map(|data_id| (data_id.clone(), Ok(Some(REPO.to_owned()))))
        .collect();
    for (data_id, read) in otherwise {
        let read = read.clone().map(|text| text.map(str::to_owned));
        let read = read.map_err(|kind| Error {
            kind,
            ..silent(data_id)
        });
        found.insert((*data_id).to_owned(), read);
    }
    found
}

#[test]
fn floating_documents_and_unknown_pinned_ones_are_read() {
    let index = index(1, &(floating("a") + &pinned("b", REPO)));
    let plan = plan(&index, &nothing());
    assert_eq!(
        names(&plan.fetch),
        [
            "weir.producers",
            "weir.repo.a",
            "weir.repo.b.1",
            "weir.switches"
        ]
    );
    assert_eq!(
        names(&plan.listen),
        [
            "weir.index",
            "weir.producers",
            "weir.repo.a",
            "weir.switches"
        ]
    );
}

#[test]
fn a_pinned_content_that_is_known_is_not_read_again() {
    let before = index(1, &floating("a"));
    let known = known(&[
        ("weir.index", &before),
        ("weir.producers", PRODUCERS),
        ("weir.repo.a", REPO),
    ]);
    // Known from where it floated; read last, though it is in no set.
    let plan_of_live = plan(&index(2, &pinned("a", REPO)), &known);
    assert!(!plan_of_live.fetch.contains("weir.repo.a.1"));
    assert_eq!(plan_of_live.known["weir.repo.a.1"], Ok(REPO.to_owned()));
    let mut last = known.clone();
    let mut read = Contents::clone(&known.contents);
    read.insert("weir.repo.a.1".to_owned(), Ok(OTHER.to_owned()));
    last.contents = Arc::new(read);
    let plan_of_last = plan(&index(2, &pinned("a", OTHER)), &last);
    assert_eq!(plan_of_last.known["weir.repo.a.1"], Ok(OTHER.to_owned()));
    // Another content under a known name is not taken for it.
    let other = plan(&index(2, &pinned("a", OTHER)), &known);
    assert!(other.fetch.contains("weir.repo.a.1"));
}

#[test]
fn with_an_index_that_is_wrong_or_missing_the_documents_of_the_live_set_go_on() {
    let known = known(&[
        ("weir.index", &index(1, &floating("a"))),
        ("weir.producers", PRODUCERS),
        ("weir.repo.a", REPO),
    ]);
    let expected = ["weir.producers", "weir.repo.a", "weir.switches"];
    assert_eq!(names(&plan("version: [", &known).fetch), expected);
    assert_eq!(names(&Plan::of(None, &known).fetch), expected);
    let blank = Some(Err(Unreadable("blank".to_owned())));
    assert_eq!(names(&Plan::of(blank, &known).fetch), expected);
    // A new index that may be refused: both are read.
    let both = plan(&index(2, &floating("b")), &known);
    assert!(both.fetch.contains("weir.repo.a") && both.fetch.contains("weir.repo.b"));
}

#[test]
fn a_missing_document_is_missing_and_an_unreachable_one_is_as_it_was_read_last() {
    let index = index(1, &(floating("a") + &floating("b")));
    let known = known(&[
        ("weir.index", &index),
        ("weir.producers", PRODUCERS),
        ("weir.repo.a", OTHER),
        ("weir.repo.b", OTHER),
    ]);
    let plan = plan(&index, &known);
    let unreachable = Kind::Unreachable("refused".to_owned());
    let found = found(
        &plan,
        &[("weir.repo.a", Err(unreachable)), ("weir.repo.b", Ok(None))],
    );
    let read = merge(plan, found, &known).unwrap();
    assert_eq!(read.contents["weir.repo.a"], Ok(OTHER.to_owned()));
    assert!(!read.contents.contains_key("weir.repo.b"));
    assert_eq!(read.contents["weir.producers"], Ok(REPO.to_owned()));
    let stale = read.stale.unwrap();
    assert!(stale.contains("read weir.repo.a at Nacos"), "{stale}");
}

#[test]
fn a_blank_or_too_large_document_is_told_of_it_and_is_no_failure_of_nacos() {
    let index = index(1, &(floating("a") + &floating("b")));
    let plan = plan(&index, &nothing());
    let large = Kind::TooLarge(crate::center::nacos::LARGEST);
    let found = found(
        &plan,
        &[
            ("weir.repo.a", Err(Kind::Blank)),
            ("weir.repo.b", Err(large)),
        ],
    );
    let read = merge(plan, found, &nothing()).unwrap();
    assert_eq!(read.stale, None);
    let why = |data_id: &str| read.contents[data_id].clone().unwrap_err().0;
    assert!(why("weir.repo.a").contains("blank"));
    assert!(why("weir.repo.b").contains("larger than 2 MiB"));
}

#[test]
fn an_index_whose_documents_could_never_be_read_waits() {
    let before = index(1, &floating("a"));
    let known = known(&[
        ("weir.index", &before),
        ("weir.producers", PRODUCERS),
        ("weir.repo.a", REPO),
    ]);
    let next = index(2, &(floating("a") + &floating("new")));
    let silent = || Err(Kind::Unreachable("refused".to_owned()));
    let next_plan = plan(&next, &known);
    let found_next = found(&next_plan, &[("weir.repo.new", silent())]);
    let read = merge(next_plan, found_next, &known).unwrap();
    assert_eq!(read.contents["weir.index"], Ok(before));
    assert!(read.stale.is_some());
    // Without one to go on with, nothing is known.
    let first_plan = plan(&next, &nothing());
    let found_first = found(&first_plan, &[("weir.repo.new", silent())]);
    let error = merge(first_plan, found_first, &nothing()).unwrap_err();
    assert!(error.contains("weir.repo.new"), "{error}");
}

#[test]
fn a_document_that_was_missing_is_still_missing_while_nacos_is_away() {
    let index = index(1, &floating("a"));
    let mut known = known(&[("weir.index", &index), ("weir.producers", PRODUCERS)]);
    let mut asked = BTreeSet::clone(&known.asked);
    asked.insert("weir.repo.a".to_owned());
    known.asked = Arc::new(asked);
    let plan = plan(&index, &known);
    let silent = Err(Kind::Unreachable("refused".to_owned()));
    let found = found(&plan, &[("weir.repo.a", silent)]);
    let read = merge(plan, found, &known).unwrap();
    assert!(!read.contents.contains_key("weir.repo.a"));
}
