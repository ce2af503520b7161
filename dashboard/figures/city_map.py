"""The map of the page Try it: the service area with its cells, and two places that a click moves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from dashboard.frame import theme
from schemas.http.quality import Quality
from schemas.http.snapshot import Areas

End = Literal["pickup", "dropoff"]
STEP_DEGREES = 0.0025  # of a click: some 250 m
DECIMALS = 5  # a metre
HEIGHT = 460  # pixels
PLACES = 2  # index of the trace with both places
MANY = 0.98  # share of all trips that lies in the part of the city that is shown first
STARTS: Mapping[End, tuple[float, float]] = {"pickup": (40.758, -73.9855), "dropoff": (40.6441, -73.7822)}


class Box(NamedTuple):
    """A part of the map, degrees."""

    south: float
    north: float
    west: float
    east: float


def starts(areas: Areas) -> dict[End, tuple[float, float]]:
    """The places that the form begins with: midtown and the airport; in another city two places near its middle."""
    if all(areas.south <= south <= areas.north and areas.west <= west <= areas.east for south, west in STARTS.values()):
        return dict(STARTS)
    south, west = areas.north - areas.south, areas.east - areas.west
    return {
        "pickup": (round(areas.south + 0.45 * south, DECIMALS), round(areas.west + 0.45 * west, DECIMALS)),
        "dropoff": (round(areas.south + 0.6 * south, DECIMALS), round(areas.west + 0.6 * west, DECIMALS)),
    }


def city_map(areas: Areas, trips: Mapping[str, int], places: Mapping[End, tuple[float, float]]) -> go.Figure:
    """The service area with its cells, the busier the deeper, and both places. Any point can be clicked. Fits both themes."""
    box = busy_box(areas, trips)
    layout = theme.layout(
        dark=False, height=HEIGHT, margin={"l": 0, "r": 0, "t": 0, "b": 0}, hovermode="closest", dragmode="pan"
    )
    layout.showlegend = False
    layout.modebar = {"bgcolor": "rgba(0,0,0,0)", "color": theme.GREY, "activecolor": theme.BLUE}
    layout.xaxis = {"range": [box.west, box.east], "visible": False, "constrain": "range"}
    ratio = 1 / math.cos(math.radians((areas.south + areas.north) / 2))
    layout.yaxis = {
        "range": [box.south, box.north],
        "visible": False,
        "scaleanchor": "x",
        "scaleratio": ratio,
        "constrain": "range",
    }
    return go.Figure([_cells(areas, trips), _targets(areas), markers(places)], layout)


def busy_box(areas: Areas, trips: Mapping[str, int]) -> Box:
    """Around the cells where most trips begin; the whole service area while there are none."""
    ordered = sorted((area for area in areas.areas if trips.get(area.name)), key=lambda area: -trips[area.name])
    total, seen, busy = sum(trips[area.name] for area in ordered), 0, []
    for area in ordered:
        if seen >= MANY * total:
            break
        busy.append(area)
        seen += trips[area.name]
    if not busy:
        return Box(areas.south, areas.north, areas.west, areas.east)
    return Box(
        min(area.south for area in busy),
        max(area.north for area in busy),
        min(area.west for area in busy),
        max(area.east for area in busy),
    )


def trips_by_area(quality: Quality | None) -> dict[str, int]:
    """How many trips began in each cell, by its name, mature or not."""
    found: dict[str, int] = {}
    for cohort in (*quality.mature, *quality.immature) if quality else ():
        if cohort.role == "champion":
            found[cohort.segment] = found.get(cohort.segment, 0) + cohort.started
    return found


def markers(places: Mapping[End, tuple[float, float]]) -> go.Scatter:
    """Both places, told apart by colour, shape and name, and the line between them."""
    return go.Scatter(
        **coordinates(places),
        mode="lines+markers+text",
        text=["Pickup", "Dropoff"],
        textposition="top center",
        textfont={"size": 13},
        line={"color": theme.GREY, "width": 1.5, "dash": "dot"},
        marker={
            "size": 15,
            "color": [theme.BLUE, theme.ORANGE],
            "symbol": ["circle", "square"],
            "line": {"color": "#ffffff", "width": 2},
        },
        hoverinfo="skip",
    )


def coordinates(places: Mapping[End, tuple[float, float]]) -> dict[str, list[float]]:
    """Both places as the trace of `markers` has them."""
    return {axis: [places["pickup"][number], places["dropoff"][number]] for number, axis in enumerate(("y", "x"))}


def clicked(click: object) -> tuple[float, float] | None:
    """The latitude and longitude of a click on the map."""
    points = click.get("points") if isinstance(click, dict) else None
    if not points or "x" not in points[0] or "y" not in points[0]:
        return None
    return round(float(points[0]["y"]), DECIMALS), round(float(points[0]["x"]), DECIMALS)


def chosen(numbers: Sequence[Any]) -> dict[End, tuple[float, float]] | None:
    """Both places from the form's four coordinates; None while one of them is not there."""
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    return {"pickup": (numbers[0], numbers[1]), "dropoff": (numbers[2], numbers[3])}


def _cells(areas: Areas, trips: Mapping[str, int]) -> go.Heatmap:
    """Cells in their rows; deeper is busier, by the logarithm."""
    south, west = sorted({area.south for area in areas.areas}), sorted({area.west for area in areas.areas})
    depth = np.zeros((len(south), len(west)))
    for area in areas.areas:
        depth[south.index(area.south), west.index(area.west)] = math.log1p(trips.get(area.name, 0))
    return go.Heatmap(
        z=depth,
        x=[*west, areas.east],
        y=[*south, areas.north],
        colorscale=[[0, "rgba(138,147,157,0.12)"], [1, "rgba(0,114,178,0.65)"]],
        xgap=1,
        ygap=1,
        showscale=False,
        hoverinfo="skip",
    )


def _targets(areas: Areas) -> go.Heatmap:
    """An unseen fine grid: what a click on the map hits."""
    latitude = np.arange(areas.south + STEP_DEGREES / 2, areas.north, STEP_DEGREES)
    longitude = np.arange(areas.west + STEP_DEGREES / 2, areas.east, STEP_DEGREES)
    return go.Heatmap(
        z=np.zeros((len(latitude), len(longitude)), dtype=np.uint8),
        x0=float(longitude[0]),
        dx=STEP_DEGREES,
        y0=float(latitude[0]),
        dy=STEP_DEGREES,
        colorscale=[[0, "rgba(0,0,0,0)"], [1, "rgba(0,0,0,0)"]],
        showscale=False,
        hovertemplate="%{y:.4f}, %{x:.4f}<extra></extra>",
    )
