"""Where settings come from, and which names mean nothing."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.environment.origins import MASK, all_settings, origin_of, set_by_the_user, unknown_names
from adapters.environment.settings import KafkaSettings, MlflowSettings, PostgresSettings, Settings
from domain.errors import InvalidInput

KINDS: dict[str, type[Settings]] = {"worker": KafkaSettings, "trainer": PostgresSettings}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("TRIPCAST_KAFKA", "TRIPCAST_DATABASE", "TRIPCAST_MLFLOW", "TRIPCAST_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [origin_of("TRIPCAST_KAFKA", folder)]
    (folder / "stack.env").write_text("TRIPCAST_KAFKA=stack:1\n")
    seen.append(origin_of("TRIPCAST_KAFKA", folder))
    (folder / ".env").write_text("TRIPCAST_KAFKA=dotenv:1\n")
    seen.append(origin_of("TRIPCAST_KAFKA", folder))
    monkeypatch.setenv("TRIPCAST_KAFKA", "environment:1")
    seen.append(origin_of("TRIPCAST_KAFKA", folder))
    assert seen == ["default", "stack.env", ".env", "environment"]
    assert KafkaSettings.read(data=folder).kafka == "environment:1"


def test_what_a_stack_has_left_is_not_the_users_own_choice(folder: Path) -> None:
    (folder / "stack.env").write_text("TRIPCAST_KAFKA=stack:1\n")
    assert not set_by_the_user("kafka", folder)
    (folder / ".env").write_text("TRIPCAST_KAFKA=dotenv:1\n")
    assert set_by_the_user("kafka", folder)


def test_an_empty_variable_is_no_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_KAFKA", "")
    assert origin_of("TRIPCAST_KAFKA", folder) == "default"


def test_secrets_are_never_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_DATABASE", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("TRIPCAST_MLFLOW", "http://me:hunter2@host:5000")
    shown = {setting.name: setting.value for setting in all_settings(folder, {**KINDS, "api": MlflowSettings})}
    assert not [value for value in shown.values() if "hunter2" in value]
    assert shown["TRIPCAST_DATABASE"] == MASK
    assert shown["TRIPCAST_MLFLOW"] == f"http://me:{MASK}@host:5000"
    assert isinstance(PostgresSettings.read(data=folder).database, SecretStr)


def test_each_setting_names_the_roles_that_read_it(folder: Path) -> None:
    roles = {setting.name: setting.roles for setting in all_settings(folder, KINDS)}
    assert roles["TRIPCAST_KAFKA"] == ("worker",)
    assert roles["TRIPCAST_DATA"] == ("worker", "trainer")


def test_unknown_names_are_found_in_both_places_with_what_was_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_KAFAK", "x")
    (folder / ".env").write_text("TRIPCAST_ZEBRA=1\nOTHER_ZEBRA=1\n")
    found = unknown_names(KINDS.values())
    assert found["TRIPCAST_KAFAK"] == "TRIPCAST_KAFKA"
    assert found["TRIPCAST_ZEBRA"] is None
    assert "OTHER_ZEBRA" not in found


def test_a_wrong_value_is_named_by_its_variable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_PARTITIONS", "many")
    with pytest.raises(InvalidInput, match="TRIPCAST_PARTITIONS"):
        all_settings(folder, KINDS)
