"""Servers of one test alone, by address: a PostgreSQL with the schema, a Kafka; both can be killed and started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from adapters.postgres.admin.migrate import migrate
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.ports import free_ports
from cli.embedded.postgres import OWNER
from cli.embedded.secrets import Secrets
from tests.chaos.servers import Server


@dataclass(frozen=True, slots=True)
class OwnServer:
    """Its address as clients write it; the methods do not block the event loop."""

    address: str
    admin: str  # the superuser's address; empty for Kafka
    server: Server

    async def kill(self) -> None:
        """As a crash does."""
        await asyncio.to_thread(self.server.kill)

    async def start(self) -> None:
        """On the same data; returns when it answers."""
        await asyncio.to_thread(self.server.start)


@asynccontextmanager
async def own_postgres(folder: Path) -> AsyncIterator[OwnServer]:
    """A server with an empty, migrated database; the address is the owner's."""
    (port,) = free_ports(1)
    postgres = embedded_postgres(folder / "postgres", folder / "postgres.log", port, Secrets(folder / "secrets.env"))
    server = await asyncio.to_thread(Server, postgres)
    try:
        await asyncio.to_thread(migrate, postgres.address(OWNER, OWNER))
        yield OwnServer(postgres.address(OWNER, OWNER), postgres.admin, server)
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def own_kafka(folder: Path) -> AsyncIterator[OwnServer]:
    """A broker without topics."""
    kafka = embedded_kafka(folder / "kafka", folder / "kafka.log", *free_ports(2))
    server = await asyncio.to_thread(Server, kafka)
    try:
        yield OwnServer(kafka.address, "", server)
    finally:
        await asyncio.to_thread(server.stop)


def by_way_of(port: int, address: str) -> str:
    """The same database through a proxy on this port."""
    return address.replace(f":{port_of(address)}/", f":{port}/")


def port_of(address: str) -> int:
    """Of a postgresql:// address with one host."""
    port = urlsplit(address).port
    assert port is not None
    return port
