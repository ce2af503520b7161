"""Run one training as a process of its own."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from domain.errors import PartFailed, TripcastError

log = structlog.get_logger("tripcast.trainer")

GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What is to be trained and why; see `batch.train.TrainingRequest`."""

    reason: str
    subject: str | None = None
    as_of: datetime | None = None
    since_break: datetime | None = None
    exclude: tuple[tuple[datetime, datetime], ...] = ()

    def options(self) -> list[str]:
        """As options of `tripcast train`."""
        options = [f"--reason={self.reason}"]  # in one word: a reason may begin with a dash
        options += [f"--subject={self.subject}"] if self.subject else []
        options += [f"--as-of={_utc(self.as_of)}"] if self.as_of else []
        options += [f"--since-break={_utc(self.since_break)}"] if self.since_break else []
        return options + [f"--exclude={first.isoformat()}/{until.isoformat()}" for first, until in self.exclude]


@dataclass(slots=True)
class TrainingProcess:
    """`command` is what starts `tripcast train`; `errors` says which error each exit code means."""

    command: Sequence[str]
    errors: Mapping[int, type[TripcastError]]
    _running: set[Process] = field(default_factory=set)

    @property
    def runs(self) -> bool:
        """Whether a training process is alive now."""
        return any(process.returncode is None for process in self._running)

    async def __call__(self, order: TrainingOrder) -> None:
        """Train and return; raises the error that the process ended with. Cancelled, it takes the process with it."""
        options = ["--actor=trainer", *order.options()]
        process = await asyncio.create_subprocess_exec(*self.command, *options, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        self._running.add(process)
        try:
            words = await _last_words(process)
            code = await process.wait()
        finally:
            await _end(process)
            self._running.discard(process)
        if code:
            raise self.errors.get(code, PartFailed)(words or f"the training process ended with code {code}")


def _utc(time: datetime) -> str:
    """As the command line takes times: without an offset, in UTC."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


async def _last_words(process: Process) -> str:
    """Pass its log through, and keep the last line, which says why it failed."""
    last = ""
    if process.stderr is not None:
        async for line in process.stderr:
            sys.stderr.buffer.write(line)
            last = line.decode(errors="replace").strip() or last
        sys.stderr.flush()
    return last.removeprefix("tripcast: ")


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
