//! Runs samples, each alone, through the stages of the data path, with everything given from outside
//! fixed.

use jiff::Timestamp;
use serde_json::Value;

use crate::device;
use crate::document::diagnostic::{At, Diagnostics};
use crate::document::samples::{SampleForm, expect};
use crate::document::shape::suggestion;
use crate::event::{Batch, ClientIp, Depth, Json, Reason, Records};
use crate::pipeline::decode::Format;
use crate::pipeline::enrich::Adds;
use crate::pipeline::moment::{self, Unit};
use crate::pipeline::{Context, Pipeline};
use crate::tables::Tables;

/// Most samples of one repo: they run before every change goes live.
pub const MOST: usize = 200;

/// When a sample is received that says nothing of time: 2026-01-01T00:00:00Z.
const SOME_DAY: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Stands for what only a running instance has.
const SAMPLE: &str = "sample";

/// Runs the samples that stand `at` through a repo with its switches as written. Whatever does not
/// come out as expected is an error.
pub fn run(
    samples: &[SampleForm],
    pipeline: &Pipeline,
    device: Option<&device::Step>,
    at: &At<'_>,
    out: &mut Diagnostics,
) {
    if samples.len() > MOST {
        let message = format!("{} samples, and at most {MOST} run", samples.len());
        let hint = "keep those that show something new";
        out.error(at, message, hint);
    }
    let tables = Tables::default();
    for (index, sample) in samples.iter().take(MOST).enumerate() {
        let at = at.item(index);
        let before = out.errors();
        let Some(body) = sample.body(pipeline, &at, out) else {
            continue;
        };
        sample.check_given(pipeline, device, &at, out);
        expect::check(sample, &at, out);
        if out.errors() == before {
            let context = sample.context(&tables);
            if let Some(mut ran) = Ran::of(sample, body, pipeline, device, &context, &at, out) {
                expect::compare(sample, &mut ran, pipeline, &at.field("expect"), out);
            }
        }
    }
}

/// What became of a sample.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) batch: Batch,
    pub(super) records: Records,
}

impl Ran {
    fn of(
        sample: &SampleForm,
        body: Vec<u8>,
        pipeline: &Pipeline,
        device: Option<&device::Step>,
        context: &Context<'_>,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let decoded = pipeline.decode(body);
        let mut batch = match decoded {
            Ok(batch) if batch.events().len() == 1 => batch,
            Ok(_) => {
                let message = format!("the sample `{}` is not one event", sample.name);
                out.error(&at.field("event"), message, "write something into it");
                return None;
            }
            Err(error) => {
                let message = format!("the sample `{}` cannot be read: {error}", sample.name);
                out.error(&at.field("event"), message, "make it smaller");
                return None;
            }
        };
        pipeline.constrain(&mut batch, context);
        if !execute(sample, &mut batch, pipeline, context, out) {
            return None;
        }
        pipeline.restrict(&mut batch, context);
        pipeline.enrich(&mut batch, context);
        pipeline.validate(&mut batch, context);
        if let Some(step) = device {
            let given = sample.device.as_ref();
            let id = given.map(|device| device.id.as_str());
            let is_new = given.and_then(|device| device.is_new);
            step.attribute_to(&mut batch, id, is_new);
        }
        let records = pipeline.route(&mut batch, context);
        Some(Self { batch, records })
    }
}

/// Runs the executers. A script that fails, or meets a limit, is a mistake of the script even where
/// `on_error` lets the event pass, unless the sample is there to show it. Says whether to go on.
fn execute(
    sample: &SampleForm,
    batch: &mut Batch,
    pipeline: &Pipeline,
    context: &Context<'_>,
    out: &mut Diagnostics,
) -> bool {
    let before = out.errors();
    let shown = sample.expect.code.as_deref() == Some(Reason::Script.code());
    let steps = pipeline.plan.executers.iter().enumerate();
    for (index, step) in steps.filter(|(index, _)| pipeline.switched.executer(*index)) {
        step.run_telling(batch, context, |trouble| {
            if step.kind() == "script" && !shown {
                let message = format!("it fails on the sample `{}`: {trouble}", sample.name);
                let hint = "correct the script; where it is meant to fail, write `on_error: reject`, \
                            and expect `code: execute.script`";
                let executers = At::ROOT.field("executers");
                out.error(&executers.item(index).field("script"), message, hint);
            }
        });
    }
    out.errors() == before
}

impl SampleForm {
    /// What a client would send.
    fn body(&self, pipeline: &Pipeline, at: &At<'_>, out: &mut Diagnostics) -> Option<Vec<u8>> {
        match pipeline.plan.access.input.format {
            Format::Jsonl => serde_json::to_vec(&self.event).ok(),
            Format::Text => match (self.event.len(), self.event.get("message")) {
                (1, Some(Value::String(line))) if !line.contains('\n') => {
                    Some(line.clone().into_bytes())
                }
                _ => {
                    let message = format!("the sample `{}` is not a line of text", self.name);
                    let hint = "this repo takes text: write `event: { message: \"the line\" }`";
                    out.error(&at.field("event"), message, hint);
                    None
                }
            },
        }
    }

    /// What a sample fixes must be something that the repo asks for.
    fn check_given(
        &self,
        pipeline: &Pipeline,
        device: Option<&device::Step>,
        at: &At<'_>,
        out: &mut Diagnostics,
    ) {
        if self.device.is_some() && device.is_none() {
            let message = format!("the sample `{}` has a device, and the repo none", self.name);
            let hint = "remove it, or say with `device` how the repo finds devices";
            out.error(&at.field("device"), message, hint);
        }
        let steps = pipeline.plan.enrich.steps.iter();
        let geo = steps.filter_map(|step| match &step.adds {
            Adds::Geo { columns, .. } => Some(columns),
            _ => None,
        });
        let known: Vec<&str> = geo.flatten().map(|(column, _)| &**column).collect();
        for column in self.geo.iter().flat_map(|geo| geo.keys()) {
            if !known.contains(&column.as_str()) {
                let message = format!("no geo step of this repo takes the column `{column}`");
                let at = at.field("geo");
                out.error(&at.field(column), message, suggestion(column, &known));
            }
        }
    }

    fn context<'a>(&'a self, tables: &'a Tables) -> Context<'a> {
        Context {
            received: self.received(),
            client: self.address.map(ClientIp::new),
            key: None,
            tables,
            geo: self.geo.as_ref(),
            revision: SAMPLE,
            batch: SAMPLE,
            instance: SAMPLE,
        }
    }

    /// When it is received.
    pub(super) fn received(&self) -> Timestamp {
        let given = self.received.map(|moment| moment.get());
        let own = || self.event.get("time").and_then(time_of);
        given.or_else(own).unwrap_or(SOME_DAY)
    }
}

/// The time that an event's own field tells; what a number counts is guessed by its size.
fn time_of(value: &Value) -> Option<Timestamp> {
    let unit = match value.as_f64().map(f64::abs) {
        Some(..1e11) => Unit::Second,
        Some(1e11..1e14) | None => Unit::Millisecond,
        Some(1e14..1e17) => Unit::Microsecond,
        Some(_) => Unit::Nanosecond,
    };
    let text = serde_json::to_vec(value).ok()?;
    moment::read(Json::parse(&text, Depth(2)).ok()?, unit)
}
