//! What switches put in force, and what they are refused for.

use std::collections::BTreeMap;

use super::*;
use crate::document::digest::{Content, DataId};
use crate::document::set::{self, Input, Set};
use crate::event::Ack;
use crate::pipeline::RepoName;
use crate::pipeline::switched::Switched;
use crate::pipeline::switched::restriction::Action;
use crate::pipeline::validate::Mode;

const NOW: &str = "2026-06-01T00:00:00Z";

const REPO: &str = r"
version: 1
executers:
  - { name: campaign, remove: a }
  - { name: safe, locked: true, remove: b }
enrich:
  time: { as: recv_time }
validate:
  - { name: plan, kind: required, fields: [ event ] }
route:
  - otherwise: { producer: files, topic: t }
";

fn set() -> Set {
    set_of(REPO)
}

fn set_of(repo: &str) -> Set {
    let documents = [
        (
            "weir.producers",
            "version: 1\nproducers:\n  files: { file: { folder: out } }\n",
        ),
        ("weir.repo.a", repo),
    ];
    let documents: BTreeMap<_, _> = documents
        .into_iter()
        .map(|(id, text)| (DataId::new(id), Ok(Content::new(text))))
        .collect();
    let compilation = set::compile(&Input {
        documents: &documents,
        previous: None,
        run_samples: false,
        listed: true,
    });
    assert_eq!(compilation.diagnostics, []);
    compilation.set.unwrap()
}

#[test]
fn a_repo_whose_document_does_not_compile_is_not_called_unknown() {
    let mut set = set();
    set.without_document.insert(RepoName::new("broken"));
    let text = "version: 1\nrepos:\n  broken: { plan: { mode: off } }\n";
    let switches = run(text, &set, None).unwrap();
    assert_eq!(
        warnings(&switches),
        [
            "/repos/broken: the document of repo `broken` does not compile yet | repair that document; then this takes effect"
        ]
    );
}

fn run(text: &str, set: &Set, before: Option<&Switches>) -> Result<Switches, Vec<String>> {
    let (id, now) = (DataId::new("weir.switches"), NOW.parse().unwrap());
    compile(&id, &Content::new(text), set, now, before)
        .map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn of(switches: &Switches, set: &Set) -> std::sync::Arc<Switched> {
    let repo = RepoName::new("a");
    switches.of(&repo, &set.repos["a"].plan)
}

fn warnings(switches: &Switches) -> Vec<String> {
    let all = switches.warnings.iter();
    all.map(|each| format!("{}: {} | {}", each.pointer, each.message, each.hint))
        .collect()
}

#[test]
fn without_switches_the_document_counts() {
    let set = set();
    let switched = of(&Switches::default(), &set);
    assert_eq!(switched.modes, [Mode::Enforce]);
    assert_eq!(switched.executers, [true, true]);
    assert_eq!(switched.enrich, [true]);
}

#[test]
fn validators_executers_and_enrich_steps_are_switched_by_name() {
    let set = set();
    let text = "version: 1\nrepos:\n  a:\n    plan: { mode: shadow, note: why, by: me }\n    campaign: { mode: off }\n    time: { mode: off }\n";
    let switches = run(text, &set, None).unwrap();
    assert_eq!(warnings(&switches), [""; 0]);
    let switched = of(&switches, &set);
    assert_eq!(switched.modes, [Mode::Shadow]);
    assert_eq!(switched.executers, [false, true]);
    assert_eq!(switched.enrich, [false]);
}

#[test]
fn what_names_nothing_or_is_locked_is_a_warning_and_the_rest_is_in_force() {
    let set = set();
    let text = "version: 1\nrepos:\n  b: { x: { mode: off } }\n  a:\n    plann: { mode: off }\n    safe: { mode: off }\n    campaign: { mode: shadow }\n    time: { mode: off }\n";
    let switches = run(text, &set, None).unwrap();
    assert_eq!(
        warnings(&switches),
        [
            "/repos/a/campaign: `campaign` is a step; this has no effect | its mode is `on` or `off`",
            "/repos/a/plann: `plann` is no validator, executer or enrich step of `a`; this has no effect | did you mean `plan`?",
            "/repos/a/safe: `safe` is locked; this has no effect | its repo's document says that it always runs; change that document",
            "/repos/b: no repo `b` is live; this has no effect | did you mean `a`?",
        ]
    );
    assert_eq!(switches.warnings[0].line, Some(7));
    let switched = of(&switches, &set);
    assert_eq!(switched.executers, [true, true]);
    assert_eq!(switched.enrich, [false]);
}

#[test]
fn until_ends_a_switch_and_the_next_end_is_known() {
    let set = set();
    let switch = |until: &str| {
        let text = format!(
            "version: 1\nrepos: {{ a: {{ plan: {{ mode: off, until: \"{until}\" }}, campaign: {{ mode: off, until: 2027-01-01T00:00:00Z }} }} }}\n"
        );
        run(&text, &set, None).unwrap()
    };
    let over = switch("2026-06-01T08:00:00+08:00");
    assert_eq!(of(&over, &set).modes, [Mode::Enforce]);
    assert_eq!(over.next_until.unwrap().to_string(), "2027-01-01T00:00:00Z");
    let on = switch("2026-06-01T08:00:01+08:00");
    assert_eq!(of(&on, &set).modes, [Mode::Off]);
    assert_eq!(on.next_until.unwrap().to_string(), "2026-06-01T00:00:01Z");
    assert_ne!(over.digest, on.digest);
}

#[test]
fn the_digest_is_that_of_what_is_in_force() {
    let set = set();
    let with = |text: &str| run(text, &set, None).unwrap().digest;
    let plain = with("version: 1\nrepos: { a: { plan: { mode: off } } }\n");
    assert_eq!(
        plain,
        with("version: 2\nrepos: { a: { plan: { mode: off, note: x } } }\n")
    );
    assert_ne!(
        plain,
        with("version: 1\nrepos: { a: { plan: { mode: shadow } } }\n")
    );
    assert_eq!(with("version: 1\n"), Switches::default().digest);
}

const RESTRICTIONS: &str = r"
version: 1
restrictions:
  - { repo: a, when: { field: new.field, eq: flood }, do: drop }
  - { repo: a, do: { sample: { keep: 0.1, of: user } } }
  - { repo: a, do: { priority: P3 } }
  - { repo: a, do: { rate: { events_per_second: 100 } }, note: slow }
";

#[test]
fn restrictions_may_read_fields_that_the_repo_does_not() {
    let set = set();
    let plan = &set.repos["a"].plan;
    let switches = run(RESTRICTIONS, &set, None).unwrap();
    assert_eq!(warnings(&switches), [""; 0]);
    let switched = of(&switches, &set);
    let numbers: Vec<_> = switched
        .restrictions
        .iter()
        .map(|each| each.number)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let wider = &switched.fields.as_ref().unwrap().0;
    assert!(wider.len() > plan.fields.len());
    let time = crate::event::Path::parse("recv_time").unwrap();
    assert_eq!(wider.find(&time), plan.fields.find(&time));
}

fn bucket(switched: &Switched) -> &std::sync::Arc<crate::pipeline::switched::bucket::Bucket> {
    match &switched.restrictions[3].action {
        Action::Rate(_, bucket) => bucket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bucket_of_a_rate_survives_while_the_rate_stays() {
    let set = set();
    let first = run(RESTRICTIONS, &set, None).unwrap();
    let same = RESTRICTIONS.replace("slow", "slower");
    let second = run(&same, &set, Some(&first)).unwrap();
    let (one, two) = (of(&first, &set), of(&second, &set));
    assert_eq!(one, two);
    assert!(std::sync::Arc::ptr_eq(bucket(&one), bucket(&two)));
    let other = RESTRICTIONS.replace("second: 100", "second: 200");
    let third = of(&run(&other, &set, Some(&first)).unwrap(), &set);
    assert_ne!(one, third);
    assert!(!std::sync::Arc::ptr_eq(bucket(&one), bucket(&third)));
}

#[test]
fn switches_that_are_wrong_in_themselves_do_not_compile() {
    let set = set();
    for (text, expected) in [
        (
            "version: 1\nrepos: { a: { plan: { mode: of } } }\n",
            "expected one of `enforce`, `shadow`, `off`, `on`",
        ),
        (
            "version: 1\nrepos: { a: { plan: { mode: off, until: tomorrow } } }\n",
            "expected a point in time",
        ),
        (
            "version: 1\nrepos: { a: { plan: { mode: off, until: 2026-13-01T00:00:00Z } } }\n",
            "is no point in time",
        ),
        (
            "version: 1\nrestrictions: [ { repo: a, do: { rate: { events_per_second: 0 } } } ]\n",
            "must be at least 1",
        ),
        (
            "version: 1\nrestrictions: [ { repo: zz, when: { field: a..b, eq: 1 }, do: drop } ]\n",
            "`a..b` is not a path",
        ),
        (
            "version: 1\nrestrictions: [ { repo: a, do: { sample: { keep: 2 } } } ]\n",
            "must be at most 1",
        ),
        ("", "blank"),
    ] {
        let found = run(text, &set, None).unwrap_err();
        assert!(
            found.iter().any(|each| each.contains(expected)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn switches_for_another_plan_are_not_in_force() {
    let (one, other) = (set(), set());
    let switches = run(
        "version: 1\nrepos: { a: { plan: { mode: off } } }\n",
        &one,
        None,
    )
    .unwrap();
    assert_eq!(of(&switches, &one).modes, [Mode::Off]);
    assert_eq!(of(&switches, &other).modes, [Mode::Enforce]);
}

#[test]
fn a_redirect_goes_to_a_topic_that_the_repo_names() {
    let set = set();
    let redirect = |to: &str| {
        let text =
            format!("version: 1\nrestrictions: [ {{ repo: a, do: {{ redirect: {to} }} }} ]\n");
        run(&text, &set, None).unwrap()
    };
    let good = redirect("{ topic: t }");
    assert_eq!(warnings(&good), [""; 0]);
    assert!(matches!(
        of(&good, &set).restrictions[0].action,
        Action::Redirect(..)
    ));
    for (to, expected) in [
        (
            "{ topic: u }",
            "the repo `a` has no topic `u`; this has no effect",
        ),
        (
            "{ topic: t, producer: x }",
            "the repo `a` has no producer `x`; this has no effect",
        ),
    ] {
        let wrong = redirect(to);
        assert!(
            warnings(&wrong)[0].contains(expected),
            "{:?}",
            warnings(&wrong)
        );
        assert!(of(&wrong, &set).restrictions.is_empty());
    }
}

#[test]
fn a_redirect_is_no_less_safe_than_the_events_it_takes() {
    let repo = "version: 1\nroute:\n\
        \x20 - { when: { field: a, eq: 1 }, to: { producer: files, topic: loose, ack: memory } }\n\
        \x20 - { when: { field: a, eq: 2 }, to: { producer: files, topic: safe, ack: kafka } }\n\
        \x20 - otherwise: { producer: files, topic: loose, ack: memory }\n";
    let set = set_of(repo);
    for (topic, ack) in [("safe", Ack::Kafka), ("loose", Ack::Memory)] {
        let text = format!(
            "version: 1\nrestrictions: [ {{ repo: a, do: {{ redirect: {{ topic: {topic} }} }} }} ]\n"
        );
        let switches = run(&text, &set, None).unwrap();
        let Action::Redirect(target, _) = of(&switches, &set).restrictions[0].action else {
            panic!("no redirect to {topic}")
        };
        assert_eq!(set.repos["a"].plan.targets[usize::from(target.0)].ack, ack);
    }
}

#[test]
fn what_is_in_force_is_listed_since_it_came_into_force() {
    let set = set();
    let text = |note: &str, mode: &str| {
        format!(
            "version: 1\nrepos: {{ a: {{ plan: {{ mode: {mode}, note: {note}, by: me }}, gone: {{ mode: off }} }} }}\n\
             restrictions: [ {{ repo: a, do: drop, until: 2026-12-01T00:00:00Z }} ]\n"
        )
    };
    let first = run(&text("why", "shadow"), &set, None).unwrap();
    let now: jiff::Timestamp = NOW.parse().unwrap();
    let [plan, drop] = &*first.listed else {
        panic!("{:?}", first.listed)
    };
    assert_eq!(plan.names, listing::Names::Switch("plan".into()));
    let words = (&*plan.says, &*plan.note, &*plan.by, plan.since);
    assert_eq!(words, ("shadow", "why", "me", now));
    assert_eq!(drop.names, listing::Names::Restriction(1));
    assert!(drop.until.is_some());

    let (id, later) = (
        DataId::new("weir.switches"),
        now + jiff::SignedDuration::from_hours(1),
    );
    let again = |mode: &str| {
        let content = Content::new(text("other", mode));
        let switches = compile(&id, &content, &set, later, Some(&first)).unwrap();
        (switches.listed[0].note.clone(), switches.listed[0].since)
    };
    assert_eq!(again("shadow"), ("other".into(), now), "a new note");
    assert_eq!(again("off"), ("other".into(), later), "a new mode");
}
