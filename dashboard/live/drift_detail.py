"""One signal in full: its statistic against the threshold, its values, the alarms, and how both windows lie."""

from itertools import pairwise

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.theme import GREY, VERMILLION, ink
from dashboard.live import lines
from dashboard.live.drift import badge, measured
from dashboard.live.lines import Figure, Trace
from dashboard.view import View
from schemas.http.quality import DriftDetail, DriftSignal, Histogram

HEIGHT = 420
UPPER, LOWER = (0.46, 1.0), (0.0, 0.36)


def draw(detail: DriftDetail, view: View) -> Component:
    """The page's body."""
    signal = detail.signal
    return html.Div(
        [
            _facts(signal, detail, view),
            dmc.Grid(
                [
                    dmc.GridCol(_box("Statistic and value", _graph(figure(detail, view), "drift-chart")), span=12),
                    dmc.GridCol(_box("Then and now", _windows(detail, view)), span={"base": 12, "lg": 7}),
                    dmc.GridCol(_box("Alarms", _alarms(detail, view)), span={"base": 12, "lg": 5}),
                ],
                gutter="sm",
            ),
        ]
    )


def figure(detail: DriftDetail, view: View) -> Figure:
    """Upper half: the statistic and its threshold; lower half: the signal itself. Vertical lines: alarms. Event time."""
    signal, pen = detail.signal, ink(dark=view.dark)
    across = lines.times(signal.times, view)
    traces = [
        _line("statistic", across, signal.statistics, pen.main, ""),
        lines.utc_line(signal.times, across),
        _line("value", across, signal.values, pen.main, signal.unit, yaxis="y2"),
    ]
    return {"data": traces, "layout": _layout(detail, view)}


def histogram(found: Histogram, unit: str, view: View) -> Figure:
    """Shares of both windows between the same edges, so that windows of different size compare."""
    middles = [(low + high) / 2 for low, high in pairwise(found.edges)]
    widths = [high - low for low, high in pairwise(found.edges)]
    pen = ink(dark=view.dark)
    bars = [
        _bars("reference", middles, widths, found.reference, GREY),
        _bars("now", middles, widths, found.recent, pen.main),
    ]
    axes = {"xaxis": lines.axis(view, title={"text": unit, "font": {"size": 11}}), "yaxis": lines.axis(view, tickformat=".0%")}
    return {"data": bars, "layout": lines.layout(view, 280, barmode="overlay", bargap=0, hovermode="x", **axes)}


def shares(counts: list[int]) -> list[float]:
    """Of all counts; nothing where there are none."""
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _bars(name: str, middles: list[float], widths: list[float], counts: list[int], colour: str) -> Trace:
    hover = f"{name}: %{{y:.1%}}, %{{customdata}} trips<extra></extra>"
    base = {"type": "bar", "name": name, "x": middles, "width": widths, "y": shares(counts), "customdata": counts}
    return {**base, "marker": {"color": colour, "opacity": 0.55, "line": {"width": 0}}, "hovertemplate": hover}


def _line(name: str, across: list[str], values: lines.Values, colour: str, unit: str, **more: object) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": across,
        "y": lines.rounded(values),
        "line": {"color": colour, "width": 1.8},
        "hovertemplate": f"{name} %{{y:.4g}} {unit}<extra></extra>",
        "connectgaps": False,
        "showlegend": False,
        **more,
    }


def _layout(detail: DriftDetail, view: View) -> Figure:
    signal = detail.signal
    alarms = lines.times(detail.alarms, view)
    upright = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    dotted = {"color": VERMILLION, "width": 1, "dash": "dot"}
    return lines.layout(
        view,
        HEIGHT,
        shapes=[*_threshold(signal), *({**upright, "x0": at, "x1": at, "line": dotted} for at in alarms)],
        xaxis=lines.time_axis(view, anchor="y2"),
        yaxis=lines.axis(view, domain=UPPER, rangemode="tozero", nticks=5),
        yaxis2=lines.axis(view, domain=LOWER, nticks=4),
        annotations=[
            lines.title("Statistic; dashed: threshold; dotted: alarms", UPPER[1] + 0.01, view),
            lines.title(f"The signal itself, {signal.unit}", LOWER[1] + 0.01, view),
        ],
    )


def _threshold(signal: DriftSignal) -> list[Figure]:
    if signal.threshold is None:
        return []
    place = {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": signal.threshold, "y1": signal.threshold}
    return [{**place, "line": {"color": VERMILLION, "width": 1.3, "dash": "dash"}}]


def _facts(signal: DriftSignal, detail: DriftDetail, view: View) -> Component:
    facts: list[tuple[str, Component | str]] = [
        ("State", badge(signal, view)),
        ("Statistic", _statistic(signal)),
        ("Value", f"{measured(signal.value)} {signal.unit}"),
        ("Last alarm", _moment(signal, view)),
        ("Alarms shown", words.count(len(detail.alarms))),
    ]
    return html.Div(
        [html.Div([html.Span(name, className="quiet"), html.Div(value)]) for name, value in facts], className="drift-facts"
    )


def _statistic(signal: DriftSignal) -> str:
    limit = "no threshold" if signal.threshold is None else f"threshold {measured(signal.threshold)}"
    return f"{measured(signal.statistic)}, {limit}"


def _moment(signal: DriftSignal, view: View) -> Component:
    if signal.last_alarm_at is None:
        return html.Span("none")
    return html.Span(words.day(signal.last_alarm_at, view.zone), title=words.utc(signal.last_alarm_at))


def _windows(detail: DriftDetail, view: View) -> Component:
    if detail.histogram is None:
        return html.Div("Of this signal no distribution is kept, only its level.", className="quiet hint")
    then, now = words.day(detail.reference_since, view.zone), words.day(detail.recent_since, view.zone)
    since = f"Reference since {then}, now since {now}."
    return html.Div(
        [_graph(histogram(detail.histogram, detail.signal.unit, view), "drift-windows", 280), html.P(since, className="quiet")]
    )


def _alarms(detail: DriftDetail, view: View) -> Component:
    if not detail.alarms:
        return html.Div("No alarm in this time.", className="quiet hint")
    rows = [html.Li(html.Span(words.day_and_clock(at, view.zone), title=words.utc(at))) for at in reversed(detail.alarms)]
    last = [html.P(detail.signal.last_alarm)] if detail.signal.last_alarm else []
    return html.Div(
        [*last, html.Ul(rows), html.P(dcc.Link("What came of it: the retraining timeline", href=view.address("/")))]
    )


def _box(title: str, body: Component) -> Component:
    return html.Section(
        [html.Div(html.H2(title), className="panel-head"), html.Div(body, className="panel-body")], className="panel"
    )


def _graph(drawn: Figure, name: str, height: int = HEIGHT) -> Component:
    return dcc.Graph(id=name, figure=drawn, config={"displayModeBar": False}, responsive=True, style={"height": height})
