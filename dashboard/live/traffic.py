"""Throughput and lag on one time axis, with what happened as vertical marks."""

from collections.abc import Mapping

from dashboard.frame import words
from dashboard.frame.theme import GREEN, GREY, ORANGE, PURPLE, VERMILLION, ink
from dashboard.live import lines
from dashboard.live.lines import Figure, Trace
from dashboard.view import View
from schemas.http.snapshot import Mark, Traffic

HEIGHT = 300
UPPER, LOWER = (0.46, 1.0), (0.0, 0.34)
SHADES = ("rgba(0,114,178,0.75)", "rgba(86,180,233,0.65)", "rgba(0,114,178,0.5)", "rgba(86,180,233,0.4)")
MARK_COLOURS: Mapping[str, str] = {"drift": VERMILLION, "model_switch": GREEN, "retraining": PURPLE, "rebalance": ORANGE}


def figure(traffic: Traffic, view: View) -> Figure:
    """Upper half: received, scored, quarantined a second. Lower half: events that wait, by partition, and for how long."""
    if not traffic.times:
        return lines.empty(HEIGHT)
    across = lines.times(traffic.times, view)
    pen = ink(dark=view.dark)
    traces = [
        _line("received", across, traffic.received, pen.faint, fill="tozeroy", fillcolor="rgba(138,147,157,0.14)"),
        _line("scored", across, traffic.scored, pen.main, width=2),
        _line("quarantined", across, traffic.quarantined, VERMILLION),
        lines.utc_line(traffic.times, across),
        *_partitions(traffic, across),
        _waiting(traffic, across, view),
        _marks(traffic, view),
    ]
    return {"data": traces, "layout": _layout(traffic, view)}


def _line(name: str, across: list[str], values: lines.Values, colour: str, *, width: float = 1.3, **more: object) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": across,
        "y": lines.rounded(values),
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{name} %{{y:.1f}}/s<extra></extra>",
        "connectgaps": False,
        **more,
    }


def _partitions(traffic: Traffic, across: list[str]) -> list[Trace]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"partition {number}",
            "x": across,
            "y": lines.rounded(values),
            "yaxis": "y2",
            "stackgroup": "lag",
            "line": {"width": 0},
            "fillcolor": SHADES[place % len(SHADES)],
            "hovertemplate": f"partition {number}: %{{y:.0f}} events<extra></extra>",
            "showlegend": False,
        }
        for place, (number, values) in enumerate(sorted(traffic.partitions.items(), key=lambda each: (len(each[0]), each[0])))
    ]


def _waiting(traffic: Traffic, across: list[str], view: View) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "oldest waits",
        "x": across,
        "y": lines.rounded(traffic.lag_seconds),
        "yaxis": "y3",
        "line": {"color": ink(dark=view.dark).text, "width": 1.3, "dash": "dot"},
        "hovertemplate": "oldest waits %{y:.2f} s<extra></extra>",
        "showlegend": False,
    }


def _marks(traffic: Traffic, view: View) -> Trace:
    """Little flags above the lines, whose hover tells what happened."""
    marks = _shown(traffic)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "events",
        "x": lines.times([mark.at for mark in marks], view),
        "y": [1.0] * len(marks),
        "yaxis": "y4",
        "marker": {"symbol": "triangle-down", "size": 9, "color": [_colour(mark) for mark in marks]},
        "customdata": [[mark.text, words.utc(mark.at)] for mark in marks],
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
    }


def _shown(traffic: Traffic) -> list[Mark]:
    """Those within the axis."""
    if not traffic.times:
        return []
    return [mark for mark in traffic.marks if traffic.times[0] <= mark.at]


def _colour(mark: Mark) -> str:
    return MARK_COLOURS.get(mark.kind, GREY)


def _layout(traffic: Traffic, view: View) -> Figure:
    marks = _shown(traffic)
    stripes = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": _colour(mark), "width": 1, "dash": "dot"},
        }
        for mark, at in zip(marks, lines.times([mark.at for mark in marks], view), strict=True)
    ]
    return lines.layout(
        view,
        HEIGHT,
        shapes=stripes,
        margin={"l": 46, "r": 44, "t": 24, "b": 24},
        xaxis=lines.time_axis(view, anchor="y2"),
        yaxis=lines.axis(view, domain=UPPER, rangemode="tozero", nticks=4, ticksuffix="/s"),
        yaxis2=lines.axis(view, domain=LOWER, rangemode="tozero", nticks=3),
        yaxis3=lines.axis(
            view,
            domain=LOWER,
            overlaying="y2",
            side="right",
            rangemode="tozero",
            nticks=3,
            showgrid=False,
            ticksuffix=" s",
            tickformat=".2~f",
        ),
        yaxis4={"domain": UPPER, "overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        annotations=[lines.title("Lag by partition in events; dotted: how long the oldest waits", LOWER[1] + 0.01, view)],
    )
