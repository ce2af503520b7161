"""Promise 21: many may start on an empty database at once, and a program and a schema that do not fit say so in words."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.admin.local_server import drop_database, ensure_database
from adapters.postgres.admin.migrate import REVISION
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from cli.exit_codes import EXIT_CODES
from domain.errors import SchemaMismatch
from tests.chaos.report import Report
from tests.running import REPOSITORY

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
TOGETHER = 6
OLDER = f"{int(REVISION) - 1:04}"
UNFIT = EXIT_CODES[SchemaMismatch]
ROLES = ("worker", "api", "trainer")
# A program whose newest migration is another one: its name is the first argument.
OTHER_PROGRAM = (
    "import sys; from adapters.postgres.admin import migrate; migrate.REVISION = sys.argv.pop(1); "
    "from cli.main import main; main()"
)


class DatabaseOf:
    """An empty database while the block runs."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server, self._name = server, f"empty_{uuid.uuid4().hex[:12]}"

    async def __aenter__(self) -> str:
        await asyncio.to_thread(ensure_database, self._server.admin, self._name, owner=OWNER)
        return self._server.address(OWNER, self._name)

    async def __aexit__(self, *_: object) -> None:
        await drop_database(self._server.admin, self._name)


@pytest.fixture
def settings(kafka_address: str, topic_prefix: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "TRIPCAST_KAFKA": kafka_address,
        "TRIPCAST_TOPIC_PREFIX": topic_prefix,
        "TRIPCAST_MLFLOW": f"http://{HOST}:9",
        "TRIPCAST_DATA": str(tmp_path / "data"),
        "TRIPCAST_LOG_FORMAT": "json",
    }


@asynccontextmanager
async def running(settings: Mapping[str, str], *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program with ports of its own; not alive afterwards."""
    ports = zip(("WORKER_PORT", "API_PORT", "TRAINER_PORT"), free_ports(3), strict=True)
    environment = {**settings, **{f"TRIPCAST_{name}": str(port) for name, port in ports}}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(settings: Mapping[str, str], *command: str, seconds: float = 90.0) -> tuple[int, str]:
    """Exit code and output of a program that ends by itself."""
    async with running(settings, *command) as process, asyncio.timeout(seconds):
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()


@pytest.mark.promise(21, short=True)
async def test_six_programs_start_on_an_empty_database_at_once(
    postgres_server: EmbeddedPostgres, settings: dict[str, str], report: Report
) -> None:
    rounds = report.size(full=10, short=1)
    report.fault = f"{TOGETHER} programs migrate an empty database at once, {rounds} times"
    longest = 0.0
    for _ in range(rounds):
        async with DatabaseOf(postgres_server) as database:
            began = time.monotonic()
            here = settings | {"TRIPCAST_DATABASE": database}
            ends = await asyncio.gather(*(ended(here, "-m", "cli", "migrate") for _ in range(TOGETHER)))
            longest = max(longest, time.monotonic() - began)
            assert [code for code, _ in ends] == [0] * TOGETHER, ends
            assert await _revisions(database) == [REVISION]
    report.measured |= {"rounds": rounds, "longest_round_s": round(longest, 1)}


@pytest.mark.promise(21)
async def test_roles_that_come_before_the_schema_say_so_and_come_up_when_they_are_started_again(
    postgres_server: EmbeddedPostgres, settings: dict[str, str], report: Report
) -> None:
    """As whoever restarts them does: two of each role and, somewhere among them, the migration."""
    report.fault = f"{TOGETHER} roles started on an empty database, again whenever they end; the migration beside them"
    async with DatabaseOf(postgres_server) as database:
        here = settings | {"TRIPCAST_DATABASE": database}
        async with asyncio.TaskGroup() as group:
            lives = [group.create_task(_restarted(here, role)) for role in (*ROLES, *ROLES)]
            code, said = await ended(here, "-m", "cli", "migrate")
            assert code == 0, said
        refusals = [refusal for life in lives for refusal in life.result()]
        assert all(code == UNFIT and "run `tripcast migrate`" in said for code, said in refusals), refusals
        assert await _revisions(database) == [REVISION]
    report.measured["starts_before_the_schema"] = len(refusals)


@pytest.mark.promise(21)
async def test_a_program_and_a_schema_that_do_not_fit_say_so_in_words(
    postgres_server: EmbeddedPostgres, settings: dict[str, str], report: Report
) -> None:
    report.fault = "every role of an old program on a new schema, and of a new program on an old schema"
    async with DatabaseOf(postgres_server) as database:
        here = settings | {"TRIPCAST_DATABASE": database}
        code, said = await ended(here, "-c", OTHER_PROGRAM, OLDER, "migrate")
        assert (code, await _revisions(database)) == (0, [OLDER]), said
        for role in ROLES:
            words = f"the database has schema {OLDER} and this program needs {REVISION}: run `tripcast migrate`"
            _refuses(await ended(here, "-m", "cli", role), words)
        assert (await ended(here, "-m", "cli", "migrate"))[0] == 0
        for role in (*ROLES, "migrate"):
            words = f"the database has schema {REVISION}, which is newer than the {OLDER} of this program"
            _refuses(await ended(here, "-c", OTHER_PROGRAM, OLDER, role), words)
        assert await _revisions(database) == [REVISION]
    report.measured["refusals"] = 2 * len(ROLES) + 1


def _refuses(end: tuple[int, str], words: str) -> None:
    code, said = end
    assert (code, said.strip().splitlines()[-1].partition(": ")[2].startswith(words)) == (UNFIT, True), (code, said[-2000:])
    assert "Traceback" not in said


async def _restarted(settings: Mapping[str, str], role: str) -> list[tuple[int, str]]:
    """Start it until it stays; returns how it ended before."""
    ends: list[tuple[int, str]] = []
    while True:
        try:
            ends.append(await ended(settings, "-m", "cli", role, seconds=15))
        except TimeoutError:
            return ends


async def _revisions(database: str) -> list[str]:
    connection = await asyncpg.connect(database)
    try:
        return [row[0] for row in await connection.fetch("select version_num from alembic_version")]
    finally:
        await connection.close()
