"""The page Try it: choose a trip, and see what the API says of it. No number here is the board's own but the time it waited."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import Dash, Input, Output, Patch, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboard import asks
from dashboard.client import ApiError
from dashboard.figures import city_map, notice, parts, try_it
from dashboard.figures.city_map import End
from dashboard.figures.try_it import INPUTS, Typed
from dashboard.page import Context, Page
from dashboard.view import View
from schemas.http.predictions import Prediction
from schemas.http.snapshot import Areas

MAP, GRAPH, WAIT, END, TIME = "try-map", "try-graph", "try-wait", "try-end", "try-time"
BUTTON, RESULT, OFFSET, ZONE = "try-predict", "try-result", "try-offset", "try-zone"
ORDER = (
    "try-pickup-latitude",
    "try-pickup-longitude",
    "try-dropoff-latitude",
    "try-dropoff-longitude",
    "try-passengers",
    "try-vendor",
    TIME,
)
PLACES = ORDER[:4]
GRAPH_CONFIG: Any = {
    "displaylogo": False,
    "displayModeBar": True,
    "modeBarButtons": [["zoomIn2d", "zoomOut2d", "resetScale2d"]],
    "scrollZoom": False,
}


async def _layout(context: Context, _view: View) -> Component:
    areas = (await context.readings.get(asks.AREAS)).data
    head = parts.head("Try it", "Ask the API how long a trip will take, as any program would.")
    choose = parts.card(
        "Where from, where to",
        dmc.Group([dmc.Text("A click sets the", size="sm"), _which()], gap="xs"),
        html.Div(await _map(context), id=MAP),
        note="Click the map or type coordinates. Deeper cells have more pickups.",
    )
    left = dmc.GridCol(choose, span={"base": 12, "md": 7})
    right = dmc.GridCol(dmc.Stack([_form(areas), _result()], gap="md"), span={"base": 12, "md": 5})
    return parts.page("try-it", head, dmc.Grid([left, right], gutter="md"))


def _which() -> Component:
    choices = [{"value": "pickup", "label": "Pickup"}, {"value": "dropoff", "label": "Dropoff"}]
    return dmc.SegmentedControl(id=END, data=choices, value="pickup", size="xs")


async def _map(context: Context) -> list[Component]:
    """The map, or what holds its place until the API tells of the city."""
    areas = await context.readings.get(asks.AREAS)
    trips = await context.readings.get(asks.QUALITY_BY_AREA)
    if areas.data is None:
        return [notice.one(), dcc.Interval(id=WAIT, interval=2000)]
    figure = city_map.city_map(areas.data, city_map.trips_by_area(trips.data), city_map.starts(areas.data))
    return [dcc.Graph(id=GRAPH, figure=figure, config=GRAPH_CONFIG, style={"height": city_map.HEIGHT}, className="map")]


def _form(areas: Areas | None) -> Component:
    zone = ZoneInfo(areas.timezone) if areas else ZoneInfo("America/New_York")
    places = city_map.starts(areas) if areas else dict(city_map.STARTS)
    time = try_it.default_time(datetime.now(UTC), zone)
    rows = [
        dmc.SimpleGrid(
            [*_place("Pickup", "pickup", places["pickup"]), *_place("Dropoff", "dropoff", places["dropoff"])], cols=2
        ),
        dmc.SimpleGrid(
            [
                dmc.NumberInput(id="try-passengers", label="Passengers", value=1, allowDecimal=False),
                dmc.NumberInput(id="try-vendor", label="Vendor", value=1, allowDecimal=False),
            ],
            cols=2,
        ),
        dmc.DateTimePicker(
            id=TIME,
            label="Pickup time",
            value=time,
            valueFormat="D MMM YYYY, HH:mm",
            description=dmc.Text(id=OFFSET, size="xs"),
        ),
        dmc.Button("How long will it take?", id=BUTTON, fullWidth=True),
        dcc.Store(id=ZONE, data=zone.key),
    ]
    return parts.card("The trip", dmc.Stack(rows, gap="sm"))


def _place(title: str, end: End, place: tuple[float, float]) -> list[Component]:
    common = {"decimalScale": 6, "step": 0.001, "hideControls": True}
    return [
        dmc.NumberInput(id=f"try-{end}-latitude", label=f"{title} latitude", value=place[0], **common),
        dmc.NumberInput(id=f"try-{end}-longitude", label=f"{title} longitude", value=place[1], **common),
    ]


def _result() -> Component:
    waiting = parts.empty(
        "The answer comes here: minutes, interval, the version that answered, and how to ask from a terminal."
    )
    return dmc.Box(parts.card("The answer", waiting), id=RESULT, **{"aria-live": "polite"})


def _register(app: Dash, context: Context) -> None:
    _drawing(app, context)
    _choosing(app)
    _moving(app)
    _predicting(app, context)


def _drawing(app: Dash, context: Context) -> None:
    @app.callback(Output(MAP, "children"), Input(WAIT, "n_intervals"), prevent_initial_call=True)
    async def draw(_ticks: int) -> Any:  # noqa: ANN401 - Dash's own
        """Ask again for the city until it is known."""
        return await _map(context)


def _choosing(app: Dash) -> None:
    @app.callback(
        *(Output(name, "value") for name in PLACES),
        Output(END, "value"),
        Output(GRAPH, "clickData"),
        Input(GRAPH, "clickData"),
        State(END, "value"),
        prevent_initial_call=True,
    )
    async def choose(click: object, end: End) -> Any:  # noqa: ANN401 - Dash's own
        """A click sets one place; the next one sets the other."""
        place = city_map.clicked(click)
        if place is None:
            return no_update
        chosen = (*place, no_update, no_update) if end == "pickup" else (no_update, no_update, *place)
        return *chosen, "dropoff" if end == "pickup" else "pickup", None


def _moving(app: Dash) -> None:
    @app.callback(Output(GRAPH, "figure"), *(Input(name, "value") for name in PLACES), prevent_initial_call=True)
    async def move(*values: Any) -> Any:  # noqa: ANN401 - Dash's own
        """Both places on the map follow the form."""
        places = city_map.chosen(values)
        if places is None:
            return no_update
        patch = Patch()
        for axis, coordinates in city_map.coordinates(places).items():
            patch["data"][city_map.PLACES][axis] = coordinates
        return patch

    @app.callback(Output(OFFSET, "children"), Input(TIME, "value"), State(ZONE, "data"))
    async def tell_offset(value: object, zone: str) -> str:
        """What the time in the picker means."""
        return try_it.offset_words(value, ZoneInfo(zone))


def _predicting(app: Dash, context: Context) -> None:
    @app.callback(
        Output(RESULT, "children"),
        *(Output(name, "error") for name in INPUTS),
        Input(BUTTON, "n_clicks"),
        *(State(name, "value") for name in ORDER),
        State(ZONE, "data"),
        prevent_initial_call=True,
        running=[(Output(BUTTON, "loading"), True, False)],
    )
    async def predict(clicks: int | None, *given: Any) -> Any:  # noqa: ANN401 - Dash's own
        """Ask the API and show what it says."""
        if not clicks:
            return no_update
        answer, wrong = await _ask(context, Typed(*given[: len(ORDER)]), ZoneInfo(given[-1]))
        return answer, *(wrong[name] for name in INPUTS)


async def _ask(context: Context, typed: Typed, zone: ZoneInfo) -> tuple[Component, Mapping[str, str]]:
    try:
        request = try_it.request_of(typed, zone)
    except ValueError as error:
        return parts.card("The answer", parts.problem("The time is missing", str(error))), {
            **try_it.marked(None),
            TIME: str(error),
        }
    line = try_it.curl(request, context.api_public, needs_key=context.settings.board_api_key is not None)
    began = perf_counter()
    try:
        prediction = await context.client.post("/predict", request, Prediction)
    except ApiError as error:
        told = try_it.refused(error.title, error.detail, error.problem)
        return parts.card("The answer", told, try_it.terminal(line)), try_it.marked(error.problem)
    answer = try_it.answered(prediction, perf_counter() - began)
    return parts.card("The answer", answer, try_it.terminal(line)), try_it.marked(None)


PAGE = Page("try-it", "/try", "Try it", _layout, _register)
