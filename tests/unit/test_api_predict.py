"""Predictions over HTTP: those of one turn together, the worker's bits, and never one that is not logged."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.onnx.model import OnnxModel, open_model
from api.identities import Identities
from domain.entities.models import ModelVersion
from domain.entities.trips import TripColumns
from domain.features import CityClock, Matrix
from domain.quality import TripRules
from schemas.events import Point, TripStarted
from stream.score_events import Fetched, ScoreEvents, Scorers
from tests.fakes.champion import ArithmeticModel, FixedChampion
from tests.fakes.models import INTERVALS, distance_package
from tests.serving import TRIP, Fakes, bodies_of, serving, until
from tests.trips import random_trips

NIGHTS = ("2015-03-08T05:00:00", "2015-11-01T04:00:00", "2016-02-29T04:00:00", "2016-03-13T05:00:00", "2016-11-06T04:00:00")


@dataclass(frozen=True)
class Record:
    """A Kafka record, as the worker reads it."""

    offset: int
    key: bytes
    value: bytes
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Counting:
    """A model that remembers how many rows came at once."""

    inner: ArithmeticModel = field(default_factory=ArithmeticModel)
    rows: list[int] = field(default_factory=list)

    version = property(lambda self: self.inner.version)
    feature_schema = property(lambda self: self.inner.feature_schema)
    intervals = property(lambda self: self.inner.intervals)

    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        self.rows.append(len(features))
        return self.inner.duration_seconds(features)


async def test_requests_of_one_turn_are_scored_in_one_call_and_each_gets_its_own_answer() -> None:
    model = Counting()
    bodies = bodies_of(random_trips(20))
    async with serving(Fakes(FixedChampion(model))) as api:
        answers = await asyncio.gather(*(api.client.post("/predict", json=body) for body in bodies))
        together = list(model.rows)
        alone = [await api.client.post("/predict", json=body) for body in bodies]
    assert together == [20]
    assert model.rows[1:] == [1] * 20
    for one, other in zip(answers, alone, strict=True):
        assert one.json()["prediction_id"] != other.json()["prediction_id"]
        assert {**one.json(), "prediction_id": 0} == {**other.json(), "prediction_id": 0}


async def test_a_wrong_request_spoils_nothing_for_those_that_came_with_it() -> None:
    bodies = bodies_of(random_trips(6))
    bodies[2]["passenger_count"], bodies[4]["pickup"] = 12, {"latitude": 10, "longitude": 10}
    async with serving() as api:
        answers = await asyncio.gather(*(api.client.post("/predict", json=body) for body in bodies))
        await until(lambda: len(api.served.rows) == 4)
        alone = [await api.client.post("/predict", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200, 200, 422, 200, 422, 200]
    assert [answers[row].json()["errors"][0]["reason"] for row in (2, 4)] == ["passenger_count_invalid", "outside_service_area"]
    said = [[answer.json().get("duration_seconds") for answer in each] for each in (answers, alone)]
    assert said[0] == said[1]
    assert len(set(said[0])) == 5


async def test_the_answer_names_the_model_and_its_row_is_what_was_said() -> None:
    async with serving() as api:
        answer = (await api.client.post("/predict", json=TRIP)).json()
        await until(lambda: len(api.served.rows) == 1)
    row = api.served.rows[UUID(answer["prediction_id"]).bytes]
    assert answer["model"] == {"name": "trip-duration", "kind": "arithmetic", "version": 1, "run_id": "run-1"}
    assert answer["duration_minutes"] == answer["duration_seconds"] / 60
    assert answer["interval"] == {
        "lower_seconds": row["lower_seconds"],
        "upper_seconds": row["upper_seconds"],
        "coverage": 0.9,
    }
    assert (row["duration_seconds"], row["model_version"], row["key_id"]) == (answer["duration_seconds"], 1, None)
    assert (row["vendor_id"], row["passenger_count"], row["dropoff_longitude"]) == (1, 2, -73.87)
    assert row["pickup_at"] == datetime(2016, 3, 1, 17, 0, tzinfo=UTC).replace(tzinfo=None)


async def test_without_a_champion_nothing_is_made_up() -> None:
    async with serving(Fakes(FixedChampion(None))) as api:
        answers = [
            await api.client.post("/predict", json=TRIP),
            await api.client.post("/predict/batch", json={"trips": [TRIP]}),
        ]
        info, ready = await api.client.get("/model/info"), await api.client.get("/readyz")
    for answer in (*answers, info):
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:tripcast:problem:no-champion")
        assert answer.headers["retry-after"] == "1"
    assert "champion" in {error["pointer"] for error in ready.json()["errors"]}


async def test_ten_thousand_trips_have_the_bits_that_the_worker_gives_them() -> None:
    """Over one real graph and both paths as they are: records to rows there, requests to answers here."""
    parts = [random_trips(1_600, seed, night, days=1) for seed, night in enumerate(NIGHTS)]
    trips = TripColumns.concatenate([*parts, random_trips(2_000, 9)])
    model = _graph()
    expected = _as_the_worker_says(trips, model)
    bodies = bodies_of(trips)
    async with serving(Fakes(FixedChampion(model))) as api:
        said = []
        for first in range(0, 9_000, 3_000):
            batch = (await api.client.post("/predict/batch", json={"trips": bodies[first : first + 3_000]})).json()
            said += batch["predictions"]
        for first in range(9_000, len(bodies), 100):
            some = await asyncio.gather(*(api.client.post("/predict", json=body) for body in bodies[first : first + 100]))
            said += [answer.json() for answer in some]
        await until(lambda: len(api.served.rows) == len(trips))
    assert len(said) == len(trips) == 10_000
    got = [(one["duration_seconds"], one["interval"]["lower_seconds"], one["interval"]["upper_seconds"]) for one in said]
    assert np.array_equal(np.array(got, dtype=np.float64), expected)
    stored = [api.served.rows[UUID(one["prediction_id"]).bytes] for one in said]
    kept = [(row["duration_seconds"], row["lower_seconds"], row["upper_seconds"]) for row in stored]
    assert np.array_equal(np.array(kept, dtype=np.float64), expected)


def _graph() -> OnnxModel:
    package = distance_package()
    version = ModelVersion(3, "run-3", package.kind, package.feature_schema, datetime.now(UTC), ())
    return open_model(version, package, package.feature_schema)


def _as_the_worker_says(trips: TripColumns, model: OnnxModel) -> NDArray[np.float64]:
    columns = [getattr(trips, name).tolist() for name in TripColumns.__slots__]
    records = []
    for offset, (trip_id, vendor, passengers, pickup, *places) in enumerate(zip(*columns, strict=True)):
        points = Point(latitude=places[0], longitude=places[1]), Point(latitude=places[2], longitude=places[3])
        event = TripStarted(trip_id, vendor, passengers, pickup.replace(tzinfo=UTC), *points)
        records.append(Record(offset, trip_id.encode(), msgspec.json.encode(event)))
    prepared = ScoreEvents(TripRules(), CityClock())(Fetched({0: records}, ()), Scorers(model))
    predicted = prepared.batch.predictions
    assert model.intervals == INTERVALS
    assert not prepared.batch.dead_letters
    return np.column_stack([predicted.duration_seconds, predicted.lower_seconds, predicted.upper_seconds]).astype(np.float64)


def test_ids_grow_and_say_when_they_were_made() -> None:
    ids = Identities()
    before = datetime.now(UTC).timestamp()
    texts = [text for _ in range(50) for text in ids.new(100)[1]]
    assert texts == sorted(set(texts))
    assert {UUID(text).version for text in texts} == {7}
    made = int(UUID(texts[0]).hex[:12], 16) / 1000
    assert before - 0.01 <= made <= datetime.now(UTC).timestamp()
    raw, [text] = ids.new(1)
    assert UUID(bytes=raw.tolist()[0]) == UUID(text)


def test_ids_grow_even_while_the_clock_stands_still_and_threads_share_them() -> None:
    ids = Identities(now_ns=lambda: 1_700_000_000_000_000_000)
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(lambda _: ids.new(2_000)[1], range(8)))
    assert len({text for part in parts for text in part}) == 16_000
    assert all(part == sorted(part) for part in parts)
