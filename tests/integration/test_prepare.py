"""`tripcast prepare` against an empty server of its own, by an administrator that is no superuser, as managed servers have."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from cli.embedded.bootstrap import embedded_postgres
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.secrets import Secrets
from cli.prepare.bootstrap import Step, _administer, prepare
from cli.prepare.settings import PrepareSettings
from domain.entities.api_keys import new_key
from domain.errors import DatabaseUnreachable, InvalidInput
from schemas.topics import TRIP_EVENTS

ADMIN = "create role cloud_admin login createrole createdb password 'verwalter'"
PASSWORDS = {f"{role}_password": f"{role} p@ss/w:ord" for role in ("owner", "worker", "board", "api", "mlflow")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Nothing in it but an administrator; it logs what a careless server would log."""
    folder = tmp_path_factory.mktemp("prepare")
    server = embedded_postgres(folder / "data", folder / "log", free_ports(1)[0], Secrets(folder / "secrets.env"))
    server.prepare()
    with server.part():
        for statement in (ADMIN, "alter system set log_statement = 'all'", "select pg_reload_conf()"):
            asyncio.run(_execute(server.admin, statement))
        yield server


@pytest.fixture
def settings(server: EmbeddedPostgres, kafka_address: str, topic_prefix: str, tmp_path: Path) -> PrepareSettings:
    return PrepareSettings.read(
        data=tmp_path,
        database=f"postgresql://tripcast@{HOST}:{server.port}/tripcast",
        admin_database=f"postgresql://cloud_admin@{HOST}:{server.port}/postgres",
        admin_database_password="verwalter",
        kafka=kafka_address,
        topic_prefix=topic_prefix,
        operator_key=new_key().token,
        board_api_key=new_key().token,
        **PASSWORDS,
    )


async def test_without_topics_a_kafka_is_not_asked_for(settings: PrepareSettings) -> None:
    told: list[Step] = []
    await prepare(settings.model_copy(update={"kafka": f"{HOST}:9"}), told.append, topics=False)
    assert {step.what for step in told} >= {"login", "database", "schema", "key"}
    assert not [step for step in told if step.what in ("Kafka", "topic", "topics")]


async def test_an_empty_server_is_ready_afterwards_and_a_second_run_changes_nothing(settings: PrepareSettings) -> None:
    await _prepared(settings)
    again = await _prepared(settings)
    assert not [step for step in again if step.state == "created"]
    assert await _one(settings.dsn(), "select count(*) from api_keys where operator") >= 1
    assert len(await end_offsets(Broker(settings.kafka), settings.topic_prefix + TRIP_EVENTS.name)) == settings.partitions


async def test_six_at_once_on_one_server_all_succeed(settings: PrepareSettings) -> None:
    runs = await asyncio.gather(*[_prepared(settings) for _ in range(6)])
    assert all(run[-1].what.startswith("topic") for run in runs)


async def test_each_login_may_do_what_its_group_may_and_no_more(settings: PrepareSettings, server: EmbeddedPostgres) -> None:
    await _prepared(settings)
    memberships = await _column(
        server.admin,
        """select m.rolname || ' in ' || g.rolname from pg_auth_members join pg_roles m on m.oid = member
        join pg_roles g on g.oid = roleid where m.rolname like 'tripcast%' or m.rolname = 'mlflow' order by 1""",
    )
    assert memberships == [
        "tripcast_app_api in tripcast_api",
        "tripcast_app_board in tripcast_board",
        "tripcast_app_worker in tripcast_worker",
    ]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _execute(_as(settings, "tripcast_app_board", "board"), "delete from trips")
    powers = "select rolname from pg_roles where rolname like 'tripcast%' and (rolsuper or rolcreaterole or rolcreatedb)"
    assert await _column(server.admin, powers) == []


async def test_a_login_that_was_in_another_group_of_ours_is_taken_out(
    settings: PrepareSettings, server: EmbeddedPostgres
) -> None:
    await _prepared(settings)
    admin = settings.admin_dsn()
    assert admin is not None
    await _execute(admin, "grant tripcast_api to tripcast_app_board")
    await _prepared(settings)
    assert not await _one(server.admin, "select pg_has_role('tripcast_app_board', 'tripcast_api', 'member')")


async def test_logins_whose_passwords_are_signed_get_none_and_come_back(
    settings: PrepareSettings, server: EmbeddedPostgres
) -> None:
    await _prepared(settings)
    await _execute(server.admin, "create role rds_iam admin cloud_admin")
    admin = settings.admin_dsn()
    assert admin is not None
    members = "select string_agg(m.rolname, ' ' order by m.rolname) from pg_auth_members join pg_roles m on m.oid = member\
        where roleid = 'rds_iam'::regrole and m.rolname <> 'cloud_admin'"
    _administer(admin, settings.model_copy(update={"database_iam": True}), _nobody)
    signed = await _one(server.admin, members)
    _administer(admin, settings, _nobody)
    assert signed == "tripcast tripcast_app_api tripcast_app_board tripcast_app_worker"
    assert await _one(server.admin, members) is None


async def test_a_changed_password_counts_from_the_next_run_on(settings: PrepareSettings) -> None:
    await _prepared(settings)
    await _execute(_as(settings, "tripcast_app_worker", "worker"), "select 1")
    changed = settings.model_copy(update={"worker_password": SecretStr("neu")})
    await _prepared(changed)
    await _execute(_as(settings, "tripcast_app_worker", "neu", whole=True), "select 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _execute(_as(settings, "tripcast_app_worker", "worker"), "select 1")


async def test_without_an_administrator_only_the_owners_work_is_done(settings: PrepareSettings) -> None:
    await _prepared(settings)
    alone = settings.model_copy(update={"admin_database": None})
    assert {step.what for step in await _prepared(alone)} <= {"PostgreSQL", "Kafka", "schema", "topics", "key"}


async def test_no_password_is_in_the_servers_log_or_in_what_is_told(
    settings: PrepareSettings, server: EmbeddedPostgres
) -> None:
    told = await _prepared(settings)
    log = server.log.read_text()
    assert "alter role" in log
    for text in (log, repr(told), repr(settings)):
        assert not [secret for secret in (*PASSWORDS.values(), "verwalter") if secret in text]
        assert "p%40ss" not in text


async def test_a_revoked_key_stays_revoked_and_is_told(settings: PrepareSettings) -> None:
    await _prepared(settings)
    await _execute(settings.dsn(), "update api_keys set revoked_at = now()")
    told = await _prepared(settings)
    assert [step.state for step in told if step.what == "key"] == ["revoked, and left so: make a new one"] * 2


async def test_passwords_that_lack_are_named_together(settings: PrepareSettings) -> None:
    lacking = settings.model_copy(update={"worker_password": None, "api_password": None})
    with pytest.raises(InvalidInput, match="TRIPCAST_WORKER_PASSWORD, TRIPCAST_API_PASSWORD"):
        await _prepared(lacking)


async def test_a_wrong_password_is_not_waited_for(settings: PrepareSettings) -> None:
    wrong = settings.model_copy(update={"admin_database_password": SecretStr("falsch")})
    with pytest.raises(DatabaseUnreachable, match="password authentication failed") as raised:
        await _prepared(wrong.model_copy(update={"prepare_seconds": 3600.0}))
    assert "falsch" not in str(raised.value)


async def test_a_server_that_stays_away_is_waited_for_so_long_and_named(settings: PrepareSettings) -> None:
    away = f"postgresql://admin@{HOST}:{free_ports(1)[0]}/postgres"
    told: list[Step] = []
    gone = settings.model_copy(update={"admin_database": SecretStr(away), "prepare_seconds": 0.2})
    with pytest.raises(DatabaseUnreachable, match="PostgreSQL at"):
        await prepare(gone, told.append)
    assert told[0].state.startswith("waiting: ")


async def _prepared(settings: PrepareSettings) -> list[Step]:
    told: list[Step] = []
    await prepare(settings, told.append)
    return told


def _nobody(_step: Step) -> None:
    """Is told."""


def _as(settings: PrepareSettings, login: str, password: str, *, whole: bool = False) -> str:
    place = settings.dsn().rpartition("@")[2]
    return f"postgresql://{login}:{password if whole else f'{password} p%40ss%2Fw%3Aord'.replace(' ', '%20')}@{place}"


async def _execute(dsn: str, statement: str) -> None:
    await _asked(dsn, statement)


async def _one(dsn: str, query: str) -> Any:
    return (await _asked(dsn, query))[0][0]


async def _column(dsn: str, query: str) -> list[Any]:
    return [row[0] for row in await _asked(dsn, query)]


async def _asked(dsn: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()
