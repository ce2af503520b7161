"""Whether trips may be learnt from at all: what poisoned, stale or half-finished labels look like, each with its name.

The newest labels are compared with older ones, like for like. Change passes: in spring 2020 speeds rose by half. Labels in
another unit, labels that have lost their trips, and a flood from one place do not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.baselines import band_of
from domain.entities.trips import SECOND, CompletionColumns, Floats, TripColumns
from domain.features import CityClock, distance_km_of
from domain.gates import GateLimits, GateResult
from domain.quality import fit_for_training

LEAST_KM = 0.3  # shorter trips tell more about lights than about traffic
LEAST_CELL_TRIPS = 20
MOST_COMPARED = 100_000  # trips of either side that are looked at
HALF_OCTAVES = 2  # bands of distance, each 1.41 times the one below
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The trips that a training asks to learn from, before any is left out; row by row with their ends.

    `as_of`: the moment of asking in event time; None: when the newest of these trips ended. `since_break`: when the city
    changed, if it did. `known_until`: the newest pickup that the champion learnt from, if there is one.
    """

    trips: TripColumns
    completions: CompletionColumns
    as_of: np.datetime64 | None = None
    since_break: np.datetime64 | None = None
    known_until: np.datetime64 | None = None

    @property
    def asked_at(self) -> np.datetime64:
        """`as_of`, or what stands for it."""
        return self.completions.dropoff_at.max() if self.as_of is None else self.as_of

    def fresh_from(self, days: float) -> np.datetime64:
        """Where the newest labels begin: at the break, else where the champion's end, but no earlier than `days` back."""
        if self.since_break is not None:
            return self.since_break
        earliest = self.asked_at - _duration(days * DAY_SECONDS)
        return earliest if self.known_until is None else max(earliest, self.known_until + _duration(1e-6))


@dataclass(frozen=True, slots=True)
class City:
    """How trips are told apart by place and hour."""

    grid: AreaGrid
    clock: CityClock


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Older or newest trips that are fit for training, shape (n,): `like` numbers what is compared like for like."""

    km: Floats
    seconds: Floats
    like: NDArray[np.int64]
    area: NDArray[np.int16]
    vendor: NDArray[np.int16]


def data_gates(evidence: Evidence, limits: GateLimits, city: City) -> list[GateResult]:
    """Every gate's result. One alone when there is not even enough to look at."""
    rows = _rows(evidence, limits)
    if not rows.passed:
        return [rows]
    known, fresh = _sides(evidence, limits, city)
    return [
        rows,
        _fresh(evidence, limits),
        _span(evidence, limits),
        _future(evidence),
        _newest(evidence, limits),
        _mature(evidence, limits),
        _durations(evidence, limits),
        _order(known, fresh, limits),
        _speed(known, fresh, limits),
        _share("areas", "area", known, fresh, limits.most_area_growth),
        _share("vendors", "vendor", known, fresh, limits.most_vendor_growth),
    ]


def _rows(evidence: Evidence, limits: GateLimits) -> GateResult:
    count = len(evidence.trips)
    reason = f"{count:,} completed trips; {limits.least_rows:,} are needed"
    return GateResult("rows", count >= limits.least_rows, reason, {"rows": float(count)})


def _fresh(evidence: Evidence, limits: GateLimits) -> GateResult:
    if evidence.since_break is None:
        return GateResult("rows since the break", passed=True, reason="no break is known")
    count = int((evidence.trips.pickup_at >= evidence.since_break).sum())
    reason = f"{count:,} completed trips since the break; {limits.least_fresh_rows:,} are needed"
    return GateResult("rows since the break", count >= limits.least_fresh_rows, reason, {"rows": float(count)})


def _span(evidence: Evidence, limits: GateLimits) -> GateResult:
    pickup_at = evidence.trips.pickup_at
    hours = _seconds(pickup_at.max() - pickup_at.min()) / HOUR_SECONDS
    reason = f"the pickups span {hours:.1f} h; {limits.least_span_hours:g} h are needed"
    return GateResult("time span", hours >= limits.least_span_hours, reason, {"hours": hours})


def _future(evidence: Evidence) -> GateResult:
    later = int((evidence.completions.dropoff_at > evidence.asked_at).sum())
    reason = f"{later:,} labels are later than the moment of asking" if later else "no label is later than the moment of asking"
    return GateResult("no future", not later, reason, {"later": float(later)})


def _newest(evidence: Evidence, limits: GateLimits) -> GateResult:
    hours = _seconds(evidence.asked_at - evidence.completions.dropoff_at.max()) / HOUR_SECONDS
    reason = f"the newest label is {hours:.1f} h old; {limits.newest_label_hours:g} h are allowed"
    return GateResult("newest label", hours <= limits.newest_label_hours, reason, {"hours": hours})


def _mature(evidence: Evidence, limits: GateLimits) -> GateResult:
    """A label of a young cohort is there because the trip was short."""
    first = evidence.asked_at - _duration(limits.maturity_minutes * 60.0)
    young = int((evidence.trips.pickup_at > first).sum())
    reason = f"{young:,} trips began less than {limits.maturity_minutes} min before the moment of asking"
    return GateResult("mature labels", evidence.as_of is None or not young, reason, {"young": float(young)})


def _durations(evidence: Evidence, limits: GateLimits) -> GateResult:
    """Among the newest labels, too: a year of good ones would hide a bad week."""
    fit = fit_for_training(evidence.completions.duration_seconds)
    fresh = evidence.trips.pickup_at >= evidence.fresh_from(limits.fresh_days)
    share = min(float(fit.mean()), float(fit[fresh].mean()) if fresh.any() else 1.0)
    reason = f"{share:.0%} of the durations lie between 60 s and 2 h; {limits.least_fit_share:.0%} are needed"
    return GateResult("durations", share >= limits.least_fit_share, reason, {"share": share})


def _order(known: _Side | None, fresh: _Side, limits: GateLimits) -> GateResult:
    """Longer ways take longer: labels that were permuted or turned upside down have lost that."""
    order = _rank_correlation(fresh.km, fresh.seconds)
    needed = limits.least_order
    if known is not None:
        needed = max(needed, limits.order_share * _rank_correlation(known.km, known.seconds))
    reason = f"the rank correlation of duration and distance is {order:.2f}; {needed:.2f} is needed"
    return GateResult("order of labels", order >= needed, reason, {"order": order, "needed": needed})


def _speed(known: _Side | None, fresh: _Side, limits: GateLimits) -> GateResult:
    """Labels in another unit, or scaled, are speeds that no city has, or that it has not had."""
    far = fresh.km > LEAST_KM
    speed = float(np.median(fresh.km[far] / fresh.seconds[far])) * HOUR_SECONDS if far.any() else float("nan")
    ratio = 1.0 if known is None else _speed_ratio(known, fresh)
    passed = limits.least_speed_kmh <= speed <= limits.most_speed_kmh
    passed &= limits.least_speed_ratio <= ratio <= limits.most_speed_ratio
    bounds = f"{limits.least_speed_kmh:g} to {limits.most_speed_kmh:g} km/h"
    bounds += f" and {limits.least_speed_ratio:g} to {limits.most_speed_ratio:g} times are believed"
    reason = f"the newest labels mean {speed:.1f} km/h as the crow flies, {ratio:.2f} times as fast as before; {bounds}"
    return GateResult("speed of labels", passed, reason, {"kmh": speed, "ratio": ratio})


def _share(gate: str, name: str, known: _Side | None, fresh: _Side, limit: float) -> GateResult:
    if known is None:
        return GateResult(gate, passed=True, reason="there are no older trips to compare with")
    before, now = getattr(known, name), getattr(fresh, name)
    values, counts = np.unique(now, return_counts=True)
    growth = counts / len(now) - np.array([float((before == value).mean()) for value in values.tolist()])
    most = int(np.argmax(growth))
    share = counts[most] / len(now)
    reason = f"{name} {values[most]} has {share:.0%} of the newest trips, {growth[most]:+.0%}; {limit:.0%} more is allowed"
    numbers = {name: float(values[most]), "share": float(share), "growth": float(growth[most])}
    return GateResult(gate, bool(growth[most] <= limit), reason, numbers)


def _sides(evidence: Evidence, limits: GateLimits, city: City) -> tuple[_Side | None, _Side]:
    """Older and newest trips; everything counts as newest when either side is too small to say anything."""
    fit = fit_for_training(evidence.completions.duration_seconds)
    newest = evidence.trips.pickup_at >= evidence.fresh_from(limits.fresh_days)
    known, fresh = np.flatnonzero(fit & ~newest), np.flatnonzero(fit & newest)
    if min(len(known), len(fresh)) < limits.least_fresh_rows:
        return None, _side(evidence, np.flatnonzero(fit), city)
    return _side(evidence, known, city), _side(evidence, fresh, city)


def _side(evidence: Evidence, rows: NDArray[np.intp], city: City) -> _Side:
    rows = rows[-MOST_COMPARED:]
    trips, seconds = evidence.trips.take(rows), evidence.completions.duration_seconds[rows]
    km = distance_km_of(trips)
    distance = np.floor(HALF_OCTAVES * np.log2(np.maximum(km, LEAST_KM))).astype(np.int64)
    like = distance * 100 + band_of(city.clock.local(trips.pickup_at))
    area = city.grid.of(trips.pickup_latitude, trips.pickup_longitude)
    return _Side(km, seconds, like, area, trips.vendor_id)


def _speed_ratio(known: _Side, fresh: _Side) -> float:
    """How much faster the newest trips are than older ones of the same distance and hour band, as a typical factor."""
    before, now = _typical_log_speed(known), _typical_log_speed(fresh)
    both = sorted(before.keys() & now.keys())
    if not both:
        return 1.0
    weight = np.array([now[like][1] for like in both])
    change = np.array([now[like][0] - before[like][0] for like in both])
    return float(np.exp(np.average(change, weights=weight)))


def _typical_log_speed(side: _Side) -> dict[int, tuple[float, int]]:
    """Median ln(km/s) and number of trips of each kind that has enough."""
    far = side.km > LEAST_KM
    like, speed = side.like[far], np.log(side.km[far] / side.seconds[far])
    order = np.argsort(like, kind="stable")
    kinds, starts = np.unique(like[order], return_index=True)
    parts = np.split(speed[order], starts[1:])
    pairs = zip(kinds.tolist(), parts, strict=True) if len(kinds) else ()
    return {kind: (float(np.median(part)), len(part)) for kind, part in pairs if len(part) >= LEAST_CELL_TRIPS}


def _rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; 0 where there is nothing to order."""
    if len(one) < 2 or one.min() == one.max() or other.min() == other.max():  # noqa: PLR2004 - two points make an order
        return 0.0
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: Floats) -> Floats:
    """Equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[place], dtype=np.float64)


def _seconds(span: Any) -> float:  # noqa: ANN401 - numpy's own time span
    return float(span / SECOND)


def _duration(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(seconds * 1e6), "us")
