//! What Nacos and its client library do, as the design relies on it or guards against it; each on a
//! real 3.1. Times are printed, never asserted: a newer Nacos may be better.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use nacos_sdk::api::config::{
    ConfigChangeListener, ConfigResponse, ConfigService, ConfigServiceBuilder,
};
use nacos_sdk::api::props::ClientProps;
use serde_json::Value;
use weir::center::nacos::{Base, Kind, Operation};

use crate::harness::nacos::{Nacos, Space, written};
use crate::harness::{LONG, eventually, http, ports};

const DOCUMENT: &str = "weir.index";

/// What the library's listener was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, Instant)>>>);

impl ConfigChangeListener for Told {
    fn notify(&self, told: ConfigResponse) {
        let mut all = self.0.lock().unwrap();
        all.push((told.content().clone(), Instant::now()));
    }
}

impl Told {
    fn contents(&self) -> Vec<String> {
        let all = self.0.lock().unwrap();
        all.iter().map(|(content, _)| content.clone()).collect()
    }

    /// When the content was told.
    async fn until(&self, content: &str) -> Instant {
        eventually(LONG, "the listener is told", || async {
            let all = self.0.lock().unwrap();
            let found = all.iter().find(|(told, _)| told == content);
            found.map(|(_, at)| *at)
        })
        .await
    }
}

async fn library(space: &Space) -> ConfigService {
    ConfigServiceBuilder::new(properties(&space.url, &space.name))
        .build()
        .await
        .unwrap()
}

fn properties(url: &str, namespace: &str) -> ClientProps {
    let address = url.strip_prefix("http://").unwrap();
    ClientProps::new()
        .env_first(false)
        .server_addr(address)
        .namespace(namespace)
        .cache_dir(env!("CARGO_TARGET_TMPDIR").to_owned() + "/nacos-library")
}

async fn listen(service: &ConfigService, data_id: &str) -> Told {
    let told = Told::default();
    let listener = Arc::new(told.clone());
    service
        .add_listener(data_id.to_owned(), "WEIR".to_owned(), listener)
        .await
        .unwrap();
    told
}

/// A marker that is told proves that everything before it would have been.
async fn settle(space: &Space, service: &ConfigService) {
    space.publish("weir.marker", "v: 1").await;
    until_served(space, "weir.marker", "v: 1").await;
    let marker = listen(service, "weir.marker").await;
    publish_until_told(space, "weir.marker", &marker).await;
}

/// A listener that was just added may miss a change, which the library finds out after a minute; so
/// versions after the first are published until one is told.
async fn publish_until_told(space: &Space, data_id: &str, told: &Told) {
    for version in 2..240 {
        space.publish(data_id, &format!("v: {version}")).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        if !told.contents().is_empty() {
            return;
        }
    }
    panic!("the listener is told anything at all");
}

async fn until_served(space: &Space, data_id: &str, content: &str) {
    eventually(LONG, "clients are given what was written", || async {
        let read = space.client.read(data_id).await.unwrap();
        (read.as_deref() == Some(content)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_listener_is_not_told_what_is_there_but_what_comes() {
    let space = Nacos::shared().space("listener").await;
    let service = library(&space).await;
    space.publish(DOCUMENT, "v: 1").await;
    until_served(&space, DOCUMENT, "v: 1").await;
    let told = listen(&service, DOCUMENT).await;
    settle(&space, &service).await;
    assert_eq!(told.contents(), [""; 0], "the current value");
    let begun = Instant::now();
    space.publish(DOCUMENT, "v: 2").await;
    let took = told.until("v: 2").await - begun;
    println!("from the beginning of a publish to its notice: {took:?}");
}

#[tokio::test]
async fn the_first_value_of_a_missing_document_is_swallowed() {
    let space = Nacos::shared().space("swallowed").await;
    let service = library(&space).await;
    let told = listen(&service, DOCUMENT).await;
    space.publish(DOCUMENT, "v: 1").await;
    until_served(&space, DOCUMENT, "v: 1").await;
    settle(&space, &service).await;
    assert_eq!(told.contents(), [""; 0]);
    // If the listener was added too late for the first value, the second is swallowed in its place.
    publish_until_told(&space, DOCUMENT, &told).await;
    assert!(!told.contents().contains(&"v: 1".to_owned()));
}

#[tokio::test]
async fn a_deletion_is_never_told_and_the_library_goes_on_serving_the_content() {
    let space = Nacos::shared().space("deleted").await;
    let service = library(&space).await;
    space.publish(DOCUMENT, "v: 1").await;
    until_served(&space, DOCUMENT, "v: 1").await;
    let told = listen(&service, DOCUMENT).await;
    space.publish(DOCUMENT, "v: 2").await;
    told.until("v: 2").await;
    space.delete(DOCUMENT).await;
    eventually(LONG, "clients see by HTTP that it is gone", || async {
        space
            .client
            .read(DOCUMENT)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    settle(&space, &service).await;
    let stale = service
        .get_config(DOCUMENT.to_owned(), "WEIR".to_owned())
        .await;
    assert_eq!(stale.unwrap().content(), "v: 2");
    space.publish(DOCUMENT, "v: 2").await;
    until_served(&space, DOCUMENT, "v: 2").await;
    assert_eq!(
        told.contents(),
        ["v: 2"],
        "neither the deletion nor the same again"
    );
}

#[tokio::test]
async fn of_many_changes_in_a_row_the_last_is_told() {
    let space = Nacos::shared().space("many").await;
    let service = library(&space).await;
    space.publish(DOCUMENT, "v: 0").await;
    until_served(&space, DOCUMENT, "v: 0").await;
    let told = listen(&service, DOCUMENT).await;
    for version in 1..=100 {
        space
            .publish_unseen(DOCUMENT, &format!("v: {version}"))
            .await;
    }
    told.until("v: 100").await;
    println!(
        "of 100 changes in a row {} were told",
        told.contents().len()
    );
}

#[tokio::test]
async fn after_a_crash_of_the_server_polling_sees_a_change_before_the_listener() {
    let server = Nacos::to_disturb().await;
    let space = server.space("crash").await;
    let service = library(&space).await;
    space.publish(DOCUMENT, "v: 1").await;
    until_served(&space, DOCUMENT, "v: 1").await;
    let told = listen(&service, DOCUMENT).await;
    server.kill();
    server.restart();
    let begun = Instant::now();
    eventually(LONG, "the server takes a write again", || async {
        space.client.publish(DOCUMENT, "v: 2", Base::Any).await.ok()
    })
    .await;
    until_served(&space, DOCUMENT, "v: 2").await;
    println!("after a crash: polled after {:?}", begun.elapsed());
    let told = told.until("v: 2").await - begun;
    println!("after a crash: told after {told:?}");
}

#[tokio::test]
async fn clients_lag_behind_a_write_and_administrators_do_not() {
    let space = Nacos::shared().space("lag").await;
    let (mut stale, mut slowest) = (0, Duration::ZERO);
    for version in 0..40 {
        let content = format!("v: {version}");
        space.publish_unseen(DOCUMENT, &content).await;
        let begun = Instant::now();
        assert_eq!(space.content(DOCUMENT).await.as_ref(), Some(&content));
        if space.client.read(DOCUMENT).await.unwrap().as_ref() != Some(&content) {
            stale += 1;
        }
        until_served(&space, DOCUMENT, &content).await;
        slowest = slowest.max(begun.elapsed());
    }
    println!("read at once after a write: {stale} of 40 stale, caught up within {slowest:?}");
}

#[tokio::test]
async fn a_missing_document_has_status_200_and_a_code() {
    let space = Nacos::shared().space("missing").await;
    let request = http::client()
        .get(space.read_url())
        .query(&space.place(DOCUMENT));
    let reply = http::send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["code"], 20004);
}

#[tokio::test]
async fn larger_documents_than_ours_can_be_published_and_only_we_refuse_them() {
    let space = Nacos::shared().space("large").await;
    let service = library(&space).await;
    let content = "x".repeat(5 * 1024 * 1024);
    // By gRPC: as a form Nacos takes 2 MiB.
    let (data_id, group) = (DOCUMENT.to_owned(), "WEIR".to_owned());
    let kind = Some("yaml".to_owned());
    let published = service.publish_config(data_id.clone(), group.clone(), content, kind);
    assert!(published.await.unwrap());
    let error = eventually(LONG, "clients are given the document", || async {
        space.client.read(DOCUMENT).await.err()
    })
    .await;
    assert!(matches!(error.kind, Kind::TooLarge(_)), "{error}");
    let read = http::client()
        .get(space.read_url())
        .query(&space.place(DOCUMENT));
    assert!(http::send(read).await.text.len() > 5 * 1024 * 1024);
    let by_library = service.get_config(data_id, group).await;
    println!("a document of 5 MiB by the library: {:?}", by_library.err());
}

#[tokio::test]
async fn a_compare_and_swap_is_a_header_and_nothing_else() {
    for space in [
        Nacos::shared().space("header").await,
        Nacos::shared_2().space("header").await,
    ] {
        space.publish(DOCUMENT, "v: 1").await;
        let stale = "0123456789abcdef0123456789abcdef";
        let ignored = space
            .publish_raw(DOCUMENT, "v: 2", &[("casMd5", stale)])
            .await;
        assert_eq!(
            ignored.status, 200,
            "as a parameter it is ignored: {ignored:?}"
        );
        assert_eq!(space.content(DOCUMENT).await.as_deref(), Some("v: 2"));
        let lost = space
            .client
            .publish(DOCUMENT, "v: 3", Base::Md5(stale.to_owned()));
        assert_eq!(lost.await.unwrap_err().kind, Kind::Conflict);
        let parameter = || {
            let request = http::client().post(space.write_url());
            request.query(&[("casMd5", stale)])
        };
        let mut form = space.place(DOCUMENT);
        form.push(("content", "v: 4"));
        let ignored = written(|| parameter().form(&form)).await;
        assert_eq!(ignored.status, 200, "nor does the query: {ignored:?}");
        // On a missing document it inserts, and a deletion ignores it.
        let inserted = space
            .client
            .publish("weir.new", "v: 1", Base::Md5(stale.to_owned()));
        inserted.await.unwrap();
        let deletion = || {
            let request = http::client().delete(space.write_url());
            request.query(&space.place("weir.new"))
        };
        let deleted = written(|| deletion().header("casMd5", stale)).await;
        assert_eq!(deleted.status, 200, "{deleted:?}");
        assert_eq!(space.content("weir.new").await, None);
    }
}

#[tokio::test]
async fn a_lost_compare_and_swap_is_just_false_by_the_old_interface_of_3() {
    let space = Nacos::shared().space("old").await;
    space.publish(DOCUMENT, "v: 1").await;
    let url = format!("{}/nacos/v1/cs/configs", space.url);
    let form = [
        ("tenant", space.name.as_str()),
        ("group", "WEIR"),
        ("dataId", DOCUMENT),
        ("content", "v: 2"),
    ];
    let request = || http::client().post(&url).form(&form);
    let lost = written(|| request().header("casMd5", "0123456789abcdef0123456789abcdef")).await;
    assert_eq!((lost.status, lost.text.as_str()), (500, "false"));
}

#[tokio::test]
async fn a_compare_and_swap_that_loses_by_grpc_says_so_in_words() {
    for space in [
        Nacos::shared().space("grpc").await,
        Nacos::shared_2().space("grpc").await,
    ] {
        let service = library(&space).await;
        space.publish(DOCUMENT, "v: 1").await;
        let lost = service.publish_config_cas(
            DOCUMENT.to_owned(),
            "WEIR".to_owned(),
            "v: 2".to_owned(),
            Some("yaml".to_owned()),
            "0123456789abcdef0123456789abcdef".to_owned(),
        );
        let message = lost.await.unwrap_err().to_string();
        assert!(message.contains("Cas publish fail"), "{message}");
    }
}

#[tokio::test]
async fn without_a_type_a_document_becomes_text_and_json_is_not_parsed() {
    let space = Nacos::shared().space("types").await;
    space.publish(DOCUMENT, "{\"v\": 1}").await;
    assert_eq!(latest(&space).await["type"], "json");
    let reply = space.publish_raw(DOCUMENT, "{\"v\": 2}", &[]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(latest(&space).await["type"], "text");
    let reply = space
        .publish_raw(DOCUMENT, "{\"v\": ", &[("type", "json")])
        .await;
    assert_eq!(reply.status, 200, "no JSON, and taken");
    space.publish(DOCUMENT, "v: 3").await;
    assert_eq!(latest(&space).await["type"], "yaml");
}

/// The whole document as administrators of 3.1 are given it.
async fn latest(space: &Space) -> Value {
    let request = http::client()
        .get(space.write_url())
        .query(&space.place(DOCUMENT));
    http::send(request).await.json()["data"].clone()
}

#[tokio::test]
async fn rolling_back_publishes_again_and_deletes_on_the_first_version() {
    let space = Nacos::shared().space("rolled").await;
    space.publish(DOCUMENT, "v: 1").await;
    space.publish(DOCUMENT, "v: 2").await;
    let rows = space.history(DOCUMENT).await.unwrap();
    let (update, insert) = (&rows[0], &rows[1]);
    assert_eq!(insert.operation, Operation::Insert);
    space.roll_back(DOCUMENT, update).await;
    assert_eq!(space.content(DOCUMENT).await.as_deref(), Some("v: 1"));
    assert_eq!(
        space.history(DOCUMENT).await.unwrap().len(),
        3,
        "a change like any other"
    );
    space.roll_back(DOCUMENT, insert).await;
    assert_eq!(space.content(DOCUMENT).await, None);
}

#[tokio::test]
async fn a_gray_document_is_served_by_address_and_without_a_type() {
    let space = Nacos::shared().space("gray").await;
    let form = [("content", "v: 9"), ("type", "yaml")];
    let request = || {
        let request = http::client().post(space.write_url());
        request.header("betaIps", "10.9.8.7")
    };
    let place = space.place(DOCUMENT);
    let reply = written(|| request().form(&[&place[..], &form[..]].concat())).await;
    assert_eq!(reply.json()["code"], 0, "{reply:?}");
    let gray = eventually(LONG, "the address is given the gray document", || async {
        let request = http::client().get(space.read_url()).query(&place);
        let reply = http::send(request.header("X-Forwarded-For", "10.9.8.7"))
            .await
            .json();
        (reply["code"] == 0).then_some(reply)
    })
    .await;
    assert_eq!(gray["data"]["content"], "v: 9");
    assert_eq!(gray["data"]["beta"], true);
    assert_eq!(gray["data"]["contentType"], Value::Null);
    assert_eq!(
        space.client.read(DOCUMENT).await.unwrap(),
        None,
        "other addresses"
    );
}

#[tokio::test]
async fn documents_can_be_published_into_a_namespace_that_nobody_made() {
    let space = Nacos::shared().space_without_namespace("unmade");
    space.publish(DOCUMENT, "v: 1").await;
    assert!(space.content(DOCUMENT).await.is_some());
    assert!(
        !space.client.has_namespace().await.unwrap(),
        "the console does not show it"
    );
}

async fn log_in(server: &Nacos, path: &str, user: &str, password: &str) -> http::Reply {
    let url = format!("{}/nacos/{path}", server.url());
    let form = [("username", user), ("password", password)];
    http::send(http::client().post(url).form(&form)).await
}

#[tokio::test]
async fn a_login_where_none_is_wanted_is_refused_by_3_and_granted_by_2() {
    let login = async |server: &Nacos, path: &str| {
        let url = format!("{}/nacos/{path}", server.url());
        let form = [("username", "nacos"), ("password", "nacos")];
        http::send(http::client().post(url).form(&form)).await
    };
    assert_eq!(
        login(Nacos::shared(), "v3/auth/user/login").await.status,
        403
    );
    assert_eq!(
        login(Nacos::shared_2(), "v3/auth/user/login").await.status,
        404
    );
    assert_eq!(login(Nacos::shared_2(), "v1/auth/login").await.status, 200);
}

#[tokio::test]
async fn the_library_does_not_mind_a_missing_login() {
    let server = Nacos::guarded();
    let space = server.space("mindless").await;
    space.publish(DOCUMENT, "v: 1").await;
    let service = library(&space).await;
    let told = listen(&service, DOCUMENT).await;
    let refused = service
        .get_config(DOCUMENT.to_owned(), "WEIR".to_owned())
        .await;
    assert!(refused.is_err());
    assert_eq!(told.contents(), [""; 0]);
    for (path, user, status) in [
        ("v3/auth/user/login", "nacos", 500),
        ("v3/auth/user/login", "nobody", 403),
        ("v1/auth/login", "nacos", 500),
    ] {
        let reply = log_in(server, path, user, "wrong").await;
        assert_eq!(reply.status, status, "a wrong password of {user} at {path}");
    }
    for path in ["v3/auth/user/login", "v1/auth/login"] {
        let reply = log_in(server, path, "nacos", "nacos").await;
        assert!(reply.json()["accessToken"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn the_library_fails_on_a_refused_connection_and_hangs_on_a_silent_one() {
    let begun = Instant::now();
    let nobody = format!("http://127.0.0.1:{}", ports::free(1));
    let built = ConfigServiceBuilder::new(properties(&nobody, "away"))
        .build()
        .await;
    println!("refused: {:?} after {:?}", built.err(), begun.elapsed());

    let server = Nacos::to_disturb().await;
    let space = server.space("hang").await;
    let service = library(&space).await;
    space.publish(DOCUMENT, "v: 1").await;
    server.pause();
    let build = ConfigServiceBuilder::new(properties(&space.url, &space.name)).build();
    let get = service.get_config(DOCUMENT.to_owned(), "WEIR".to_owned());
    let patience = Duration::from_secs(12);
    let (build, get) = tokio::join!(
        tokio::time::timeout(patience, build),
        tokio::time::timeout(patience, get)
    );
    println!(
        "paused, after {patience:?}: build ended {}, a request ended {}",
        build.is_ok(),
        get.is_ok()
    );
    server.resume();
}

/// Does not return before it is let go.
struct Blocks {
    begun: mpsc::SyncSender<()>,
    end: Mutex<mpsc::Receiver<()>>,
}

impl ConfigChangeListener for Blocks {
    fn notify(&self, _: ConfigResponse) {
        let _begun = self.begun.try_send(());
        let _end = self
            .end
            .lock()
            .unwrap()
            .recv_timeout(Duration::from_secs(LONG));
    }
}

#[tokio::test]
async fn a_listener_that_does_not_return_at_once_holds_up_all_others() {
    let space = Nacos::shared().space("blocked").await;
    let service = library(&space).await;
    space.publish("weir.slow", "v: 1").await;
    space.publish(DOCUMENT, "v: 1").await;
    until_served(&space, DOCUMENT, "v: 1").await;
    let told = listen(&service, DOCUMENT).await;
    let (begin, begun) = mpsc::sync_channel(1);
    let (end, ended) = mpsc::channel();
    let blocks = Blocks {
        begun: begin,
        end: Mutex::new(ended),
    };
    let slow = service.add_listener("weir.slow".to_owned(), "WEIR".to_owned(), Arc::new(blocks));
    slow.await.unwrap();
    settle(&space, &service).await;
    space.publish("weir.slow", "v: 2").await;
    eventually(LONG, "the slow one is told", || async {
        begun.try_recv().ok()
    })
    .await;
    space.publish(DOCUMENT, "v: 2").await;
    until_served(&space, DOCUMENT, "v: 2").await;
    // Several times what a notice takes.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told.contents(), [""; 0]);
    end.send(()).unwrap();
    told.until("v: 2").await;
}

#[tokio::test]
async fn the_connection_of_a_service_that_is_dropped_stays() {
    let server = Nacos::to_disturb().await;
    let space = server.space("leak").await;
    let before = server.notice_connections();
    let service = library(&space).await;
    // Those that earlier tests left behind may end meanwhile.
    let new = eventually(LONG, "the service has a connection", || async {
        let with = server.notice_connections();
        let new: Vec<_> = with.difference(&before).cloned().collect();
        (!new.is_empty()).then_some(new)
    })
    .await;
    drop(service);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let without = server.notice_connections();
    let left = new.iter().filter(|each| without.contains(*each)).count();
    println!(
        "connections: {} with a service, {left} of them after it was dropped",
        new.len()
    );
}
