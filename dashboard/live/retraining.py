"""From a suspicion to what came of it: the steps of the newest episodes."""

from collections.abc import Mapping

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.frame import words
from dashboard.frame.attributes import attributes
from dashboard.page import Props
from dashboard.view import View
from schemas.http.snapshot import Episode, Retraining, Step, StepState

SHOWN = 3
SIGNS: Mapping[StepState, str] = {
    "done": "\N{CHECK MARK}",
    "current": "\N{BLACK CIRCLE}",
    "waiting": "",
    "refused": "\N{MULTIPLICATION SIGN}",
    "skipped": "\N{EN DASH}",
}


def frame() -> Component:
    """The panel's body."""
    return html.Div(id="episodes")


def draw(retraining: Retraining, view: View) -> Mapping[str, Props]:
    """The newest episode whole, the ones before in a line each; without any: what starts one."""
    phase = html.Div(retraining.phase_text, className="phase")
    if not retraining.episodes:
        hint = html.Div([html.Span("No episode yet. "), html.Span(retraining.hint)], className="quiet hint")
        return {"episodes": {"children": [phase, hint]}}
    newest, *before = retraining.episodes[:SHOWN]
    return {"episodes": {"children": [phase, _whole(newest, view), *(_line(episode, view) for episode in before)]}}


def _whole(episode: Episode, view: View) -> Component:
    items = [_item(step, view) for step in episode.steps]
    reached = max(
        (place for place, step in enumerate(episode.steps) if step.state in {"done", "current", "refused"}), default=-1
    )
    timeline = dmc.Timeline(items, active=reached, bulletSize=16, lineWidth=2, color="teal")
    return html.Div([_cause(episode, view), timeline], className="episode")


def _cause(episode: Episode, view: View) -> Component:
    began = words.day(episode.began_at, view.zone)
    hover = f"{episode.subject}, began {words.utc(episode.began_at)}"
    return html.Div([html.B(episode.cause), html.Span(f" since {began}", className="quiet")], title=hover, className="cause")


def _item(step: Step, view: View) -> Component:
    at = html.Span(words.clock(step.at, view.zone), title=words.utc(step.at), className="quiet") if step.at else None
    head = html.Span([html.B(step.name), html.Span(f" {step.text}" if step.text else "", className="step-text")])
    return dmc.TimelineItem(
        title=html.Span([head, at], className="step-head"),
        bullet=html.Span(SIGNS[step.state], className=f"bullet bullet-{step.state}"),
        className=f"step step-{step.state}",
        **attributes(data_state=step.state),
    )


def _line(episode: Episode, view: View) -> Component:
    """What became of an older episode: its last step that happened."""
    happened = [step for step in episode.steps if step.state in {"done", "current", "refused"}]
    last = happened[-1] if happened else None
    words_of_it = f"{last.name}: {last.text}" if last and last.text else last.name if last else ""
    sign = "refused" if last and last.state == "refused" else "done"
    return html.Div(
        [_cause(episode, view), html.Div(words_of_it, className=f"outcome outcome-{sign}")], className="episode-before"
    )
