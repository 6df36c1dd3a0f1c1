//! What a program sees of Luau's library: the parts that have neither state nor effect. No files,
//! network, processes, clock, chance, loading of code, or looking into environments; all of it is
//! read-only. What could run for seconds without an interrupt is left out or bounded.

use mlua::{Lua, Table, Value};

/// Of the language's own functions, those that have neither state nor effect.
const BASE: [&str; 19] = [
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
    "type",
    "typeof",
    "unpack",
    "xpcall",
];
/// Libraries, and what of them is left out: chance, and one function that can run for seconds
/// without an interrupt.
const LIBRARIES: [(&str, &[&str]); 6] = [
    ("bit32", &[]),
    ("buffer", &[]),
    ("math", &["random", "randomseed"]),
    ("string", &[]),
    ("table", &["move"]),
    ("utf8", &[]),
];

/// These look at every pair of bytes, or compare long texts, without an interrupt.
const BOUNDED: &str = r#"
local find, split, sort = string.find, string.split, table.sort

local function bounded(text, part)
    if type(text) == "string" and type(part) == "string" and #text * #part > 2 ^ 26 then
        error("a text is too long to look for one this long in it", 3)
    end
end

function string.find(text, pattern, ...)
    bounded(text, pattern)
    return find(text, pattern, ...)
end

function string.split(text, separator)
    bounded(text, separator)
    return split(text, separator)
end

local function less(a, b)
    return a < b
end

function table.sort(list, before)
    return sort(list, before or less)
end
"#;

/// A metatable that shows what programs may use, and nothing else.
pub(super) fn world(lua: &Lua, list: &Table) -> mlua::Result<Table> {
    let globals = lua.globals();
    for (library, left_out) in LIBRARIES {
        let library: Table = globals.raw_get(library)?;
        for name in left_out {
            library.raw_set(*name, Value::Nil)?;
        }
    }
    lua.load(BOUNDED).set_name("=library").exec()?;
    // Names are also looked up when a program is loaded: what is not to be seen must not be there.
    let names: Vec<String> = globals
        .pairs::<String, Value>()
        .map(|pair| Ok(pair?.0))
        .collect::<mlua::Result<_>>()?;
    let shown = LIBRARIES.map(|(name, _)| name);
    for name in names {
        if !BASE.contains(&&*name) && !shown.contains(&&*name) {
            globals.raw_set(name, Value::Nil)?;
        }
    }
    globals.raw_set("null", Value::NULL)?;
    let marker = list.clone();
    let as_list = move |_: &Lua, table: Table| {
        table.set_metatable(Some(marker.clone()))?;
        Ok(table)
    };
    globals.raw_set("list", lua.create_function(as_list)?)?;
    list.set_readonly(true);
    let world = lua.create_table()?;
    world.raw_set("__index", globals)?;
    world.raw_set("__metatable", false)?;
    world.set_readonly(true);
    Ok(world)
}
