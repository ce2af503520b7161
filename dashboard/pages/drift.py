"""The page of one drift signal, at `/drift?signal=`; without one, that of the first."""

from urllib.parse import quote

from dash import dcc, html
from dash.development.base_component import Component

from dashboard.client import ApiError
from dashboard.live import drift_detail
from dashboard.page import Context, Known, News, Page
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.quality import Drift, DriftDetail


async def _layout(_context: Context, _view: View) -> Component:
    head = html.Div([html.Div(id="drift-tabs", className="tabs"), html.H1(id="drift-title", className="page-title")])
    return html.Div([head, html.Div(id="drift-body")], id="page-drift", className="drift")


async def _news(context: Context, view: View, seen: Seen, known: Known) -> News:
    """Drawn anew when the loop has taken a step, which the snapshot's panel tells; nothing while paused."""
    mark = f"{_version(seen)} {view.theme} {view.query.get('signal')}"
    if known.get("drift") == mark or (view.paused and known):
        return News(known=known)
    try:
        signals = (await context.client.get("/drift", Drift)).signals
        name = view.query.get("signal") or (signals[0].signal if signals else "")
        if not name:
            return News(
                {"drift-body": {"children": html.Div("No signal is watched yet.", className="quiet hint")}}, {"drift": mark}
            )
        detail = await context.client.get(f"/drift/{quote(name, safe='')}", DriftDetail)
    except ApiError as error:
        if "drift" in known:
            return News(known=known)  # what was drawn stays; the banner tells of the trouble
        said = html.Div([html.Strong(error.title), html.Span(error.detail)], className="banner banner-alarm", role="alert")
        return News({"drift-body": {"children": said}}, known)
    return News(
        {
            "drift-tabs": {
                "children": _tabs(signals_of=[(each.signal, each.title) for each in signals], chosen=name, view=view)
            },
            "drift-title": {"children": detail.signal.title},
            "drift-body": {"children": drift_detail.draw(detail, view)},
        },
        {"drift": mark},
    )


def _version(seen: Seen) -> str:
    return f"{seen.snapshot.boot} {seen.snapshot.drift.version}" if seen.snapshot else ""


def _tabs(signals_of: list[tuple[str, str]], chosen: str, view: View) -> list[Component]:
    return [
        dcc.Link(title, href=view.address("/drift", signal=name), className="tab chosen" if name == chosen else "tab")
        for name, title in signals_of
    ]


PAGE = Page("drift", "/drift", "Drift", _layout, news=_news)
