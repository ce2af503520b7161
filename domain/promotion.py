"""Whether a trained model may serve at all; comparing it with the champion is another question."""

from domain.evaluation import Scores

LEAST_COVERAGE = 0.8  # of intervals that promise 90%


def objection(scores: Scores, coverage: float) -> str | None:
    """Why a model must not become champion, in words; None when nothing speaks against it.

    `scores` and `coverage` (share of trips inside their interval) are over held-out trips that started last.
    """
    if not scores.r2 > 0:  # NaN is not greater either
        return f"it explains none of the differences between trips (R2 {scores.r2:.3f})"
    if not coverage >= LEAST_COVERAGE:
        return f"its 90% interval holds only {coverage:.0%} of later trips"
    return None
