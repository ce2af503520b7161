"""What the doctor says of secrets and encryption."""

from pathlib import Path

import pytest

from adapters.postgres.connection.security import hosts_of, is_local, protection_of, with_advice
from cli.doctor import machine
from cli.doctor.findings import Verdict

FULL = "postgresql://u@db/d?sslmode=verify-full"


@pytest.mark.parametrize(
    ("dsn", "version", "said", "safe"),
    [
        (FULL, "TLSv1.3", "TLSv1.3, certificate and name checked", True),
        ("postgresql://u@db/d?sslmode=verify-ca", "TLSv1.3", "TLSv1.3, certificate checked, its name not", False),
        ("postgresql://u@db/d?sslmode=require", "TLSv1.3", "TLSv1.3, certificate not checked", False),
        ("postgresql://u@db/d", "TLSv1.3", "TLSv1.3, certificate not checked", False),
        ("postgresql://u@db/d", None, "not encrypted", False),
    ],
)
def test_a_connections_protection_is_told(dsn: str, version: str | None, said: str, *, safe: bool) -> None:
    assert protection_of(dsn, version) == (said, safe)


def test_hosts_are_read_as_the_driver_reads_them() -> None:
    assert hosts_of("postgresql://u:p@one:1,[::1]:2,three/d") == [("one", 1), ("::1", 2), ("three", 5432)]
    assert hosts_of("postgresql:///d?host=/run/postgresql") == []


def test_a_server_is_local_when_all_its_hosts_are() -> None:
    assert is_local("postgresql://u@127.0.0.1,[::1]:1,localhost/d")
    assert not is_local("postgresql://u@127.0.0.1,db/d")


def test_an_error_that_nobody_knows_is_left_as_it_is() -> None:
    assert with_advice("something else") == "something else"


def test_a_secret_that_everybody_may_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPCAST_SECRETS", str(tmp_path))
    secret = tmp_path / "tripcast_database_password"
    secret.write_text("geheim")
    secret.chmod(0o644)
    told = machine.secrets()
    secret.chmod(0o640)
    assert (told.verdict, machine.secrets().verdict) == (Verdict.NOTE, Verdict.WELL)
    assert "tripcast_database_password" in told.found
