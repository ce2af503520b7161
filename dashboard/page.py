"""What a page of the board is; `dashboard.pages` lists them all."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dash import Dash
from dash.development.base_component import Component

from dashboard.client import Client
from dashboard.drawings import Drawings
from dashboard.poller import Poller, Seen
from dashboard.readings import Readings
from dashboard.settings import BoardSettings
from dashboard.view import View

Known = Mapping[str, str]
Props = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What pages are handed. `api_public`: the API's address for links and curl lines."""

    settings: BoardSettings
    client: Client
    poller: Poller
    readings: Readings
    drawings: Drawings = field(default_factory=Drawings)

    @property
    def api_public(self) -> str:
        """Where a person's browser finds the API."""
        return (self.settings.api_public or self.settings.api).rstrip("/")


@dataclass(frozen=True, slots=True)
class News:
    """What a page changes on a tick: properties by component id. `known`: what the browser knows after that."""

    props: Mapping[str, Props] = field(default_factory=dict)
    known: Known = field(default_factory=dict)


def _no_callbacks(_app: Dash, _context: Context) -> None:
    """For pages without callbacks."""


async def _no_news(_context: Context, _view: View, _seen: Seen, known: Known) -> News:
    """For pages that do not move by themselves."""
    return News(known=known)


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    `layout` is asked whenever somebody opens the page; it may ask the API, and the root of what it gives has the id
    `page-<name>`. `register` adds the page's callbacks, once; they are `async def`, since they run on the loop that serves all
    browsers. `news` is asked once a second for each browser that has the page open: it gives what changed since `known`.
    """

    name: str
    path: str
    title: str
    layout: Callable[[Context, View], Awaitable[Component]]
    register: Callable[[Dash, Context], None] = _no_callbacks
    news: Callable[[Context, View, Seen, Known], Awaitable[News]] = _no_news
    listed: bool = True
