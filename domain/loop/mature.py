"""How wrong predictions turned out lately, by role: the errors of cohorts that have become mature, for whoever shows them."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.loop.steps import Step
from domain.sums import CHAMPION, SHADOW

WINDOW_MINUTES = 24 * 60
DECISECONDS = 10


class Errors(NamedTuple):
    """Sums over settled trips; errors in 0.1 s."""

    trips: int = 0
    absolute: int = 0
    square: int = 0
    covered: int = 0

    def plus(self, other: "Errors", sign: int = 1) -> "Errors":
        """Both together; with sign -1, without the other."""
        return Errors(*(mine + sign * theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def mae_seconds(self) -> float:
        """Mean absolute error. There is a trip."""
        return self.absolute / self.trips / DECISECONDS

    @property
    def rmse_seconds(self) -> float:
        """Root of the mean square error. There is a trip."""
        return float((self.square / self.trips) ** 0.5) / DECISECONDS

    @property
    def coverage(self) -> float:
        """Share of the trips inside their interval. There is a trip."""
        return self.covered / self.trips


@dataclass(slots=True)
class MatureErrors:
    """The sums over WINDOW_MINUTES of event time up to the newest step; empty for a role that has no trip in them."""

    totals: dict[int, Errors] = field(default_factory=lambda: {CHAMPION: Errors(), SHADOW: Errors()})
    _steps: deque[tuple[int, int, Errors]] = field(default_factory=deque)

    def add(self, step: Step) -> None:
        """Take a step in, and let go of what is too old."""
        for role in self.totals:
            rows = step.mature.take(step.mature.role == role)
            columns = rows.settled, rows.abs_error, rows.square_error, rows.covered
            errors = Errors(*(int(column.sum()) for column in columns))
            if errors.trips:
                self._steps.append((step.minute, role, errors))
                self.totals[role] = self.totals[role].plus(errors)
        while self._steps and self._steps[0][0] <= step.minute - WINDOW_MINUTES:
            _, role, errors = self._steps.popleft()
            self.totals[role] = self.totals[role].plus(errors, sign=-1)
