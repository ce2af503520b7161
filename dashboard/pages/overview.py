"""The page Overview: who is in production, how good it is, and what happened in the last day."""

from dash.development.base_component import Component

from dashboard import asks, part
from dashboard.figures import overview, parts
from dashboard.page import Context, Known, News, Page
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.models import History, ModelInfo, Models
from schemas.http.quality import Quality
from schemas.http.snapshot import Snapshot


def _production(info: ModelInfo, models: Models | None, scene: Scene) -> Component:
    return overview.production(info, models, scene.zone)


def _error(quality: Quality, info: ModelInfo | None, snapshot: Snapshot | None, _scene: Scene) -> Component:
    return overview.error_now(quality, info, snapshot)


def _best(models: Models, _scene: Scene) -> Component:
    return overview.best(models)


def _day(history: History, scene: Scene) -> Component:
    return overview.day(history, scene.now, scene.zone)


PARTS = (
    Part("overview-production", (asks.INFO, asks.MODELS), part.component("overview-production", _production)),
    Part("overview-error", (asks.QUALITY, asks.INFO, asks.SNAPSHOT), part.component("overview-error", _error)),
    Part("overview-best", (asks.MODELS,), part.component("overview-best", _best)),
    Part("overview-day", (asks.HISTORY,), part.component("overview-day", _day), ages=True),
)


async def _layout(context: Context, view: View) -> Component:
    head = parts.head("Overview", "The model in production, its promise and what came of it.")
    return parts.page("overview", head, *await part.opened(context, view, PARTS))


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


PAGE = Page("overview", "/overview", "Overview", _layout, news=_news)
