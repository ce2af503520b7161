"""Promotion and rollback: who carries which alias, what is recorded, and that a crash at any step can be repaired."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.onnx.local_models import LocalModels
from domain.entities.models import Alias, LifecycleEvent
from domain.errors import ModelRefused, RegistryUnreachable, UnknownVersion
from domain.features import feature_schema
from domain.services.promote_version import PromoteVersion
from domain.services.roll_back import RollBack
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.mortal import FixedClock, Killed, MortalJournal, MortalRegistry

SCHEMA = feature_schema(CLOCK)


@dataclass
class World:
    folder: Path
    registry: MortalRegistry = field(default_factory=MortalRegistry)
    journal: MortalJournal = field(default_factory=MortalJournal)
    announced: list[LifecycleEvent] = field(default_factory=list)

    def add(self, seconds_per_km: float = 100.0) -> int:
        return self.registry.add(files_of(distance_package(seconds_per_km)), "distance", SCHEMA)

    async def announce(self, event: LifecycleEvent) -> None:
        self.announced.append(event)

    async def promote(self, version: int, reason: str = "better", *, watch: bool = False) -> LifecycleEvent | None:
        library = LocalModels(self.folder, SCHEMA)
        promote = PromoteVersion(self.registry, library, self.journal, self.announce, FixedClock())
        return await promote(version, "ann", reason, watch=watch)

    async def roll_back(self) -> LifecycleEvent:
        library = LocalModels(self.folder, SCHEMA)
        return await RollBack(self.registry, library, self.journal, self.announce, FixedClock())("bob", "worse")

    def aliases(self) -> dict[str, int | None]:
        found = {alias: self.registry.resolve(alias) for alias in Alias}
        return {alias.value: version.version if version else None for alias, version in found.items()}

    def told(self) -> list[tuple[str, str, object]]:
        return [(event.kind, event.subject, event.details["replaced"]) for event in self.journal.events]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_the_first_promotion_makes_a_champion_with_who_and_why(world: World) -> None:
    version = world.add()
    event = await world.promote(version)
    assert world.aliases() == {"champion": version, "challenger": None, "previous": None}
    assert event is not None
    assert (event.kind, event.actor, event.reason, event.details["version"]) == ("model.promoted", "ann", "better", version)
    assert world.announced == world.journal.events == [event]


async def test_the_champion_of_until_then_becomes_previous_and_a_challenger_stops_being_one(world: World) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    world.registry.set_alias(Alias.CHALLENGER, second)
    await world.promote(second)
    assert world.aliases() == {"champion": second, "challenger": None, "previous": first}
    assert world.told() == [("model.promoted", "version 1", None), ("model.promoted", "version 2", first)]


async def test_promoting_the_champion_again_changes_and_records_nothing(world: World) -> None:
    version = world.add()
    await world.promote(version)
    assert await world.promote(version) is None
    assert len(world.journal.events) == len(world.announced) == 1


async def test_a_version_that_a_worker_would_refuse_is_not_promoted(world: World) -> None:
    good, bad = world.add(), world.add(110.0)
    await world.promote(good)
    world.registry.replace_file(bad, "model.onnx", b"something else")
    with pytest.raises(ModelRefused):
        await world.promote(bad)
    assert world.aliases()["champion"] == good
    assert len(world.journal.events) == 1


async def test_unknown_versions_and_a_registry_that_is_down_change_nothing(world: World) -> None:
    with pytest.raises(UnknownVersion):
        await world.promote(9)
    world.registry.down = True
    with pytest.raises(RegistryUnreachable):
        await world.promote(1)
    assert world.journal.events == []


@pytest.mark.parametrize("writes", range(4))
async def test_a_promotion_that_crashed_anywhere_is_completed_by_running_it_again(world: World, writes: int) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    world.registry.set_alias(Alias.CHALLENGER, second)
    world.registry.writes_left, world.journal.dies = writes, writes == 3
    with pytest.raises(Killed):
        await world.promote(second)
    assert world.aliases()["champion"] in {first, second}, "at no moment is there no champion"
    world.registry.writes_left, world.journal.dies = 1000, False
    await world.promote(second)
    assert world.aliases() == {"champion": second, "challenger": None, "previous": first}
    assert world.told() == [("model.promoted", "version 1", None), ("model.promoted", "version 2", first)]


async def test_a_rollback_brings_the_previous_champion_back_once(world: World) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    await world.promote(second)
    await world.roll_back()
    assert world.aliases() == {"champion": first, "challenger": None, "previous": None}
    assert world.told()[-1] == ("model.rolled_back", "version 1", second)
    with pytest.raises(UnknownVersion, match="no way back"):
        await world.roll_back()


@pytest.mark.parametrize("writes", range(3))
async def test_a_rollback_that_crashed_anywhere_is_completed_by_running_it_again(world: World, writes: int) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    await world.promote(second)
    world.registry.writes_left, world.journal.dies = (1000, True) if writes == 2 else (writes, False)
    with pytest.raises(Killed):
        await world.roll_back()
    world.registry.writes_left, world.journal.dies = 1000, False
    await world.roll_back()
    assert world.aliases() == {"champion": first, "challenger": None, "previous": None}
    assert [kind for kind, _, _ in world.told()] == ["model.promoted", "model.promoted", "model.rolled_back"]


async def test_a_version_can_be_promoted_again_after_it_was_rolled_back(world: World) -> None:
    first, second = world.add(), world.add(110.0)
    for version in (first, second):
        await world.promote(version)
    await world.roll_back()
    assert await world.promote(second) is not None
    await world.roll_back()
    assert world.aliases()["champion"] == first
    assert len(world.journal.events) == 5


async def test_a_promotion_with_a_watch_leaves_the_old_champion_in_the_shadow(world: World) -> None:
    first, second = world.add(), world.add(110.0)
    assert (await world.promote(first, watch=True)) is not None
    assert world.aliases() == {"champion": first, "challenger": None, "previous": None}, "nobody was there to be compared with"
    world.registry.set_alias(Alias.CHALLENGER, second)
    await world.promote(second, watch=True)
    assert world.aliases() == {"champion": second, "challenger": first, "previous": first}


@pytest.mark.parametrize("writes", range(4))
async def test_a_promotion_with_a_watch_that_crashed_anywhere_is_completed_too(world: World, writes: int) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    world.registry.set_alias(Alias.CHALLENGER, second)
    world.registry.writes_left, world.journal.dies = writes, writes == 3
    with pytest.raises(Killed):
        await world.promote(second, watch=True)
    assert world.aliases()["champion"] in {first, second}, "at no moment is there no champion"
    world.registry.writes_left, world.journal.dies = 1000, False
    await world.promote(second, watch=True)
    assert world.aliases() == {"champion": second, "challenger": first, "previous": first}
    assert world.told() == [("model.promoted", "version 1", None), ("model.promoted", "version 2", first)]


@pytest.mark.parametrize("writes", range(4))
async def test_a_rollback_after_a_watch_empties_the_shadow_wherever_it_crashed(world: World, writes: int) -> None:
    first, second = world.add(), world.add(110.0)
    await world.promote(first)
    await world.promote(second, watch=True)
    world.registry.writes_left, world.journal.dies = (1000, True) if writes == 3 else (writes, False)
    with pytest.raises(Killed):
        await world.roll_back()
    assert world.aliases()["champion"] in {first, second}
    world.registry.writes_left, world.journal.dies = 1000, False
    await world.roll_back()
    assert world.aliases() == {"champion": first, "challenger": None, "previous": None}
    assert world.told()[2:] == [("model.rolled_back", "version 1", second)]


async def test_a_rollback_leaves_another_challenger_where_it_is(world: World) -> None:
    first, second, third = world.add(), world.add(110.0), world.add(120.0)
    await world.promote(first)
    await world.promote(second)
    world.registry.set_alias(Alias.CHALLENGER, third)
    await world.roll_back()
    assert world.aliases() == {"champion": first, "challenger": third, "previous": None}
