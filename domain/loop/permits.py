"""When a training may be asked for: cooldown, budget, approval, enough labels; and when one is due without an alarm."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.loop.episodes import Episode
from domain.loop.evidence import HOUR
from domain.policy import Retraining

DAY = 24 * HOUR
FOLLOW_UP, SCHEDULE = "follow_up", "schedule"


@dataclass(frozen=True, slots=True)
class Due:
    """A training that nothing has alarmed for."""

    kind: str
    reason: str
    changed: int | None


@dataclass(slots=True)
class Thin:
    """The latest training after a change, asked for at `minute`, had `labels` labels to learn from; `left` may follow."""

    changed: int
    labels: int
    minute: int
    left: int


class Permits:
    """Keeps the policy's limits on trainings."""

    def __init__(self, limits: Retraining) -> None:
        self._limits = limits
        self._asked: list[int] = []
        self._approved: set[str] = set()
        self._thin: Thin | None = None
        self._labels: int | None = None
        self._began: int | None = None  # when somebody first looked whether a training is due

    def approve(self, subject: str) -> None:
        """Somebody agrees."""
        self._approved.add(subject)

    def obstacle(self, episode: Episode, minute: int, labels: int | None) -> str | None:
        """Why this episode must wait, in words; None when nothing is in the way. `labels`: since the change."""
        limits, last = self._limits, self._asked[-1] if self._asked else None
        if last is not None and minute - last < limits.cooldown_hours * HOUR:
            return f"the last training was asked for less than {limits.cooldown_hours:g} h before"
        if sum(minute - asked < DAY for asked in self._asked) >= limits.daily_budget:
            return f"the budget of {limits.daily_budget} trainings a day is spent"
        if labels is not None and labels < limits.least_labels:
            return f"fewer than {limits.least_labels} labels since the change"
        if limits.approval == "manual" and episode.subject not in self._approved:
            return f"waits for approval: tripcast approve {episode.number}"
        return None

    @property
    def cooling_until(self) -> int | None:
        """Until when no training may follow the last one; None before the first."""
        return self._asked[-1] + round(self._limits.cooldown_hours * HOUR) if self._asked else None

    def may_confirm(self, shift: float, minute: int) -> bool:
        """Whether a shift of this size may be an episode now."""
        limits, last = self._limits, self._asked[-1] if self._asked else None
        return abs(shift) >= limits.break_shift or last is None or minute - last >= limits.season_days * DAY

    def asked(self, episode: Episode, minute: int, labels: int | None) -> None:
        """A training was asked for."""
        self._asked = [asked for asked in self._asked if minute - asked < DAY] + [minute]
        self._labels = labels
        if self._thin is not None and labels is not None and episode.changed == self._thin.changed:
            self._thin = Thin(self._thin.changed, labels, minute, self._thin.left - 1)

    def promoted(self, episode: Episode) -> None:
        """The training's version is champion: did it have enough to learn from?"""
        known = self._thin is not None and self._thin.changed == episode.changed
        if (
            not known
            and episode.is_break(self._limits.break_shift)
            and episode.changed is not None
            and self._labels is not None
        ):
            self._thin = Thin(episode.changed, self._labels, self._asked[-1], self._limits.follow_ups)

    def follow_up(self, minute: int, labels_since: Callable[[int], int]) -> Due | None:
        """The training that is due now."""
        thin, limits = self._thin, self._limits
        self._began = minute if self._began is None else self._began
        if thin is not None and thin.left > 0 and (reason := self._ripe(thin, minute, labels_since)):
            return Due(FOLLOW_UP, reason, thin.changed)
        last = self._asked[-1] if self._asked else self._began
        if limits.schedule_hours and minute - last >= limits.schedule_hours * HOUR:
            return Due(SCHEDULE, f"a training every {limits.schedule_hours:g} h", thin.changed if thin else None)
        return None

    def _ripe(self, thin: Thin, minute: int, labels_since: Callable[[int], int]) -> str | None:
        """Why there is more to learn of a change now than at the latest training."""
        labels, limits = labels_since(thin.changed), self._limits
        if labels >= limits.growth * thin.labels:
            return f"since the change there are {labels:,} labels, where the last training had {thin.labels:,}"
        if minute - thin.minute >= limits.follow_up_days * DAY:
            return f"the last training after the change was {limits.follow_up_days:g} days ago; there are {labels:,} labels now"
        return None
