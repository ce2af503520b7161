"""The composition root of the embedded parts: gives them the clients that they probe and set up their servers with."""

import asyncio
from pathlib import Path

from adapters.kafka.broker import Broker
from adapters.kafka.probe import broker_answers
from adapters.postgres.admin import local_server
from cli.embedded.kafka import EmbeddedKafka
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.secrets import Secrets


def embedded_kafka(folder: Path, log: Path, port: int, controller_port: int) -> EmbeddedKafka:
    """A broker that keeps its log below `folder`."""
    return EmbeddedKafka(
        folder, log, port, controller_port, answers=lambda address: asyncio.run(broker_answers(Broker(address)))
    )


def embedded_postgres(folder: Path, log: Path, port: int, secrets: Secrets) -> EmbeddedPostgres:
    """A server that keeps its cluster below `folder`."""
    return EmbeddedPostgres(folder, log, port, secrets, administration=_LocalServer())


class _LocalServer:
    """Implements `cli.embedded.postgres.Administration`; for callers without an event loop."""

    def answers(self, dsn: str) -> bool:
        return asyncio.run(local_server.database_answers(dsn))

    def ensure_groups(self, admin: str) -> None:
        local_server.ensure_groups(admin)

    def ensure_login(self, admin: str, user: str, password: str, member_of: str | None) -> None:
        local_server.ensure_login(admin, user, password, member_of)

    def ensure_database(self, admin: str, name: str, owner: str) -> None:
        local_server.ensure_database(admin, name, owner)
