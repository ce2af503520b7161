"""The control chart: one row for each signal that is watched."""

from collections.abc import Mapping

from dash import dcc, html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.attributes import attributes
from dashboard.frame.theme import LEVELS, Level, ink
from dashboard.live.sparkline import sparkline
from dashboard.page import Props
from dashboard.view import View
from schemas.http.quality import Drift, DriftSignal, SignalState

LEVEL: Mapping[SignalState, Level] = {"ok": "ok", "warning": "warning", "drift": "alarm", "cooling": "unknown"}


def frame() -> Component:
    """The panel's body."""
    return html.Div([html.Div(id="drift-phase", className="phase"), html.Div(id="drift-rows", className="signals")])


def draw(drift: Drift, view: View) -> Mapping[str, Props]:
    """The loop's phase and all signals."""
    rows = [_row(signal, view) for signal in drift.signals]
    return {
        "drift-phase": {"children": drift.phase_text},
        "drift-rows": {"children": rows or html.Div("No signal is watched yet.", className="quiet")},
    }


def state_text(signal: DriftSignal, view: View) -> str:
    """What the state means: ok, warning, drift, cooling down until 14:20."""
    if signal.state != "cooling":
        return signal.state
    until = words.clock(signal.cooling_until, view.zone)[:5] if signal.cooling_until else ""
    return f"cooling down until {until}" if until else "cooling down"


def measured(value: float | None) -> str:
    """A statistic or its threshold: to a thousandth, which is finer than any threshold."""
    return words.NOTHING if value is None else f"{round(value, 3) + 0.0:.4g}"


def badge(signal: DriftSignal, view: View) -> Component:
    """The state, coloured and in words."""
    return html.Span(
        state_text(signal, view), className=f"verdict level-{LEVEL[signal.state]}", **attributes(data_state=signal.state)
    )


def _limit(signal: DriftSignal) -> str:
    return "" if signal.threshold is None else f" of {measured(signal.threshold)}"


def _row(signal: DriftSignal, view: View) -> Component:
    alarm = f"last alarm {words.clock(signal.last_alarm_at, view.zone)[:5]}" if signal.last_alarm_at else "no alarm"
    said = "\n".join(
        part for part in (signal.last_alarm, words.utc(signal.last_alarm_at) if signal.last_alarm_at else "") if part
    )
    line = sparkline(
        signal.statistics,
        colour=ink(dark=view.dark).main,
        threshold=signal.threshold,
        threshold_colour=LEVELS["alarm"],
    )
    return dcc.Link(
        [
            html.Span(signal.title, className="signal-title"),
            html.Img(src=line, alt=f"statistic of {signal.title}", className="spark"),
            html.Span(
                [html.B(measured(signal.statistic)), html.Span(_limit(signal), className="quiet")],
                className="signal-number",
                title=f"Statistic and threshold; the signal itself is {measured(signal.value)} {signal.unit}",
            ),
            badge(signal, view),
            html.Span(alarm, className="signal-alarm quiet", title=said or "There was none."),
        ],
        href=view.address("/drift", signal=signal.signal),
        className="signal",
    )
