"""Bars and histograms that follow the theme by themselves (SVG, no redraw when it changes)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import dash_mantine_components as dmc
from dash.development.base_component import Component

from dashboard.figures import parts
from dashboard.frame import words
from dashboard.frame.theme import BLUE
from schemas.http.trips import Distribution

HEIGHT = 240
AXES = {"minutes": "minutesAxis", "plain": "plainAxis"}  # see assets/functions.js
WHOLE_EDGE = 10  # edges from here on are told without decimals


def bars(
    rows: Sequence[Mapping[str, Any]],
    key: str,
    series: Mapping[str, str],
    *,
    label: str,
    unit: str = "",
    height: int = HEIGHT,
    formatter: str = "count",
) -> Component:
    """A bar of each series (name to colour) per row; `label` says in words what is seen, for those who do not see it."""
    chart = dmc.BarChart(
        data=[dict(row) for row in rows],
        dataKey=key,
        series=[{"name": name, "color": colour} for name, colour in series.items()],
        h=height,
        withLegend=len(series) > 1,
        legendProps={"verticalAlign": "top", "height": 36},
        tickLine="none",
        gridAxis="x",
        maxBarWidth=44,
        barProps={"radius": 2, "isAnimationActive": False},
        unit=f" {unit}" if unit else "",
        valueFormatter={"function": formatter},
        yAxisProps={"width": 52, "tickFormatter": {"function": AXES.get(formatter, formatter)}},
        tooltipAnimationDuration=0,
    )
    return parts.described(chart, label)


def histogram(one: Distribution, colour: str = BLUE) -> Component:
    """Shares of trips per bin, in percent; the last bin says from where on it counts."""
    total = sum(one.counts)
    rows = [{"bin": name, "share": round(100 * n / total, 2)} for name, n in zip(bins(one.edges), one.counts, strict=True)]
    label = f"Distribution of {one.name} in {one.unit}: {in_words(one)}"
    return bars(rows, "bin", {"share": colour}, label=label, formatter="percent")


def bins(edges: Sequence[float]) -> list[str]:
    """Names of what lies between neighbouring edges."""
    return [f"{_edge(low)} to {_edge(high)}" for low, high in pairwise(edges)]


def in_words(one: Distribution) -> str:
    """Where the middle of a distribution lies, to the bin."""
    total, seen = sum(one.counts), 0
    for name, number in zip(bins(one.edges), one.counts, strict=True):
        seen += number
        if total and 2 * seen >= total:
            return f"the middle one is in {name} {one.unit}"
    return "there are none"


def _edge(value: float) -> str:
    return words.count(value) if value == round(value) or value >= WHOLE_EDGE else words.number(value, 1)


def titled(title: str, chart: Component) -> Component:
    """A chart below its name."""
    return dmc.Stack([dmc.Text(title, size="sm", fw=500), chart], gap="xs")
