//! The lines that `make run` and `make demo` print do what is written below them.

use std::path::Path;
use std::process::Command;

use crate::examples_kafka::tracking_documents;
use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;
use crate::harness::kafka::Kafka;
use crate::harness::nacos::Nacos;
use crate::harness::redis::Redis;

/// A command, and what its answer must contain.
struct Step {
    command: String,
    answers: Vec<String>,
}

/// Lines after `$` are commands, with the lines that follow them unindented; lines after `>` are in
/// the answer.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("  $ ") {
            steps.push(Step {
                command: command.to_owned(),
                answers: Vec::new(),
            });
            open = true;
        } else if let Some(answer) = line.strip_prefix("  > ") {
            steps.last_mut().unwrap().answers.push(answer.to_owned());
            open = false;
        } else if open && line.starts_with('{') {
            let command = &mut steps.last_mut().unwrap().command;
            *command = format!("{command}\n{line}");
        } else {
            open = false;
        }
    }
    steps
}

/// Runs the steps one after the other, with what stands elsewhere here put in its place.
async fn follow(gateway: &Gateway, steps: Vec<Step>, places: &[(&str, &str)]) {
    let (data, admin) = (
        format!("127.0.0.1:{}", gateway.data),
        format!("127.0.0.1:{}", gateway.admin),
    );
    let ports = [("localhost:8080", &*data), ("localhost:9090", &*admin)];
    let mut exports = String::new();
    for step in steps {
        let mut command = step.command;
        for (written, here) in ports.iter().chain(places) {
            command = command.replace(written, here);
        }
        if command.starts_with("export ") {
            exports = format!("{command}\n");
            continue;
        }
        let before = gateway.revision().await;
        let output = Command::new("bash")
            .args(["-c", &format!("{exports}{command}")])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let answer = [output.stdout, output.stderr].concat();
        let answer = String::from_utf8(answer).unwrap();
        assert!(output.status.success(), "{command}: {answer}");
        for expected in &step.answers {
            assert!(
                answer.contains(expected),
                "no {expected} in the answer to {command}: {answer}"
            );
        }
        let refused = step.answers.iter().any(|answer| answer == "refused");
        let changes = ["sed -i '/name", "weir apply", "weir rollback"];
        if !refused
            && (changes.iter().any(|change| command.starts_with(change))
                || command.contains("dataId=weir.switches")
                || command.contains("weir.repo.events.yaml"))
        {
            // A reader takes longer to come to the next line.
            gateway.outcome_after(&before).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_to_try_answer_as_written() {
    let text = Documents::example("quickstart").read("try-it.txt");
    let mut gateway = Gateway::start(Documents::example("quickstart")).await;
    let mut steps = steps(&text);
    steps.retain(|step| !step.command.starts_with("git "));
    assert!(steps.len() >= 7);
    let places = [
        (
            "config-examples/quickstart",
            gateway.documents.path().to_str().unwrap(),
        ),
        ("target/run/state", &gateway.state().display().to_string()),
    ];
    follow(&gateway, steps, &places).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_demo_answer_as_written() {
    let nacos = Nacos::to_disturb().await;
    let space = nacos.space("demo").await;
    let (bigdata, attribution) = (Kafka::shared(), Kafka::second());
    bigdata.create("events_shop_prod", 1).await;
    bigdata.create("events_other", 1).await;
    attribution.create("attribution", 1).await;
    let redis = Redis::single("demo");
    let documents = tracking_documents(bigdata, attribution, &redis);
    let folder = documents.path().display().to_string();
    let steps = steps(&documents.read("try-it.txt"));
    assert!(steps.len() >= 20);

    let program = Path::new(env!("CARGO_BIN_EXE_weir"));
    let first = Command::new(program)
        .args(["apply", &folder, "--init", "--switches"])
        .args(["--by", "demo", "--reason", "as the example stands"])
        .args(space.arguments())
        .output()
        .unwrap();
    assert!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    let source = [
        &space.arguments()[..],
        &["--data".to_owned(), folder.clone()],
    ]
    .concat();
    let mut gateway = Gateway::spawn_from(&source, documents, |command| {
        command
            .env("WEIR_KEY_APP", "app-secret")
            .env("WEIR_KEY_SERVER", "server-secret")
            .env("WEIR_DEVICE_KEY", "device-secret");
    });
    gateway.until_ready().await;
    let release = gateway.state().join("release").display().to_string();
    let in_namespace = format!("namespaceId={}", space.name);
    let namespace = format!("WEIR_NAMESPACE={}", space.name);
    let places = [
        ("http://127.0.0.1:8848", &*space.url),
        ("WEIR_NAMESPACE=demo", &namespace),
        ("namespaceId=demo", &in_namespace),
        (
            "$PWD/target/debug",
            program.parent().unwrap().to_str().unwrap(),
        ),
        ("config-examples/tracking", &folder),
        ("target/demo/release", &release),
        (
            "target/services/kafka-1",
            bigdata.folder().to_str().unwrap(),
        ),
        (
            "target/services/kafka-2",
            attribution.folder().to_str().unwrap(),
        ),
        ("target/services/nacos", nacos.folder().to_str().unwrap()),
    ];
    follow(&gateway, steps, &places).await;
    gateway.stop().await;
}
