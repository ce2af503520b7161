"""Starts units in order of need, restarts what dies, stops all in reverse: a state machine, one thread, no callbacks.

Children are started from the main thread alone: they are told to die with the thread that started them.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from cli.embedded.part import Part
from cli.exit_codes import USAGE, error_of
from cli.stack.units import PROVEN_SECONDS, State, Unit, Work
from domain.errors import PartFailed, PortInUse

TICK_SECONDS = 0.1
MOST_FAILURES = 5  # deaths in a row before it ever became ready: then it is no accident

Report = Callable[[Unit, State], None]


class Supervisor:
    """Runs units until told to stop. `report` hears of every change of state."""

    def __init__(self, units: Sequence[Unit], report: Report, changed: Callable[[], None] = lambda: None) -> None:
        self.units = {unit.name: unit for unit in units}
        self.stopping = False
        self._report = report
        self._changed = changed
        self._started: list[Unit] = []

    def run(self, until: Callable[[], bool]) -> None:
        """Keep all units going until `until` holds or a signal asks to stop. Raises PartFailed and what a step ended with."""
        while not self.stopping:
            self.tick()
            if until():
                return
            time.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Let every unit take at most one step."""
        for unit in self.units.values():
            if not self.stopping:
                _STEPS[unit.state](self, unit)

    def all_serve(self) -> bool:
        """Whether everything is up."""
        return all(unit.serves() or unit.state is State.ENDED for unit in self.units.values())

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Within: the first Ctrl-C or SIGTERM asks to stop, the second kills every child at once."""
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Stop every process, the latest started first. Idempotent."""
        self.stopping = True
        while self._started:
            unit = self._started[-1]
            if unit.running is not None:
                unit.running.stop()
                unit.running = None
                self._enter(unit, State.WAITING)
            self._started.remove(unit)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            self._kill_all()
        self.stopping = True

    def _kill_all(self) -> None:
        for unit in self._started:
            process = unit.running.process if unit.running else None
            if process is not None and process.returncode is None:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def _enter(self, unit: Unit, state: State) -> None:
        unit.enter(state, time.monotonic())
        self._report(unit, state)
        self._changed()

    # --- one step of a unit in each state -----------------------------------------------------------------------------

    def _waiting(self, unit: Unit) -> None:
        if all(self.units[need].serves() for need in unit.needs if need in self.units) and unit.may_start():
            unit.work = None if unit.prepared else Work(unit.prepare)
            self._enter(unit, State.PREPARING)

    def _preparing(self, unit: Unit) -> None:
        if unit.work is None or unit.work.done():
            unit.prepared = True
            self._start(unit)

    def _start(self, unit: Unit) -> None:
        unit.running = unit.part()
        self._started = [*(other for other in self._started if other is not unit), unit]
        try:
            unit.running.spawn()
        except PortInUse:
            if not unit.deaths:
                raise
            self._died(unit, unit.running)  # an orphan of the process that died: it lets go of the port soon
        else:
            self._enter(unit, State.STARTING)

    def _starting(self, unit: Unit) -> None:
        part = _part(unit)
        if not part.running():
            self._ended(unit, part)
        elif unit.lasts and part.after_start_check():
            unit.work = None if unit.completed else Work(unit.complete)
            self._enter(unit, State.COMPLETING)
        elif unit.lasts and not part.check_timeout():
            part.kill()
            self._died(unit, part)

    def _completing(self, unit: Unit) -> None:
        if unit.work is None or unit.work.done():
            unit.completed = True
            unit.failures = 0
            self._enter(unit, State.READY)

    def _ready(self, unit: Unit) -> None:
        part = _part(unit)
        if not part.running():
            self._ended(unit, part)
        elif unit.deaths and time.monotonic() - unit.since > PROVEN_SECONDS:
            unit.deaths = 0

    def _resting(self, unit: Unit) -> None:
        if time.monotonic() - unit.since >= unit.backoff_seconds():
            self._enter(unit, State.WAITING)

    def _nothing(self, unit: Unit) -> None:
        """An ended step stays ended."""

    # --- ends ---------------------------------------------------------------------------------------------------------

    def _ended(self, unit: Unit, part: Part) -> None:
        code = part.exit_code()
        part.kill()  # its own children, and our handle
        if unit.lasts or code is None:
            self._died(unit, part)
        elif code == 0:
            unit.running = None
            unit.finished()
            self._enter(unit, State.ENDED)
        elif code >= USAGE:  # a documented refusal: trying again would give the same
            raise error_of(code, f"{unit.name}: {part.last_words().removeprefix('tripcast: ')} (log: {part.log})")
        else:
            self._died(unit, part)

    def _died(self, unit: Unit, part: Part) -> None:
        unit.running = None
        unit.deaths += 1
        unit.failures += 1
        if unit.failures >= MOST_FAILURES:
            raise PartFailed(f"{unit.name} failed {unit.failures} times: {part.last_words()} (log: {part.log})")
        self._enter(unit, State.RESTING)


def _part(unit: Unit) -> Part:
    if unit.running is None:
        raise PartFailed(f"{unit.name} has no process")  # cannot happen: every path into these states sets it
    return unit.running


_STEPS: dict[State, Callable[[Supervisor, Unit], None]] = {
    State.WAITING: Supervisor._waiting,
    State.PREPARING: Supervisor._preparing,
    State.STARTING: Supervisor._starting,
    State.COMPLETING: Supervisor._completing,
    State.READY: Supervisor._ready,
    State.RESTING: Supervisor._resting,
    State.ENDED: Supervisor._nothing,
}
