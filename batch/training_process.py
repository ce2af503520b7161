"""Run one training as a process of its own."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from domain.errors import PartFailed, TripcastError

log = structlog.get_logger("tripcast.trainer")

GRACE_SECONDS = 5.0
KEPT_LINES = 20


@dataclass(frozen=True, slots=True)
class TrainingProcess:
    """`command` is what starts `tripcast train`; `errors` says which error each exit code means."""

    command: Sequence[str]
    errors: Mapping[int, type[TripcastError]]

    async def __call__(self, reason: str, subject: str | None) -> None:
        """Train and return; raises the error that the process ended with. Cancelled, it takes the process with it."""
        options = ["--reason", reason, "--actor", "trainer", *(["--subject", subject] if subject else [])]
        process = await asyncio.create_subprocess_exec(*self.command, *options, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        try:
            words = await _last_words(process)
            code = await process.wait()
        finally:
            await _end(process)
        if code:
            raise self.errors.get(code, PartFailed)(words or f"the training process ended with code {code}")


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
