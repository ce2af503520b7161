"""What a local stack consists of, given the settings and the options. Nothing is started here."""

import socket
from pathlib import Path

import pytest

from cli.embedded.ports import free_ports
from cli.settings import StackSettings
from cli.stack.folder import DataFolder
from cli.stack.options import UpOptions
from cli.stack.plan import OPERATOR_KEY, PORTS, Plan, make_plan
from cli.stack.units import State, Unit
from domain.entities.api_keys import new_key
from domain.errors import InvalidInput, PortInUse


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    monkeypatch.chdir(tmp_path)
    ports = [f"{name.upper()}_PORT" for name in PORTS]
    for name in ("KAFKA", "DATABASE", "MLFLOW", "OPERATOR_KEY", *ports):
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
    parts, steps = ["Kafka", "PostgreSQL", "MLflow"], ["migrate", "history"]
    assert names(planned(folder)) == [*parts, *steps, "worker", "trainer", "canary", "api", "board", "source"]


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
    addresses = plan.addresses
    for_roles = {addresses.worker_database, addresses.api_database, addresses.board_database}
    assert for_roles == {"postgresql://me:pw@db.example/trips"}
    monkeypatch.setenv("TRIPCAST_MLFLOW", "http://mlflow.example")
    assert {"PostgreSQL", "MLflow"}.isdisjoint(names(planned(folder)))


def test_what_a_former_stack_has_left_does_not_count_as_an_address(folder: DataFolder) -> None:
    folder.publish(planned(folder).addresses.environment())
    assert names(planned(folder))[:3] == ["Kafka", "PostgreSQL", "MLflow"]


def test_roles_log_in_with_fewer_rights_than_the_owner(folder: DataFolder) -> None:
    plan = planned(folder)
    found = plan.addresses.environment()
    assert "//tripcast_app_worker:" in plan.roles.worker_environment["TRIPCAST_DATABASE"]
    assert "//tripcast_app_api:" in plan.roles.api_environment["TRIPCAST_DATABASE"]
    assert "//tripcast_app_board:" in found["TRIPCAST_BOARD_DATABASE"]
    assert "//tripcast:" in found["TRIPCAST_DATABASE"]


def test_the_api_waits_for_the_schema_alone_and_the_board_for_the_api(folder: DataFolder) -> None:
    plan = planned(folder)
    assert (unit(plan, "api").needs, unit(plan, "board").needs) == (("migrate",), ("api",))
    assert (arguments(plan, "api"), arguments(plan, "board")) == (["api"], ["dashboard"])


@pytest.mark.parametrize(
    ("options", "served"),
    [
        (UpOptions(), ["api", "board"]),
        (UpOptions(board=False), ["api"]),
        (UpOptions(api=False), []),
        (UpOptions(trips=Path("trips.csv"), once=True), []),
        (UpOptions(trips=Path("trips.csv"), once=True, api=True), ["api"]),
        (UpOptions(trips=Path("trips.csv"), once=True, board=True), ["api", "board"]),
    ],
)
def test_api_and_board_are_served_to_whoever_may_look(folder: DataFolder, options: UpOptions, served: list[str]) -> None:
    plan = planned(folder, options)
    assert [name for name in names(plan) if name in ("api", "board")] == served
    published = plan.published()
    assert [name in published for name in ("TRIPCAST_API", "TRIPCAST_BOARD_PORT")] == ["api" in served, "board" in served]
    assert (OPERATOR_KEY in published) is ("api" in served)


def test_the_operator_has_one_key_for_the_life_of_the_folder_or_his_own(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = planned(folder).published()[OPERATOR_KEY]
    assert key.startswith("tc_")
    folder.publish(planned(folder).published())
    assert planned(folder).published()[OPERATOR_KEY] == key
    own = new_key().token
    monkeypatch.setenv(OPERATOR_KEY, own)
    assert planned(folder).published()[OPERATOR_KEY] == own
    monkeypatch.setenv(OPERATOR_KEY, "secret")
    with pytest.raises(InvalidInput, match="tripcast keys create"):
        planned(folder)


def test_api_and_board_are_where_people_look_for_them_unless_somebody_is_there(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PORTS, "api", free_ports(1)[0])
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        monkeypatch.setitem(PORTS, "board", taken)
        plan = planned(folder)
    assert plan.addresses.api == f"http://127.0.0.1:{PORTS['api']}"
    assert plan.addresses.board != f"http://127.0.0.1:{taken}"
    assert planned(folder).addresses.board == plan.addresses.board  # kept, though the usual one is free now


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
        (UpOptions(api=False, board=True), "--board and --no-api"),
        (UpOptions(speed="fast"), "--speed fast"),
        (UpOptions(speed="-1"), "--speed -1"),
        (UpOptions(speed="nan"), "--speed nan"),
    ],
)
def test_what_could_only_fail_later_is_refused_at_once(options: UpOptions, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        options.check()
