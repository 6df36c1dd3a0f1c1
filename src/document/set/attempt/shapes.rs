//! The shapes of the kinds of documents, each made when the first such document is read.

use std::cell::OnceCell;

use crate::document::catalog::CatalogForm;
use crate::document::producers::ProducersForm;
use crate::document::repo::RepoForm;
use crate::document::shape::Shape;
use crate::document::tables::TablesForm;

#[derive(Debug, Default)]
pub(super) struct Shapes {
    producers: OnceCell<Shape>,
    tables: OnceCell<Shape>,
    catalog: OnceCell<Shape>,
    repo: OnceCell<Shape>,
}

impl Shapes {
    pub(super) fn producers(&self) -> &Shape {
        self.producers.get_or_init(Shape::of::<ProducersForm>)
    }

    pub(super) fn tables(&self) -> &Shape {
        self.tables.get_or_init(Shape::of::<TablesForm>)
    }

    pub(super) fn catalog(&self) -> &Shape {
        self.catalog.get_or_init(Shape::of::<CatalogForm>)
    }

    pub(super) fn repo(&self) -> &Shape {
        self.repo.get_or_init(Shape::of::<RepoForm>)
    }
}
