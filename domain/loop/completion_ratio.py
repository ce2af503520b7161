"""Completions observed over completions expected of the trips on their way: what can be known before any label is mature.

A trip of predicted duration p ends within its first x seconds with the chance that a residual is at most ln(x / p). Summed over
the trips begun in the last two hours, this is how many should end in each step; a city that slows down falls behind at once.
"""

from collections import deque
from math import log

import numpy as np
from numpy.typing import NDArray

from domain.baselines import Baseline
from domain.loop.steps import Step
from domain.tallies import DURATION_BINS_SECONDS, FLOW_HORIZON_SECONDS

LEAST_EXPECTED = 30.0  # completions in one value: its standard deviation is then about 0.18
BINS = len(DURATION_BINS_SECONDS) + 1
CENTRES = np.sqrt(
    np.array([60.0, *DURATION_BINS_SECONDS]) * np.array([*DURATION_BINS_SECONDS, FLOW_HORIZON_SECONDS])
)  # seconds: the predictions of a bin stand for this one


class CompletionRatio:
    """Fed every step; gives ln(observed / expected) whenever LEAST_EXPECTED completions were expected."""

    def __init__(self, baseline: Baseline, step_minutes: int) -> None:
        self._chances = ending_chances(baseline, step_minutes)
        self._begun: deque[NDArray[np.float64]] = deque(maxlen=len(self._chances))
        self._expected = 0.0
        self._observed = 0
        self.size = 0  # completions behind the last value

    def add(self, step: Step) -> float | None:
        """The value that this step completes."""
        begun = np.zeros(BINS)
        begun[step.flows.duration_bin] = step.flows.started
        self._begun.appendleft(begun)
        lags = len(self._begun)
        self._expected += float(np.sum(np.array(self._begun) * self._chances[:lags]))
        self._observed += int(step.flows.ended.sum())
        if self._expected < LEAST_EXPECTED:
            return None
        value = log((self._observed + 0.5) / (self._expected + 0.5))
        self._expected, self._observed, self.size = 0.0, 0, self._observed
        return value


def ending_chances(baseline: Baseline, step_minutes: int) -> NDArray[np.float64]:
    """Shape (lags, BINS): the chance that a trip begun in a step ends in that step (lag 0), in the next, and so on."""
    seconds = step_minutes * 60.0
    lags = int(FLOW_HORIZON_SECONDS / seconds)
    # A trip begins anywhere in its step: the mean over eight places is close enough to the integral.
    begins = (np.arange(8) + 0.5) / 8 * seconds
    ages = (np.arange(lags + 1) * seconds)[:, None] - begins[None, :]
    by_then = _ended_by(np.maximum(ages, 1e-3), baseline).mean(axis=1)
    return np.asarray(np.diff(by_then, axis=0))


def _ended_by(age_seconds: NDArray[np.float64], baseline: Baseline) -> NDArray[np.float64]:
    """Shape (*ages, BINS): the chance that a trip has ended at that age."""
    residual = np.log(age_seconds[..., None] / CENTRES)
    chances = np.linspace(0, 1, len(baseline.quantiles))
    return np.asarray(np.interp(residual, np.array(baseline.quantiles), chances, left=0.0, right=1.0))
