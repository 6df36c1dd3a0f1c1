//! Why an event was not accepted. One closed set: the code is the reply's `code`, the metric
//! label `reason` and the reject record's `code`.

/// Why an event left the batch before delivery, or could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    // Filtered: dropped on purpose.
    /// The repo's constraint does not hold.
    Constraint,
    /// A `filter` executer dropped it.
    Filter,
    /// A `script` executer dropped it.
    ScriptFilter,
    /// The n-th restriction of the switches (from 1) dropped, sampled or limited it.
    Restriction(u8),

    // Rejected: not wanted.
    /// The line is not valid JSON.
    DecodeJson,
    /// The line is not valid UTF-8.
    DecodeUtf8,
    /// The line is JSON, but not an object.
    DecodeObject,
    /// Nested deeper than the repo's limit.
    DecodeDepth,
    /// Larger than the repo's limit for one event.
    DecodeSize,
    /// An executer could not do its work and its document says `on_error: reject`.
    Execute,
    /// A script failed, or met its limit of steps or memory.
    Script,
    /// The pipeline added more than the declared bound.
    Grown,
    /// A required field is missing.
    ValidateRequired,
    /// A field has the wrong type.
    ValidateType,
    /// A value is not in its declared set.
    ValidateEnum,
    /// A string does not match its pattern.
    ValidatePattern,
    /// A number, length or size is outside its range.
    ValidateRange,
    /// An event or property that the catalog does not know.
    ValidateUnknown,
    /// The catalog blocks this event.
    ValidateBlocked,
    /// Outside the time window.
    ValidateFreshness,
    /// The event is too large for the repo's `size` validator.
    ValidateSize,
    /// A JSON Schema does not hold.
    ValidateSchema,
    /// A `condition` validator does not hold.
    ValidateCondition,
    /// The device could not be looked up and the repo says `reject`.
    Device,
    /// A value of a topic template is missing or not declared, and the rule has no `else`.
    RouteValue,
    /// No rule matched, and there is no `otherwise`.
    RouteNone,
    /// The record is larger than its producer takes.
    RouteTooLarge,
    /// Kafka refused the record as too large.
    DeliveryTooLarge,
    /// Kafka refused the record as invalid.
    DeliveryInvalid,
    /// Kafka refused the record by policy.
    DeliveryPolicy,

    // Retry: could not be made safe, send again.
    /// The lane's or topic's budget is used up.
    Overloaded,
    /// The cluster does not answer (breaker open, time-out, transport).
    Unavailable,
    /// The topic does not exist.
    UnknownTopic,
    /// The cluster refuses our credentials for this topic.
    Unauthorized,
    /// The producer failed for good and is being replaced.
    Fenced,
    /// The gateway is shutting down.
    Closing,
}

/// The four sums of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Dropped on purpose.
    Filtered,
    /// Not wanted.
    Rejected,
    /// Not safe: send again.
    Retry,
}

const RESTRICTIONS: [&str; 33] = [
    "restriction.0",
    "restriction.1",
    "restriction.2",
    "restriction.3",
    "restriction.4",
    "restriction.5",
    "restriction.6",
    "restriction.7",
    "restriction.8",
    "restriction.9",
    "restriction.10",
    "restriction.11",
    "restriction.12",
    "restriction.13",
    "restriction.14",
    "restriction.15",
    "restriction.16",
    "restriction.17",
    "restriction.18",
    "restriction.19",
    "restriction.20",
    "restriction.21",
    "restriction.22",
    "restriction.23",
    "restriction.24",
    "restriction.25",
    "restriction.26",
    "restriction.27",
    "restriction.28",
    "restriction.29",
    "restriction.30",
    "restriction.31",
    "restriction.32",
];

impl Reason {
    /// How many restrictions the switches may hold.
    pub const MAX_RESTRICTIONS: usize = RESTRICTIONS.len() - 1;

    /// The word for it in replies, metrics and reject records.
    pub fn code(self) -> &'static str {
        match self {
            Self::Constraint => "constraint",
            Self::Filter => "filter",
            Self::ScriptFilter => "filter.script",
            Self::Restriction(n) => RESTRICTIONS[usize::from(n).min(Self::MAX_RESTRICTIONS)],
            Self::DecodeJson => "decode.json",
            Self::DecodeUtf8 => "decode.utf8",
            Self::DecodeObject => "decode.object",
            Self::DecodeDepth => "decode.depth",
            Self::DecodeSize => "decode.size",
            Self::Execute => "execute.failed",
            Self::Script => "execute.script",
            Self::Grown => "execute.grown",
            Self::ValidateRequired => "validate.required",
            Self::ValidateType => "validate.type",
            Self::ValidateEnum => "validate.enum",
            Self::ValidatePattern => "validate.pattern",
            Self::ValidateRange => "validate.range",
            Self::ValidateUnknown => "validate.unknown",
            Self::ValidateBlocked => "validate.blocked",
            Self::ValidateFreshness => "validate.freshness",
            Self::ValidateSize => "validate.size",
            Self::ValidateSchema => "validate.schema",
            Self::ValidateCondition => "validate.condition",
            Self::Device => "device.unavailable",
            Self::RouteValue => "route.value",
            Self::RouteNone => "route.none",
            Self::RouteTooLarge => "route.too_large",
            Self::DeliveryTooLarge => "delivery.too_large",
            Self::DeliveryInvalid => "delivery.invalid",
            Self::DeliveryPolicy => "delivery.policy",
            Self::Overloaded => "delivery.overloaded",
            Self::Unavailable => "delivery.unavailable",
            Self::UnknownTopic => "delivery.unknown_topic",
            Self::Unauthorized => "delivery.unauthorized",
            Self::Fenced => "delivery.fenced",
            Self::Closing => "delivery.closing",
        }
    }

    /// Which of the four sums it belongs to.
    pub fn class(self) -> Class {
        match self {
            Self::Constraint | Self::Filter | Self::ScriptFilter | Self::Restriction(_) => {
                Class::Filtered
            }
            Self::Overloaded
            | Self::Unavailable
            | Self::UnknownTopic
            | Self::Unauthorized
            | Self::Fenced
            | Self::Closing => Class::Retry,
            _ => Class::Rejected,
        }
    }
}
