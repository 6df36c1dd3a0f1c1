//! The chart and the program say the same: settings, deadlines, metrics, versions, documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use weir::settings::Settings;

use super::tools;
use super::tools::{Chart, NEWEST, chart, charts, folder};
use crate::harness::documents::Documents;
use crate::harness::gateway::{Gateway, command};

fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The rendered settings as a file, and the container's environment, as the kubelet would set it up.
fn set_up(chart: &Chart, folder: &Path, command: &mut Command) {
    let name = if chart.name() == "full-values" {
        "weir-gateway"
    } else {
        "weir"
    };
    let settings = chart.object("ConfigMap", &format!("{name}-settings"));
    let file = folder.join("weir.toml");
    fs::write(&file, settings["data"]["weir.toml"].as_str().unwrap()).unwrap();
    let container = chart.container(NEWEST);
    for argument in container["args"].as_array().unwrap() {
        let argument = argument.as_str().unwrap();
        command.arg(argument.replace("/etc/weir/weir.toml", file.to_str().unwrap()));
    }
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let value = variable["value"].as_str().map(str::to_owned);
        command.env(name, value.unwrap_or_else(|| format!("value-of-{name}")));
    }
}

#[test]
fn the_settings_of_every_set_of_values_are_settings_of_the_program() {
    for chart in charts() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command();
        set_up(&chart, folder.path(), &mut command);
        let output = command
            .args(["--print-settings", "--output", "json"])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", chart.name());
        let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let full = chart.name() == "full-values";
        let with_login = full || chart.name() == "nacos-values";
        let (listen, admin, drain) = match full {
            true => ("[::]:8080", "[::]:9090", "30 s"),
            false => ("0.0.0.0:8080", "0.0.0.0:9090", "15 s"),
        };
        assert_eq!(settings["listen"], listen);
        assert_eq!(settings["admin"], admin);
        assert_eq!(settings["data_port"]["drain"], drain);
        assert_eq!(settings["state"], "/var/lib/weir");
        assert_eq!(settings["instance"], "value-of-WEIR_INSTANCE");
        assert_eq!(
            settings["admin_port"]["token"],
            "file:/etc/weir/admin/token"
        );
        let nacos = &settings["nacos"];
        if chart.name() == "files-values" {
            assert_eq!(settings["documents"], "/etc/weir/documents");
            assert_eq!(nacos["url"], Value::Null);
        } else {
            assert_eq!(settings["documents"], Value::Null);
            assert_eq!(nacos["namespace"], if with_login { "prod" } else { "weir" });
        }
        let file = |name: &str| match with_login {
            true => json!(format!("/etc/weir/nacos/{name}")),
            false => Value::Null,
        };
        assert_eq!(nacos["username_file"], file("username"));
        assert_eq!(nacos["password_file"], file("password"));
        assert_eq!([&nacos["username"], &nacos["password"]], [&Value::Null; 2]);
        if full {
            let url = "http://nacos-0.config:8848,http://nacos-1.config:8848";
            assert_eq!(nacos["url"], url);
            assert_eq!(nacos["group"], "EVENTS");
            assert_eq!(nacos["deadline"], "5 s");
            assert_eq!(settings["records_in_flight"], "512 MiB");
        }
        if chart.name() == "nacos-values" {
            assert_eq!(settings["data_port"]["max_connections"], 20_000);
            assert_eq!(settings["data_port"]["proxy_protocol"], true);
            assert_eq!(settings["records_in_flight"], "512 MiB");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_from_files_serve_the_event_that_helm_test_posts() {
    let chart = chart("files");
    let documents = Documents::empty();
    let rendered = chart.object("ConfigMap", "weir-documents");
    for (name, text) in rendered["data"].as_object().unwrap() {
        documents.put(name, text.as_str().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "token").unwrap();
    let settings = chart.object("ConfigMap", "weir-settings");
    let settings = settings["data"]["weir.toml"].as_str().unwrap();
    let settings = settings.replace("/etc/weir/admin/token", token.to_str().unwrap());
    fs::write(folder.path().join("weir.toml"), settings).unwrap();
    let gateway = Gateway::start_with(documents, |command| {
        command
            .arg("--settings")
            .arg(folder.path().join("weir.toml"));
    })
    .await;

    let test = chart.object("Pod", "weir-test");
    let arguments: Vec<_> = test["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap()
        .clone();
    let arguments: Vec<_> = arguments.iter().map(|a| a.as_str().unwrap()).collect();
    let here = |argument: &&str| {
        argument
            .replace("http://weir-admin:9090", &gateway.admin_url(""))
            .replace("http://weir:8080", &gateway.url(""))
    };
    let run = |arguments: Vec<String>| Command::new("curl").args(arguments).output().unwrap();
    let output = run(arguments.iter().map(here).collect());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("ready") && text.contains(r#""accepted":1"#),
        "{text}"
    );
    assert_eq!(gateway.written("events").len(), 1);

    // And it fails where an instance does not answer as it should.
    let wrong = |argument: &&str| here(argument).replace("/readyz", "/nothing");
    assert!(!run(arguments.iter().map(wrong).collect()).status.success());
}

#[test]
fn the_grace_period_is_the_sum_of_the_deadlines_of_a_stop() {
    let app = source("src/app.rs");
    let seconds = |name: &str| -> u64 {
        let line = app
            .lines()
            .find(|line| line.starts_with(&format!("const {name}: Duration")));
        let line = line.unwrap_or_else(|| panic!("src/app.rs has no {name}"));
        let (_, seconds) = line.split_once("from_secs(").unwrap();
        seconds.trim_end_matches(");").parse().unwrap()
    };
    let own = seconds("FLUSH") + seconds("DRAIN");
    let helpers = source("helm/weir/templates/_helpers.tpl");
    for (name, step) in [("flush", seconds("FLUSH")), ("tasks", seconds("DRAIN"))] {
        let line = format!(r#"{{{{- define "weir.{name}Seconds" -}}}}{step}{{{{- end }}}}"#);
        assert!(helpers.contains(&line), "no {line}");
    }
    let pod = Chart::default().object("StatefulSet", "weir")["spec"]["template"]["spec"].clone();
    let pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .unwrap();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    // 15 s for requests, 5 s to spare.
    assert_eq!(grace, pause + 15 + own + 5);
    let longer = Chart::default().set(r#"shutdown={"deregisterSeconds":30,"requestsSeconds":60}"#);
    let longer = longer.object("StatefulSet", "weir");
    let grace = &longer["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
    assert_eq!(grace.as_u64().unwrap(), 30 + 60 + own + 5);
}

/// The schema of the settings as the schema of the values has it: in one piece, without defaults,
/// because one of them is the host's name.
fn schema_of_settings() -> Value {
    let whole = |settings: &mut SchemaSettings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    };
    let generator = SchemaSettings::draft07().with(whole).into_generator();
    let mut schema = generator.into_root_schema_for::<Settings>().to_value();
    without(&mut schema, &["default", "title", "examples", "writeOnly"]);
    schema
}

/// Takes away what a schema says beside what it refuses.
fn without(schema: &mut Value, keywords: &[&str]) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, _| !keywords.contains(&name.as_str()));
            members
                .values_mut()
                .for_each(|member| without(member, keywords));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, keywords)),
        _ => {}
    }
}

#[test]
fn the_schema_of_the_values_knows_the_settings_of_the_program() {
    let file = folder().join("values.schema.json");
    let text = fs::read_to_string(&file).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let generated = schema_of_settings();
    if std::env::var_os("WEIR_WRITE_SCHEMAS").is_some() {
        let (before, rest) = text.split_once("    \"settings\": ").unwrap();
        let (_, after) = rest.split_once(",\n    \"documents\": ").unwrap();
        let settings = serde_json::to_string_pretty(&generated).unwrap();
        let settings = settings.replace('\n', "\n    ");
        let text = format!("{before}    \"settings\": {settings},\n    \"documents\": {after}");
        fs::write(&file, text).unwrap();
        return;
    }
    assert_eq!(
        schema["properties"]["settings"], generated,
        "run `make schemas`"
    );
}

/// The names under which the program exposes its metrics.
fn exposed() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let metrics = source("src/telemetry/metrics.rs");
    for line in metrics.lines() {
        let Some((declared, rest)) = line.split_once(" = \"weir_") else {
            continue;
        };
        let name = format!("weir_{}", rest.split('"').next().unwrap());
        if declared.contains("Counter") {
            names.insert(format!("{name}_total"));
        } else if declared.contains("Histogram") {
            names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        } else {
            names.insert(name);
        }
    }
    assert!(names.len() > 30, "{names:?}");
    names
}

#[test]
fn alerts_look_at_metrics_that_the_program_has() {
    let exposed = exposed();
    let rules = chart("full").object("PrometheusRule", "weir-gateway");
    let rules = rules["spec"]["groups"][0]["rules"]
        .as_array()
        .unwrap()
        .clone();
    let name = regex::Regex::new(r"weir_\w+").unwrap();
    assert!(rules.len() > 10);
    for rule in rules {
        let (alert, expr) = (
            rule["alert"].as_str().unwrap(),
            rule["expr"].as_str().unwrap(),
        );
        let used: Vec<_> = name.find_iter(expr).map(|found| found.as_str()).collect();
        assert!(
            !used.is_empty() || alert == "WeirAbsent",
            "{alert} looks at nothing"
        );
        for metric in used {
            assert!(
                exposed.contains(metric),
                "{alert}: there is no metric {metric}"
            );
            let of_release = format!(r#"{metric}{{namespace="events",job="weir-gateway-admin""#);
            assert!(
                expr.contains(&of_release),
                "{alert} looks at others' {metric}"
            );
        }
        for text in ["summary", "description"] {
            assert!(
                rule["annotations"][text].is_string(),
                "{alert} has no {text}"
            );
        }
        // What the texts name must be there too.
        for found in name.find_iter(&rule["annotations"].to_string()) {
            let found = found.as_str();
            let there = |name: &String| name == found || name.starts_with(&format!("{found}_"));
            assert!(exposed.iter().any(there), "{alert} names {found}");
        }
    }
}

#[test]
fn chart_image_and_program_have_one_version() {
    let chart = tools::json(&source("helm/weir/Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let image = Chart::default().container(NEWEST)["image"].clone();
    assert_eq!(image, format!("weir:{}", env!("CARGO_PKG_VERSION")));
}

/// The paths of all values: leaves, and maps that are empty.
fn leaves(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(member, &below, into);
            }
        }
        _ => into.push(path.to_owned()),
    }
}

#[test]
fn every_value_is_described_in_its_file_and_in_the_readme() {
    let values = fs::read_to_string(folder().join("values.yaml")).unwrap();
    let mut paths = Vec::new();
    leaves(&tools::json(&values), "", &mut paths);
    assert!(paths.len() > 70, "{paths:?}");
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for path in &paths {
        // Values of a group may share a line: `probes.startup` stands for what is below it.
        let mut shown = path.as_str();
        while !readme.contains(&format!("`{shown}`")) {
            let (above, _) = shown
                .rsplit_once('.')
                .unwrap_or_else(|| panic!("README lacks {path}"));
            assert!(above.contains('.'), "README lacks {path}");
            shown = above;
        }
    }
    for described in regex::Regex::new(r"(?m)^\| `([a-zA-Z.]+)`")
        .unwrap()
        .captures_iter(&readme)
    {
        let path = described[1].to_owned();
        let there = |leaf: &String| *leaf == path || leaf.starts_with(&format!("{path}."));
        assert!(
            paths.iter().any(there),
            "README describes {path}, which is no value"
        );
    }
    let lines: Vec<_> = values.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let key = line.trim_start();
        let group = key.ends_with(':');
        if !key.is_empty() && !key.starts_with('#') && !group {
            assert!(
                lines[at - 1].trim_start().starts_with('#'),
                "no comment above `{key}`"
            );
        }
    }
}

#[test]
fn the_values_and_documents_of_the_guide_are_taken() {
    let guide = source("docs/install.md");
    let blocks: Vec<_> = guide.split("```yaml\n").skip(1).collect();
    let blocks: Vec<_> = blocks
        .iter()
        .map(|b| b.split("```").next().unwrap())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (mut values, mut documents) = (0, 0);
    for block in blocks {
        if block.starts_with("# values.yaml") {
            let file = folder.path().join("values.yaml");
            fs::write(&file, block).unwrap();
            let chart = Chart {
                values: Some(file),
                arguments: Vec::new(),
            };
            assert!(!chart.objects(NEWEST).is_empty());
            values += 1;
        } else {
            let name = block.lines().next().unwrap().trim_start_matches("# ");
            let file = folder.path().join(format!("{name}.yaml"));
            fs::write(&file, block).unwrap();
            let output = command().arg("check").arg(&file).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{name}: {text}");
            documents += 1;
        }
    }
    assert!(values >= 2 && documents >= 1, "{values} {documents}");
}
