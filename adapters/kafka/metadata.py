"""The one request that aiokafka lacks: metadata with the ids of topics (Kafka protocol, Metadata v12, KIP-516).

A topic that was deleted and created again has the same name and another id; offsets of the one mean nothing in the other.
"""

import uuid
from io import BytesIO

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

METADATA = 3
_UUID_BYTES = 16
NO_ID = uuid.UUID(int=0)


class Uuid(AbstractType[uuid.UUID]):
    """Sixteen bytes, big-endian."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        """Write it."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        """Read it."""
        return uuid.UUID(bytes=data.read(_UUID_BYTES))


class TopicIdsResponse(Response):
    """Metadata response, version 12."""

    API_KEY = METADATA
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TopicIdsRequestV12(RequestStruct):
    """Metadata request, version 12; brokers since 3.1 know it."""

    API_KEY = METADATA
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TopicIdsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdsRequest(Request[TopicIdsRequestV12]):
    """Asks for topics by name; never creates one."""

    API_KEY = METADATA

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[TopicIdsRequestV12]) -> TopicIdsRequestV12:
        """The structure for the wire."""
        return request_struct_class([(NO_ID, topic, {}) for topic in self._topics], False, False, {})  # noqa: FBT003 - positional by aiokafka's design
