"""A primary and its standby: real replication, real promotion, and an old primary that can die or stay on read-only."""

import os
import subprocess
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from adapters.postgres.admin.migrate import migrate
from cli.embedded.bootstrap import embedded_postgres
from cli.embedded.part import Part
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import CLUSTER_FOLDER, OWNER, SUPERUSER, EmbeddedPostgres, _program
from cli.embedded.secrets import Secrets
from cli.embedded.system_user import as_unprivileged, give_to_unprivileged
from tests.running import until

REPLAY_SECONDS = 30.0


@dataclass(slots=True)
class Pair:
    """A primary and its standby."""

    primary: EmbeddedPostgres
    standby: EmbeddedPostgres
    running: Part

    @property
    def address(self) -> str:
        """The owner's, with both hosts; the standby first, so that it has to be passed over."""
        one = self.primary.address(OWNER, OWNER)
        both = f"{HOST}:{self.standby.port},{HOST}:{self.primary.port}"
        return one.replace(f"{HOST}:{self.primary.port}", both) + "?target_session_attrs=read-write"

    async def fail_over(self) -> None:
        """Wait until the standby has everything, kill the primary as a power cut would, and promote."""
        await self._replayed()
        self.running.kill()
        await self._promote()

    async def switch_over(self, refused: Awaitable[None]) -> None:
        """Make the primary read-only for its clients, old and new, and leave it running; promote the other.

        `refused` comes back when a writer has been refused: sessions hear of the setting one by one, and what one commits after
        the standby was looked at would be lost, as it is where replication is asynchronous.
        """
        primary = await asyncpg.connect(self.primary.admin)
        await primary.execute("alter system set default_transaction_read_only = on")
        await primary.execute("select pg_reload_conf()")
        await primary.close()
        await refused
        await self._replayed()
        await self._promote()

    async def _replayed(self) -> None:
        """The standby has all that the primary had just now."""
        primary, standby = await asyncpg.connect(self.primary.admin), await asyncpg.connect(self.standby.admin)
        end = await primary.fetchval("select pg_current_wal_lsn()")

        async def caught_up() -> bool:
            return bool(await standby.fetchval("select pg_last_wal_replay_lsn() >= $1", end))

        await until(caught_up, REPLAY_SECONDS)
        await primary.close()
        await standby.close()

    async def _promote(self) -> None:
        standby = await asyncpg.connect(self.standby.admin)
        assert await standby.fetchval("select pg_promote()")
        await standby.close()


@contextmanager
def running_pair(folder: Path) -> Iterator[Pair]:
    """Both run; the database is empty and migrated."""
    secrets, (one, two) = Secrets(folder / "secrets.env"), free_ports(2)
    primary = embedded_postgres(folder / "one", folder / "one.log", one, secrets)
    standby = embedded_postgres(folder / "two", folder / "two.log", two, secrets)
    primary.prepare()
    running = primary.part()
    with running:
        primary.complete()
        migrate(primary.address(OWNER, OWNER))
        _copy(primary, standby)
        with standby.part():
            yield Pair(primary, standby, running)


def _copy(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """What a managed service does for its second machine."""
    standby.folder.mkdir()
    give_to_unprivileged(standby.folder)
    where = ["-h", HOST, "-p", str(primary.port), "-U", SUPERUSER, "-D", str(standby.folder / CLUSTER_FOLDER)]
    command = [*as_unprivileged(), str(_program("pg_basebackup")), *where, "--write-recovery-conf", "--checkpoint=fast"]
    environment = {**os.environ, "PGPASSWORD": primary.secrets.password(SUPERUSER)}
    subprocess.run([*command, "--no-sync"], check=True, capture_output=True, env=environment)
