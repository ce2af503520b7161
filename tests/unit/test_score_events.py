"""Scoring a batch: champion and shadow on the same inputs, and a shadow that fails."""

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from domain.entities.predictions import Role
from domain.entities.streams import Span
from domain.features import CityClock, Matrix
from domain.quality import TripRules
from domain.services.score_trips import score_trips
from stream.score_events import Fetched, Prepared, ScoreEvents, Scorers
from tests.fakes.champion import ArithmeticModel
from tests.running import events_of
from tests.trips import random_trips

TRIPS = random_trips(20)
CHAMPION, SHADOW = ArithmeticModel(1), ArithmeticModel(2)


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes
    value: bytes
    timestamp: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()


class BrokenModel(ArithmeticModel):
    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        raise RuntimeError("no memory\nand more lines")


class UndefinedModel(ArithmeticModel):
    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        return np.full(len(features), np.nan, dtype=np.float32)


def prepared(shadow: ArithmeticModel | None) -> Prepared:
    started, _ = events_of(TRIPS)
    records = [Record(number, event.trip_id.encode(), msgspec.json.encode(event)) for number, event in enumerate(started)]
    score = ScoreEvents(TripRules(), CityClock())
    return score(Fetched({0: records}, (Span(0, 0, len(records)),)), Scorers(CHAMPION, shadow))


def test_both_score_the_same_trips_each_under_its_own_name() -> None:
    batch = prepared(SHADOW).batch
    assert batch.shadow is not None
    for said, model in ((batch.predictions, CHAMPION), (batch.shadow.predictions, SHADOW)):
        alone = score_trips(TRIPS, model, CityClock())
        assert said.trip_id.tolist() == TRIPS.trip_id.tolist()
        assert said.duration_seconds.tobytes() == alone.duration_seconds.tobytes()
        assert said.upper_seconds.tobytes() == alone.upper_seconds.tobytes()
    assert (batch.stamp.version, batch.stamp.role) == (1, Role.CHAMPION)
    assert (batch.shadow.stamp.version, batch.shadow.stamp.role) == (2, Role.CHALLENGER)


@pytest.mark.parametrize(("model", "why"), [(BrokenModel(2), "no memory"), (UndefinedModel(2), "not a number")])
def test_a_shadow_that_fails_costs_the_champion_nothing(model: ArithmeticModel, why: str) -> None:
    broken, alone = prepared(model), prepared(None)
    assert broken.batch.shadow is None
    assert broken.shadow_failure is not None
    assert why in broken.shadow_failure
    assert "\n" not in broken.shadow_failure
    assert broken.batch.predictions.duration_seconds.tobytes() == alone.batch.predictions.duration_seconds.tobytes()
    assert alone.shadow_failure is None
