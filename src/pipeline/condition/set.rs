//! `eq` and `in`: a constant, and a set of them in which a look-up costs the same for any size.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};

use crate::event::{Json, Kind};
use crate::pipeline::condition::text::equals;
use crate::pipeline::number::Number;

/// A value of a document that events are compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Box<str>),
}

impl Constant {
    /// Whether the value is the same.
    pub fn equals(&self, value: Json<'_>) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::Bool(expected) => value.as_bool() == Some(*expected),
            Self::Number(expected) => Number::read(value).is_some_and(|is| is == *expected),
            Self::Text(expected) => equals(value, expected.as_bytes()),
        }
    }
}

/// A set of constants.
#[derive(Debug, Default)]
pub struct Set {
    texts: HashSet<Box<[u8]>, RandomState>,
    numbers: HashMap<u64, Vec<Number>, RandomState>,
    yes: bool,
    no: bool,
    null: bool,
}

impl FromIterator<Constant> for Set {
    fn from_iter<I: IntoIterator<Item = Constant>>(constants: I) -> Self {
        let mut set = Self::default();
        for constant in constants {
            match constant {
                Constant::Null => set.null = true,
                Constant::Bool(true) => set.yes = true,
                Constant::Bool(false) => set.no = true,
                Constant::Number(number) => {
                    set.numbers.entry(number.key()).or_default().push(number);
                }
                Constant::Text(text) => {
                    set.texts.insert(text.into_boxed_bytes());
                }
            }
        }
        set
    }
}

impl Set {
    /// Whether the value is one of them.
    pub fn contains(&self, value: Json<'_>) -> bool {
        match value.kind() {
            Kind::Null => self.null,
            Kind::Bool => match value.as_bool() {
                Some(true) => self.yes,
                _ => self.no,
            },
            Kind::Number => !self.numbers.is_empty() && self.contains_number(value),
            Kind::String => {
                !self.texts.is_empty()
                    && value
                        .characters()
                        .is_some_and(|text| self.texts.contains(text.as_ref()))
            }
            Kind::Array | Kind::Object => false,
        }
    }

    fn contains_number(&self, value: Json<'_>) -> bool {
        Number::read(value).is_some_and(|number| {
            self.numbers
                .get(&number.key())
                .is_some_and(|same| same.contains(&number))
        })
    }
}
