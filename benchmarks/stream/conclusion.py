"""What the rounds of the stream say: medians and ratios by name, and how they came about."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.stream.ours import Measured

REACHES = {
    "vs_bare_loop": 0.85,
    "with_challenger": 0.65,
    "vs_quix": 3.5,
    "vs_stock_faust": 100,
}
P99_MS_AT_1000 = 50


@dataclass(slots=True)
class Rounds:
    """What was measured; the lists have a value a round, events/s unless they say more."""

    ours: list[Measured] = field(default_factory=list)
    with_challenger: list[Measured] = field(default_factory=list)
    bare_loop: list[float] = field(default_factory=list)
    rivals: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    stock_faust: list[float] = field(default_factory=list)
    latency: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)  # of the worker's stages alone


def results(rounds: Rounds) -> dict[str, float]:
    """Every figure by name. A ratio is the median of the ratios of each round, whose sides followed each other."""
    own = [each.rate for each in rounds.ours]
    sides = {"bare_loop": rounds.bare_loop, "stock_faust": rounds.stock_faust}
    sides |= {name: [each["events_per_second"] for each in found] for name, found in rounds.rivals.items()}
    found = {
        "events_per_second": statistics.median(own),
        "with_challenger": _ratio([each.rate for each in rounds.with_challenger], own),
        "rss_mb": max(each.rss_mb for each in rounds.ours),
    }
    for name, rates in sides.items():
        found[f"vs_{name}"] = _ratio(own, rates)
        found[f"{name}_events_per_second"] = statistics.median(rates)
    for rate, waits in rounds.latency.items():
        found |= {f"{name}_ms_at_{rate}": waits[name] for name in ("p50", "p99", "p999")}
    return found


def details(rounds: Rounds, events: int) -> dict[str, Any]:
    """Every round, and where the worker's time went in the last."""
    return {
        "pairs": [
            {"bare_loop": round(loop), "ours": round(own.rate)} for loop, own in zip(rounds.bare_loop, rounds.ours, strict=True)
        ],
        "with_challenger": [
            {"ours": round(each.rate), "share_shadowed": 2 * each.shadowed / events} for each in rounds.with_challenger
        ],
        "rivals": rounds.rivals,
        "stock_faust": [round(rate) for rate in rounds.stock_faust],
        "stages": rounds.ours[-1].stages,
        "stages_with_challenger": rounds.with_challenger[-1].stages,
        "limits": {stage: round(rate) for stage, rate in rounds.limits.items()},
        "latency": {
            str(rate): {name: round(float(value), 2) for name, value in waits.items()} for rate, waits in rounds.latency.items()
        },
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the rounds' ratios; a side with fewer rounds is compared with the last of ours."""
    return statistics.median(mine / other for mine, other in zip(ours[-len(theirs) :], theirs, strict=True))
