"""What the time charts of the page Live share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import Patch

from dashboard.frame import words
from dashboard.frame.theme import FONT, ink
from dashboard.view import View

Trace = dict[str, Any]
Figure = dict[str, Any]
Values = Sequence[float | None]
DIGITS = 4


def times(at: Sequence[datetime], view: View) -> list[str]:
    """The reader's wall clock, as Plotly takes it."""
    return [words.local(moment, view.zone).isoformat(sep=" ", timespec="milliseconds") for moment in at]


def rounded(values: Values) -> list[float | None]:
    """Short enough to send every second; None stays a gap."""
    return [None if value is None else round(value, DIGITS) for value in values]


def utc_line(at: Sequence[datetime], across: Sequence[str], level: float = 0.0, **more: object) -> Trace:
    """No line at all: the hover's line that tells the moment in UTC."""
    return {
        "type": "scatter",
        "mode": "lines",  # without width; markers would widen the axis
        "line": {"width": 0},
        "x": across,
        "y": [level] * len(across),
        "customdata": [words.utc(moment) for moment in at],
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
        "name": "UTC",
        **more,
    }


def layout(view: View, height: int, **more: object) -> Figure:
    """No frame, faint lines, one hover box, and a zoom that survives updates."""
    pen = ink(dark=view.dark)
    return {
        "height": height,
        "margin": {"l": 46, "r": 10, "t": 26, "b": 24},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": pen.text},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": pen.ground, "bordercolor": pen.grid, "font": {"color": pen.text, "size": 11}},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}, "itemwidth": 30},
        "uirevision": "constant",
        "separators": ". ",
        "dragmode": "zoom",
        **more,
    }


def empty(height: int) -> Figure:
    """A chart before its first data: no axes, for theirs would be of nothing."""
    hidden, clear = {"visible": False}, "rgba(0,0,0,0)"
    layout = {"height": height, "xaxis": hidden, "yaxis": hidden, "paper_bgcolor": clear, "plot_bgcolor": clear}
    return {"data": [], "layout": layout}


def axis(view: View, **more: object) -> Figure:
    """An axis with faint lines."""
    pen = ink(dark=view.dark)
    return {
        "gridcolor": pen.grid,
        "linecolor": pen.grid,
        "zeroline": False,
        "tickfont": {"size": 10.5, "color": pen.faint},
        "automargin": False,
        **more,
    }


def time_axis(view: View, **more: object) -> Figure:
    """Time of day; the hover tells the seconds. It has no range of its own: one that moves would undo a zoom by hand."""
    shape = {"showgrid": False, "hoverformat": "%a %H:%M:%S", "tickformatstops": TICKS, "nticks": 7, "type": "date"}
    return axis(view, **shape, **more)


TICKS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M"},
    {"dtickrange": [43_200_000, None], "value": "%d %b"},
]


def renewed(figure: Figure) -> Patch:
    """Only what time changes of a figure: the browser's layout stays, and in it the reader's zoom."""
    patch = Patch()
    patch["data"] = figure["data"]
    patch["layout"]["shapes"] = figure["layout"].get("shapes", [])
    return patch


def title(text: str, height: float, view: View) -> Figure:
    """A subplot's title, at its upper left."""
    pen = ink(dark=view.dark)
    return {
        "text": text,
        "x": 0,
        "y": height,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": pen.faint},
    }
