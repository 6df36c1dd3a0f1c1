//! An event as a table. `null` is a value of its own, because a field that is `nil` is not there;
//! lists have a metatable, because an empty table could be either; an integer beyond 2^53 becomes
//! the nearest double (untouched, it is written as it was).

use std::borrow::Cow;

use mlua::{LuaString, Table, Value};

use crate::event::{Json, Kind};
use crate::pipeline::executer::script::machine::Machine;

/// Keys that are kept as Luau strings; the names of an event's fields are the same every time.
const KEYS: usize = 1024;

impl Machine {
    /// The event as a table.
    pub(super) fn table(&mut self, object: Json<'_>) -> mlua::Result<Table> {
        let table = self.lua.create_table()?;
        for member in object.members() {
            let key = member.key.characters().unwrap_or_default();
            // Values below come first, because they need the same keys.
            let below = self.below(member.value)?;
            let key = self.key(&key)?;
            match member.value.kind() {
                Kind::Null => table.raw_set(key, Value::NULL)?,
                Kind::Bool => table.raw_set(key, member.value.as_bool())?,
                Kind::Number => table.raw_set(key, member.value.as_f64())?,
                Kind::String => table.raw_set(key, &*text(member.value))?,
                Kind::Object | Kind::Array => table.raw_set(key, below)?,
            }
        }
        Ok(table)
    }

    fn array(&mut self, array: Json<'_>) -> mlua::Result<Table> {
        let list = self.lua.create_table()?;
        for element in array.elements() {
            match element.kind() {
                Kind::Null => list.raw_push(Value::NULL)?,
                Kind::Bool => list.raw_push(element.as_bool())?,
                Kind::Number => list.raw_push(element.as_f64())?,
                Kind::String => list.raw_push(&*text(element))?,
                Kind::Object | Kind::Array => list.raw_push(self.below(element)?)?,
            }
        }
        list.set_metatable(Some(self.list.clone()))?;
        Ok(list)
    }

    fn below(&mut self, value: Json<'_>) -> mlua::Result<Option<Table>> {
        match value.kind() {
            Kind::Object => self.table(value).map(Some),
            Kind::Array => self.array(value).map(Some),
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => Ok(None),
        }
    }

    /// A key as a Luau string.
    pub(super) fn key(&mut self, key: &[u8]) -> mlua::Result<&LuaString> {
        if self.keys.len() >= KEYS && !self.keys.contains_key(key) {
            self.keys.clear();
        }
        if !self.keys.contains_key(key) {
            let string = self.lua.create_string(key)?;
            self.keys.insert(key.into(), string);
        }
        Ok(&self.keys[key])
    }
}

fn text(value: Json<'_>) -> Cow<'_, str> {
    value.as_str().unwrap_or_default()
}
