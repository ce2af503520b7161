"""The champion changes under load: no request is dropped, and each answer is what the version that it names says."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from adapters.onnx.local_models import LocalModels
from adapters.onnx.model import Graph
from domain.entities.api_keys import new_key
from domain.entities.models import Alias
from domain.features import FEATURES, feature_schema, features_of
from domain.services.follow_champion import FollowChampion
from tests.fakes.models import CLOCK, distance_graph, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry
from tests.fakes.served import FixedKeys
from tests.serving import TRIP, Api, Fakes, bodies_of, serving, until
from tests.trips import random_trips
from tests.unit.test_api_front import bearer, stored

SPEEDS = (120.0, 150.0, 180.0)
SWITCHES = 15
BOSS = new_key()


def _world(folder: Path) -> tuple[InMemoryRegistry, Fakes]:
    registry = InMemoryRegistry()
    for speed in SPEEDS:
        registry.add(files_of(distance_package(speed)), "distance", feature_schema(CLOCK))
    registry.set_alias(Alias.CHAMPION, 1)
    library = LocalModels(folder / "models", feature_schema(CLOCK))
    return registry, Fakes(FollowChampion(registry, library), keys=FixedKeys([stored(BOSS, may_operate=True)]))


async def _reload(api: Api) -> dict[str, object]:
    await until(lambda: api.core.serve.keys._keys is not None)
    answer = await api.client.post("/model/reload", headers=bearer(BOSS))
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


async def test_switches_under_load_drop_nothing_and_every_answer_is_of_the_version_it_names(tmp_path: Path) -> None:
    registry, fakes = _world(tmp_path)
    trips = random_trips(50)
    bodies, features = bodies_of(trips), features_of(trips, CLOCK)
    expected = {number: Graph.open(distance_graph(speed), len(FEATURES))(features) for number, speed in enumerate(SPEEDS, 1)}
    seen: set[int] = set()
    async with serving(fakes) as api:
        done = asyncio.Event()

        async def ask(first: int) -> int:
            count = first
            while not done.is_set():
                row = count % len(bodies)
                answer = await api.client.post("/predict", json=bodies[row])
                assert answer.status_code == 200
                said, version = answer.json()["duration_seconds"], answer.json()["model"]["version"]
                assert np.float32(said) == expected[version][row]
                seen.add(version)
                count += 1
            return count - first

        asking = [asyncio.create_task(ask(first)) for first in range(8)]
        for switch in range(1, SWITCHES + 1):
            version = switch % 3 + 1
            registry.set_alias(Alias.CHAMPION, version)
            assert (await _reload(api))["version"] == version
        done.set()
        answered = sum(await asyncio.gather(*asking))
        await until(lambda: not api.core.queue.waiting)
    assert seen == {1, 2, 3}
    assert len(api.served.rows) == answered


async def test_a_version_that_fails_its_checks_is_refused_with_the_reason_and_the_old_one_goes_on(tmp_path: Path) -> None:
    registry, fakes = _world(tmp_path)
    registry.replace_file(2, "model.onnx", distance_graph(999.0))
    async with serving(fakes) as api:
        registry.set_alias(Alias.CHAMPION, 2)
        found = await _reload(api)
        again = await _reload(api)
        info = (await api.client.get("/model/info")).json()
        answer = (await api.client.post("/predict", json=TRIP)).json()
        registry.set_alias(Alias.CHAMPION, 3)
        after = await _reload(api)
    assert (found["changed"], found["version"], found["before"]) == (False, 1, 1)
    assert found["refused"] == again["refused"] == info["refused"]
    assert info["refused"]["version"] == 2
    assert "model.onnx" in info["refused"]["reason"]
    assert (info["version"], answer["model"]["version"]) == (1, 1)
    assert (after["changed"], after["version"], after["refused"]) == (True, 3, None)


async def test_without_the_registry_the_verified_copy_of_the_last_run_answers_and_says_so(tmp_path: Path) -> None:
    registry, fakes = _world(tmp_path)
    async with serving(fakes) as api:
        first = (await api.client.post("/predict", json=TRIP)).json()
    registry.down = True
    library = LocalModels(tmp_path / "models", feature_schema(CLOCK))
    async with serving(Fakes(FollowChampion(registry, library))) as api:
        second = (await api.client.post("/predict", json=TRIP)).json()
        info = (await api.client.get("/model/info")).json()
        checks = {check["name"]: check for check in (await api.client.get("/health")).json()["checks"]}
    assert second["duration_seconds"] == first["duration_seconds"]
    assert (info["local_copy"], info["registry_up"]) == (True, False)
    assert (checks["champion"]["ok"], checks["registry"]["ok"]) == (True, False)


async def test_the_alias_is_followed_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bootstrap.POLL_SECONDS", 0.02)
    registry, fakes = _world(tmp_path)
    async with serving(fakes) as api:
        registry.set_alias(Alias.CHAMPION, 2)

        async def follows() -> bool:
            return bool((await api.client.get("/model/info")).json()["version"] == 2)

        await until(follows)
