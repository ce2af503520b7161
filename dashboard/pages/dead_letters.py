"""The page Dead letters: what was refused and why; for an operator, what it says, and publishing it again.

The operator's key lives in its input field in the browser, goes with each request that needs it, and is kept nowhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, no_update
from dash.development.base_component import Component

from dashboard import asks, keys, part
from dashboard.client import ApiError
from dashboard.figures import dead_letters, grids, parts
from dashboard.page import Context, Known, News, Page, Props
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View, view_of
from schemas.http.trips import DeadLetter, DeadLetters, Replayed, ReplayRequest

NAME, MOST_ROWS = "dead-letters", 12
GRID, KEY, REASON, CHOSEN, WHOLE = (
    "letters-grid",
    "letters-key",
    "letters-reason",
    "letters-replay-chosen",
    "letters-replay-reason",
)
DRAWER, MODAL, QUESTION, CONFIRM, CANCEL = (
    "letters-drawer",
    "letters-modal",
    "letters-question",
    "letters-confirm",
    "letters-cancel",
)
PENDING, RESULT = "letters-pending", "letters-result"


def _reasons(found: DeadLetters, scene: Scene) -> Mapping[str, Props]:
    rows = dead_letters.letter_rows(found, scene.zone)
    return {
        "letters-reasons-body": {"children": dead_letters.reasons(found, scene.zone)},
        REASON: {"data": dead_letters.reason_choices(found)},
        GRID: {"rowData": rows, "style": grids.height(len(rows), MOST_ROWS)},
    }


PARTS = (Part("letters-reasons", (asks.DEAD_LETTERS,), _reasons),)


async def _layout(context: Context, view: View) -> Component:
    known = await context.readings.get(asks.DEAD_LETTERS)
    rows = dead_letters.letter_rows(known.data, view.zone) if known.data else []
    choices = dead_letters.reason_choices(known.data) if known.data else []
    head = parts.head(
        "Dead letters", "Events that were refused, kept byte for byte with the reason. Nothing is dropped in silence."
    )
    reasons = part.empty(PARTS[0])
    return parts.page(NAME, head, reasons, _operator(choices), _letters(rows), _drawer(), _modal(), dcc.Store(id=PENDING))


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


def _operator(choices: Sequence[dict[str, str]]) -> Component:
    key = dmc.PasswordInput(
        id=KEY,
        label="Operator key",
        placeholder="tc_…",
        description="Kept in this field only: sent with each request, never stored.",
        w={"base": "100%", "sm": 300},
        autoComplete="off",
    )
    reason = dmc.Select(id=REASON, label="Reason", placeholder="all of one reason", data=list(choices), clearable=True, w=260)
    buttons = [
        dmc.Button("Replay chosen", id=CHOSEN, variant="light", disabled=True),
        dmc.Button("Replay reason", id=WHOLE, variant="light", disabled=True),
    ]
    row = dmc.Group([key, reason, dmc.Group(buttons, gap="xs")], align="end", gap="md")
    note = [
        "Replay publishes events again once the cause is gone. It needs an operator key; ",
        dmc.Code(dead_letters.MAKE_KEY),
        " makes one.",
    ]
    return parts.card("For operators", row, dmc.Box(id=RESULT, **{"aria-live": "polite"}), note=note)


def _letters(rows: Sequence[dict[str, Any]]) -> Component:
    grid = grids.grid(GRID, dead_letters.COLUMNS, rows, "id", height=420, choose=True)
    return parts.card(
        "Newest letters",
        grid,
        note="Click a row, or press Enter on it, for its bytes, headers and provenance; tick rows to replay them.",
    )


def _drawer() -> Component:
    return dmc.Drawer(id=DRAWER, title="Dead letter", position="right", size="lg", children=[])


def _modal() -> Component:
    buttons = dmc.Group(
        [dmc.Button("Cancel", id=CANCEL, variant="default"), dmc.Button("Publish again", id=CONFIRM, color="orange")],
        justify="end",
    )
    return dmc.Modal(dmc.Stack([dmc.Text(id=QUESTION, size="sm"), buttons]), id=MODAL, title="Replay", centered=True)


def _register(app: Dash, context: Context) -> None:
    _switches(app)
    _opening(app, context)
    _asking(app)
    _replaying(app, context)


def _switches(app: Dash) -> None:
    @app.callback(
        Output(CHOSEN, "disabled"),
        Output(WHOLE, "disabled"),
        Input(KEY, "value"),
        Input(GRID, "selectedRows"),
        Input(REASON, "value"),
    )
    async def switch(key: str | None, rows: list[dict[str, Any]] | None, reason: str | None) -> tuple[bool, bool]:
        """What can be asked for now."""
        usable = keys.usable(key)
        return not (usable and rows), not (usable and reason)


def _opening(app: Dash, context: Context) -> None:
    @app.callback(
        Output(DRAWER, "opened"),
        Output(DRAWER, "title"),
        Output(DRAWER, "children"),
        Input(GRID, "cellClicked"),
        Input(GRID, "eventData"),
        State(KEY, "value"),
        State("view", "data"),
        prevent_initial_call=True,
    )
    async def open_letter(_cell: object, _key_pressed: object, key: str | None, view: object) -> Any:  # noqa: ANN401 - Dash's own
        """One letter in full."""
        asked = grids.asked_for(ctx.triggered[0]["value"])
        if asked is None:
            return no_update
        return True, f"Dead letter {asked}", await _letter(context, asked, key, view_of(view))


async def _letter(context: Context, dead_letter_id: int, key: str | None, view: View) -> Component:
    if not keys.usable(key):
        return dead_letters.without_key("A refused event may hold anything, so its bytes are for operators only.")
    try:
        letter = await context.client.get(f"/dead-letters/{dead_letter_id}", DeadLetter, key=keys.cleaned(key))
    except ApiError as error:
        return parts.problem(error.title, error.detail)
    return dead_letters.opened(letter, view.zone)


def _asking(app: Dash) -> None:
    @app.callback(
        Output(MODAL, "opened"),
        Output(QUESTION, "children"),
        Output(PENDING, "data"),
        Input(CHOSEN, "n_clicks"),
        Input(WHOLE, "n_clicks"),
        Input(CANCEL, "n_clicks"),
        State(GRID, "selectedRows"),
        State(REASON, "value"),
        prevent_initial_call=True,
    )
    async def ask(_chosen: int, _whole: int, _cancel: int, rows: list[dict[str, Any]] | None, reason: str | None) -> Any:  # noqa: ANN401
        """Nothing is published before somebody has read what it means."""
        if ctx.triggered_id == CHOSEN and rows:
            return True, dead_letters.question(len(rows), None), {"ids": [int(row["id"]) for row in rows]}
        if ctx.triggered_id == WHOLE and reason:
            return True, dead_letters.question(0, reason), {"reason": reason}
        return False, no_update, None


def _replaying(app: Dash, context: Context) -> None:
    @app.callback(
        Output(MODAL, "opened", allow_duplicate=True),
        Output(RESULT, "children"),
        Output(PENDING, "data", allow_duplicate=True),
        Output(GRID, "selectedRows"),
        Input(CONFIRM, "n_clicks"),
        State(PENDING, "data"),
        State(KEY, "value"),
        prevent_initial_call=True,
        running=[(Output(CONFIRM, "loading"), True, False)],
    )
    async def replay(clicks: int | None, pending: dict[str, Any] | None, key: str | None) -> Any:  # noqa: ANN401
        """Publish what was asked about, with the key that stands in the field."""
        if not clicks or not pending:
            return no_update
        return False, await _replay(context, pending, key), None, []


async def _replay(context: Context, pending: Mapping[str, Any], key: str | None) -> Component:
    if not keys.usable(key):
        return dead_letters.without_key("Only operators can publish events again.")
    wanted = ReplayRequest(ids=pending.get("ids"), reason=pending.get("reason"))
    try:
        done = await context.client.post("/dead-letters/replay", wanted, Replayed, key=keys.cleaned(key))
    except ApiError as error:
        return parts.problem(error.title, error.detail)
    context.readings.forget(asks.DEAD_LETTERS.path)
    return parts.said_well(dead_letters.result(done))


PAGE = Page(NAME, "/dead-letters", "Dead letters", _layout, _register, _news)
