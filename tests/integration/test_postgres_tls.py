"""Encryption and short-lived passwords, against a real server that takes nothing less."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.migrate import check_schema, migrate
from adapters.postgres.connection import security
from adapters.postgres.connection.pool import connected, open_pool
from adapters.postgres.connection.security import password_source
from domain.errors import DatabaseUnreachable, InvalidInput
from tests.tls_postgres import PASSWORD, TlsServer, tls_postgres

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with tls_postgres(tmp_path_factory.mktemp("tls")) as running:
        yield running


def settings_for(address: str, password: str | None = PASSWORD) -> PostgresSettings:
    return PostgresSettings(database=SecretStr(address), database_password=SecretStr(password) if password else None)


async def _refusal(settings: PostgresSettings) -> str:
    with pytest.raises(DatabaseUnreachable) as raised:
        await open_pool(settings)
    return str(raised.value)


def _migration_refusal(settings: PostgresSettings) -> str:
    with pytest.raises(DatabaseUnreachable) as raised:
        migrate(settings.dsn())
    return str(raised.value)


class TestVerifyFull:
    async def test_migrations_and_the_pool_work_with_the_right_authority_and_name(self, server: TlsServer) -> None:
        settings = settings_for(server.address())
        await asyncio.to_thread(migrate, settings.dsn())
        pool = await open_pool(settings)
        await check_schema(pool)
        encrypted = await pool.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        await pool.close()
        assert encrypted is True

    async def test_another_authority_is_refused_and_the_setting_named(self, server: TlsServer) -> None:
        settings = settings_for(server.address(authority=server.stranger))
        for said in (await _refusal(settings), _migration_refusal(settings)):
            assert "certificate verify failed" in said
            assert "sslrootcert=FILE" in said

    async def test_another_name_is_refused_and_said(self, server: TlsServer) -> None:
        settings = settings_for(server.address(host="127.0.0.1"))
        for said in (await _refusal(settings), _migration_refusal(settings)):
            assert "use the host name that its certificate was issued for" in said

    async def test_a_plain_connection_is_refused_by_the_server_and_the_way_out_said(self, server: TlsServer) -> None:
        settings = settings_for(server.address(mode="disable"))
        for said in (await _refusal(settings), _migration_refusal(settings)):
            assert "add sslmode=verify-full" in said

    async def test_a_server_without_tls_is_not_spoken_to_in_clear(self, database: str) -> None:
        said = await _refusal(PostgresSettings(database=SecretStr(f"{database}?sslmode=require")))
        assert "switch `ssl` on at the server" in said

    async def test_a_certificate_that_is_not_there_is_named(self, server: TlsServer) -> None:
        settings = settings_for(server.address(authority=Path("/nowhere/ca.pem")))
        with pytest.raises(InvalidInput, match=r"sslrootcert=/nowhere/ca\.pem"):
            await open_pool(settings)
        with pytest.raises(InvalidInput, match=r"sslrootcert=/nowhere/ca\.pem"):
            migrate(settings.dsn())

    async def test_no_refusal_tells_the_password(self, server: TlsServer) -> None:
        wrong = settings_for(server.address(), "falsch:geheim")
        said = f"{await _refusal(wrong)} {_migration_refusal(wrong)}"
        assert "password authentication failed" in said
        assert "geheim" not in said


class TestShortLivedPasswords:
    async def test_a_pool_goes_on_while_the_password_changes_under_it(self, server: TlsServer) -> None:
        admin = await asyncpg.connect(settings_for(server.address()).dsn())
        await admin.execute("create role rotated login")
        asked: list[str] = []

        async def rotate(number: int) -> None:
            await admin.execute(f"alter role rotated password 'token-{number}'")
            current[0] = f"token-{number}"

        def sign() -> str:
            asked.append(current[0])
            return current[0]

        current = [""]
        await rotate(0)
        settings = settings_for(server.address().replace("postgres@", "rotated@"), None)
        pool = await open_pool(settings, password=sign)
        for number in range(1, 4):
            async with connected(pool) as connection:  # one from before the rotation goes on
                await rotate(number)
                assert await connection.fetchval("select current_user") == "rotated"
            await pool.expire_connections()
            async with connected(pool) as connection:  # a new one has the new password
                assert await connection.fetchval("select current_user") == "rotated"
        await pool.close()
        await admin.close()
        assert asked == [f"token-{number}" for number in range(4)]

    async def test_a_token_that_the_server_does_not_take_is_an_outage_and_told_without_it(self, server: TlsServer) -> None:
        with pytest.raises(DatabaseUnreachable, match="password authentication failed") as raised:
            await open_pool(settings_for(server.address(), None), password=lambda: "geheim")
        assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("postgresql://u@h/d", "verify-full"),
        ("postgresql://u@h/d?sslmode=require", "verify-full"),
        ("postgresql://u@a,b/d?sslmode=verify-full", "one host"),
        ("postgresql://h/d?sslmode=verify-full", "needs a user"),
        ("postgresql://u:p@h/d?sslmode=verify-full", "makes the password"),
    ],
)
def test_signed_passwords_are_sent_to_a_checked_server_alone(address: str, reason: str) -> None:
    settings = PostgresSettings(database=SecretStr(address), database_iam=True, aws_region=REGION)
    with pytest.raises(InvalidInput, match=reason):
        password_source(settings, settings.dsn())


class TestSigning:
    ADDRESS = "postgresql://app@db.example:6432/d?sslmode=verify-full"

    @pytest.fixture(autouse=True)
    def aws(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Nobody's account, and no way to another."""
        security._signer.cache_clear()
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def _settings(self, region: str = REGION) -> PostgresSettings:
        return PostgresSettings(database=SecretStr(self.ADDRESS), database_iam=True, aws_region=region)

    def test_a_password_names_host_port_user_and_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "beispiel")
        sign = password_source(self._settings(), self.ADDRESS)
        assert sign is not None
        token = sign()
        assert token.startswith("db.example:6432/?Action=connect&DBUser=app&")
        assert f"%2F{REGION}%2Frds-db%2F" in token
        assert "X-Amz-Expires=900" in token

    def test_without_credentials_it_is_an_outage_that_may_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
        sign = password_source(self._settings(), self.ADDRESS)
        assert sign is not None
        with pytest.raises(DatabaseUnreachable, match="credentials"):
            sign()

    def test_without_a_region_the_setting_is_named(self) -> None:
        with pytest.raises(InvalidInput, match="TRIPCAST_AWS_REGION"):
            password_source(self._settings(""), self.ADDRESS)

    def test_without_the_package_it_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "botocore.session", None)
        with pytest.raises(InvalidInput, match=r"tripcast\[aws\]"):
            password_source(self._settings(), self.ADDRESS)
