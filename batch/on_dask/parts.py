"""What a worker of the cluster does: reads a range of the stored trips, makes their inputs, and keeps those that may teach.

The same rules and the same features as in one process (`batch.evidence`, `batch.labelled`, `domain.features`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from batch.evidence import Span, evidence_of
from batch.labelled import LabelledTrips
from batch.recipe import Pickups
from domain.entities.trips import CompletionColumns, Floats, Times, TripColumns
from domain.features import CityClock, Matrix
from domain.quality import ServiceArea

Read = Callable[[datetime, datetime], tuple[TripColumns, CompletionColumns]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Which stored trips may teach: see `evidence_of`. Without `as_of`, all that are fit for training."""

    area: ServiceArea
    clock: CityClock
    as_of: np.datetime64 | None
    exclude: tuple[Span, ...]
    maturity_minutes: int


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One range in a worker's memory: inputs (n, f), pickups and durations in seconds (n,)."""

    features: Matrix
    pickup_at: Times
    seconds: Floats


@dataclass(frozen=True, slots=True)
class Facts:
    """What the client knows of a part: rows, their span, the hash of their columns, and how many rows were stored."""

    rows: int
    first: np.datetime64 | None
    last: np.datetime64 | None
    sha256: str
    stored: int


def read_part(read: Read, since: datetime, until: datetime, rules: Rules) -> tuple[Part, Facts]:
    """The trips with a pickup in [since, until)."""
    trips, completions = read(since, until)
    stored = len(trips)
    if rules.as_of is not None:
        bounds = {"as_of": rules.as_of, "exclude": rules.exclude, "maturity_minutes": rules.maturity_minutes}
        evidence = evidence_of(trips, completions, **bounds)  # type: ignore[arg-type]
        trips, completions = evidence.trips, evidence.completions
    labelled = LabelledTrips.some_of(trips, completions, rules.area, rules.clock)
    part = Part(labelled.features(), labelled.trips.pickup_at, labelled.seconds)
    if not len(part.seconds):
        return part, Facts(0, None, None, "", stored)
    digest = labelled.identity().data_sha256
    return part, Facts(len(part.seconds), part.pickup_at.min(), part.pickup_at.max(), digest, stored)


def facts_of(read: tuple[Part, Facts]) -> Facts:
    """What goes to the client; the part stays where it is."""
    return read[1]


def lesson_of(read: tuple[Part, Facts], pickups: Pickups) -> tuple[Matrix, NDArray[np.float32]]:
    """Inputs and durations of those of a part that a lesson is about."""
    part = read[0]
    rows = pickups.among(part.pickup_at)
    seconds = part.seconds.astype(np.float32)
    return (part.features, seconds) if rows.all() else (part.features[rows], seconds[rows])


def inputs_of(lesson: tuple[Matrix, NDArray[np.float32]]) -> Matrix:
    """The first of a lesson's two arrays."""
    return lesson[0]


def durations_of(lesson: tuple[Matrix, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The second."""
    return lesson[1]


def rows_of(lesson: tuple[Matrix, NDArray[np.float32]]) -> int:
    """How many."""
    return len(lesson[1])
