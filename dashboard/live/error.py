"""The error over event time: the champion's, the challenger's beside it, and how often the interval held."""

from datetime import datetime, timedelta

from dashboard.frame.theme import GREY, ORANGE, ink
from dashboard.live import lines
from dashboard.live.lines import Figure, Trace
from dashboard.view import View
from schemas.http.snapshot import ErrorSeries

HEIGHT = 300
UPPER, LOWER = (0.42, 1.0), (0.0, 0.28)
TARGET = 0.9
REFERENCE = "rgba(0,158,115,0.16)"
BAND = 0.1  # the reference band: training's error, a tenth up and down


def figure(series: ErrorSeries, view: View) -> Figure:
    """Upper half: mean absolute error in minutes. Lower half: coverage of the interval. What is immature is dashed and grey."""
    if not series.times:
        return lines.empty(HEIGHT)
    across = lines.times(series.times, view)
    pen = ink(dark=view.dark)
    champion = f"champion v{series.champion}" if series.champion is not None else "champion"
    traces = [
        _error(champion, across, mature(series, series.mae_minutes), pen.main, {"width": 2}),
        _error("immature", across, immature(series, series.mae_minutes), GREY, {"width": 1.3, "dash": "dash"}),
        lines.utc_line(series.times, across, series.reference_mae_minutes or 0.0),
        _coverage("interval holds", across, mature(series, series.interval_coverage), pen.main, "solid"),
        _coverage("not yet mature", across, immature(series, series.interval_coverage), GREY, "dash"),
        _trips(series, across),
    ]
    if series.reference_mae_minutes is not None:
        traces.append(_reference_name())
    if series.challenger is not None:
        name = f"challenger v{series.challenger}"
        traces.insert(2, _error(name, across, series.challenger_mae_minutes, ORANGE, {"width": 1.8, "dash": "dot"}))
    return {"data": traces, "layout": _layout(series, view)}


def mature(series: ErrorSeries, values: lines.Values) -> list[float | None]:
    """What can be trusted; the rest is a gap."""
    border = first_immature(series)
    return [*values[:border], *[None] * (len(values) - border)]


def immature(series: ErrorSeries, values: lines.Values) -> list[float | None]:
    """What cannot be trusted yet, joined to the last value that can."""
    border = max(first_immature(series) - 1, 0)
    return [*[None] * border, *values[border:]]


def first_immature(series: ErrorSeries) -> int:
    """The place of the first value that is not mature; the count of values where all are."""
    until = series.mature_until
    if until is None:
        return 0
    return next((place for place, at in enumerate(series.times) if at >= until), len(series.times))


def _error(name: str, across: list[str], values: lines.Values, colour: str, line: dict[str, object]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": across,
        "y": lines.rounded(values),
        "line": {"color": colour, **line},
        "hovertemplate": f"{name}: %{{y:.2f}} min<extra></extra>",
        "connectgaps": False,
    }


def _coverage(name: str, across: list[str], values: lines.Values, colour: str, dash: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": across,
        "y": lines.rounded(values),
        "yaxis": "y2",
        "line": {"color": colour, "width": 1.5, "dash": dash},
        "hovertemplate": f"{name}: %{{y:.1%}}<extra></extra>",
        "showlegend": False,
        "connectgaps": False,
    }


def _trips(series: ErrorSeries, across: list[str]) -> Trace:
    return lines.utc_line(series.times, across, TARGET, yaxis="y2") | {
        "customdata": series.trips,
        "hovertemplate": "%{customdata} trips settled<extra></extra>",
    }


def _layout(series: ErrorSeries, view: View) -> Figure:
    return lines.layout(
        view,
        HEIGHT,
        shapes=[*_reference(series), _target(view), *_immature_region(series, view)],
        margin={"l": 54, "r": 10, "t": 24, "b": 24},
        xaxis=lines.time_axis(view, anchor="y2"),
        yaxis=lines.axis(view, domain=UPPER, nticks=5, ticksuffix=" min"),
        yaxis2=lines.axis(view, domain=LOWER, nticks=4, tickformat=".0%"),
        annotations=[
            lines.title("Trips within their 90 % interval; dashed: target", LOWER[1] + 0.01, view),
        ],
    )


def _reference(series: ErrorSeries) -> list[Figure]:
    reference = series.reference_mae_minutes
    if reference is None:
        return []
    base = {"xref": "paper", "yref": "y", "x0": 0, "x1": 1, "layer": "below"}
    band = {"type": "rect", "y0": reference * (1 - BAND), "y1": reference * (1 + BAND), "line": {"width": 0}}
    return [{**base, **band, "fillcolor": REFERENCE}]


def _reference_name() -> Trace:
    """The band in the legend."""
    marker = {"symbol": "square", "size": 11, "color": REFERENCE}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "training \N{PLUS-MINUS SIGN}10 %",
        "x": [None],
        "y": [None],
        "marker": marker,
    }


def _target(view: View) -> Figure:
    pen = ink(dark=view.dark)
    place = {"type": "line", "xref": "paper", "yref": "y2", "x0": 0, "x1": 1, "y0": TARGET, "y1": TARGET}
    return {**place, "line": {"color": pen.faint, "width": 1, "dash": "dash"}}


def _immature_region(series: ErrorSeries, view: View) -> list[Figure]:
    ends = _immature_ends(series)
    if ends is None:
        return []
    left, right = lines.times(ends, view)
    place = {"type": "rect", "xref": "x", "yref": "paper", "x0": left, "x1": right, "y0": 0, "y1": 1, "layer": "below"}
    return [{**place, "fillcolor": "rgba(138,147,157,0.13)", "line": {"width": 0}}]


def _immature_ends(series: ErrorSeries) -> tuple[datetime, datetime] | None:
    border = first_immature(series)
    if border >= len(series.times):
        return None
    return series.times[border], series.times[-1] + timedelta(minutes=series.step_minutes)
