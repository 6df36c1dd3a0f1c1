//! User agents, told apart by the woothee project's rules and data, which are part of the program.

use woothee::parser::Parser;

use crate::pipeline::executer::parse::url::Object;

/// What woothee writes where it does not know.
const UNKNOWN: &str = "UNKNOWN";

/// A user agent that is longer than any real one is looked at only so far.
const LONGEST: usize = 1024;

/// Appends an object of what is known.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let agent = Parser::new().parse(text).unwrap_or_default();
    let mut object = Object::open(out);
    let known = [
        ("browser", agent.name),
        ("browser_version", agent.version),
        ("os", agent.os),
        ("os_version", &agent.os_version),
        ("vendor", agent.vendor),
        ("device", agent.category),
    ];
    for (name, value) in known {
        if !value.is_empty() && value != UNKNOWN {
            object.text(name, value);
        }
    }
    object.close();
}
