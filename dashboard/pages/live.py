"""The page Live: is it live, is it right, what changed, what do I do."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard.client import ApiError
from dashboard.frame import status
from dashboard.frame.attributes import attributes
from dashboard.live import cards, drawer, drift, lines, panels, retraining, trips
from dashboard.live import map as area_map
from dashboard.live.changes import Scene, changes
from dashboard.page import Context, Known, News, Page
from dashboard.poller import Seen
from dashboard.view import View, view_of
from schemas.http.snapshot import Areas, Snapshot
from schemas.http.trips import Trip

LEADS = {
    "traffic": "Events received, scored and quarantined per second of wall time, and how many wait.",
    "error": "Errors by pickup, in event time. Trips that are too young to be judged are shown apart.",
    "drift": "What the closed loop watches. A signal above its threshold starts an episode.",
    "retraining": "From a suspicion to a new champion or a refusal.",
    "map": "Cells of the service area. A click shows only the trips that begin there.",
    "trips": "The newest 200. A click on a row shows everything about the trip.",
}
GRAPH: dcc.Graph.Config = {"displayModeBar": False}
HEIGHT = 300
HALF = {"base": 12, "lg": 6}


async def _layout(_context: Context, view: View) -> Component:
    """The page before its first data."""
    grid = dmc.Grid(
        [
            dmc.GridCol(panels.panel("traffic", _graph("traffic"), lead=LEADS["traffic"]), span=HALF),
            dmc.GridCol(panels.panel("error", _graph("error"), lead=LEADS["error"]), span=HALF),
            dmc.GridCol(panels.panel("drift", drift.frame(), lead=LEADS["drift"]), span={"base": 12, "lg": 7}),
            dmc.GridCol(panels.panel("retraining", retraining.frame(), lead=LEADS["retraining"]), span={"base": 12, "lg": 5}),
            dmc.GridCol(panels.panel("map", area_map.frame(), area_map.tools(view), LEADS["map"]), span=12),
            dmc.GridCol(panels.panel("trips", trips.frame(), lead=LEADS["trips"]), span=12),
        ],
        gutter="sm",
    )
    head = html.H1("Live", className="unseen")
    chosen = html.Div(id="chosen")
    return html.Div(
        [head, chosen, panels.panel("cards", cards.frame()), grid, drawer.frame()],
        id="page-live",
        className="live",
        **attributes(data_state=""),
    )


async def _news(context: Context, view: View, seen: Seen, known: Known) -> News:
    """What changed; nothing while the reader has paused and has seen all of what is looked at."""
    if seen.snapshot is None:
        return News(known=known)
    if view.paused and known.get("view") == _looked_at(view):
        return News(known=known)
    areas = await _areas(context)
    news = changes(Scene(view, status.shown(view, seen), seen.snapshot, areas, context.drawings), known)
    return News(news.props, {**news.known, "view": _looked_at(view)} if all_read(seen.snapshot) else news.known)


def all_read(snapshot: Snapshot) -> bool:
    """Whether each panel was read once: a page that is opened paused must not stand still before, with panels that wait."""
    shown = (getattr(snapshot, name) for name in ("cards", "traffic", "error", "drift", "retraining", "map", "trips"))
    return all(panel.as_of is not None for panel in shown)


def _looked_at(view: View) -> str:
    return f"{view.period} {view.area} {view.theme} {view.metric} {view.end}"


async def _areas(context: Context) -> Areas | None:
    """The map's geometry, asked for once; None until the API tells it."""
    areas: Areas | None = context.drawings.kept("areas")
    if areas is None:
        try:
            areas = await context.client.get("/areas", Areas)
        except ApiError:
            return None
    return context.drawings.of("areas", lambda: areas)


def _graph(name: str) -> Component:
    return dcc.Graph(id=name, config=GRAPH, responsive=True, style={"height": HEIGHT}, figure=lines.empty(HEIGHT))


def _register(app: Dash, context: Context) -> None:
    for name, prop in (("metric", "value"), ("end", "value")):
        app.clientside_callback(  # type: ignore[no-untyped-call]
            ClientsideFunction("board", name), Input(name, prop), prevent_initial_call=True
        )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("board", "area"), Output("map", "clickData"), Input("map", "clickData"), prevent_initial_call=True
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("board", "trips"), Input("trips-news", "data")
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("board", "everywhere"), Input("area-chip", "n_clicks"), prevent_initial_call=True
    )

    @app.callback(
        Output("trip-drawer", "opened"),
        Output("trip-drawer-body", "children"),
        Input("trips-grid", "cellClicked"),
        Input("trips-grid", "eventData"),
        State("view", "data"),
        prevent_initial_call=True,
    )
    async def show_trip(clicked: object, pressed: object, data: object) -> Any:  # noqa: ANN401 - Dash's own
        """The trip of the row that was clicked, or on which Enter was pressed."""
        trip_id = trips.chosen(clicked, pressed)
        if trip_id is None:
            return no_update, no_update
        try:
            trip = await context.client.get(f"/trips/{trip_id}", Trip)
        except ApiError as error:
            return True, drawer.refused(error)
        return True, drawer.draw(trip, view_of(data), context.api_public)


PAGE = Page("live", "/", "Live", _layout, _register, _news)
