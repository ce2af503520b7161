"""What a page says while it cannot be told anything new: it keeps what it had, and says since when."""

from datetime import datetime
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.frame import words


def kept(trouble: str, as_of: datetime | None, zone: ZoneInfo) -> Component:
    """`trouble` in words for a person; `as_of` is when what is still shown was read, None if there is nothing."""
    shown = (
        "Nothing has been read yet; this page fills by itself."
        if as_of is None
        else f"Shown is what was read at {words.day_and_clock(as_of, zone)}."
    )
    return html.Div(f"{trouble.rstrip('.')}. {shown}", className="notice", role="note")


def one() -> Component:
    """Holds the place of one box."""
    return waiting(1)


def waiting(lines: int = 3) -> Component:
    """Holds the place of what is being loaded."""
    return dmc.Stack([dmc.Skeleton(h=92, radius="md") for _ in range(lines)], gap="md", className="waiting")
