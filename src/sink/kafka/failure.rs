//! What Kafka's error codes mean for a record.

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::event::Reason;

/// Why a record was not taken. What is not known here has to do with the cluster's state, not with
/// the record, and passes: `Unavailable`.
pub(super) fn reason(code: Code) -> Reason {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            Reason::DeliveryTooLarge
        }
        Code::InvalidRecord
        | Code::InvalidMessage
        | Code::BadMessage
        | Code::InvalidTimestamp
        | Code::KeySerialization
        | Code::ValueSerialization
        | Code::UnsupportedForMessageFormat => Reason::DeliveryInvalid,
        Code::PolicyViolation => Reason::DeliveryPolicy,
        Code::UnknownTopic
        | Code::UnknownPartition
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopicId
        | Code::InvalidTopic => Reason::UnknownTopic,
        Code::QueueFull => Reason::Overloaded,
        _ if credentials(code) => Reason::Unauthorized,
        _ if final_for_the_client(code) => Reason::Fenced,
        _ => Reason::Unavailable,
    }
}

/// Whether the cluster refuses us, rather than our records.
pub(super) fn credentials(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SecurityDisabled
            | Code::UnacceptableCredential
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::DelegationTokenAuthorizationFailed
            | Code::DelegationTokenExpired
            | Code::DelegationTokenNotFound
    )
}

/// Whether no further record can go through this client.
pub(super) fn final_for_the_client(code: Code) -> bool {
    matches!(
        code,
        Code::Fatal
            | Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::InvalidProducerIdMapping
            | Code::UnknownProducerId
            | Code::OutOfOrderSequenceNumber
            | Code::DuplicateSequenceNumber
            | Code::GaplessGuarantee
    )
}

/// Whether a whole batch fails with this because of one record in it (or of their sum): sent alone,
/// each record gets its own verdict.
pub(super) fn hits_the_batch(code: Code) -> bool {
    code == Code::InvalidDifferentRecord
        || matches!(
            reason(code),
            Reason::DeliveryTooLarge | Reason::DeliveryInvalid | Reason::DeliveryPolicy
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Class;

    /// What brokers and the library do answer to a produce request, each with its class.
    const TABLE: [(Code, Reason); 43] = [
        (Code::BrokerTransportFailure, Reason::Unavailable),
        (Code::Resolve, Reason::Unavailable),
        (Code::AllBrokersDown, Reason::Unavailable),
        (Code::MessageTimedOut, Reason::Unavailable),
        (Code::OperationTimedOut, Reason::Unavailable),
        (Code::TimedOutQueue, Reason::Unavailable),
        (Code::RequestTimedOut, Reason::Unavailable),
        (Code::NetworkException, Reason::Unavailable),
        (Code::BrokerNotAvailable, Reason::Unavailable),
        (Code::LeaderNotAvailable, Reason::Unavailable),
        (Code::NotLeaderForPartition, Reason::Unavailable),
        (Code::NotEnoughReplicas, Reason::Unavailable),
        (Code::NotEnoughReplicasAfterAppend, Reason::Unavailable),
        (Code::KafkaStorageError, Reason::Unavailable),
        (Code::ThrottlingQuotaExceeded, Reason::Unavailable),
        (Code::UnsupportedCompressionType, Reason::Unavailable),
        (Code::InvalidDifferentRecord, Reason::Unavailable),
        (Code::SSL, Reason::Unavailable),
        (Code::Unknown, Reason::Unavailable),
        (Code::MessageSizeTooLarge, Reason::DeliveryTooLarge),
        (Code::MessageBatchTooLarge, Reason::DeliveryTooLarge),
        (Code::InvalidMessageSize, Reason::DeliveryTooLarge),
        (Code::InvalidRecord, Reason::DeliveryInvalid),
        (Code::InvalidMessage, Reason::DeliveryInvalid),
        (Code::BadMessage, Reason::DeliveryInvalid),
        (Code::InvalidTimestamp, Reason::DeliveryInvalid),
        (Code::UnsupportedForMessageFormat, Reason::DeliveryInvalid),
        (Code::PolicyViolation, Reason::DeliveryPolicy),
        (Code::UnknownTopic, Reason::UnknownTopic),
        (Code::UnknownPartition, Reason::UnknownTopic),
        (Code::UnknownTopicOrPartition, Reason::UnknownTopic),
        (Code::InvalidTopic, Reason::UnknownTopic),
        (Code::TopicAuthorizationFailed, Reason::Unauthorized),
        (Code::ClusterAuthorizationFailed, Reason::Unauthorized),
        (Code::SaslAuthenticationFailed, Reason::Unauthorized),
        (Code::Authentication, Reason::Unauthorized),
        (Code::UnsupportedSASLMechanism, Reason::Unauthorized),
        (Code::Fatal, Reason::Fenced),
        (Code::Fenced, Reason::Fenced),
        (Code::ProducerFenced, Reason::Fenced),
        (Code::InvalidProducerEpoch, Reason::Fenced),
        (Code::OutOfOrderSequenceNumber, Reason::Fenced),
        (Code::QueueFull, Reason::Overloaded),
    ];

    #[test]
    fn every_code_has_its_class() {
        for (code, expected) in TABLE {
            assert_eq!(reason(code), expected, "{code:?}");
        }
    }

    #[test]
    fn only_verdicts_on_the_record_itself_refuse_it_for_good() {
        for (code, _) in TABLE {
            let refused = reason(code).class() == Class::Rejected;
            let another = code == Code::InvalidDifferentRecord;
            assert_eq!(hits_the_batch(code), refused || another, "{code:?}");
        }
    }
}
