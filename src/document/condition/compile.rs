//! From conditions as written to compiled ones, with everything that is wrong with them.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::bytes::RegexBuilder;

use crate::document::condition::{
    ConditionForm, RangeForm, Scalar, TimeUnit, TypeName, WithinForm,
};
use crate::document::diagnostic::At;
use crate::document::one_or_many::OneOrMany;
use crate::document::scope::Scope;
use crate::event::FieldId;
use crate::pipeline::condition::{
    Condition, Constant, Kinds, Needles, Place, Range, Set, Test, Window,
};
use crate::pipeline::moment::Unit;
use crate::pipeline::number::Number;

/// A pattern may compile to so many bytes.
pub(in crate::document) const REGEX_SIZE: usize = 2 << 20;

impl ConditionForm {
    /// Compiles it; what is wrong goes to the scope, and the result is usable only if nothing was.
    pub fn compile(&self, scope: &mut Scope<'_>, at: &At<'_>) -> Condition {
        self.compile_for(None, scope, at)
    }

    fn compile_for(&self, above: Option<FieldId>, scope: &mut Scope<'_>, at: &At<'_>) -> Condition {
        let own = self
            .field
            .as_ref()
            .map(|path| scope.field(&at.field("field"), path));
        let field = own.or(above);
        let mut parts = Vec::new();
        if let Some(all) = &self.all {
            parts.push(Condition::All(list(all, field, scope, &at.field("all"))));
        }
        if let Some(any) = &self.any {
            parts.push(Condition::Any(list(any, field, scope, &at.field("any"))));
        }
        if let Some(not) = &self.not {
            let not = not.compile_for(field, scope, &at.field("not"));
            parts.push(Condition::Not(Box::new(not)));
        }
        let mut operators = Operators {
            scope,
            at,
            tests: Vec::new(),
            kinds: Kinds::ALL,
        };
        operators.compile(self);
        let (tests, kinds) = (operators.tests, operators.kinds);
        self.check(field, parts.len(), tests.len(), kinds, scope, at);
        let field = field.unwrap_or(FieldId(0));
        parts.extend(tests.into_iter().map(|test| Condition::Field(field, test)));
        match parts.len() {
            1 => parts.remove(0),
            _ => Condition::All(parts.into()),
        }
    }

    fn check(
        &self,
        field: Option<FieldId>,
        parts: usize,
        tests: usize,
        kinds: Kinds,
        scope: &mut Scope<'_>,
        at: &At<'_>,
    ) {
        let diagnostics = &mut scope.diagnostics;
        if tests > 0 && field.is_none() {
            diagnostics.error(
                at,
                "the condition does not say which field it is about",
                "add `field: <path>` beside the operators",
            );
        } else if parts + tests == 0 {
            let (message, hint) = match &self.field {
                Some(_) => (
                    "the condition says nothing about its field",
                    "add an operator, such as `exists: true` or `eq: value`",
                ),
                None => (
                    "the condition is empty",
                    "write `{ field: <path>, <operator>: … }`, or `all`, `any`, `not`",
                ),
            };
            diagnostics.error(at, message, hint);
        } else if self.exists == Some(false) && tests > 1 {
            diagnostics.error(
                &at.field("exists"),
                "a field that is missing meets no other operator, so this never holds",
                "keep `exists: false` alone, or put the alternatives under `any`",
            );
        } else if kinds == Kinds::NONE {
            diagnostics.error(
                at,
                "the operators ask for different types, so this never holds",
                "a value has one type; put alternatives under `any`",
            );
        }
    }
}

fn list(
    forms: &[ConditionForm],
    field: Option<FieldId>,
    scope: &mut Scope<'_>,
    at: &At<'_>,
) -> Box<[Condition]> {
    if forms.is_empty() {
        let hint = "list at least one condition, or leave the key out";
        scope.diagnostics.error(at, "the list is empty", hint);
    }
    let compile =
        |(index, form): (usize, &ConditionForm)| form.compile_for(field, scope, &at.item(index));
    forms.iter().enumerate().map(compile).collect()
}

/// The operators of one object, as far as they are compiled.
struct Operators<'o, 's, 'w> {
    scope: &'s mut Scope<'w>,
    at: &'o At<'o>,
    tests: Vec<Test>,
    /// The types that a value may have to meet all of them.
    kinds: Kinds,
}

impl Operators<'_, '_, '_> {
    fn compile(&mut self, form: &ConditionForm) {
        if let Some(exists) = form.exists {
            self.tests.push(Test::Exists(exists));
        }
        if let Some(names) = &form.kind {
            self.types(names);
        }
        if let Some(constant) = &form.eq {
            let constant = self.constant(constant, &self.at.field("eq"));
            self.push(of_constant(&constant), Test::Equals(constant));
        }
        if let Some(constants) = &form.one_of {
            self.one_of(constants);
        }
        self.needles(Place::Start, "prefix", form.prefix.as_ref());
        self.needles(Place::End, "suffix", form.suffix.as_ref());
        self.needles(Place::Anywhere, "contains", form.contains.as_ref());
        if let Some(pattern) = &form.regex {
            self.regex(pattern);
        }
        if let Some(range) = &form.range {
            self.range(range);
        }
        if let Some(within) = form.within {
            self.within(within);
        }
        if let Some(networks) = &form.cidr {
            self.cidr(networks);
        }
    }

    fn push(&mut self, kinds: Kinds, test: Test) {
        // No type at all comes from an empty list, which was reported.
        if kinds != Kinds::NONE {
            self.kinds = self.kinds.and(kinds);
        }
        self.tests.push(test);
    }

    fn error(&mut self, at: &At<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.scope.diagnostics.error(at, message, hint);
    }

    fn not_empty(&mut self, at: &At<'_>, length: usize) {
        if length == 0 {
            let hint = "list at least one value, or leave the operator out";
            self.error(at, "the list is empty, so this never holds", hint);
        }
    }

    fn types(&mut self, names: &OneOrMany<TypeName>) {
        self.not_empty(&self.at.field("type"), names.values.len());
        let kinds = names
            .values
            .iter()
            .fold(Kinds::NONE, |kinds, name| kinds.or(of_name(*name)));
        self.push(kinds, Test::Kinds(kinds));
    }

    fn constant(&mut self, scalar: &Scalar, at: &At<'_>) -> Constant {
        match &scalar.0 {
            serde_json::Value::Null => Constant::Null,
            serde_json::Value::Bool(value) => Constant::Bool(*value),
            serde_json::Value::String(text) => Constant::Text(text.as_str().into()),
            serde_json::Value::Number(number) => {
                Constant::Number(self::number(number).unwrap_or(Number::Float(f64::NAN)))
            }
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                let message = "a list or object cannot be compared with";
                let hint = "write a string, number, `true`, `false` or `null`; for several, `in`";
                self.error(at, message, hint);
                Constant::Null
            }
        }
    }

    fn one_of(&mut self, scalars: &[Scalar]) {
        let at = self.at.field("in");
        self.not_empty(&at, scalars.len());
        let mut kinds = Kinds::NONE;
        let mut constants = Vec::with_capacity(scalars.len());
        for (index, scalar) in scalars.iter().enumerate() {
            let constant = self.constant(scalar, &at.item(index));
            kinds = kinds.or(of_constant(&constant));
            constants.push(constant);
        }
        if let Some(Test::Equals(wanted)) = self.tests.last()
            && !constants.contains(wanted)
        {
            let message = "`eq` asks for a value that `in` does not list, so this never holds";
            self.error(&at, message, "leave one of them out");
        }
        self.push(kinds, Test::In(Set::from_iter(constants)));
    }

    fn needles(&mut self, place: Place, name: &str, needles: Option<&OneOrMany<String>>) {
        let Some(needles) = needles else { return };
        let at = self.at.field(name);
        self.not_empty(&at, needles.values.len());
        if needles.values.iter().any(String::is_empty) {
            let hint = format!("leave it out, or ask for any string with `type: string` ({name})");
            self.error(&at, "every string has the empty text in it", hint);
        }
        match Needles::new(place, &needles.values) {
            Ok(needles) => self.push(Kinds::STRING, Test::Needles(needles)),
            Err(error) => {
                self.error(&at, format!("the list is too large: {error}"), "use `in`");
                self.push(Kinds::STRING, Test::Exists(true));
            }
        }
    }

    fn regex(&mut self, pattern: &str) {
        match RegexBuilder::new(pattern).size_limit(REGEX_SIZE).build() {
            Ok(regex) => self.push(Kinds::STRING, Test::Regex(regex)),
            Err(error) => {
                let message = format!("the pattern does not compile: {}", reason(&error));
                let hint = "the syntax is that of the Rust crate `regex`: no look-around, no \
                            back-references";
                self.error(&self.at.field("regex"), message, hint);
                self.push(Kinds::STRING, Test::Exists(true));
            }
        }
    }

    fn range(&mut self, form: &RangeForm) {
        let at = self.at.field("range");
        let bound = |written: &Option<serde_json::Number>| written.as_ref().and_then(number);
        let range = Range {
            min: bound(&form.min),
            max: bound(&form.max),
            above: bound(&form.above),
            below: bound(&form.below),
        };
        let bounds = [range.min, range.max, range.above, range.below];
        if bounds.iter().all(Option::is_none) {
            let hint = "write one or two of `min`, `max`, `above`, `below`";
            self.error(&at, "the range has no bound", hint);
        } else if range.is_empty() {
            let message = "no number is within these bounds, so this never holds";
            self.error(&at, message, "the lower bound must be the smaller one");
        }
        self.push(Kinds::NUMBER, Test::Range(range));
    }

    fn within(&mut self, form: WithinForm) {
        if form.past.is_none() && form.future.is_none() {
            let hint = "write `past: 10 d`, `future: 1 h`, or both";
            self.error(&self.at.field("within"), "the window has no side", hint);
        }
        let window = Window {
            past: form.past.map(|span| span.duration()),
            future: form.future.map(|span| span.duration()),
            unit: form.unit.unwrap_or_default().into(),
        };
        self.push(Kinds::NUMBER.or(Kinds::STRING), Test::Within(window));
    }

    fn cidr(&mut self, networks: &OneOrMany<String>) {
        let at = self.at.field("cidr");
        self.not_empty(&at, networks.values.len());
        let mut nets = Vec::with_capacity(networks.values.len());
        for (index, text) in networks.values.iter().enumerate() {
            let one = text.parse::<IpAddr>().map(IpNet::from);
            match text.parse().or(one) {
                Ok(net) => nets.push(canonical(net)),
                Err(_) => {
                    let item = at.item(index);
                    let at = if networks.list { &item } else { &at };
                    let hint =
                        "write an address and its length, as in `10.0.0.0/8` or `2001:db8::/32`";
                    self.error(at, format!("`{text}` is not a network"), hint);
                }
            }
        }
        self.push(Kinds::STRING, Test::Cidr(nets.into()));
    }
}

/// A network of IPv4 addresses that is written as one of IPv6: addresses are compared as IPv4.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(mapped) = net else { return net };
    let v4 = mapped.addr().to_ipv4_mapped();
    let length = mapped.prefix_len().checked_sub(96);
    v4.zip(length)
        .and_then(|(addr, length)| IpNet::new(addr.into(), length).ok())
        .unwrap_or(net)
}

impl From<TimeUnit> for Unit {
    fn from(unit: TimeUnit) -> Self {
        match unit {
            TimeUnit::Second => Self::Second,
            TimeUnit::Millisecond => Self::Millisecond,
            TimeUnit::Microsecond => Self::Microsecond,
            TimeUnit::Nanosecond => Self::Nanosecond,
        }
    }
}

fn number(written: &serde_json::Number) -> Option<Number> {
    Number::parse(&written.to_string())
}

/// The sentence of a pattern's error; above it stands a drawing.
pub(in crate::document) fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn of_name(name: TypeName) -> Kinds {
    match name {
        TypeName::String => Kinds::STRING,
        TypeName::Int => Kinds::INT,
        TypeName::Float => Kinds::FLOAT,
        TypeName::Number => Kinds::NUMBER,
        TypeName::Bool => Kinds::BOOL,
        TypeName::List => Kinds::LIST,
        TypeName::Object => Kinds::OBJECT,
        TypeName::Null => Kinds::NULL,
    }
}

fn of_constant(constant: &Constant) -> Kinds {
    match constant {
        Constant::Null => Kinds::NULL,
        Constant::Bool(_) => Kinds::BOOL,
        Constant::Number(_) => Kinds::NUMBER,
        Constant::Text(_) => Kinds::STRING,
    }
}
