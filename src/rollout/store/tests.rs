//! The state directory: what comes back, and each way in which it may be damaged.

use std::fs::OpenOptions;

use super::keep::KEPT;
use super::*;
use crate::document::set::{self, Input};
use crate::rollout::restore;

const PRODUCERS: &str = "version: 1\nproducers: { files: { file: { folder: files } } }\n";

fn open(state: &Path) -> Store {
    Store::open(state, "directory")
}

fn repo(version: usize) -> String {
    format!(
        "version: {version}\nroute: [ {{ otherwise: {{ producer: files, topic: t{version} }} }} ]\n"
    )
}

/// Compiles documents as a source would have them.
fn compile(documents: &[(&str, &str)], previous: Option<&Set>) -> Set {
    let document = |(name, text): &(&str, &str)| (DataId::new(name), Ok(Content::new(*text)));
    let documents = documents.iter().map(document).collect();
    let compilation = set::compile(&Input {
        documents: &documents,
        previous,
        run_samples: true,
        listed: true,
    });
    compilation.set.unwrap()
}

fn set(version: usize) -> Set {
    let repo = repo(version);
    compile(
        &[("weir.producers", PRODUCERS), ("weir.repo.a", &repo)],
        None,
    )
}

fn save(store: &Store, set: &Set) {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let revision = Digest::of([set.digest.as_str(), "switches"]);
    store.save(set, &revision, State::Applied, at).unwrap();
}

fn digests(store: &Store) -> Vec<String> {
    store.sets().iter().map(|saved| saved.set.clone()).collect()
}

#[test]
fn a_set_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let before = set(1);
    save(&open(folder.path()), &before);
    let store = open(folder.path());
    let restored = restore::newest(&store, None).unwrap();
    assert_eq!(restored.digest, before.digest);
    assert_eq!(store.sets()[0].number, 1);
    assert!(restored.repos.contains_key("a"));
}

/// Damages the newer of two sets and expects the older one.
fn damaged(damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (old, new) = (set(1), set(2));
    save(&store, &old);
    save(&store, &new);
    damage(&folder.path().join("rollout"));
    let restored = restore::newest(&open(folder.path()), None).unwrap();
    assert_eq!(restored.digest, old.digest);
}

const NEWER: &str = "sets/0000000002.json";

/// Where the content of the newer set's repo stands.
fn content(root: &Path) -> PathBuf {
    root.join("contents")
        .join(Content::new(repo(2)).sha256.to_string())
}

#[test]
fn what_came_from_another_environment_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    save(&store, &set(1));
    let switches = (DataId::new("weir.switches"), Content::new("version: 1\n"));
    store.save_switches(&switches.0, &switches.1).unwrap();
    let other = Store::open(folder.path(), "nacos production WEIR");
    assert!(other.sets().is_empty());
    assert_eq!(other.switches().unwrap(), None);
    assert_eq!(open(folder.path()).sets().len(), 1);
    assert_eq!(open(folder.path()).switches().unwrap(), Some(switches));
    save(&other, &set(2));
    assert!(open(folder.path()).sets().is_empty());
}

#[test]
fn a_record_that_was_cut_is_passed_over() {
    for bytes in [0, 1, 100] {
        damaged(|root| {
            let file = OpenOptions::new().write(true).open(root.join(NEWER));
            file.unwrap().set_len(bytes).unwrap();
        });
    }
}

#[test]
fn a_record_with_a_changed_byte_is_passed_over() {
    damaged(|root| {
        let text = fs::read_to_string(root.join(NEWER)).unwrap();
        let changed = text.replacen("\"number\":2", "\"number\":7", 1);
        assert_ne!(changed, text);
        fs::write(root.join(NEWER), changed).unwrap();
    });
}

#[test]
fn a_record_of_another_format_is_passed_over() {
    damaged(|root| {
        let path = root.join(NEWER);
        let mut saved: Saved = sealed::read_record(&path).unwrap().unwrap();
        saved.format = FORMAT + 1;
        sealed::write_record(&path, &saved).unwrap();
    });
}

#[test]
fn a_record_that_is_no_text_is_passed_over() {
    damaged(|root| fs::write(root.join(NEWER), [0xff, 0, 0xff]).unwrap());
}

#[test]
fn a_set_whose_content_is_gone_cut_or_changed_is_passed_over() {
    damaged(|root| fs::remove_file(content(root)).unwrap());
    damaged(|root| fs::write(content(root), "").unwrap());
    damaged(|root| fs::write(content(root), repo(3)).unwrap());
    damaged(|root| fs::write(content(root), [0xff]).unwrap());
}

#[test]
fn what_a_crash_left_half_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    save(&store, &set(1));
    let root = folder.path().join("rollout");
    let unfinished = [
        root.join("sets/0000000002.json.unfinished"),
        root.join("contents/abc.unfinished"),
        root.join("pin.json.unfinished"),
    ];
    for path in &unfinished {
        fs::write(path, "{\"for").unwrap();
    }
    let store = open(folder.path());
    assert_eq!(store.sets().len(), 1);
    assert!(unfinished.iter().all(|path| !path.exists()));
}

#[test]
fn contents_are_kept_once_and_as_long_as_a_set_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let switches = Content::new("version: 1\n");
    store
        .save_switches(&DataId::new("weir.switches"), &switches)
        .unwrap();
    for version in 1..=KEPT + 5 {
        save(&store, &set(version));
    }
    let contents = sealed::names(&folder.path().join("rollout/contents"));
    assert_eq!(contents.len(), KEPT + 2, "repos, producers, switches");
    let store = open(folder.path());
    assert_eq!(store.sets().len(), KEPT);
    let newest = &store.sets()[0];
    assert_eq!(newest.number, u64::try_from(KEPT + 5).unwrap());
    let (data_id, content) = store.switches().unwrap().unwrap();
    assert_eq!((data_id.as_str(), content), ("weir.switches", switches));
}

#[test]
fn a_set_that_comes_back_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (one, two) = (set(1), set(2));
    for each in [&one, &two, &one, &two, &one] {
        save(&store, each);
    }
    let expected = [one.digest.to_string(), two.digest.to_string()];
    assert_eq!(digests(&store), expected);
    assert_eq!(digests(&open(folder.path())), expected);
}

#[test]
fn a_set_whose_documents_stand_elsewhere_is_another_to_keep() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (repo, entry) = (repo(1), |id: &str| {
        format!(
            "version: 1\ndocuments:\n\
             - {{ kind: producers, name: default, data_id: weir.producers }}\n\
             - {{ kind: repo, name: a, data_id: {id} }}\n"
        )
    });
    let at = |id: &str| {
        let index = entry(id);
        let documents = [
            ("weir.index", &*index),
            ("weir.producers", PRODUCERS),
            (id, &repo),
        ];
        compile(&documents, None)
    };
    let (here, there) = (at("weir.repo.a"), at("weir.repo.a.1"));
    assert_eq!(here.digest, there.digest);
    save(&store, &here);
    assert!(store.is_newest(&here) && !store.is_newest(&there));
    save(&store, &there);
    assert!(store.is_newest(&there) && !store.is_newest(&here));
    assert_eq!(store.sets().len(), 1);
}

#[test]
fn the_pinned_set_is_kept_however_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let pinned = set(1);
    save(&store, &pinned);
    let pin = Pin::new(pinned.digest.as_str(), "by hand", Timestamp::UNIX_EPOCH);
    store.save_pin(Some(&pin)).unwrap();
    for version in 2..=KEPT + 5 {
        save(&store, &set(version));
    }
    let store = open(folder.path());
    assert_eq!(store.pin().unwrap(), Some(pin));
    assert_eq!(digests(&store).last().unwrap(), pinned.digest.as_str());
    store.save_pin(None).unwrap();
    assert_eq!(store.pin().unwrap(), None);
    store.save_pin(None).unwrap();
}

/// A repo that is held keeps the pipeline of an older set, and needs it after a restart.
#[test]
fn a_held_document_is_restored_from_the_set_it_was_good_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let held = "version: 1\nroute: [ { otherwise: { producer: old, topic: t } } ]\n";
    let old = "version: 1\nproducers: { old: { file: { folder: files } } }\n";
    let new = "version: 2\nproducers: { new: { file: { folder: files } } }\n";
    let good = compile(&[("weir.producers", old), ("weir.repo.a", held)], None);
    save(&store, &good);
    let mut live = good;
    for version in 1..=KEPT + 5 {
        let other = repo(version).replace("files", "new");
        let documents = [
            ("weir.producers", new),
            ("weir.repo.a", held),
            ("weir.repo.b", &other),
        ];
        live = compile(&documents, Some(&live));
        let entry = live.entries.iter().find(|entry| entry.name == "a").unwrap();
        assert!(entry.held, "{entry:?}");
        save(&store, &live);
    }
    let store = open(folder.path());
    assert_eq!(store.sets().len(), KEPT + 1);
    let restored = restore::newest(&store, None).unwrap();
    assert_eq!(restored.digest, live.digest);
    assert!(restored.repos.contains_key("a"));
    assert!(restored.repos.contains_key("b"));
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_and_keeps_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    save(&store, &set(1));
    fs::remove_dir_all(folder.path().join("rollout/sets")).unwrap();
    fs::write(folder.path().join("rollout/sets"), "in the way").unwrap();
    let saved = store.save(
        &set(2),
        &Digest::new("r"),
        State::Applied,
        Timestamp::UNIX_EPOCH,
    );
    assert!(matches!(saved, Err(Error::Write { .. })), "{saved:?}");
    assert_eq!(store.sets().len(), 1);
}

#[test]
fn a_damaged_pin_or_switches_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    save(&store, &set(1));
    for name in ["pin.json", "switches.json"] {
        fs::write(folder.path().join("rollout").join(name), "{}\n00\n").unwrap();
    }
    let errors = [
        store.pin().unwrap_err().to_string(),
        store.switches().unwrap_err().to_string(),
    ];
    assert!(errors[0].contains("pin.json is damaged"), "{errors:?}");
    assert!(errors[1].contains("switches.json is damaged"), "{errors:?}");
}

#[test]
fn beside_a_damaged_pin_or_switches_sets_are_saved_and_removed_as_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    save(&store, &set(1));
    for name in ["pin.json", "switches.json"] {
        fs::write(folder.path().join("rollout").join(name), "{}\n00\n").unwrap();
    }
    for version in 2..=25 {
        save(&store, &set(version));
    }
    assert_eq!(store.sets().len(), 20);
    assert_eq!(store.pin().unwrap(), None);
}
