"""A PostgreSQL on a file system of 64 MB that only it sees: a tmpfs in a mount namespace of its own; for root alone."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.admin.local_server import database_answers, ensure_database, ensure_groups, ensure_login
from adapters.postgres.admin.migrate import migrate
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import OWNER, SUPERUSER, _program
from cli.embedded.system_user import as_unprivileged, make_reachable

SIZE = "64m"
CHUNK_BYTES = 64 * 1024
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "min_wal_size": "2MB",
    "max_wal_size": "8MB",
    "max_connections": "40",
    "log_checkpoints": "off",
}
START_SECONDS = 30.0


def needs_namespaces() -> None:
    """Skip where a mount namespace cannot be made."""
    programs = all(map(shutil.which, ("unshare", "nsenter", "mount", "setpriv")))
    command = ["unshare", "--mount", "--propagation", "private", "true"]
    if not programs or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs in a private mount namespace needs root with CAP_SYS_ADMIN, and util-linux")


@dataclass(slots=True)
class SmallDisk:
    """A server; its disk can be filled up and freed. `holder` keeps the namespace, `inside` is the disk as we see it."""

    holder: "subprocess.Popen[bytes]"
    disk: Path
    log: Path
    port: int
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def admin(self) -> str:
        """The superuser's address."""
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/postgres"

    @property
    def address(self) -> str:
        """The owner's."""
        return f"postgresql://{OWNER}:any@{HOST}:{self.port}/{OWNER}"

    @property
    def inside(self) -> Path:
        """The disk as seen from outside of its namespace."""
        return Path(f"/proc/{self.holder.pid}/root{self.disk}")

    def fill(self, leave_bytes: int) -> None:
        """Take all but so many bytes; the server writes meanwhile."""
        with (self.inside / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
            while os.statvfs(self.inside).f_bavail * os.statvfs(self.inside).f_frsize > leave_bytes:
                ballast.write(bytes(CHUNK_BYTES))

    async def exhaust_log(self) -> None:
        """Write to the log until it cannot grow, which no server survives."""
        connection = await asyncpg.connect(self.admin)
        try:
            for _ in range(64):
                await connection.execute("select pg_logical_emit_message(false, 'ballast', repeat('x', 1000000))")
        except (asyncpg.PostgresError, OSError):
            return
        finally:
            connection.terminate()
        raise AssertionError("64 MB of log went to a disk that is full")

    def free(self) -> None:
        """Give it back."""
        (self.inside / "ballast").unlink()

    def start(self) -> None:
        """Start the server, unless it runs; returns when it answers."""
        if self.server is None or self.server.poll() is not None:
            settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
            with self.log.open("ab") as log:
                command = self.within(_program("postgres"), "-D", self.disk / "cluster", "-p", self.port, *settings)
                self.server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    async def answers(self) -> bool:
        """Whether the server takes connections."""
        return await database_answers(self.admin)

    def within(self, *command: object) -> list[str]:
        """A command in the namespace, as the server's user."""
        return ["nsenter", "-t", str(self.holder.pid), "-m", "--", *as_unprivileged(), *map(str, command)]

    def end(self) -> None:
        """Everything; the disk goes with its namespace."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(20)
            self.server.kill()
            self.server.wait()
        self.holder.kill()
        self.holder.wait()


@contextmanager
def small_disk(folder: Path, *, log_elsewhere: bool) -> Iterator[SmallDisk]:
    """A server with the migrated database. `log_elsewhere`: its write-ahead log is on another disk."""
    disk, elsewhere = folder / "disk", folder / "elsewhere"
    for each in (disk, elsewhere):
        each.mkdir(mode=0o777)
        each.chmod(0o777)
    make_reachable(disk)
    make_reachable(_program("postgres"))
    small = SmallDisk(_namespace(disk), disk, folder / "small.log", free_ports(1)[0])
    try:
        waldir = [f"--waldir={elsewhere / 'wal'}"] if log_elsewhere else []
        initdb = ("-D", disk / "cluster", f"--username={SUPERUSER}", "--auth=trust", "--wal-segsize=1", "--no-sync", *waldir)
        subprocess.run(small.within(_program("initdb"), *initdb), check=True, capture_output=True)
        small.start()
        asyncio.run(_answered(small))
        ensure_groups(small.admin)
        ensure_login(small.admin, OWNER, "any", None)
        ensure_database(small.admin, OWNER, OWNER)
        migrate(small.address)
        yield small
    finally:
        small.end()


def _namespace(disk: Path) -> "subprocess.Popen[bytes]":
    """A process that holds a namespace in which `disk` is a tmpfs; returns when it is mounted."""
    script = f'mount -t tmpfs -o size={SIZE},mode=1777 tmpfs "$0" && echo mounted && exec sleep infinity'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(disk)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"mounted\n"
    holder.stdout.close()
    return holder


async def _answered(small: SmallDisk) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not await small.answers():
            assert small.server is not None
            assert small.server.poll() is None, small.log.read_text()
            await asyncio.sleep(0.1)
