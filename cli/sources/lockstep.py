"""Waits, after each turn of a replay, until the service has dealt with it: what it decides does not depend on speed then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cli.sources.pace import Waiting
from domain.entities.progress import LoopProgress
from domain.errors import PartFailed, Unreachable
from domain.policy import Timing

LOOK_SECONDS = 0.25
MOST_SECONDS = 900.0  # a training takes minutes

Pair = tuple[int | None, int | None]  # versions: the champion and its shadow, None: nobody


class Service(Protocol):
    """What can be seen of the service from outside. Raises Unreachable."""

    async def ends(self) -> Mapping[int, int]:
        """The end offset of each partition of the trip events."""
        ...

    async def progress(self) -> LoopProgress:
        """How far the closed loop is."""
        ...

    async def registered(self) -> Pair:
        """Who is champion and who challenger by the registry."""
        ...

    async def served(self) -> Sequence[Pair | None]:
        """What each worker scores with; None for one that does not answer."""
        ...


@dataclass(frozen=True, slots=True)
class Lockstep:
    """`say` is told what is being waited for."""

    service: Service
    timing: Timing
    waiting: Waiting
    say: Callable[[str], None]

    async def __call__(self) -> None:
        """Return when nothing is open, or somebody asks to stop. Raises PartFailed when that takes too long."""
        began = self.waiting.seconds()
        while not self.waiting.stopped and (why := await self._patient()):
            if self.waiting.seconds() - began > MOST_SECONDS:
                raise PartFailed(f"lockstep: after {MOST_SECONDS:.0f} s it still waits: {why}")
            self.say(why)
            await self.waiting.wait(LOOK_SECONDS)

    async def _patient(self) -> str | None:
        try:
            return await self.unsettled()
        except Unreachable as error:
            return str(error)

    async def unsettled(self) -> str | None:
        """What is not done yet, in words; None when everything is."""
        ends, progress = await self.service.ends(), await self.service.progress()
        if late := [number for number, end in ends.items() if progress.next_offsets.get(number, 0) < end]:
            return f"the loop has not taken in partition {late[0]} up to offset {ends[late[0]]}"
        if progress.newest_minute is not None and (progress.closed_until or 0) < self._complete(progress.newest_minute):
            return "steps are open that are complete"
        if progress.open_requests:
            return f"{progress.open_requests} requests of the loop are open"
        known = await self.service.registered()
        if known != (progress.champion, progress.shadow):
            return f"the registry has versions {_words(known)}, the loop {_words((progress.champion, progress.shadow))}"
        for worker in await self.service.served():
            if worker != known:
                return f"a worker serves versions {_words(worker)}, the registry has {_words(known)}"
        return None

    def _complete(self, newest: int) -> int:
        """Up to which minute steps are complete when nothing more comes."""
        return (newest - self.timing.lateness_minutes) // self.timing.step_minutes * self.timing.step_minutes


def _words(pair: Pair | None) -> str:
    return "unknown" if pair is None else f"{pair[0] or 'none'} and {pair[1] or 'none'} in its shadow"
