"""The contract of `domain.ports.ModelRegistry`, held by the fake and by MLflow with the same tests."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.mlflow.experiments import Experiments
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from domain.entities.models import Alias
from domain.entities.trainings import TrainedFrom
from domain.errors import RegistryUnreachable, UnknownVersion
from domain.features import feature_schema
from domain.packages import ModelPackage
from domain.ports import ModelRegistry
from domain.split import instant
from tests.fakes.models import CLOCK, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry
from tests.trips import random_trips

SCHEMA = feature_schema(CLOCK)
METRICS = {"rmse_minutes": 5.123456789, "r2": 0.75}


@dataclass
class Case:
    registry: ModelRegistry
    register: Callable[[ModelPackage], int]
    unreachable: ModelRegistry


@pytest.fixture(params=["fake", "mlflow"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "fake":
        fake = InMemoryRegistry()
        register = lambda package: fake.add(files_of(package), package.kind, package.feature_schema, METRICS)  # noqa: E731
        return Case(fake, register, InMemoryRegistry(down=True))
    address, model = request.getfixturevalue("mlflow_address"), f"model-{uuid.uuid4().hex[:8]}"
    experiments = Experiments(address, model, seconds=20)

    def register_in_mlflow(package: ModelPackage) -> int:
        pickup_at = random_trips(2).pickup_at
        trained_from = TrainedFrom(2, instant(pickup_at.min()), instant(pickup_at.max()), "ab" * 32)
        run_id = experiments.record(package.kind, trained_from, {"trees": 3}, METRICS, tmp_path)
        return experiments.register(run_id, package, METRICS)

    nobody = Registry(MlflowRest("http://127.0.0.1:1", seconds=1), model)
    return Case(Registry(MlflowRest(address, seconds=20), model), register_in_mlflow, nobody)


def test_an_empty_registry_has_no_versions_and_nobody_with_an_alias(case: Case) -> None:
    assert case.registry.versions() == []
    assert case.registry.resolve(Alias.CHAMPION) is None
    case.registry.drop_alias(Alias.CHAMPION)


def test_a_version_comes_back_as_it_was_registered(case: Case) -> None:
    number = case.register(distance_package())
    version = case.registry.get(number)
    assert (version.version, version.kind, version.feature_schema) == (number, "distance", SCHEMA)
    assert version.metrics == METRICS
    assert version.run_id
    assert {file.name for file in version.files} == {"model.onnx", "manifest.json"}
    assert case.registry.versions() == [version]


def test_what_was_registered_can_be_downloaded_and_passes_every_check(case: Case, tmp_path: Path) -> None:
    package = distance_package(123.0)
    version = case.registry.get(case.register(package))
    model = LocalModels(tmp_path / "models", SCHEMA).admit(version, case.registry.download)
    assert model.duration_seconds(package.warm_up_inputs).tolist() == package.warm_up_outputs.tolist()


def test_versions_are_listed_newest_first_with_their_aliases(case: Case) -> None:
    first, second = case.register(distance_package(100.0)), case.register(distance_package(110.0))
    case.registry.set_alias(Alias.CHAMPION, second)
    case.registry.set_alias(Alias.PREVIOUS, first)
    listed = [(each.version, each.aliases) for each in case.registry.versions()]
    assert listed == [(second, ("champion",)), (first, ("previous",))]


def test_an_alias_moves_and_goes_and_both_may_be_repeated(case: Case) -> None:
    first, second = case.register(distance_package(100.0)), case.register(distance_package(110.0))
    for number in (first, second, second):
        case.registry.set_alias(Alias.CHAMPION, number)
        champion = case.registry.resolve(Alias.CHAMPION)
        assert champion is not None
        assert champion.version == number
        assert champion == case.registry.get(number)
    for _ in range(2):
        case.registry.drop_alias(Alias.CHAMPION)
        assert case.registry.resolve(Alias.CHAMPION) is None


def test_an_unknown_version_is_named(case: Case) -> None:
    case.register(distance_package())
    with pytest.raises(UnknownVersion, match="99"):
        case.registry.get(99)
    with pytest.raises(UnknownVersion):
        case.registry.set_alias(Alias.CHAMPION, 99)
    assert case.registry.resolve(Alias.CHAMPION) is None


def test_a_registry_that_is_down_says_so_from_every_method(case: Case, tmp_path: Path) -> None:
    version = case.registry.get(case.register(distance_package()))
    down = case.unreachable
    calls: list[Callable[[], object]] = [
        lambda: down.resolve(Alias.CHAMPION),
        lambda: down.get(1),
        down.versions,
        lambda: down.set_alias(Alias.CHAMPION, 1),
        lambda: down.drop_alias(Alias.CHAMPION),
        lambda: down.download(version, tmp_path),
    ]
    for call in calls:
        with pytest.raises(RegistryUnreachable):
            call()
