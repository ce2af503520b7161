"""The page Try it: the city to choose two places on, the request that goes to the API, and what it answered."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
import msgspec
import numpy as np
import plotly.graph_objects as go
from dash import html
from dash.development.base_component import Component

from dashboard.figures import parts, said
from dashboard.frame import theme, words
from schemas.http.base import Point
from schemas.http.predictions import Prediction, PredictionRequest
from schemas.http.problems import Problem
from schemas.http.quality import Quality
from schemas.http.snapshot import Areas

End = Literal["pickup", "dropoff"]
STEP_DEGREES = 0.0025  # of a click: some 250 m
DECIMALS = 5  # a metre
HEIGHT = 460
PLACES = 2  # index of the trace with both places
MANY = 0.98  # share of all trips that lies in the part of the city that is shown first
STARTS: Mapping[End, tuple[float, float]] = {"pickup": (40.758, -73.9855), "dropoff": (40.6441, -73.7822)}
FIELDS = {
    "/pickup": "try-pickup-latitude",
    "/pickup/latitude": "try-pickup-latitude",
    "/pickup/longitude": "try-pickup-longitude",
    "/dropoff": "try-dropoff-latitude",
    "/dropoff/latitude": "try-dropoff-latitude",
    "/dropoff/longitude": "try-dropoff-longitude",
    "/passenger_count": "try-passengers",
    "/vendor_id": "try-vendor",
    "/pickup_at": "try-time",
}
INPUTS = tuple(dict.fromkeys(FIELDS.values()))


class Box(NamedTuple):
    """A part of the map, degrees."""

    south: float
    north: float
    west: float
    east: float


class Typed(NamedTuple):
    """What stands in the form, as its inputs give it."""

    pickup_latitude: Any
    pickup_longitude: Any
    dropoff_latitude: Any
    dropoff_longitude: Any
    passengers: Any
    vendor: Any
    time: Any


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


def trips_by_area(quality: Quality | None) -> dict[str, int]:
    """How many trips began in each cell, by its name, mature or not."""
    found: dict[str, int] = {}
    for cohort in (*quality.mature, *quality.immature) if quality else ():
        if cohort.role == "champion":
            found[cohort.segment] = found.get(cohort.segment, 0) + cohort.started
    return found


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


def default_time(now: datetime, zone: ZoneInfo) -> str:
    """A few minutes ago on the city's clocks, as the picker has it."""
    return f"{now.astimezone(zone) - timedelta(minutes=5):%Y-%m-%d %H:%M:00}"


def request_of(typed: Typed, zone: ZoneInfo) -> PredictionRequest:
    """The request as the API is asked it. Only the time is understood here, since the API takes none without an offset.

    Raises ValueError, in words, for a time that cannot be understood.
    """
    if not typed.time:
        raise ValueError("Choose the day and time of the pickup.")
    return PredictionRequest(
        vendor_id=_given(typed.vendor),
        passenger_count=_given(typed.passengers),
        pickup_at=said.city_instant(str(typed.time), zone),
        pickup=Point(_given(typed.pickup_latitude), _given(typed.pickup_longitude)),
        dropoff=Point(_given(typed.dropoff_latitude), _given(typed.dropoff_longitude)),
    )


def offset_words(text: object, zone: ZoneInfo) -> str:
    """What the picker's time means: the city's zone and its offset on that day."""
    try:
        moment = said.city_instant(str(text), zone)
    except ValueError:
        return f"City time, {zone.key}"
    return f"City time, {zone.key} ({offset(moment)})"


def offset(moment: datetime) -> str:
    """UTC-05:00."""
    text = f"{moment:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"


def curl(request: PredictionRequest, api: str, *, needs_key: bool) -> str:
    """The same question for a terminal."""
    body = json.dumps(msgspec.to_builtins(request))
    key = ' -H "Authorization: Bearer $TRIPCAST_KEY"' if needs_key else ""
    return f"curl -s {api}/predict -H 'Content-Type: application/json'{key} -d {shlex.quote(body)}"


def terminal(line: str) -> Component:
    """The line to copy."""
    return dmc.Stack(
        [dmc.Text("The same from a terminal", size="sm", fw=500), parts.command(line, "Copy the curl line")], gap=6
    )


def answered(prediction: Prediction, seconds: float) -> Component:
    """What the API said, and how long the board waited for it."""
    interval = prediction.interval
    low, high = interval.lower_seconds / 60, interval.upper_seconds / 60
    sure = words.percent(interval.coverage, 0)
    minutes = parts.tile(
        "The trip takes",
        words.minutes(prediction.duration_minutes, 1),
        words.seconds(prediction.duration_seconds),
        tone="accent",
    )
    sentence = parts.sentence(f"{sure} of trips like this one take {words.number(low, 1)} to {words.minutes(high, 1)}.")
    return parts.stack(minutes, range_bar(low, prediction.duration_minutes, high), sentence, _identity(prediction, seconds))


def range_bar(low: float, middle: float, high: float) -> Component:
    """The interval to scale, from nothing on, with the estimate in it; minutes."""
    end = scale_end(high)
    left, width, mark = (f"{100 * value / end:.2f}%" for value in (low, high - low, middle))
    band = html.Div(className="range-band", style={"left": left, "width": width})
    bar = html.Div([band, html.Div(className="range-mark", style={"left": mark})], className="range")
    label = f"Estimate {middle:.1f} minutes, interval {low:.1f} to {high:.1f} minutes"
    ends = dmc.Group(
        [dmc.Text("0", size="xs", c="dimmed"), dmc.Text(f"{end:g} min", size="xs", c="dimmed")], justify="space-between"
    )
    return dmc.Stack([parts.described(bar, label), ends], gap=4)


def scale_end(high: float) -> float:
    """The end of the bar's scale: the next round number of minutes above the interval."""
    step = 5.0 if high < 50 else 30.0  # noqa: PLR2004 - minutes
    return step * (math.floor(high / step) + 1)


def refused(title: str, detail: str, problem: Problem | None) -> Component:
    """A problem in the API's words, with each field that it names."""
    rest = [error.detail for error in (problem.errors if problem else ()) if error.detail != detail]
    lines = [dmc.ListItem(plain(text)) for text in rest]
    more = [dmc.List(lines, size="sm")] if lines else []
    wait = problem.retry_after_seconds if problem else None
    again = [parts.sentence(f"Try again in {words.seconds(wait)}.")] if wait else []
    return dmc.Alert(
        parts.stack(parts.sentence(plain(detail)), *more, *again),
        title=title,
        color="red",
        variant="light",
        radius="md",
    )


def plain(text: str) -> str:
    """Without the marks of code: inputs have no type for it."""
    return text.replace("`", "")


def marked(problem: Problem | None) -> dict[str, str]:
    """What is wrong with each input of the form, by its id; every input is there, with nothing where it is right."""
    found = dict.fromkeys(INPUTS, "")
    for error in problem.errors if problem else ():
        if (name := FIELDS.get(error.pointer)) is not None:
            found[name] = plain(error.detail)
    return found


def _given(value: Any) -> Any:  # noqa: ANN401 - whatever was typed; the API says what is wrong with it
    """An emptied field holds an empty text: nothing."""
    return None if value == "" else value


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


def _identity(prediction: Prediction, seconds: float) -> Component:
    model = prediction.model
    rows: Sequence[tuple[str, parts.Content]] = (
        ("Model", f"{said.kind(model.kind)}, version {model.version} of {model.name}"),
        ("Answered in", f"{words.seconds(seconds)}, from the board to the API and back"),
        ("Prediction id", dmc.Code(prediction.prediction_id)),
        ("MLflow run", dmc.Code(model.run_id)),
    )
    return parts.facts(rows)
