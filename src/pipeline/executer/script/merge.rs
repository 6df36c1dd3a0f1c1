//! What a program made of an event, as JSON again. Whatever says the same as before is copied from
//! the event as it stood: numbers keep their digits, strings their escapes, members their order.
//! New members come last, sorted by name, because tables have no order.

use std::borrow::Cow;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use mlua::{Table, Value};

use crate::event::{Json, Kind, Member};
use crate::pipeline::executer::script::machine::{Machine, say};

/// Deeper than any event may be; a table can hold itself.
const DEPTH: u32 = 128;

/// The new event while it is written.
struct Draft<'o> {
    out: &'o mut Vec<u8>,
    most: usize,
    depth: u32,
    changed: bool,
}

impl Machine {
    /// Appends the event that `table` is, and says whether it is another one than before.
    pub(super) fn merge(
        &mut self,
        table: &Table,
        before: Json<'_>,
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        if self.is_list(table, None) {
            return Err("`process` returned a list; it must return the event".to_owned());
        }
        let mut draft = Draft {
            out,
            most,
            depth: 0,
            changed: false,
        };
        self.object(table, Some(before), &mut draft)?;
        Ok(draft.changed)
    }

    fn write(
        &mut self,
        value: &Value,
        before: Option<Json<'_>>,
        draft: &mut Draft<'_>,
    ) -> Result<(), String> {
        if let Some(before) = before
            && same(value, before)
        {
            return draft.copy(before);
        }
        match value {
            Value::Table(table) => {
                draft.depth += 1;
                if draft.depth > DEPTH {
                    return Err("the event it returns is nested too deep".to_owned());
                }
                if self.is_list(table, before) {
                    self.list(table, before, draft)?;
                } else {
                    self.object(table, before, draft)?;
                }
                draft.depth -= 1;
                return draft.bounded();
            }
            Value::String(text) => {
                let text = text
                    .to_str()
                    .map_err(|_| "a string is not UTF-8".to_owned())?;
                draft.bounded_by(text.len())?;
                Json::write_str(draft.out, &text);
            }
            Value::Boolean(true) => draft.out.extend_from_slice(b"true"),
            Value::Boolean(false) => draft.out.extend_from_slice(b"false"),
            Value::Integer(number) => draft.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Number(number) => draft.number(*number)?,
            null if null.is_null() => draft.out.extend_from_slice(b"null"),
            other => return Err(format!("a {} cannot stand in an event", other.type_name())),
        }
        draft.changed = true;
        draft.bounded()
    }

    fn object(
        &mut self,
        table: &Table,
        before: Option<Json<'_>>,
        draft: &mut Draft<'_>,
    ) -> Result<(), String> {
        let before = before.filter(|before| before.kind() == Kind::Object);
        draft.changed |= before.is_none();
        let members: Vec<_> = before
            .into_iter()
            .flat_map(Json::members)
            .map(|member| (member.key.characters().unwrap_or_default(), member))
            .collect();
        let mut taken = 0;
        draft.out.push(b'{');
        let empty = draft.out.len();
        let superseded = superseded(&members);
        for (index, (key, member)) in members.iter().enumerate() {
            if superseded.contains(&index) {
                continue;
            }
            let name = self.key(key).map_err(|error| say(&error))?;
            let value: Value = table.raw_get(name).map_err(|error| say(&error))?;
            if value.is_nil() {
                draft.changed = true;
                continue;
            }
            taken += 1;
            draft.comma(empty);
            draft.out.extend_from_slice(member.key.raw());
            draft.out.push(b':');
            self.write(&value, Some(member.value), draft)?;
        }
        if count(table)? > taken {
            draft.changed = true;
            for (key, value) in added(table, &members)? {
                draft.comma(empty);
                Json::write_str(draft.out, &key);
                draft.out.push(b':');
                self.write(&value, None, draft)?;
            }
        }
        draft.out.push(b'}');
        Ok(())
    }

    fn list(
        &mut self,
        table: &Table,
        before: Option<Json<'_>>,
        draft: &mut Draft<'_>,
    ) -> Result<(), String> {
        let len = table.raw_len();
        if count(table)? != len {
            return Err("a list has a gap, or names beside its numbers".to_owned());
        }
        draft.changed |= before.is_none_or(|before| before.kind() != Kind::Array);
        let mut elements = before.into_iter().flat_map(Json::elements);
        draft.out.push(b'[');
        let empty = draft.out.len();
        for index in 1..=len {
            let value: Value = table.raw_get(index).map_err(|error| say(&error))?;
            draft.comma(empty);
            self.write(&value, elements.next(), draft)?;
        }
        draft.changed |= elements.next().is_some();
        draft.out.push(b']');
        Ok(())
    }

    /// An empty table is what it was made as, or what stood there before.
    fn is_list(&self, table: &Table, before: Option<Json<'_>>) -> bool {
        let marked = table
            .metatable()
            .is_some_and(|metatable| metatable.to_pointer() == self.list.to_pointer());
        let was = before.is_some_and(|before| before.kind() == Kind::Array);
        marked || table.raw_len() > 0 || (was && table.is_empty())
    }
}

impl Draft<'_> {
    fn copy(&mut self, before: Json<'_>) -> Result<(), String> {
        self.out.extend_from_slice(before.raw());
        self.bounded()
    }

    fn comma(&mut self, empty: usize) {
        if self.out.len() > empty {
            self.out.push(b',');
        }
    }

    fn bounded(&self) -> Result<(), String> {
        self.bounded_by(0)
    }

    fn bounded_by(&self, more: usize) -> Result<(), String> {
        if self.out.len() + more > self.most {
            return Err("the event it returns is larger than it may be".to_owned());
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), String> {
        use std::io::Write;

        if !number.is_finite() {
            return Err(format!("{number} cannot stand in an event"));
        }
        let written = if number.fract() == 0.0 && number.abs() < 1e15 {
            write!(self.out, "{:.0}", number + 0.0)
        } else {
            write!(self.out, "{number:?}")
        };
        written.map_err(|error| error.to_string())
    }
}

/// Whether a value says what stood there before; tables are looked at member by member instead.
fn same(value: &Value, before: Json<'_>) -> bool {
    match value {
        Value::Boolean(value) => before.as_bool() == Some(*value),
        Value::Integer(value) => before.as_f64() == Some(double(*value)),
        Value::Number(value) => before.as_f64() == Some(*value),
        Value::String(value) => {
            let before = before.characters();
            before.is_some_and(|before| *value.as_bytes() == *before)
        }
        value => value.is_null() && before.is_null(),
    }
}

/// Luau knows only doubles; those without fraction come as integers.
#[expect(clippy::cast_precision_loss, reason = "it was a double before")]
fn double(integer: i64) -> f64 {
    integer as f64
}

/// How many members a table has. Whatever they are, they are true: no handles are made for them.
fn count(table: &Table) -> Result<usize, String> {
    let mut count = 0;
    let each = table.for_each(|_: bool, _: bool| {
        count += 1;
        Ok(())
    });
    each.map_err(|error| say(&error))?;
    Ok(count)
}

/// A member of the event as it was, with the characters of its key.
type Known<'e> = (Cow<'e, [u8]>, Member<'e>);

/// Of members with the same key the last one counts: the places of the others.
fn superseded(members: &[Known<'_>]) -> Vec<usize> {
    let mut last: HashMap<&[u8], usize, RandomState> = HashMap::default();
    let keys = members.iter().enumerate();
    keys.filter_map(|(index, (key, _))| last.insert(&**key, index))
        .collect()
}

/// The members of a table that the event did not have, by name.
fn added(table: &Table, known: &[Known<'_>]) -> Result<Vec<(String, Value)>, String> {
    let known: HashSet<&[u8], RandomState> = known.iter().map(|(key, _)| &**key).collect();
    let mut added = Vec::new();
    let mut wrong = None;
    let each = table.for_each(|key: Value, value: Value| {
        match key {
            Value::String(key) if known.contains(&*key.as_bytes()) => {}
            Value::String(key) => match key.to_str() {
                Ok(key) => added.push((key.to_owned(), value)),
                Err(_) => wrong = Some("a key is not UTF-8".to_owned()),
            },
            other => {
                wrong = Some(format!(
                    "a {} cannot be a key in an event",
                    other.type_name()
                ))
            }
        }
        Ok(())
    });
    each.map_err(|error| say(&error))?;
    match wrong {
        Some(wrong) => Err(wrong),
        None => {
            added.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Ok(added)
        }
    }
}
