//! Catalogs of an attempt: the documents of one name stand or fall together.

use crate::document::catalog::{CatalogForm, Part, compile};
use crate::document::diagnostic::Diagnostics;
use crate::document::digest::{Checksum, Content, DataId};
use crate::document::index;
use crate::document::set::CompiledCatalog;
use crate::document::set::attempt::{Attempt, Shapes};
use crate::document::text::{self, Tree};

/// A document of a catalog, read.
struct ReadPart {
    form: CatalogForm,
    tree: Tree,
}

impl Attempt<'_> {
    pub(super) fn catalog(&mut self, name: &str, entries: &[&index::Entry]) {
        let before = self
            .input
            .previous
            .and_then(|previous| previous.catalogs.get(name));
        let before = before.cloned();
        let contents: Vec<_> = entries.iter().map(|entry| self.content(entry)).collect();
        let sums: Vec<_> = contents
            .iter()
            .map(|each| each.as_ref().map(|c| c.sha256))
            .collect();
        let all: Option<Vec<Content>> = contents.into_iter().collect();
        let made = all.and_then(|contents| {
            let same = before.as_ref().filter(|before| same(before, &contents));
            same.cloned()
                .or_else(|| self.compile_catalog(entries, contents))
        });
        match made {
            Some(made) => {
                for (entry, (_, content)) in entries.iter().zip(&made.parts) {
                    self.keep(entry, content.clone());
                }
                self.others.catalogs.insert(name.to_owned(), made);
            }
            None => self.hold_catalog(name, entries, &sums, before),
        }
    }

    fn hold_catalog(
        &mut self,
        name: &str,
        entries: &[&index::Entry],
        sums: &[Option<Checksum>],
        before: Option<CompiledCatalog>,
    ) {
        let parts = before.as_ref().map(|before| before.parts.as_slice());
        let parts = parts.unwrap_or_default().to_vec();
        for (entry, sum) in entries.iter().zip(sums) {
            let content = parts.iter().find(|(data_id, _)| *data_id == entry.data_id);
            let before = content.map(|(_, content)| (content.clone(), ()));
            self.hold(entry, *sum, before);
        }
        if let Some(first) = entries.first() {
            let held = first.data_id.clone();
            self.others.held_catalogs.insert(name.to_owned(), held);
        }
        if let Some(before) = before {
            self.others.catalogs.insert(name.to_owned(), before);
        }
    }

    fn compile_catalog(
        &mut self,
        entries: &[&index::Entry],
        contents: Vec<Content>,
    ) -> Option<CompiledCatalog> {
        let ids: Vec<DataId> = entries.iter().map(|entry| entry.data_id.clone()).collect();
        let mut parts = Vec::new();
        for (id, content) in ids.iter().zip(&contents) {
            let mut out = Diagnostics::new(id.as_str());
            parts.push(read_part(&self.shapes, content, &mut out));
            self.diagnostics.extend(out.into_vec());
        }
        let parts: Vec<ReadPart> = parts.into_iter().collect::<Option<_>>()?;
        let named: Vec<_> = ids
            .iter()
            .zip(&parts)
            .map(|(id, part)| Part {
                document: id.as_str(),
                form: &part.form,
            })
            .collect();
        let (catalog, mut found) = compile(&named);
        for diagnostic in &mut found {
            let of = ids.iter().position(|id| id.as_str() == diagnostic.document);
            let tree = of.map(|index| &parts[index].tree);
            diagnostic.line =
                tree.and_then(|tree| tree.lines.find(&tree.value, &diagnostic.pointer));
        }
        self.diagnostics.extend(found);
        Some(CompiledCatalog {
            catalog: catalog?,
            parts: ids.into_iter().zip(contents).collect(),
        })
    }
}

fn read_part(shapes: &Shapes, content: &Content, out: &mut Diagnostics) -> Option<ReadPart> {
    let tree = text::parse(&content.text)
        .map_err(|error| out.text_error(&error))
        .ok()?;
    let form = shapes.catalog().read(&tree.value, out);
    out.locate(&tree);
    form.map(|form| ReadPart { form, tree })
}

fn same(before: &CompiledCatalog, contents: &[Content]) -> bool {
    let sums = before.parts.iter().map(|(_, content)| content.sha256);
    sums.eq(contents.iter().map(|content| content.sha256))
}
