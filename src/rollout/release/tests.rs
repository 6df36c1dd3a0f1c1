//! What is written for a release, a rollback and a float, and which sets a history tells of.

use crate::center::nacos::{Operation, Row};
use crate::rollout::release::timeline::{At, Past, Walk};

use super::*;

const REPO: &str = "weir.repo.a";
const CATALOG: &str = "weir.catalog.c";

fn entry(kind: Kind, name: &str, data_id: &str) -> (Kind, String, DataId) {
    (kind, name.to_owned(), DataId::new(data_id))
}

fn wanted(repo: &str, catalog: &str) -> Wanted {
    let entries = [
        entry(Kind::Repo, "a", REPO),
        entry(Kind::Catalog, "c", CATALOG),
    ];
    Wanted {
        index: index_of(entries, true),
        contents: [(REPO, repo), (CATALOG, catalog)]
            .map(|(id, text)| (DataId::new(id), Content::new(text)))
            .into(),
    }
}

fn released(by: &str) -> ReleaseForm {
    ReleaseForm {
        by: by.to_owned(),
        at: "2026-01-01T00:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into(),
        reason: "why".to_owned(),
        of: "abc".to_owned(),
        undoes: None,
    }
}

fn stood(text: &str) -> Stood {
    Stood {
        content: Content::new(text),
        md5: format!("md5 of {text}"),
    }
}

/// As it stands after a release was carried out.
fn carry_out(standing: &mut Standing, release: &Release) {
    let mut put = |id: &DataId, content: &Content| {
        standing.documents.insert(id.clone(), stood(&content.text));
    };
    release
        .addressed
        .iter()
        .for_each(|(id, content)| put(id, content));
    let mut index = &release.index;
    if let Some(follow) = &release.follow {
        follow
            .documents
            .iter()
            .for_each(|(id, content, _)| put(id, content));
        index = &follow.index;
    }
    standing.index = Some(stood(&index.to_yaml()));
}

/// The release that is needed.
fn needed(plan: Result<Plan, Error>) -> Release {
    match plan.unwrap() {
        Plan::Release(release) => *release,
        Plan::Stands(contents) => panic!("it stands: {contents:?}"),
    }
}

const PIN: Choice = Choice {
    pin: Which::All,
    float: Which::None,
};

#[test]
fn pinned_entries_go_live_with_the_index_alone() {
    let standing = Standing::default();
    let release = plan(&wanted("r1", "c1"), &standing, &PIN, &released("ann"));
    let release = needed(release);
    assert_eq!(release.base, Base::Absent);
    assert!(release.follow.is_none());
    let repo = &release.index.documents[0];
    let sha256 = Content::new("r1").sha256.to_string();
    assert_eq!(repo.sha256.as_ref(), Some(&sha256));
    assert_eq!(repo.data_id, format!("weir.repo.a.{}", &sha256[..12]));
    assert_eq!(release.addressed.len(), 2);
    assert_eq!(release.addressed[0].0.as_str(), repo.data_id);
    assert_eq!(release.index.release.as_ref().unwrap().by, "ann");
    read_index(&Content::new(release.index.to_yaml())).unwrap();
}

#[test]
fn what_floats_is_pinned_until_its_content_stands_there() {
    let mut standing = Standing::default();
    standing.documents.insert(DataId::new(CATALOG), stood("c1"));
    let release = plan(
        &wanted("r1", "c1"),
        &standing,
        &Choice::default(),
        &released("ann"),
    );
    let release = needed(release);
    let [repo, catalog] = &release.index.documents[..] else {
        panic!("{:?}", release.index)
    };
    assert!(repo.sha256.is_some() && repo.floated.as_deref() == Some(REPO));
    assert!(catalog.sha256.is_none(), "it stands there already");
    let follow = release.follow.as_ref().unwrap();
    let document = (DataId::new(REPO), Content::new("r1"), Base::Absent);
    assert_eq!(follow.documents, [document]);
    assert!(
        follow
            .index
            .documents
            .iter()
            .all(|entry| entry.sha256.is_none())
    );
    let digest = |index| digest(index, wanted_content);
    assert_eq!(digest(&release.index), digest(&follow.index), "one set");
}

fn wanted_content(id: &str) -> Option<&'static Content> {
    static CONTENTS: std::sync::OnceLock<BTreeMap<DataId, Content>> = std::sync::OnceLock::new();
    CONTENTS.get_or_init(|| wanted("r1", "c1").contents).get(id)
}

#[test]
fn what_stands_already_is_not_written_again() {
    for (choice, pinned) in [(PIN, 2), (Choice::default(), 0)] {
        let mut standing = Standing::default();
        let wanted = wanted("r1", "c1");
        let first = plan(&wanted, &standing, &choice, &released("ann"));
        carry_out(&mut standing, &needed(first));
        let again = plan(&wanted, &standing, &choice, &released("bob")).unwrap();
        let Plan::Stands(contents) = again else {
            panic!("{again:?}")
        };
        assert_eq!(contents.len(), pinned, "those that must stand, too");
    }
}

#[test]
fn entries_are_pinned_and_float_by_name() {
    let wanted = wanted("r1", "c1");
    let named = |name: &str| Which::Named(vec![name.to_owned()]);
    let choice = Choice {
        pin: named("repo/a"),
        float: Which::None,
    };
    let release = plan(&wanted, &Standing::default(), &choice, &released("ann"));
    let follow = needed(release).follow.unwrap();
    assert!(follow.index.documents[0].sha256.is_some());
    assert!(follow.index.documents[1].sha256.is_none());
    let choice = Choice {
        pin: named("b"),
        float: Which::None,
    };
    let wrong = plan(&wanted, &Standing::default(), &choice, &released("ann"));
    assert_eq!(wrong.unwrap_err(), Error::NoEntry("b".to_owned()));
}

#[test]
fn a_pinned_entry_floats_again_under_the_name_it_had() {
    let mut standing = Standing::default();
    let wanted = wanted("r1", "c1");
    let release = plan(&wanted, &standing, &PIN, &released("ann"));
    carry_out(&mut standing, &needed(release));
    let missing = back::floating("a", &standing, &released("ann")).unwrap_err();
    assert_eq!(missing, Error::NoContent(REPO.to_owned()));
    standing.documents.insert(DataId::new(REPO), stood("r2"));
    let release = back::floating("a", &standing, &released("ann")).unwrap();
    assert_eq!(release.index.documents[0].data_id, REPO);
    assert!(release.index.documents[0].sha256.is_none());
    assert!(release.index.documents[1].sha256.is_some());
    carry_out(&mut standing, &release);
    let floats = back::floating("a", &standing, &released("ann")).unwrap_err();
    assert_eq!(floats, Error::Floats("a".to_owned()));
}

/// Nacos with a history: every write is a row.
#[derive(Default)]
struct World {
    standing: Standing,
    rows: BTreeMap<DataId, Vec<(Row, Option<Content>)>>,
    number: u64,
}

impl World {
    fn write(&mut self, id: &str, text: Option<&str>) {
        let id = DataId::new(id);
        let stands = match id.as_str() {
            INDEX => self.standing.index.clone(),
            _ => self.standing.documents.get(&id).cloned(),
        };
        let before = stands.map(|stood| stood.content);
        let (operation, holds) = match (&before, text) {
            (None, text) => (Operation::Insert, text.map(Content::new)),
            (Some(_), Some(_)) => (Operation::Update, before),
            (Some(_), None) => (Operation::Delete, before),
        };
        self.number += 1;
        let row = Row {
            id: self.number.to_string(),
            at: jiff::Timestamp::UNIX_EPOCH,
            operation,
            user: Some("console".to_owned()),
            address: None,
        };
        self.rows
            .entry(id.clone())
            .or_default()
            .insert(0, (row, holds));
        match (id.as_str(), text) {
            (INDEX, text) => self.standing.index = text.map(stood),
            (_, Some(text)) => drop(self.standing.documents.insert(id, stood(text))),
            (_, None) => drop(self.standing.documents.remove(&id)),
        }
    }

    fn release(&mut self, wanted: &Wanted, choice: &Choice, by: &str) {
        let mut by = released(by);
        let contents = &wanted.contents;
        by.of = digest(&wanted.index, |id| contents.get(id)).to_string();
        let release = needed(plan(wanted, &self.standing, choice, &by));
        self.carry_out(&release);
    }

    fn carry_out(&mut self, release: &Release) {
        for (id, content) in &release.addressed {
            self.write(id.as_str(), Some(&content.text));
        }
        self.write(INDEX, Some(&release.index.to_yaml()));
        if let Some(follow) = &release.follow {
            for (id, content, _) in &follow.documents {
                self.write(id.as_str(), Some(&content.text));
            }
            self.write(INDEX, Some(&follow.index.to_yaml()));
        }
    }

    fn past(&self) -> Vec<Past> {
        self.newest(usize::MAX)
    }

    fn newest(&self, sets: usize) -> Vec<Past> {
        let mut walk = Walk::default();
        while walk.found() < sets {
            while let Some(id) = walk.wants().first().cloned() {
                let rows = self.rows.get(&id).cloned().unwrap_or_default();
                let plain: Vec<_> = rows.iter().map(|(row, _)| row.clone()).collect();
                let content = match walk.at(&plain) {
                    At::Now if id.as_str() == INDEX => {
                        self.standing.index.clone().map(|it| it.content)
                    }
                    At::Now => self
                        .standing
                        .documents
                        .get(&id)
                        .map(|it| it.content.clone()),
                    At::Row(row) => self.holds(&id, &row),
                    At::Absent => None,
                };
                walk.give(&id, plain, content);
            }
            let Some(next) = walk.next() else {
                return walk.end();
            };
            let before = match next.row.operation {
                Operation::Insert => None,
                Operation::Update | Operation::Delete => self.holds(&next.document, &next.row),
            };
            walk.undo(&next, before);
        }
        walk.end()
    }

    fn holds(&self, id: &DataId, wanted: &Row) -> Option<Content> {
        let mut rows = self.rows[id].iter();
        rows.find(|(row, _)| row == wanted).unwrap().1.clone()
    }

    fn digest(&self) -> Digest {
        let documents = &self.standing.documents;
        let content = |id: &str| documents.get(id).map(|stood| &stood.content);
        digest(&self.standing.form().unwrap(), content)
    }

    fn back(&mut self, number: usize) {
        let past = self.past();
        let release = back::to(&past[number], &self.standing, &released("op")).unwrap();
        assert_eq!(Some(&release.digest), past[number].digest.as_ref());
        self.carry_out(&release);
        assert_eq!(self.digest(), release.digest);
    }
}

#[test]
fn the_past_is_told_set_by_set() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &Choice::default(), "ann");
    world.write("weir.repo.unrelated", Some("x"));
    world.write(REPO, Some("r2"));
    world.release(&wanted("r3", "c2"), &PIN, "bob");
    // Nobody reads what stands here now.
    world.write(REPO, Some("r9"));
    let past = world.past();
    let told: Vec<_> = past
        .iter()
        .map(|past| {
            let origin = past.origin.as_ref().unwrap();
            (origin.by.clone().unwrap(), origin.changed.clone())
        })
        .collect();
    let of = |by: &str, changed: &[&str]| {
        let changed = changed.iter().map(ToString::to_string);
        (by.to_owned(), changed.collect::<Vec<_>>())
    };
    let both = &["catalog c", "repo a"];
    let expected = [of("bob", both), of("console", &["repo a"]), of("ann", both)];
    assert_eq!(told, expected);
    assert_eq!(past[0].digest.as_ref(), Some(&world.digest()));
    assert_eq!(world.newest(2).len(), 2, "who stops early invents nothing");
    let documents = &past[1].floating;
    assert_eq!(
        documents[REPO].text.as_ref(),
        "r2",
        "not what stands there now"
    );
}

#[test]
fn an_old_index_that_is_published_again_has_nobody_who_says_why() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &PIN, "ann");
    let first = world.standing.index.clone().unwrap().content.text;
    world.release(&wanted("r2", "c1"), &PIN, "bob");
    world.write(INDEX, Some(&first));
    let past = world.past();
    let said = |at: usize| {
        let origin = past[at].origin.as_ref().unwrap();
        (origin.by.as_deref().unwrap(), origin.reason.as_deref())
    };
    assert_eq!(said(0), ("console", None));
    assert_eq!(said(1), ("bob", Some("why")));
    assert_eq!(said(2), ("ann", Some("why")));
}

#[test]
fn an_index_goes_back_by_its_earlier_content() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &PIN, "ann");
    let first = world.standing.form().unwrap();
    world.release(&wanted("r2", "c1"), &PIN, "ann");
    world.back(1);
    let now = world.standing.form().unwrap();
    assert_eq!(now.documents, first.documents);
    assert!(now.version > first.version + 1);
    assert_eq!(now.release.unwrap().by, "op");
}

#[test]
fn a_floating_document_goes_back_by_being_pinned() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &Choice::default(), "ann");
    world.write(REPO, Some("r2"));
    world.back(1);
    let index = world.standing.form().unwrap();
    let [repo, catalog] = &index.documents[..] else {
        panic!("{index:?}")
    };
    assert_eq!(repo.floated.as_deref(), Some(REPO), "pinned by rollback");
    assert_eq!(repo.sha256, Some(Content::new("r1").sha256.to_string()));
    assert!(catalog.sha256.is_none(), "what did not change floats on");
    assert_eq!(world.standing.documents[REPO].content.text.as_ref(), "r2");
}

#[test]
fn one_repo_goes_back_alone() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &PIN, "ann");
    world.release(&wanted("r2", "c2"), &PIN, "ann");
    let past = world.past();
    let release = back::of_entry("repo/a", &past[1], &world.standing, &released("op")).unwrap();
    world.carry_out(&release);
    let documents = world.standing.form().unwrap().documents;
    let holds = |at: usize| documents[at].sha256.clone().unwrap();
    assert_eq!(holds(0), Content::new("r1").sha256.to_string());
    assert_eq!(holds(1), Content::new("c2").sha256.to_string());
    assert_eq!(past[1].holds("a"), [Content::new("r1").sha256]);
}

#[test]
fn a_deleted_index_comes_back() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &PIN, "ann");
    world.write(INDEX, None);
    let past = world.past();
    assert_eq!(past[0].digest, None);
    world.back(1);
    assert_eq!(world.standing.form().unwrap().documents.len(), 2);
}

#[test]
fn a_deleted_document_comes_back_pinned() {
    let mut world = World::default();
    world.release(&wanted("r1", "c1"), &Choice::default(), "ann");
    world.write(REPO, None);
    world.back(1);
    assert!(world.standing.form().unwrap().documents[0].sha256.is_some());
}
