"""Every error kfast raises, as one tree; an error that a Kafka client may see knows the code to answer with.

The codes are those of Kafka's `org.apache.kafka.common.protocol.Errors`. A handler raises; `broker.dispatch` turns the
error into a response, and nobody else does.
"""

from __future__ import annotations

from typing import ClassVar, Final

MAX_MESSAGE_SIZE: Final = 2000
"""Characters of the longest message that is passed on. Messages quote what peers send, a name of 100 MB for example;
they have to fit into the answer (32,767 bytes in old versions) and into a log that somebody reads."""


class KfastError(Exception):
    """Base of all kfast errors. `error_code` is Kafka's; -1 is UNKNOWN_SERVER_ERROR."""

    error_code: ClassVar[int] = -1

    def __str__(self) -> str:
        message = super().__str__()
        return message if len(message) <= MAX_MESSAGE_SIZE else f"{message[:MAX_MESSAGE_SIZE]}..."


class OffsetOutOfRangeError(KfastError):
    error_code = 1


class CorruptRecordError(KfastError):
    """A batch whose bytes cannot be what its writer meant: wrong size, magic, checksum or count."""

    error_code = 2


class UnknownTopicOrPartitionError(KfastError):
    error_code = 3


class CoordinatorNotAvailableError(KfastError):
    error_code = 15


class InvalidTopicError(KfastError):
    error_code = 17


class RecordTooLargeError(KfastError):
    """A batch larger than the topic's max.message.bytes."""

    error_code = 10


class InvalidRequiredAcksError(KfastError):
    error_code = 21


class RecordBatchTooLargeError(KfastError):
    """More in one append than a segment may hold."""

    error_code = 18


class IllegalGenerationError(KfastError):
    error_code = 22


class InconsistentGroupProtocolError(KfastError):
    error_code = 23


class InvalidGroupIdError(KfastError):
    error_code = 24


class UnknownMemberIdError(KfastError):
    error_code = 25


class InvalidSessionTimeoutError(KfastError):
    error_code = 26


class RebalanceInProgressError(KfastError):
    error_code = 27


class RecordValidationError(KfastError):
    """Records a topic does not accept. `record_errors` says of each (its number in its batch, what is wrong)."""

    def __init__(self, message: str, record_errors: tuple[tuple[int, str], ...] = ()) -> None:
        super().__init__(message)
        self.record_errors = record_errors


class InvalidTimestampError(RecordValidationError):
    error_code = 32


class UnsupportedVersionError(KfastError):
    error_code = 35


class TopicAlreadyExistsError(KfastError):
    error_code = 36


class InvalidPartitionsError(KfastError):
    error_code = 37


class InvalidReplicationFactorError(KfastError):
    error_code = 38


class InvalidReplicaAssignmentError(KfastError):
    error_code = 39


class InvalidConfigError(KfastError):
    error_code = 40


class InvalidRequestError(KfastError):
    error_code = 42


class PolicyViolationError(KfastError):
    """A request beyond what one request may ask for."""

    error_code = 44


class OutOfOrderSequenceNumberError(KfastError):
    """A batch of an idempotent producer that does not follow the last one: something between them is missing."""

    error_code = 45


class InvalidProducerEpochError(KfastError):
    """A producer that another one with the same id has taken over from."""

    error_code = 47


class InvalidTxnStateError(KfastError):
    error_code = 48


class TransactionalIdAuthorizationError(KfastError):
    error_code = 53


class KafkaStorageError(KfastError):
    """The disk did not do what it was asked to."""

    error_code = 56


class GroupMaxSizeReachedError(KfastError):
    error_code = 81


class TopicDeletionDisabledError(KfastError):
    error_code = 73


class FencedLeaderEpochError(KfastError):
    error_code = 74


class UnknownLeaderEpochError(KfastError):
    error_code = 75


class MemberIdRequiredError(KfastError):
    error_code = 79


class FencedInstanceIdError(KfastError):
    error_code = 82


class InvalidRecordError(RecordValidationError):
    """A record the topic does not accept, such as one without a key in a compacted topic."""

    error_code = 87


class FetchSessionIdNotFoundError(KfastError):
    error_code = 70


class UnknownTopicIdError(KfastError):
    error_code = 100


class MalformedFrameError(KfastError):
    """Bytes of a peer that are no Kafka request. It costs the peer its connection."""

    error_code = 42


class TlsHandshakeError(KfastError):
    """A peer with which TLS cannot begin. It costs the peer its connection."""


class LogDirectoryError(KfastError):
    """A log directory that cannot be used: locked by another process, foreign, or damaged; the message says which."""


class CopyModeUnavailableError(KfastError):
    """A copy mode this kernel, file system or socket does not offer."""
