//! What the chart renders is what Kubernetes takes.

use serde_json::{Value, json};

use super::tools::{Chart, KUBERNETES, NEWEST, chart, charts, decode, errors};

#[test]
fn lint_finds_nothing_in_any_set_of_values() {
    for chart in charts() {
        let output = chart.helm(&["lint", "--strict"], NEWEST);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {text}", chart.name());
        assert!(text.contains("0 chart(s) failed"), "{text}");
    }
}

#[test]
fn every_object_decodes_strictly_for_every_kubernetes() {
    let mut kinds = std::collections::BTreeSet::new();
    for chart in charts() {
        for kubernetes in KUBERNETES {
            for object in chart.objects(kubernetes) {
                kinds.insert(object["kind"].as_str().unwrap().to_owned());
                assert_eq!(object["metadata"]["namespace"], "events", "{object}");
                assert_ne!(object["kind"], "Secret", "secrets are only named: {object}");
            }
        }
    }
    // Nothing in the chart is left out of what is looked at.
    let all: Vec<_> = kinds.iter().map(String::as_str).collect();
    let expected = [
        "ConfigMap",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "Pod",
        "PodDisruptionBudget",
        "PrometheusRule",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
        "StatefulSet",
    ];
    assert_eq!(all, expected);
}

#[test]
fn the_decoder_finds_what_an_api_server_would_refuse() {
    let text = Chart::default().text(NEWEST);
    for (from, to, complaint) in [
        ("minReadySeconds", "minReadySecond", "unknown field"),
        ("minReadySeconds", "minreadyseconds", "unknown field"),
        ("replicas: 2", "replicas: two", "cannot unmarshal string"),
        ("replicas: 2", "replicas: 2\n  replicas: 3", "already set"),
        (
            "runAsNonRoot: true",
            "runAsNonRoot: false",
            "not restricted",
        ),
        ("drop: [ALL]", "drop: []", "not restricted"),
        (
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "writes to",
        ),
        ("weir:0.1.0", "weir:latest", "no fixed version"),
        (
            "- name: admin\n              mountPath",
            "- name: other\n              mountPath",
            "not there",
        ),
        ("targetPort: data", "targetPort: http", "leads to no port"),
        ("apps/v1", "apps/v1beta1", "no kind"),
    ] {
        assert!(text.contains(from), "`{from}` is not rendered");
        let error = decode(&text.replacen(from, to, 1)).err();
        let error = error.unwrap_or_else(|| panic!("`{to}` was taken"));
        assert!(error.contains(complaint), "`{to}`: {error}");
    }
}

#[test]
fn the_default_rendering_is_the_one_on_record() {
    insta::assert_snapshot!(Chart::default().text(NEWEST));
}

#[test]
fn the_pause_before_a_stop_needs_a_program_only_before_kubernetes_1_30() {
    for (kubernetes, hook) in [
        ("1.28", json!({"exec": {"command": ["sleep", "10"]}})),
        ("1.29", json!({"exec": {"command": ["sleep", "10"]}})),
        ("1.30", json!({"sleep": {"seconds": 10}})),
        (NEWEST, json!({"sleep": {"seconds": 10}})),
    ] {
        let container = Chart::default().container(kubernetes);
        assert_eq!(container["lifecycle"]["preStop"], hook, "{kubernetes}");
    }
}

#[test]
fn kubernetes_before_1_28_is_refused() {
    let output = Chart::default().helm(&["template", "weir"], "1.27.9");
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(errors.contains("requires kubeVersion: >=1.28"), "{errors}");
}

#[test]
fn other_settings_make_other_pods_and_other_documents_do_not() {
    let files = || chart("files");
    let pods = |chart: Chart| chart.object("StatefulSet", "weir")["spec"]["template"].clone();
    let before = pods(files());
    let settings = pods(files().set(r#"settings={"log":{"level":"debug"}}"#));
    let documents = pods(files().set(r#"documents.files={"weir.index.yaml":"version: 1"}"#));
    let checksum = |pods: &Value| pods["metadata"]["annotations"]["checksum/settings"].clone();
    assert!(checksum(&before).is_string());
    assert_ne!(checksum(&before), checksum(&settings));
    // Documents are read while the process runs.
    assert_eq!(before, documents);
}

#[test]
fn the_admin_port_is_closed_to_all_but_those_that_are_named() {
    let policy = |chart: Chart| chart.object("NetworkPolicy", "weir")["spec"]["ingress"].clone();
    let closed = policy(Chart::default());
    assert_eq!(closed[0], json!({"ports": [{"port": "data"}]}));
    assert_eq!(closed[1]["ports"], json!([{"port": "admin"}]));
    // Instances reach one another: `weir status` runs in one of them.
    let component = "app.kubernetes.io/component";
    let peers = closed[1]["from"].as_array().unwrap().iter();
    let peers: Vec<_> = peers
        .map(|peer| &peer["podSelector"]["matchLabels"][component])
        .collect();
    assert_eq!(peers, ["gateway", "test"], "{closed}");
    let peer = r#"networkPolicy.adminFrom=[{"ipBlock":{"cidr":"192.0.2.0/24"}}]"#;
    let open = policy(Chart::default().set(peer));
    assert_eq!(open[1]["from"][0]["ipBlock"]["cidr"], "192.0.2.0/24");

    // Where egress is closed too, that way stays open.
    let egress = chart("full").object("NetworkPolicy", "weir-gateway")["spec"]["egress"].clone();
    let own = egress.as_array().unwrap().last().unwrap();
    assert_eq!(own["ports"], json!([{"port": "admin"}]));
    assert_eq!(
        own["to"][0]["podSelector"]["matchLabels"][component],
        "gateway"
    );
}

#[test]
fn autoscaling_and_a_number_of_replicas_do_not_fight() {
    let set = |chart: Chart| chart.object("StatefulSet", "weir")["spec"]["replicas"].clone();
    assert_eq!(set(Chart::default()), 2);
    assert_eq!(
        set(Chart::default().set("autoscaling.enabled=true")),
        Value::Null
    );
}

#[test]
fn an_instance_that_is_not_ready_is_found_by_its_name() {
    let admin = Chart::default().object("Service", "weir-admin")["spec"].clone();
    assert_eq!(admin["clusterIP"], "None");
    assert_eq!(admin["publishNotReadyAddresses"], true);
    let set = Chart::default().object("StatefulSet", "weir");
    assert_eq!(set["spec"]["serviceName"], "weir-admin");
}
