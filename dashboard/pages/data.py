"""The page Data: what all stored trips look like together."""

from dash.development.base_component import Component

from dashboard import asks, part
from dashboard.figures import data, notice, parts
from dashboard.page import Context, Known, News, Page
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.trips import DatabaseStats, TripsSummary


def _trips(summary: TripsSummary, scene: Scene) -> Component:
    if not summary.trips:
        return data.nothing_yet()
    return parts.stack(
        data.numbers(summary, scene.zone), data.by_hour(summary), data.by_weekday(summary), data.distributions(summary)
    )


def _refused(summary: TripsSummary, _scene: Scene) -> Component:
    return data.refused(summary)


def _stored(stats: DatabaseStats, _scene: Scene) -> Component:
    return data.storage(stats)


PARTS = (
    Part("data-trips", (asks.SUMMARY,), part.component("data-trips", _trips)),
    Part("data-refused", (asks.SUMMARY,), part.component("data-refused", _refused), notice.one),
    Part("data-stored", (asks.STORED,), part.component("data-stored", _stored), notice.one),
)


async def _layout(context: Context, view: View) -> Component:
    head = parts.head(
        "Data", "All trips in the database: those that came through the stream and those that were loaded from files."
    )
    return parts.page("data", head, *await part.opened(context, view, PARTS))


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


PAGE = Page("data", "/data", "Data", _layout, news=_news)
