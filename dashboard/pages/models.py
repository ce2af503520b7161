"""The page Models: what was trained, how it compares, where the champion errs, and who was champion when."""

from collections.abc import Mapping

from dash.development.base_component import Component

from dashboard import asks, part
from dashboard.figures import grids, models, notice, parts
from dashboard.page import Context, Known, News, Page, Props
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.models import Models
from schemas.http.quality import Quality
from schemas.http.snapshot import Areas

GRID, MOST_ROWS = "models-grid", 9


def _compared(found: Models, _scene: Scene) -> Component:
    return models.comparison(found)


def _rows(found: Models, scene: Scene) -> Mapping[str, Props]:
    rows = models.run_rows(found, scene.zone)
    return {GRID: {"rowData": rows, "style": grids.height(len(rows), MOST_ROWS)}}


def _frame() -> Component:
    note = "Every training that was recorded, and every registered version."
    return parts.card("Trainings and versions", grids.grid(GRID, models.COLUMNS, (), "id", height=340), note=note)


def _reigns(found: Models, scene: Scene) -> Component:
    return models.reigns(found, scene.now, scene.zone)


def _by_hour(quality: Quality, _scene: Scene) -> Component:
    return models.by_hour(quality)


def _by_area(quality: Quality, areas: Areas | None, _scene: Scene) -> Component:
    return models.by_area(quality, areas)


PARTS = (
    Part("models-compared", (asks.MODELS,), part.component("models-compared", _compared)),
    Part("models-runs", (asks.MODELS,), _rows, frame=_frame),
    Part("models-reigns", (asks.MODELS,), part.component("models-reigns", _reigns), ages=True),
    Part("models-by-hour", (asks.QUALITY_BY_HOUR,), part.component("models-by-hour", _by_hour), notice.one),
    Part("models-by-area", (asks.QUALITY_BY_AREA, asks.AREAS), part.component("models-by-area", _by_area), notice.one),
)


async def _layout(context: Context, view: View) -> Component:
    compared, runs, reigns, by_hour, by_area = await part.opened(context, view, PARTS)
    head = parts.head("Models", "Which kinds were trained, how they compare, and which of them answered when.")
    return parts.page("models", head, compared, runs, reigns, parts.columns(by_hour, by_area))


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


PAGE = Page("models", "/models", "Models", _layout, news=_news)
