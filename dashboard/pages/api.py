"""The page API: is it well, how much is asked, and what a request looks like."""

from typing import Any

from dash.development.base_component import Component

from dashboard import asks, part
from dashboard.figures import notice, parts, service
from dashboard.page import Context, Known, News, Page
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.health import Health, System


def _health(health: Health, scene: Scene) -> Component:
    return service.health(health, scene.zone)


def _traffic(system: System, _scene: Scene) -> Component:
    return service.traffic(system.api)


def _inputs(document: dict[str, Any], _scene: Scene) -> Component:
    return service.requested(service.inputs(document))


PARTS = (
    Part("api-health", (asks.HEALTH,), part.component("api-health", _health)),
    Part("api-traffic", (asks.SYSTEM,), part.component("api-traffic", _traffic)),
    Part("api-inputs", (asks.OPENAPI,), part.component("api-inputs", _inputs), notice.one),
)


async def _layout(context: Context, view: View) -> Component:
    head = parts.head("API", "The way in for programs: predictions over HTTP, and everything that this board shows.")
    return parts.page("api", head, *await part.opened(context, view, PARTS), service.links(context.api_public))


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


PAGE = Page("api", "/api", "API", _layout, news=_news)
