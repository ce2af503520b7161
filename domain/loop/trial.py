"""One comparison in pairs, from its first pair to its verdict."""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.loop.evidence import HOUR
from domain.loop.steps import Step
from domain.paired import PairOutcome, PairVerdict, paired_verdict
from domain.policy import Trial as TrialLimits
from domain.tallies import LOSS_CAP_SECONDS

DAY = 24 * HOUR


class Result(StrEnum):
    """How a comparison stands."""

    OPEN = "open"
    SHADOW_BETTER = "shadow_better"
    SHADOW_AHEAD = "shadow_ahead"  # and over, undecided: the policy says that being ahead on the mean is enough
    SHADOW_WORSE = "shadow_worse"
    UNDECIDED = "undecided"  # and over: the limits are reached


@dataclass(slots=True)
class PairTrial:
    """Champion against shadow since event time `minute`."""

    champion: int
    shadow: int
    minute: int
    limits: TrialLimits
    until: int = 0
    pairs: int = 0
    difference: int = 0
    square: int = 0

    def add(self, step: Step) -> Result:
        """Take in the pairs of the cohort that has become mature."""
        rows = step.pairs.take((step.pairs.champion == self.champion) & (step.pairs.shadow == self.shadow))
        self.pairs += int(rows.pairs.sum())
        self.difference += int(rows.difference.sum())
        self.square += int(rows.square_difference.sum())
        self.until = step.minute
        return self._result(step.minute)

    @property
    def verdict(self) -> PairVerdict:
        """The test's, with as many independent pairs as so many days can hold."""
        test = replace(self.limits.test, design_effect=self._design_effect)
        return paired_verdict(self.pairs, self.difference, self.square, test)

    @property
    def _design_effect(self) -> float:
        """How many pairs tell as much as one independent pair."""
        days = max((self.until - self.minute) / DAY, 1.0)
        return max(self.limits.test.design_effect, 1 + self.limits.day_correlation * self.pairs / days)

    def numbers(self) -> dict[str, object]:
        """For the record."""
        verdict = self.verdict
        bounds = {"mean": verdict.mean_difference, "lower": verdict.lower, "upper": verdict.upper}
        found: dict[str, object] = {name: round(value, 6) for name, value in bounds.items()}
        return found | {"pairs": self.pairs, "champion": self.champion, "shadow": self.shadow}

    def words(self) -> str:
        """The verdict, in minutes of mean absolute error (each trip's error counts up to 30 minutes)."""
        verdict, cap_minutes = self.verdict, LOSS_CAP_SECONDS / 60
        mean, lower, upper = (bound * cap_minutes for bound in (verdict.mean_difference, verdict.lower, verdict.upper))
        where = "closer to" if mean >= 0 else "further from"
        bounds = sorted((abs(lower), abs(upper))) if lower * upper > 0 else (lower, upper)
        surely = f"between {bounds[0]:.2f} and {bounds[1]:.2f}"
        told = f"version {self.shadow} is {abs(mean):.2f} min ({surely}) {where} the truth than version {self.champion}"
        return f"over {self.pairs:,} trips that both predicted, {told}"

    def _result(self, minute: int) -> Result:
        verdict, limits = self.verdict, self.limits
        if verdict.outcome is PairOutcome.BETTER:
            return Result.SHADOW_BETTER
        if verdict.outcome is PairOutcome.WORSE:
            return Result.SHADOW_WORSE
        if self.pairs / self._design_effect < limits.most_pairs and (minute - self.minute) / HOUR < limits.most_hours:
            return Result.OPEN
        ahead = verdict.mean_difference > 0 and self.pairs >= limits.test.least_pairs
        return Result.SHADOW_AHEAD if limits.promote_if_ahead and ahead else Result.UNDECIDED
