"""One trip in full, in a drawer beside the table."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import msgspec
from dash import html
from dash.development.base_component import Component

from dashboard.client import ApiError
from dashboard.frame import words
from dashboard.view import View
from schemas.http.trips import Trip, TripPrediction

Fact = tuple[str, str | Component]


def frame() -> Component:
    """The closed drawer."""
    return dmc.Drawer(
        html.Div(id="trip-drawer-body"),
        id="trip-drawer",
        title="Trip",
        position="right",
        size="md",
        padding="md",
        closeButtonProps={"aria-label": "Close"},
    )


def draw(trip: Trip, view: View, api: str) -> Component:
    """Inputs, predictions, what came of it, where it stood in the stream, and the event as it came."""
    raw = msgspec.json.format(msgspec.json.encode(trip.raw_event), indent=2).decode() if trip.raw_event else ""
    return html.Div(
        [
            _facts("Trip", _inputs(trip, view)),
            *[_facts(f"Predicted by the {each.role}", _said(each, view)) for each in trip.predictions],
            _facts("What came of it", _outcome(trip, view)),
            _facts("In the stream", _stream(trip, view)),
            html.H4("Event as it came"),
            html.Pre(raw) if raw else html.Div("Not in the stream: loaded from a file.", className="quiet"),
            html.P(html.A("This trip as JSON", href=f"{api}/trips/{trip.trip_id}", target="_blank", rel="noreferrer")),
        ],
        className="facts-of-trip",
    )


def refused(error: ApiError) -> Component:
    """Why it cannot be shown."""
    return html.Div([html.Strong(error.title), html.P(error.detail)], className="banner banner-alarm", role="alert")


def _inputs(trip: Trip, view: View) -> Sequence[Fact]:
    return [
        ("Id", html.Code(trip.trip_id)),
        ("Pickup", html.Span(words.day_and_clock(trip.pickup_at, view.zone), title=words.utc(trip.pickup_at))),
        ("From", f"{trip.pickup.latitude:.5f}, {trip.pickup.longitude:.5f}"),
        ("To", f"{trip.dropoff.latitude:.5f}, {trip.dropoff.longitude:.5f}"),
        ("Vendor", str(trip.vendor_id)),
        ("Passengers", str(trip.passenger_count)),
    ]


def _said(said: TripPrediction, view: View) -> Sequence[Fact]:
    return [
        ("Duration", words.seconds(said.duration_seconds)),
        ("90 % interval", f"{words.seconds(said.lower_seconds)} to {words.seconds(said.upper_seconds)}"),
        ("Version", f"v{said.model_version}, features {said.feature_schema}"),
        ("Scored", html.Span(words.day_and_clock(said.scored_at, view.zone), title=words.utc(said.scored_at))),
    ]


def _outcome(trip: Trip, view: View) -> Sequence[Fact]:
    if trip.actual_seconds is None or trip.error_seconds is None:
        return [("Duration", "not known yet")]
    much = "too long" if trip.error_seconds > 0 else "too short"
    held = {True: "yes", False: "no", None: words.NOTHING}[trip.within_interval]
    return [
        ("Duration", words.seconds(trip.actual_seconds)),
        ("Prediction was", f"{words.seconds(abs(trip.error_seconds))} {much}"),
        ("Within the interval", held),
        ("Drop-off", html.Span(words.day_and_clock(trip.dropoff_at, view.zone), title=words.utc(trip.dropoff_at))),
    ]


def _stream(trip: Trip, view: View) -> Sequence[Fact]:
    place = f"{trip.topic} {trip.partition}/{trip.offset}" if trip.topic else words.NOTHING
    return [
        ("Topic, partition/offset", place),
        ("Recorded", html.Span(words.day_and_clock(trip.recorded_at, view.zone), title=words.utc(trip.recorded_at))),
        ("Trace", html.Code(_trace(trip)) if trip.traceparent else words.NOTHING),
    ]


def _trace(trip: Trip) -> str:
    """The trace id: the second part of a traceparent."""
    parts = (trip.traceparent or "").split("-")
    return parts[1] if len(parts) > 1 else trip.traceparent or ""


def _facts(title: str, facts: Sequence[Fact]) -> Component:
    rows: list[Any] = [html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts]
    return html.Div([html.H4(title), html.Dl(rows)])
