"""A world of its own for each run: real Kafka, PostgreSQL and MLflow in a temporary folder, and the commands of the product."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from adapters.environment.settings import KafkaSettings
from adapters.kafka.topics import ensure_topics
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.mlflow import EmbeddedMlflow
from cli.embedded.part import Embedded
from cli.embedded.ports import free_ports
from cli.embedded.postgres import BOARD, MLFLOW, OWNER, EmbeddedPostgres
from cli.embedded.secrets import Secrets

REPOSITORY = Path(__file__).parent.parent
PARTITIONS = 6


@dataclass(frozen=True, slots=True)
class World:
    """Where everything is. `readers`: the database for a login that only reads, of which PostgreSQL logs every statement."""

    folder: Path
    kafka: str
    database: str
    readers: str
    mlflow: str

    @property
    def postgres_log(self) -> Path:
        """What PostgreSQL says."""
        return self.folder / "postgres.log"

    def environment(self, **more: str) -> dict[str, str]:
        """What a process of tripcast needs to find this world, and nothing of the caller's own settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIPCAST_")}
        return inherited | {
            "TRIPCAST_KAFKA": self.kafka,
            "TRIPCAST_DATABASE": self.database,
            "TRIPCAST_MLFLOW": self.mlflow,
            "TRIPCAST_DATA": str(self.folder / "data"),
            "TRIPCAST_LOG_FORMAT": "json",
            "TRIPCAST_PARTITIONS": str(PARTITIONS),
            **more,
        }

    def tripcast(self, *arguments: str, **environment: str) -> str:
        """Run a command of the product to its end; returns what it printed."""
        command = [sys.executable, "-m", "cli", *arguments]
        done = subprocess.run(
            command, env=self.environment(**environment), cwd=REPOSITORY, check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"tripcast {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def process(
        self, log: str, *arguments: str, python: str = sys.executable, **environment: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A process of this world, of any Python, while the block runs, its output in a file."""
        with (self.folder / log).open("wb") as output:
            process = subprocess.Popen(
                [python, *arguments],
                env=self.environment(**environment),
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of a query, by indexes where there are any: reading all of a long history would push out what the roles use."""
        connection = await asyncpg.connect(self.database, server_settings={"enable_seqscan": "off"})
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def topics(self, prefix: str, partitions: int = PARTITIONS) -> None:
        """Create all topics under a prefix."""
        await ensure_topics(KafkaSettings(kafka=self.kafka, topic_prefix=prefix, partitions=partitions))


@contextmanager
def new_world() -> Iterator[World]:
    """Start everything, with commit times recorded by PostgreSQL itself; stop and remove it all in the end."""
    with tempfile.TemporaryDirectory(prefix="tripcast-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        ports = free_ports(4)
        postgres = embedded_postgres(folder / "postgres", folder / "postgres.log", ports[0], Secrets(folder / "secrets.env"))
        _prepare(postgres)
        kafka = embedded_kafka(folder / "kafka", folder / "kafka.log", ports[1], ports[2])
        mlflow = EmbeddedMlflow(folder / "mlflow", folder / "mlflow.log", ports[3], postgres.address(MLFLOW, MLFLOW))
        for embedded in (postgres, kafka, mlflow):
            _run(embedded, stack)
        databases = (postgres.address(OWNER, OWNER), postgres.address(BOARD, OWNER))
        asyncio.run(_alter(postgres.admin, f"alter role {BOARD} set log_statement = 'all'"))
        world = World(folder, kafka.address, *databases, mlflow.address)
        world.tripcast("migrate")
        yield world


def _run(embedded: Embedded, stack: ExitStack) -> None:
    embedded.prepare()
    stack.enter_context(embedded.part())
    embedded.complete()


def _prepare(postgres: EmbeddedPostgres) -> None:
    """PostgreSQL then tells when a row became visible, and in its log who sent a statement: witnesses that are not ours."""
    postgres.prepare()
    with postgres.part():
        asyncio.run(
            _alter(postgres.admin, "alter system set track_commit_timestamp = on", "alter system set log_line_prefix = '%u '")
        )


async def _alter(admin: str, *commands: str) -> None:
    connection = await asyncpg.connect(admin)
    try:
        for command in commands:
            await connection.execute(command)
    finally:
        await connection.close()
