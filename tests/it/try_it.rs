//! The lines that `make run` prints do what is written below them.

use std::process::Command;

use crate::harness::documents::Documents;
use crate::harness::gateway::Gateway;

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

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_to_try_answer_as_written() {
    let text = Documents::example("quickstart").read("try-it.txt");
    let mut gateway = Gateway::start(Documents::example("quickstart")).await;
    let steps = steps(&text);
    assert!(steps.len() >= 8);
    for step in steps {
        if step.command.starts_with("git ") {
            continue;
        }
        let command = step
            .command
            .replace("localhost:8080", &format!("127.0.0.1:{}", gateway.data))
            .replace("localhost:9090", &format!("127.0.0.1:{}", gateway.admin))
            .replace(
                "config-examples/quickstart",
                gateway.documents.path().to_str().unwrap(),
            )
            .replace("target/run/state", gateway.state().to_str().unwrap());
        let before = gateway.revision().await;
        let output = Command::new("bash")
            .args(["-c", &command])
            .output()
            .unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{command}: {answer}");
        for expected in &step.answers {
            assert!(
                answer.contains(expected),
                "no {expected} in the answer to {command}: {answer}"
            );
        }
        if command.starts_with("sed ") {
            // A reader takes longer to come to the next line.
            gateway.outcome_after(&before).await;
        }
    }
    gateway.stop().await;
}
