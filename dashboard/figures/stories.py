"""What happened to models, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.figures import parts, said
from dashboard.figures.parts import Tone
from schemas.http.models import History, LifecycleEvent

DAY = timedelta(days=1)
MOST = 12
WHAT: Mapping[str, tuple[str, Tone]] = {
    "model.promoted": ("A new champion", "good"),
    "model.rolled_back": ("An older version is champion again", "warning"),
    "drift.alarm": ("The city has changed", "warning"),
    "retraining.requested": ("A training was asked for", "accent"),
    "retraining.finished": ("A training has ended", "accent"),
    "retraining.refused": ("A training was refused", "bad"),
    "retraining.held": ("A training waits for approval", "warning"),
    "challenger.accepted": ("A challenger passed its trial", "good"),
    "feed.healed": ("The feed is well again", "good"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it is told."""

    at: datetime
    what: str
    why: str
    tone: Tone


def told(event: LifecycleEvent) -> Told:
    """An event in words; of a kind that we do not know, its name."""
    what, tone = WHAT.get(event.kind, (event.kind.replace(".", " ").replace("_", " ").capitalize(), "quiet"))
    return Told(event.at, f"{what}: {_about(event)}", str(event.details.get("why") or event.reason), tone)


def last_day(history: History, now: datetime) -> list[Told]:
    """What happened in the 24 hours before `now`, newest first."""
    return [told(event) for event in reversed(history.events) if now - DAY <= event.at <= now]


def timeline(events: Sequence[Told], zone: ZoneInfo) -> Component:
    """The newest first; more than a screen of them are only counted."""
    items = [
        dmc.TimelineItem(
            [parts.sentence(event.why), dmc.Box(parts.when(event.at, zone), fz="xs", c="dimmed")],
            title=event.what,
            bullet=html.Span(className=f"bullet tone-{event.tone}"),
        )
        for event in events[:MOST]
    ]
    rest = len(events) - MOST
    more = [parts.sentence(f"And {rest} more, earlier.")] if rest > 0 else []
    return parts.stack(dmc.Timeline(items, bulletSize=16, lineWidth=2), *more)


def _about(event: LifecycleEvent) -> str:
    details: Mapping[str, Any] = event.details
    if details.get("version") is None:
        return event.subject
    if event.kind in ("model.promoted", "model.rolled_back") and details.get("replaced"):
        return f"version {details['version']} instead of version {details['replaced']}"
    kind = f", {said.kind(details['candidate'])}" if details.get("candidate") else ""
    return f"version {details['version']}{kind}"
