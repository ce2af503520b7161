"""The map: cells of the city by what happens in them. No tiles, no outside host; geometry is sent once, then only values."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Patch, dcc, html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.theme import FONT, SCALE, ink
from dashboard.live.lines import Figure, empty
from dashboard.page import Props
from dashboard.view import End, View
from schemas.http.base import Metric
from schemas.http.snapshot import Area, AreaMap, Areas, AreaValue

HEIGHT = 400
ZOOM = 8.48
FEWEST = 5  # trips in a cell below which a mean says nothing
TABLE_ROWS = 12
METRICS: Mapping[Metric, str] = {"trips": "Trips", "predicted": "Predicted", "error": "Error"}
UNITS: Mapping[Metric, str] = {"trips": "trips/min", "predicted": "min, mean predicted", "error": "min, MAE"}
ENDS: Mapping[End, str] = {"pickup": "Pick-up", "dropoff": "Drop-off"}
EMPTY, FEW = 0, 1
OUTSIDE, BEYOND, MARGIN_DEGREES = "outside", "outside the service area", 3.0
Values = Mapping[tuple[str | int, ...], Any]


def tools(view: View) -> Component:
    """The switches."""
    return html.Div(
        [
            dmc.SegmentedControl(id="metric", data=_options(METRICS), value=view.metric, size="xs"),
            dmc.SegmentedControl(id="end", data=_options(ENDS), value=view.end, size="xs"),
        ],
        className="tools",
    )


def frame() -> Component:
    """The panel's body: the map, and beside it the busiest cells in numbers, for everybody and where there is no WebGL."""
    graph = dcc.Graph(
        id="map", config={"displayModeBar": False, "scrollZoom": True}, style={"height": HEIGHT}, figure=empty(HEIGHT)
    )
    return html.Div(
        [html.Div(graph, className="map-drawn"), html.Div(id="map-table", className="map-table")], className="map-both"
    )


def geometry(areas: Areas, view: View) -> Figure:
    """The whole figure with all cells and no values."""
    cells = [str(area.area) for area in areas.areas]
    shapes: Figure = {"type": "FeatureCollection", "features": [_feature(area) for area in areas.areas]}
    names = [area.name for area in areas.areas]
    pen = ink(dark=view.dark)
    base = {"type": "choroplethmap", "geojson": shapes, "locations": cells, "text": names, "z": [None] * len(cells)}
    line = {"color": pen.grid, "width": 0.6}
    ground = {
        **base,
        "geojson": {**shapes, "features": [*shapes["features"], _outside(areas)]},
        "locations": [*cells, OUTSIDE],
        "text": [*names, ""],
        "z": [EMPTY] * (len(cells) + 1),
        "zmin": EMPTY,
        "zmax": FEW,
        "colorscale": [[0, pen.ground], [1, "#adb5bd" if not view.dark else "#495057"]],
        "showscale": False,
        "marker": {"line": line, "opacity": 1},
        "hovertemplate": "%{text}<br>%{customdata}<extra></extra>",
        "customdata": [*["no trips"] * len(cells), BEYOND],
    }
    values = {
        **base,
        "colorscale": SCALE.capitalize(),  # as the browser names it
        "marker": {"line": line, "opacity": 0.92},
        "hovertemplate": "%{text}<br>%{customdata}<extra></extra>",
        "customdata": [""] * len(cells),
        "colorbar": _bar(view),
    }
    return {"data": [ground, values], "layout": _layout(areas, view)}


def values(found: AreaMap, areas: Areas, view: View) -> Values:
    """Only what changes, by its place in the figure: values, hovers and limits."""
    known = {value.area: value for value in (found.pickups if view.end == "pickup" else found.dropoffs)}
    cells = [known.get(area.area) for area in areas.areas]
    hovers = [_hover(cell) for cell in cells]
    low, high = found.limits.get(view.metric, (0.0, 1.0))
    return {
        ("data", 0, "z"): [*(ground_of(cell) for cell in cells), EMPTY],
        ("data", 0, "customdata"): [*hovers, BEYOND],
        ("data", 1, "z"): [value_of(cell, view.metric) for cell in cells],
        ("data", 1, "customdata"): hovers,
        ("data", 1, "zmin"): low,
        ("data", 1, "zmax"): high,
        ("data", 1, "colorbar", "title", "text"): UNITS[view.metric],
    }


def patched(changed: Values) -> Patch:
    """The same as a patch of the figure that a browser has."""
    patch = Patch()
    for place, value in changed.items():
        part = patch
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = value
    return patch


def applied(figure: Figure, changed: Values) -> Figure:
    """The figure with the values in their places."""
    for place, value in changed.items():
        part: Any = figure
        for step in place[:-1]:
            part = part[step]
        part[place[-1]] = value
    return figure


def ground_of(cell: AreaValue | None) -> int:
    """Grey where there are trips, but too few to tell a value."""
    return FEW if cell is not None and 0 < cell.trips < FEWEST else EMPTY


def value_of(cell: AreaValue | None, metric: Metric) -> float | None:
    """What is coloured; None where there are fewer than five trips."""
    if cell is None or cell.trips < FEWEST:
        return None
    told = {"trips": cell.trips_per_minute, "predicted": cell.mean_predicted_minutes, "error": cell.mae_minutes}[metric]
    return None if told is None else round(told, 3)


def table(found: AreaMap, areas: Areas | None, view: View) -> Mapping[str, Props]:
    """The busiest cells in numbers."""
    names = {area.area: area.name for area in areas.areas} if areas else {}
    cells = sorted(found.pickups if view.end == "pickup" else found.dropoffs, key=lambda cell: -cell.trips)[:TABLE_ROWS]
    rows = [
        html.Tr(
            [
                html.Td(dcc.Link(names.get(cell.area, str(cell.area)), href=view.address("/") + f"&area={cell.area}")),
                *_cells(cell),
            ]
        )
        for cell in cells
    ]
    head = html.Tr([html.Th(name) for name in ("Busiest areas", "Trips", "Trips/min", "Predicted", "MAE", "Settled")])
    return {"map-table": {"children": html.Table([html.Thead(head), html.Tbody(rows)])}}


def chip(areas: Areas | None, view: View) -> Component | None:
    """The chosen area, to be removed with a click."""
    if view.area is None:
        return None
    name = next((area.name for area in areas.areas if area.area == view.area), str(view.area)) if areas else str(view.area)
    return html.Button(
        [f"Area {name} only ", html.B("\N{MULTIPLICATION SIGN}")], id="area-chip", className="chip", title="Show all areas"
    )


def _name(cell: AreaValue, names: Mapping[int, str], view: View) -> Component:
    """A link that chooses the cell: what a click on the map does, for the keyboard."""
    return dcc.Link(names.get(cell.area, str(cell.area)), href=view.address("/", area=str(cell.area)))


def _cells(cell: AreaValue) -> list[Component]:
    told = (
        words.count(cell.trips),
        words.number(cell.trips_per_minute),
        words.minutes(cell.mean_predicted_minutes),
        words.minutes(cell.mae_minutes),
        words.count(cell.settled),
    )
    return [html.Td(text) for text in told]


def _hover(cell: AreaValue | None) -> str:
    if cell is None or cell.trips == 0:
        return "no trips"
    few = "<br>too few to tell more" if cell.trips < FEWEST else ""
    return (
        f"{words.count(cell.trips)} trips, {words.number(cell.trips_per_minute)} a minute<br>"
        f"predicted {words.minutes(cell.mean_predicted_minutes)} on average<br>"
        f"MAE {words.minutes(cell.mae_minutes, 2)} of {words.count(cell.settled)} settled{few}"
    )


def _options(named: Mapping[Any, str]) -> Sequence[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in named.items()]


def _feature(area: Area) -> Figure:
    return {
        "type": "Feature",
        "id": str(area.area),
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [_ring(area.south, area.west, area.north, area.east)]},
    }


def _outside(areas: Areas) -> Figure:
    """What surrounds the city, so that a dark page has no white border: MapLibre's own ground is always white."""
    inner = _ring(areas.south, areas.west, areas.north, areas.east)
    far = MARGIN_DEGREES
    outer = _ring(areas.south - far, areas.west - far, areas.north + far, areas.east + far)
    shape = {"type": "Polygon", "coordinates": [outer, inner[::-1]]}
    return {"type": "Feature", "id": OUTSIDE, "properties": {}, "geometry": shape}


def _ring(south: float, west: float, north: float, east: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _bar(view: View) -> Figure:
    """Below the map, so that a telephone has its whole width for the map."""
    font = {"size": 10.5, "color": ink(dark=view.dark).faint}
    place = {"orientation": "h", "x": 0.5, "y": -0.01, "yanchor": "top", "len": 0.8, "thickness": 8, "outlinewidth": 0}
    return {**place, "tickfont": font, "title": {"text": "", "side": "bottom", "font": font}, "ypad": 4}


def _layout(areas: Areas, view: View) -> Figure:
    pen = ink(dark=view.dark)
    middle = {"lat": (areas.south + areas.north) / 2, "lon": (areas.west + areas.east) / 2}
    return {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 46},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": pen.text},
        "hoverlabel": {"bgcolor": pen.ground, "bordercolor": pen.grid, "font": {"color": pen.text, "size": 11}},
        "map": {"style": "white-bg", "center": middle, "zoom": ZOOM},
        "uirevision": "constant",
        "clickmode": "event",
    }
