//! Of a thousand repos a change touches one: one is compiled, and its neighbours notice nothing.

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::soak;
use crate::restarts::{repo, serves};

const REPOS: usize = 1000;
const FILES: &str = "version: 1\nproducers: { files: { file: { folder: files, fsync: false } } }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_repo_of_a_thousand_compiles_one() {
    let documents = Documents::empty().with("weir.producers.yaml", FILES);
    for number in 0..REPOS {
        documents.put(&format!("weir.repo.r{number}.yaml"), repo(1));
    }
    let mut gateway = Gateway::start(documents).await;
    let first = gateway.revision().await;
    assert_eq!(first.0["outcomes"][0]["compiled"], REPOS);
    for version in 2..=5 {
        let name = format!("r{}", version * 100);
        let document = format!("weir.repo.{name}.yaml");
        let changed = gateway.change(&document, &repo(version)).await;
        assert_eq!(changed.state(), "applied", "{changed:?}");
        assert_eq!(changed.0["outcomes"][0]["compiled"], 1);
        if soak() {
            let took = &changed.0["outcomes"][0]["took_ms"];
            println!("one repo of {REPOS}: live {took} ms after it was read");
        }
        serves(&gateway, &name, version).await;
        serves(&gateway, "r0", 1).await;
    }
    // What another repo has switched is none of its business either.
    let switches = "version: 1\nrepos: { r0: {} }\n";
    let switched = gateway.change("weir.switches.yaml", switches).await;
    assert_eq!(switched.0["outcomes"][0]["compiled"], 0, "{switched:?}");

    // From the state directory all are compiled once; the directory adds nothing to that.
    gateway.kill();
    gateway.start_again();
    gateway.until_ready().await;
    let again = gateway.revision().await;
    assert_eq!(again.digest(), switched.digest());
    assert_eq!(again.0["outcomes"][0]["compiled"], 0);
    if soak() {
        let peak = gateway.resources().peak_kib / 1024;
        println!("{REPOS} repos from the state directory: {peak} MiB at most");
    }
    gateway.stop().await;
}
