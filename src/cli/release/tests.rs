//! A release against a Nacos that fails at a certain moment, as a real one cannot be made to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use url::form_urlencoded;

use super::*;
use crate::center::nacos::Settings;
use crate::rollout::release::back;
use crate::unit::TimeSpan;

const OLD: &str = "version: 1\n";
const OURS: &str = "version: 2\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The first write has no answer, and is done just before the second.
    FirstIsLate,
    /// After a write administrators are given no document any more.
    BlindAfterwards,
}

/// The index as it stands in such a Nacos.
struct Fake {
    fault: Fault,
    content: String,
    writes: usize,
}

impl Fake {
    /// What a read is answered, by administrators or by clients.
    fn read(&self, is_administrator: bool) -> (StatusCode, String) {
        if is_administrator && self.fault == Fault::BlindAfterwards && self.writes > 0 {
            return (StatusCode::INTERNAL_SERVER_ERROR, "blind".to_owned());
        }
        let answer = json!({ "code": 0, "data": { "content": self.content } });
        (StatusCode::OK, answer.to_string())
    }

    /// What a write is answered, if anything.
    fn write(&mut self, form: &str) -> Option<String> {
        let mut form = form_urlencoded::parse(form.as_bytes());
        let (_, content) = form.find(|(name, _)| name == "content").unwrap();
        self.writes += 1;
        let late = self.fault == Fault::FirstIsLate;
        if late && self.writes == 1 {
            return None;
        }
        self.content = content.into_owned();
        Some(match late {
            true => json!({ "code": 20005, "message": "Cas publish fail" }).to_string(),
            false => json!({ "code": 0, "data": true }).to_string(),
        })
    }
}

/// Runs the work with a client of such a Nacos.
async fn with<T>(fault: Fault, work: impl AsyncFnOnce(Nacos) -> T) -> T {
    let for_clients = Arc::new(Mutex::new(Fake {
        fault,
        content: OLD.to_owned(),
        writes: 0,
    }));
    let (fake, for_writes) = (Arc::clone(&for_clients), Arc::clone(&for_clients));
    let read = move || async move { fake.lock().unwrap().read(true) };
    let write = move |form: String| async move {
        let answer = for_writes.lock().unwrap().write(&form);
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    };
    let ready = async || json!({ "code": 0 }).to_string();
    let router = Router::new()
        .route("/nacos/v3/admin/core/state/readiness", get(ready))
        .route("/nacos/v3/admin/cs/config", get(read).post(write))
        .route(
            "/nacos/v3/client/cs/config",
            get(move || async move { for_clients.lock().unwrap().read(false) }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings {
        url: Some(format!("http://{}", listener.local_addr().unwrap())),
        namespace: Some("test".to_owned()),
        deadline: TimeSpan::seconds(3),
        ..Settings::default()
    };
    let nacos = Nacos::connect(&settings).unwrap();
    tokio::select! {
        served = axum::serve(listener, router) => panic!("{served:?}"),
        done = work(nacos) => done,
    }
}

#[tokio::test]
async fn a_release_that_is_done_late_has_not_lost_against_itself() {
    let swapped = with(Fault::FirstIsLate, async |nacos| {
        swap(&nacos, OURS, Base::of(OLD)).await
    });
    swapped.await.unwrap();
}

#[tokio::test]
async fn what_fails_after_the_release_is_live_is_told_with_it() {
    let index = back::nothing();
    let release = Release {
        digest: crate::rollout::release::digest(&index, |_| None),
        addressed: Vec::new(),
        index,
        base: Base::of(OLD),
        follow: None,
    };
    let done = with(Fault::BlindAfterwards, async |nacos| {
        carry_out(&nacos, &release).await
    });
    let done = done.await.unwrap();
    assert_eq!(done.written, [INDEX]);
    assert!(done.notes[0].contains("not known"), "{:?}", done.notes);
}
