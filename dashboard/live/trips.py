"""The latest predictions, row by row: what is new is added, what has got its actual duration flashes."""

from collections.abc import Mapping
from typing import Any

import dash_ag_grid as dag
from dash import ctx, dcc, html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.view import View
from schemas.http.base import Point
from schemas.http.snapshot import LatestTrips, TripRow

ROWS = 200
HEIGHT = 420
Row = dict[str, Any]
Transaction = dict[str, Any]
FIXED = "params.value == null ? '' : d3.format('{}')(params.value)"


def frame() -> Component:
    """The grid. `trips-news` is what the browser brings into it, each once: see `assets/board.js`."""
    return html.Div([dcc.Store(id="trips-news"), _grid()])


def _grid() -> Component:
    return dag.AgGrid(
        id="trips-grid",
        columnDefs=_columns(),
        getRowId="params.data.trip_id",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "suppressMovable": True,
            "suppressHeaderMenuButton": True,
            "wrapHeaderText": True,
        },
        dashGridOptions={
            "rowHeight": 28,
            "headerHeight": 40,
            "animateRows": False,
            "cellFlashDuration": 1500,
            "suppressCellFocus": False,
            "tooltipShowDelay": 300,
        },
        eventListeners={"cellKeyDown": ["tripOfKey(params, setEventData)"]},
        columnSize="responsiveSizeToFit",
        style={"height": HEIGHT, "width": "100%"},
    )


def rows_of(trips: LatestTrips, view: View) -> list[Row]:
    """What the grid shows, the newest first."""
    return [_row(row, view) for row in trips.rows[:ROWS]]


def transaction(before: LatestTrips, after: LatestTrips, view: View) -> Transaction:
    """From what a browser has to what it should have: rows by their trip id."""
    old, new = {row.trip_id: row for row in before.rows[:ROWS]}, {row.trip_id: row for row in after.rows[:ROWS]}
    added = [_row(row, view) for trip, row in new.items() if trip not in old]
    changed = [_row(row, view) for trip, row in new.items() if trip in old and row != old[trip]]
    gone = [trip for trip in old if trip not in new]
    return {"add": added, "update": changed, "remove": gone}


def chosen(clicked: object, pressed: object) -> str | None:
    """The trip that a click or the Enter key asks for: the later of both, which comes last in Dash's context."""
    asked = pressed if ctx.triggered_id and ctx.triggered[0]["prop_id"].endswith("eventData") else clicked
    found = asked.get("data", asked).get("rowId") if isinstance(asked, dict) else None
    return found if isinstance(found, str) else None


def _row(row: TripRow, view: View) -> Row:
    error = None if row.actual_seconds is None else row.predicted_seconds - row.actual_seconds
    return {
        "trip_id": row.trip_id,
        "time": words.clock(row.pickup_at, view.zone),
        "time_hover": f"pickup {words.utc(row.pickup_at)}, recorded {words.utc(row.recorded_at)}",
        "from": _place(row.pickup),
        "to": _place(row.dropoff),
        "predicted": round(row.predicted_seconds / 60, 2),
        "interval": f"{row.lower_seconds / 60:.1f} to {row.upper_seconds / 60:.1f}",
        "actual": None if row.actual_seconds is None else round(row.actual_seconds / 60, 2),
        "error": None if error is None else round(error / 60, 2),
        "version": row.model_version,
        "place": f"{row.partition}/{row.offset}",
        "latency": None if row.latency_seconds is None else round(row.latency_seconds * 1000, 1),
    }


def _place(point: Point) -> str:
    return f"{point.latitude:.3f}, {point.longitude:.3f}"


def _columns() -> list[Mapping[str, Any]]:
    return [
        {"field": "time", "headerName": "Pickup", "minWidth": 80, "tooltipField": "time_hover"},
        {"field": "from", "headerName": "From", "minWidth": 124},
        {"field": "to", "headerName": "To", "minWidth": 124},
        _number("predicted", "Predicted, min", 112),
        {"field": "interval", "headerName": "90 % interval", "minWidth": 108, "cellClass": "right"},
        _number("actual", "Actual, min", 96, flash=True),
        _number("error", "Error, min", 88, ".1f", sign=True, flash=True),
        {"field": "version", "headerName": "Model", "minWidth": 62, "valueFormatter": {"function": "'v' + params.value"}},
        {"field": "place", "headerName": "Partition/offset", "minWidth": 134},
        _number("latency", "Latency, ms", 98, ".0f"),
    ]


def _number(
    field: str, title: str, width: int, shape: str = ".1f", *, sign: bool = False, flash: bool = False
) -> Mapping[str, Any]:
    column: dict[str, Any] = {
        "field": field,
        "headerName": title,
        "minWidth": width,
        "type": "rightAligned",
        "valueFormatter": {"function": FIXED.format(f"+{shape}" if sign else shape)},
    }
    return column | ({"enableCellChangeFlash": True} if flash else {})
