"""Following the challenger: who shadows when the registry changes, lies, or is gone. Real graphs and files, fake registry."""

from pathlib import Path

import pytest

from adapters.onnx.local_models import LocalModels
from domain.entities.models import Alias
from domain.features import feature_schema
from domain.services.follow_shadow import FollowShadow
from tests.fakes.champion import ArithmeticModel
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)
CHAMPION = ArithmeticModel(version=99)


@pytest.fixture
def registry() -> InMemoryRegistry:
    return InMemoryRegistry()


@pytest.fixture
def shadow(registry: InMemoryRegistry, tmp_path: Path) -> FollowShadow:
    return FollowShadow(registry, LocalModels(tmp_path, SCHEMA))


def add(registry: InMemoryRegistry, seconds_per_km: float = 150.0, schema: str = SCHEMA) -> int:
    """A version under the alias challenger."""
    version = registry.add(files_of(distance_package(seconds_per_km, schema=schema)), "distance", schema)
    registry.set_alias(Alias.CHALLENGER, version)
    return version


def shadowing(shadow: FollowShadow, champion: ArithmeticModel = CHAMPION) -> int | None:
    model = shadow.beside(champion)
    return model.version if model else None


def test_nobody_shadows_until_a_challenger_was_admitted(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    assert shadow.refresh().active is None
    version = add(registry)
    assert shadowing(shadow) is None
    report = shadow.refresh()
    assert (report.changed, report.active) == (True, registry.get(version))
    assert shadowing(shadow) == version
    assert not shadow.refresh().changed
    assert registry.downloads == [version]


def test_a_dropped_alias_ends_the_shadowing(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    add(registry)
    shadow.refresh()
    registry.drop_alias(Alias.CHALLENGER)
    report = shadow.refresh()
    assert (report.changed, report.active, shadowing(shadow)) == (True, None, None)


def test_the_champion_never_shadows_itself_whichever_alias_moves_first(
    registry: InMemoryRegistry, shadow: FollowShadow
) -> None:
    version = add(registry)
    shadow.refresh()
    assert shadowing(shadow, ArithmeticModel(version=version)) is None, "promoted here, the alias challenger not dropped yet"
    registry.set_alias(Alias.CHAMPION, version)
    assert shadow.refresh().active is None
    assert shadowing(shadow) is None


def test_the_champion_of_before_shadows_its_successor(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    before, after = add(registry), add(registry, 200.0)
    shadow.refresh()
    registry.set_alias(Alias.CHAMPION, after)
    registry.set_alias(Alias.CHALLENGER, before)
    registry.set_alias(Alias.PREVIOUS, before)
    assert shadow.refresh().changed
    assert shadowing(shadow, ArithmeticModel(version=after)) == before


def test_a_refused_challenger_is_told_once_and_the_one_before_it_shadows_no_more(
    registry: InMemoryRegistry, shadow: FollowShadow
) -> None:
    add(registry)
    shadow.refresh()
    bad = add(registry, 200.0)
    registry.replace_file(bad, "model.onnx", b"\x80\x04 not what was registered")
    report = shadow.refresh()
    assert report.refused is not None
    assert (report.refused.version.version, report.active, shadowing(shadow)) == (bad, None, None)
    again = shadow.refresh()
    assert (again.refused, again.active) == (None, None)
    assert registry.downloads.count(bad) == 1


def test_a_challenger_of_another_feature_schema_is_refused(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    add(registry, schema="0123456789ab")
    report = shadow.refresh()
    assert report.refused is not None
    assert "feature schema" in report.refused.reason


def test_a_refused_version_gets_another_try_when_the_alias_was_away_in_between(
    registry: InMemoryRegistry, shadow: FollowShadow
) -> None:
    version = add(registry)
    content = files_of(distance_package())["model.onnx"]
    registry.replace_file(version, "model.onnx", content[:-1])
    assert shadow.refresh().refused is not None
    registry.replace_file(version, "model.onnx", content)
    assert shadow.refresh().active is None
    registry.drop_alias(Alias.CHALLENGER)
    shadow.refresh()
    registry.set_alias(Alias.CHALLENGER, version)
    assert shadow.refresh().active is not None


def test_while_the_registry_is_away_who_shadows_goes_on(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    version = add(registry)
    shadow.refresh()
    registry.down = True
    assert not shadow.refresh().changed
    assert shadowing(shadow) == version


def test_a_download_that_breaks_off_is_tried_again(registry: InMemoryRegistry, shadow: FollowShadow, tmp_path: Path) -> None:
    version = add(registry)
    broken = registry.download

    def break_off(*_: object) -> None:
        registry.down = True
        broken(registry.get(version), tmp_path)

    registry.download = break_off  # type: ignore[method-assign, assignment]
    report = shadow.refresh()
    assert (report.active, report.refused) == (None, None)
    registry.down = False
    registry.download = broken  # type: ignore[method-assign]
    assert shadow.refresh().active is not None


def test_a_shadow_that_failed_while_scoring_is_not_given_again(registry: InMemoryRegistry, shadow: FollowShadow) -> None:
    add(registry)
    shadow.refresh()
    model = shadow.beside(CHAMPION)
    assert model is not None
    shadow.refuse(model)
    assert shadowing(shadow) is None
    shadow.refresh()
    assert shadowing(shadow) is None
    other = add(registry, 200.0)
    shadow.refuse(model)  # told twice, and late: it means nobody else
    shadow.refresh()
    assert shadowing(shadow) == other
