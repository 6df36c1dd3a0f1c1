//! The product's client of Nacos against real servers, 3.1 and 2.3: what it is answered is told
//! apart, whatever shape the answer has.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use weir::center::nacos::{Base, Kind, Listener, Nacos as Client, Operation, Password};
use weir::tasks::Tasks;
use weir::unit::TimeSpan;

use crate::harness::nacos::{Nacos, Space, settings};
use crate::harness::{LONG, eventually};

const V1: &str = "version: 1\n";
const V2: &str = "{\"version\": 2}";

/// The same namespace on both versions.
async fn spaces(name: &str) -> [Space; 2] {
    [
        Nacos::shared().space(name).await,
        Nacos::shared_2().space(name).await,
    ]
}

fn kind<T: std::fmt::Debug>(result: Result<T, weir::center::nacos::Error>) -> Kind {
    result.unwrap_err().kind
}

#[tokio::test]
async fn a_document_is_written_read_and_deleted() {
    for space in spaces("documents").await {
        let client = &space.client;
        assert_eq!(client.read("weir.index").await.unwrap(), None);
        assert_eq!(client.read_latest("weir.index").await.unwrap(), None);
        client.publish("weir.index", V1, Base::Any).await.unwrap();
        let latest = client.read_latest("weir.index").await.unwrap().unwrap();
        assert_eq!(latest.content, V1, "what was just written, at once");
        until_read(client, Some(V1)).await;
        client.publish("weir.index", V2, Base::Any).await.unwrap();
        until_read(client, Some(V2)).await;
        client.delete("weir.index").await.unwrap();
        until_read(client, None).await;
        client.delete("weir.index").await.unwrap();
    }
}

async fn until_read(client: &Client, wanted: Option<&str>) {
    eventually(LONG, "clients are given what was written", || async {
        let read = client.read("weir.index").await.ok()?;
        (read.as_deref() == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_one_of_two_compare_and_swaps_wins() {
    for space in spaces("swaps").await {
        let client = &space.client;
        client
            .publish("weir.index", V1, Base::Absent)
            .await
            .unwrap();
        let absent = client.publish("weir.index", V2, Base::Absent).await;
        assert_eq!(kind(absent), Kind::Conflict);
        let base = client.read_latest("weir.index").await.unwrap().unwrap().md5;
        let upper = Base::Md5(base.to_ascii_uppercase());
        client.publish("weir.index", V2, upper).await.unwrap();
        let late = client
            .publish("weir.index", "late: 1", Base::Md5(base.clone()))
            .await;
        assert_eq!(kind(late), Kind::Conflict);
        assert_eq!(space.content("weir.index").await.as_deref(), Some(V2));
    }
}

/// 2.3 tells several that they inserted.
#[tokio::test]
async fn of_many_who_insert_at_once_one_wins() {
    for space in spaces("inserts").await {
        for round in 0..10 {
            let data_id = format!("weir.insert.{round}");
            let attempts: Vec<_> = (0..4)
                .map(|writer| {
                    let (client, data_id) = (space.client.clone(), data_id.clone());
                    tokio::spawn(async move {
                        let content = format!("writer: {writer}");
                        let done = client.publish(&data_id, &content, Base::Absent).await;
                        (content, done)
                    })
                })
                .collect();
            let mut winners = Vec::new();
            for attempt in attempts {
                let (content, done) = attempt.await.unwrap();
                match done {
                    Ok(()) => winners.push(content),
                    Err(error) => assert_eq!(error.kind, Kind::Conflict, "{error}"),
                }
            }
            assert_eq!(winners.len(), 1, "{winners:?}");
            assert_eq!(space.content(&data_id).await.as_ref(), winners.first());
        }
    }
}

#[tokio::test]
async fn documents_up_to_the_limit_pass_whole_and_larger_ones_are_told() {
    // Percent signs would make three bytes of each.
    let chinese = "事件".repeat(340_000);
    let lines = "a: \"b\"\n".repeat(290_000);
    for space in spaces("sizes").await {
        let client = &space.client;
        for content in [&chinese, &lines] {
            space.publish("weir.large", content).await;
            let found = space.content("weir.large").await;
            assert!(found.as_ref() == Some(content), "as it was written");
        }
        let escaped = client
            .publish("weir.large", &"&".repeat(1024 * 1024), Base::Any)
            .await;
        assert!(matches!(kind(escaped), Kind::FormTooLarge { .. }));
        let over = "x".repeat(2 * 1024 * 1024 + 1);
        assert!(matches!(
            kind(client.publish("weir.large", &over, Base::Any).await),
            Kind::TooLarge(_)
        ));
        assert_eq!(
            kind(client.publish("weir.large", " \n", Base::Any).await),
            Kind::Blank
        );
    }
}

#[tokio::test]
async fn the_history_tells_who_did_what_and_holds_the_content_before() {
    for space in spaces("history").await {
        let client = &space.client;
        assert_eq!(client.history("weir.index").await.unwrap(), []);
        for content in [V1, V2, "version: 3"] {
            client
                .publish("weir.index", content, Base::Any)
                .await
                .unwrap();
        }
        client.delete("weir.index").await.unwrap();
        let rows = eventually(LONG, "the history is written", || async {
            let rows = client.history("weir.index").await.unwrap();
            (rows.len() == 4).then_some(rows)
        })
        .await;
        let operations: Vec<_> = rows.iter().map(|row| row.operation).collect();
        assert_eq!(
            operations,
            [
                Operation::Delete,
                Operation::Update,
                Operation::Update,
                Operation::Insert
            ]
        );
        let mut contents = Vec::new();
        for row in &rows {
            assert_eq!(row.address.as_deref(), Some("127.0.0.1"));
            contents.push(
                client
                    .history_content("weir.index", &row.id)
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
        assert_eq!(contents, ["version: 3", V2, V1, V1]);
        let none = client
            .history_content("weir.index", "987654321")
            .await
            .unwrap();
        assert_eq!(none, None);
    }
}

#[tokio::test]
async fn a_namespace_is_made_once() {
    for server in [Nacos::shared(), Nacos::shared_2()] {
        let space = server.space_without_namespace("made");
        assert!(!space.client.has_namespace().await.unwrap());
        assert!(space.client.create_namespace().await.unwrap());
        assert!(!space.client.create_namespace().await.unwrap());
        assert!(space.client.has_namespace().await.unwrap());
    }
}

#[tokio::test]
async fn a_login_is_renewed_and_a_wrong_one_is_told() {
    let old = Nacos::guarded_2();
    for (version, server) in [("3.1", Nacos::guarded()), ("2.3", &old)] {
        let space = server.space("guarded").await;
        let client = &space.client;
        let begun = Instant::now();
        // Two lifetimes of a token.
        while begun.elapsed() < Duration::from_secs(11) {
            client.publish("weir.index", V1, Base::Any).await.unwrap();
            assert!(client.read_latest("weir.index").await.unwrap().is_some());
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let row = &client.history("weir.index").await.unwrap()[0];
        assert_eq!(row.user.as_deref(), Some("nacos"), "{version}");

        let mut wrong = settings(&space.url, &space.name);
        let without = Client::connect(&wrong).unwrap();
        assert_eq!(kind(without.read("weir.index").await), Kind::LoginMissing);
        for user in ["nacos", "nobody"] {
            wrong.username = Some(user.to_owned());
            wrong.password = Some(Password::new("planted-secret"));
            let error = Client::connect(&wrong)
                .unwrap()
                .read("weir.index")
                .await
                .unwrap_err();
            assert!(
                matches!(error.kind, Kind::Login(_)),
                "{version} {user}: {error}"
            );
            let text = error.to_string();
            assert!(text.contains("wrong password"), "{text}");
            assert!(text.contains("WEIR_NACOS_PASSWORD"), "{text}");
            assert!(!text.contains("planted-secret"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_login_that_is_not_wanted_stops_nothing() {
    for space in spaces("unwanted").await {
        let mut settings = settings(&space.url, &space.name);
        settings.username = Some("nacos".to_owned());
        settings.password = Some(Password::new("whatever"));
        let client = Client::connect(&settings).unwrap();
        client.publish("weir.index", V1, Base::Any).await.unwrap();
        assert!(client.read_latest("weir.index").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_is_away_is_told_within_the_deadline() {
    let server = Nacos::to_disturb().await;
    let space = server.space("away").await;
    space.publish("weir.index", V1).await;
    let mut settings = settings(&space.url, &space.name);
    settings.deadline = TimeSpan::seconds(1);
    let client = Client::connect(&settings).unwrap();
    until_answered(&client).await;

    server.pause();
    let error = client.read("weir.index").await.unwrap_err();
    assert_eq!(error.kind, Kind::Silent(TimeSpan::seconds(1)), "{error}");
    let text = error.to_string();
    assert!(text.contains("read weir.index"), "{text}");
    assert!(text.contains(&space.url), "{text}");
    server.resume();
    until_answered(&client).await;

    server.kill();
    let error = space
        .client
        .publish("weir.index", V2, Base::Any)
        .await
        .unwrap_err();
    assert!(matches!(error.kind, Kind::Unreachable(_)), "{error}");
    assert!(error.is_outage());
    server.restart();
    until_read(&client, Some(V1)).await;
}

async fn until_answered(client: &Client) {
    eventually(LONG, "the client is answered again", || async {
        client.read("weir.index").await.ok()
    })
    .await;
}

#[tokio::test]
async fn of_several_servers_the_one_that_answers_is_asked() {
    let space = Nacos::shared().space("several").await;
    space.publish("weir.index", V1).await;
    let nobody = crate::harness::ports::free(1);
    let urls = format!("http://127.0.0.1:{nobody},{}", space.url);
    let client = Client::connect(&settings(&urls, &space.name)).unwrap();
    until_read(&client, Some(V1)).await;
    client.publish("weir.index", V2, Base::Any).await.unwrap();
    assert_eq!(client.server(), format!("{}/nacos", space.url));
}

#[tokio::test]
async fn a_listener_nudges_also_when_nacos_comes_later_or_comes_back() {
    let server = Nacos::to_disturb().await;
    let space = server.space("nudges").await;
    space.publish("weir.index", V1).await;
    server.kill();
    let tasks = Tasks::default();
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::spawn(&space.client, folder.path(), &tasks);
    listener.listen(BTreeSet::from(["weir.index".to_owned()]));
    server.restart();
    // Once because it listens from now on, then for the change.
    nudged(&listener).await;
    space.publish("weir.index", V2).await;
    nudged(&listener).await;
    assert!(
        tasks.drain(Duration::from_secs(LONG)).await,
        "it ends when the process drains"
    );
}

async fn nudged(listener: &Listener) {
    let nudged = tokio::time::timeout(Duration::from_secs(LONG), listener.nudged());
    nudged.await.expect("a nudge");
}
