"""The predictions of a step, by their bins."""

import numpy as np

from domain.loop.completion_ratio import CENTRES
from domain.loop.steps import Step


def mean_log_prediction(step: Step) -> float:
    """The mean of ln(predicted seconds) of the trips begun in a step; 0 where none has."""
    begun = step.flows.started
    total = int(begun.sum())
    return float(np.log(CENTRES)[step.flows.duration_bin] @ begun) / total if total else 0.0
