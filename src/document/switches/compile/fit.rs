//! What an entry of the switches names in a repo, and why it may not fit there.

use crate::document::shape::suggestion;
use crate::document::switches::{RedirectForm, SwitchMode};
use crate::event::{Ack, Label, TargetId, Topic, TopicId};
use crate::pipeline::Plan;
use crate::pipeline::route::TopicChoice;
use crate::pipeline::switched::Switched;
use crate::pipeline::validate::Mode;

/// Why an entry does not fit the set.
pub(super) struct Unfit {
    pub(super) message: String,
    pub(super) hint: String,
}

/// Sets a validator, executer or enrich step to what the switch says.
pub(super) fn set_switch(
    plan: &Plan,
    switched: &mut Switched,
    name: &str,
    mode: SwitchMode,
) -> Result<(), Unfit> {
    if let Some(index) = plan.validators.iter().position(|each| *each.name == *name) {
        switched.modes[index] = match mode {
            SwitchMode::Enforce => Mode::Enforce,
            SwitchMode::Shadow => Mode::Shadow,
            SwitchMode::Off => Mode::Off,
            SwitchMode::On => {
                return Err(misfit(name, "validator", "`enforce`, `shadow` or `off`"));
            }
        };
        return Ok(());
    }
    let executers = plan.executers.iter();
    let executers = executers.map(|step| (step.name.as_deref(), step.locked));
    let enrich = plan.enrich.steps.iter();
    let enrich = enrich.map(|step| (Some(&*step.name), step.locked));
    let mut steps = executers.chain(enrich);
    let Some(index) = steps.clone().position(|(step, _)| step == Some(name)) else {
        return Err(unknown(plan, name));
    };
    if steps.nth(index).is_some_and(|(_, locked)| locked) {
        let message = format!("`{name}` is locked");
        let hint = "its repo's document says that it always runs; change that document".to_owned();
        return Err(Unfit { message, hint });
    }
    let runs = match mode {
        SwitchMode::On => true,
        SwitchMode::Off => false,
        SwitchMode::Enforce | SwitchMode::Shadow => {
            return Err(misfit(name, "step", "`on` or `off`"));
        }
    };
    match index.checked_sub(plan.executers.len()) {
        None => switched.executers[index] = runs,
        Some(enrich) => switched.enrich[enrich] = runs,
    }
    Ok(())
}

fn misfit(name: &str, what: &str, modes: &str) -> Unfit {
    Unfit {
        message: format!("`{name}` is a {what}"),
        hint: format!("its mode is {modes}"),
    }
}

fn unknown(plan: &Plan, name: &str) -> Unfit {
    let validators = plan.validators.iter().map(|each| &*each.name);
    let executers = plan
        .executers
        .iter()
        .filter_map(|each| each.name.as_deref());
    let enrich = plan.enrich.steps.iter().map(|each| &*each.name);
    let known: Vec<_> = validators.chain(executers).chain(enrich).collect();
    Unfit {
        message: format!(
            "`{name}` is no validator, executer or enrich step of `{}`",
            plan.repo
        ),
        hint: suggestion(name, &known),
    }
}

/// Where a redirect goes.
pub(super) fn place(plan: &Plan, form: &RedirectForm) -> Result<(TargetId, TopicId), Unfit> {
    let topics: Vec<_> = plan.topics.iter().map(Topic::as_str).collect();
    let topic = topics.iter().position(|topic| *topic == form.topic);
    let topic = topic.ok_or_else(|| Unfit {
        message: format!("the repo `{}` has no topic `{}`", plan.repo, form.topic),
        hint: suggestion(&form.topic, &topics),
    })?;
    let labels = plan.producers();
    let labels: Vec<_> = labels.iter().map(Label::as_str).collect();
    let label = match (&form.producer, labels.as_slice()) {
        (Some(label), _) => label.as_str(),
        (None, [only]) => only,
        (None, _) => {
            let message = "the repo has several producers".to_owned();
            let hint = format!("add `producer`: one of {}", labels.join(", "));
            return Err(Unfit { message, hint });
        }
    };
    let topic = TopicId(u32::try_from(topic).unwrap_or(u32::MAX));
    let target = target(plan, label, topic).ok_or_else(|| Unfit {
        message: format!("the repo `{}` has no producer `{label}`", plan.repo),
        hint: suggestion(label, &labels),
    })?;
    Ok((target, topic))
}

/// Of the targets with this producer the one whose events go to that topic already; else one that
/// does not take them as safe before they are; else any.
fn target(plan: &Plan, label: &str, topic: TopicId) -> Option<TargetId> {
    let of = |target: TargetId| &plan.targets[usize::from(target.0)];
    let ways = plan.router.ways();
    let ways = ways.filter(|way| of(way.target).producer.as_str() == label);
    let routed = ways.max_by_key(|way| {
        let leads = matches!(way.topic, TopicChoice::Constant(constant) if constant == topic);
        (leads, of(way.target).ack != Ack::Memory)
    });
    routed.map(|way| way.target).or_else(|| {
        let mut targets = plan.targets.iter();
        let side = targets.position(|target| target.producer.as_str() == label)?;
        u16::try_from(side).ok().map(TargetId)
    })
}
