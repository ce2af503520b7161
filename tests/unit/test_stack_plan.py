"""What a local stack consists of, given the settings and the options. Nothing is started here."""

import socket
from pathlib import Path

import pytest

from cli.settings import StackSettings
from cli.stack.folder import DataFolder
from cli.stack.options import UpOptions
from cli.stack.plan import Plan, make_plan
from cli.stack.units import State, Unit
from domain.errors import InvalidInput, PortInUse


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA", "DATABASE", "MLFLOW", "WORKER_PORT", "KAFKA_PORT", "DATABASE_PORT", "MLFLOW_PORT"):
        monkeypatch.delenv(f"TRIPCAST_{name}", raising=False)
    return DataFolder(tmp_path / "data")


def planned(folder: DataFolder, options: UpOptions | None = None) -> Plan:
    folder.path.mkdir(exist_ok=True)
    return make_plan(StackSettings.read(data=folder.path), folder, options or UpOptions())


def names(plan: Plan) -> list[str]:
    return [unit.name for unit in plan.units]


def unit(plan: Plan, name: str) -> Unit:
    return next(unit for unit in plan.units if unit.name == name)


def arguments(plan: Plan, name: str) -> list[str]:
    command = list(unit(plan, name).part().command_parts)
    return command[command.index("cli") + 1 :]


def test_everything_is_embedded_where_nobody_brings_anything(folder: DataFolder) -> None:
    assert names(planned(folder)) == ["Kafka", "PostgreSQL", "MLflow", "migrate", "history", "worker", "trainer", "source"]


def test_an_address_in_the_environment_replaces_the_embedded_part(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_KAFKA", "kafka.example:9092")
    plan = planned(folder)
    assert "Kafka" not in names(plan)
    assert plan.addresses.kafka == "kafka.example:9092"


def test_mlflow_keeps_its_tables_in_the_embedded_database_when_ours_is_elsewhere(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPCAST_DATABASE", "postgresql://me:pw@db.example/trips")
    plan = planned(folder)
    assert "PostgreSQL" in names(plan)
    assert plan.addresses.worker_database == "postgresql://me:pw@db.example/trips"
    monkeypatch.setenv("TRIPCAST_MLFLOW", "http://mlflow.example")
    assert {"PostgreSQL", "MLflow"}.isdisjoint(names(planned(folder)))


def test_what_a_former_stack_has_left_does_not_count_as_an_address(folder: DataFolder) -> None:
    folder.publish(planned(folder).addresses.environment())
    assert names(planned(folder))[:3] == ["Kafka", "PostgreSQL", "MLflow"]


def test_the_worker_logs_in_with_fewer_rights_than_the_owner(folder: DataFolder) -> None:
    plan = planned(folder)
    assert "tripcast_app_worker" in plan.roles.worker_environment["TRIPCAST_DATABASE"]
    assert "tripcast_app_worker" not in plan.addresses.environment()["TRIPCAST_DATABASE"]


def test_no_password_is_on_a_command_line(folder: DataFolder) -> None:
    plan = planned(folder)
    secrets = [line.partition("=")[2] for line in (folder.path / "secrets.env").read_text().splitlines()]
    commands = " ".join(" ".join(unit.part().command_parts) for unit in plan.units if unit.name != "Kafka")
    assert secrets
    assert not [secret for secret in secrets if secret in commands]


def test_history_and_replay_share_one_split_of_the_file(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_FIRST_SHARE", "0.7")
    plan = planned(folder, UpOptions(trips=Path("trips.csv"), zones=Path("zones.csv")))
    assert arguments(plan, "history") == ["load", "trips.csv", "--first-share", "0.7", "--zones", "zones.csv"]
    assert arguments(plan, "source")[:6] == ["replay", "trips.csv", "--after-share", "0.7", "--speed", "600"]


def test_history_that_was_loaded_is_not_loaded_again(folder: DataFolder) -> None:
    unit(planned(folder), "history").finished()
    assert unit(planned(folder), "history").state is State.ENDED
    assert unit(planned(folder, UpOptions(trips=Path("trips.csv"))), "history").state is State.WAITING


def test_a_kept_port_that_somebody_took_is_chosen_anew_and_said_so(folder: DataFolder) -> None:
    kept = folder.port("kafka")
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", kept))
        somebody.listen()
        plan = planned(folder)
    assert str(kept) in plan.notes[0]
    assert plan.addresses.kafka != f"127.0.0.1:{kept}"


def test_a_port_of_the_settings_that_somebody_took_is_refused(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        monkeypatch.setenv("TRIPCAST_MLFLOW_PORT", str(port))
        with pytest.raises(PortInUse, match=f"TRIPCAST_MLFLOW_PORT={port}"):
            planned(folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (UpOptions(trips=Path("missing.csv")), "missing.csv: no such file"),
        (UpOptions(once=True), "--once needs --trips"),
        (UpOptions(speed="fast"), "--speed fast"),
        (UpOptions(speed="-1"), "--speed -1"),
        (UpOptions(speed="nan"), "--speed nan"),
    ],
)
def test_what_could_only_fail_later_is_refused_at_once(options: UpOptions, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        options.check()
