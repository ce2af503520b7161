"""Deployments between two registries in memory: what is refused, and when nothing may be taken back."""

import json
from pathlib import Path

import pytest

from batch.deploy import DeployVersion
from cli.commands.deploy import _gate
from domain.entities.models import Alias, ModelVersion
from domain.errors import InvalidInput, ModelRefused, UnknownVersion
from domain.features import feature_schema
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)


class World:
    """Staging has one version, production none; what production's service says is up to the test."""

    def __init__(self) -> None:
        self.source, self.target = InMemoryRegistry(), InMemoryRegistry()
        self.register(self.source, 100.0)
        self.wrong: str | None = None
        self.rolled_back: list[str] = []
        self.spoiled = False
        self.meanwhile: int | None = None

    def register(self, registry: InMemoryRegistry, seconds_per_km: float) -> int:
        return registry.add(files_of(distance_package(seconds_per_km)), "distance", SCHEMA)

    async def copy(self, version: ModelVersion) -> int:
        return self.register(self.target, 101.0 if self.spoiled else 100.0)

    async def promote(self, version: int, reason: str) -> None:
        self.target.set_alias(Alias.CHAMPION, version)

    async def roll_back(self, reason: str) -> None:
        self.rolled_back.append(reason)
        raise UnknownVersion("no version carries the alias previous")

    async def watch(self, version: int) -> str | None:
        if self.meanwhile is not None:
            self.target.set_alias(Alias.CHAMPION, self.meanwhile)
        return self.wrong

    def deploy(self) -> DeployVersion:
        return DeployVersion(self.source, self.target, "staging", self.copy, self.promote, self.roll_back, self.watch)


async def test_files_that_changed_on_the_way_are_never_promoted() -> None:
    world = World()
    world.spoiled = True
    with pytest.raises(ModelRefused, match="its files are not those of staging version 1"):
        await world.deploy()(1, "a test")
    assert world.target.resolve(Alias.CHAMPION) is None


async def test_what_somebody_else_has_promoted_meanwhile_is_not_taken_back() -> None:
    world = World()
    world.meanwhile, world.wrong = world.register(world.target, 300.0), "no answer"
    with pytest.raises(ModelRefused, match="somebody has replaced it already"):
        await world.deploy()(1, "a test")
    assert world.rolled_back == []
    champion = world.target.resolve(Alias.CHAMPION)
    assert champion is not None
    assert champion.version == world.meanwhile


async def test_a_version_that_is_here_by_its_bytes_is_not_copied_again() -> None:
    world = World()
    world.register(world.target, 100.0)
    assert (await world.deploy()(1, "a test")).version == 1
    assert len(world.target.versions()) == 1


def test_a_gate_that_had_failed_stops_the_deployment(tmp_path: Path) -> None:
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps({"passed": True, "gates": [], "measured": {"rmse_minutes": 4.7, "coverage": 0.9}}))
    assert _gate(verdict)["rmse_minutes"] == "4.7"
    verdict.write_text(json.dumps({"passed": False, "gates": [], "measured": None}))
    with pytest.raises(ModelRefused, match="had failed"):
        _gate(verdict)
    verdict.write_text("[]")
    with pytest.raises(InvalidInput, match="not what"):
        _gate(verdict)
