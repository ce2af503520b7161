"""What the pipelines ask of a change to this program: trained on trips that never change, is its model as good as the recorded?

The other gates (`domain.gates`) ask whether a model of today's trips may meet the champion. Here the trips are fixed, so that
whatever is different comes from the program. All functions are pure; `batch.gate` measures.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.entities.trips import TIME, CompletionColumns, Floats, TripColumns
from domain.features import FEATURES, CityClock, Matrix, distance_km_of
from domain.gates import GateResult

UNTIL = datetime(2025, 7, 1, 4, tzinfo=UTC)  # midnight in New York
MICRODEGREES = 1e6
DISTANCE_KM = (1.0, 2.0, 4.0, 8.0, 16.0)  # edges of the bands of distance
INPUT_TOLERANCE = 1e-3  # of an input's spread: float32 sums differ by less between processors
COUNT_TOLERANCE = 0.02  # a trip at the edge of a band may fall on its other side


@dataclass(frozen=True, slots=True)
class Pinned:
    """Which trips, and how they are used: a stretch of the simulated city, or a `file` (its name).

    `trips` of the `days` before `until`; those that began last, `exam_share` of all, are the examination; the others teach the
    `candidate`.
    """

    seed: int = 16
    trips: int = 40_000
    days: int = 56
    until: datetime = UNTIL
    file: str | None = None
    exam_share: float = 0.25
    candidate: str = "xgboost"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the examination: its number of trips and their mean absolute error."""

    trips: int
    mae_minutes: float


@dataclass(frozen=True, slots=True)
class Input:
    """Mean and standard deviation of one of the model's inputs over all pinned trips, in the input's unit."""

    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of the program found. `learned` and `examined`: numbers of trips. `coverage`: of the 90% interval.

    `slices`: by what, and part by part.
    """

    trips_sha256: str
    feature_schema: str
    learned: int
    examined: int
    rmse_minutes: float
    mae_minutes: float
    coverage: float
    inputs: dict[str, Input] = field(default_factory=dict)
    slices: dict[str, dict[str, Part]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What is allowed; they are kept when a new baseline is recorded.

    `most_rmse_minutes` is the same for every record: without it, each new record could be a little worse than the one before.
    Another seed changes the RMSE by 0.1% and a slice's error by up to 3.5% (measured), so the ratios are above that.
    """

    most_rmse_minutes: float = 5.0
    most_rmse_ratio: float = 1.02
    most_slice_ratio: float = 1.1
    slice_least_trips: int = 100
    least_coverage: float = 0.87
    most_coverage: float = 0.93


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was measured when somebody recorded it, by which version of the program, and why."""

    pinned: Pinned
    limits: ModelLimits
    recorded_at: datetime
    program: str
    reason: str
    measured: Measured


def trips_sha256(trips: TripColumns, completions: CompletionColumns) -> str:
    """A hash of the rows as they stand: times in microseconds, places in millionths of a degree; ids do not count."""
    digest = hashlib.sha256()
    for times in (trips.pickup_at, completions.dropoff_at):
        digest.update(times.astype(TIME).astype("<i8").tobytes())
    for degrees in (trips.pickup_latitude, trips.pickup_longitude, trips.dropoff_latitude, trips.dropoff_longitude):
        digest.update(np.rint(degrees * MICRODEGREES).astype("<i8").tobytes())
    for small in (trips.vendor_id, trips.passenger_count):
        digest.update(small.astype("<i2").tobytes())
    return digest.hexdigest()


def inputs_of(features: Matrix) -> dict[str, Input]:
    """Each input's mean and spread, of features of shape (n, f)."""
    means, spreads = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    return {name: Input(float(mean), float(spread)) for name, mean, spread in zip(FEATURES, means, spreads, strict=True)}


def slices_of(trips: TripColumns, error_seconds: Floats, clock: CityClock, grid: AreaGrid) -> dict[str, dict[str, Part]]:
    """Errors of shape (n,) by local hour, by area of the pickup and by band of distance."""
    hour = clock.local(trips.pickup_at).astype("datetime64[h]").astype(np.int64) % 24
    area = grid.of(trips.pickup_latitude, trips.pickup_longitude)
    band = np.searchsorted(DISTANCE_KM, distance_km_of(trips), side="right")
    edges = ("0", *(f"{edge:g}" for edge in DISTANCE_KM))
    named = {"hour": {value: f"{value:02}" for value in range(24)}}
    named["area"] = {value: grid.name(value) for value in np.unique(area).tolist()}
    named["km"] = {number: f"{edge}+" for number, edge in enumerate(edges)}
    groups: dict[str, NDArray[np.integer]] = {"hour": hour, "area": area, "km": band}
    return {by: _parts(values, named[by], error_seconds) for by, values in groups.items()}


def pinned_gate(found: str, recorded: str) -> GateResult:
    """The trips are the recorded ones: errors on others cannot be compared."""
    same = found == recorded
    changed = f"the pinned data set changed: its sha256 is {found[:12]}, the baseline's {recorded[:12]}"
    return GateResult("pinned trips", same, f"sha256 {found[:12]}, as recorded" if same else changed)


def program_gates(found: Measured, baseline: Baseline) -> list[GateResult]:
    """Every gate that compares with the record, in the order in which a reader wants them."""
    return [
        _inputs(found, baseline.measured),
        _learned(found, baseline.measured),
        *absolute_gates(found, baseline.limits),
        _ratio(found, baseline.measured, baseline.limits),
        _slices(found, baseline.measured, baseline.limits),
    ]


def absolute_gates(found: Measured, limits: ModelLimits) -> list[GateResult]:
    """What holds without a record, too."""
    return [_threshold(found, limits), _coverage(found, limits)]


def repeated_gate(*, same: bool) -> GateResult:
    """Trained twice, it answers the same to the bit: otherwise a number that differs may be chance."""
    reason = "two trainings answer the same to the bit" if same else "two trainings on the same trips answer differently"
    return GateResult("repeatable", same, reason)


def _parts(values: NDArray[np.integer], names: Mapping[int, str], error_seconds: Floats) -> dict[str, Part]:
    parts = {}
    for value in np.unique(values).tolist():
        errors = np.abs(error_seconds[values == value])
        parts[names[value]] = Part(len(errors), float(errors.mean()) / 60)
    return parts


def _inputs(found: Measured, recorded: Measured) -> GateResult:
    """A formula that changes without the feature schema is served to models that learnt the old one."""
    if found.feature_schema != recorded.feature_schema:
        reason = f"the feature schema is {found.feature_schema}, recorded {recorded.feature_schema}: record a new baseline"
        return GateResult("inputs", passed=False, reason=reason)
    changed = [name for name, old in recorded.inputs.items() if _moved(found.inputs.get(name), old)]
    if not changed:
        return GateResult("inputs", passed=True, reason=f"{len(found.inputs)} inputs are what they were")
    name = changed[0]
    new, old = found.inputs[name], recorded.inputs[name]
    others = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
    reason = f"{name}{others}: mean {new.mean:.6g}, recorded {old.mean:.6g}, though the feature schema is the same"
    return GateResult("inputs", passed=False, reason=f"{reason}; raise REVISION in domain/features.py and record")


def _moved(new: Input | None, old: Input) -> bool:
    if new is None:
        return True
    allowed = INPUT_TOLERANCE * max(old.spread, 1e-9)
    return not max(abs(new.mean - old.mean), abs(new.spread - old.spread)) <= allowed


def _learned(found: Measured, recorded: Measured) -> GateResult:
    same = (found.learned, found.examined) == (recorded.learned, recorded.examined)
    reason = f"{found.learned:,} trips taught and {found.examined:,} examined"
    reason += "" if same else f"; recorded {recorded.learned:,} and {recorded.examined:,}"
    return GateResult("trips used", same, reason, {"learned": float(found.learned), "examined": float(found.examined)})


def _threshold(found: Measured, limits: ModelLimits) -> GateResult:
    passed = found.rmse_minutes <= limits.most_rmse_minutes
    reason = f"RMSE {found.rmse_minutes:.3f} min; {limits.most_rmse_minutes:g} min are allowed"
    return GateResult("threshold", passed, reason, {"rmse_minutes": found.rmse_minutes, "limit": limits.most_rmse_minutes})


def _ratio(found: Measured, recorded: Measured, limits: ModelLimits) -> GateResult:
    ratio = found.rmse_minutes / recorded.rmse_minutes
    reason = f"RMSE is {ratio:.3f} times the recorded {recorded.rmse_minutes:.3f} min; {limits.most_rmse_ratio:g} are allowed"
    return GateResult("against the record", ratio <= limits.most_rmse_ratio, reason, {"ratio": ratio})


def _coverage(found: Measured, limits: ModelLimits) -> GateResult:
    passed = limits.least_coverage <= found.coverage <= limits.most_coverage
    reason = (
        f"the 90% interval holds {found.coverage:.1%}; {limits.least_coverage:.0%} to {limits.most_coverage:.0%} are allowed"
    )
    return GateResult("coverage", passed, reason, {"coverage": found.coverage})


def _slices(found: Measured, recorded: Measured, limits: ModelLimits) -> GateResult:
    """No part pays for the rest, and no part has lost its trips to another."""
    judged = [
        (by, name, old, found.slices.get(by, {}).get(name))
        for by, parts in recorded.slices.items()
        for name, old in parts.items()
        if old.trips >= limits.slice_least_trips
    ]
    found_faults = (fault for by, name, old, new in judged for fault in _faults(f"{by} {name}", new, old, limits))
    faults = [fault for _, fault in sorted(found_faults, reverse=True)]  # the worst first
    ratios = [(new.mae_minutes / old.mae_minutes, f"{by} {name}") for by, name, old, new in judged if new]
    ratio, worst = max(ratios, default=(0.0, "none"))
    reason = "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")  # noqa: PLR2004 - enough to read
    reason = reason or f"worst of {len(judged)}: {worst}, {ratio:.3f} times the recorded error"
    reason += f"; {limits.most_slice_ratio:g} are allowed"
    return GateResult("slices", not faults, reason, {"slices": float(len(judged)), "worst_ratio": ratio})


def _faults(name: str, new: Part | None, old: Part, limits: ModelLimits) -> Iterator[tuple[float, str]]:
    count = new.trips if new else 0
    if new is None or abs(count - old.trips) > COUNT_TOLERANCE * old.trips:
        yield float("inf"), f"{name} has {count:,} trips instead of {old.trips:,}"
    elif not new.mae_minutes <= limits.most_slice_ratio * old.mae_minutes:
        ratio = new.mae_minutes / old.mae_minutes
        yield ratio, f"{name}: error {new.mae_minutes:.2f} min is {ratio:.2f} times the recorded"
