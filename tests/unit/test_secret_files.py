"""Secrets as files, and addresses whose password comes by another way."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.environment.database_addresses import with_password
from adapters.environment.origins import MASK, all_settings, origin_of, unknown_names
from adapters.environment.settings import KafkaSettings, PostgresSettings, Settings
from api.settings import ApiSettings
from domain.errors import InvalidInput

NAMES = ("TRIPCAST_KAFKA", "TRIPCAST_DATABASE", "TRIPCAST_DATABASE_PASSWORD", "TRIPCAST_DATA", "TRIPCAST_SECRETS")
CLEAR = "postgresql://worker@db.example:5432/tripcast?sslmode=verify-full"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets; everything else is empty."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    monkeypatch.setenv("TRIPCAST_SECRETS", str(secrets))
    return secrets


def test_a_setting_is_read_from_the_file_of_its_name_without_the_line_end(folder: Path) -> None:
    (folder / "tripcast_database_password").write_text("geheim\n")
    assert PostgresSettings.read(data=folder).database_password == SecretStr("geheim")


def test_environment_then_dotenv_then_secret_file_then_stack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = folder.parent
    seen = []

    def look() -> None:
        seen.append((KafkaSettings.read(data=data).kafka, origin_of("TRIPCAST_KAFKA", data)))

    look()
    (data / "stack.env").write_text("TRIPCAST_KAFKA=stack:1\n")
    look()
    (folder / "tripcast_kafka").write_text("secret:1\n")
    look()
    (data / ".env").write_text("TRIPCAST_KAFKA=dotenv:1\n")
    look()
    monkeypatch.setenv("TRIPCAST_KAFKA", "environment:1")
    look()
    assert seen == [
        ("127.0.0.1:9092", "default"),
        ("stack:1", "stack.env"),
        ("secret:1", "secret file"),
        ("dotenv:1", ".env"),
        ("environment:1", "environment"),
    ]


def test_an_empty_file_is_no_setting(folder: Path) -> None:
    (folder / "tripcast_partitions").write_text("\n")
    assert KafkaSettings.read(data=folder).partitions == 6
    assert origin_of("TRIPCAST_PARTITIONS", folder) == "default"


def test_files_that_are_links_to_a_dated_folder_are_read_as_a_cluster_mounts_them(folder: Path) -> None:
    (folder / "..2026").mkdir()
    (folder / "..2026" / "tripcast_kafka").write_text("cluster:1")
    (folder / "..data").symlink_to("..2026")
    (folder / "tripcast_kafka").symlink_to("..data/tripcast_kafka")
    assert KafkaSettings.read(data=folder).kafka == "cluster:1"


def test_a_folder_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_SECRETS", "/nowhere")
    with pytest.raises(InvalidInput, match="TRIPCAST_SECRETS: /nowhere is no folder"):
        KafkaSettings.read()


def test_a_file_that_nobody_reads_is_told_of(folder: Path) -> None:
    (folder / "tripcast_databse_password").write_text("geheim")
    (folder / "another_programs_secret").write_text("geheim")
    assert unknown_names([PostgresSettings]) == {"TRIPCAST_DATABSE_PASSWORD": "TRIPCAST_DATABASE_PASSWORD"}


def test_a_secret_file_is_masked_and_its_origin_shown(folder: Path) -> None:
    (folder / "tripcast_database_password").write_text("geheim")
    kinds: dict[str, type[Settings]] = {"worker": PostgresSettings}
    [shown] = [each for each in all_settings(folder, kinds) if each.name == "TRIPCAST_DATABASE_PASSWORD"]
    assert (shown.value, shown.origin) == (MASK, "secret file")


def test_a_wrong_value_is_refused_without_being_shown(folder: Path) -> None:
    (folder / "tripcast_partitions").write_text("geheim")
    with pytest.raises(InvalidInput, match="TRIPCAST_PARTITIONS") as raised:
        KafkaSettings.read(data=folder)
    assert "geheim" not in f"{raised.value!r} {raised.value.__cause__}"


class TestPuttingTogether:
    def test_an_address_without_a_password_gets_it_with_special_characters_quoted(self) -> None:
        whole = with_password("X", SecretStr(CLEAR), SecretStr("p@ss:w/o#r?d%"))
        assert whole == CLEAR.replace("worker@", "worker:p%40ss%3Aw%2Fo%23r%3Fd%25@")

    def test_an_address_with_a_password_keeps_its_own(self) -> None:
        own = CLEAR.replace("worker@", "worker:own@")
        assert with_password("X", SecretStr(own), SecretStr("other")) == own

    def test_several_hosts_are_kept(self) -> None:
        several = SecretStr("postgresql://w@one:1,[::1]:2,three/db?target_session_attrs=read-write")
        assert with_password("X", several, SecretStr("p")) == several.get_secret_value().replace("w@", "w:p@")

    def test_a_password_without_a_user_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="names no user"):
            with_password("X", SecretStr("postgresql://host/db"), SecretStr("p"))

    @pytest.mark.parametrize(
        "address",
        [
            "mysql://u:geheim@host/db",
            "postgresql://u:ge@heim:geheim@host/db",
            "postgresql://u:geheim/x@host/db",
            "postgresql://u:1/geheim@host/db",
            "postgresql://u:1?geheim@host/db",
            "postgresql://u:1#geheim@host/db",
            "postgresql://u:geheim[@host/db",
            "postgresql://u:geheim\u2100@host/db",
            "tripcast",
        ],
    )
    def test_what_is_no_address_is_refused_without_quoting_it(self, address: str) -> None:
        with pytest.raises(InvalidInput, match="TRIPCAST_DATABASE_PASSWORD") as raised:
            PostgresSettings(database=SecretStr(address)).dsn()
        assert "geheim" not in str(raised.value)

    def test_the_reading_routes_have_a_login_and_a_password_of_their_own(self) -> None:
        own = ApiSettings(database=SecretStr("postgresql://api@h/d"), database_password=SecretStr("one"))
        reader = {"board_database": SecretStr("postgresql://board@h/d"), "board_database_password": SecretStr("two")}
        assert own.reader_dsn() == "postgresql://api:one@h/d"
        assert own.model_copy(update=reader).reader_dsn() == "postgresql://board:two@h/d"
