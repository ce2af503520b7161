"""What a newly trained model must pass before it may be compared with the champion on live trips.

Gates refuse nonsense, and harm to a part of the city; they do not refuse change: when the city itself has changed, a model that
follows it fails on old trips, and must pass. Which of two sound models is closer to the truth is for the live comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats
from domain.evaluation import Scores
from domain.promotion import objection

Answers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GateLimits:
    """Limits of all gates. Shares and ratios are plain numbers: 0.1 is a tenth, 1.05 is 5% more.

    Rows: `least_rows` completed trips spanning `least_span_hours` of pickups, `least_fresh_rows` of them since the break if one
    is known; none with a pickup less than `maturity_minutes` before the moment of asking, for of those only short trips have
    ended; the newest label at most `newest_label_hours` old; `least_fit_share` of the durations between 60 s and 2 h.

    The newest labels (since the break, else since the champion's own, at most `fresh_days`) and older ones, like for like by
    distance and hour: the median speed in [`least_speed_kmh`,
    `most_speed_kmh`] and in [`least_speed_ratio`, `most_speed_ratio`] of what it was before (in April 2020 it was 1.47);
    the rank correlation of duration and distance at least `least_order` and `order_share` of what it was; no area's share of
    trips grown by more than `most_area_growth`, no vendor's by more than `most_vendor_growth` (absolute shares; measured over
    spring 2020: 0.05 and 0.15).

    Models: on the trusted trips a level within a factor of `trusted_level` of the champion's, and but for the level an RMSE of
    at most `trusted_ratio` times the champion's; RMSE on the newest trips at most `window_ratio`, mean absolute error in any
    slice of at least `slice_least_trips` at most `slice_ratio` times the champion's, beyond `sigmas` standard errors of the
    difference; scoring at most `most_microseconds` a trip.
    """

    least_rows: int = 1000
    least_span_hours: float = 24.0
    least_fresh_rows: int = 200
    fresh_days: float = 14.0
    maturity_minutes: int = 120
    newest_label_hours: float = 48.0
    least_fit_share: float = 0.9
    least_speed_kmh: float = 4.0
    most_speed_kmh: float = 60.0
    least_speed_ratio: float = 0.55
    most_speed_ratio: float = 1.85
    least_order: float = 0.4
    order_share: float = 0.7
    most_area_growth: float = 0.2
    most_vendor_growth: float = 0.35
    trusted_level: float = 2.0
    trusted_ratio: float = 1.75
    window_ratio: float = 1.05
    slice_ratio: float = 1.15
    slice_least_trips: int = 200
    sigmas: float = 3.0
    most_microseconds: float = 200.0


@dataclass(frozen=True, slots=True)
class GateResult:
    """What one gate found: `reason` in words, `numbers` for the record."""

    gate: str
    passed: bool
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Duel:
    """Two models' answers for the same trips, with what came true; seconds, shape (n,)."""

    actual: Floats
    champion: Answers
    challenger: Answers

    def take(self, rows: NDArray[np.bool_]) -> "Duel":
        """Some of the trips."""
        return Duel(self.actual[rows], self.champion[rows], self.challenger[rows])


def refusal(results: list[GateResult]) -> str | None:
    """Why the model is refused, in words: the first gate that did not pass; None when all did."""
    return next((f"{result.gate}: {result.reason}" for result in results if not result.passed), None)


def sound_gate(scores: Scores, coverage: float) -> GateResult:
    """It explains the trips held out, and its interval holds them."""
    against = objection(scores, coverage)
    numbers = {"rmse_minutes": scores.rmse_minutes, "r2": scores.r2, "coverage": coverage}
    reason = against or f"R2 {scores.r2:.3f}, and its 90% interval holds {coverage:.0%} of later trips"
    return GateResult("sound", against is None, reason, numbers)


def finite_gate(answers: Answers) -> GateResult:
    """Every answer is a positive number."""
    bad = int((~(np.isfinite(answers) & (answers > 0))).sum())
    reason = f"{bad:,} of {len(answers):,} answers are no positive number" if bad else "every answer is a positive number"
    return GateResult("finite", not bad, reason, {"bad": float(bad), "answers": float(len(answers))})


def speed_gate(microseconds: float, limits: GateLimits) -> GateResult:
    """Scoring a trip takes no longer than the stream can afford."""
    passed = microseconds <= limits.most_microseconds
    reason = f"scoring takes {microseconds:.1f} us a trip; {limits.most_microseconds:.0f} us are allowed"
    return GateResult("scoring time", passed, reason, {"microseconds": microseconds, "limit": limits.most_microseconds})


def trusted_gate(duel: Duel, limits: GateLimits) -> GateResult:
    """On trips set aside before any drift, it is not absurd.

    A changed city changes the level of all durations, so the challenger's level is taken from it before it is judged: what must
    not change is which trips are long and which are short. The level itself must stay within a wide bound.
    """
    if not len(duel.actual):
        return GateResult("trusted", passed=True, reason="no trips were set aside")
    with np.errstate(divide="ignore", invalid="ignore"):
        level = float(np.median(duel.challenger / duel.champion))
        challenger = _rmse(duel.challenger / level, duel.actual)
    champion = _rmse(duel.champion, duel.actual)
    ratio = challenger / champion if champion else float("inf")
    passed = ratio <= limits.trusted_ratio and 1 / limits.trusted_level <= level <= limits.trusted_level
    reason = (
        f"on the trusted trips it says {level:.2f} times what the champion says; but for that its RMSE is {ratio:.2f} times"
    )
    reason += (
        f" the champion's; {1 / limits.trusted_level:.2g} to {limits.trusted_level:g} and {limits.trusted_ratio:g} are allowed"
    )
    numbers = {"champion_rmse_minutes": champion, "rmse_minutes": challenger, "level": level, "trips": float(len(duel.actual))}
    return GateResult("trusted", passed, reason, numbers)


def window_gate(duel: Duel, limits: GateLimits) -> GateResult:
    """On the newest trips, which it was not trained on, it is not worse than the champion."""
    if not len(duel.actual):
        return GateResult(
            "newest window", passed=True, reason="the champion has learnt from the newest trips: nothing to compare by"
        )
    champion, challenger = _rmse(duel.champion, duel.actual), _rmse(duel.challenger, duel.actual)
    passed = not _worse(*_errors(duel, power=2), limits.window_ratio**2, limits.sigmas)
    reason = f"RMSE on the newest trips is {challenger:.2f} min, the champion's {champion:.2f}"
    numbers = {"champion_rmse_minutes": champion, "rmse_minutes": challenger, "trips": float(len(duel.actual))}
    return GateResult("newest window", passed, reason, numbers)


def slice_gate(duel: Duel, slices: Mapping[str, NDArray[np.integer]], limits: GateLimits) -> GateResult:
    """No part of the city pays for the rest. `slices`: by what, and each trip's value of it, shape (n,)."""
    judged, worst, ratio = 0, "no slice has enough trips", 0.0
    harmed = []
    for name, values in slices.items():
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            if count < limits.slice_least_trips:
                continue
            judged += 1
            new, old = _errors(duel.take(values == value))
            if new.mean() > ratio * old.mean():
                worst, ratio = f"{name} {value}", float(new.mean() / max(old.mean(), 1e-9))
            if _worse(new, old, limits.slice_ratio, limits.sigmas):
                harmed.append(f"{name} {value}")
    reason = f"worse in {', '.join(harmed)}: up to {ratio:.2f} times" if harmed else f"worst: {worst}, {ratio:.2f} times"
    reason = f"{reason} the champion's mean absolute error; {limits.slice_ratio:g} are allowed" if judged else worst
    return GateResult("slices", not harmed, reason, {"slices": float(judged), "worst_ratio": ratio})


def _errors(duel: Duel, power: int = 1) -> tuple[Floats, Floats]:
    """The challenger's and the champion's errors, to that power."""
    new = np.abs(duel.challenger.astype(np.float64) - duel.actual) ** power
    old = np.abs(duel.champion.astype(np.float64) - duel.actual) ** power
    return new, old


def _worse(new: Floats, old: Floats, ratio: float, sigmas: float) -> bool:
    """Whether the mean of `new` is beyond `ratio` times that of `old`, by more than chance makes of so many pairs."""
    excess = new - ratio * old
    noise = float(excess.std()) / np.sqrt(len(excess))
    return not float(excess.mean()) <= sigmas * noise  # NaN is worse


def _rmse(answers: Answers, actual: Floats) -> float:
    """In minutes."""
    return float(np.sqrt(np.mean((answers.astype(np.float64) - actual) ** 2))) / 60
