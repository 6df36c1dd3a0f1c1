//! Files as they lie on the disk.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::sink::{Settled, Verdict};

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn start(folder: &Path, change: impl FnOnce(&mut Spec)) -> Client {
    let mut spec = Spec::new(folder.to_path_buf());
    change(&mut spec);
    Client::start(&spec).unwrap()
}

fn send(client: &Client, to: &Topic, payloads: &[&str]) -> Receiver<Verdict> {
    let (told, heard) = channel();
    let done = move |settled: Settled| told.send(settled.verdict).unwrap();
    let mut group = client.open(0, to, Box::new(done)).unwrap();
    for payload in payloads {
        group.add(&Message {
            index: 0,
            key: None,
            payload: payload.as_bytes(),
            headers: &[],
        });
    }
    heard
}

fn files(folder: &TempDir, of: &str) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder.path().join(of))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

const TAKEN: Verdict = Verdict::Records(Vec::new());

#[test]
fn an_answered_record_stands_on_one_line_of_its_topic() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path(), |_| {});
    client.answers().unwrap();
    let (a, b) = (topic("a"), topic("b"));
    let heard = [
        send(&client, &a, &[r#"{"n":1}"#, "{\r\n\"n\":\n2}"]),
        send(&client, &b, &["{}"]),
    ];
    for heard in heard {
        assert_eq!(heard.recv().unwrap(), TAKEN);
    }
    assert_eq!(files(&folder, "a"), ["{\"n\":1}\n{  \"n\": 2}\n"]);
    assert_eq!(files(&folder, "b"), ["{}\n"]);
}

#[test]
fn a_file_that_is_large_enough_is_followed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path(), |spec| spec.roll_size = 4);
    for payload in ["{\"n\":1}", "{\"n\":2}"] {
        assert_eq!(
            send(&client, &topic("a"), &[payload]).recv().unwrap(),
            TAKEN
        );
    }
    assert_eq!(files(&folder, "a"), ["{\"n\":1}\n", "{\"n\":2}\n"]);
}

#[test]
fn an_old_file_is_followed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path(), |spec| spec.roll_after = Duration::ZERO);
    for payload in ["1", "2"] {
        assert_eq!(
            send(&client, &topic("a"), &[payload]).recv().unwrap(),
            TAKEN
        );
    }
    assert_eq!(files(&folder, "a"), ["1\n", "2\n"]);
}

#[test]
fn what_is_queued_is_written_before_the_client_ends_and_nothing_after() {
    let folder = tempfile::tempdir().unwrap();
    let client = start(folder.path(), |_| {});
    let heard: Vec<_> = (0..50)
        .map(|_| send(&client, &topic("a"), &["{}"]))
        .collect();
    assert_eq!(client.close(Duration::from_secs(10), Reason::Closing), 0);
    assert!(heard.iter().all(|heard| heard.recv().unwrap() == TAKEN));
    assert_eq!(files(&folder, "a").concat().lines().count(), 50);
    let late = client.open(0, &topic("a"), Box::new(|_| {})).map(drop);
    assert_eq!(late, Err(Reason::Closing));
}

#[test]
fn a_disk_that_refuses_fails_its_own_topic_alone_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("blocked"),
        "a file where the folder should be",
    )
    .unwrap();
    let client = start(folder.path(), |_| {});
    let blocked = topic("blocked");
    let heard = send(&client, &blocked, &["{}"]);
    assert_eq!(heard.recv().unwrap(), Verdict::All(Reason::Unavailable));
    assert_eq!(
        send(&client, &topic("free"), &["{}"]).recv().unwrap(),
        TAKEN
    );
    std::fs::remove_file(folder.path().join("blocked")).unwrap();
    assert_eq!(send(&client, &blocked, &["{}"]).recv().unwrap(), TAKEN);
}

#[test]
fn a_folder_that_cannot_be_made_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = start(&file.join("below"), |_| {}).answers().unwrap_err();
    assert!(error.to_string().contains("file/below"), "{error}");
}
