//! Entries of the switches that are in force, as people wrote them: who, why, until and since when.

use jiff::Timestamp;

use crate::pipeline::RepoName;

/// An entry of the switches that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The repo that it is for.
    pub repo: RepoName,
    /// What it is about.
    pub names: Names,
    /// Of a switch its mode, of a restriction all that it does, as JSON.
    pub says: Box<str>,
    /// Why.
    pub note: Box<str>,
    /// Who.
    pub by: Box<str>,
    /// In force until then; without it until it is removed.
    pub until: Option<Timestamp>,
    /// Since when this instance has it in force.
    pub since: Timestamp,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// A validator, executer or enrich step.
    Switch(Box<str>),
    /// A restriction, by its number in the document, from 1.
    Restriction(u8),
}

impl Listed {
    /// Whether it has the effect of another, whoever wrote it for whatever reason.
    pub fn does_the_same(&self, other: &Self) -> bool {
        let same_name = match (&self.names, &other.names) {
            (Names::Switch(name), Names::Switch(other)) => name == other,
            // Its number changes when one before it goes.
            (Names::Restriction(_), Names::Restriction(_)) => true,
            (Names::Switch(_), Names::Restriction(_))
            | (Names::Restriction(_), Names::Switch(_)) => false,
        };
        same_name && self.repo == other.repo && self.says == other.says
    }
}
