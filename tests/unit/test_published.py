"""Only what was said of this very record counts as evidence of what it became; and only of the topic it was read from."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from domain.entities.audits import AuditReport, PartitionAudit
from domain.entities.rejections import Reason
from domain.entities.streams import StreamSource
from domain.quality import TripRules
from schemas.events import TripPredicted
from schemas.headers import ORIGIN, REASON
from stream.published import Published
from stream.repair import OTHER_TOPIC, Repair, Who

TOPIC, NOW = "trip-events", datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = StreamSource("cluster", TOPIC, uuid.UUID(int=1))


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Topic:
    """Implements `stream.repair_ports.PastRecords` with one partition."""

    lying: tuple[Record, ...]

    async def limits(self, _partition: int) -> tuple[int, int]:
        return 0, len(self.lying)

    async def partitions(self) -> Sequence[int]:
        return [0]

    async def partition_of(self, keys: Sequence[bytes]) -> list[int]:
        return [0] * len(keys)

    async def records(self, _partition: int, _first: int, _until: int) -> AsyncGenerator[Any]:
        for record in self.lying:
            yield record


def published(*, predicted: tuple[Record, ...] = (), refused: tuple[Record, ...] = ()) -> Published:
    topics: list[Any] = [Topic(predicted), Topic(refused)]
    return Published(topics[0], topics[1], TOPIC)


@pytest.mark.parametrize(("trip_id", "partition", "offset"), [("a", 0, 5), ("a", 1, 6), ("b", 1, 5)])
async def test_a_prediction_of_another_record_is_not_this_ones(trip_id: str, partition: int, offset: int) -> None:
    own, other = (
        Record(0, each[0].encode(), msgspec.json.encode(TripPredicted(each[0], 60.0, 50.0, 70.0, 1, "x", NOW, *each[1:])))
        for each in (("a", 1, 5), (trip_id, partition, offset))
    )
    assert await published(predicted=(other,)).predictions(1, {5: "a"}, None) == {}
    assert (await published(predicted=(other, own)).predictions(1, {5: "a"}, None)).keys() == {5}


@pytest.mark.parametrize(
    ("origin", "key", "value"),
    [
        (b"trip-events/0/5", b"k", b"v"),
        (b"other-events/1/5", b"k", b"v"),
        (b"trip-events/1/6", b"k", b"v"),
        (b"trip-events/1/five", b"k", b"v"),
        (b"trip-events/1/5", b"other", b"v"),
        (b"trip-events/1/5", b"k", b"other"),
    ],
)
async def test_a_refusal_of_another_record_is_not_this_ones(origin: bytes, key: bytes, value: bytes) -> None:
    why = (REASON, str(Reason.INVALID_JSON).encode())
    own, other = Record(0, b"k", b"v", ((ORIGIN, b"trip-events/1/5"), why)), Record(1, key, value, ((ORIGIN, origin), why))
    missing = {5: Record(5, b"k", b"v")}
    assert await published(refused=(other,)).refusals(1, missing, None) == {}
    assert (await published(refused=(own, other)).refusals(1, missing, None)).keys() == {5}


@pytest.mark.parametrize(
    "here", [StreamSource("other", TOPIC, SOURCE.topic_uuid), StreamSource("cluster", TOPIC, uuid.uuid4())]
)
async def test_nothing_is_read_from_a_topic_of_another_cluster_or_another_incarnation(here: StreamSource) -> None:
    world: Any = SimpleNamespace(
        source=lambda: asyncio.sleep(0, here),
        sources=lambda: asyncio.sleep(0, {1: SOURCE}),
        limits=lambda _: asyncio.sleep(0, (0, 9)),
    )
    repair = Repair(world, world, world, world, world, TripRules())
    audit = PartitionAudit(1, TOPIC, 0, start_offset=0, next_offset=9, published_offset=9, rows=8, gaps=[(5, 5)])
    [done] = await repair(AuditReport((audit,)), Who("ann", "a test"))
    assert [each.why for each in done.unrepairable] == [OTHER_TOPIC]
