"""The canary goes to each partition in turn, and what does not arrive in time is lost, whatever the reason."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from cli.canary.canary import Canary
from cli.canary.health import CanaryHealth
from cli.canary.metrics import CanaryMetrics
from domain.entities.canaries import PREFIX
from domain.errors import BrokerUnreachable, DatabaseUnreachable
from domain.quality import ServiceArea
from schemas.events import TripEvent

PARTITIONS = 4


@dataclass
class Fake:
    """Implements `cli.canary.canary.Skies`. Set `answers` or `rows` to False, `database` to down."""

    answers: bool = True
    rows: bool = True
    database: bool = True
    refusals: int = 0  # of the topic of predictions, before it answers
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def partitions(self) -> int:
        return PARTITIONS

    async def partition_of(self, trip_ids: Sequence[str]) -> list[int]:
        return [int(trip_id[-1], 16) % PARTITIONS for trip_id in trip_ids]

    async def ahead(self, trip_id: str) -> tuple[int, int]:
        return (await self.partition_of([trip_id]))[0], 7

    async def send(self, trip_id: str, value: bytes) -> None:
        self.sent.append((trip_id, value))

    async def predicted(self, trip_id: str, place: tuple[int, int]) -> None:
        assert place == await self.ahead(trip_id)
        self.refusals -= 1
        if self.refusals >= 0:
            raise BrokerUnreachable("nothing came")
        if not self.answers:
            await asyncio.Event().wait()

    async def stored(self, _trip_id: str) -> bool:
        if not self.database:
            raise DatabaseUnreachable("away")
        return self.rows


def canary_over(skies: Fake, deadline_seconds: float = 30.0) -> tuple[Canary, CanaryMetrics, CanaryHealth]:
    metrics, health = CanaryMetrics(), CanaryHealth(10.0)
    for part in ("broker", "database"):
        health.up(part)
    return Canary(skies, ServiceArea().canary_route(), metrics, health, deadline_seconds), metrics, health


def value(metrics: CanaryMetrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(f"tripcast_canary_{name}", labels)
    assert found is not None
    return found


async def test_canaries_are_real_trips_to_each_partition_in_turn() -> None:
    skies = Fake(refusals=2)
    canary, metrics, health = canary_over(skies)
    assert [await canary.fly() for _ in range(2 * PARTITIONS)] == [True] * 2 * PARTITIONS
    assert await skies.partition_of([trip_id for trip_id, _ in skies.sent]) == [*range(PARTITIONS)] * 2
    assert len({trip_id for trip_id, _ in skies.sent}) == 2 * PARTITIONS
    for trip_id, content in skies.sent:
        assert msgspec.json.decode(content, type=TripEvent).trip_id == trip_id
        assert trip_id.startswith(PREFIX)
    assert value(metrics, "seconds_count", stage="predicted") == value(metrics, "seconds_count", stage="stored") == 8
    assert value(metrics, "lost_total") == 0
    assert health.ready()[0]


async def test_what_is_stored_and_not_predicted_is_lost() -> None:
    canary, metrics, health = canary_over(Fake(answers=False), deadline_seconds=0.05)
    assert not await canary.fly()
    assert (value(metrics, "sent_total"), value(metrics, "lost_total")) == (1, 1)
    assert value(metrics, "seconds_count", stage="stored") == 1
    assert value(metrics, "last_success_timestamp_seconds") == 0
    ready, said = health.ready()
    assert not ready
    assert "not predicted" in str(said["missing"])


async def test_a_database_that_is_away_is_told_and_the_trip_is_lost() -> None:
    skies = Fake(database=False)
    canary, metrics, health = canary_over(skies, deadline_seconds=0.05)
    assert not await canary.fly()
    assert value(metrics, "lost_total") == 1
    assert health.parts() == {"broker": True, "database": False}
    skies.database = True
    canary.deadline_seconds = 30.0
    assert await canary.fly()
    assert health.ready()[0]


def test_a_turn_that_does_not_end_is_no_life() -> None:
    now = [0.0]
    health = CanaryHealth(10.0, clock=lambda: now[0])
    health.beat()
    now[0] = 69.0
    assert health.alive()[0]
    now[0] = 71.0
    assert not health.alive()[0]
    health.nothing_to_do()
    assert health.ready() == (True, {"ready": True, "missing": {}})
