"""Steps of event time, made by hand: so many trips of a city, so much longer than predicted."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from domain.areas import AreaGrid
from domain.baselines import QUANTILES, Baseline
from domain.loop.steps import Step
from domain.sums import CHAMPION, MICRO, Cells, Flows, Inputs, Pairs, Sums

MONDAY = 28_935_360  # 2025-01-06 00:00 UTC, in minutes since 1970
MATURITY = 120
LENGTH = 5
S = TypeVar("S", bound=Sums)
AREAS = (65, 66)
GRID = AreaGrid()


def baseline(**changes: object) -> Baseline:
    """Two areas of one size, residuals of mean 0 and standard deviation 0.3."""
    spread = np.random.default_rng(1).normal(0, 0.3, 20_000)
    values: dict[str, object] = {
        "trips": 10_000,
        "mae_minutes": 3.0,
        "rmse_minutes": 4.0,
        "band_log_ratio": (0.0,) * 5,
        "area_log_ratio": dict.fromkeys(AREAS, 0.0),
        "spread": 0.3,
        "quantiles": tuple(np.quantile(spread, np.linspace(0, 1, QUANTILES + 1)).tolist()),
        "log_km": 1.0,
        "log_km_spread": 0.8,
        "no_passengers_share": 0.02,
        "area_share": dict.fromkeys(AREAS, 0.5),
        "hour_share": (1 / 24,) * 24,
    }
    return Baseline(**values | changes)  # type: ignore[arg-type]


def sums(kind: type[S], **columns: list[int]) -> S:
    """Rows of one kind of sums; columns that are not given are nought."""
    names = [name for name in kind.__dataclass_fields__ if name != "KEYS"]
    count = len(next(iter(columns.values()), []))
    return kind(*(np.array(columns.get(name, [0] * count), dtype=np.int64) for name in names))


def mature(cohort: int, shifts: Mapping[int, float], trips: int = 50, version: int = 1, spread: float = 0.3) -> Cells:
    """`trips` settled trips of each area, whose residuals have that mean."""
    areas = list(shifts)
    means = [shifts[area] for area in areas]
    return sums(
        Cells,
        minute=[cohort] * len(areas),
        role=[CHAMPION] * len(areas),
        version=[version] * len(areas),
        area=areas,
        vendor_id=[1] * len(areas),
        started=[trips] * len(areas),
        settled=[trips] * len(areas),
        log_ratio=[round(trips * mean * MICRO) for mean in means],
        square_log_ratio=[round(trips * (mean**2 + spread**2) * MICRO) for mean in means],
    )


def intake(minute: int, trips: int = 100, log_km: float = 1.0, spread: float = 0.8, **counts: int) -> Inputs:
    """Trips that come in, by default as the baseline has them; `counts` of no_passengers, refused and late."""
    return sums(
        Inputs,
        minute=[minute],
        trips=[trips],
        log_km=[round(trips * log_km * MICRO)],
        square_log_km=[round(trips * (log_km**2 + spread**2) * MICRO)],
        no_passengers=[counts.get("no_passengers", round(0.02 * trips))],
        refused=[counts.get("refused", 0)],
        late=[counts.get("late", 0)],
    )


def pairs(cohort: int, *, champion: int, shadow: int, count: int, mean: float, spread: float = 0.05) -> Pairs:
    """Pairs of predictions; a positive mean says that the shadow is closer."""
    return sums(
        Pairs,
        minute=[cohort],
        champion=[champion],
        shadow=[shadow],
        pairs=[count],
        difference=[round(count * mean * MICRO)],
        square_difference=[round(count * (mean**2 + spread**2) * MICRO)],
    )


def step(
    minute: int,
    shift: float | Mapping[int, float] = 0.0,
    *,
    trips: int = 50,
    version: int = 1,
    inputs: Inputs | None = None,
    compared: Pairs | None = None,
    flows: Flows | None = None,
) -> Step:
    """The step that ends at that minute, with one shift for all areas or one for each."""
    cohort = minute - LENGTH - MATURITY
    shifts = shift if isinstance(shift, Mapping) else dict.fromkeys(AREAS, shift)
    return Step(
        minute=minute,
        cohort=cohort,
        mature=mature(cohort, shifts, trips, version),
        pairs=compared if compared is not None else Pairs.empty(),
        flows=flows if flows is not None else Flows.empty(),
        inputs=inputs if inputs is not None else intake(minute - LENGTH),
    )
