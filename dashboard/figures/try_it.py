"""The page Try it: the request that goes to the API, and what it answered."""

import json
import math
import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
import msgspec
from dash import html
from dash.development.base_component import Component

from dashboard.figures import parts, said
from dashboard.frame import words
from schemas.http.base import Point
from schemas.http.predictions import Prediction, PredictionRequest
from schemas.http.problems import Problem

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


class Typed(NamedTuple):
    """What stands in the form, as its inputs give it."""

    pickup_latitude: Any
    pickup_longitude: Any
    dropoff_latitude: Any
    dropoff_longitude: Any
    passengers: Any
    vendor: Any
    time: Any


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


def _identity(prediction: Prediction, seconds: float) -> Component:
    model = prediction.model
    rows: Sequence[tuple[str, parts.Content]] = (
        ("Model", f"{said.kind(model.kind)}, version {model.version} of {model.name}"),
        ("Answered in", f"{words.seconds(seconds)}, from the board to the API and back"),
        ("Prediction id", dmc.Code(prediction.prediction_id)),
        ("MLflow run", dmc.Code(model.run_id)),
    )
    return parts.facts(rows)
