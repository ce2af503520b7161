"""The panels of the page Live: a frame for each, and what changes in it when its data do."""

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.attributes import attributes
from dashboard.frame.status import GREYED, Shown
from dashboard.page import Props
from dashboard.view import View
from schemas.http.snapshot import Panel

TITLES = {
    "cards": "",
    "traffic": "Throughput and lag",
    "error": "Error over time",
    "drift": "Drift",
    "retraining": "Retraining",
    "map": "Map",
    "trips": "Latest predictions",
}
WAITING = "Waiting for the first data."


def panel(name: str, body: Component, tools: Component | None = None, lead: str = "") -> Component:
    """A titled box; what it holds is hidden until it has data."""
    title = TITLES[name]
    head = [html.H2(title, title=lead), html.Span(id=f"note-{name}", className="note"), tools] if title else []
    heading = html.Div(head, className="panel-head") if head else html.Span(id=f"note-{name}", className="note")
    waiting = html.Div(WAITING, className="panel-waiting quiet")
    named = attributes(aria_label=title or "Numbers", data_version="", data_as_of="", data_error="", data_stale=False)
    return html.Section(
        [heading, waiting, html.Div(body, className="panel-body")],
        id=f"panel-{name}",
        className=_look(name, empty=True),
        **named,
    )


def note(name: str, found: Panel[Any], state: Shown, view: View) -> Mapping[str, Props]:
    """Whether what is seen is the present; if not, as of when it is and why."""
    stale = found.error is not None or state in GREYED
    as_of = f"as of {words.clock(found.as_of, view.zone)}" if stale and found.as_of else ""
    text = ". ".join(part for part in (as_of, found.error) if part)
    told = attributes(
        data_version=found.version,
        data_as_of=found.as_of.isoformat() if found.as_of else "",
        data_error=found.error or "",
        data_stale=stale,
    )
    return {
        f"panel-{name}": {
            **told,
            "className": _look(name, stale=stale, failed=found.error is not None, empty=found.data is None),
        },
        f"note-{name}": {"children": text, "title": words.utc(found.as_of) if found.as_of else ""},
    }


def _look(name: str, *, stale: bool = False, failed: bool = False, empty: bool = False) -> str:
    flags = (("stale", stale), ("failed", failed), ("empty", empty))
    return " ".join(("panel", f"panel-of-{name}", *(flag for flag, on in flags if on)))
