//! What a set keeps, holds and refuses when its documents change.

use std::collections::BTreeMap;

use super::*;

const PRODUCERS: &str = "version: 1\nproducers:\n  files: { file: { folder: out } }\n";
const CATALOG: &str = "version: 1\nevents:\n  open: {}\n";

type Documents = BTreeMap<DataId, Result<Content, String>>;

fn documents<const N: usize>(all: [(&str, &str); N]) -> Documents {
    let one = |(id, text): (&str, &str)| (DataId::new(id), Ok(Content::new(text)));
    all.into_iter().map(one).collect()
}

fn put(documents: &mut Documents, id: &str, text: &str) {
    documents.insert(DataId::new(id), Ok(Content::new(text)));
}

fn run(documents: &Documents, previous: Option<&Set>) -> Compilation {
    compile(&Input {
        documents,
        previous,
        run_samples: true,
        listed: true,
    })
}

/// A set without a problem.
fn good(documents: &Documents) -> Set {
    let compilation = run(documents, None);
    assert_eq!(compilation.diagnostics, [], "{:?}", compilation.held);
    compilation.set.unwrap()
}

fn repo(constraint: &str) -> String {
    format!(
        "{{\"version\": 1, \"constraint\": {constraint}, \"route\": [ {{ \"otherwise\": {{ \"producer\": \"files\", \"topic\": \"t\" }} }} ]}}"
    )
}

fn plain() -> String {
    repo(r#"{ "field": "event", "exists": true }"#)
}

fn checked() -> String {
    plain().replacen(
        '{',
        r#"{ "validate": [ { "name": "plan", "kind": "catalog", "catalog": "app" } ],"#,
        1,
    )
}

fn base() -> Documents {
    documents([
        ("weir.producers", PRODUCERS),
        ("weir.repo.a", &plain()),
        ("weir.repo.b", &plain()),
    ])
}

fn errors(compilation: &Compilation) -> Vec<String> {
    let all = compilation.diagnostics.iter();
    all.map(|each| format!("{} {}: {}", each.document, each.pointer, each.message))
        .collect()
}

fn held(compilation: &Compilation) -> Vec<&str> {
    compilation.held.iter().map(DataId::as_str).collect()
}

#[test]
fn a_folder_without_an_index_is_a_set() {
    let set = good(&base());
    let names: Vec<_> = set.repos.keys().map(RepoName::as_str).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(set.entries.len(), 3);
    assert_eq!(set.digest.as_str().len(), 12);
    assert_eq!(set.contents().count(), 3);
}

#[test]
fn what_did_not_change_is_reused() {
    let mut all = base();
    let set = good(&all);
    put(
        &mut all,
        "weir.repo.b",
        &repo(r#"{ "field": "event", "eq": "x" }"#),
    );
    put(
        &mut all,
        "weir.producers",
        &PRODUCERS.replace("out", "elsewhere"),
    );
    let compilation = run(&all, Some(&set));
    assert_eq!(compilation.diagnostics, []);
    assert_eq!(compilation.compiled_repos, 1);
    let next = compilation.set.unwrap();
    assert!(Arc::ptr_eq(&set.repos["a"], &next.repos["a"]));
    assert!(!Arc::ptr_eq(&set.repos["b"], &next.repos["b"]));
    assert_ne!(set.repos["b"].identity, next.repos["b"].identity);
    assert_ne!(set.digest, next.digest);
}

#[test]
fn the_digest_is_that_of_the_contents() {
    let set = good(&base());
    assert_eq!(good(&base()).digest, set.digest);
    let kept: Documents = set
        .contents()
        .map(|(id, content)| (id.clone(), Ok(content.clone())))
        .collect();
    assert_eq!(good(&kept).digest, set.digest);
}

#[test]
fn a_wrong_document_is_held_and_the_rest_goes_live() {
    let mut all = base();
    let set = good(&all);
    put(&mut all, "weir.repo.a", "version: one\n");
    put(
        &mut all,
        "weir.repo.b",
        &repo(r#"{ "field": "event", "eq": "x" }"#),
    );
    let compilation = run(&all, Some(&set));
    assert_eq!(held(&compilation), ["weir.repo.a"]);
    assert_eq!(
        errors(&compilation)[0],
        "weir.repo.a /version: expected a whole number, got the text `one`"
    );
    assert_eq!(compilation.diagnostics[0].line, Some(1));
    let next = compilation.set.unwrap();
    assert!(Arc::ptr_eq(&set.repos["a"], &next.repos["a"]));
    assert!(!Arc::ptr_eq(&set.repos["b"], &next.repos["b"]));
    let entry = next.entries.iter().find(|entry| entry.name == "a").unwrap();
    assert!(entry.held);
    assert_eq!(entry.refused, Some(Checksum::of(b"version: one\n")));
    // Corrected, it goes on.
    put(&mut all, "weir.repo.a", &plain());
    let compilation = run(&all, Some(&next));
    assert_eq!(held(&compilation), [""; 0]);
}

#[test]
fn a_new_repo_that_is_wrong_has_no_document_while_others_serve() {
    let mut all = base();
    put(&mut all, "weir.repo.c", "");
    let compilation = run(&all, None);
    assert_eq!(held(&compilation), ["weir.repo.c"]);
    let set = compilation.set.unwrap();
    assert!(set.without_document.contains("c"));
    assert_eq!(set.repos.len(), 2);
}

#[test]
fn what_is_missing_blank_unreadable_or_too_large_is_held() {
    let all = base();
    let set = good(&all);
    let large = format!("# {}\n{}", "x".repeat(3 << 20), plain());
    for (case, said) in [
        (None, "the document is missing"),
        (Some(Ok(Content::new("  \n"))), "the document is blank"),
        (
            Some(Err("permission denied".to_owned())),
            "cannot be read: permission denied",
        ),
        (Some(Ok(Content::new(large))), "the most is 2 MiB"),
    ] {
        let mut now = all.clone();
        now.remove("weir.repo.a");
        now.extend(case.map(|content| (DataId::new("weir.repo.a"), content)));
        let compilation = run(&now, Some(&set));
        assert_eq!(held(&compilation), ["weir.repo.a"], "{said}");
        assert!(
            errors(&compilation)[0].contains(said),
            "{said}: {:?}",
            errors(&compilation)
        );
        let next = compilation.set.unwrap();
        assert!(Arc::ptr_eq(&set.repos["a"], &next.repos["a"]));
        assert_eq!(next.digest, set.digest);
    }
}

#[test]
fn a_document_of_no_kind_is_a_warning() {
    let mut all = base();
    put(&mut all, "weir.reop.x", "version: 1");
    let compilation = run(&all, None);
    assert_eq!(
        errors(&compilation),
        ["weir.reop.x : nobody reads a document of this name"]
    );
    assert!(!compilation.diagnostics[0].is_error());
}

fn indexed(repo: &str) -> Documents {
    let mut all = base();
    let index = format!(
        "version: 1\ndocuments:\n  - {{ kind: producers, name: default, data_id: weir.producers }}\n  - {repo}\n  - {{ kind: repo, name: b, data_id: weir.repo.b }}\npaths: {{ /v1/a: a }}\n"
    );
    put(&mut all, "weir.index", &index);
    all
}

const FLOATING: &str = "{ kind: repo, name: a, data_id: weir.repo.a }";

fn pinned(content: &str) -> String {
    let sha256 = Checksum::of(content.as_bytes());
    format!("{{ kind: repo, name: a, data_id: weir.repo.a, sha256: {sha256} }}")
}

#[test]
fn a_wrong_index_is_refused_and_floating_documents_go_on() {
    let mut all = indexed(FLOATING);
    let set = good(&all);
    assert!(set.paths.find("/v1/a").is_some());
    put(&mut all, "weir.index", "version: 2\ndocuments: yes\n");
    let compilation = run(&all, Some(&set));
    assert!(compilation.set.is_none());
    assert_eq!(held(&compilation), ["weir.index"]);
    assert!(errors(&compilation)[0].starts_with("weir.index /documents: expected a list"));
    put(
        &mut all,
        "weir.repo.b",
        &repo(r#"{ "field": "event", "eq": "x" }"#),
    );
    let compilation = run(&all, Some(&set));
    assert!(compilation.refused);
    let next = compilation.set.unwrap();
    assert!(!Arc::ptr_eq(&set.repos["b"], &next.repos["b"]));
    assert!(next.paths.find("/v1/a").is_some());
}

#[test]
fn an_index_that_goes_away_changes_nothing() {
    let mut all = indexed(FLOATING);
    let set = good(&all);
    all.remove("weir.index");
    let compilation = run(&all, Some(&set));
    assert!(compilation.set.is_none() && compilation.refused);
    assert_eq!(errors(&compilation)[0], "weir.index : the index is missing");
}

#[test]
fn a_first_index_that_is_wrong_leaves_nothing() {
    let mut all = indexed(FLOATING);
    put(&mut all, "weir.index", "version: [");
    let compilation = run(&all, None);
    assert!(compilation.set.is_none());
}

#[test]
fn a_pinned_document_that_is_wrong_refuses_the_release() {
    let first = good(&indexed(&pinned(&plain())));
    let broken = plain().replace("exists", "exist");
    let mut all = indexed(&pinned(&broken));
    put(&mut all, "weir.repo.a", &broken);
    let compilation = run(&all, Some(&first));
    assert!(compilation.set.is_none());
    assert_eq!(
        errors(&compilation),
        ["weir.repo.a /constraint/exist: unknown field `exist`"]
    );
    // The content that the index pins is not the one that stands there.
    put(&mut all, "weir.repo.a", &plain());
    let compilation = run(&all, None);
    assert!(compilation.set.is_none());
    assert!(errors(&compilation)[0].contains("not the one it is pinned to"));
}

#[test]
fn a_pinned_content_need_not_be_fetched_again() {
    let mut all = indexed(&pinned(&plain()));
    let set = good(&all);
    all.remove("weir.repo.a");
    let compilation = run(&all, Some(&set));
    assert_eq!(compilation.diagnostics, []);
    assert!(Arc::ptr_eq(
        &set.repos["a"],
        &compilation.set.unwrap().repos["a"]
    ));
}

#[test]
fn an_entry_without_its_document_is_told_in_the_index() {
    let mut all = indexed(FLOATING);
    all.remove("weir.repo.a");
    let compilation = run(&all, None);
    assert_eq!(
        errors(&compilation),
        ["weir.index /documents/1/data_id: there is no document `weir.repo.a`"]
    );
    assert_eq!(compilation.diagnostics[0].line, Some(4));
    assert!(compilation.set.unwrap().without_document.contains("a"));
}

#[test]
fn a_document_out_of_the_index_is_a_warning() {
    let mut all = indexed(FLOATING);
    put(&mut all, "weir.repo.c", &plain());
    let compilation = run(&all, None);
    assert_eq!(
        errors(&compilation),
        ["weir.repo.c : the index does not name it, so it is not used"]
    );
    assert_eq!(compilation.set.unwrap().repos.len(), 2);
}

#[test]
fn what_uses_a_held_document_is_held_with_it() {
    let mut all = base();
    put(&mut all, "weir.catalog.app", CATALOG);
    put(&mut all, "weir.repo.a", &checked());
    let set = good(&all);
    put(&mut all, "weir.catalog.app", "version: 2\nevents: 5\n");
    put(&mut all, "weir.repo.a", &checked().replace("plan", "other"));
    put(
        &mut all,
        "weir.repo.b",
        &repo(r#"{ "field": "event", "eq": "x" }"#),
    );
    let compilation = run(&all, Some(&set));
    assert_eq!(held(&compilation), ["weir.catalog.app", "weir.repo.a"]);
    let next = compilation.set.as_ref().unwrap();
    assert!(Arc::ptr_eq(&set.repos["a"], &next.repos["a"]));
    assert!(!Arc::ptr_eq(&set.repos["b"], &next.repos["b"]));
    assert!(errors(&compilation)[1].contains("not applied, because it uses `weir.catalog.app`"));
}

#[test]
fn a_catalog_that_changes_compiles_its_repos_anew() {
    let mut all = base();
    put(&mut all, "weir.catalog.app", CATALOG);
    put(&mut all, "weir.repo.a", &checked());
    let set = good(&all);
    put(
        &mut all,
        "weir.catalog.app",
        &CATALOG.replace("open", "close"),
    );
    let compilation = run(&all, Some(&set));
    assert_eq!(compilation.compiled_repos, 1);
    let next = compilation.set.unwrap();
    assert!(!Arc::ptr_eq(&set.repos["a"], &next.repos["a"]));
    assert_ne!(set.repos["a"].identity, next.repos["a"].identity);
}

#[test]
fn catalogs_of_one_name_are_merged_and_an_event_in_two_is_an_error() {
    let index = "version: 1\ndocuments:\n  - { kind: catalog, name: app, data_id: c.1 }\n  - { kind: catalog, name: app, data_id: c.2 }\n";
    let mut all = documents([
        ("weir.index", index),
        ("c.1", CATALOG),
        ("c.2", &CATALOG.replace("open", "close")),
    ]);
    let set = good(&all);
    put(&mut all, "c.2", CATALOG);
    let compilation = run(&all, Some(&set));
    assert_eq!(held(&compilation), ["c.1", "c.2"]);
    assert!(
        errors(&compilation)[0].contains("open"),
        "{:?}",
        errors(&compilation)
    );
    assert_eq!(compilation.set.unwrap().digest, set.digest);
}
