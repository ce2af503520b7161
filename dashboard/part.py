"""A part of a page: what it asks, what it draws from the answers, and when it has something new for a browser."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import html
from dash.development.base_component import Component

from dashboard.figures import notice
from dashboard.page import Context, Known, News, Props
from dashboard.readings import Ask, Reading
from dashboard.view import View

OPENING_SECONDS = 0.7
TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Scene:
    """Where and when something is drawn: the reader's zone, their clock's minute, and whether on a dark ground."""

    zone: ZoneInfo
    now: datetime
    dark: bool


@dataclass(frozen=True, slots=True)
class Part:
    """`draw` is given the answers to `asks` in their order, None where there is none yet, and the scene.

    It gives properties by component id. `name` is the id of the part's own root, `frame` what it holds before the first answer.
    A part that tells ages is drawn anew every minute. `needs`: how many of the first answers it cannot be drawn without.
    """

    name: str
    asks: Sequence[Ask[Any]]
    draw: Callable[..., Mapping[str, Props]]
    frame: Callable[[], Component] = notice.waiting
    needs: int = 1
    ages: bool = False

    @property
    def body(self) -> str:
        """The id of what `component` fills."""
        return f"{self.name}-body"


def component(name: str, draw: Callable[..., Component]) -> Callable[..., Mapping[str, Props]]:
    """The usual `draw`: one component that fills the whole part."""
    return lambda *given: {f"{name}-body": {"children": draw(*given)}}


def scene_of(view: View) -> Scene:
    """What a browser's view means for drawing."""
    return Scene(view.zone, datetime.now(UTC), view.dark)


async def opened(context: Context, view: View, parts: Sequence[Part]) -> list[Component]:
    """All parts as they stand when a page is opened: what is known already, or the places that wait for it."""
    scene = scene_of(view)
    answers = await asyncio.gather(*(_answers(context, part, OPENING_SECONDS) for part in parts))
    return [_root(part, given, scene) for part, given in zip(parts, answers, strict=True)]


def empty(part: Part) -> Component:
    """A part before its first answer."""
    return _root(part, [Reading() for _ in part.asks], Scene(ZoneInfo("UTC"), datetime.now(UTC), dark=False))


async def news(context: Context, view: View, parts: Sequence[Part], known: Known) -> News:
    """What has changed for a browser since `known`."""
    scene = scene_of(view)
    props: dict[str, Props] = {}
    after: dict[str, str] = {}
    given = await asyncio.gather(*(_answers(context, part, TICK_SECONDS) for part in parts))
    for part, answers in zip(parts, given, strict=True):
        after[part.name] = _version(part, answers, scene)
        if known.get(part.name) != after[part.name]:
            props |= drawn(part, answers, scene)
    return News(props, after)


def drawn(part: Part, answers: Sequence[Reading[Any]], scene: Scene) -> Mapping[str, Props]:
    """Properties of a part's components: its notice, its attributes, and what it draws if it has what it needs."""
    told = _notice(part, answers, scene)
    attributes = _attributes(answers)
    around: dict[str, Props] = {f"{part.name}-notice": {"children": told}, part.name: attributes}
    if any(answer.data is None for answer in answers[: part.needs]):
        return around
    return around | dict(part.draw(*(answer.data for answer in answers), scene))


def _root(part: Part, answers: Sequence[Reading[Any]], scene: Scene) -> Component:
    root = html.Div(
        [html.Div(id=f"{part.name}-notice"), html.Div(part.frame(), id=part.body)],
        id=part.name,
        className="part",
    )
    for name, props in drawn(part, answers, scene).items():
        target = root if name == part.name else _within(root, name)
        for key, value in props.items():
            setattr(target, key, value)
    return root


def _within(root: Component, name: str) -> Component:
    found: Component = root[name]
    return found


async def _answers(context: Context, part: Part, wait_seconds: float) -> list[Reading[Any]]:
    return await asyncio.gather(*(context.readings.get(ask, wait_seconds=wait_seconds) for ask in part.asks))


def _version(part: Part, answers: Sequence[Reading[Any]], scene: Scene) -> str:
    minute = f"{scene.now:%H%M}" if part.ages else ""
    return f"{'.'.join(str(answer.version) for answer in answers)}/{scene.zone.key}/{minute}"


def _notice(part: Part, answers: Sequence[Reading[Any]], scene: Scene) -> Component | None:
    failed = next((answer for answer in answers if answer.trouble is not None), None)
    if failed is None or failed.trouble is None:
        return None
    has_all = all(answer.data is not None for answer in answers[: part.needs])
    oldest = min((answer.as_of for answer in answers if answer.as_of is not None), default=None)
    return notice.kept(failed.trouble, oldest if has_all else None, scene.zone)


def _attributes(answers: Sequence[Reading[Any]]) -> Props:
    as_of = [answer.as_of for answer in answers if answer.as_of is not None]
    trouble = next((answer.trouble for answer in answers if answer.trouble is not None), "")
    return {
        "data-version": ".".join(str(answer.version) for answer in answers),
        "data-as-of": min(as_of).isoformat() if as_of else "",
        "data-error": trouble,
    }
