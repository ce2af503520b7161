"""Following the champion: what scores when the registry changes, lies, or is gone. Real graphs and files, a fake registry."""

import threading
from pathlib import Path

import pytest

from adapters.onnx.local_models import LocalModels
from domain.entities.models import Alias
from domain.errors import NoChampion
from domain.features import feature_schema
from domain.services.follow_champion import FollowChampion
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)


@pytest.fixture
def registry() -> InMemoryRegistry:
    return InMemoryRegistry()


def follow(registry: InMemoryRegistry, folder: Path) -> FollowChampion:
    return FollowChampion(registry, LocalModels(folder, SCHEMA))


def add(registry: InMemoryRegistry, seconds_per_km: float = 150.0, *, champion: bool = True) -> int:
    version = registry.add(files_of(distance_package(seconds_per_km)), "distance", SCHEMA)
    if champion:
        registry.set_alias(Alias.CHAMPION, version)
    return version


def test_without_a_champion_nothing_scores_and_the_error_says_what_to_do(registry: InMemoryRegistry, tmp_path: Path) -> None:
    champion = follow(registry, tmp_path)
    report = champion.refresh()
    assert report.active is None
    assert report.registry_up
    with pytest.raises(NoChampion, match="tripcast train"):
        champion.current()


def test_a_new_champion_scores_after_the_refresh_and_not_before(registry: InMemoryRegistry, tmp_path: Path) -> None:
    first = add(registry)
    champion = follow(registry, tmp_path)
    assert champion.refresh().changed
    second = add(registry, 200.0)
    assert champion.current().version == first
    report = champion.refresh()
    assert report.changed
    assert report.active == registry.get(second)
    assert report.replaced is not None
    assert report.replaced.version == first
    assert champion.current().version == second


def test_a_refresh_that_finds_nothing_new_downloads_nothing(registry: InMemoryRegistry, tmp_path: Path) -> None:
    add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    model = champion.current()
    report = champion.refresh()
    assert not report.changed
    assert champion.current() is model
    assert len(registry.downloads) == 1


def test_with_the_registry_down_scoring_goes_on_and_the_report_says_so(registry: InMemoryRegistry, tmp_path: Path) -> None:
    version = add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    registry.down = True
    report = champion.refresh()
    assert not report.registry_up
    assert not report.changed
    assert not report.local_copy
    assert champion.current().version == version


def test_a_start_with_the_registry_down_uses_the_verified_local_copy_and_says_so(
    registry: InMemoryRegistry, tmp_path: Path
) -> None:
    version = add(registry)
    follow(registry, tmp_path).refresh()
    registry.down = True
    champion = follow(registry, tmp_path)
    report = champion.refresh()
    assert report.local_copy
    assert report.changed
    assert champion.current().version == version
    registry.down = False
    confirmed = champion.refresh()
    assert (confirmed.local_copy, confirmed.changed, confirmed.registry_up) == (False, False, True)
    assert len(registry.downloads) == 1


def test_a_corrupt_local_copy_is_not_used_while_the_registry_is_down(registry: InMemoryRegistry, tmp_path: Path) -> None:
    version = add(registry)
    follow(registry, tmp_path).refresh()
    graph = tmp_path / str(version) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    registry.down = True
    champion = follow(registry, tmp_path)
    assert champion.refresh().active is None
    registry.down = False
    assert champion.refresh().active is not None
    assert champion.current().version == version


def test_a_refused_version_never_scores_the_old_one_goes_on_and_it_is_reported_once(
    registry: InMemoryRegistry, tmp_path: Path
) -> None:
    good = add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    bad = add(registry, 200.0)
    registry.replace_file(bad, "model.onnx", b"\x80\x04 not what was registered")
    report = champion.refresh()
    assert report.refused is not None
    assert report.refused.version.version == bad
    assert champion.current().version == good
    again = champion.refresh()
    assert again.refused is None
    assert registry.downloads.count(bad) == 1


def test_a_refused_version_gets_another_try_when_another_was_champion_in_between(
    registry: InMemoryRegistry, tmp_path: Path
) -> None:
    good = add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    bad = add(registry, 200.0)
    content = files_of(distance_package(200.0))["model.onnx"]
    registry.replace_file(bad, "model.onnx", content[:-1])
    champion.refresh()
    registry.replace_file(bad, "model.onnx", content)
    registry.set_alias(Alias.CHAMPION, good)
    champion.refresh()
    registry.set_alias(Alias.CHAMPION, bad)
    assert champion.refresh().changed
    assert champion.current().version == bad


def test_a_start_with_a_refused_champion_scores_with_the_last_good_one(registry: InMemoryRegistry, tmp_path: Path) -> None:
    good = add(registry)
    follow(registry, tmp_path).refresh()
    bad = add(registry, 200.0)
    registry.replace_file(bad, "manifest.json", b"{}")
    champion = follow(registry, tmp_path)
    report = champion.refresh()
    assert report.refused is not None
    assert report.local_copy
    assert champion.current().version == good
    assert champion.refresh().refused is None


def test_an_alias_that_was_removed_stops_nobody(registry: InMemoryRegistry, tmp_path: Path) -> None:
    version = add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    registry.drop_alias(Alias.CHAMPION)
    assert not champion.refresh().changed
    assert champion.current().version == version


def test_the_same_number_with_other_bytes_is_another_model(registry: InMemoryRegistry, tmp_path: Path) -> None:
    add(registry)
    champion = follow(registry, tmp_path)
    champion.refresh()
    before = champion.current()
    champion.registry = InMemoryRegistry()  # set up anew, so that it counts from 1 again
    version = add(champion.registry, 300.0)
    assert champion.refresh().changed
    assert champion.current().version == before.version == version
    assert champion.current() is not before
    assert champion.registry.downloads == [version]


def test_a_switch_under_load_gives_every_caller_one_whole_model(registry: InMemoryRegistry, tmp_path: Path) -> None:
    versions = [add(registry, 100.0 + 10 * number, champion=False) for number in range(3)]
    registry.set_alias(Alias.CHAMPION, versions[0])
    champion = follow(registry, tmp_path)
    champion.refresh()
    stop, seen = threading.Event(), set[int]()

    def score() -> None:
        while not stop.is_set():
            seen.add(champion.current().version)

    scorer = threading.Thread(target=score)
    scorer.start()
    for turn in range(30):
        registry.set_alias(Alias.CHAMPION, versions[turn % 3])
        champion.refresh()
    stop.set()
    scorer.join()
    assert seen <= set(versions)
    assert len(registry.downloads) == 3
