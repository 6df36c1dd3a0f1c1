//! Values that cannot work are refused by helm, with what to do.

use super::tools::{Chart, NEWEST, chart, errors};

/// Refused values, each with what the message must say.
const WRONG: &[(&str, &str)] = &[
    // What no chart has: the schema is closed at every level.
    ("replica=3", "additional properties 'replica' not allowed"),
    (
        "image.tags=\"1\"",
        "additional properties 'tags' not allowed",
    ),
    (
        "nacos.password=\"x\"",
        "additional properties 'password' not allowed",
    ),
    (
        "admin.token=\"x\"",
        "additional properties 'token' not allowed",
    ),
    (
        "probes.liveness.path=\"/\"",
        "additional properties 'path' not allowed",
    ),
    // Wrong types and ranges.
    ("replicas=\"two\"", "want integer"),
    ("image.tag=1.0", "want string"),
    ("image.tag=\"latest\"", "/image/tag"),
    ("image.repository=\"weir:1\"", "/image/repository"),
    ("image.digest=\"sha256:12\"", "/image/digest"),
    ("documents.source=\"git\"", "/documents/source"),
    ("nacos.url=\"nacos:8848\"", "/nacos/url"),
    ("nacos.url=\"http://user:secret@nacos:8848\"", "/nacos/url"),
    ("admin.existingSecret=\"\"", "/admin/existingSecret"),
    ("service.port=0", "/service/port"),
    ("spread.zones=\"Always\"", "/spread/zones"),
    ("persistence.size=\"10 GB\"", "/persistence/size"),
    (
        "podDisruptionBudget.maxUnavailable=0",
        "/podDisruptionBudget/maxUnavailable",
    ),
    ("test.image.tag=\"\"", "/test/image/tag"),
    // Secrets by reference only.
    (
        "extraEnv=[{\"name\":\"KEY\",\"value\":\"x\"}]",
        "additional properties 'value' not allowed",
    ),
    (
        "extraEnv=[{\"name\":\"WEIR_LISTEN\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"a\",\"key\":\"b\"}}}]",
        "/extraEnv/0/name",
    ),
    (
        "extraVolumes=[{\"name\":\"host\",\"hostPath\":{\"path\":\"/\"}}]",
        "additional properties 'hostPath' not allowed",
    ),
    // A stop that would be cut short.
    (
        "shutdown.gracePeriodSeconds=30",
        "shutdown.gracePeriodSeconds is 30, and a pod may need 50 s to stop without loss: 10 (deregisterSeconds) + 15 (requestsSeconds) + 20 (flush and tasks) + 5 (margin). Raise it or leave it null",
    ),
    (
        "settings.data_port.drain=\"60 s\"",
        "set shutdown.requestsSeconds",
    ),
    // Two sources of documents.
    (
        "documents.files={\"weir.index.yaml\":\"version: 1\"}",
        "set documents.source=file to try them out",
    ),
    (
        "documents={\"source\":\"file\",\"files\":{\"index.yaml\":\"version: 1\"}}",
        "'index.yaml' does not match pattern",
    ),
    (
        "documents.source=\"file\"",
        "documents.source=file needs documents.files",
    ),
    (
        "settings.documents=\"/docs\"",
        "settings.documents is set by the chart: set documents.source",
    ),
    (
        "settings.nacos.url=\"http://nacos\"",
        "settings.nacos.url is set by the chart: set nacos.url",
    ),
    ("settings.nacos=\"http://nacos\"", "/settings/nacos"),
    // Settings that the program does not have.
    (
        "settings.data_port={\"max_connection\":1}",
        "additional properties 'max_connection' not allowed",
    ),
    (
        "settings.records_in_flight=\"512 MB\"",
        "/settings/records_in_flight",
    ),
    // What the chart derives.
    (
        "settings.listen=\"0.0.0.0:1\"",
        "settings.listen is set by the chart",
    ),
    (
        "settings.admin=\"0.0.0.0:1\"",
        "settings.admin is set by the chart",
    ),
    (
        "settings.state=\"/tmp\"",
        "settings.state is set by the chart",
    ),
    (
        "settings.admin_port.token=\"env:T\"",
        "set admin.existingSecret",
    ),
    // What would stand twice.
    (
        "labels={\"app.kubernetes.io/component\":\"edge\"}",
        "labels names app.kubernetes.io/component, which the chart sets itself: remove it",
    ),
    (
        "podLabels={\"app.kubernetes.io/name\":\"edge\"}",
        "podLabels names app.kubernetes.io/name, which the chart sets itself: remove it",
    ),
    (
        "podAnnotations={\"checksum/settings\":\"0\"}",
        "podAnnotations names checksum/settings",
    ),
    // Parts that need one another.
    (
        "serviceMonitor.enabled=true",
        "name Prometheus' pods in networkPolicy.adminFrom",
    ),
    ("prometheusRule.enabled=true", "turn serviceMonitor on too"),
    (
        "autoscaling={\"enabled\":true,\"minReplicas\":12}",
        "give at least as many as most",
    ),
    (
        "autoscaling={\"enabled\":true,\"x\":1}",
        "additional properties 'x' not allowed",
    ),
    (
        "resources={\"requests\":{\"cpu\":\"a lot\"}}",
        "/resources/requests/cpu",
    ),
];

#[test]
fn one_wrong_value_is_refused_with_what_to_do() {
    for (value, message) in WRONG {
        let wrong = Chart::default().set(value);
        let output = wrong.helm(&["template", "weir"], NEWEST);
        assert!(!output.status.success(), "{value} was taken");
        let errors = errors(&output);
        assert!(errors.contains(message), "{value}: {errors}");
    }
}

#[test]
fn a_label_of_every_object_that_pods_have_too_is_refused() {
    let both = Chart::default().set(r#"labels={"team":"data"}"#);
    let output = both
        .set(r#"podLabels={"team":"edge"}"#)
        .helm(&["template", "weir"], NEWEST);
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(
        errors.contains("podLabels names team, and so does labels"),
        "{errors}"
    );
}

#[test]
fn a_login_to_nacos_beside_documents_from_files_is_refused() {
    let both = chart("files").set("nacos.existingSecret=\"nacos\"");
    let output = both.helm(&["template", "weir"], NEWEST);
    assert!(!output.status.success());
    let errors = errors(&output);
    assert!(
        errors.contains("does not read Nacos: take one of the two away"),
        "{errors}"
    );
}
