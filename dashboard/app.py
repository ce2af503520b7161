"""The board as a Dash application: frame, pages, and the one callback that moves everything."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update, set_props
from dash.development.base_component import Component

from dashboard.client import ApiError
from dashboard.frame import frame, status
from dashboard.page import Context, News, Page
from dashboard.poller import Key, Seen
from dashboard.view import View, view_of

log = structlog.get_logger("tripcast.dashboard")
ASSETS = Path(__file__).parent / "assets"
TITLE = "tripcast"
DOCUMENT = """<!DOCTYPE html>
<html lang="en">
  <head>{%metas%}<title>{%title%}</title>{%favicon%}{%css%}</head>
  <body>{%app_entry%}<footer>{%config%}{%scripts%}{%renderer%}</footer></body>
</html>"""


def create_application(context: Context, pages: Sequence[Page]) -> Dash:
    """The application with all callbacks, and nothing running."""
    app = Dash(
        __name__,
        backend="fastapi",
        assets_folder=str(ASSETS),
        serve_locally=True,
        suppress_callback_exceptions=True,  # pages come and go, and so do the ids of their callbacks
        update_title="",
        title=TITLE,
        index_string=DOCUMENT,
        on_error=_log_error,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.backend.websocket_capability = False  # else each browser opens one that nobody needs
    app.layout = frame.frame(pages)
    _follow_address(app)
    _open_pages(app, context, pages)
    _tick(app, context, pages)
    for page in pages:
        page.register(app, context)
    app.backend._setup_catchall()  # type: ignore[attr-defined]  # Dash does it when the server starts, with whatever application was made last
    app._setup_server()  # type: ignore[no-untyped-call]  # Dash does it at the first request of "/": a shared address opened first had no assets
    return app


def _follow_address(app: Dash) -> None:
    """The address decides, controls change the address: see `assets/board.js`."""
    _in_browser(
        app,
        ClientsideFunction("board", "follow"),
        Output("view", "data"),
        Output("route", "data"),
        Output("period", "value"),
        Output("mantine", "forceColorScheme"),
        Output("tick", "disabled"),
        Input("url", "search"),
        Input("url", "pathname"),
        State("route", "data"),
    )
    for name, event in (("period", "value"), ("pause", "n_clicks"), ("theme", "n_clicks")):
        _in_browser(app, ClientsideFunction("board", name), Input(name, event), prevent_initial_call=True)
    _in_browser(app, ClientsideFunction("board", "heard"), Input("pill", "children"), prevent_initial_call=True)
    _in_browser(
        app,
        ClientsideFunction("board", "navigation"),
        Output("shell", "navbar"),
        Output("burger", "opened"),
        Input("burger", "opened"),
        Input("route", "data"),
        prevent_initial_call=True,
    )


def _in_browser(app: Dash, function: ClientsideFunction, *arguments: object, **options: object) -> None:
    app.clientside_callback(function, *arguments, **options)  # type: ignore[no-untyped-call]


def _open_pages(app: Dash, context: Context, pages: Sequence[Page]) -> None:
    @app.callback(Output("page", "children"), Output("known", "data"), Input("route", "data"), State("view", "data"))
    async def show(route: str | None, view: object) -> Any:  # noqa: ANN401 - Dash's own
        """The page at the address, and what the browser knows with it."""
        if route is None:
            return no_update, no_update
        return await _opened(context, _page_at(pages, route), view_of(view))


def _tick(app: Dash, context: Context, pages: Sequence[Page]) -> None:
    @app.callback(
        Output("pill", "children"),
        Output("last-event", "children"),
        Output("banner", "children"),
        Output("environment", "children"),
        Output("known", "data", allow_duplicate=True),
        Input("tick", "n_intervals"),
        Input("view", "data"),
        State("route", "data"),
        State("known", "data"),
        prevent_initial_call=True,
    )
    async def tick(_ticks: int | None, data: object, route: str | None, known: dict[str, str] | None) -> Any:  # noqa: ANN401
        """What changed since the browser last asked: the header, and whatever its page wants to renew."""
        view, before = view_of(data), known or {}
        seen = await context.poller.latest(Key(view.period, view.area))
        news = await _page_at(pages, route or "/").news(context, view, seen, before)
        for component, props in news.props.items():
            set_props(component, dict(props))
        return *_header(view, seen), no_update if news.known == before else dict(news.known)


def _header(view: View, seen: Seen) -> tuple[Any, ...]:
    state = status.shown(view, seen)
    environment = seen.snapshot.status.environment if seen.snapshot else no_update
    return (
        frame.pill(state, status.pill(state, seen)),
        frame.last_event(status.last_event(view, state, seen)),
        frame.banner(status.banner(view, state, seen)),
        environment,
    )


def _page_at(pages: Sequence[Page], route: str) -> Page:
    path = route.partition("?")[0].rstrip("/") or "/"
    return next((page for page in pages if page.path == path), pages[0])


async def _opened(context: Context, page: Page, view: View) -> tuple[Component, dict[str, str]]:
    try:
        root = await page.layout(context, view)
        news = await page.news(context, view, await context.poller.latest(Key(view.period, view.area)), {})
    except ApiError as error:
        words = [html.Strong(error.title), html.Span(error.detail)]
        return html.Div(html.Div(words, className="banner banner-alarm", role="alert"), id=f"page-{page.name}"), {}
    return _filled(root, news), dict(news.known)


def _filled(root: Component, news: News) -> Component:
    """The page as if its news had come already: a paused page moves no more, and no page begins empty."""
    parts = {part.id: part for part in (root, *_parts_of(root)) if hasattr(part, "id")}
    for name, props in news.props.items():
        for prop, value in props.items():
            if name in parts:
                setattr(parts[name], prop, value)
    return root


def _parts_of(root: Component) -> Iterable[Component]:
    found: Iterable[Component] = root._traverse()  # type: ignore[no-untyped-call]
    return found


def _log_error(error: Exception) -> None:
    """A callback that fails leaves its part of the page as it was."""
    log.error("callback_failed", exc_info=error)
