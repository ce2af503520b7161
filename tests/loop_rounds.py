"""Rounds of the closed loop for tests of its store, from tallies that are made up."""

import uuid
from dataclasses import replace
from typing import Any

from adapters.postgres.connection.pool import Pool
from adapters.postgres.stream.store import Streams
from domain.entities.streams import StreamSource
from domain.loop.journal import Round, Standing
from domain.loop.steps import Step
from domain.loop.tracker import Reach
from domain.sums import Tally
from tests.tallied import at, whole
from tests.trips import random_trips

MATURITY = 120  # minutes
NOON_MINUTE = 24280860  # 2016-03-01 17:00 UTC


async def new_source(pool: Pool, partitions: int = 2, source: StreamSource | None = None) -> int:
    streams = Streams(pool)
    source_id = await streams.register(source or StreamSource("cluster", "trip-events", uuid.uuid4()))
    for partition in range(partitions):
        await streams.open_partition(source_id, partition, 100)
    return source_id


def a_tally(seed: int = 1, first: str = "2016-03-01T17:00:00") -> Tally:
    return whole(at(random_trips(40, seed=seed), first, 30), shadow=2)


def step_of(minute: int, tally: Tally) -> Step:
    return Step(minute, minute - 125, tally.cells, tally.pairs, tally.flows, tally.inputs)


def a_round(before: Standing, reaches: dict[int, Reach], tally: Tally | None = None, **changes: Any) -> Round:
    tally = tally or Tally.empty()
    entries = changes.pop("entries", ())
    after = replace(before, seq=before.seq + len(entries), reaches=reaches, open=Tally.merged([before.open, tally]))
    offsets = {partition: reach.next_offset for partition, reach in before.reaches.items()}
    others = {name: changes.pop(name) for name in ("decisions", "expire", "readings") if name in changes}
    return Round(offsets, replace(after, **changes), tally.cells, tuple(entries), places=tally.places, **others)


def same(one: Tally, other: Tally) -> bool:
    return one.as_lists() == other.as_lists()
