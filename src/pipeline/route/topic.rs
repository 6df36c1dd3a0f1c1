//! The topic of a record: a constant, or a template whose every outcome is known before.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::event::{EventMut, FieldId, Json, Kind, TopicId};

/// How the topic is chosen.
#[derive(Debug)]
pub enum TopicChoice {
    /// Always the same.
    Constant(TopicId),
    /// By the values of fields.
    Template(Template),
}

/// A topic by the values of fields.
#[derive(Debug)]
pub struct Template {
    /// The fields, in the order in which they stand in the template.
    pub placeholders: Vec<Placeholder>,
    /// One for every combination of values; those of the last placeholder are neighbours.
    pub topics: Vec<TopicId>,
    /// For an event whose value is missing or not declared.
    pub fallback: Option<TopicId>,
}

/// A field in a template.
#[derive(Debug)]
pub struct Placeholder {
    /// The field.
    pub field: FieldId,
    /// Its declared values, each with its place.
    pub values: HashMap<Box<str>, usize, RandomState>,
}

impl TopicChoice {
    /// The topic of an event; or the field whose value is missing or not declared.
    pub(super) fn of(&self, event: &EventMut<'_>) -> Result<TopicId, FieldId> {
        match self {
            Self::Constant(topic) => Ok(*topic),
            Self::Template(template) => template.of(event),
        }
    }
}

impl Template {
    fn of(&self, event: &EventMut<'_>) -> Result<TopicId, FieldId> {
        let mut index = 0;
        for placeholder in &self.placeholders {
            let value = event.get(placeholder.field);
            match value.and_then(|value| placeholder.place(value)) {
                Some(place) => index = index * placeholder.values.len() + place,
                None => return self.fallback.ok_or(placeholder.field),
            }
        }
        Ok(self.topics[index])
    }
}

impl Placeholder {
    /// A number or boolean is the value that is written like it.
    fn place(&self, value: Json<'_>) -> Option<usize> {
        match value.kind() {
            Kind::String => self.values.get(&*value.as_str()?).copied(),
            Kind::Number | Kind::Bool => {
                let text = std::str::from_utf8(value.raw()).ok()?;
                self.values.get(text).copied()
            }
            Kind::Null | Kind::Array | Kind::Object => None,
        }
    }
}
