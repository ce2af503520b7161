"""A published prediction is put back when its version gives the same bits; else the nearest version below scores again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from domain.entities.repairs import Neighbour, StoredTrips
from domain.entities.streams import ModelStamp
from domain.entities.trips import RecordColumns
from domain.features import CityClock
from domain.ports import ScoringModel
from domain.services.score_trips import score_trips
from schemas.events import TripPredicted
from stream.remake import Answered, Remake
from tests.fakes.champion import ArithmeticModel
from tests.trips import random_trips

CLOCK, THEN, NOW = CityClock(), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
TRIPS = random_trips(5)
OFFSETS = (1, 5, 10, 20, 30)
STORED = StoredTrips(TRIPS, RecordColumns(np.zeros(5, np.int32), np.array(OFFSETS)))


@dataclass
class World:
    """Implements `stream.published.Published`, `RepairStore` and `NamedModels` as far as they are asked."""

    said: dict[int, TripPredicted] = field(default_factory=dict)
    stored: dict[int, Neighbour] = field(default_factory=dict)
    unknown: tuple[int, ...] = ()

    async def predictions(
        self, _partition: int, wanted: Mapping[int, str], _since: datetime | None
    ) -> dict[int, TripPredicted]:
        return {offset: said for offset, said in self.said.items() if offset in wanted}

    async def neighbours(self, _source: int, _partition: int, offsets: list[int]) -> dict[int, Neighbour]:
        return {offset: self.stored[offset] for offset in offsets if offset in self.stored}

    async def version(self, number: int) -> ScoringModel | None:
        return None if number in self.unknown else ArithmeticModel(number)

    async def answered(self) -> Answered:
        anything: Any = self
        return await Remake(anything, anything, anything, CLOCK, lambda: NOW)(1, 0, STORED, None)


def said(row: int, version: int) -> TripPredicted:
    """What that version says of the trip of a row."""
    made = score_trips(TRIPS.take(slice(row, row + 1)), ArithmeticModel(version), CLOCK)
    seconds = made.duration_seconds.item(), made.lower_seconds.item(), made.upper_seconds.item()
    return TripPredicted(made.trip_id[0], *seconds, version, ArithmeticModel().feature_schema, THEN, 0, OFFSETS[row])


def versions_of(answered: Answered) -> dict[int, tuple[int, bool]]:
    """By offset the version, and whether the prediction is the original one."""
    return {offset: (each.stamp.version, each.original) for each in answered.answers for offset in each.records.offset.tolist()}


async def test_what_is_missing_between_two_versions_gets_the_one_below() -> None:
    world = World(said={5: said(1, 1), 20: said(3, 2)})
    answered = await world.answered()
    assert versions_of(answered) == {1: (1, False), 5: (1, True), 10: (1, False), 20: (2, True), 30: (2, False)}
    assert {each.scored_at for each in answered.answers if each.original} == {THEN}
    assert {each.scored_at for each in answered.answers if not each.original} == {NOW}


async def test_a_stored_neighbour_that_is_nearer_counts_more() -> None:
    world = World(said={5: said(1, 1)}, stored={10: Neighbour(8, ModelStamp(3, "x"), THEN)})
    assert versions_of(await world.answered())[10] == (3, False)


async def test_a_published_prediction_that_its_version_does_not_give_is_scored_again() -> None:
    wrong = msgspec.structs.replace(said(1, 1), upper_seconds=said(1, 1).upper_seconds + 1)
    answered = await World(said={5: wrong, 20: said(3, 1)}).answered()
    assert versions_of(answered)[5] == (1, False)


async def test_a_published_prediction_of_a_version_that_is_nowhere_is_put_back_unchecked() -> None:
    answered = await World(said={5: said(1, 1)}, unknown=(1,)).answered()
    assert versions_of(answered) == {5: (1, True)}
    assert answered.unchecked == 1
    assert sorted(answered.without) == [1, 10, 20, 30]


async def test_where_nobody_ever_scored_nobody_does_now() -> None:
    answered = await World().answered()
    assert (answered.answers, sorted(answered.without)) == ([], list(OFFSETS))
