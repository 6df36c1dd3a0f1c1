//! The plan that tests of the layers above begin with: it takes events, and sends them nowhere.

use std::sync::Arc;

use crate::event::{Depth, Fields};
use crate::pipeline::access::{Access, Limits};
use crate::pipeline::decode::{Format, Input};
use crate::pipeline::enrich::Enrich;
use crate::pipeline::route::Router;
use crate::pipeline::{Plan, RepoName};

/// Up to 100 events of 1,000 bytes a request, from anybody.
pub(crate) fn access() -> Access {
    Access {
        input: Input {
            format: Format::Jsonl,
            event_limit: 1000,
            max_events: 100,
            depth: Depth(8),
        },
        limits: Limits {
            wire: 1 << 20,
            body: 1 << 20,
            ratio: 100,
        },
        keys: Vec::new(),
        rate: None,
        origins: Vec::new(),
    }
}

/// A repo `events` without any stage and without a target.
pub(crate) fn plan() -> Plan {
    Plan {
        repo: RepoName::new("events"),
        fields: Arc::new(Fields::default()),
        access: access(),
        constraint: None,
        executers: Vec::new(),
        enrich: Enrich::default(),
        validators: Vec::new(),
        router: Router::default(),
        targets: Vec::new(),
        topics: Vec::new(),
        rejects: None,
        growth: 1000,
        errors_shown: 20,
    }
}
