"""Turn a trained model into a package that a worker may trust: one graph, checked against the library that trained it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batch.candidate import Fitted
from batch.compare import clipped
from batch.graph import finish
from domain.errors import ModelRefused
from domain.features import FEATURES, CityClock, Matrix, feature_schema
from domain.intervals import IntervalBands
from domain.packages import ModelPackage

Score = Callable[[Matrix], NDArray[np.float32]]
OpenGraph = Callable[[bytes, int], Score]

PARITY_TOLERANCE = 1e-4  # relative; libraries and ONNX Runtime add up the trees' float32 answers in different orders
PARITY_ROWS = 20_000
WARM_UP_ROWS = 64
BATCH_SIZES = (1, 2, 3, 5, 8, 13, 64)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model, the name of the candidate that it is, and the intervals calibrated for it."""

    kind: str
    fitted: Fitted
    intervals: IntervalBands


def pack(trained: Trained, sample: Matrix, clock: CityClock, open_graph: OpenGraph) -> ModelPackage:
    """Convert, check on a sample of inputs of shape (n, f), and record answers. Raises ModelRefused naming the check."""
    graph = finish(trained.fitted.to_onnx(), len(FEATURES))
    score = open_graph(graph, len(FEATURES))
    sample = sample[:: max(1, len(sample) // PARITY_ROWS)]
    check_parity(score(sample), clipped(trained.fitted.predict(sample)))
    check_batches(score, sample[: 4 * max(BATCH_SIZES)])
    recorded = np.ascontiguousarray(sample[np.argsort(score(sample))][_spread(len(sample))])
    return ModelPackage(trained.kind, feature_schema(clock), FEATURES, trained.intervals, graph, recorded, score(recorded))


def check_parity(by_graph: NDArray[np.float32], by_library: NDArray[np.float32]) -> None:
    """Both within the tolerance of each other, everywhere."""
    if by_graph.shape != by_library.shape:
        raise ModelRefused(f"parity: the graph answers {len(by_graph)} numbers for {len(by_library)} trips")
    if np.isnan(by_graph).any():
        raise ModelRefused(f"parity: the graph answers NaN for {int(np.isnan(by_graph).sum())} of {len(by_graph)} trips")
    difference = np.abs(by_graph - by_library) / by_library
    if not (difference <= PARITY_TOLERANCE).all():  # NaN is not within it either
        raise ModelRefused(f"parity: the graph's answer differs from the library's by a factor of {difference.max():.2e}")


def check_batches(score: Score, sample: Matrix) -> None:
    """A row's bits are the same in a batch of any size."""
    whole = score(sample)
    for size in BATCH_SIZES:
        parts = [score(sample[first : first + size]) for first in range(0, len(sample), size)]
        if not np.array_equal(np.concatenate(parts), whole):
            raise ModelRefused(f"batches: a row's answer in a batch of {size} is not the one in a batch of {len(sample)}")


def _spread(count: int) -> NDArray[np.intp]:
    """Positions from the shortest to the longest predicted trip, both included."""
    return np.unique(np.linspace(0, count - 1, min(count, WARM_UP_ROWS)).astype(np.intp))
