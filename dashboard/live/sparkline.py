"""A line as small as a word, drawn here: a picture of a few hundred bytes instead of a chart of its own."""

from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

WIDTH, HEIGHT, EDGE = 120.0, 28.0, 2.0
Values = Sequence[float | None]


def sparkline(values: Values, *, colour: str, threshold: float | None = None, threshold_colour: str = "") -> str:
    """The line as a data address for an `img`; None is a gap. With a threshold the scale includes it, as a dashed line."""
    known = [value for value in values if value is not None]
    limits = known if threshold is None else [*known, threshold]
    low, high = (min(limits), max(limits)) if limits else (0.0, 1.0)
    lines = "".join(f'<polyline points="{points}"/>' for points in _runs(values, low, high))
    dots = "".join(_dot(place, len(values), value, low, high) for place, value in _lonely(values))
    limit = "" if threshold is None else _limit(_height(threshold, low, high), threshold_colour)
    drawn = f'<g fill="none" stroke="{colour}" stroke-width="1.5" stroke-linejoin="round">{lines}</g>'
    filled = f'<g fill="{colour}">{dots}</g>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none">'
    return "data:image/svg+xml;base64," + b64encode(f"{head}{limit}{drawn}{filled}</svg>".encode()).decode()


def _runs(values: Values, low: float, high: float) -> list[str]:
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{_across(place, len(values)):.1f},{_height(value, low, high):.1f}")
    return [" ".join(run) for run in runs if len(run) > 1]


def _lonely(values: Values) -> list[tuple[int, float]]:
    padded = [None, *values, None]
    triples = zip(pairwise(padded), padded[2:], strict=False)
    return [
        (place, value)
        for place, ((before, value), after) in enumerate(triples)
        if value is not None and before is None and after is None
    ]


def _across(place: int, count: int) -> float:
    return EDGE + (WIDTH - 2 * EDGE) * place / max(count - 1, 1)


def _height(value: float, low: float, high: float) -> float:
    """Of a flat line: the middle."""
    share = (value - low) / (high - low) if high > low else 0.5
    return HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share


def _dot(place: int, count: int, value: float, low: float, high: float) -> str:
    return f'<circle cx="{_across(place, count):.1f}" cy="{_height(value, low, high):.1f}" r="1.5"/>'


def _limit(height: float, colour: str) -> str:
    return f'<path d="M0 {height:.1f}H{WIDTH:g}" stroke="{colour}" stroke-dasharray="4 3" stroke-width="1"/>'
