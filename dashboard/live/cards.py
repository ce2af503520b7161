"""The six numbers on top of the page Live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.theme import ink
from dashboard.live.sparkline import sparkline
from dashboard.page import Props
from dashboard.view import PERIODS, View
from schemas.http.snapshot import Card, Cards, ChampionCard, Level, MatureErrorCard

NO_CHANGE = 0.005
LINKED = ("quarantined", "champion")
TITLES = {
    "predictions": "Predictions",
    "latency": "Latency",
    "lag": "Lag",
    "quarantined": "Quarantined",
    "mature": "Mature error",
    "champion": "Champion",
}
MEANINGS = {
    "predictions": "Trips scored and committed per second of wall time. The arrow compares with the period before.",
    "latency": "Time from a trip's event to its committed row. p50: half of the trips are faster; p99: 99 of 100 are.",
    "lag": "Events that are published and not yet committed, and the age of the oldest of them. Counted without the worker.",
    "quarantined": "Events refused in the last hour, with their bytes and the reason. Click for the list.",
    "mature": "How wrong predictions turned out, of trips old enough to be judged: mean absolute error and root mean square "
    "error. The label delay is the median time until a trip's true duration is known.",
    "champion": "The model version that scores, and for how long it has. Click for its run in MLflow.",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A card in words. `change`: against the period before; `spark`: what its line shows."""

    value: str
    unit: str
    beside: str
    change: str
    level: Level
    spark: Sequence[float | None]


def frame() -> Component:
    """Six empty cards."""
    return html.Div([_card(name) for name in TITLES], id="cards", className="kpis")


def draw(cards: Cards, view: View, now: datetime) -> Mapping[str, Props]:
    """What the six cards say."""
    numbers = numbers_of(cards, view, now)
    props: dict[str, Props] = {}
    for name, number in numbers.items():
        props[f"card-{name}"] = {"children": _content(name, number, view), "className": f"kpi level-{number.level}"}
    props["card-champion-link"] = {"href": cards.champion.run_url or "", "className": _link(cards.champion.run_url)}
    return props


def numbers_of(cards: Cards, view: View, now: datetime) -> Mapping[str, Number]:
    """The cards in words, in their order. `now`: wall time, for the champion's age."""
    return {
        "predictions": _plain(cards.predictions_per_second, words.number(cards.predictions_per_second.value), "per s", view),
        "latency": _latency(cards.latency_p50_seconds, cards.latency_p99_seconds, view),
        "lag": _lag(cards.lag_events, cards.lag_seconds, view),
        "quarantined": _plain(cards.quarantined, words.count(cards.quarantined.value), "in 1 h", view),
        "mature": _mature(cards.mature_error, view),
        "champion": _champion(cards.champion, now),
    }


def change(value: float | None, previous: float | None, view: View) -> str:
    """How much more or less than in the period before: in per cent, or in numbers when it was none."""
    if value is None or previous is None or view.period == "all":
        return ""
    if previous == 0:
        return "as before" if value == 0 else "\N{BLACK UP-POINTING TRIANGLE} from 0"
    share = value / previous - 1
    if abs(share) < NO_CHANGE:
        return "as before"
    arrow = "\N{BLACK UP-POINTING TRIANGLE}" if share > 0 else "\N{BLACK DOWN-POINTING TRIANGLE}"
    return f"{arrow} {words.percent(abs(share), 0)} in {PERIODS[view.period]}"


def _plain(card: Card, value: str, unit: str, view: View) -> Number:
    return Number(value, unit, "", change(card.value, card.previous, view), card.level, card.spark)


def _latency(half: Card, most: Card, view: View) -> Number:
    level = _worse(half.level, most.level)
    return Number(
        words.seconds(half.value),
        "p50",
        f"p99 {words.seconds(most.value)}",
        change(most.value, most.previous, view),
        level,
        most.spark,
    )


def _lag(events: Card, waiting: Card, view: View) -> Number:
    level = _worse(events.level, waiting.level)
    unit = "event" if events.value == 1 else "events"
    past = change(events.value, events.previous, view)
    waits = f"oldest waits {words.seconds(waiting.value)}"
    return Number(words.count(events.value), unit, waits, past, level, events.spark)


def _mature(card: MatureErrorCard, view: View) -> Number:
    delay = f"labels in {words.age(card.label_delay_seconds)}" if card.label_delay_seconds is not None else ""
    past = change(card.mae_minutes, card.previous_mae_minutes, view).partition(" in ")[0]
    return Number(
        words.number(card.mae_minutes, 2),
        "min MAE",
        f"RMSE {words.number(card.rmse_minutes, 2)}, n {words.count(card.trips)}",
        ", ".join(part for part in (past, delay) if part),
        card.level,
        card.spark,
    )


def _champion(card: ChampionCard, now: datetime) -> Number:
    if card.version is None:
        return Number(words.NOTHING, "no champion", "", "train one: tripcast train", card.level, ())
    age = f"for {words.age((now - card.since).total_seconds())}" if card.since else ""
    shadow = f"version {card.challenger} shadows it" if card.challenger is not None else "no challenger"
    return Number(f"v{card.version}", card.kind or "", age, shadow, card.level, ())


def _worse(one: Level, other: Level) -> Level:
    order: tuple[Level, ...] = ("ok", "unknown", "warning", "alarm")
    return max(one, other, key=order.index)


def _card(name: str) -> Component:
    body = html.Div(className="kpi", id=f"card-{name}", tabIndex=None if name in LINKED else "0")
    target: Component = body
    if name == "quarantined":
        target = dcc.Link(body, href="/dead-letters", id="card-quarantined-link", className="kpi-link")
    elif name == "champion":
        target = html.A(body, id="card-champion-link", target="_blank", rel="noreferrer", className="kpi-link")
    events = {"hover": True, "focus": True, "touch": True}
    return dmc.Tooltip(target, label=MEANINGS[name], multiline=True, w=280, events=events, openDelay=300, withArrow=True)


def _content(name: str, number: Number, view: View) -> list[Component]:
    spark = [_spark(number, view)] if any(value is not None for value in number.spark) else []
    return [
        html.Div([html.Span(TITLES[name]), *_dot(number.level)], className="kpi-title"),
        html.Div(
            [html.Span(number.value, className="kpi-value"), html.Span(number.unit, className="kpi-unit")],
            className="kpi-numbers",
        ),
        html.Div(number.beside, className="kpi-beside"),
        html.Div(number.change, className="kpi-change"),
        *spark,
    ]


def _dot(level: Level) -> list[Component]:
    return [] if level in {"ok", "unknown"} else [html.Span(level, className="kpi-level")]


def _spark(number: Number, view: View) -> Component:
    return html.Img(src=sparkline(number.spark, colour=ink(dark=view.dark).main), alt="", className="spark")


def _link(address: str | None) -> str:
    return "kpi-link" if address else "kpi-link inert"
