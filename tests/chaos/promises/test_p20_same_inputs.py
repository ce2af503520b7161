"""Promise 20: training, stream and API see the same inputs of the same trip, to the bit.

The inputs themselves leave no process. So one model answers with a hash of them: all inputs times large numbers, modulo an
hour. Half a unit in the last place of one input moves it. Another one is a real forest, for the durations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from adapters.environment.settings import PostgresSettings
from adapters.onnx.model import Graph
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.history.trips import History
from batch.labelled import LabelledTrips
from batch.pack import Trained, pack
from cli.embedded.ports import HOST, free_ports
from domain.entities.trips import SECOND, TIME, TripColumns
from domain.features import FEATURES, features_of
from domain.packages import ModelPackage
from domain.quality import ServiceArea
from tests.backtests import SMALL
from tests.chaos.registered import Registered, follows
from tests.chaos.report import Report
from tests.fakes.models import CLOCK, INTERVALS, distance_package
from tests.running import Worker, World, events_of, until
from tests.serving import bodies_of
from tests.trips import random_trips

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
# In UTC: both nights on which New York's clocks change, two leap days, the ends of a year there and in UTC, any day.
NIGHTS = (
    "2016-03-13T04:00:00",
    "2016-11-06T03:00:00",
    "2016-02-29T00:00:00",
    "2020-02-29T20:00:00",
    "2016-01-01T00:00:00",
    "2019-12-31T22:00:00",
    "2016-06-01T00:00:00",
)
AREA = ServiceArea()
TOGETHER = 997
ALONE = 50  # trips that are also asked for one by one
ASKED = "select trip_id, role::text, duration_seconds from predictions"


def odd_trips(count: int, seed: int = 20) -> TripColumns:
    """A third at random; the others around the nights above, in the corners of the area, or without having moved."""
    rng = np.random.default_rng(seed)
    trips = random_trips(count, seed=seed)
    nights = np.array(NIGHTS, dtype=TIME)[rng.integers(0, len(NIGHTS), count)]
    at_night = nights + rng.integers(0, 8 * 3600 * 1_000_000, count).astype("timedelta64[us]")
    on_the_hour = nights + rng.integers(0, 8, count) * 3600 * SECOND
    kind = rng.integers(0, 3, count)
    pickup_at = np.choose(kind, [trips.pickup_at.astype(np.int64), at_night.astype(np.int64), on_the_hour.astype(np.int64)])
    corners = {"latitude": [AREA.south, AREA.north], "longitude": [AREA.west, AREA.east]}
    places = {}
    for end in ("pickup", "dropoff"):
        for axis, (low, high) in corners.items():
            edge = np.array([low, np.nextafter(low, high), np.nextafter(high, low), high])[rng.integers(0, 4, count)]
            inner = getattr(trips, f"{end}_{axis}")
            places[f"{end}_{axis}"] = np.where(rng.random(count) < 0.2, edge, inner)
    still = rng.random(count) < 0.05
    for axis in corners:
        places[f"dropoff_{axis}"] = np.where(still, places[f"pickup_{axis}"], places[f"dropoff_{axis}"])
    return replace(
        trips,
        pickup_at=pickup_at.astype(TIME),
        passenger_count=rng.choice([0, 1, 9], count).astype(np.int16),
        vendor_id=rng.choice([0, 1, 2, 32_767], count).astype(np.int16),
        **places,
    )


def hashing() -> ModelPackage:
    """60 s and the hash of the inputs, modulo an hour."""
    factors = np.random.default_rng(1).uniform(0.5e9, 1.5e9, len(FEATURES))
    constants = {
        "factors": factors,
        "axis": np.array([1], dtype=np.int64),
        "hour": np.array(3600.0),
        "minute": np.array(3660.0),
    }
    nodes = [
        helper.make_node("Cast", ["features"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["wide", "factors"], ["products"]),
        helper.make_node("ReduceSum", ["products", "axis"], ["sums"], keepdims=0),
        helper.make_node("Mod", ["sums", "hour"], ["rest"], fmod=1),
        helper.make_node("Add", ["rest", "minute"], ["exact"]),
        helper.make_node("Cast", ["exact"], ["seconds"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "hash",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("seconds", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return answering(bytes(model.SerializeToString()))


def answering(graph: bytes) -> ModelPackage:
    package = distance_package()
    answers = Graph.open(graph, len(FEATURES))(package.warm_up_inputs)
    return replace(package, graph=graph, warm_up_outputs=answers)


@cache
def forest() -> ModelPackage:
    trips = random_trips(4000, seed=9)
    features = features_of(trips, CLOCK)
    distance = features[:, FEATURES.index("distance_km")]
    fitted = SMALL.fit(features, (120 + 100 * distance).astype(np.float64), 1, None)
    return pack(Trained("xgboost", fitted, INTERVALS), features, CLOCK, Graph.open)


def bits(seconds: Sequence[float] | NDArray[Any]) -> NDArray[np.uint32]:
    return np.asarray(seconds, dtype=np.float32).view(np.uint32)


@dataclass
class Case:
    world: World
    registered: Registered
    graphs: dict[int, Graph]
    worker: Worker
    api: Worker

    async def follow(self, version: int) -> None:
        """Return when the API answers with it."""
        await self.registered.name(self.world, version)

        async def does() -> bool:
            ready, told = self.api.health("readyz")[0] == 200, self.api.metric
            return ready and told("tripcast_champion_info", version=str(version)) == 1

        await until(does)


@pytest.fixture
async def case(world: World, mlflow_address: str, stack_folder: Path, tmp_path: Path) -> Case:
    registered = Registered.new(mlflow_address, stack_folder / "mlflow", tmp_path)
    graphs = {registered.register(package): Graph.open(package.graph, len(FEATURES)) for package in (hashing(), forest())}
    (hashes, trees), port = graphs, free_ports(1)[0]
    await registered.name(world, hashes, trees)
    worker = world.start_worker("cli", "worker", **registered.settings)
    api = world.start_worker("cli", "api", TRIPCAST_API_PORT=str(port), **registered.settings)
    api.port = port
    case = Case(world, registered, graphs, worker, api)
    await case.follow(hashes)
    await follows(worker, hashes, trees)
    return case


@pytest.mark.promise(20, short=True)
async def test_batch_stream_and_api_see_the_same_bits(case: Case, report: Report) -> None:
    count = report.size(full=10_000, short=1_000)
    report.fault = (
        f"{count:,} odd trips (nights of the clock change, leap days, ends of the year, edges of the area) on three ways"
    )
    trips, world = odd_trips(count), case.world
    started, completed = events_of(trips)
    await world.publish([*started, *completed])
    by_id = {trip_id: row for row, trip_id in enumerate(trips.trip_id)}

    learned = await _as_trainings_see_them(case, trips)
    streamed = await _as_the_stream_scored(case, by_id)
    for version, graph in case.graphs.items():
        await case.follow(version)
        expected = bits(graph(learned))
        assert np.array_equal(streamed[version], expected), f"stream, version {version}"
        assert np.array_equal(await _as_the_api_answers(case, trips), expected), f"API, version {version}"
    report.sent = count
    report.measured["trips"] = count


async def _as_trainings_see_them(case: Case, trips: TripColumns) -> NDArray[np.float32]:
    """The inputs of the stored trips, read as a training reads them, in the order of `trips`."""
    await case.world.drained()
    assert await case.world.count("dead_letters") == 0
    pool = await open_pool(PostgresSettings(database=case.world.database))
    try:
        stored, completions = await History(pool).labelled_trips(with_ids=True)
    finally:
        await pool.close()
    labelled = LabelledTrips.of(stored, completions, AREA, CLOCK)
    place = {trip_id: row for row, trip_id in enumerate(labelled.trips.trip_id)}
    features = labelled.features()[[place[trip_id] for trip_id in trips.trip_id]]
    assert np.array_equal(features.view(np.uint32), features_of(trips, CLOCK).view(np.uint32)), "a row lost bits"
    return features


async def _as_the_stream_scored(case: Case, by_id: dict[str, int]) -> dict[int, NDArray[np.uint32]]:
    """By version, in the order of the trips."""
    hashes, trees = case.graphs
    seconds = {version: np.zeros(len(by_id), dtype=np.float32) for version in case.graphs}
    for row in await case.world.rows(ASKED):
        seconds[hashes if row["role"] == "champion" else trees][by_id[row["trip_id"]]] = row["duration_seconds"]
    return {version: bits(found) for version, found in seconds.items()}


async def _as_the_api_answers(case: Case, trips: TripColumns) -> NDArray[np.uint32]:
    """All in batches, some alone as well; every other pickup is told in the city's time."""
    bodies = [_local(body) if row % 2 else body for row, body in enumerate(bodies_of(trips))]
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{case.api.port}", timeout=60) as client:
        batches = [{"trips": bodies[first : first + TOGETHER]} for first in range(0, len(bodies), TOGETHER)]
        answers = [await _asked(client, "/predict/batch", batch) for batch in batches]
        alone = [await _asked(client, "/predict", body) for body in bodies[:ALONE]]
    found = bits([each["duration_seconds"] for answer in answers for each in answer["predictions"]])
    assert np.array_equal(bits([each["duration_seconds"] for each in alone]), found[:ALONE]), "alone and in a batch"
    return found


async def _asked(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _local(body: dict[str, Any]) -> dict[str, Any]:
    pickup_at = datetime.fromisoformat(body["pickup_at"]).astimezone(ZoneInfo(CLOCK.timezone))
    return body | {"pickup_at": pickup_at.isoformat()}


def test_the_hash_sees_the_last_bit_of_every_input() -> None:
    """Otherwise the promise's test could not fail."""
    graph = Graph.open(hashing().graph, len(FEATURES))
    features = features_of(odd_trips(500), CLOCK)
    before = graph(features)
    for column in range(len(FEATURES)):
        moved = features.copy()
        moved[:, column] = np.nextafter(moved[:, column], np.float32(np.inf))
        large = np.abs(features[:, column]) > 1e-3
        assert (graph(moved) != before)[large].mean() > 0.99, FEATURES[column]
        assert large.any()
