"""The live line: what flows, how late, how well, and what is being restarted."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cli.stack.units import State, Unit
from cli.stack.worker_metrics import Reading, quantile_seconds

WINDOW_SECONDS = 10.0
PHASES = {  # of the closed loop, as an operator would say them
    "no_champion": "",
    "watching": "no drift",
    "held": "drift, training held back",
    "training": "drift, training",
    "shadowing": "challenger on trial",
    "promoting": "promoting",
    "probation": "new champion watched",
}


@dataclass(frozen=True, slots=True)
class Error:
    """The error of mature trips, in words of the line."""

    mae_minutes: float
    trips: int


class LiveLine:
    """Collects readings; rates and the p99 are over the last ten seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._readings: deque[tuple[float, Reading]] = deque()

    def add(self, reading: Reading | None) -> None:
        """Remember a reading; None (the worker is away) and counters that fell (it was restarted) begin anew."""
        if reading is None or (self._readings and reading.received < self._readings[-1][1].received):
            self._readings.clear()
        if reading is not None:
            self._readings.append((self._now(), reading))
        while len(self._readings) > 1 and self._now() - self._readings[0][0] > WINDOW_SECONDS:
            self._readings.popleft()

    def text(self, units: Iterable[Unit], error: Error | None) -> str:
        """One line."""
        troubles = [f"{unit.name} is being restarted ({unit.deaths})" for unit in units if _is_in_trouble(unit)]
        return "  ".join(part for part in (*self._flow(), _error_text(error), *self._model(), *troubles) if part)

    def _flow(self) -> list[str]:
        if not self._readings:
            return ["the worker does not answer"]
        (began, first), (ended, last) = self._readings[0], self._readings[-1]
        seconds = ended - began

        def rate(difference: float) -> str:
            return f"{difference / seconds:,.0f}/s" if seconds > 0 else "-"

        p99 = quantile_seconds(0.99, first, last)
        return [
            f"received {rate(last.received - first.received)}",
            f"scored {rate(last.scored - first.scored)}",
            f"lag {last.lag:,.0f}",
            f"event→row p99 {'-' if p99 is None else _duration(p99)}",
        ]

    def _model(self) -> list[str]:
        if not self._readings:
            return []
        last = self._readings[-1][1]
        champion = f"champion {'none yet (the trainer makes the first one)' if last.champion is None else f'v{last.champion}'}"
        shadow = [] if last.challenger is None else [f"challenger v{last.challenger}"]
        loop = [PHASES.get(last.phase, last.phase)] if last.phase else []
        down = [name for name, up in (("registry", last.registry_up), ("database", last.database_up)) if not up]
        letters = f"dead letters {sum(last.quarantined.values()):,.0f}"
        return [champion, *shadow, *loop, letters, *(f"{name} down" for name in down)]


def _is_in_trouble(unit: Unit) -> bool:
    return unit.deaths > 0 and unit.state in (State.RESTING, State.STARTING)


def _error_text(error: Error | None) -> str:
    return "mature error -" if error is None else f"mature error {error.mae_minutes:.2f} min"


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "beyond the scale"
    return f"≤{seconds * 1000:,.0f} ms" if seconds < 1 else f"≤{seconds:,.1f} s"
