"""Whether the feed is at fault now, and when it was."""

from dataclasses import dataclass, field

from domain.baselines import Baseline
from domain.loop.decisions import Record
from domain.loop.feed import Fault, Intake, LatestIntake, fault_of
from domain.loop.steps import Step
from domain.policy import FeedFaults

HEALED_SCALE = 0.5  # of the limits; a fault that comes and goes stays one
MOST_INTERVALS = 50


@dataclass(slots=True)
class FeedWatch:
    """`faulty` are past and present stretches of faulty trips, as minutes; None as its end: it goes on."""

    limits: FeedFaults
    step_minutes: int
    fault: Fault | None = None
    faulty: list[tuple[int, int | None]] = field(default_factory=list)
    _latest: LatestIntake = field(init=False)

    def __post_init__(self) -> None:
        self._latest = LatestIntake(self.limits.trips)

    def step(self, step: Step, normal: Baseline) -> list[Record]:
        """Take a step in; says when a fault begins and when it is over."""
        self._latest.add(step)
        if not self._latest.full:
            return []
        before = self._latest.before if self.fault is None else None
        found = fault_of(self._latest.sums, normal, self.limits, scale=self.scale, before=before)
        if (found is None) == (self.fault is None):
            return []
        return [self._begins(step, found) if found else self._ends(step)]

    @property
    def latest(self) -> Intake:
        """The events that are judged now; none right after a fault began or ended."""
        return self._latest.sums

    @property
    def scale(self) -> float:
        """Of the limits: while there is a fault, less is needed to call it one still."""
        return 1.0 if self.fault is None else HEALED_SCALE

    def _begins(self, step: Step, fault: Fault) -> Record:
        self.fault = fault
        self.faulty = [*self.faulty, (self._latest.since - self.step_minutes, None)][-MOST_INTERVALS:]
        self._latest.clear()
        reason = f"the feed looks faulty, so nothing is learnt from it: {fault.reason}"
        return Record("feed.fault", fault.name, reason, step.minute, dict(fault.numbers))

    def _ends(self, step: Step) -> Record:
        name = self.fault.name if self.fault else ""
        self.fault = None
        self.faulty[-1] = (self.faulty[-1][0], step.minute)
        reason = f"the last {self._latest.sums.events:,} events look normal again"
        self._latest.clear()
        return Record("feed.healed", name, reason, step.minute)
