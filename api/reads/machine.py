"""The machine that the API runs on, and what other roles tell of themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from api.reads.exposition import samples
from domain.errors import Unreachable
from schemas.http.health import RoleStatus

ROLE_SECONDS = 1.0
OK = 200
BUILD = "tripcast_build_info"
Get = Callable[[str, float], Awaitable[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Machine:
    """Loads and sizes at one moment; the processor's load is since the call before."""

    cpu_percent: float
    memory_bytes: float
    memory_used_bytes: float
    disk_bytes: float
    disk_used_bytes: float


def machine(folder: Path) -> Machine:
    """`folder`: on the disk that counts."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(folder if folder.exists() else Path.cwd()))
    return Machine(psutil.cpu_percent(None), float(memory.total), float(memory.total - memory.available), disk.total, disk.used)


def own_status(name: str, address: str, *, version: str, ready: bool, detail: str, loop_lag_seconds: float) -> RoleStatus:
    """The API itself."""
    process = psutil.Process()
    with process.oneshot():
        return RoleStatus(
            name=name,
            address=address,
            up=True,
            ready=ready,
            detail=detail,
            version=version,
            started_at=datetime.fromtimestamp(process.create_time(), UTC),
            cpu_percent=process.cpu_percent(None),
            memory_bytes=float(process.memory_info().rss),
            loop_lag_seconds=loop_lag_seconds,
        )


def unknown_role(name: str, setting: str) -> RoleStatus:
    """Nobody has told us where it is."""
    return RoleStatus(name=name, address=None, up=None, ready=None, detail=f"{setting} does not say where it is")


@dataclass(slots=True)
class RoleWatch:
    """Asks a role; its processor load is between two calls."""

    get: Get
    name: str
    address: str
    ready_path: str | None = "/readyz"
    _cpu: tuple[datetime, float] | None = None

    async def __call__(self) -> RoleStatus:
        """Never raises: a role that does not answer is a status too."""
        try:
            (alive, _), ready, (numbers, version) = await asyncio.gather(
                self.get(f"{self.address}/livez", ROLE_SECONDS), self._ready(), self._numbers()
            )
        except Unreachable:
            return RoleStatus(name=self.name, address=self.address, up=False, ready=False, detail="does not answer")
        started = numbers.get("process_start_time_seconds")
        return RoleStatus(
            name=self.name,
            address=self.address,
            up=alive == OK,
            ready=ready,
            detail="" if alive == OK and ready is not False else _detail(alive, ready=ready),
            version=version,
            started_at=datetime.fromtimestamp(started, UTC) if started else None,
            cpu_percent=self._cpu_percent(numbers.get("process_cpu_seconds_total")),
            memory_bytes=numbers.get("process_resident_memory_bytes"),
            loop_lag_seconds=next((value for name, value in numbers.items() if name.endswith("loop_lag_seconds")), None),
        )

    async def _ready(self) -> bool | None:
        if self.ready_path is None:
            return None
        status, _ = await self.get(f"{self.address}{self.ready_path}", ROLE_SECONDS)
        return status == OK

    async def _numbers(self) -> tuple[dict[str, float], str | None]:
        """Metrics without labels, and the version that the role tells."""
        status, text = await self.get(f"{self.address}/metrics", ROLE_SECONDS)
        if status != OK:
            return {}, None
        try:
            found = list(samples(text))
        except ValueError:
            return {}, None
        version = next((sample.labels.get("version") for sample in found if sample.name == BUILD), None)
        return {sample.name: sample.value for sample in found if not sample.labels}, version

    def _cpu_percent(self, seconds: float | None) -> float | None:
        if seconds is None:
            return None
        now, before = datetime.now(UTC), self._cpu
        self._cpu = now, seconds
        if before is None or seconds < before[1]:
            return None
        passed = (now - before[0]).total_seconds()
        return round(100 * (seconds - before[1]) / passed, 1) if passed > 0 else None


def _detail(alive: int, *, ready: bool | None) -> str:
    if alive != OK:
        return "stands still"
    return "not ready" if ready is False else ""
