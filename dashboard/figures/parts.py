"""The pieces that all pages are put together from, so that every card, number and time looks the same everywhere."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.figures import said
from dashboard.frame import words

Content = Component | str | Sequence["Component | str"]
Tone = Literal["good", "warning", "bad", "quiet", "accent"]
COLOURS: dict[Tone, str] = {"good": "teal", "warning": "orange", "bad": "red", "quiet": "gray", "accent": "blue"}


def page(name: str, *content: Component) -> Component:
    """The root of a page."""
    return html.Div(dmc.Stack(list(content), gap="md"), id=f"page-{name}", className="page")


def head(title: str, lead: str) -> Component:
    """A page's name and what it is for."""
    return dmc.Stack([dmc.Title(title, order=2, fz="h3"), dmc.Text(lead, size="sm", c="dimmed")], gap=2)


def tile(label: str, value: Content, below: Content = "", *, means: str = "", tone: Tone | None = None) -> Component:
    """One number with its name; `means` defines it, on hover and for screen readers."""
    name = dmc.Text(label, size="sm", c="dimmed", className="tile-label")
    heading = dmc.Tooltip(name, label=means, multiline=True, w=260, withArrow=True) if means else name
    rest: list[Any] = [dmc.Box(below, fz="xs", c="dimmed")] if below else []
    number = dmc.Box(value, fz={"base": 20, "sm": 26}, fw=650, lh=1.25, className=f"tile-value {toned(tone)}")
    return dmc.Paper(
        [heading, number, *rest], withBorder=True, p={"base": "xs", "sm": "md"}, radius="md", h="100%", className="tile"
    )


def tiles(*each: Component, columns: int = 4) -> Component:
    """Numbers side by side; two in a row on a telephone."""
    return dmc.SimpleGrid(list(each), cols={"base": 2, "lg": columns}, spacing={"base": "xs", "sm": "md"})


def card(title: str, *content: Content, note: Content = "", action: Component | None = None) -> Component:
    """A titled box."""
    head: list[Any] = [dmc.Title(title, order=3, fz="md", fw=600)]
    if note:
        head.append(dmc.Box(note, fz="sm", c="dimmed"))
    heading = dmc.Group(
        [dmc.Stack(head, gap=2, style={"flex": 1, "minWidth": 0}), *([action] if action else [])], align="start"
    )
    return dmc.Paper(
        dmc.Stack([heading, *content], gap="md"), withBorder=True, p={"base": "sm", "sm": "lg"}, radius="md", className="card"
    )


def columns(*each: Component, number: int = 2) -> Component:
    """Boxes side by side where there is room."""
    return dmc.SimpleGrid(list(each), cols={"base": 1, "md": number}, spacing="md", className="columns")


def stack(*each: Content) -> Component:
    """One below the other."""
    return dmc.Stack(list(each), gap="md")


def when(instant: datetime | None, zone: ZoneInfo, *, short: bool = True) -> Component | str:
    """A moment in the city's time, with UTC on hover."""
    if instant is None:
        return words.NOTHING
    text = said.minute(instant, zone) if short else words.day_and_clock(instant, zone)
    return html.Time(text, dateTime=instant.isoformat(), title=words.utc(instant))


def badge(text: str, tone: Tone = "quiet") -> Component:
    """A state in a word; the colour never says anything that the word does not."""
    return html.Span(text, className=f"badge {toned(tone)}")


def toned(tone: Tone | None) -> str:
    """The class that colours text and badges, legible on both grounds."""
    return f"tone tone-{tone}" if tone else ""


def facts(rows: Sequence[tuple[str, Content]]) -> Component:
    """Names and values, one pair a line."""
    body = [dmc.TableTr([dmc.TableTh(name, fw=500, c="dimmed", w="38%"), dmc.TableTd(value)]) for name, value in rows]
    return dmc.Table(dmc.TableTbody(body), verticalSpacing=6, horizontalSpacing=0, className="facts")


def table(headings: Sequence[str], rows: Sequence[Sequence[Content]], *, label: str) -> Component:
    """A small table that may scroll sideways by itself."""
    head = dmc.TableThead(dmc.TableTr([dmc.TableTh(heading) for heading in headings]))
    body = dmc.TableTbody([dmc.TableTr([dmc.TableTd(cell) for cell in row]) for row in rows])
    whole = dmc.Table([head, body], verticalSpacing="xs", highlightOnHover=True, **{"aria-label": label})
    return html.Div(whole, className="sideways", tabIndex=0)


def described(picture: Component, label: str) -> Component:
    """A picture and what is seen on it, for those who do not see it."""
    said_aloud: dict[str, Any] = {"role": "img", "aria-label": label}
    return html.Div(picture, className="chart", **said_aloud)


def sentence(text: Content) -> Component:
    """Something in words."""
    return dmc.Box(text, fz="sm")


def empty(text: Content, command: str = "") -> Component:
    """Says why there is nothing here and what would change it."""
    more: list[Any] = [dmc.Code(command, fz="sm")] if command else []
    return dmc.Stack([dmc.Box(text, fz="sm", c="dimmed"), *more], gap="xs", className="empty")


def problem(title: str, detail: str) -> Component:
    """Something that was refused, in the API's words."""
    return dmc.Alert(detail, title=title, color="red", variant="light", radius="md")


def said_well(text: str) -> Component:
    """Something that was done."""
    return dmc.Alert(text, color="teal", variant="light", radius="md")


def link(text: str, address: str) -> Component:
    """Leads out of the board, into a tab of its own."""
    return dmc.Anchor(text, href=address, target="_blank", size="sm")


def command(text: str, label: str = "Copy") -> Component:
    """Something to type in a terminal, with a button that copies it."""
    button = dmc.CopyButton(value=text, children=label, copiedChildren="Copied", variant="default", size="xs")
    return dmc.Stack([dmc.Code(text, block=True, className="terminal"), button], gap="xs", align="start")
